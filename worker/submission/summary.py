"""The closing table: what was in the file and its results, for people and for programs."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Final
from uuid import UUID

from models.counted import counted
from models.input_check import shown
from models.spoken_zones import says
from models.words import State
from worker.files.columns.known_titles import Field
from worker.files.facts import FIRST, FileFacts
from worker.files.options import Options
from worker.files.rows import FileRecord
from worker.intake.receipts import Receipt
from worker.queries.rows import as_said
from worker.submission.corrections import ClosedByFile

RETRIED: Final = ("failed", "unconfirmed")
"""Outcomes that sending again may help; what was rejected would be rejected again."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What a file came to where it was sent, and the file of its refused rows."""

    submission: UUID | None = None
    receipt: Receipt | None = None
    refused_files: tuple[Path, ...] = ()
    """Where its refused rows are: one, or a second one with those that do not fit into a workbook."""
    corrected: ClosedByFile | None = None
    """What it closed, where it is a corrected file."""


def summary(facts: FileFacts, came_to: FileResult) -> dict[str, object]:
    """Give the closing table's facts as one JSON object; what only the receipt knows is null where there is none."""
    submission, receipt = came_to.submission, came_to.receipt
    files = [_utf8(path) for path in came_to.refused_files]
    repeats = receipt.repeats if receipt else {}
    return {
        "submission": str(submission) if submission else None,
        "sent": submission is not None,
        "file": {"kind": facts.kind, "encoding": facts.encoding, "header_line": facts.header_line or None},
        "rows": facts.rows,
        "gathered": facts.gathered,
        "gathered_into": facts.people,
        "most_rows": {"rows": facts.most_rows[0], "contact": facts.most_rows[1]} if facts.gathered else None,
        "records": facts.records,
        "accepted": receipt.accepted if receipt else None,
        "duplicates": receipt.duplicates if receipt else None,
        "repeats": repeats,
        "refused": receipt.refused if receipt else facts.refused,
        "refused_in_file": facts.refused,
        "corrected": asdict(came_to.corrected) if came_to.corrected else None,
        "reasons": facts.reasons,
        "refused_file": files[0] if files else None,
        "refused_files": files,
        "shared_addresses": facts.shared,
        "left_out": dict(facts.left_out),
        "left_out_options": facts.take_in,
        "days_only": facts.days_only,
        "columns": facts.columns,
        "columns_not_read": facts.unread,
        "notes": facts.notes,
        "groups": [
            {"account": account, "event": event, "state": state, "records": count}
            for (account, event, state), count in facts.groups.most_common()
        ],
        "retry": retry_commands(facts, repeats),
        "sample": facts.sample,
    }


def _utf8(path: Path) -> str:
    """Write a path that may hold bytes which are no text, as file systems allow."""
    return os.fsencode(path).decode(errors="backslashreplace")


def retry_commands(facts: FileFacts, repeats: dict[str, int]) -> list[str]:
    """Give the commands that send again what the file named once more and had not arrived; none where all had."""
    outcomes = [outcome for outcome in RETRIED if repeats.get(outcome)]
    if not outcomes:
        return []
    chosen = [] if outcomes == ["failed"] else [part for outcome in outcomes for part in ("--outcome", outcome)]
    return [
        shlex.join(["turnout", "retry", "--event", event, "--state", state, *chosen])
        for _, event, state in list(facts.groups)[:FIRST]
    ]


def table(facts: FileFacts, came_to: FileResult, again: Sequence[str], options: Options) -> Iterator[tuple[str, str]]:
    """Give the closing table's lines as label and text.

    `again` is what stands behind the name of a file of refused rows, to submit it once they are fixed. `options` are
    those with which the file was read, evidence of the file included.
    """
    submission, receipt = came_to.submission, came_to.receipt
    at = f", header in line {facts.header_line}" if facts.header_line else ""
    yield "file", f"{facts.kind}{f', {facts.encoding}' if facts.encoding else ''}{at}"
    yield from _labelled("read as", _read_as(facts, options))
    yield "rows", f"{facts.rows:,}"
    yield from _gathered(facts)
    if facts.shared:
        used = f"{facts.shared:,} {'address is' if facts.shared == 1 else 'addresses are'} used by several people"
        yield "shared", f"{used} (different names, or many at once); HubSpot sees one person in each"
    if facts.days_only:
        yield (
            "days",
            f"{counted(facts.days_only, 'time')} without a time of day: the beginning of the day (00:00) was used",
        )
    yield "records", f"{facts.records:,}{_groups(facts)}"
    if receipt is not None:
        yield "accepted", f"{receipt.accepted:,}"
        yield from _duplicates(facts, receipt)
    yield from _refused(facts, came_to, again)
    yield from _corrected(came_to.corrected)
    for why, count in facts.left_out.items():
        yield "left out", f"{counted(count, 'row')}: {why}"
        if why in facts.take_in:
            yield "", f"to send {'it' if count == 1 else 'them'} too: {facts.take_in[why]}"
    if facts.columns:
        yield "columns", ", ".join(f"{title} → {_plain(what)}" for title, what in facts.columns.items())
    if facts.unread:
        yield "not read", ", ".join(facts.unread)
    if submission is None:
        zone = options.zone or UTC
        yield from _labelled(
            "first records", [*(_told(one, zone) for one in facts.first), "" if facts.first else "none"]
        )
        yield "checked", "nothing was sent (--check); duplicates are found when the file is sent"
    else:
        yield "submission", f"{submission} (turnout submission {submission})"


def _gathered(facts: FileFacts) -> Iterator[tuple[str, str]]:
    rows, contact = facts.most_rows
    if not facts.gathered or rows <= 1:
        return
    became = f"{counted(facts.gathered, 'row')} became {counted(facts.people, 'record')}"
    yield "gathered", f"{became}, one for each person and occurrence: from the first join to the last leave"
    yield "", f"most rows of one address: {rows:,} ({shown(contact)})"


def _plain(field: str) -> str:
    """Name what a column holds as `--map` takes it, without HubSpot's own words."""
    own = {Field.JOINED.value: "joined", Field.LEFT.value: "left"}
    return own.get(field, field.replace("contactProperties.", "contact property "))


def _labelled(label: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        if line:
            yield label, line
            label = ""


def _read_as(facts: FileFacts, options: Options) -> Iterator[str]:
    """Say how the file was read: what it settles itself, and what the options mean."""
    yield from facts.notes
    if options.zone is not None:
        yield f"times without a zone are in {says(options.zone)}"
    if options.start is not None and "joinedAt" not in facts.columns.values():
        yield f"nothing says when people joined: each is recorded from {_when(options.start, options)} on"
    if options.end is not None:
        yield f"who has no time of leaving is recorded until {_when(options.end, options)}"


def _when(when: object, options: Options) -> str:
    text = f"{when:%d %B %Y %H:%M}" if isinstance(when, datetime) else f"{when:%H:%M}"
    return text.lstrip("0") if isinstance(when, datetime) or options.day is None else f"{text} on {options.day}"


def _told(record: FileRecord, zone: tzinfo) -> str:
    """Tell of a record as people read it: who, what they did, and when where they are."""
    at = datetime.fromtimestamp(record.candidate.interaction_date_time / 1000, UTC)
    properties = record.candidate.input.get("properties")
    times = properties if isinstance(properties, dict) else {}
    who = record.candidate.contact
    if record.state is not State.ATTEND or "leftAt" not in times:
        return f"{who} {_DID[record.state]} {_local(at, zone)}"
    joined, left = (datetime.fromisoformat(str(times[name])) for name in ("joinedAt", "leftAt"))
    day = "" if joined.astimezone(zone).date() == left.astimezone(zone).date() else " the next day"
    return f"{who} joined {_local(joined, zone)}, left {left.astimezone(zone):%H:%M}{day} ({_length(left - joined)})"


_DID: Final = {State.ATTEND: "joined", State.REGISTER: "registered", State.CANCEL: "cancelled"}


def _local(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d %B %Y %H:%M}".lstrip("0")


def _length(stay: timedelta) -> str:
    minutes = round(stay.total_seconds() / 60)
    if not minutes:
        return counted(int(stay.total_seconds()), "second")
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004


def _groups(facts: FileFacts) -> str:
    named = [f"{count:,} {state} {event}" for (_, event, state), count in facts.groups.most_common(FIRST)]
    more = facts.ungrouped + sum(facts.groups.values()) - sum(count for _, count in facts.groups.most_common(FIRST))
    named += [f"{more:,} of more events"] if more else []
    return f" ({', '.join(named)})" if named else ""


def _duplicates(facts: FileFacts, receipt: Receipt) -> Iterator[tuple[str, str]]:
    repeated = {outcome: count for outcome, count in receipt.repeats.items() if count}
    are = ", ".join(f"{count:,} {outcome}" for outcome, count in repeated.items())
    if list(repeated.values()) == [receipt.duplicates]:
        are = f"that are {next(iter(repeated))}"
    yield "duplicates", f"{receipt.duplicates:,}" + (f" (of records {are})" if are else "")
    for command in retry_commands(facts, receipt.repeats):
        yield "", f"those not delivered are sent again by: {command}"


def _corrected(corrected: ClosedByFile | None) -> Iterator[tuple[str, str]]:
    if corrected is None:
        return
    earlier = counted(corrected.closed, "earlier message")
    yield "corrected", f"{earlier} that {_was(corrected.closed)} not accepted: replaced by this file"
    if corrected.still_open:
        yield "", f"{as_said(corrected.still_open)} still open, of this file and the one it corrects: turnout refused"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _refused(facts: FileFacts, came_to: FileResult, again: Sequence[str]) -> Iterator[tuple[str, str]]:
    submission, receipt = came_to.submission, came_to.receipt
    yield "not accepted", f"{receipt.refused if receipt else facts.refused:,}"
    for reason in facts.reasons:
        yield "", reason
    if facts.refused > len(facts.reasons):
        yield "", f"… and {facts.refused - len(facts.reasons):,} more"
    if receipt is not None and receipt.refused > facts.refused:
        yield "", f"{receipt.refused - facts.refused:,} when they were accepted: turnout submission {submission}"
    for path in came_to.refused_files:
        yield "", f"these rows are in {path}: fix them there, then submit that file:"
        yield "", shlex.join(["turnout", "enqueue", str(path), *again])
