"""Every metric: its name, its type, its labels, and what it says. Documents, alerts and the dashboard are tested by it.

Names follow Prometheus' conventions: base units, `_total` for counters alone. Labels are bounded: words of the code,
and accounts, of which so many have a name of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_ACCOUNTS: Final = 50
"""Accounts with a label of their own; all others together are `OTHER`."""
OTHER: Final = "other"


class Type(StrEnum):
    """What can be done with a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Teller(StrEnum):
    """Which processes have a metric, and from where its numbers come."""

    PROCESS = "each process"
    WORKER = "workers"
    SUBMITTING = "workers, serve"
    SERVE = "serve"
    DATABASE = "beat, from the database"
    REDIS = "beat, from Redis"
    GATHERED = "beat"


@dataclass(frozen=True, slots=True)
class Definition:
    """A metric; of a histogram, with the upper bounds of its buckets."""

    name: str
    type: Type
    source: Teller
    about: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, source: Teller, about: str, *labels: str) -> Definition:
    return Definition(name, Type.COUNTER, source, about, labels)


def _gauge(name: str, source: Teller, about: str, *labels: str) -> Definition:
    return Definition(name, Type.GAUGE, source, about, labels)


LABELS: Final[Mapping[str, str]] = {
    "account": f"the account's name; of more than {MOST_ACCOUNTS} accounts the others together are `{OTHER}`. Each"
    f" process names the first {MOST_ACCOUNTS} it meets; beat, of those it reads, the first {MOST_ACCOUNTS} by name",
    "answer": "what a call came to, as the log's `attempt` has it: `settled`, `refused whole`, `not found`,"
    " `limited`, `portal unavailable`, `unauthorized`, `ambiguous`; of a read-back also `page`",
    "directory": "`data` (`TURNOUT_DATA_DIR`) or `temporary`",
    "door": "the way in: `stream`, `task`, `http`, `file`",
    "kind": "of a call: `post` (a batch), `part` (a part of one, to find the bad records), `read-back`",
    "method": "the HTTP method",
    "origin": "why the batch exists: `live`, `retry`, `replay`",
    "outcome": "`delivered`, `rejected`, `unconfirmed`, `failed`; of open errors also `canceled`",
    "process": "`serve`, `worker`, `beat`",
    "queue": "the queue's name",
    "reason": "why records wait: `due` (their turn), `gathering` (the batch takes more records), `postponed`,"
    " `earlier_batches` (of the same people), `account_waiting`, `account_paused`, `account_removed`, `sending`,"
    " `read_back` (not confirmed: looked for in HubSpot)",
    "result": "what came of it; the metric says which",
    "route": f"the path with its parameters' names; `{OTHER}` for what is no path of Turnout",
    "service": "`postgresql`, `redis`, `broker`",
    "standing": "`running`, `queued`, `failing` (its last step failed: it is tried again), `on_hold` (awaiting"
    " confirmation)",
    "state": "`working`, `failing` (it is tried again), `off`",
    "status": "the HTTP status",
    "task": "the Celery task's name",
    "verb": "what failed last and has not succeeded since, as `turnout status` names it",
    "version": "Turnout's",
}

SUBMITTED: Final = _counter(
    "turnout_records_submitted_total",
    Teller.SUBMITTING,
    "Records that came in, by what they came to: `accepted`, `duplicate`, `refused`.",
    "door",
    "result",
)
FINISHED: Final = _counter(
    "turnout_records_finished_total",
    Teller.WORKER,
    "Records that got an outcome by delivery or reading back. One that is retried, or confirmed later, counts again.",
    "account",
    "outcome",
)
DELIVERY: Final = Definition(
    "turnout_delivery_duration_seconds",
    Type.HISTOGRAM,
    Teller.WORKER,
    "Time from acceptance to delivery of what was delivered by its POST; the records of a batch are taken in tens.",
    ("account", "origin"),
    (1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400),
)
ATTEMPTS: Final = _counter(
    "turnout_attempts_total",
    Teller.WORKER,
    "Calls to HubSpot, by what came back.",
    "account",
    "kind",
    "answer",
)
ATTEMPT: Final = Definition(
    "turnout_attempt_duration_seconds",
    Type.HISTOGRAM,
    Teller.WORKER,
    "Time of a call to HubSpot, answered or not.",
    ("kind",),
    (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
PERMITS: Final = _counter(
    "turnout_permits_total",
    Teller.WORKER,
    "Permits asked for: `granted`, `wait` (the limit is reached: asked again later), `spent` (the day's calls), or"
    " `unavailable` (Redis does not answer).",
    "account",
    "result",
)
PERMIT_WAIT: Final = Definition(
    "turnout_permit_wait_seconds",
    Type.HISTOGRAM,
    Teller.WORKER,
    "Time that a thread waited for a permit, granted or not.",
    ("account",),
    (0.005, 0.05, 0.25, 1, 5, 10),
)
WEBHOOK_POSTS: Final = _counter(
    "turnout_webhook_posts_total",
    Teller.WORKER,
    "Notifications POSTed to webhooks: `taken`, `refused` (answered otherwise), `unanswered`.",
    "result",
)
TASKS: Final = _counter(
    "turnout_tasks_total",
    Teller.WORKER,
    "Celery tasks: `succeeded`, `outage` (PostgreSQL or Redis was away: done again), `failed` (a bug).",
    "task",
    "result",
)
REQUESTS: Final = _counter(
    "turnout_http_requests_total",
    Teller.SERVE,
    "Requests that a path of the API or the console answered.",
    "method",
    "route",
    "status",
)
REQUEST: Final = Definition(
    "turnout_http_request_duration_seconds",
    Type.HISTOGRAM,
    Teller.SERVE,
    "Time until an answer began; with `Prefer: wait` that includes the wait.",
    ("route",),
    (0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
)
COUNTED: Final = (
    *(SUBMITTED, FINISHED, DELIVERY, ATTEMPTS, ATTEMPT, PERMITS, PERMIT_WAIT, WEBHOOK_POSTS, TASKS),
    *(REQUESTS, REQUEST),
)
"""What a process counts."""

BUILD_INFO: Final = _gauge("turnout_build_info", Teller.PROCESS, "1: which process and version.", "process", "version")
DISK_FREE: Final = _gauge(
    "turnout_disk_free_bytes", Teller.PROCESS, "What is free on the disk of a directory of this process.", "directory"
)
DISK_SIZE: Final = _gauge("turnout_disk_size_bytes", Teller.PROCESS, "The size of that disk.", "directory")
OF_PROCESS: Final = (BUILD_INFO, DISK_FREE, DISK_SIZE)
"""What a process says of itself, beside `process_…` of prometheus-client."""

SERVICE_UP: Final = _gauge(
    "turnout_service_up",
    Teller.GATHERED,
    "1 if the service answered this scrape; 0 if not: then all that comes from it is missing.",
    "service",
)
SCRAPE_ERRORS: Final = _counter(
    "turnout_scrape_errors_total", Teller.GATHERED, "Scrapes for which a service did not answer.", "service"
)
SCRAPE_DURATION: Final = _gauge(
    "turnout_scrape_duration_seconds", Teller.GATHERED, "Time that the service took to answer.", "service"
)
ACCOUNT_PAUSED: Final = _gauge(
    "turnout_account_paused",
    Teller.DATABASE,
    "1 if the account is paused: it sends nothing until an operator resumes it.",
    "account",
)
ACCOUNT_WAITING: Final = _gauge(
    "turnout_account_waiting",
    Teller.DATABASE,
    "1 if the account waits until a time (HubSpot fails, or the day's calls are spent); it goes on by itself.",
    "account",
)
BACKLOG_RECORDS: Final = _gauge(
    "turnout_backlog_records", Teller.DATABASE, "Records that are not finished.", "account", "reason"
)
BACKLOG_BATCHES: Final = _gauge("turnout_backlog_batches", Teller.DATABASE, "Their batches.", "account", "reason")
BACKLOG_CUT: Final = _gauge(
    "turnout_backlog_is_cut",
    Teller.DATABASE,
    "1 if more batches wait than are looked at (the oldest 10,000): the backlog is larger than what is counted.",
)
OLDEST_DUE: Final = _gauge(
    "turnout_oldest_due_record_age_seconds",
    Teller.DATABASE,
    "Time for which the oldest due record could have been sent: how far delivery is behind. 0 if nothing is due, or the"
    " account may not send.",
    "account",
)
OLDEST_WAITING: Final = _gauge(
    "turnout_oldest_waiting_record_age_seconds",
    Teller.DATABASE,
    "Time since the oldest unfinished batch was begun, whatever it waits for. 0 if there is none.",
    "account",
)
ERRORS_OPEN: Final = _gauge(
    "turnout_errors_open", Teller.DATABASE, "Unresolved errors; counted up to 10,001.", "outcome"
)
REFUSED_OPEN: Final = _gauge(
    "turnout_refused_open", Teller.DATABASE, "What was not accepted and is open; counted up to 10,001."
)
JOBS: Final = _gauge("turnout_jobs", Teller.DATABASE, "Actions in bulk that have not ended, up to 1,000.", "standing")
WEBHOOKS: Final = _gauge("turnout_webhooks", Teller.DATABASE, "Webhooks, by whether they take notifications.", "state")
NOTIFICATIONS: Final = _gauge(
    "turnout_notifications_waiting", Teller.DATABASE, "Notifications to be POSTed; counted up to 10,001."
)
DATABASE_SIZE: Final = _gauge("turnout_database_size_bytes", Teller.DATABASE, "Size of the database on its disk.")
BURST: Final = _gauge("turnout_burst_calls", Teller.REDIS, "Calls that hold a slot of the rolling window.", "account")
BURST_LIMIT: Final = _gauge("turnout_burst_calls_limit", Teller.DATABASE, "Calls that the window allows.", "account")
DAILY: Final = _gauge("turnout_daily_calls", Teller.REDIS, "Calls of the account's day, so far.", "account")
DAILY_LIMIT: Final = _gauge(
    "turnout_daily_calls_limit", Teller.DATABASE, "Calls that a day allows; missing if it has no limit.", "account"
)
DAILY_FORECAST: Final = _gauge(
    "turnout_daily_calls_forecast",
    Teller.REDIS,
    "Calls of the day at its end, if it goes on as in the last hour.",
    "account",
)
STREAM: Final = _gauge("turnout_stream_messages", Teller.REDIS, "Messages of the intake stream not accepted yet.")
STREAM_AGE: Final = _gauge(
    "turnout_stream_oldest_age_seconds", Teller.REDIS, "Time for which the oldest of them waits; 0 if none does."
)
WORKERS: Final = _gauge("turnout_workers", Teller.REDIS, "Worker processes with a heartbeat in the last 10 s.")
QUEUE_WORKERS: Final = _gauge("turnout_queue_workers", Teller.REDIS, "Of these, those that read the queue.", "queue")
BEAT: Final = _gauge("turnout_beat_ticking", Teller.REDIS, "1 if a worker got a tick of beat in the last 10 s.")
SWEEP_LAG: Final = _gauge(
    "turnout_sweep_lag_seconds", Teller.REDIS, "Time since the last sweep ended; there is one each second."
)
VERBS_FAILING: Final = _gauge(
    "turnout_verbs_failing", Teller.REDIS, "Failures that no success has followed, by what failed.", "verb"
)
REDIS_MEMORY: Final = _gauge("turnout_redis_memory_bytes", Teller.REDIS, "Memory that Redis uses.")
REDIS_MEMORY_LIMIT: Final = _gauge(
    "turnout_redis_memory_limit_bytes", Teller.REDIS, "Its `maxmemory`; missing if it has none."
)
REDIS_PERSISTS: Final = _gauge(
    "turnout_redis_persists", Teller.REDIS, "1 if the last write of Redis to its disk succeeded."
)
BOOKS: Final = _gauge(
    "turnout_books_balanced", Teller.REDIS, "What the last `turnout audit` found: 1 if the books balance."
)
BOOKS_CHECKED: Final = _gauge(
    "turnout_books_checked_timestamp_seconds", Teller.REDIS, "When that was (Unix time); missing if it is not known."
)
GATHERED: Final = (
    *(SERVICE_UP, SCRAPE_ERRORS, SCRAPE_DURATION),
    *(ACCOUNT_PAUSED, ACCOUNT_WAITING, BACKLOG_RECORDS, BACKLOG_BATCHES, BACKLOG_CUT, OLDEST_DUE, OLDEST_WAITING),
    *(ERRORS_OPEN, REFUSED_OPEN, JOBS, WEBHOOKS, NOTIFICATIONS, DATABASE_SIZE),
    *(BURST, BURST_LIMIT, DAILY, DAILY_LIMIT, DAILY_FORECAST),
    *(STREAM, STREAM_AGE, WORKERS, QUEUE_WORKERS, BEAT, SWEEP_LAG, VERBS_FAILING),
    *(REDIS_MEMORY, REDIS_MEMORY_LIMIT, REDIS_PERSISTS, BOOKS, BOOKS_CHECKED),
)
"""What beat reads from the database and from Redis when it is scraped."""
ALL: Final = (*COUNTED, *OF_PROCESS, *GATHERED)
