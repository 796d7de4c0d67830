"""What was not accepted: shown with its reasons, mended, and handed in again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Final
from urllib.parse import quote_plus

from models.input_check import Reason
from models.words import Action
from web.console.base import ConsoleRequest, Page, PageError, Redirect
from web.console.params import uuid_of
from worker.operations.audit_log import noted
from worker.operations.replay import Replayed, replay_mended
from worker.queries.refusals import Refusal, RefusalFilter, listed, waiting

PAGE: Final = 50
LARGEST_MENDED: Final = 1024 * 1024
"""Bytes of the form in which a message is fixed; a larger one is fixed in a file."""
IN_A_FILE: Final = (
    "turnout refused --submission {} --out fix.jsonl\nfix the file, then: turnout refused retry --from fix.jsonl"
)
ROOM: Final = 16 * 1024
"""Bytes of the form for what is added while fixing."""
SHOWN: Final = 20_000
"""Letters of a message too large to be fixed here."""


def refused(visit: ConsoleRequest) -> Page:
    """List what was not accepted and not submitted again since, the newest first."""
    submission = visit.asked("submission")
    number = None if submission is None else uuid_of(submission)
    if submission is not None and number is None:
        raise PageError(400, f"There is no submission {submission[:100]}", "Right would be a submission's id, a UUID.")
    filters = {"account": visit.asked("account"), "submission": submission}
    rows, more = listed(visit.process.engine, RefusalFilter(None, number, filters["account"]), visit.before(), PAGE)
    paging = {"before": visit.before(), "more": more, "is_full": len(rows) == PAGE}
    return Page("refusals.html", {"rows": rows, "filters": filters, **paging})


def refusal(visit: ConsoleRequest) -> Page:
    """Show one refusal: all its reasons, and its message to be fixed."""
    return _shown(_find(visit))


def mend(visit: ConsoleRequest, form: Mapping[str, str]) -> Page | Redirect:
    """Submit a message again, fixed or as it is; what is still not accepted is shown as it was written."""
    row = _find(visit)
    process, written = visit.process, form.get("message", "")
    line = json.dumps({"refused": row.id, "text": written}).encode()
    with noted(process.engine, visit.by, Action.REPLAY, ids=[row.id]) as action:
        ((_, done),) = replay_mended(process.engine, process.rules, iter([line]))
        action.number = int(isinstance(done, Replayed) and not done.reasons)
    if isinstance(done, Reason):  # somebody else was faster
        raise _gone(row.id)
    if done.reasons:
        return _shown(replace(row, reasons=[asdict(reason) for reason in done.reasons]), written)
    said = (
        f"message {row.id} is submitted again: accepted {done.accepted:,}, duplicates {done.duplicates:,},"
        f" not accepted {done.refused:,}"
    )
    return Redirect(said, f"/submission/{row.submission}")


def _find(visit: ConsoleRequest) -> Refusal:
    number = visit.number("refusal")
    for row in waiting(visit.process.engine, RefusalFilter(ids=[number])):
        return row
    raise _gone(number)


def _gone(number: int) -> PageError:
    return PageError(
        404, f"There is no message {number} here", "It was submitted again, erased or purged, or never was."
    )


def _shown(row: Refusal, written: str | None = None) -> Page:
    message = _written(row) if written is None else written
    size = len(message)
    if size <= LARGEST_MENDED:
        size = len(quote_plus(message.replace("\n", "\r\n"), errors="replace"))
    facts = {
        "row": row,
        "original": message if size <= LARGEST_MENDED else message[:SHOWN],
        "is_too_large": written is None and size > LARGEST_MENDED - ROOM,
        "is_still_refused": written is not None,
        "largest": LARGEST_MENDED,
        "in_a_file": IN_A_FILE.format(row.submission),
    }
    return Page("refusal.html", facts, 200 if written is None else 422)


def _written(row: Refusal) -> str:
    """Write the message as it may be fixed."""
    if row.message is None:
        return str(row.text)
    if len(row.raw) > LARGEST_MENDED:
        return row.raw.decode(errors="replace")
    written = json.dumps(row.message, indent=2, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(row.message, indent=2)
    return written
