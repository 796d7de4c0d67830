"""`turnout person`: everything about one contact, and what happens next."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.filters import Limit
from cli.output import AsJson, print_json, say, say_more, written
from cli.resources import open_engine

if TYPE_CHECKING:
    from worker.queries.history import PastAttempt, PastError


def person(
    contact: Annotated[str, typer.Argument(metavar="EMAIL_OR_ID", help="An e-mail address or HubSpot's contact id.")],
    *,
    before: Annotated[int | None, typer.Option(help="Only records with a smaller id: the next page.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show one person's records: attempts, answers, what happens next.

    A person submitted by e-mail here and by contact id there has two names, each to be asked for.
    """
    from worker.queries.person import list_records_of

    found = list_records_of(open_engine(), contact, limit, before)
    if as_json:
        print_json(found)
        return
    if not found:
        say(f"no record of {contact} is known; what was not accepted: turnout refused")
    for record in found:
        say(f"record {record.id}: {record.state} {record.event}, account {record.account}: {record.next}", "bold")
        came = f"  accepted {written(record.received_at)} by {record.door} ({record.producer or 'unnamed'})"
        say(f"{came}: turnout submission {record.submission}")
        if record.corrects:
            say(f"  in the place of record {record.corrects}")
        say(f"  batch {record.batch_id}, {record.status}: turnout batch {record.batch_id}")
        for at, told in sorted([*map(_attempt, record.attempts), *map(_error, record.errors)]):
            say(f"  {at} {told}")
    others = {str(record.contact_id) for record in found if record.contact_id} - {contact.strip()}
    if others:
        say(f"HubSpot's contact id: {', '.join(sorted(others))}")
    say_more(found, limit)


def _attempt(attempt: "PastAttempt") -> tuple[str, str]:
    status = f", HTTP {attempt.http_status}" if attempt.http_status else ""
    told = f"attempt {attempt.id}, {attempt.kind} of {attempt.sent} in batch {attempt.batch_id}"
    return written(attempt.started_at), f"{told}: {attempt.answer or 'running'}{status}"


def _error(error: "PastError") -> tuple[str, str]:
    told = f"error {error.id}, {error.outcome}: {error.category} {error.code} {error.message}"
    if error.resolution is None:
        return written(error.created_at), f"{told} (open)"
    because = f": {error.resolved_because}" if error.resolved_because else ""
    return written(error.created_at), f"{told} ({error.resolution} {written(error.resolved_at)}{because})"
