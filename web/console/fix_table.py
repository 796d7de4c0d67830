"""A refusal as a table: its rows, or its inputs, each cell with what is wrong with it; and the table read back.

A file's rows are shown as the file has them. Of a message, each input is a row, and what stands around the inputs is
above them. What was not touched stays as it was, to the letter and the type.
"""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

from models.input_check import EARLIEST_MS, LATEST_MS, Reason, shown
from models.message import Json
from worker.files.clocks import Moment
from worker.files.source import Source
from worker.files.times import iso, read_time

MOST_CELLS: Final = 1_000
"""Fields of one form, what stands around the table too; more is fixed as text."""
LARGEST: Final = 1024 * 1024
"""Bytes of the form in which a message is fixed; a larger one is fixed in a file."""
ROOM: Final = 16 * 1024
"""Bytes of the form for what is added while fixing."""
AROUND: Final = ("subscriber_state", "external_event_id", "external_account_id", "object_id", "account")
_PARTS: Final = ("properties", "contactProperties")
_LABELS: Final = {
    "subscriber_state": "what they did: register, attend or cancel",
    "external_event_id": "event (external_event_id)",
    "external_account_id": "the event's external account (external_account_id)",
    "object_id": "event by HubSpot's id (object_id)",
    "account": "account",
    "email": "e-mail address",
    "vid": "HubSpot's contact id (vid)",
    "interactionDateTime": "when (interactionDateTime)",
    "properties.joinedAt": "joined (joinedAt)",
    "properties.leftAt": "left (leftAt)",
}
_LINE: Final = re.compile(r"line (\d+)(?:, (.*))?", re.DOTALL)
_INPUT: Final = re.compile(r"inputs?(?:\[(\d+)\])?(?:\.(.*))?", re.DOTALL)


@dataclass(slots=True)
class Cell:
    """A field to be filled in: the name of its input, its label, its text, and what is wrong with it."""

    name: str
    label: str
    value: str
    faults: list[Reason] = field(default_factory=list)

    @property
    def is_long(self) -> bool:
        """Say whether it needs more than a line."""
        return "\n" in self.value or "\r" in self.value


@dataclass(slots=True)
class FixRow:
    """A row of the table: how it is called, its cells, what is wrong with all of it, and whether it is left out."""

    title: str
    cells: list[Cell]
    out: str = ""
    """The name of the box that leaves it out; nothing where it cannot be."""
    is_out: bool = False
    faults: list[Reason] = field(default_factory=list)


@dataclass(slots=True)
class FixTable:
    """What can be fixed field by field, and the reasons that stand at none of the fields."""

    columns: list[str]
    rows: list[FixRow]
    around: list[Cell]
    rest: list[Reason]

    @property
    def fits(self) -> bool:
        """Say whether its form can be sent: by the number of its fields, and by their size."""
        cells = [*self.around, *(cell for row in self.rows for cell in row.cells)]
        number = len(cells) + sum(bool(row.out) for row in self.rows)
        return number <= MOST_CELLS and sum(map(_size, cells)) <= LARGEST - ROOM


def size_of(text: str) -> int:
    """Give how many bytes of a form a text takes: a browser sends each line break as CR LF."""
    return len(quote_plus(text.replace("\r\n", "\n").replace("\n", "\r\n"), errors="replace"))


def _size(cell: Cell) -> int:
    return size_of(cell.name) + size_of(cell.value) + 2


# A file's rows


def of_rows(source: Source, reasons: Sequence[Reason], out: Sequence[int] = ()) -> FixTable | None:
    """Give the table of a file's rows; none where it would be too large. `out` are the lines that are left out."""
    width = max([len(source.titles), *(len(cells) for _, cells in source.rows)])
    if not source.rows or source.more or len(source.rows) * width > MOST_CELLS:
        return None
    titles = [*source.titles, *[""] * (width - len(source.titles))]
    columns = [title.strip() or f"#{place + 1}" for place, title in enumerate(titles)]
    several = len(source.rows) > 1
    rows = [
        FixRow(
            f"line {line}",
            [
                Cell(f"c{number}.{place}", f"{columns[place]}, line {line}", cells[place] if place < len(cells) else "")
                for place in range(width)
            ],
            f"out{number}" if several else "",
            line in out,
        )
        for number, (line, cells) in enumerate(source.rows)
    ]
    of_line = {line: row for (line, _), row in zip(source.rows, rows, strict=True)}
    rest = []
    for reason in reasons:
        found = _LINE.fullmatch(reason.where)
        row = of_line.get(int(found[1])) if found else None
        if found is None or row is None:
            rest.append(reason)
            continue
        title = found[2] or ""
        place = next((place for place, name in enumerate(titles) if title and shown(name.strip()) == title), None)
        (row.faults if place is None else row.cells[place].faults).append(reason)
    table = FixTable(columns, rows, [], rest)
    return table if table.fits else None


def rows_of(source: Source, form: Mapping[str, str]) -> tuple[Source, list[int]]:
    """Read the table of a file's rows back: all rows, and the lines of those that are left out."""
    rows = []
    out = []
    for number, (line, cells) in enumerate(source.rows):
        width = max(len(source.titles), len(cells))
        known = [*cells, *[""] * (width - len(cells))]
        rows.append((line, [_text(form, f"c{number}.{place}", known[place]) for place in range(width)]))
        if f"out{number}" in form:
            out.append(line)
    return source.with_rows(rows), out


# A message's inputs


def of_message(message: Json | None, reasons: Sequence[Reason]) -> FixTable | None:
    """Give the table of a message's inputs; none where they are not what a table can hold, or it would be too large."""
    inputs = message.get("inputs") if message else None
    if message is None or not isinstance(inputs, list) or not inputs or not all(map(_is_flat, inputs)):
        return None
    paths = _paths(message, inputs)
    if len(inputs) * len(paths) > MOST_CELLS:
        return None
    others = [name for name in message if name not in {*AROUND, "inputs", "submission_id", "part", "producer"}]
    around = {
        name: Cell(f"m.{name}", _LABELS.get(name, name), _shown(message.get(name))) for name in (*AROUND, *others)
    }
    rows = []
    for number, one in enumerate(inputs):
        cells = [Cell(f"i{number}.{path}", f"{_label(path)}, {number + 1}", _value(one, path)) for path in paths]
        rows.append(FixRow(str(number + 1), cells))
    rest = [reason for reason in reasons if not _placed(reason, rows, paths, around)]
    table = FixTable([_label(path) for path in paths], rows, list(around.values()), rest)
    return table if table.fits else None


def message_of(message: Json, form: Mapping[str, str]) -> Json:
    """Read the table of a message's inputs back; what is emptied goes."""
    fixed = deepcopy(message)
    inputs: list[Json] = fixed["inputs"]
    for name, text in form.items():
        kind, _, path = name.partition(".")
        if kind == "m" and path != "inputs":
            _put(fixed, path, text, _shown(message.get(path)))
        elif kind[:1] == "i" and kind[1:].isdecimal() and path and int(kind[1:]) < len(inputs):
            of, known = inputs[int(kind[1:])], _value(message["inputs"][int(kind[1:])], path)
            part, dot, key = path.partition(".")
            if not dot or part not in _PARTS:
                _put(of, path, text, known)
            elif _text({path: text}, path, known) != known:
                if not isinstance(of.get(part), dict):
                    of[part] = {}
                _put(of[part], key, text, known)
    return fixed


def _put(of: Json, name: str, text: str, known: str) -> None:
    """Set a field where its text was changed; a time may be written as one."""
    if _text({name: text}, name, known) == known:
        return
    if not text.strip():
        of.pop(name, None)
        return
    moment = read_time(text.strip()) if name == "interactionDateTime" and not text.strip().isdecimal() else None
    of[name] = moment.ms if isinstance(moment, Moment) and not moment.day_only else text.strip()


def _placed(reason: Reason, rows: Sequence[FixRow], paths: Sequence[str], around: Mapping[str, Cell]) -> bool:
    """Put a reason to its cell, or to its row; say whether it has one.

    Of a message of many inputs only the one that is wrong was kept, while the reason still says which of them it was.
    """
    if reason.where in around:
        around[reason.where].faults.append(reason)
        return True
    found = _INPUT.fullmatch(reason.where)
    if found is None:
        return False
    number = int(found[1] or 0) if len(rows) > 1 else 0
    if number >= len(rows):
        return False
    path = {"properties": "properties.leftAt", "": "email"}.get(found[2] or "", found[2] or "")
    cell = next((cell for cell, one in zip(rows[number].cells, paths, strict=True) if one == path), None)
    (rows[number].faults if cell is None else cell.faults).append(reason)
    return True


def _is_flat(one: object) -> bool:
    """Say whether an input is a row: an object of values, and of two objects of values."""
    return isinstance(one, dict) and all(
        not isinstance(value, dict | list) or (isinstance(value, dict) and name in _PARTS)
        for name, value in one.items()
    )


def _paths(message: Json, inputs: Sequence[Json]) -> list[str]:
    """Name the columns that the inputs need."""
    there: dict[str, None] = {}
    if any("vid" in one for one in inputs):
        there["vid"] = None
    if any("email" in one or "vid" not in one for one in inputs):
        there["email"] = None
    there["interactionDateTime"] = None
    if str(message.get("subscriber_state", "")).lower().startswith("attend"):
        there |= dict.fromkeys(("properties.joinedAt", "properties.leftAt"))
    for one in inputs:
        for name, value in one.items():
            if name in _PARTS and isinstance(value, dict):
                there |= dict.fromkeys(f"{name}.{key}" for key in value)
            elif name not in _PARTS or value is not None:
                there[name] = None
    return list(there)


def _label(path: str) -> str:
    return _LABELS.get(path, path.removeprefix("properties."))


def _value(one: Json, path: str) -> str:
    part, dot, key = path.partition(".")
    if dot and part in _PARTS:
        within = one.get(part)
        return _shown(within.get(key)) if isinstance(within, dict) else ""
    value = one.get(path)
    if path == "interactionDateTime" and type(value) is int and EARLIEST_MS <= value <= LATEST_MS and not value % 1000:
        return iso(value)
    return _shown(value)


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _text(form: Mapping[str, str], name: str, known: str) -> str:
    """Give what was written in a field; a browser writes every line break as CR LF, which is no change."""
    text = form.get(name, known)
    return known if text.replace("\r\n", "\n") == known.replace("\r\n", "\n") else text
