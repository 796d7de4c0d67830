"""A header, recognised: which column holds what, whose address it is, and which columns decide who counts."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from models.input_check import shown
from models.spoken_zones import read_spoken
from models.words import State
from models.zones import name_of, zone_in
from worker.files.columns import repeated
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.hosts_and_attendees import EventRole, role_of
from worker.files.columns.known_titles import ASKED, OURS, PROPERTIES, TITLES, WEAK, ZONES, Field, compact, title_words
from worker.files.columns.map_option import SECTION, mapped, places_named, read_target
from worker.files.columns.status_values import Standing
from worker.files.columns.who_counts import Deciding, deciding
from worker.files.lines import FileError
from worker.files.options import Options

REFUSED: Final = ("reason", "line", "refused")
"""The first columns of a file of refused rows; they are the file's own no more. The last names what a row corrects:
the submission and the number among what was refused of it. An earlier release wrote only the first two."""

TIMES: Final[dict[State, Field]] = {
    State.REGISTER: Field.REGISTERED,
    State.ATTEND: Field.JOINED,
    State.CANCEL: Field.CANCELED,
}
"""The field whose time a state takes; `interactionDateTime` serves each."""

MOST_COLUMNS: Final = 2_000
"""Columns of a table: forms with a column for each question have some hundreds."""
NONE: Final[Mapping[str, DecidingKind]] = MappingProxyType({})
OF_TIME: Final = frozenset({*TIMES.values(), Field.TIME, Field.DATE, Field.LEFT})
"""The fields in whose titles a time zone may stand."""
_FIELDS: Final = {
    compact(title): (field, rank) for field, titles in TITLES.items() for rank, title in enumerate(titles)
}
_WEAK: Final = {title: (field, 100 + rank) for field, titles in WEAK.items() for rank, title in enumerate(titles)}
_ASKED: Final = {title: field for field, titles in ASKED.items() for title in titles}
_PROPERTIES: Final = {title: (name, rank) for name, titles in PROPERTIES.items() for rank, title in enumerate(titles)}
_OF_STAYS: Final = {"starttime": Field.JOINED, "endtime": Field.LEFT}
_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_FIELD_OF: Final = {
    DecidingKind.ROLE: Field.ROLE,
    DecidingKind.STAFF: Field.ROLE,
    DecidingKind.TICKET: Field.ROLE,
    DecidingKind.ATTENDED: Field.ATTENDED,
}
"""The field under which a deciding column is listed; any other is a status."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what, and the time zone that its title names."""

    titles: tuple[str, ...]
    fields: dict[Field, tuple[int, ...]]
    properties: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    zones: dict[int, str] = field(default_factory=dict)
    deciding: dict[int, DecidingKind] = field(default_factory=dict)
    """The columns that decide who counts."""
    probable: dict[int, DecidingKind] = field(default_factory=dict)
    """Columns that decide who counts if their values say so."""
    answers: dict[int, dict[str, Standing]] = field(default_factory=dict)
    """What `--map` says of a column's values."""
    hosts: tuple[int, ...] = ()
    """Columns that name the host: a row under the host's own address is the host's."""
    rivals: dict[Field, tuple[int, ...]] = field(default_factory=dict)
    """Columns of which only one can be meant, and the titles do not say which."""
    asked: dict[Field, tuple[int, ...]] = field(default_factory=dict)
    """Columns that may hold a field, and are read only where `--map` says so."""
    silent: tuple[int, ...] = ()
    """Columns that nothing is read from, those without a title as well."""
    has_start: bool = False
    """Whether it is said when the event began: then who came needs no time of joining."""

    def title(self, what: Field) -> str:
        """Give the title of the column that is read first for a field, else the field's own name."""
        places = self.fields.get(what)
        return self.titles[places[0]].strip() if places else what.value

    def name(self, place: int) -> str:
        """Name a column as `--map` does: by its title, and where several have it by which of them it is."""
        return _names(self.titles)[place]

    def missing(self, state: State | None) -> str | None:
        """Say what a row would need and this header lacks; nothing where rows can be read."""
        if Field.JSON in self.fields:
            return None
        if Field.EMAIL not in self.fields and Field.VID not in self.fields:
            return "no column with an e-mail address" + self._not_taken()
        if state is State.ATTEND and self.has_start:
            return None
        wanted = {TIMES[state]} if state else set(TIMES.values())
        if (wanted | {Field.TIME, Field.DATE}).isdisjoint(self.fields):
            verb = {None: "anything happened", State.REGISTER: "they registered", State.ATTEND: "they joined"}
            return f"no column that says when {verb.get(state, 'they cancelled')}"
        return None

    def wanted(self, state: State | None) -> str:
        """Give what `--map` would have to name for what `missing` misses."""
        if Field.EMAIL not in self.fields and Field.VID not in self.fields:
            return Field.EMAIL.value
        if state is None:
            return "time"
        return "joined" if state is State.ATTEND else TIMES[state].value

    def not_taken(self, cells: Sequence[str]) -> Iterator[tuple[str, Field, str]]:
        """Give what a row has where a contact may be meant and is not taken for one: title, field and text."""
        for what in (Field.EMAIL, Field.VID):
            for place in self.asked.get(what, ()):
                if place < len(cells) and (text := cells[place].strip()):
                    yield self.name(place), what, text

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


def columns_before(titles: Sequence[str]) -> int:
    """Count the columns that stand before the file's own: those of a file of refused rows."""
    return _columns_before(tuple(titles[: len(REFUSED)]))


@lru_cache(maxsize=64)
def _columns_before(first: tuple[str, ...]) -> int:
    return next((count for count in (len(REFUSED), 2) if begins_with(first, REFUSED[:count])), 0)


def begins_with(cells: Sequence[str], titles: Sequence[str]) -> bool:
    """Say whether a row begins with these titles; asked of every row, and the first cell alone says no of most."""
    return len(cells) >= len(titles) and all(map(_is_title, cells, titles))


def _is_title(cell: str, title: str) -> bool:
    return compact(cell) == title


def corrected(titles: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]]) -> tuple[str, ...]:
    """Name what rows of a corrected file correct, as `REFUSED` has it."""
    if columns_before(titles) < len(REFUSED):
        return ()
    place = len(REFUSED) - 1
    named = dict.fromkeys(cells[place].strip() for _, cells in rows if len(cells) > place)
    return tuple(name for name in named if name)


def column_key(titles: Sequence[str], place: int) -> str:
    """Give what tells a column from others, in each table of the file: its title, and which of that title it is."""
    title, number, _ = _numbered(tuple(titles))[place]
    return f"{title}#{number}" if title else f"#{place + 1}"


@lru_cache(maxsize=8)
def _names(titles: tuple[str, ...]) -> tuple[str, ...]:
    named = zip(titles, _numbered(titles), strict=True)
    return tuple(
        f"#{place}" if not plain else title.strip() if same == 1 else f"{title.strip()}#{number}"
        for place, (title, (plain, number, same)) in enumerate(named, 1)
    )


@lru_cache(maxsize=8)
def _numbered(titles: tuple[str, ...]) -> tuple[tuple[str, int, int], ...]:
    """Give each title as titles are compared, which of its kind it is, and how many there are."""
    plain = tuple(map(compact, titles))
    counts = Counter(plain)
    seen: Counter[str] = Counter()
    numbers = []
    for title in plain:
        seen[title] += 1
        numbers.append(seen[title])
    return tuple((title, number, counts[title]) for title, number in zip(plain, numbers, strict=True))


def recognise(cells: Sequence[str], options: Options, promoted: Mapping[str, DecidingKind] = NONE) -> Columns:
    """Read a row as a header; what is no known title is left unread.

    `promoted` holds the columns whose values have been found to decide, by their `column_key`.
    """
    fields: defaultdict[Field, repeated.Ranked] = defaultdict(list)
    properties: defaultdict[str, repeated.Ranked] = defaultdict(list)
    decide: dict[int, DecidingKind] = {}
    probable: dict[int, DecidingKind] = {}
    start = columns_before(cells)
    targets = mapped(cells, options.mapping, start)
    block = repeated.meeting(cells) - set(targets)
    own = [place for place in range(start, len(cells)) if place not in block]
    stays = _own_stays(cells, options.state) if start == 0 else {}
    for place in own:
        target = targets.get(place)
        meant = (stays[place], 0) if place in stays else _meaning(cells[place], options.state)
        what, rank = (target.what, target.rank) if target else meant
        known = announced(cells[place], what, mapped=target is not None)
        key = column_key(cells, place) if promoted else ""
        if known is None and what is None and key in promoted:
            known = Deciding(promoted[key])
        if known is not None:
            reports_roles = known.kind is DecidingKind.ROLE and options.state is State.ATTEND
            decides = known.sure or reports_roles or key in promoted
            (decide if decides else probable)[place] = known.kind
            what = _shown_as(what, known.kind, options, mapped=target is not None) if decides else what
        if isinstance(what, Field):
            fields[what].append((rank, place))
        elif what:
            properties[what].append((rank, place))
    person, unclear = repeated.whose(sorted(fields.pop(Field.EMAIL, [])))
    ignored = {place for _, place in fields.pop(Field.IGNORE, [])}
    each = {what: tuple(p for _, p in sorted(fields.pop(what))) for what in repeated.EACH_IS_READ & fields.keys()}
    singled = {what: repeated.twice(cells, sorted(found), person) for what, found in fields.items()}
    kept = {name: repeated.twice(cells, sorted(found), person) for name, found in properties.items()}
    places = ({Field.EMAIL: person} if person else {}) | each | {what: read for what, (read, _) in singled.items()}
    rivals = {what: among for what, (_, among) in [(Field.EMAIL, (person, unclear)), *singled.items()] if among}
    known_names = {name: tuple(p for p in read if p not in among) for name, (read, among) in kept.items()}
    names = {name: read for name, read in known_names.items() if read}
    read = {place for found in (*places.values(), *rivals.values(), *names.values()) for place in found}
    silent = [p for p in range(start, len(cells)) if p not in read | ignored]
    unread = [p for p in silent if cells[p].strip()]
    hosts = {p for p, cell in enumerate(cells) if (is_address(cell) if p in block else is_host_address(cell))}
    times = {place for what, found in places.items() if what in OF_TIME for place in found}
    return Columns(
        tuple(cells),
        places,
        names,
        tuple(cells[place].strip() for place in unread),
        {place: zone for place in sorted(times) if (zone := zone_in(cells[place]) or _spoken_in(cells[place]))},
        decide,
        probable,
        {place: target.answers for place, target in targets.items() if target.answers},
        tuple(sorted(hosts - set(person))),
        rivals,
        _asked(cells, unread),
        tuple(silent),
        options.start is not None and not {Field.JOINED, Field.TIME, Field.DATE} & places.keys(),
    )


@lru_cache(maxsize=512)
def recognised(cells: tuple[str, ...], options: Options, promoted: tuple[tuple[str, DecidingKind], ...]) -> Columns:
    """Read a row as `recognise` does; a file's first rows are looked at with each delimiter, and after each answer."""
    return recognise(cells, options, dict(promoted))


def _own_stays(cells: Sequence[str], state: State | None) -> dict[int, Field]:
    """Find the start, the end and the length of each person's stay where no title says “join” (Webex)."""
    titles = [compact(cell) for cell in cells]
    known = {_FIELDS[title][0] for title in titles if title in _FIELDS}
    is_of_meeting = not repeated.MEETING.isdisjoint(titles)
    if state not in {None, State.ATTEND} or is_of_meeting or {Field.JOINED, Field.LEFT} & known:
        return {}
    if not {Field.DURATION, Field.MINUTES, Field.SECONDS} & known:
        return {}
    found = {title: titles.index(title) for title in _OF_STAYS if titles.count(title) == 1}
    return {place: _OF_STAYS[title] for title, place in found.items()} if len(found) == len(_OF_STAYS) else {}


def _spoken_in(title: str) -> str:
    """Find the zone that a title names in brackets as people say it: “Join Time [Eastern]”, “(New York)”."""
    text = found[1].strip() if (found := _BRACKETS.search(title)) else ""
    if not text[:1].isupper():
        return ""
    known = (read_spoken(said) for said in (text, f"{text} time"))
    return next((name_of(zone) for zone in known if isinstance(zone, tzinfo)), "")


def _shown_as(what: Field | str | None, kind: DecidingKind, options: Options, *, mapped: bool) -> Field | str:
    """Give the field under which a deciding column stands; a mapped status names the state where no option does."""
    what = what or _FIELD_OF.get(kind, Field.STATUS)
    return Field.STATE if what is Field.STATUS and mapped and options.state is None else what


def has_titles(cells: Sequence[str], options: Options) -> bool:
    """Say whether any cell is a known title or a mapped one: a row of data has none, and needs no closer look."""
    return any(_meaning(cell, None)[0] for cell in cells) or bool(mapped(cells, options.mapping))


def check_mapping(columns: Columns, options: Options, *others: Columns, above: str = "") -> None:
    """Refuse a `--map` that names a column which is not there, in this table, in others of the file, or above them."""
    for title, target in options.mapping:
        elsewhere = compact(title) == SECTION or (above and compact(title) == compact(above))
        # a file of refused rows has no lines above its header
        elsewhere = elsewhere or (columns_before(columns.titles) > 0 and read_target(target).what is Field.ZONE)
        if not elsewhere and not any(places_named(table.titles, title) for table in (columns, *others)):
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


def announced(title: str, what: Field | str | None, *, mapped: bool) -> Deciding | None:
    """Say what a column decides, if anything: by its title, or by what `--map` says that it holds."""
    known = deciding(title)
    if mapped:
        kinds = (DecidingKind.STATUS, DecidingKind.ROLE, DecidingKind.ATTENDED)
        kind = next((kind for kind in kinds if _FIELD_OF.get(kind, Field.STATUS) is what), None)
        fits = known is not None and _FIELD_OF.get(known.kind, Field.STATUS) is what
        return Deciding(known.kind if known and fits else kind) if kind else None
    weak = what is Field.STATE and compact(title) in WEAK[Field.STATE]
    return known if weak or what in {None, Field.ATTENDED} else None


def _asked(cells: Sequence[str], unread: list[int]) -> dict[Field, tuple[int, ...]]:
    found = [(_ASKED.get(compact(cells[place])), place) for place in sorted(unread)]
    found = [(what or _asked_by_a_part(cells[place]), place) for what, place in found]
    return {what: tuple(place for other, place in found if other is what) for what in {one for one, _ in found if one}}


def _asked_by_a_part(title: str) -> Field | None:
    if ZONES.search(title.replace("_", " ")):
        return Field.ZONE
    return Field.EMAIL if compact(title).endswith("upn") else None


def is_host_address(title: str) -> bool:
    """Say whether a column names the host by an address, such as “Host Email” or “E-mail de l'organisateur”."""
    words = title_words(title)
    return len(words) > 1 and is_address(title) and any(role_of(word) is EventRole.STAFF for word in words)


def is_address(title: str) -> bool:
    """Say whether a title tells of e-mail addresses, anybody's."""
    return _MAIL.search(compact(title)) is not None
