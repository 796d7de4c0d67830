"""What the command line adds to a file: the event, the state, the account, and how to read what is ambiguous."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final, Literal, Self

from models.ids import LONGEST_TEXT, id_fault
from models.input_check import Reason, shown
from models.words import State
from models.zones import abbreviation, name_of, read_zone
from worker.files.lines import FileError

_PAIR: Final = re.compile(r"(?P<title>.*\S.*?)=(?P<field>[^=()]*(?:\(.*\))?\s*)", re.DOTALL)


class DateOrder(StrEnum):
    """How a date of three numbers is written: 03/04/2026 is in April or in March."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


class SharedAddress(StrEnum):
    """What to do with the rows of an address that several people share."""

    LEAVE_OUT = "leave-out"
    ONE_PERSON = "one-person"


ALL: Final = "all"
"""Every occurrence in the file belongs to the event."""


@dataclass(frozen=True, slots=True)
class MissingOption(Reason):
    """A reason that an option mends for every row: where all rows say it, the file stops before anything is sent."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was said beside the file. A row's own column wins over it, where it is named as unmistakably."""

    state: State | None = None
    object_id: str | None = None
    event: str | None = None
    external_account: str | None = None
    account: str | None = None
    zone: tzinfo | None = None
    order: DateOrder | None = None
    mapping: tuple[tuple[str, str], ...] = ()
    """A column's title and what it holds."""
    encoding: str | None = None
    zone_as: str = ""
    """An abbreviation that stands in the file for that zone, also where its clock does not go by it: EST in July."""
    occurrence: date | Literal["all"] | None = None
    """When the occurrence begins that belongs to the event: the day, or where one has several the day and time."""
    shared_address: SharedAddress | None = None
    include_hosts: bool = False
    """Whether hosts, panelists, organizers and presenters count as well."""

    @classmethod
    def read(  # noqa: PLR0913 - one for each option of the command
        cls,
        *,
        state: State | None = None,
        object_id: str | None = None,
        event: str | None = None,
        external_account: str | None = None,
        account: str | None = None,
        time_zone: str | None = None,
        date_order: DateOrder | None = None,
        mapping: list[str] | None = None,
        encoding: str | None = None,
        occurrence: str | None = None,
        shared_address: SharedAddress | None = None,
        include_hosts: bool = False,
    ) -> Self:
        """Check what was typed.

        Raises:
            FileError: naming the option and what would be right.

        """
        if object_id and (event or external_account):
            raise FileError("--object-id", "stands beside --event or --external-account", "one way to name the event")
        texts = {"object-id": object_id, "event": event, "external-account": external_account, "account": account}
        for name, text in texts.items():
            blank = ("is no id", f"1 to {LONGEST_TEXT} characters of text")
            if text is not None and (fault := id_fault(text) if text.strip() else blank):
                what, right = fault
                raise FileError(f"--{name}", f"'{shown(text)}' {what}", right)
        zone, zone_as = _zone(time_zone) if time_zone else (None, "")
        pairs = tuple(_pair(text) for text in mapping or ())
        when = _occurrence(occurrence) if occurrence else None
        where = (state, object_id, event, external_account, account)
        return cls(*where, zone, date_order, pairs, encoding, zone_as, when, shared_address, include_hosts)

    def mapped(self, *said: str) -> Self:
        """Give the options with further `--map`s."""
        return replace(self, mapping=(*self.mapping, *map(_pair, said)))

    @property
    def said(self) -> dict[str, Any]:
        """Give what was said, as `read` takes it; not the encoding, which is the file's own."""
        known = {
            "event": self.event,
            "external_account": self.external_account,
            "object_id": self.object_id,
            "state": self.state and self.state.value,
            "account": self.account,
            "time_zone": self.zone and (f"{self.zone_as}=" if self.zone_as else "") + name_of(self.zone),
            "date_order": self.order and self.order.value,
            "occurrence": self.occurrence and occurrence_text(self.occurrence),
            "shared_address": self.shared_address and self.shared_address.value,
            "include_hosts": self.include_hosts,
            "mapping": [f"{title}={target}" for title, target in self.mapping],
        }
        return {name: value for name, value in known.items() if value}

    @classmethod
    def of_said(cls, said: Mapping[str, Any]) -> Self:
        """Read what `said` gave."""
        words: dict[str, type[StrEnum]] = {"state": State, "date_order": DateOrder, "shared_address": SharedAddress}
        given: dict[str, Any] = {name: words[name](value) if name in words else value for name, value in said.items()}
        return cls.read(**given)

    def arguments(self) -> list[str]:
        """Write them as the command's arguments, to hand in the refused rows (in UTF-8) as the file was."""
        said = self.said
        repeated = said.pop("mapping", [])
        given: list[str] = []
        for name, value in said.items():
            option = f"--{name.replace('_', '-')}"
            given += [option] if value is True else [option, str(value)]
        return given + [part for pair in repeated for part in ("--map", pair)]


def _zone(text: str) -> tuple[tzinfo, str]:
    """Read a zone, and the abbreviation that stands for it where one is named: EST=America/New_York."""
    written, equals, name = text.rpartition("=")
    zone = read_zone(name)
    if isinstance(zone, Reason):
        raise FileError("--time-zone", zone.what, zone.right)
    if equals and not (short := abbreviation(written)):
        right = "an abbreviation such as EST=America/New_York"
        raise FileError("--time-zone", f"{shown(written)} is not an abbreviation of a zone", right)
    return zone, short if equals and short else ""


def _occurrence(text: str) -> date | Literal["all"]:
    """Read the day on which an occurrence begins, or the day and the time: a datetime, which is a date."""
    plain = text.strip()
    if plain.lower() == ALL:
        return ALL
    for read in (date.fromisoformat, datetime.fromisoformat):
        with suppress(ValueError):
            said = read(plain)
            if not isinstance(said, datetime) or said.tzinfo is None:
                return said
    right = f"the day on which it begins, such as 2026-03-29 (or 2026-03-29T19:00), or {ALL}"
    raise FileError("--occurrence", f"{shown(text)} is not a day", right)


def occurrence_text(occurrence: date | Literal["all"]) -> str:
    """Write an occurrence as the option takes it."""
    if isinstance(occurrence, datetime):
        return occurrence.isoformat(timespec="minutes")
    return str(occurrence)


def _pair(text: str) -> tuple[str, str]:
    """Split at the last “=”, but for those within the answers behind a field: “Status=status(Walk-in=keep)”."""
    found = _PAIR.fullmatch(text)
    if found is None:
        raise FileError("--map", f"{shown(text)!r} maps nothing", '--map "Their column=email"')
    return found["title"].strip(), found["field"].strip()
