"""A time zone that the file names itself: in a column of its own, or above the header.

It may be that of the times, or where the host or a person lives. So it is used only where `--map "Time Zone=zone"` says
so; where it would give other instants than `--time-zone`, or nothing says which zone is meant, the file is asked about.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from models.input_check import Reason, shown
from models.spoken_zones import read_spoken
from models.zones import abbreviation, meanings, name_of, offset_of, read_zone, zone_in
from worker.files.clocks import Moment, zone_answer
from worker.files.columns.header import OF_TIME, Columns
from worker.files.columns.known_titles import ZONES, Field, compact
from worker.files.columns.map_option import as_option, read_target
from worker.files.event_facts import EventFacts
from worker.files.options import DateOrder, Options
from worker.files.questions import Choice, Question
from worker.files.times import Written, iso, read_time, read_written

SHOWN: Final = 5
MOST_PLACES: Final = 4
"""Places that an abbreviation may mean, as they are offered."""
_LABELLED: Final = re.compile(rf"(.{{0,40}}?(?:{ZONES.pattern}))(\s*:\s*|\s+|\s*=\s*)(\S.*)", re.IGNORECASE)
_ALL_TIMES: Final = re.compile(
    r"\W*((?:all )?times (?:are )?(?:shown |displayed |given )?(?:in|local to))\s+(\S.*)", re.IGNORECASE
)


class ZoneAbove(NamedTuple):
    """A zone above the header, and the title under which it stands there."""

    title: str
    text: str


def zone_above(cells: Sequence[str], before: Sequence[str]) -> ZoneAbove | None:
    """Find a zone in a row above the header: behind its title, beside it, or under it in the row before."""
    for place, cell in enumerate(cells):
        text = cell.strip()
        found = _LABELLED.fullmatch(text)
        if found and (":" in found[2] or _is_zone(found[3])):
            return ZoneAbove(found[1], found[3])
        if found := _ALL_TIMES.fullmatch(text):
            return ZoneAbove(found[1], found[2])
        if text and place < len(before) and ZONES.fullmatch(before[place].strip(": ")):
            return ZoneAbove(before[place].strip().rstrip(":"), text)
        beside = cells[place + 1].strip() if place + 1 < len(cells) else ""
        if ZONES.fullmatch(text.strip(": ")) and beside and _is_zone(beside):
            return ZoneAbove(text.rstrip(":").strip(), beside)
    return None


def zone_of_event(facts: EventFacts) -> ZoneAbove | None:
    """Find the zone that stands behind the time at which the event began or ended."""
    for said in (facts.start_, facts.end_):
        if said is None:
            continue
        for order in (DateOrder.DMY, DateOrder.MDY):
            read = read_written(said.text, order)
            if isinstance(read, Written) and not read.day_only:
                offset = offset_of(read.local.tzinfo, read.local) if read.local.tzinfo else ""
                if zone := read.zone or offset:
                    written = said.text.strip()[-len(zone) :]
                    return ZoneAbove(f"zone of {said.title}", written if written.lower() == zone else zone)
    return None


def zone_of_units(columns: Columns, cells: Sequence[str]) -> ZoneAbove | None:
    """Find the zone in a row below the header that has nothing but zones, each under the title of a time."""
    times = {place for what in OF_TIME for place in columns.fields.get(what, ())}
    filled = [(place, cell.strip()) for place, cell in enumerate(cells) if cell.strip()]
    if not filled or any(place not in times or not zone_in(f"({text.strip('()[]')})") for place, text in filled):
        return None
    return ZoneAbove(f"zone of {columns.name(filled[0][0])}", filled[0][1].strip("()[]"))


@lru_cache(maxsize=256)
def behind(text: str) -> str:
    """Give the zone of a cell as it would stand behind a time: “(GMT-07:00) Pacific Time” is GMT-07:00."""
    if not text:
        return ""
    for word in text.split():
        if "/" in word and not isinstance(read_zone(word.strip("()[],;")), Reason):
            return word.strip("()[],;")
    found = zone_in(text)
    spoken = read_spoken(text.partition("(")[0]) if abbreviation(found) or not found else None
    return name_of(spoken) if isinstance(spoken, tzinfo) else found or text


def is_used(title: str, mapping: tuple[tuple[str, str], ...]) -> bool:
    """Say whether `--map` says that the times are in the zone under this title."""
    return any(compact(name) == compact(title) and read_target(to).what is Field.ZONE for name, to in mapping)


def in_zone_above(options: Options, above: ZoneAbove) -> Options:
    """Give the options with the zone above the header in place of the `--map` that says so: it outlives the lines."""
    known = read_zone(behind(above.text))
    if isinstance(known, Reason) or not is_used(above.title, options.mapping):
        return options
    kept = tuple(pair for pair in options.mapping if compact(pair[0]) != compact(above.title))
    return replace(options, zone=known, zone_as="", mapping=kept)


def _is_zone(text: str) -> bool:
    return bool(zone_in(f"({text})")) or not isinstance(read_zone(text), Reason) or "(" in text


@dataclass(slots=True)
class _Named:
    """The zones under one title that give other instants than what was said."""

    where: str
    title: str
    texts: Counter[str] = field(default_factory=Counter)
    example: str = ""
    readable: bool = True
    local: datetime | None = None
    """A time of the file."""


class WrittenZones:
    """The zones that a file names beside its times."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._named: dict[str, _Named] = {}
        self._last: tuple[Columns, list[str]] | None = None

    def see(self, columns: Columns, cells: list[str], above: ZoneAbove | None) -> None:
        """Note where a row's own zone, or that above the header, is another than the one that was said."""
        for place in columns.asked.get(Field.ZONE, ()):
            if place < len(cells) and (text := cells[place].strip()):
                title = columns.name(place)
                self._compare(columns, cells, text, _Named(f"column “{shown(title)}”", title))
        self._last = (columns, cells)
        self._see(columns, cells, above, "above the header")

    def see_below(self, below: ZoneAbove) -> None:
        """Note where the zone that a line below the table names is another."""
        if self._last is not None:
            self._see(*self._last, below, "below the table")

    def _see(self, columns: Columns, cells: list[str], above: ZoneAbove | None, where: str) -> None:
        answered = above and any(compact(name) == compact(above.title) for name, _ in self._options.mapping)
        if above is not None and not answered:
            self._compare(columns, cells, above.text, _Named(f"“{shown(above.title)}” {where}", above.title))

    def _compare(self, columns: Columns, cells: list[str], zone: str, named: _Named) -> None:
        options = self._options
        for place in sorted({place for what in OF_TIME for place in columns.fields.get(what, ())} - set(columns.zones)):
            text = cells[place].strip() if place < len(cells) else ""
            said = read_time(text, options.zone, options.order, "", options.zone_as) if text else None
            own = read_time(text, options.zone, options.order, behind(zone)) if text else None
            is_unsaid = said is not None and not isinstance(said, Moment) and said.option and options.zone is None
            if said == own or not (isinstance(said, Moment) or is_unsaid):
                continue
            known = self._named.setdefault(named.title, named)
            known.texts[zone] += 1
            if not isinstance(own, Moment):
                known.readable = False
                read = read_written(text, options.order)
                known.local = read.local if isinstance(read, Written) else None
            elif not known.example:
                instead = f", not {iso(said.ms)}" if isinstance(said, Moment) else ""
                known.example = f" “{shown(text)}” would be {iso(own.ms)}{instead}."
            return

    def questions(self) -> Iterator[Question]:
        """Ask in which zone the times are."""
        said = self._options.zone
        for named in self._named.values():
            listed = ", ".join(f"“{shown(text)}” ({count:,})" for text, count in named.texts.most_common(SHOWN))
            more = f", {len(named.texts) - SHOWN:,} more" if len(named.texts) > SHOWN else ""
            other = f"another time zone than --time-zone {name_of(said)}" if said else "a time zone"
            what = f"names {other}: {listed}{more}.{named.example} In which zone are the times of the file?"
            yield Question("--map", named.where, what, tuple(_choices(named, said)), comes_first=True)


def _choices(named: _Named, said: tzinfo | None) -> Iterator[Choice]:
    if named.readable:
        yield Choice(as_option(named.title, Field.ZONE), "in the zone that the file names here")
    elif short := abbreviation(behind(next(iter(named.texts)))):
        local = named.local or datetime(2026, 1, 15)  # noqa: DTZ001 - of no zone
        for one in (meanings(short, local) or ("", []))[1][:MOST_PLACES]:
            yield Choice(f"--time-zone={zone_answer(short, one, local)}", f"{short} as in {one}")
    if said is None:
        yield Choice("--time-zone CITY", "in another: a city such as Berlin", assumed="--time-zone UTC")
    else:
        means = f"in {name_of(said)}; this tells of something else, such as where a person lives"
        yield Choice(as_option(named.title, Field.IGNORE), means)
