"""A time zone that the file names itself: in a column of its own, or above the header.

It may be that of the times, or where the host or a person lives. So it is used only where `--map "Time Zone=zone"` says
so; where it would give other instants than `--time-zone`, or nothing says which zone is meant, the file is asked about.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Final, NamedTuple

from models.input_check import Reason, shown
from models.zones import name_of, read_zone, zone_in
from worker.files.clocks import Moment
from worker.files.columns.header import OF_TIME, Columns
from worker.files.columns.known_titles import ZONES, Field, compact
from worker.files.columns.map_option import as_option, read_target
from worker.files.options import Options
from worker.files.questions import Choice, Question
from worker.files.times import iso, read_time

SHOWN: Final = 5
_LABELLED: Final = re.compile(rf"(.{{0,40}}?(?:{ZONES.pattern}))(\s*:\s*|\s+|\s*=\s*)(\S.*)", re.IGNORECASE)
_ALL_TIMES: Final = re.compile(r"((?:all )?times (?:are )?(?:shown |displayed |given )?in)\s+(\S.*)", re.IGNORECASE)


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


def behind(text: str) -> str:
    """Give the zone of a cell as it would stand behind a time: “(GMT-07:00) Pacific Time” is GMT-07:00."""
    for word in text.split():
        if "/" in word and not isinstance(read_zone(word.strip("()[],;")), Reason):
            return word.strip("()[],;")
    return zone_in(text) or text


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


class WrittenZones:
    """The zones that a file names beside its times."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._named: dict[str, _Named] = {}

    def see(self, columns: Columns, cells: list[str], above: ZoneAbove | None) -> None:
        """Note where a row's own zone, or that above the header, is another than the one that was said."""
        for place in columns.asked.get(Field.ZONE, ()):
            if place < len(cells) and (text := cells[place].strip()):
                title = columns.name(place)
                self._compare(columns, cells, text, _Named(f"column “{shown(title)}”", title))
        answered = above and any(compact(name) == compact(above.title) for name, _ in self._options.mapping)
        if above is not None and not answered:
            self._compare(columns, cells, above.text, _Named(f"“{shown(above.title)}” above the header", above.title))

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
    if said is None:
        yield Choice("--time-zone CITY", "in another: a city such as Berlin", assumed="--time-zone UTC")
    else:
        means = f"in {name_of(said)}; this tells of something else, such as where a person lives"
        yield Choice(as_option(named.title, Field.IGNORE), means)
