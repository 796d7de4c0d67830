"""What the command line adds to a file: the event, the state, the account, and how to read what is ambiguous."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, tzinfo
from enum import StrEnum
from inspect import signature
from typing import Any, Final, Literal, Self

from models.ids import LONGEST_TEXT, id_fault
from models.input_check import Reason, shown
from models.spoken_zones import read_spoken
from models.words import State
from models.zones import abbreviation, name_of
from worker.files.lines import FileError

PLACEHOLDERS: Final = {
    "EVENT": "the number at the end of the address of the event's page in HubSpot",
    "ACCOUNT": "the account id the event was created with",
}
"""What stands in a command to copy for what only its reader knows."""
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


class HiddenRows(StrEnum):
    """What to do with the rows of a workbook that its sheet does not show."""

    KEEP = "keep"
    LEAVE_OUT = "leave-out"


class SwappedDates(StrEnum):
    """Whether a spreadsheet exchanged day and month of its real dates."""

    EXCHANGE = "exchange"
    KEEP = "keep"


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
    day: date | None = None
    """The day of times that have none."""
    start: datetime | time | None = None
    """When the event began, in the zone of the file's times: where only is known how long people stayed."""
    end: datetime | time | None = None
    """When it ended."""
    sheet: str | None = None
    """The sheet of a workbook."""
    hidden_rows: HiddenRows | None = None
    home: str = ""
    """The zone of who asks: proposed where the file names none, and never used without an answer."""
    excel_dates: Literal["", "1900", "1904"] = ""
    """Where numbers in columns of times are a workbook's days: the year from which it counts them."""
    swapped_dates: SwappedDates | None = None
    dotted_clocks: tuple[str, ...] = ()
    """The columns in which numbers with dots, such as 10.30, are times of day."""
    exchanged: tuple[str, ...] = ()
    """The columns in which day and month of real dates are exchanged."""

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
        day: str | None = None,
        start: str | None = None,
        end: str | None = None,
        sheet: str | None = None,
        hidden_rows: HiddenRows | None = None,
        swapped_dates: SwappedDates | None = None,
        excel_dates: Literal["", "1900", "1904"] = "",
        dotted_clocks: Sequence[str] = (),
        exchanged: Sequence[str] = (),
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
            if text in PLACEHOLDERS:
                raise FileError(f"--{name}", f"{text} stands for what you know", PLACEHOLDERS[text])
        zone, zone_as = _zone(time_zone) if time_zone else (None, "")
        pairs = tuple(_pair(text) for text in mapping or ())
        when = _occurrence(occurrence) if occurrence else None
        where = (state, object_id, event, external_account, account)
        read = cls(*where, zone, date_order, pairs, encoding, zone_as, when, shared_address, include_hosts)
        return replace(
            read,
            day=_day(day) if day else None,
            start=_when("start", start) if start else None,
            end=_when("end", end) if end else None,
            sheet=sheet,
            hidden_rows=hidden_rows,
            swapped_dates=swapped_dates,
            excel_dates=excel_dates,
            dotted_clocks=tuple(dotted_clocks),
            exchanged=tuple(exchanged),
        )

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
            "day": self.day and self.day.isoformat(),
            "start": self.start and _written(self.start),
            "end": self.end and _written(self.end),
            "swapped_dates": self.swapped_dates and self.swapped_dates.value,
            "excel_dates": self.excel_dates,
            "dotted_clocks": list(self.dotted_clocks),
            "exchanged": list(self.exchanged),
        }
        return {name: value for name, value in known.items() if value}

    @classmethod
    def of_said(cls, said: Mapping[str, Any]) -> Self:
        """Read what `said` gave.

        Raises:
            FileError: where a value cannot be read.

        """
        words: dict[str, type[StrEnum]] = {"state": State, "date_order": DateOrder, "shared_address": SharedAddress}
        words |= {"hidden_rows": HiddenRows, "swapped_dates": SwappedDates}
        given: dict[str, Any] = {
            name: _word(name, words[name], value) if name in words else value for name, value in said.items()
        }
        return cls.read(**given)

    def answered(self, arguments: Sequence[str]) -> Self:
        """Give them with what the arguments of an answer say too.

        Raises:
            FileError: where an answer cannot be read.

        """
        known = signature(type(self).read).parameters
        said: dict[str, Any] = {**self.said, "encoding": self.encoding, "sheet": self.sheet}
        said["hidden_rows"] = self.hidden_rows
        given = iter(arguments)
        for argument in given:
            option, equals, value = argument.partition("=")
            name = {"--map": "mapping"}.get(option, option.removeprefix("--").replace("-", "_"))
            if not (option.startswith("--") and name in known):
                raise FileError(option, "is not an option that answers this", "one of those that are shown")
            if name == "include_hosts":
                said[name] = True
                continue
            value = value if equals else next(given, "")
            said[name] = [*said.get(name, []), value] if name == "mapping" else value
        if "object_id" in said:
            said = {name: value for name, value in said.items() if name not in {"event", "external_account"}}
        return replace(self.of_said({name: value for name, value in said.items() if value}), home=self.home)

    def arguments(self) -> list[str]:
        """Write them as the command's arguments, to hand in the refused rows (in UTF-8) as the file was."""
        said = self.said
        repeated = said.pop("mapping", [])
        for own in ("excel_dates", "dotted_clocks", "exchanged"):
            said.pop(own, None)
        given: list[str] = []
        for name, value in said.items():
            option = f"--{name.replace('_', '-')}"
            given += [option] if value is True else [option, str(value)]
        return given + [part for pair in repeated for part in ("--map", pair)]


def _word(name: str, words: type[StrEnum], text: str) -> StrEnum:
    try:
        return words(text.strip().lower())
    except ValueError:
        raise FileError(f"--{name.replace('_', '-')}", f"{shown(text)} is not known", " or ".join(words)) from None


def _zone(text: str) -> tuple[tzinfo, str]:
    """Read a zone, and the abbreviation that stands for it where one is named: EST=America/New_York."""
    written, equals, name = text.rpartition("=")
    zone = read_spoken(name)
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


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise FileError("--day", f"{shown(text)} is not a day", "year, month and day, such as 2026-03-29") from None


def _when(name: str, text: str) -> datetime | time:
    """Read when an event began or ended: a day and a time, or a time of day."""
    for read in (datetime.fromisoformat, time.fromisoformat):
        with suppress(ValueError):
            said: datetime | time = read(text.strip())
            if said.tzinfo is None and len(text.strip()) >= len("9:00"):
                return said
    right = "the day and the time where the event was held, such as 2026-03-29T19:00; or 19:00 where the day is known"
    raise FileError(f"--{name}", f"{shown(text)} is not a time", right)


def _written(when: datetime | time) -> str:
    return when.isoformat(timespec="seconds" if when.second else "minutes")


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
