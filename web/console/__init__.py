"""The operators' console, at `/`: pages made on the server, which need no script and get better with ours.

- `frame`     a request on its way to a page or an action: signed in, allowed, of this site; and what goes wrong there
- `live`      a page as a stream of events, while its tab is looked at
- `cookie`    what the browser keeps, and the token that every form carries
- `form`      a form as it comes, bounded
- `signing`   signing in and out
- `pages`     what each page shows; `actions`: what each button does
- `why`, `people`, `door`: pages, and their buttons, of errors in groups, of one person, of what was refused
- `bulk`, `mending`, `timetable`: actions in bulk and the audit log, corrections, schedules; `choosing` what is meant
- `asked`     what is asked for in a URL, read
- `showing`   templates and how values are written; `chart`: a day as SVG
"""
