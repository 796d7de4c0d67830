"""A header, recognised: which column holds what."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from models.preflight import shown
from models.words import State
from models.zones import zone_in
from worker.files.lines import FileError
from worker.files.names import CONTACT, PROPERTIES, SHORT, TITLES, WEAK, Field
from worker.files.options import Options

REFUSED: Final = ("reason", "line")
"""The first two columns of a file of refused rows; handed in again, they are passed over."""

TIMES: Final[dict[State, Field]] = {
    State.REGISTER: Field.REGISTERED,
    State.ATTEND: Field.JOINED,
    State.CANCEL: Field.CANCELED,
}
"""The field whose time a state takes; `interactionDateTime` serves each."""

_OF_TIME: Final = frozenset({*TIMES.values(), Field.TIME, Field.DATE, Field.LEFT})
"""The fields in whose titles a time zone may stand."""
_FIELDS: Final = {title: (field, rank) for field, titles in TITLES.items() for rank, title in enumerate(titles)}
_WEAK: Final = {title: (field, 100 + rank) for field, titles in WEAK.items() for rank, title in enumerate(titles)}
_PROPERTIES: Final = {title: (name, rank) for name, titles in PROPERTIES.items() for rank, title in enumerate(titles)}
_TARGETS: Final = {field.value.lower(): field for field in Field} | SHORT
_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what, and the time zone that its title names."""

    titles: tuple[str, ...]
    fields: dict[Field, tuple[int, ...]]
    properties: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    zones: dict[int, str] = field(default_factory=dict)

    def title(self, what: Field) -> str:
        """Give the title of the column that is read first for a field, else the field's own name."""
        places = self.fields.get(what)
        return self.titles[places[0]].strip() if places else what.value

    def missing(self, state: State | None) -> str | None:
        """Say what a row would need and this header lacks; nothing where rows can be read."""
        if Field.JSON in self.fields:
            return None
        if Field.EMAIL not in self.fields and Field.VID not in self.fields:
            return "no column with an e-mail address"
        wanted = {TIMES[state]} if state else set(TIMES.values())
        if (wanted | {Field.TIME, Field.DATE}).isdisjoint(self.fields):
            verb = {None: "anything happened", State.REGISTER: "they registered", State.ATTEND: "they joined"}
            return f"no column that says when {verb.get(state, 'they cancelled')}"
        return None

    @property
    def known(self) -> int:
        """Count the columns that are read."""
        return sum(map(len, self.fields.values())) + sum(map(len, self.properties.values()))


def recognise(cells: Sequence[str], options: Options) -> Columns:
    """Read a row as a header; what is no known title is left unread."""
    fields: defaultdict[Field, list[tuple[int, int]]] = defaultdict(list)
    properties: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    unread: list[str] = []
    zones: dict[int, str] = {}
    mapped = {compact(title): target for title, target in options.mapping}
    said = _said(options)
    ours = tuple(compact(cell) for cell in cells[:2]) == REFUSED
    for place, cell in enumerate(cells):
        if ours and place < len(REFUSED):
            continue
        target = mapped.get(compact(cell))
        what, rank = _meaning(cell, said) if target is None else (_target(target), -1)
        if isinstance(what, Field):
            if what is not Field.IGNORE:
                fields[what].append((rank, place))
        elif what:
            properties[what].append((rank, place))
        elif cell.strip():
            unread.append(cell.strip())
        if what in _OF_TIME and (zone := zone_in(cell)):
            zones[place] = zone
    return Columns(
        tuple(cells),
        {what: tuple(place for _, place in sorted(found)) for what, found in fields.items()},
        {what: tuple(place for _, place in sorted(found)) for what, found in properties.items()},
        tuple(unread),
        zones,
    )


def check_mapping(columns: Columns, options: Options) -> None:
    """Refuse a `--map` that names a column which is not there."""
    titles = {compact(title) for title in columns.titles}
    for title, target in options.mapping:
        if compact(title) not in titles:
            there = ", ".join(shown(title.strip()) for title in columns.titles if title.strip())
            raise FileError("--map", f"the file has no column “{shown(title)}={target}”", f"one of {there}")


def compact(title: str) -> str:
    """Write a title without case, accents, blanks and punctuation."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    return "".join(c for c in plain if c.isalnum())


@lru_cache(maxsize=1024)
def _meaning(title: str, said: frozenset[Field]) -> tuple[Field | str | None, int]:
    """Give what a title means and how it ranks among others that mean the same."""
    if title.strip() == Field.ACCOUNT:  # as a message writes it; other tools write Account
        return Field.ACCOUNT, 0
    for text in (compact(title), compact(_BRACKETS.sub("", title))):
        if text in _FIELDS:
            return _FIELDS[text]
        if text in _PROPERTIES:
            return _PROPERTIES[text]
        if text in _WEAK and _WEAK[text][0] not in said:
            return _WEAK[text]
    return None, 0


def _said(options: Options) -> frozenset[Field]:
    said = {
        Field.STATE: options.state,
        Field.EVENT: options.event or options.object_id,
        Field.ACCOUNT: options.account,
    }
    return frozenset(what for what, value in said.items() if value)


def _target(text: str) -> Field | str:
    if text.lower().startswith(CONTACT.lower()) and len(text) > len(CONTACT):
        return text[len(CONTACT) :]
    if (target := _TARGETS.get(text.lower())) is not None:
        return target
    if text.lower() in PROPERTIES:
        return text.lower()
    targets = ", ".join([*Field, *PROPERTIES])
    raise FileError("--map", f"{shown(text)} is nothing that a column can hold", f"one of {targets}, {CONTACT}…")
