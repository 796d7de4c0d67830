"""`turnout …`: one file a group of commands; no decisions of its own.

- `app`           the command line put together; `failures`: what it says where a command failed
- `commands`      the panels of `--help`; a command is imported when it is used
- `enqueue`       a file is submitted; `file_options`: what the command line says of the file; `file_questions`: what it
                  asks on a terminal; `file_progress`: how far it is
- `status`        whether everything runs, what waits, what needs action
- `inspect`       batches, one batch, one submission; `event`, `person`, `errors`, `refused`: each its own
- `bulk_actions`  retry, dismiss, cancel
- `correct`       records corrected
- `jobs`          bulk actions and the audit log; `schedules`: retries that begin by themselves
- `accounts`      HubSpot's portals; `pausing`: whether they send; `account_options`: what an account has of its own
- `keys`          who may use the API and the console
- `retention`     purge and erase
- `audit`         whether the books balance; `compare`: who HubSpot holds and is not known here
- `size`          how large an installation must be
- `database`      the tables, and the key of what they keep encrypted; `config`: the settings; `doctor`: is all well?
- `health`        whether a process of this machine lives and is ready
- `up`            everything on one machine; `serve`: the web process; `sandbox`: HubSpot's test server
- `bulk_jobs`     a preview, the question, then the job
- `filters`       which errors are meant, by the same options for every command; `option_groups`: options as one value
- `resources`     the database and the process's machinery, opened when a command runs
- `prompts`       secrets asked for
- `output`        how commands print
"""


def main() -> None:
    """Run the command line."""
    from worker import garbage

    garbage.collect_rarely()  # before the imports, which are most of what a command takes
    from cli.app import run

    run()
