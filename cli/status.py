"""`turnout status`: what waits, why and until when, whether everything runs, and what needs action."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import AsJson, print_json, print_table, say, written
from cli.resources import open_what_there_is
from models.counted import counted
from models.words import word_of
from worker.finding import Finding, Level

if TYPE_CHECKING:
    from worker.queries.jobs import JobSummary
    from worker.queries.status import AccountStop, StatusReport, WebhookTrouble
    from worker.queries.throughput import LastDay, Sent

Check = Annotated[bool, typer.Option("--check", help="Say only what needs action now, and exit with 0, 1 or 3.")]


def status(*, check: Check = False, as_json: AsJson = False) -> None:
    """Show what waits, why and until when, whether everything runs, and what needs action.

    With --check, only what needs action now is shown. Exit status then: 0 nothing needs action; 1 something does, such
    as no worker alive, intake that fails or a paused account; 3 PostgreSQL, Redis or the broker is out of reach.
    Rejected records, parked accounts and warnings do not count.
    """
    from worker.queries import throughput
    from worker.queries.attention import exit_status, findings, stream_because
    from worker.queries.status import read_status

    process, wrong = open_what_there_is()
    found = read_status(process.engine if process.settings.database_url else None, process.settings)
    notes = [*wrong, *findings(found)]
    reached = found.database in {"answers", "takes no writes"}
    sent = throughput.look(process) if reached and not (check and not as_json) else None
    if reached:
        process.engine.dispose()
    if sent is not None:
        process.limiter_redis.close()
    if as_json:
        more = {
            "jobs": [job.as_json() for job in found.jobs],
            "stream_because": stream_because(found),
            "findings": [asdict(note) for note in notes],
            "throughput": throughput.to_json(sent) if sent else None,
        }
        print_json(asdict(found) | more)
    elif check:
        _tell_findings([note for note in notes if note.level is not Level.WARNING])
        if not exit_status(notes):
            say("nothing needs action now")
    else:
        _tell(found, notes, sent)
    if check or not reached:
        raise typer.Exit(exit_status(notes) if check else 1)


def _tell(found: "StatusReport", notes: Sequence[Finding], sent: "LastDay | None") -> None:
    from worker.queries.rows import as_said

    say(f"turnout delivers to {found.delivers_to}", "bold")
    if found.settings_say != found.delivers_to:
        say(f"  as its workers were started; the settings here say: {found.settings_say}")
    _tell_findings(notes)
    _tell_machinery(found)
    if sent is None:
        return
    _tell_accounts(found.accounts)
    counts = {name.lower(): as_said(number) for name, number in found.batches.items()}
    say(f"batches: {counts['pending']} pending, {counts['processing']} processing")
    unresolved = {name: as_said(number) for name, number in found.unresolved_errors.items() if number}
    told = ", ".join(f"{number} {name}" for name, number in unresolved.items())
    say(f"unresolved errors: {told} (look: turnout errors --grouped)" if told else "unresolved errors: none")
    if found.refused:
        say(f"not accepted: {as_said(found.refused)} (look: turnout refused)")
    for job in found.jobs:
        say(_told(job))
    for webhook in found.webhooks:
        if not webhook.off:  # that one is among the findings
            say(_told_of_webhook(webhook))
    _tell_throughput(sent)
    print_table(
        "Waiting",
        [asdict(one) for one in found.waiting],
        ["account", "why", "batches", "records", "oldest", "until"],
        "nothing waits",
    )


def _tell_findings(notes: Sequence[Finding]) -> None:
    for note in notes:
        say(f"{'warning' if note.level is Level.WARNING else 'ACTION'}: {note}")


def _tell_machinery(found: "StatusReport") -> None:
    from worker.queries.attention import stream_because

    if found.stream_waiting is not None:
        because = stream_because(found)
        waiting = f"{_number_of(found.stream_waiting, 'message')} to be accepted{': ' if because else ''}{because}"
        say(f"stream: {waiting}" if found.stream_waiting else "stream: drained")
        silent = "DOES NOT TICK" if found.broker.reachable else "its ticks do not come without the broker"
        say(f"workers: {found.workers} alive; beat: {'ticks' if found.beat else silent}")
        for worker in found.processes:
            itself = "; finds due work itself" if worker.finds_work_itself else ""
            say(f"  {worker.name}, version {worker.version}, reads {', '.join(worker.queues) or '?'}{itself}")
    if found.broker.reachable:
        say(f"broker: {found.broker.url} answers")


def _number_of(number: int, noun: str) -> str:
    return f"1 {noun} waits" if number == 1 else f"{number:,} {noun}s wait"


def _tell_accounts(accounts: "Sequence[AccountStop]") -> None:
    for account in accounts:
        if account.hubspot_url:
            say(f"account {account.name} delivers to {account.hubspot_url}, as set for it")
        if account.parked_until and not account.paused_at:
            because = account.parked_because
            say(f"account {account.name} is waiting until {written(account.parked_until)}: {because}")
        if account.not_read_back_because:
            until, because = written(account.not_read_back_until), account.not_read_back_because
            say(f"account {account.name}: unconfirmed records are not looked up until {until}: {because}")


def _tell_throughput(found: "LastDay") -> None:
    for span, sent in (("minute", found.minute), ("day", found.sent)):
        records, calls = _percent(sent.undelivered_percent), _percent(sent.calls_failed_percent)
        told = f"{sent.delivered:,} delivered by {counted(sent.calls, 'call')}"
        say(f"last {span}: {told}; errors: {records} of records, {calls} of calls")
    rows = [
        {
            "account": use.account.name,
            "calls now": _of(use.in_window, use.account.burst_limit) + f" in {use.account.burst_seconds:g} s",
            "calls today": _of(use.today, use.account.daily_limit),
            **{
                f"{what}, last {span}": told
                for span, sent in (("minute", use.minute), ("day", use.day))
                for what, told in (("calls", sent.calls), ("errors", _errors(sent)))
            },
            "mean use": _percent(use.mean_percent),
            "peak use": _percent(use.peak_percent),
        }
        for use in found.accounts
    ]
    title = "Calls and their limits (errors: of the records / of the calls)"
    less = [name for name in rows[0] if "last" in name] if len(rows) == 1 else []  # the lines above are of the same
    print_table(title, rows, list(rows[0]) if rows else [], "there is no account", less)


def _errors(sent: "Sent") -> str:
    return f"{_percent(sent.undelivered_percent)} / {_percent(sent.calls_failed_percent)}"


def _of(used: int | None, limit: int | None) -> str:
    return f"{'?' if used is None else f'{used:,}'} of {'any' if limit is None else f'{limit:,}'}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2f} %"


def _told_of_webhook(webhook: "WebhookTrouble") -> str:
    return (
        f"webhook {webhook.name} FAILS: {webhook.error} ({counted(webhook.failures, 'time')} in a row;"
        f" {webhook.waiting:,} to be told; next try at {written(webhook.again_at)})"
    )


def _told(job: "JobSummary") -> str:
    expected = "" if job.expected is None else f" of {job.expected:,}"
    return f"job {job.id}, {word_of(job.action)}: {job.done:,}{expected} done (look: turnout job {job.id})"
