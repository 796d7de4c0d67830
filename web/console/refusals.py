"""What was not accepted: by what is wrong, one by one, and fixed in a table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from models.input_check import Reason
from models.message import Json, loads
from models.words import Action, Closing, Role
from web.console import fix_table
from web.console.base import ConsoleRequest, Page, PageError, Redirect
from web.console.fix_table import LARGEST, ROOM
from web.console.params import uuid_of
from worker.accounts import registry
from worker.files.source import Source
from worker.operations.audit_log import noted
from worker.operations.replay import Closer, keep_draft, replay_fixed
from worker.queries.refusal_groups import grouped
from worker.queries.refusals import Refusal, RefusalFilter, ended, listed, waiting

PAGE: Final = 50
GROUPS: Final = 50
IN_A_FILE: Final = (
    "turnout refused --submission {} --out fix.jsonl\nfix the file, then: turnout refused retry --from fix.jsonl"
)
SHOWN: Final = 20_000
"""Letters of a message too large to be fixed here."""


def refused(visit: ConsoleRequest) -> Page:
    """List what is open, the newest first; above it, where nothing else is asked for, by what is wrong."""
    submission = visit.asked("submission")
    number = None if submission is None else uuid_of(submission)
    if submission is not None and number is None:
        raise PageError(400, f"There is no submission {submission[:100]}", "Expected a submission's id, a UUID.")
    filters = {"account": visit.asked("account"), "submission": submission, "group": visit.asked("group")}
    engine, before = visit.process.engine, visit.before()
    chosen = RefusalFilter(None, number, filters["account"], filters["group"])
    rows, more = listed(engine, chosen, before, PAGE)
    groups = [] if chosen.written or before else grouped(engine, GROUPS)
    accounts = [account.name for account in registry.listed(engine, visit.process.settings)]
    paging = {"before": before, "more": more, "is_full": len(rows) == PAGE}
    return Page("refusals.html", {"rows": rows, "filters": filters, "groups": groups, "accounts": accounts, **paging})


def refusal(visit: ConsoleRequest) -> Page:
    """Show one refusal: what is wrong at each field, to be fixed there."""
    row = _find(visit)
    facts: dict[str, Any] = {"row": replace(row, source=None, draft=None), "reasons": row.reasons, "base": ""}
    if visit.user.role is not Role.OPERATOR:
        return Page("refusal.html", {**facts, "kind": "raw"})
    draft = {} if visit.asked("original") else row.draft or {}
    reasons = [Reason(**one) for one in draft.get("reasons", row.reasons)]
    table = None if visit.asked("raw") else _table(row, draft, reasons)
    written = draft["text"] if "text" in draft else _written(row)
    size = len(written)
    if size <= LARGEST:
        size = fix_table.size_of(written)
    return Page(
        "refusal.html",
        {
            **facts,
            "table": table,
            "kind": "raw" if table is None else "rows" if not table.around else "inputs",
            "reasons": reasons if table is None else table.rest,
            "original": written if size <= LARGEST else written[:SHOWN],
            "is_too_large": table is None and size > LARGEST - ROOM,
            "base": "draft" if draft else "",  # what the form was filled with
            "largest": LARGEST,
            "in_a_file": IN_A_FILE.format(row.submission),
        },
    )


def _table(row: Refusal, draft: Mapping[str, Any], reasons: Sequence[Reason]) -> fix_table.FixTable | None:
    """Give the table in which it is fixed; none where it is fixed as text."""
    source = _source(row, draft)
    if source is not None and "text" not in draft:
        return fix_table.of_rows(source, reasons, draft.get("out", ()))
    if row.source is not None:
        reasons = [replace(one, where=_in_message(one.where)) for one in reasons]
    return fix_table.of_message(_message(row, draft), reasons)


def _message(row: Refusal, draft: Mapping[str, Any]) -> Json | None:
    """Give the message that is fixed: the draft's, where there is one."""
    return _loaded(draft["text"]) if "text" in draft else row.message


def _source(row: Refusal, draft: Mapping[str, Any]) -> Source | None:
    """Give the rows of a file that are fixed as such: a line of JSON is a message."""
    source = None if row.source is None else Source.read(row.source)
    if source is None or source.is_json or source.more or not source.rows:
        return None
    return source.with_rows(draft["rows"]) if "rows" in draft else source


def _in_message(where: str) -> str:
    """Name a place in a line of JSON as a place in its message."""
    line, comma, path = where.partition(", ")
    if not line.startswith("line "):
        return where
    known = path.startswith("inputs") or path in fix_table.AROUND
    return path if known else f"inputs[0].{path}" if comma else "inputs[0]"


def fix(visit: ConsoleRequest, form: Mapping[str, str]) -> Redirect:
    """Submit a refusal again as it was fixed; what is still not accepted is kept, and shown again as it was written."""
    row = _find(visit)
    fixed, draft = _read(row, form)
    process = visit.process
    with noted(process.engine, visit.by, Action.REPLAY, ids=[row.id]) as action:
        done = replay_fixed(process.engine, process.rules, fixed, Closer(visit.by.who))
        action.number = int(not done.reasons)
    if done.reasons:
        keep_draft(process.engine, row.id, {**draft, "reasons": [reason.written for reason in done.reasons]})
        return Redirect("", f"/refused/{row.id}")
    said = (
        f"message {row.id} is submitted again: accepted {done.accepted:,}, duplicates {done.duplicates:,},"
        f" not accepted {done.refused:,}"
    )
    return Redirect(said, f"/submission/{row.submission}")


def _read(row: Refusal, form: Mapping[str, str]) -> tuple[Refusal, dict[str, object]]:
    """Read the form: the refusal as it was fixed, and what of it is kept as a draft."""
    draft = (row.draft or {}) if form.get("base") == "draft" else {}
    source = _source(row, draft)
    message = _message(row, draft)
    if form.get("kind") == "rows" and source is not None:
        every, out = fix_table.rows_of(source, form)
        kept = [(line, cells) for line, cells in every.rows if line not in out]
        return replace(row, source=every.with_rows(kept).written), {"rows": every.written["rows"], "out": out}
    if form.get("kind") == "inputs" and message is not None and fix_table.of_message(message, ()) is not None:
        message = fix_table.message_of(message, form)
        text = json.dumps(message, indent=2)
    else:
        text = form.get("message", "").replace("\0", "")
        message = _loaded(text)
    if message is not None and message == row.message:
        return row, {"text": text}  # as it was: it stays what its rows make of it
    return replace(row, raw=text.encode(errors="replace"), source=None), {"text": text}


def _loaded(text: str) -> Json | None:
    try:
        message = loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None


def _find(visit: ConsoleRequest) -> Refusal:
    number = visit.number("refusal")
    for row in waiting(visit.process.engine, RefusalFilter(ids=[number])):
        return row
    raise _gone(visit, number)


_WORDS: Final = {Closing.CORRECTED: "corrected by a file, submission", Closing.DISMISSED: "dismissed, because"}


def _gone(visit: ConsoleRequest, number: int) -> PageError:
    title = f"There is no message {number} here"
    over = ended(visit.process.engine, number)
    if over is None:
        return PageError(404, title, "It was erased or purged, or never was.")
    how = _WORDS.get(over.closing or Closing.SUBMITTED, "submitted again")
    by = f" by {over.closed_by}" if over.closed_by else ""
    at = f"{over.closed_at:%Y-%m-%d %H:%M:%S}Z"
    return PageError(404, title, f"It was closed{by} at {at}: {how} {over.closed_because}".rstrip() + ".")


def _written(row: Refusal) -> str:
    """Write the message as it may be fixed."""
    if row.message is None:
        return str(row.text)
    if len(row.raw) > LARGEST:
        return row.raw.decode(errors="replace")
    written = json.dumps(row.message, indent=2, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(row.message, indent=2)
    return written
