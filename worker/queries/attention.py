"""What of the status needs action now, what is out of reach, and why the stream waits.

Not everything that went wrong does: records that were rejected wait for a decision without holding anything up, and a
parked account or a failing webhook is tried again by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from worker.celery import INTAKE, TASKS
from worker.failures import Verb, VerbFailure
from worker.queries.machinery import deliver_to
from worker.queries.status import StatusReport

RECENT: Final = 120
"""Seconds for which a failure counts: what is due is tried again every second, and by then has succeeded or failed."""
SELDOM: Final[Mapping[str, int]] = {Verb.PURGE: 1_500, Verb.SCHEDULE: 7_200}
"""The same of what is tried again only after ten minutes, or an hour."""
LONG: Final = 60
"""Seconds after which a message of the stream waits long."""


class Level(StrEnum):
    """How much a finding matters."""

    OUT_OF_REACH = "out of reach"
    ATTENTION = "attention"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class StatusFinding:
    """Something that is not as it should be, and what to do."""

    level: Level
    text: str
    account: str = ""
    """Which account it is about, where it is about one."""


def exit_status(found: list[StatusFinding]) -> int:
    """Give the exit status of a check: 0 well, 1 attention, 3 out of reach."""
    levels = {one.level for one in found}
    return 3 if Level.OUT_OF_REACH in levels else 1 if Level.ATTENTION in levels else 0


def findings(report: StatusReport) -> list[StatusFinding]:
    """List what is not as it should be, the worst first."""
    found = [*_database(report), *_redis(report), *_broker(report), *_workers(report), *_work(report)]
    return sorted(found, key=lambda one: list(Level).index(one.level))


def stream_because(report: StatusReport) -> str:
    """Say why messages wait in the stream; nothing where none wait, or where they have only just come."""
    return next(_stream_because(report), "") if report.stream_waiting else ""


def _stream_because(report: StatusReport) -> Iterator[str]:
    if report.database != "answers":
        yield f"the database {_of_database(report)}"
    if report.workers == 0:
        yield "no worker is alive"
    if INTAKE in report.unread:
        yield f"no worker reads {INTAKE}"
    for failure in report.failures:
        if failure.verb == Verb.INTAKE and failure.seconds_ago <= RECENT:
            yield _failed(failure)
    if report.key_is_right is False:
        yield "TURNOUT_SECRET_KEY is not the key this database was set up with"
    if report.stream_waits_for is not None and report.stream_waits_for > LONG:
        yield f"the oldest for {spoken(report.stream_waits_for)}; no failure of intake is known"


def spoken(seconds: int) -> str:
    """Write a length of time."""
    for unit, length in (("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _of_database(report: StatusReport) -> str:
    because = f" ({report.database_error})" if report.database_error else ""
    return f"{'is out of reach' if report.database == 'out of reach' else report.database}{because}"


def _failed(failure: VerbFailure) -> str:
    if failure.verb == Verb.START:
        return f"{failure.account} did not start {spoken(failure.seconds_ago)} ago: {failure.error}"
    which = "" if failure.verb in {Verb.JOB, Verb.SCHEDULE} else "for account "
    of = f" {which}{failure.account}" if failure.account else ""
    return f"{failure.verb}{of} failed {spoken(failure.seconds_ago)} ago: {failure.error}"


def _database(report: StatusReport) -> Iterator[StatusFinding]:
    match report.database:
        case "out of reach":
            text = f"PostgreSQL {_of_database(report)}: nothing is accepted or delivered until it is back"
            yield StatusFinding(Level.OUT_OF_REACH, text)
        case "has other tables":
            text = f"PostgreSQL {_of_database(report)}, not those of this release: run `turnout db upgrade`"
            yield StatusFinding(Level.ATTENTION, text)
        case "refuses":
            yield StatusFinding(
                Level.ATTENTION, f"PostgreSQL {_of_database(report)}: see TURNOUT_DATABASE_URL and its role"
            )
        case "takes no writes":
            text = "PostgreSQL takes no writes: nothing is accepted or delivered; TURNOUT_DATABASE_URL must lead to the"
            yield StatusFinding(Level.ATTENTION, f"{text} primary, and no default_transaction_read_only be set")
    if report.key_is_right is False:
        text = "TURNOUT_SECRET_KEY is not the key this database was set up with: set that one, for every process"
        yield StatusFinding(Level.ATTENTION, text)


def _redis(report: StatusReport) -> Iterator[StatusFinding]:
    if report.redis == "out of reach":
        text = "nothing comes in and nothing is delivered until it is back"
        yield StatusFinding(Level.OUT_OF_REACH, f"Redis is out of reach ({report.redis_error}): {text}")
    elif report.redis != "persistent":
        text = f"Redis {report.redis}: what waits in the stream would be lost with it (set appendonly yes)"
        yield StatusFinding(Level.WARNING, text)
    if report.redis_evicts is not None:
        everything = report.redis_evicts.startswith("allkeys")
        lost = "messages that wait in the stream too" if everything else "what it knows of the rate limit"
        text = f"Redis removes keys when it is full ({report.redis_evicts}), {lost}: set maxmemory-policy noeviction"
        yield StatusFinding(Level.ATTENTION if everything else Level.WARNING, text)


def _broker(report: StatusReport) -> Iterator[StatusFinding]:
    if not report.broker.reachable:
        text = "workers look for due work themselves, so work goes on; messages of attendance.accept wait in the broker"
        if not report.workers:
            text = "no worker is woken"
        yield StatusFinding(
            Level.OUT_OF_REACH, f"the broker {report.broker.url} is out of reach ({report.broker.error}): {text}"
        )


def _workers(report: StatusReport) -> Iterator[StatusFinding]:
    if report.workers is None:
        return
    if not report.workers:
        text = "no worker is alive: nothing of the stream is accepted and nothing is delivered"
        yield StatusFinding(Level.ATTENTION, f"{text}; start them: `celery -A worker worker`")
    elif ours := [queue for queue in report.unread if queue in TASKS]:
        text = f"no worker reads {', '.join(ours)}: start one with `-Q {','.join(ours)}`"
        yield StatusFinding(Level.ATTENTION, text)
    if not report.beat and report.broker.reachable:
        text = "beat does not tick; start it: `celery -A worker beat`"
        goes_on = " (meanwhile workers look for due work themselves)" if report.workers else ""
        yield StatusFinding(Level.ATTENTION, f"{text}{goes_on}")
    urls = deliver_to(report.processes)
    if len(urls) > 1:
        each = "; ".join(f"{url} ({', '.join(names)})" for url, names in urls.items())
        text = f"workers deliver to different addresses: {each}; give all the same TURNOUT_HUBSPOT_URL and restart them"
        yield StatusFinding(Level.ATTENTION, text)
    idle = [worker.name for worker in report.processes if worker.finds_work_itself]
    if idle and report.broker.reachable and report.beat:
        text = f"the broker answers, and brings nothing to {', '.join(idle)}: it looks for due work itself"
        yield StatusFinding(Level.WARNING, text)


def _work(report: StatusReport) -> Iterator[StatusFinding]:
    for failure in report.failures:
        if failure.seconds_ago <= SELDOM.get(failure.verb, RECENT):
            yield StatusFinding(Level.ATTENTION, _failed(failure))
        else:
            since = "none of its kind has started since" if failure.verb == Verb.START else "it has had nothing to do since"
            yield StatusFinding(Level.WARNING, f"{_failed(failure)} ({since})")
    for queue, number in report.unread.items():
        if number and queue not in TASKS:
            are = "1 message lies" if number == 1 else f"{number:,} messages lie"
            text = f'{are} in the queue {queue}, which no worker reads: send tasks with queue="attendance.accept"'
            yield StatusFinding(Level.ATTENTION, text)
    for account in report.accounts:
        if account.paused_at:
            since = f"{account.paused_at:%Y-%m-%d %H:%M:%S}Z"
            text = f"account {account.name} is PAUSED since {since}: {account.paused_because}"
            text = f"{text}; fix the cause, then: turnout resume {account.name}"
            yield StatusFinding(Level.ATTENTION, text, account.name)
    for webhook in report.webhooks:
        if webhook.off:
            text = (
                f"webhook {webhook.name} is OFF: {webhook.error} ({webhook.failures} times in a row;"
                f" {webhook.waiting:,} to be told; turnout keys webhook sets another URL)"
            )
            yield StatusFinding(Level.ATTENTION, text)
