"""What of the status needs action now, what is out of reach, and why the stream waits.

Not everything that went wrong does: records that were rejected wait for a decision without holding anything up, and a
parked account or a failing webhook is tried again by itself.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from models.counted import counted
from worker.accounts.state import then_resume
from worker.failures import Verb, VerbFailure
from worker.finding import Finding, Level
from worker.queries.machinery import deliver_to
from worker.queries.status import StatusReport
from worker.startup import KEY
from worker.stream import KEY as STREAM
from worker.task_names import INTAKE, TASKS

RECENT: Final = 120
"""Seconds for which a failure counts: what is due is tried again every second, and by then has succeeded or failed."""
SELDOM: Final[Mapping[str, int]] = {Verb.PURGE: 1_500, Verb.SCHEDULE: 7_200}
"""The same of what is tried again only after ten minutes, or an hour."""
LONG: Final = 60
"""Seconds after which a message of the stream waits long."""


def exit_status(found: list[Finding]) -> int:
    """Give the exit status of a check: 0 well, 1 attention, 3 out of reach."""
    levels = {one.level for one in found}
    return 3 if Level.OUT_OF_REACH in levels else 1 if Level.ATTENTION in levels else 0


def findings(report: StatusReport) -> list[Finding]:
    """List what is not as it should be, the worst first."""
    services = [*report.database_found, *report.redis_found, *_broker(report)]
    found = [*services, *_workers(report), *_failures(report), *_not_read(report), *_stopped(report)]
    return sorted(found, key=lambda one: list(Level).index(one.level))


def stream_because(report: StatusReport) -> str:
    """Say why messages wait in the stream; nothing where none wait, or where they have only just come."""
    return next(_stream_because(report), "") if report.stream_waiting else ""


def _stream_because(report: StatusReport) -> Iterator[str]:
    if report.database == "out of reach":
        yield "the database is out of reach"
    yield from (str(one) for one in report.database_found if one.level is Level.ATTENTION and one.about != KEY)
    if report.workers == 0:
        yield "no worker is alive"
    if INTAKE in report.unread:
        yield f"no worker reads {INTAKE}"
    for failure in report.failures:
        if failure.verb == Verb.INTAKE and failure.seconds_ago <= RECENT:
            yield _failed(failure)
    yield from (str(one) for one in report.database_found if one.about == KEY)
    if report.stream_waits_for is not None and report.stream_waits_for > LONG:
        yield f"the oldest for {spoken(report.stream_waits_for)}; no failure of intake is known"


def spoken(seconds: int) -> str:
    """Write a length of time."""
    for unit, length in (("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _failed(failure: VerbFailure) -> str:
    if failure.verb == Verb.START:
        return f"{failure.account} did not start {spoken(failure.seconds_ago)} ago: {failure.error}"
    which = "" if failure.verb in {Verb.JOB, Verb.SCHEDULE} else "for account "
    of = f" {which}{failure.account}" if failure.account else ""
    return f"{failure.verb}{of} failed {spoken(failure.seconds_ago)} ago: {failure.error}"


def _broker(report: StatusReport) -> Iterator[Finding]:
    broker = report.broker
    if broker.url and not broker.reachable:
        goes_on = (
            "workers look for due work themselves, so work goes on; messages of attendance.accept wait in the broker"
        )
        text = f"the broker {broker.url} is out of reach ({broker.error})"
        todo = "is it running, and TURNOUT_BROKER_URL right? Meanwhile "
        yield Finding(Level.OUT_OF_REACH, "broker", text, todo + (goes_on if report.workers else "no worker is woken"))
    for dropped in report.unreadable:
        number = counted(dropped.number, "message")
        text = f"{number} in the queue {dropped.queue} could not be read and so dropped"
        text = f"{text}; the last {spoken(dropped.seconds_ago)} ago"
        yield Finding(
            Level.WARNING, dropped.queue, text, "fix its producer: the worker's log says why (message not readable)"
        )


def _workers(report: StatusReport) -> Iterator[Finding]:
    if report.workers is None:
        return
    if not report.workers:
        text = "no worker is alive: nothing of the stream is accepted and nothing is delivered"
        yield Finding(
            Level.ATTENTION,
            "workers",
            text,
            "start them with `celery -A worker worker`, or `turnout up`",
        )
    elif ours := [queue for queue in report.unread if queue in TASKS]:
        named = ", ".join(
            f"{queue} ({_messages(lie)} there)" if (lie := report.unread[queue]) else queue for queue in ours
        )
        yield Finding(Level.ATTENTION, "workers", f"no worker reads {named}", f"start one with `-Q {','.join(ours)}`")
    if not report.beat and report.broker.reachable:
        goes_on = " (meanwhile workers look for due work themselves)" if report.workers else ""
        yield Finding(Level.ATTENTION, "beat", f"beat does not tick{goes_on}", "start it with `celery -A worker beat`")
    urls = deliver_to(report.processes)
    if len(urls) > 1:
        each = "; ".join(f"{url} ({', '.join(names)})" for url, names in urls.items())
        todo = "give all the same TURNOUT_HUBSPOT_URL and restart them"
        yield Finding(Level.ATTENTION, "workers", f"workers deliver to different addresses: {each}", todo)
    idle = [worker.name for worker in report.processes if worker.finds_work_itself]
    if idle and report.broker.reachable and report.beat:
        text = f"the broker answers, and brings nothing to {', '.join(idle)}: it looks for due work itself"
        yield Finding(Level.WARNING, "workers", text)


def _messages(number: int) -> str:
    return "1 message lies" if number == 1 else f"{number:,} messages lie"


def _failures(report: StatusReport) -> Iterator[Finding]:
    for failure in report.failures:
        if failure.seconds_ago <= SELDOM.get(failure.verb, RECENT):
            yield Finding(Level.ATTENTION, failure.verb, _failed(failure))
        else:
            what = "none of its kind has started" if failure.verb == Verb.START else "it has had nothing to do"
            yield Finding(Level.WARNING, failure.verb, f"{_failed(failure)} ({what} since)")


def _not_read(report: StatusReport) -> Iterator[Finding]:
    for queue, number in report.unread.items():
        if number and queue not in TASKS:
            text = f"{_messages(number)} in the queue {queue}, which no worker reads"
            yield Finding(Level.ATTENTION, queue, text, 'send tasks with queue="attendance.accept"')
    for stream, number in report.other_streams.items():
        if number:
            text = f"{_messages(number)} in the stream {stream}, which is not read"
            yield Finding(Level.ATTENTION, stream, text, f"add messages to {STREAM}")


def _stopped(report: StatusReport) -> Iterator[Finding]:
    for account in report.accounts:
        if account.paused_at:
            since = f"{account.paused_at:%Y-%m-%d %H:%M:%S}Z"
            because = account.paused_because.removesuffix(then_resume(account.name))
            text = f"account {account.name} is PAUSED since {since}: {because}"
            todo = f"fix the cause, then `turnout resume {account.name}`"
            yield Finding(Level.ATTENTION, "account", text, todo, account.name)
    for webhook in report.webhooks:
        if webhook.off:
            row = f"{webhook.failures} times in a row; {webhook.waiting:,} to be told"
            text = f"webhook {webhook.name} is OFF: {webhook.error} ({row})"
            yield Finding(Level.ATTENTION, "webhook", text, "`turnout keys webhook` sets another URL")
