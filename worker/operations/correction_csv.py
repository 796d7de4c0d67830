"""The records that are not delivered as a CSV file with their reasons, and the mended file read back."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

from sqlalchemy import Engine, func

from models.advice import Subject, advise
from models.correction import Change
from models.input_check import Reason, shown
from models.tables import Error, Record
from worker.files.clocks import TimeFault
from worker.files.sheet import Sheet, unguarded
from worker.files.times import iso, read_time
from worker.operations import audit_log
from worker.operations.audit_log import Actor
from worker.operations.correct import OldRecord, old_records
from worker.queries.error_filter import Filter, chosen_errors
from worker.queries.errors import OpenError, list_errors

RECORD: Final = "record"
FIXED: Final = ("account", "state")
"""Shown, and not to be changed: a record of another account or state is another record."""
COLUMNS: Final = (RECORD, "reason", *FIXED, "event", "email", "vid", "interactionDateTime")
PROPERTY: Final = "properties."
MOST_PROPERTIES: Final = 200
STEP: Final = 1_000


@dataclass(frozen=True, slots=True)
class Mended:
    """A changed row of the file."""

    line: int
    record_id: int
    change: Change


def write(engine: Engine, by: Actor, chosen: Filter, path: Path) -> int:
    """Write the chosen errors' records, a row each; give how many. The file must not be there yet."""
    with path.open("x", encoding="utf-8", newline="") as file:
        return sum(1 for line in taken_out(engine, by, chosen) if file.write(line)) - 1


def taken_out(engine: Engine, by: Actor, chosen: Filter) -> Iterator[str]:
    """Give the file line by line, and note in the audit log who took how many records out."""
    found = lines(engine, chosen)
    yield next(found)
    yield from audit_log.counting(engine, by, audit_log.EXPORT, found, **chosen.written)


def lines(engine: Engine, chosen: Filter) -> Iterator[str]:
    """Give the file line by line: its header, then the chosen errors' records, a row each."""
    name = func.jsonb_object_keys(Record.input["properties"]).label("name")
    named = chosen_errors(chosen, name).join(Record, Record.id == Error.record_id).distinct().order_by(name)
    with engine.connect() as connection:
        found = connection.execute(named.limit(MOST_PROPERTIES))
        properties = [f"{PROPERTY}{name}" for name in found.scalars()]
    row_of = StringIO(newline="")
    sheet, columns = Sheet(row_of), [*COLUMNS, *properties]
    row_of.write("\ufeff")  # by which spreadsheets know that it is UTF-8
    sheet.add(columns)
    yield _taken(row_of)
    before = None
    while page := list_errors(engine, chosen, STEP, before):
        for row in page:
            written = _cells(row.input, row.event, row.account, row.state)
            written |= {RECORD: str(row.record_id), "reason": _reason(row)}
            sheet.add(written.get(name, "") for name in columns)
            yield _taken(row_of)
        before = page[-1].id


def _taken(written: StringIO) -> str:
    """Take out what was written."""
    line = written.getvalue()
    written.seek(0)
    written.truncate()
    return line


def read(engine: Engine, file: TextIO) -> Iterator[Mended | Reason]:
    """Give the rows whose cells differ from the records as they stand, and what cannot be read; the rest is left alone.

    Raises:
        ValueError: where the file is none that was written here.

    """
    seen: dict[int, int] = {}
    header = file.readline()
    file.seek(0)
    reader = csv.DictReader(file, delimiter=max(",;\t", key=header.count))
    # What has no column, and the columns that a short line lacks, come as no text.
    rows = (
        (reader.line_num, {name: cell for name, cell in row.items() if isinstance(name, str) and isinstance(cell, str)})
        for row in reader
    )
    try:
        if RECORD not in (reader.fieldnames or ()):
            raise ValueError(f"its first line has no column {RECORD}; expected a file of `turnout errors --csv`")
        while few := list(islice(rows, STEP)):
            yield from _changed(engine, few, seen)
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is no CSV ({error}); expected a line as it was taken out") from None


def _changed(
    engine: Engine, rows: Iterable[tuple[int, dict[str, str]]], seen: dict[int, int]
) -> Iterator[Mended | Reason]:
    named: list[tuple[int, int, dict[str, str]]] = []
    for line, row in rows:
        text_ = row.get(RECORD, "").strip()
        if any("\0" in written for one in row.items() for written in one):
            yield Reason(f"line {line}", "holds a NUL, in a cell or in its column's name", "text without it")
        elif not text_.isdecimal() or len(text_) > 18:  # noqa: PLR2004 - a bigint
            yield Reason(
                f"line {line}", f"{shown(text_)!r} is no record's id", "the number that was in the column record"
            )
        elif (record_id := int(text_)) in seen:
            yield Reason(f"line {line}", f"names record {record_id} again, as line {seen[record_id]} did", "each once")
        else:
            seen[record_id] = line
            named.append((line, record_id, row))
    with engine.connect() as connection:
        known = {old.id: old for old in old_records(connection, [record_id for _, record_id, _ in named])}
    for line, record_id, row in named:
        if record_id not in known:
            yield Reason(f"line {line}", f"there is no record {record_id}", "an id that `turnout errors` lists")
            continue
        change = _change(known[record_id], {unguarded(name): unguarded(cell) for name, cell in row.items()})
        if isinstance(change, TimeFault):
            yield Reason(f"line {line}", change.what, change.right)
        elif change:
            yield Mended(line, record_id, change)


def _change(old: OldRecord, given: dict[str, str]) -> Change | TimeFault:
    """Tell what of a row was changed."""
    as_written = cells(old)
    changed = {
        name: cell.strip()
        for name, cell in given.items()
        if name in {*COLUMNS[2:]} | {name for name in given if name.startswith(PROPERTY)}
        and cell.strip() != as_written.get(name, "").strip()
    }
    for name in FIXED:
        if name in changed:
            return TimeFault(
                f"{name} {shown(changed[name])!r} is another", f"{as_written[name]}: another is a new record"
            )
    when = None
    if "interactionDateTime" in changed:
        moment = read_time(changed["interactionDateTime"])
        if isinstance(moment, TimeFault):
            return moment._replace(right=moment.alone)
        when = moment.ms if iso(moment.ms) != as_written["interactionDateTime"] else None
    properties = {name[len(PROPERTY) :]: cell for name, cell in changed.items() if name.startswith(PROPERTY)}
    return Change(changed.get("email"), changed.get("vid"), when, properties, changed.get("event") or None)


def _cells(given: Mapping[str, Any], event: str, account: str, state: str) -> dict[str, str]:
    """Write a record as cells."""
    return {
        "account": account,
        "state": state,
        "event": event,
        "email": str(given.get("email", "")),
        "vid": str(given.get("vid", "")),
        "interactionDateTime": iso(int(given["interactionDateTime"])),
        **{f"{PROPERTY}{name}": str(value) for name, value in given.get("properties", {}).items()},
    }


def cells(old: OldRecord) -> dict[str, str]:
    """Write a record as cells."""
    return _cells(old.input, str(old.address), old.account, old.state)


def _reason(error: OpenError) -> str:
    advice = advise(error.outcome, error.category, error.code, error.message, Subject())
    return f"{error.outcome}: {error.message} ({advice.means})"
