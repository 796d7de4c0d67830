"""Whether a row counts: what its deciding columns, its section and the host's address say, for one state.

A row counts where nothing speaks against it. With `cancel` the cancelled rows count and no others; with `attend` who
only registered does not; a no-show counts for neither registering nor attending.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from models.input_check import Reason, comparable, shown
from models.words import State
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.header import Columns
from worker.files.columns.hosts_and_attendees import EventRole, may_hold_more, role_of, section_of, staff_beside
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.map_option import EMPTY, SECTION, answer_of, as_option, section_answers
from worker.files.columns.status_values import LEAVING, TELLING, Standing, canceled_in, says_yes, standing_of
from worker.files.columns.who_counts import NO_VALUE, NOTHING, meaning
from worker.files.options import Options
from worker.files.people import name_places
from worker.files.signs import Sign, unknown_value

Cells = list[str]
_SAYS_NOTHING: Final = frozenset({None, EventRole.ATTENDEE, Standing.KEPT})


class Against(NamedTuple):
    """Why a row is left out, and the option that takes it in, if there is one."""

    why: str
    option: str = ""


ABSENT: Final = "did not attend"
NOT_CANCELED: Final = "not cancelled"
HOSTS: Final = "--include-hosts"
_ALWAYS: Final = frozenset({Standing.ATTENDED, Standing.KEPT})
_KEPT: Final[dict[State, frozenset[Standing]]] = {
    State.REGISTER: _ALWAYS | {Standing.REGISTERED, Standing.CONFIRMED},
    State.ATTEND: _ALWAYS | {Standing.MOVED},
}
_OF_REGISTERING: Final = frozenset({DecidingKind.ADMISSION, DecidingKind.REPLY, DecidingKind.APPROVED})
"""Kinds that tell how the registration stands: “registered” there says nothing against a time of joining."""
_BEFORE: Final = frozenset({Standing.REGISTERED, Standing.INVITED})
"""What a registration says that speaks against nobody who came, such as a walk-in's “Registered: No”."""
_ABOUT_ATTENDING: Final = frozenset({DecidingKind.ATTENDED, DecidingKind.ABSENT})
_ROLES: Final = frozenset({DecidingKind.ROLE, DecidingKind.STAFF, DecidingKind.TICKET})
EMPTY_SAYS_NOTHING: Final = _ROLES | {
    DecidingKind.PAYMENT,
    DecidingKind.ABSENT,
    DecidingKind.GONE,
    DecidingKind.EXCLUDED,
}
_BEHIND: Final = re.compile(r"[(\[]([^()\[\]]+)[)\]]$")
"""What a tool, or a person, writes behind a name: “Hana Holm (Host)”, “Bob Bly (cancelled)”."""
_ROOMS: Final = ("@resource.calendar.google.com", "@group.calendar.google.com")
"""Domains of meeting rooms and calendars."""


class Judge:
    """Judges the rows of one table."""

    def __init__(
        self, columns: Columns, options: Options, section: str = "", hosts: frozenset[str] = frozenset()
    ) -> None:
        fields = columns.fields
        self._hosts = hosts
        self._include = options.include_hosts
        self._state = options.state
        answer = section_answers(options.mapping).get(compact(section))
        stands = (answer or section_of(section)) if section else None
        self._by_section = [Sign(SECTION, DecidingKind.STATUS, section, stands)] if stands not in _SAYS_NOTHING else []
        self._answers = columns.answers
        self._deciding = [(place, kind, columns.name(place)) for place, kind in columns.deciding.items()]
        self._timed = [(p, kind, says, columns.name(p)) for what, kind, says in _TIMED for p in fields.get(what, ())]
        self._emails = fields.get(Field.EMAIL, ())
        self._ids = [place for what in (Field.VID, Field.JSON) for place in fields.get(what, ())]
        self._host_columns = columns.hosts
        self._titles = columns.titles
        signs = [sign for sign in self._by_section if sign.says in {EventRole.STAFF, Standing.LEFT_OUT}]
        # what each row says may count more than its section, where that is what is read of it
        says_itself = self._state in {None, State.CANCEL}
        weighed, of = (signs, State.REGISTER) if says_itself else (self._by_section, self._state or State.REGISTER)
        self.whole: Final = verdict(weighed, of, came=True, hosts=self._include)
        """Why every row of the section is left out, whatever it says itself, also one whose cells cannot be told."""
        parts = (place for name in ("firstname", "lastname") for place in columns.properties.get(name, ()))
        self._names = (*name_places(columns.titles), *parts)
        self._stays = [place for what in _OF_STAYS for place in fields.get(what, ())]
        self._says_state = Field.STATE in fields
        self._comings = [place for what in (Field.JOINED, Field.TIME) for place in fields.get(what, ())]

    def against(self, cells: Cells, signs: list[Sign], state: State) -> Against | None:
        """Say what speaks against a row of these signs; nothing where it counts, or where a value is not known."""
        came = state is State.ATTEND and self.came(cells)
        signs = [*signs, *self._by_section]
        out = self._by_address(cells) or verdict(signs, state, came=came, hosts=self._include)
        return out or (self._by_coming(cells) if state is State.CANCEL and not says_canceled(signs) else None)

    def leave_out(self, line: int, cells: Cells, state: State) -> Against | Reason | None:
        """Say why a row does not count, or what must be answered before that is known; nothing where it counts."""
        signs = self.signs(cells)
        if (out := self.against(cells, signs, state)) is not None:
            return out
        unknown = next(self.open(cells, signs, state), None) if signs else None
        return None if unknown is None else unknown_value(f"line {line}, {shown(unknown.title)}", unknown)

    def open(self, cells: Cells, signs: list[Sign], state: State | None) -> Iterator[Sign]:
        """Give the signs that leave open whether a row counts; none where it is refused anyway, as a footer is."""
        if self.names_somebody(cells):
            came = state is State.ATTEND and self.came(cells)
            yield from (sign for sign in signs if sign.says is None and matters(sign, state, came=came))
            if state is State.CANCEL and not self._says_state:
                yield from absent_only(signs)

    def names_somebody(self, cells: Cells) -> bool:
        """Say whether a row may name a contact: what is no address is refused, whatever else the row says."""
        for place in self._emails:
            if "@" in _cell(cells, place):
                return True
        return any(_cell(cells, place) for place in self._ids)

    def signs(self, cells: Cells) -> list[Sign]:
        """Give what each deciding cell says."""
        return [*self._deciding_cells(cells), *self._behind_names(cells), *self._timed_cells(cells)]

    def _deciding_cells(self, cells: Cells) -> Iterator[Sign]:
        for place, kind, title in self._deciding:
            text = _cell(cells, place)
            if text not in NOTHING or kind not in EMPTY_SAYS_NOTHING or "" in self._answers.get(place, ()):
                yield self._sign(place, kind, title, cells)

    def _timed_cells(self, cells: Cells) -> Iterator[Sign]:
        for place, kind, says, title in self._timed:
            text, yes = _cell(cells, place), None
            if kind is DecidingKind.CANCELED:
                yield Sign(title, kind, text if says_yes(text) else "", meaning(kind, text) or Standing.CANCELED)
            elif text not in NOTHING and (yes := says_yes(text)) is False:
                yield Sign(title, kind, text, says)
            elif yes and kind is DecidingKind.ADMISSION:
                yield Sign(title, kind, text, Standing.REGISTERED)

    def _behind_names(self, cells: Cells) -> Iterator[Sign]:
        """Give what stands in brackets behind a person's name, or beside it."""
        names = "\n".join([cells[place] for place in self._names if place < len(cells)])
        if not (may_hold_more(names) or canceled_in(names)):
            return  # nearly every row
        for place in self._names:
            text, title = _cell(cells, place), self._titles[place].strip()
            found = _BEHIND.search(text)
            if found and role_of(found[1]) is EventRole.STAFF:
                yield Sign(title, DecidingKind.ROLE, found[0], EventRole.STAFF)
            elif found and len(found[1]) >= TELLING and (standing := standing_of(found[1])) in LEAVING:
                yield Sign(title, DecidingKind.STATUS, found[0], standing)
            elif staff := staff_beside(text):
                yield Sign(title, DecidingKind.ROLE, staff, EventRole.STAFF)
            elif said := canceled_in(text):
                yield Sign(title, DecidingKind.STATUS, said, Standing.CANCELED)

    def _sign(self, place: int, kind: DecidingKind, title: str, cells: Cells) -> Sign:
        text = _cell(cells, place)
        text = "" if text in NOTHING else text
        if place in self._answers and (answer := answer_of(self._answers[place], text)) is not None:
            return Sign(title, kind, text, answer)
        if kind is DecidingKind.CANCELED:
            return Sign(title, kind, text, meaning(kind, text))
        if not text:
            absent = kind is DecidingKind.ATTENDED and not self.came(cells)
            return Sign(title, kind, text, Standing.ABSENT if absent else None)  # no tick beside a time of joining
        if kind is DecidingKind.STAFF and "@" in text:
            address = self._address(cells)
            return Sign(
                title, kind, text, EventRole.STAFF if address and address in comparable(text) else EventRole.ATTENDEE
            )
        return Sign(title, kind, text, meaning(kind, text))

    def _by_address(self, cells: Cells) -> Against | None:
        address = self._address(cells)
        if not address:
            return None
        if address.endswith(_ROOMS):
            return Against("the address of a room or a calendar")
        host = address in self._hosts or any(address == comparable(_cell(cells, place)) for place in self._host_columns)
        return (
            Against(f"the address of the host ({EventRole.STAFF.value})", HOSTS) if host and not self._include else None
        )

    def _by_coming(self, cells: Cells) -> Against | None:
        """Leave out of the cancellations who has a time of joining or leaving, or was there for a while."""
        for place in self._stays if not self._says_state else ():
            if meaning(DecidingKind.ATTENDED, _cell(cells, place)) is Standing.ATTENDED:
                title = self._titles[place].strip()
                return Against(f"{shown(title)} says that they came ({NOT_CANCELED})", as_option(title, Field.IGNORE))
        return None

    def _address(self, cells: Cells) -> str:
        for place in self._emails:
            if text := _cell(cells, place):
                return comparable(text)
        return ""

    def came(self, cells: Cells) -> bool:
        """Say whether the row has a time at which somebody came."""
        return any(
            (text := _cell(cells, place)) not in NO_VALUE and says_yes(text) is not False for place in self._comings
        )


_OF_STAYS: Final = (Field.JOINED, Field.LEFT, Field.DURATION, Field.MINUTES, Field.SECONDS)
_TIMED: Final = (
    (Field.CANCELED, DecidingKind.CANCELED, Standing.CANCELED),
    (Field.REGISTERED, DecidingKind.ADMISSION, Standing.INVITED),
    (Field.JOINED, DecidingKind.ATTENDED, Standing.ABSENT),
)
"""Times in whose place a tool may write yes or no; a time of cancelling says that somebody cancelled."""


def matters(sign: Sign, state: State | None, *, came: bool) -> bool:
    """Say whether what a sign leaves open can count for a state."""
    if sign.kind in _ABOUT_ATTENDING:
        return state in {None, State.ATTEND}
    if sign.kind in _OF_REGISTERING and not sign.text and came:
        return False  # no approval is written of somebody who came without registering
    return sign.kind is not DecidingKind.PAYMENT or state is not State.CANCEL


def verdict(signs: list[Sign], state: State, *, came: bool, hosts: bool) -> Against | None:
    """Weigh the signs of a row: the first that speaks against it leaves it out."""
    if not signs:
        return None
    for sign in signs:
        if sign.says is EventRole.STAFF and not hosts:
            return Against(f"{shown(sign.title)} “{shown(sign.text)}” ({EventRole.STAFF.value})", HOSTS)
        if sign.kind in _ROLES and sign.says is Standing.LEFT_OUT:
            return _left_out(sign, state)
    weighed = [
        sign
        for sign in signs
        if isinstance(sign.says, Standing)
        and (sign.kind not in _ROLES or (sign.kind is DecidingKind.TICKET and sign.says is not Standing.KEPT))
    ]
    if state is not State.ATTEND:
        weighed = [sign for sign in weighed if _is_about(sign, state)]
    if state is State.CANCEL:
        said = [sign for sign in weighed if sign.says is Standing.LEFT_OUT]
        if not said and any(sign.says is Standing.CANCELED for sign in weighed):
            return None
        said += [sign for sign in weighed if sign.says is not Standing.KEPT and sign.kind is not DecidingKind.PAYMENT]
        return _left_out(said[0], state) if said else None
    weighed = [sign for sign in weighed if sign.kind is not DecidingKind.CANCELED or sign.says is Standing.CANCELED]
    came = came or any(sign.says is Standing.ATTENDED for sign in weighed)
    against = [sign for sign in weighed if not _keeps(sign, state, came=came)]
    # that somebody did not come says more than that nothing but their approval is known
    against.sort(key=lambda sign: sign.says in _KEPT[State.REGISTER])
    return _left_out(against[0], state) if against else None


def _is_about(sign: Sign, state: State) -> bool:
    """Say whether a sign tells of what the state is: that somebody did not come is no cancellation and no denial."""
    if sign.kind not in _ABOUT_ATTENDING and not (sign.kind is DecidingKind.TICKET and sign.says is Standing.ABSENT):
        return True
    return sign.says is not Standing.ABSENT if state is State.CANCEL else sign.says is Standing.LEFT_OUT


def says_canceled(signs: Iterable[Sign]) -> bool:
    """Say whether anything says that somebody cancelled, or that they count."""
    return any(sign.says in {Standing.CANCELED, Standing.KEPT} for sign in signs)


def absent_only(signs: list[Sign]) -> Iterator[Sign]:
    """Give the signs that somebody did not come, where none says that they cancelled: with `cancel` that is asked."""
    if not says_canceled(signs):
        kinds = _ABOUT_ATTENDING | {DecidingKind.TICKET}
        yield from (sign for sign in signs if sign.says is Standing.ABSENT and sign.kind in kinds)


def _keeps(sign: Sign, state: State, *, came: bool) -> bool:
    if sign.says in _KEPT[state]:
        return True
    if state is State.ATTEND and came:
        return sign.says is Standing.CONFIRMED or (sign.says in _BEFORE and sign.kind in _OF_REGISTERING)
    return False


def _left_out(sign: Sign, state: State) -> Against:
    if sign.kind in _ABOUT_ATTENDING and sign.says is Standing.ABSENT:
        return Against(ABSENT)
    keeps = sign.says in _KEPT[State.REGISTER]
    why: object = NOT_CANCELED if state is State.CANCEL and keeps else sign.says
    if state is State.ATTEND and sign.says is Standing.CONFIRMED:
        why = "approved, and nothing says that they came"
    text = f"{shown(sign.title)} “{shown(sign.text)}” ({why})" if sign.text else f"{shown(sign.title)} is empty ({why})"
    if sign.kind is DecidingKind.CANCELED and sign.says is Standing.CANCELED and not sign.text:
        text = f"{shown(sign.title)} holds a time ({why})"
    if sign.says is Standing.LEFT_OUT:
        return Against(text)
    if sign.says is Standing.CANCELED:
        return Against(text, "--state cancel")
    if keeps:
        return Against(text, "--state register" if state is State.ATTEND else "")
    target = "attended" if sign.kind is DecidingKind.ATTENDED else "status"
    return Against(text, as_option(sign.title, f"{target}({sign.text or EMPTY}=keep)"))


def _cell(cells: Cells, place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""
