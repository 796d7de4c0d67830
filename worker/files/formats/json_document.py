"""JSON of any shape that holds people: HubSpot's inputs as lines, a tool's own objects as rows under field names.

An object in a list is a row; so is an object in a list within it (a person's joins), beside what stands around it.
Fields are named by their last part (`profile.email` is `email`), unless two have the same.
"""

import codecs
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

import ijson
import orjson

from models.input_check import FIELDS, shown
from worker.files.columns.known_titles import TITLES, Field, compact
from worker.files.formats.kept_rows import KeptRows
from worker.files.lines import FileError

Object = dict[str, object]
MOST_FIELDS: Final = 1000
MOST_DEPTH: Final = 8
DEEPEST: Final = 100
"""Levels of a document: a parser keeps each."""
_MORE_PAGES: Final = frozenset(
    {"nextpagetoken", "nextpage", "nextlink", "odatanextlink", "hasmore", "hasmoreitems", "pagecount", "totalpages"}
)
"""Fields of an answer that say that more people are on other pages: by a value, or by a count of several."""
_ITEM: Final = "\0"
"""What stands for a list in the way to a value."""
FIELDS_OF_A_ROW: Final = 3
"""Fewer, and nothing that is known: what lacks everything is told so as an input of HubSpot's."""
_COMINGS: Final = frozenset(TITLES[Field.JOINED] + TITLES[Field.LEFT])
_TIMES: Final = _COMINGS | frozenset(TITLES[Field.REGISTERED] + TITLES[Field.CANCELED])
_ADDRESSES: Final = frozenset(TITLES[Field.EMAIL])
_HUBSPOTS: Final = frozenset(
    {"inputs", "subscriber_state", "external_event_id", "external_account_id", "object_id", "json", "vid"}
) | (FIELDS - {"email"})
"""Fields of a message or an input: an object that has one is HubSpot's, and judged as such."""
_ZOOM: Final = frozenset({"user_email", "join_time"})
_OF_TOOLS: Final = {
    "create_time": "Registration Time",  # Zoom: registrants
    "created": "Registration Time",  # Eventbrite: attendees
    "totalAttendanceInSeconds": "Duration (Seconds)",  # Microsoft Graph: attendanceRecords
    "attendanceTimeInSeconds": "Duration (Seconds)",  # GoToWebinar: attendees
    "durationInSeconds": "Duration (Seconds)",
    "joinDateTime": "Join Time",
    "leaveDateTime": "Leave Time",
    "joinedTime": "Join Time",  # Webex: meetingParticipants
    "leftTime": "Leave Time",
}
"""Fields that the tools' APIs name in words of their own, and the titles of their reports.

Zoom: developers.zoom.us/docs/api (reports, registrants); GoToWebinar: developer.goto.com/GoToWebinarV2; Eventbrite:
eventbrite.com/platform/api (attendees); Microsoft Graph: learn.microsoft.com/graph/api/resources/attendancerecord;
Webex: developer.webex.com/docs/api/v1/meeting-participants.
"""


def is_hubspots(fields: object) -> bool:
    """Say whether an object is a message or an input as HubSpot takes it."""
    return isinstance(fields, dict) and not _HUBSPOTS.isdisjoint(fields)


def is_of_a_tool(fields: object) -> bool:
    """Say whether an object is a row of a tool's report: it names a time as one does, or has more than a contact."""
    if not isinstance(fields, dict):
        return False
    found = next(_rows(fields), {})
    last = {compact(name.rpartition(".")[2]) for name in found}
    is_named = not _TIMES.isdisjoint(last) or bool(last & {compact(name) for name in _OF_TOOLS})
    has_address = not _ADDRESSES.isdisjoint(last) or any("@" in text for text in found.values())
    return is_named or (len(found) >= FIELDS_OF_A_ROW and has_address)


def kept(texts: Iterator[str]) -> BinaryIO:
    """Keep a document in UTF-8, which is what is parsed."""
    file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - its reader closes it
    for text in texts:
        file.write(text.removeprefix("\ufeff").encode())
    return file


def after_mark(source: BinaryIO, start: int) -> int:
    """Give where a document begins behind its byte-order mark."""
    source.seek(start)
    return start + (len(codecs.BOM_UTF8) if source.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0)


def find_people(source: BinaryIO) -> tuple[str, bool]:
    """Look through a document for the one list in it that holds people.

    Gives its path, nothing where none does; and whether the answer says that it is one page of several.

    Raises:
        FileError: where several do, for each may be of another state; where it is nested too deep, or an object has
            one field twice.

    """
    names: list[str] = []
    people: dict[str, None] = {}
    inside = 0
    fields: list[set[str]] = []
    is_part = False
    try:
        for event, value in ijson.basic_parse(source, multiple_values=True):
            if event in {"start_map", "start_array"}:
                if event == "start_map" and not inside and names and names[-1] == _ITEM:
                    inside = len(names)
                names.append(_ITEM if event == "start_array" else "")
                _enter(fields)
            elif event in {"end_map", "end_array"}:
                names.pop()
                fields.pop()
                inside = 0 if len(names) < inside else inside
            elif event == "map_key":
                names[-1] = str(value)
                _see_field(fields[-1], str(value))
            is_part = is_part or (not inside and names != [] and _has_more(names[-1], event, value))
            if inside and event == "string" and "@" in str(value):
                people[".".join("item" if name == _ITEM else name for name in names[:inside])] = None
    except (ijson.JSONError, UnicodeDecodeError):
        return "", False  # told where its objects are read
    if len(people) > 1:
        raise _several([path.replace(".item", "").removesuffix("item") for path in people])
    return next(iter(people), ""), is_part


def _enter(fields: list[set[str]]) -> None:
    fields.append(set())
    if len(fields) > DEEPEST:
        raise FileError("the file", f"is JSON of more than {DEEPEST} levels", "a list of objects")


def _see_field(known: set[str], name: str) -> None:
    if name in known:
        what = f"has an object with two fields “{shown(name)}”"
        raise FileError("the file", what, "each field once: one of the two values would be lost")
    known.add(name)


def _has_more(name: str, event: str, value: object) -> bool:
    """Say whether a field outside of the list says that more people are on other pages."""
    if not value or compact(name) not in _MORE_PAGES or event not in {"string", "boolean", "number"}:
        return False
    return event != "number" or str(value) != "1"


def _several(names: list[str]) -> FileError:
    listed = ", ".join(f"“{shown(name)}”" for name in names[:5])
    return FileError("the file", f"has several lists of people ({listed})", "a file with the list that is meant alone")


def objects(source: BinaryIO, people: str = "") -> Iterator[Object]:
    """Give the objects of a document, one after the other: those of its list of people, or the document itself.

    Raises:
        FileError: where it is not JSON.

    """
    start = source.tell()
    try:
        path = _path(source)
        path = people if path and people else path
        source.seek(start)
        for found in ijson.items(source, path, multiple_values=True, use_float=True):
            for one in found if isinstance(found, list) else [found]:
                yield one if isinstance(one, dict) else {"": one}
    except (ijson.JSONError, UnicodeDecodeError) as error:
        what = f"is JSON that cannot be read ({shown(str(error).strip())})"
        raise FileError("the file", what, "the whole answer of the tool, or one JSON object on each line") from None


def _path(source: BinaryIO) -> str:
    """Find the first list of objects: the people of an answer stand in it, or the document is the list.

    A message of HubSpot's, and an object that has an address itself, is read whole.
    """
    array: str | None = None
    for prefix, event, value in ijson.parse(source, multiple_values=True):
        if event == "start_map" and array is not None:
            return "" if array == "inputs" else prefix
        if event == "string" and "@" in str(value) and compact(prefix) in _ADDRESSES:
            return ""
        array = prefix if event == "start_array" else None
    return ""


def as_rows(found: Iterator[Object]) -> tuple[list[str], KeptRows]:
    """Give the titles of objects that are rows, and the rows."""
    kept, fields = KeptRows(), dict[str, int]()
    for number, one in enumerate(found, 1):
        if one.keys() == {""}:
            kept.add(number, [str(one[""])], "is not a JSON object")
            continue
        for row in _rows(one):
            for name in row:
                if name not in fields and len(fields) < MOST_FIELDS:
                    fields[name] = len(fields)
            cells = [""] * len(fields)
            for name, text in row.items():
                if name in fields:
                    cells[fields[name]] = text
            kept.add(number, cells)
    return _titles(list(fields)), kept


def _titles(fields: list[str]) -> list[str]:
    """Name the columns: as the tool's report does, else by the last part of a field where that is one field's alone."""
    last = [name.rpartition(".")[2] for name in fields]
    own = [short if last.count(short) == 1 else name for name, short in zip(fields, last, strict=True)]
    titles = [_OF_TOOLS.get(name, name) for name in own]
    if set(own) >= _ZOOM:  # whose API counts seconds, and whose report minutes
        titles = ["Duration (Seconds)" if name == "duration" else name for name in titles]
    return [title if titles.count(title) == 1 else name for title, name in zip(titles, own, strict=True)]


def _rows(one: Object, around: dict[str, str] | None = None, depth: int = 0) -> Iterator[dict[str, str]]:
    """Give an object as a row, or a row for each object of the list in it that tells of joins."""
    known = dict(around or {})
    lists: dict[str, list[Object]] = {}
    _flatten(one, "", known, lists)
    inner = next((value for value in lists.values() if _tells_of_joins(value)), None)
    if inner is None and len(lists) == 1 and not any("@" in text for text in known.values()):
        inner = next(iter(lists.values()))
    people = [name for name, value in lists.items() if _has_address(value)]
    if len(people) > 1:
        raise _several(people)
    if inner is None or depth >= MOST_DEPTH:
        yield known
        return
    outer = {name: text for name, text in known.items() if compact(name.rpartition(".")[2]) not in _COMINGS}
    for part in inner:
        yield from _rows(part, outer, depth + 1)


def _flatten(one: Object, before: str, known: dict[str, str], lists: dict[str, list[Object]], depth: int = 0) -> None:
    for name, value in one.items():
        path = f"{before}{name}"
        match value:
            case dict() if depth < MOST_DEPTH:
                _flatten(value, f"{path}.", known, lists, depth + 1)
            case list() if value and all(isinstance(part, dict) for part in value):
                lists[path] = value
            case None:
                known[path] = ""
            case bool():
                known[path] = "true" if value else "false"
            case str():
                known[path] = value
            case dict() | list():
                known[path] = orjson.dumps(value, default=str).decode()
            case _:
                known[path] = str(value)


def _has_address(parts: list[Object]) -> bool:
    return any("@" in text for part in parts[:1] for text in part.values() if isinstance(text, str))


def _tells_of_joins(parts: list[Object]) -> bool:
    return any(compact(name) in _COMINGS for part in parts[:1] for name in part)
