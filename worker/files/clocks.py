"""A local time put into its zone: the one written behind it, else the one that was said. Never guessed.

A time that the clocks skipped or struck twice, or whose abbreviation is not used at its date, is a fault that says
what would be right.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from models.input_check import EARLIEST_MS, LATEST_MS, Reason, shown
from models.spoken_zones import read_spoken
from models.zones import OF_UTC, abbreviated, abbreviation, meanings, name_of, offset_of, read_offset, read_zone

RIGHT: Final = "a time such as 2026-03-01T10:00:00Z"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FOR_ALL: Final = ", or for the whole file "
_OFFSET: Final = re.compile(r"(?:(?:utc|gmt)\s*([+-]\s?\d{1,2}(?::?\d{2})?)|([+-]\d{1,2}(?::?\d{2})?))(?:\W.*)?")
"""Without a word before it no blank follows the sign: 10:00 - 11 is until eleven."""


class Moment(NamedTuple):
    """An instant in milliseconds since 1970; `day_only` where only its day was written (its first moment is meant)."""

    ms: int
    day_only: bool = False


class TimeFault(NamedTuple):
    """Why a text gives no instant, what would be right, and whether an option would make it readable."""

    what: str
    right: str
    option: bool = False

    @property
    def alone(self) -> str:
        """Give what would be right of one time, where there is no option for a whole file."""
        return self.right.partition(_FOR_ALL)[0]


def is_of_our_time(year: int) -> bool:
    """Say whether somebody may have met in a year: 2062 is to come, and 2569 is 2026 in another calendar."""
    return 1970 <= year <= datetime.now(UTC).year + 1  # noqa: PLR2004 - of computers' clocks


def instant(local: datetime, zone_text: str, zone: tzinfo | None, zone_as: str = "") -> Moment | TimeFault:
    """Put a local time into its zone; one with an offset of its own has it already.

    `zone_text` is what is written behind it or in its title, `zone` what was said of the file, `zone_as` the
    abbreviation that was said to stand for that.
    """
    if not is_of_our_time(local.year):
        return TimeFault(f"{local:%Y-%m-%d} is no day on which somebody met", "the time at which it happened")
    if local.tzinfo is not None:
        if local.utcoffset() and read_offset(offset_of(local.tzinfo, local)) is None:
            return TimeFault(f"{local.isoformat()} has an offset that no clock has", "an offset from -12:00 to +14:00")
        return _moment(local)
    written = zone_text.strip().strip("()[]").strip()
    if written and not (zone_as and abbreviation(written) == zone_as):
        return _with_zone(local, written, zone)
    if zone is None:
        right = f"an offset behind it (such as +01:00){_FOR_ALL}--time-zone such as Europe/Berlin"
        return TimeFault(f"{local:%Y-%m-%d %H:%M:%S} has no time zone", right, option=True)
    return _in_zone(local, zone)


def _with_zone(local: datetime, written: str, zone: tzinfo | None) -> Moment | TimeFault:
    """Put a local time into the zone written behind it, by the tool: its `GMT-7` is -07:00."""
    lower = written.lower()
    if lower.removeprefix("etc/") in OF_UTC:
        return _moment(local.replace(tzinfo=UTC))
    if (found := _OFFSET.fullmatch(lower)) and (fixed := read_offset((found[1] or found[2]).replace(" ", ""))):
        return _moment(local.replace(tzinfo=fixed))
    if "/" in written:
        named = read_zone(written)
        return TimeFault(named.what, named.right) if isinstance(named, Reason) else _in_zone(local, named)
    short = abbreviation(lower)
    spoken = read_spoken(lower.removesuffix(" time") if short is None else short)
    return _abbreviated(local, written, zone) if isinstance(spoken, Reason) else _in_zone(local, spoken)


def _abbreviated(local: datetime, written: str, zone: tzinfo | None) -> Moment | TimeFault:
    """Take an abbreviation such as CET only where the zone that was said uses it then: EST alone is several clocks."""
    name, on = abbreviation(written) or written.upper(), f"{local.day} {local:%B %Y}"
    if zone is not None:
        matching = {
            moment
            for fold in (0, 1)
            if abbreviated(there := local.replace(tzinfo=zone, fold=fold), name) and _exists(there)
            for moment in (_moment(there),)
        }
        if len(matching) == 1:
            return matching.pop()
        if matching:
            return _in_zone(local, zone)
        what = f"{shown(written.upper())} is not the time of {name_of(zone)} on {on} ({offset_of(zone, local)} then)"
    else:
        what = f"{shown(written.upper())} is not one clock"
    known = meanings(name, local)
    if known is None:
        return TimeFault(f"{what}, and not a zone that is known here", RIGHT, option=zone is None)
    said, wanted = known
    answers = " or ".join(f"--time-zone={zone_answer(name, one, local)}" for one in wanted)
    return TimeFault(f"{what}: on this day it may mean {said}", f"an offset instead{_FOR_ALL}{answers}", option=True)


def zone_answer(name: str, wanted: str, local: datetime) -> str:
    """Write a zone as the option that settles what an abbreviation means: alone where its clock goes by it then."""
    zone = read_zone(wanted)
    uses = not isinstance(zone, Reason) and abbreviated(local.replace(tzinfo=zone), name)
    return wanted if uses else f"{name}={wanted}"


def _in_zone(local: datetime, zone: tzinfo) -> Moment | TimeFault:
    """Put a local time into its zone, unless the clocks skipped it or struck it twice."""
    early, late = local.replace(tzinfo=zone), local.replace(tzinfo=zone, fold=1)
    if early.utcoffset() == late.utcoffset():
        return _moment(early)
    if not _exists(early):
        what = f"{local:%Y-%m-%d %H:%M:%S} was skipped in {name_of(zone)}: the clocks went forward"
        after = early.astimezone(UTC).astimezone(zone)
        return TimeFault(what, f"a time that was, with its offset, such as {after.isoformat()}")
    what = f"{local:%Y-%m-%d %H:%M:%S} came twice in {name_of(zone)}: the clocks went back"
    return TimeFault(what, f"the time with its offset: {early.isoformat()} or {late.isoformat()}")


def _exists(local: datetime) -> bool:
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)


def _moment(at: datetime) -> Moment | TimeFault:
    ms = (at - EPOCH) // timedelta(milliseconds=1)
    if EARLIEST_MS <= ms <= LATEST_MS:
        return Moment(ms)
    return TimeFault(f"{at:%Y-%m-%d} is before 1973", "the time at which it happened")
