"""What a report says of its event beside the table of people: its name, its id, its day, when it began and ended.

Tools write it above the table, either as titles with the values under them (Zoom, Meet, GoToWebinar) or as a title with
its value beside it (Teams, Webex); a workbook may have it in another sheet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from models.input_check import shown
from worker.files.columns.known_titles import compact
from worker.files.csv_rows import CsvRow
from worker.files.durations import read_duration
from worker.files.options import DateOrder
from worker.files.times import Written, local_in, on_day, read_written

_NAMES: Final = (
    "topic", "webinarname", "meetingtitle", "meetingname", "eventname", "eventtitle", "webinartitle", "title",
    "sessionname", "meetingtopic", "webinartopic", "thema", "besprechungstitel", "sujet", "titredelareunion", "tema",
    "titulodelareunion", "topico", "titulodareuniao", "argomento", "titolodellariunione", "onderwerp",
    "titelvandevergadering", "attendeereport", "トピック", "会議のタイトル",
)  # fmt: skip
_IDS: Final = (
    "webinarid", "meetingid", "id", "eventid", "webinarkey", "meetingnumber", "besprechungsid", "iddelareunion",
    "iddareuniao", "idriunione", "ミーティングid", "会議id",
)  # fmt: skip
_DAYS: Final = ("date", "meetingdate", "eventdate", "datum", "fecha", "data", "datededebut")
_STARTS: Final = (
    "starttime", "actualstarttime", "actualstartdatetime", "meetingstarttime", "starteddatetime", "start", "started",
    "meetingstart", "scheduledtime", "scheduledstarttime", "startdatetime", "sessionstarttime", "startzeit",
    "startuhrzeit", "heurededebut", "heurededepartdelareunion", "horadeinicio", "horainicial", "oradiinizio",
    "orainizio", "begintijd", "starttijd", "開始時刻", "開始時間",
)  # fmt: skip
_ENDS: Final = (
    "endtime", "actualendtime", "meetingendtime", "end", "ended", "enddatetime", "sessionendtime", "endzeit",
    "enduhrzeit", "heuredefin", "horadefin", "horadefinalizacion", "horafinal", "horadetermino", "horadofim",
    "oradifine", "orafine", "eindtijd", "終了時刻", "終了時間",
)  # fmt: skip
_DURATIONS: Final = (
    "actualdurationminutes", "durationminutes", "meetingduration", "duration", "actualduration", "dauerminuten",
    "dureeminutes", "duracionminutos", "duracaominutos", "durataminuti", "duurminuten",
)  # fmt: skip
_KINDS: Final = {
    title: kind
    for kind, titles in (
        ("name", _NAMES), ("id", _IDS), ("day", _DAYS), ("start", _STARTS), ("end", _ENDS), ("duration", _DURATIONS),
    )
    for title in titles
}  # fmt: skip
TITLES_OF_A_ROW: Final = 2
MOST_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class Said:
    """A value above the table, and where it stands."""

    text: str
    title: str
    line: int

    def __str__(self) -> str:
        """Name where it was read."""
        place = f"line {self.line}, " if self.line else ""
        return f"{place}“{shown(self.title)}”"


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What was found; nothing where the report tells of several occurrences."""

    name: Said | None = None
    id: Said | None = None
    day_: Said | None = None
    start_: Said | None = None
    end_: Said | None = None
    duration: Said | None = None
    is_several: bool = False
    """Whether the report has several starts: which of them is the event's is not known."""

    def day(self, order: DateOrder | None, zone: tzinfo | None) -> tuple[date, Said] | None:
        """Give the event's day in the zone of the file's times; none where it is an instant and the zone not known."""
        for said in (self.day_, self.start_, self.end_):
            known = _local(said, order, zone)
            if known is not None and not known.clock_only and said is not None:
                return known.local.date(), said
        return None

    def start(self, order: DateOrder | None, zone: tzinfo | None) -> tuple[datetime, Said] | None:
        """Give when the event began, in the zone of the file's times."""
        return self._at(self.start_, order, zone)

    def end(self, order: DateOrder | None, zone: tzinfo | None) -> tuple[datetime, Said] | None:
        """Give when it ended: as the report says, or by how long it took."""
        known = self._at(self.end_, order, zone)
        start = self.start(order, zone)
        if known is not None or start is None or self.duration is None:
            return known
        minutes = timedelta(minutes=1) if "min" in compact(self.duration.title) else None
        took = read_duration(self.duration.text, minutes)
        return (start[0] + took, self.duration) if isinstance(took, timedelta) and took else None

    def _at(self, said: Said | None, order: DateOrder | None, zone: tzinfo | None) -> tuple[datetime, Said] | None:
        known = _local(said, order, zone)
        if known is None or known.day_only or said is None:
            return None
        if not known.clock_only:
            return known.local, said
        on = self.day(order, zone)
        return (on_day(known, on[0]), said) if on else None


def read_facts(rows: Sequence[CsvRow]) -> EventFacts:
    """Read what stands above a table."""
    found: dict[str, list[Said]] = {}
    for kind, said in _said(rows):
        known = found.setdefault(kind, [])
        if all(other.text != said.text for other in known):
            known.append(said)
    several = len(found.get("start", ())) > 1 or len(found.get("day", ())) > 1
    one = {kind: values[0] for kind, values in found.items() if len(values) == 1 or kind in {"name", "id"}}
    if several:
        return EventFacts(one.get("name"), one.get("id"), is_several=True)
    get = one.get
    return EventFacts(get("name"), get("id"), get("day"), get("start"), get("end"), get("duration"))


def begins_report(row: CsvRow) -> bool:
    """Say whether a row without an address has a title for the name or the id of an event."""
    if row.has_at:
        return False
    return any(_KINDS.get(compact(cell.partition(":")[0])) in {"name", "id"} for cell in row.cells)


def report_of(rows: Sequence[CsvRow]) -> str:
    """Name the event that the rows above a table tell of, by its name and its id; nothing where they name none."""
    facts = read_facts(rows)
    return " ".join(said.text for said in (facts.name, facts.id) if said is not None)


def _said(rows: Sequence[CsvRow]) -> Iterator[tuple[str, Said]]:
    titles: list[str] = []
    for row in rows:
        kinds = [_KINDS.get(compact(cell)) for cell in row.cells]
        filled = sum(1 for cell in row.cells if cell.strip())
        if sum(1 for kind in kinds if kind) >= TITLES_OF_A_ROW:
            titles = row.cells
        elif titles and filled > 1:
            for title, cell in zip(titles, row.cells, strict=False):
                if (kind := _KINDS.get(compact(title))) and cell.strip():
                    yield kind, Said(cell.strip(), title.strip(), row.line)
        else:
            titles = []
            yield from _beside(row, kinds)


def _beside(row: CsvRow, kinds: list[str | None]) -> Iterator[tuple[str, Said]]:
    """Read a title with its value beside it, or behind a colon."""
    for place, (cell, kind) in enumerate(zip(row.cells, kinds, strict=True)):
        following = (text.strip() for text in row.cells[place + 1 :])
        if kind and (text := next((text for text in following if text), "")):
            yield kind, Said(text, cell.strip(" :"), row.line)
            return
        title, colon, value = cell.partition(":")
        if colon and value.strip() and (behind := _KINDS.get(compact(title))):
            yield behind, Said(value.strip(), title.strip(), row.line)


def _local(said: Said | None, order: DateOrder | None, zone: tzinfo | None) -> Written | None:
    if said is None:
        return None
    read = read_written(said.text, order)
    return local_in(read, zone) if isinstance(read, Written) else None
