"""Commands that look at one thing or list several: batches, batch, submission."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from cli.accounts import check
from cli.filters import AccountOption, Before, EventOption, Limit, Since, Until, in_utc
from cli.output import AsJson, fail, print_json, print_table, say, say_more, written
from cli.resources import open_engine
from models.counted import counted
from models.words import State, Status


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
    from worker.queries.batches import BatchFilter, list_batches

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
    from worker.queries.batches import find_batch

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
    from worker.queries.person import LOOKED_AT, find_submission

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
