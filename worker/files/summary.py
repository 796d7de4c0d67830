"""The facts of the closing table: what was in the file and its results, in bounded memory."""

import os
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson

from models.counted import counted
from models.input_check import shown
from worker.files.columns.header import Columns
from worker.files.corrections import ClosedByFile
from worker.files.not_people import LeftOut
from worker.files.rows import FileRecord, RejectedRow
from worker.files.stays.shared_addresses import SharedTally
from worker.intake.receipts import Receipt
from worker.queries.rows import as_said

FIRST: Final = 5
"""Reasons shown."""
MOST_GROUPS: Final = 1000
"""Events and states counted apart; the records of any more are counted together."""
RETRIED: Final = ("failed", "unconfirmed")
"""Outcomes that sending again may help; what was rejected would be rejected again."""


@dataclass(slots=True)
class FileFacts:
    """What was read. Every row of data is a record's, refused or left out: none is unaccounted for."""

    kind: str = ""
    encoding: str = ""
    header_line: int = 0
    notes: list[str] = field(default_factory=list)
    """What the file settled itself, such as the order of its dates."""
    columns: dict[str, str] = field(default_factory=dict)
    """A column's title and what it was read as."""
    unread: list[str] = field(default_factory=list)
    """Titles of the columns that nothing was read from."""
    rows: int = 0
    """Rows of data (JSON Lines: inputs); a title between two tables is none."""
    gathered: int = 0
    """Of these, rows that were gathered to one record for each person and occurrence."""
    people: int = 0
    """Into how many records, those that were refused included."""
    most_rows: tuple[int, str] = (0, "")
    """The most rows that became one record, and whose."""
    shared: int = 0
    """Addresses under which different people stand."""
    records: int = 0
    refused: int = 0
    """Records' worth: a person whose rows were gathered is refused once."""
    reasons: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows left out, by the reason."""
    take_in: dict[str, str] = field(default_factory=dict)
    """The option that sends them too, by the reason; some have none."""
    days_only: int = 0
    """Times of which only the day was written: its first moment in the time zone was taken."""
    groups: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Records by account, event and state, each as the retry command names it."""
    ungrouped: int = 0
    sample: dict[str, object] = field(default_factory=dict)
    """The first record, as HubSpot will get it."""

    def saw_header(self, line: int, columns: Columns) -> None:
        """Note which columns are read and which are not."""
        self.header_line = self.header_line or line
        named = [(what.value, places) for what, places in columns.fields.items()]
        named += [(f"contactProperties.{name}", places) for name, places in columns.properties.items()]
        for what, places in named:
            for place in places:
                self.columns.setdefault(columns.titles[place].strip() or columns.name(place), what)
        self.unread += (title for title in columns.unread if title not in self.unread)

    def saw_person(self, contact: str, rows: int) -> None:
        """Count the rows of a person that were gathered."""
        self.gathered += rows
        self.people += 1
        if rows > self.most_rows[0]:
            self.most_rows = (rows, contact)

    def saw_shared(self, tally: SharedTally) -> None:
        """Note how many addresses different people share."""
        self.shared = tally.addresses

    def saw(self, item: FileRecord | RejectedRow | LeftOut) -> None:
        """Count what came out of the file."""
        match item:
            case FileRecord():
                self.records += 1
                self.sample = self.sample or item.candidate.input
                group = (item.account, str(item.address), item.state.value)
                if group in self.groups or len(self.groups) < MOST_GROUPS:
                    self.groups[group] += 1
                else:
                    self.ungrouped += 1
            case RejectedRow():
                self.refused += 1
                if len(self.reasons) < FIRST:
                    self.reasons.append("; ".join(map(str, item.reasons)))
            case LeftOut():
                self._leave_out(item)

    def _leave_out(self, item: LeftOut) -> None:
        why = item.why if item.why in self.left_out or len(self.left_out) < MOST_GROUPS else "for further reasons"
        self.left_out[why] += 1
        if item.option and why == item.why:
            self.take_in[why] = item.option


@dataclass(frozen=True, slots=True)
class FileResult:
    """What a file came to where it was sent, and the file of its refused rows."""

    submission: UUID | None = None
    receipt: Receipt | None = None
    refused_file: Path | None = None
    corrected: ClosedByFile | None = None
    """What it closed, where it is a corrected file."""


def summary(facts: FileFacts, came_to: FileResult) -> dict[str, object]:
    """Give the closing table's facts as one JSON object; what only the receipt knows is null where there is none."""
    submission, receipt, refused_file = came_to.submission, came_to.receipt, came_to.refused_file
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
        "refused_file": _utf8(refused_file) if refused_file else None,
        "shared_addresses": facts.shared,
        "left_out": dict(facts.left_out),
        "left_out_options": facts.take_in,
        "days_only": facts.days_only,
        "columns": facts.columns,
        "columns_not_read": facts.unread,
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


def table(facts: FileFacts, came_to: FileResult, again: str) -> Iterator[tuple[str, str]]:
    """Give the closing table's lines as label and text; `again` submits the refused rows once they are fixed."""
    submission, receipt = came_to.submission, came_to.receipt
    at = f", header in line {facts.header_line}" if facts.header_line else ""
    yield "file", f"{facts.kind}, {facts.encoding}{at}"
    yield "rows", f"{facts.rows:,}"
    if facts.gathered:
        yield (
            "gathered",
            (
                f"{counted(facts.gathered, 'row')} became {counted(facts.people, 'record')}, one for each person and "
                "occurrence: from the first join to the last leave, interactionDateTime is the first join"
            ),
        )
        rows, contact = facts.most_rows
        yield "", f"most rows of one address: {rows:,} ({shown(contact)})"
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
        yield "columns", ", ".join(f"{title} → {what}" for title, what in facts.columns.items())
    if facts.unread:
        yield "not read", ", ".join(facts.unread)
    if submission is None:
        yield "first record", orjson.dumps(facts.sample).decode() if facts.sample else "none"
        yield "checked", "nothing was sent (--check); duplicates are found when the file is sent"
    else:
        yield "submission", f"{submission} (turnout submission {submission})"


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
    yield (
        "corrected",
        f"{counted(corrected.closed, 'earlier message')} that {_was(corrected.closed)} not accepted: closed",
    )
    if corrected.still_open:
        yield "", f"{as_said(corrected.still_open)} still open, of this file and the one it corrects: turnout refused"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _refused(facts: FileFacts, came_to: FileResult, again: str) -> Iterator[tuple[str, str]]:
    submission, receipt, refused_file = came_to.submission, came_to.receipt, came_to.refused_file
    yield "not accepted", f"{receipt.refused if receipt else facts.refused:,}"
    for reason in facts.reasons:
        yield "", reason
    if facts.refused > len(facts.reasons):
        yield "", f"… and {facts.refused - len(facts.reasons):,} more"
    if receipt is not None and receipt.refused > facts.refused:
        yield "", f"{receipt.refused - facts.refused:,} when they were accepted: turnout submission {submission}"
    if refused_file:
        yield "", f"these rows are in {refused_file}: fix them there, then submit that file:"
        yield "", again
