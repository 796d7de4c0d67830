"""A header, recognised: which column holds what, whose address it is, and which columns decide who counts."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from models.preflight import shown
from models.words import State
from worker.files import repeated
from worker.files.deciding import Deciding, Kind, deciding, title_words
from worker.files.lines import FileError
from worker.files.mapping import SECTION, mapped, places_named
from worker.files.names import ASKED, OURS, PROPERTIES, TITLES, WEAK, Field, compact
from worker.files.options import Options, find_zone
from worker.files.roles import Role, role_of
from worker.files.standings import Standing

REFUSED: Final = ("reason", "line")
"""The first two columns of a file of refused rows; handed in again, they are passed over."""

TIMES: Final[dict[State, Field]] = {
    State.REGISTER: Field.REGISTERED,
    State.ATTEND: Field.JOINED,
    State.CANCEL: Field.CANCELED,
}
"""The field whose time a state takes; `interactionDateTime` serves each."""

_FIELDS: Final = {title: (field, rank) for field, titles in TITLES.items() for rank, title in enumerate(titles)}
_WEAK: Final = {title: (field, 100 + rank) for field, titles in WEAK.items() for rank, title in enumerate(titles)}
_ASKED: Final = {title: field for field, titles in ASKED.items() for title in titles}
_PROPERTIES: Final = {title: (name, rank) for name, titles in PROPERTIES.items() for rank, title in enumerate(titles)}
_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_SHOWN_AS: Final = {Kind.ROLE: Field.ROLE, Kind.STAFF: Field.ROLE, Kind.TICKET: Field.ROLE, Kind.ATTENDED: Field.ATTENDED}
"""The field under which a deciding column is listed; any other is a status."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what, and in which time zone where its title says so."""

    titles: tuple[str, ...]
    fields: dict[Field, tuple[int, ...]]
    properties: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    zones: dict[int, str] = field(default_factory=dict)
    deciding: dict[int, Kind] = field(default_factory=dict)
    """The columns that decide who counts."""
    probable: dict[int, Kind] = field(default_factory=dict)
    """Columns that decide who counts if their values say so."""
    answers: dict[int, dict[str, Standing]] = field(default_factory=dict)
    """What `--map` says of a column's values."""
    hosts: tuple[int, ...] = ()
    """Columns that name the host: a row under the host's own address is the host's."""
    rivals: dict[Field, tuple[int, ...]] = field(default_factory=dict)
    """Columns of which only one can be meant, and the titles do not say which."""
    asked: dict[Field, tuple[int, ...]] = field(default_factory=dict)
    """Columns that may hold a field, and are read only where `--map` says so."""

    def title(self, what: Field) -> str:
        """Give the title of the column that is read first for a field, else the field's own name."""
        places = self.fields.get(what)
        return self.titles[places[0]].strip() if places else what.value

    def name(self, place: int) -> str:
        """Name a column as `--map` does: by its title, and where several have it by which of them it is."""
        title = self.titles[place].strip()
        same = [index for index, other in enumerate(self.titles) if compact(other) == compact(title)]
        return title if len(same) == 1 else f"{title}#{same.index(place) + 1}"

    def missing(self, state: State | None) -> str | None:
        """Say what a row would need and this header lacks; nothing where rows can be read."""
        if Field.JSON in self.fields:
            return None
        if Field.EMAIL not in self.fields and Field.VID not in self.fields:
            return "no column with an e-mail address" + self._not_taken()
        wanted = {TIMES[state]} if state else set(TIMES.values())
        if (wanted | {Field.TIME, Field.DATE}).isdisjoint(self.fields):
            verb = {None: "anything happened", State.REGISTER: "they registered", State.ATTEND: "they joined"}
            return f"no column that says when {verb.get(state, 'they cancelled')}"
        return None

    def _not_taken(self) -> str:
        """Name the columns that may be meant: another person's address, a sign-in name, another tool's id."""
        there = [self.titles[place].strip() for what in (Field.EMAIL, Field.VID) for place in self.asked.get(what, ())]
        there += [title for title in self.unread if title not in there and _MAIL.search(compact(title))]
        named = ", ".join(f"“{shown(title)}”" for title in there)
        return f" of the attendee ({named} may be somebody else's, or another tool's name or id)" if named else ""

    @property
    def known(self) -> int:
        """Count the columns that are read."""
        return sum(map(len, self.fields.values())) + sum(map(len, self.properties.values()))


_MAIL: Final = re.compile(r"e?mail|courriel|correo")


def recognise(cells: Sequence[str], options: Options, promoted: frozenset[str] = frozenset()) -> Columns:
    """Read a row as a header; what is no known title is left unread.

    `promoted` holds the titles, compact, of probable columns whose values have been found to decide.
    """
    fields: defaultdict[Field, repeated.Ranked] = defaultdict(list)
    properties: defaultdict[str, repeated.Ranked] = defaultdict(list)
    unread: list[int] = []
    decide: dict[int, Kind] = {}
    probable: dict[int, Kind] = {}
    start = len(REFUSED) if tuple(compact(cell) for cell in cells[:2]) == REFUSED else 0
    targets = mapped(cells, options.mapping, start)
    block = repeated.meeting(cells) - set(targets)
    for place, cell in enumerate(cells[start:], start):
        target = targets.get(place)
        what, rank = (target.what, target.rank) if target else _meaning(cell, options.state)
        if place in block:
            what = None
        elif announced := _announced(cell, what, mapped=target is not None):
            if announced.sure or compact(cell) in promoted:
                decide[place] = announced.kind
                what = what or _SHOWN_AS.get(announced.kind, Field.STATUS)
            else:
                probable[place] = announced.kind
        if isinstance(what, Field):
            if what is not Field.IGNORE:
                fields[what].append((rank, place))
        elif what:
            properties[what].append((rank, place))
        elif cell.strip():
            unread.append(place)
    person, unclear = repeated.whose(sorted(fields[Field.EMAIL])) if Field.EMAIL in fields else ((), ())
    places, rivals = {Field.EMAIL: person} if person else {}, {Field.EMAIL: unclear} if unclear else {}
    for what, found in fields.items():
        if what is Field.EMAIL:
            unread += (place for _, place in found if place not in person and place not in unclear)
        else:
            places[what], among = repeated.twice(cells, sorted(found), person)
            rivals |= {what: among} if among else {}
    kept = {name: repeated.twice(cells, sorted(found), person) for name, found in properties.items()}
    addresses = {place for place, cell in enumerate(cells) if is_host_address(cell)} | {p for p in block if is_address(cells[p])}
    return Columns(
        tuple(cells),
        places,
        {name: read for name, (columns, among) in kept.items() if (read := tuple(p for p in columns if p not in among))},
        tuple(cells[place].strip() for place in sorted(unread)),
        {place: zone for place, cell in enumerate(cells[start:], start) if (zone := _zone_in(cell))},
        decide,
        probable,
        {place: target.answers for place, target in targets.items() if target.answers},
        tuple(sorted(addresses - set(person))),
        rivals,
        _asked(cells, unread),
    )


def check_mapping(columns: Columns, options: Options, *others: Columns) -> None:
    """Refuse a `--map` that names a column which is not there, in this table or the others of the file."""
    for title, target in options.mapping:
        if compact(title) != SECTION and not any(places_named(table.titles, title) for table in (columns, *others)):
            there = ", ".join(shown(title.strip()) for title in columns.titles if title.strip())
            raise FileError("--map", f"the file has no column “{shown(title)}={target}”", f"one of {there}")


@lru_cache(maxsize=1024)
def _meaning(title: str, state: State | None) -> tuple[Field | str | None, int]:
    """Give what a title means and how it ranks among others that mean the same."""
    if (ours := OURS.get(title.strip())) is not None:
        return ours, 0
    for text in (compact(title), compact(_BRACKETS.sub("", title))):
        if text in _FIELDS:
            return _FIELDS[text]
        if text in _PROPERTIES:
            return _PROPERTIES[text]
        if text in _WEAK and state is None:
            return _WEAK[text]
    return None, 0


def _announced(title: str, what: Field | str | None, *, mapped: bool) -> Deciding | None:
    """Say what a column decides, if anything: by its title, or by what `--map` says that it holds."""
    known = deciding(title)
    if mapped:
        kind = {Field.STATUS: Kind.STATUS, Field.ROLE: Kind.ROLE, Field.ATTENDED: Kind.ATTENDED}.get(what)
        fits = known and kind and _SHOWN_AS.get(known.kind, Field.STATUS) is what
        return Deciding(known.kind if known and fits else kind) if kind else None
    return known if what in {None, Field.ATTENDED} else None


def _asked(cells: Sequence[str], unread: list[int]) -> dict[Field, tuple[int, ...]]:
    found = [(_ASKED.get(compact(cells[place])), place) for place in sorted(unread)]
    return {what: tuple(place for other, place in found if other is what) for what in {one for one, _ in found if one}}


def is_host_address(title: str) -> bool:
    """Say whether a column names the host by an address, such as “Host Email” or “E-mail de l'organisateur”."""
    words = title_words(title)
    return len(words) > 1 and is_address(title) and any(role_of(word) is Role.STAFF for word in words)


def is_address(title: str) -> bool:
    """Say whether a title tells of e-mail addresses, anybody's."""
    return _MAIL.search(compact(title)) is not None


def _zone_in(title: str) -> str | None:
    """Find a time zone in a title's brackets, such as “Join Time (UTC)”."""
    found = _BRACKETS.search(title)
    if found is None:
        return None
    text = found[1].strip()
    if text.upper() in {"UTC", "GMT"}:
        return "UTC"
    return text if "/" in text and " " not in text and find_zone(text) else None
