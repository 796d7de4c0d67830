"""What the tasks, the console and the commands are made of: one folder a subject. Imports go down this list only.

- `retention`   what is old is purged, and a person erased; `doctor`: everything needed is looked at
- `monitor`     what a process tells about itself on a port of its own: probes and metrics
- `operations`  what operators do, as jobs: retry, cancel, correct, submit again, on schedules; the audit log
- `submission`  what was read of a file is submitted
- `files`       attendance files are read: bytes and options in; records, rows left out and questions out
- `intake`      a message becomes records in batches; `local`: everything on one machine, for `turnout up`
- `delivery`    calls to HubSpot, each with a permit; `webhooks`: calls to producers
- `queries`     what pages and commands show
- `wake`        wake-ups are sent; `watchdog`: a stuck process is ended; `schema_watch`: one whose schema fits no more
- `consumer`    which of the broker's messages are run; `redis_transport`: no item of Redis ends a worker
- `heartbeat`   processes show that they live; `unreadable`: messages of the broker that were dropped, counted
- `celery`      the Celery app; `beat`: its scheduler; `programs`: its processes
- `process_start`  a process starts, or leaves why it does not
- `failures`    the last failure of each verb; `verb_task`: tasks that an outage may end
- `queue`       whose turn it is, and what became of a batch; `context`: what one process holds open
- `accounts`    HubSpot's portals; `auth`: who may use the API and the console
- `startup`     what stops a process when it starts, what it waits for, what it warns of
- `database`    PostgreSQL; `schema`: whether its tables are those of this release
- `encryption`  what is kept sealed in the database; `stream`: the intake stream in Redis
- `settings`    the only reader of the environment; `setting_values`: what a setting may be
- `settings_shown`  the settings with their sources, as commands show them; `version`: which Turnout this is
- `logging_setup`  how log lines look; `foreign_lines`: those of libraries; `log`: ours; `outage`: one warning an outage
- `metrics`     what a process counts while it works
- `tracing`     spans from a producer to the POST; `tracing_setup`: how they are sent; `error_reports`: to Sentry
- `finding`     what is not as it must be, for a start and for who looks
- `data_dir`    what is kept on this machine, for its owner alone
"""
