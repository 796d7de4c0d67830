"""Commands that look: status, batches, batch, submission."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from cli.accounts import check
from cli.filters import AccountOption, Before, EventOption, Limit, Since, Until, in_utc
from cli.output import AsJson, fail, print_json, print_table, say, say_more, written
from cli.resources import open_engine, open_what_there_is
from models.counted import counted
from models.words import State, Status, word_of
from worker.finding import Finding, Level
from worker.queries.attention import exit_status, findings, stream_because
from worker.queries.batches import BatchFilter, find_batch, list_batches
from worker.queries.jobs import JobSummary
from worker.queries.person import LOOKED_AT, find_submission
from worker.queries.rows import as_said
from worker.queries.status import AccountStop, StatusReport, WebhookTrouble, read_status
from worker.queries.throughput import LastDay, Sent

Check = Annotated[bool, typer.Option("--check", help="Say only what needs action now, and exit with 0, 1 or 3.")]


def status(*, check: Check = False, as_json: AsJson = False) -> None:
    """Show what waits, why and until when, whether everything runs, and what needs action.

    With --check, only what needs action now is shown. Exit status then: 0 nothing needs action; 1 something does, such
    as no worker alive, intake that fails or a paused account; 3 PostgreSQL, Redis or the broker is out of reach.
    Rejected records, parked accounts and warnings do not count.
    """
    from worker.queries import throughput

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
        because = {"stream_because": stream_because(found), "findings": [asdict(note) for note in notes]}
        print_json({**asdict(found), **because, "throughput": throughput.to_json(sent) if sent else None})
    elif check:
        _tell_findings([note for note in notes if note.level is not Level.WARNING])
        if not exit_status(notes):
            say("nothing needs action now")
    else:
        _tell(found, notes, sent)
    if check or not reached:
        raise typer.Exit(exit_status(notes) if check else 1)


def _tell(found: StatusReport, notes: Sequence[Finding], sent: LastDay | None) -> None:
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


def _tell_machinery(found: StatusReport) -> None:
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


def _tell_accounts(accounts: Sequence[AccountStop]) -> None:
    for account in accounts:
        if account.hubspot_url:
            say(f"account {account.name} delivers to {account.hubspot_url}, as set for it")
        if account.parked_until and not account.paused_at:
            because = account.parked_because
            say(f"account {account.name} is waiting until {written(account.parked_until)}: {because}")
        if account.not_read_back_because:
            until, because = written(account.not_read_back_until), account.not_read_back_because
            say(f"account {account.name}: unconfirmed records are not looked up until {until}: {because}")


def _tell_throughput(found: LastDay) -> None:
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


def _errors(sent: Sent) -> str:
    return f"{_percent(sent.undelivered_percent)} / {_percent(sent.calls_failed_percent)}"


def _of(used: int | None, limit: int | None) -> str:
    return f"{'?' if used is None else f'{used:,}'} of {'any' if limit is None else f'{limit:,}'}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2f} %"


def _told_of_webhook(webhook: WebhookTrouble) -> str:
    return (
        f"webhook {webhook.name} FAILS: {webhook.error} ({counted(webhook.failures, 'time')} in a row;"
        f" {webhook.waiting:,} to be told; next try at {written(webhook.again_at)})"
    )


def _told(job: JobSummary) -> str:
    expected = "" if job.expected is None else f" of {job.expected:,}"
    return f"job {job.id}, {word_of(job.action)}: {job.done:,}{expected} done (look: turnout job {job.id})"


def batches(  # noqa: PLR0913 - one parameter an option
    *,
    status: Annotated[Status | None, typer.Option(help="Only those of this status.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those of this state.")] = None,
    event: EventOption = None,
    account: AccountOption = None,
    errors: Annotated[bool, typer.Option("--errors", help="Only those with unresolved errors.")] = False,
    since: Since = None,
    until: Until = None,
    before: Before = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List batches, the newest first."""
    chosen = BatchFilter(status, state, event, account, errors, in_utc(since), in_utc(until), before, limit)
    engine = open_engine()
    check(engine, account)
    found = list_batches(engine, chosen)
    if as_json:
        print_json(found)
        return
    columns = [
        "id",
        "event",
        "state",
        "identity",
        "origin",
        "status",
        "size",
        "errors",
        "calls",
        "why",
    ]
    rows = [{**asdict(row), "why": row.why} for row in found]
    print_table("Batches", rows, columns, "no batch matches", ["identity", "origin", "calls"])
    say_more(found, limit)


def batch(batch_id: Annotated[int, typer.Argument(metavar="ID")], *, as_json: AsJson = False) -> None:
    """Show one batch: its attempts, its records and their errors."""
    found = find_batch(open_engine(), batch_id)
    if found is None:
        fail(f"there is no batch {batch_id}; `turnout batches` lists them")
    if as_json:
        print_json(found)
        return
    heading = f"batch {found.id}: {counted(found.size, 'record')}, {found.state} by {found.identity} of {found.event}"
    say(f"{heading}, account {found.account}: {found.status}", "bold")
    if found.status == Status.PENDING:
        say(f"due {written(found.due_at)}{'; ' + found.why if found.why else ''}")
    columns = [
        "id",
        "kind",
        "started_at",
        "answer",
        "http_status",
        "duration_ms",
        "sent",
        "delivered",
        "rejected",
        "unconfirmed",
    ]
    unsent = f"sent as a part of batch {found.split_from}" if found.split_from else "never sent yet"
    timeline = [asdict(one) for one in found.timeline]
    print_table("Attempts", timeline, columns, unsent, ["kind", "duration_ms", "unconfirmed"])
    for attempt in found.timeline:
        if attempt.excerpt:
            say(f"attempt {attempt.id} {attempt.correlation_id} came back with:")
            say(f"  {attempt.excerpt[:500]}")
    columns = ["id", "contact", "outcome", "category", "message", "resolution"]
    print_table("Records", [asdict(one) for one in found.records], columns, "no record", ["category", "resolution"])


def submission(submission_id: Annotated[UUID, typer.Argument(metavar="ID")], *, as_json: AsJson = False) -> None:
    """Show the results of one submission."""
    found = find_submission(open_engine(), submission_id)
    if found is None:
        fail(f"nothing of submission {submission_id} was accepted (yet?); `turnout status` says what waits")
    if as_json:
        print_json(found)
        return
    say(f"submission {submission_id}, {counted(found.parts, 'part')}, since {written(found.received_at)}", "bold")
    still_open = f" ({found.refused_open:,} open)" if found.refused else ""
    say(f"accepted {found.accepted:,}, duplicates {found.duplicates:,}, not accepted {found.refused:,}{still_open}")
    for outcome, number in found.outcomes.items():
        say(f"  {outcome}: {number:,}")
    if not found.all:
        say(f"  of its first {counted(LOOKED_AT, 'record')}; there are more")
    if found.purged:
        say(f"  purged: {found.purged:,}")
    columns = ["id", "contact", "event", "state", "batch_id", "outcome", "category", "message"]
    undelivered = [{**asdict(one), "message": one.message or one.why} for one in found.not_delivered]
    nothing = "every accepted record is delivered" if found.accepted or found.duplicates else "nothing was accepted"
    print_table("Not delivered", undelivered, columns, nothing)
    for webhook in found.webhooks:
        error = (
            f", after {counted(webhook.attempts, 'try', 'tries')}: {webhook.last_error}" if webhook.last_error else ""
        )
        say(f"webhook {webhook.key}: {webhook.stage}{error}")
    for refusal in found.refusals:
        if refusal.closed_at:
            why = f" ({refusal.closed_because})" if refusal.closed_because else ""
            say(f"not accepted {refusal.id}: {refusal.standing} {written(refusal.closed_at)}{why}")
            continue
        for reason in refusal.reasons:
            say(f"not accepted {refusal.id}: {reason['where']}: {reason['what']}; expected {reason['right']}")
