"""The operators' console, at `/`: pages made on the server, which need no script and get better with ours.

- `app`              the routes
- `base`             a request on its way to a page or an action: signed in, allowed, of this site; and what goes wrong
- `sign_in`          signing in and out; `cookie`: what the browser keeps, and the token that every form carries
- `openid`           signing in at the company's OpenID Connect provider
- `form`             a form as it comes, bounded; `params`: what a URL asks for; `selection`: what an action is about
- `pages`            what each page shows; `actions`: what each button does
- `errors_by_group`  errors in groups, with advice
- `person`           one person, and erasing; `sealed`: what a URL carries that nobody is to read there
- `refusals`         what was not accepted, and submitting it again; `fix_table`: as a table, each fault at its cell
- `corrections`      records corrected, one, a group or a file
- `schedules`        retries that begin by themselves
- `bulk`             bulk actions and their jobs
- `live`             a page as a stream of events, while its tab is looked at
- `rendering`        templates, and how values are written; `chart`: a day as SVG
"""
