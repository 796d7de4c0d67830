"""What the usual tools write as a time, read as an instant: never guessed, never “now”.

A date that could be two, a time without a zone, a time that the clocks skipped or struck twice: each is a fault
that says what would be right.
"""

import re
from contextlib import suppress
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from models.input_check import EARLIEST_MS, LATEST_MS, shown
from worker.files.clocks import EPOCH, RIGHT, Moment, TimeFault, instant, is_of_our_time
from worker.files.dates import date_first, is_dotted_day, read_day
from worker.files.options import DateOrder
from worker.files.plain_text import plain
from worker.files.ranges import not_one_time

_CLOCK: Final = re.compile(
    r"(?:[t,\s]|[–-]\s(?=\d{1,2}(?:[:h]|\s*[ap]\.?m|\s*uhr))|"
    r"at\s|von\s|um\s|a\s|as\s|alle\s|om\s|kl\.?\s|klo\s|a las\s)*"
    r"(\d{1,2})(?:[:.h](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?)?\s*(uhr\b|h\b)?\s*(?:([ap])\.?\s?m\b\.?)?\s*(.*)"
)
_HALF: Final = r"\s*[ap]\.?\s?m\b\.?"
_CLOCK_BEHIND: Final = r".*(?:(?<![\d+-])\d{1,2}[:.h]\d{2}|\d\s*[ap]\.?\s?m\b)"
"""Behind three numbers with dots: these are a date, as in 12.03.26 19:00."""
_ONLY_CLOCK: Final = re.compile(
    rf"\d{{1,2}}(?:(?:[:h]\d{{2}}(?:[:.]\d{{2}}(?:[.,]\d{{1,9}})?)?|\.\d{{2}}\.\d{{2}}(?!\d|{_CLOCK_BEHIND}))(?:{_HALF})?|(?:\.\d{{2}})?(?:{_HALF}|\s*(?:uhr|h)\b))(?:\s*(?:uhr|h)\b)?(?:\s+.*)?"
)
_DIGITS: Final = re.compile(r"[0-9]{9,22}")
_COMPACT: Final = re.compile(r"20[0-9]{10}(?:[0-9]{2})?")
"""The digits of a date and a time of day: 202603131030 is of 2026, and in milliseconds of 1976."""
_TO_THE_SECOND: Final = 14
_FIRST_YEAR: Final = 2000
"""Of milliseconds: smaller numbers are something else."""
_SERIAL: Final = re.compile(r"([0-9]{5})(?:[.,]([0-9]{1,15}))?")
"""A workbook's days since 1900, or 1904: a number in a column of times that nobody formatted."""
_SERIAL_FROM: Final = {"1900": datetime(1899, 12, 30), "1904": datetime(1904, 1, 1)}  # noqa: DTZ001 - read next
_MIDNIGHT: Final = 24
"""24:00 is the first moment of the next day."""
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}(?![.,])")
_DOTTED_CLOCK: Final = re.compile(r"(\d{1,2})\.(\d{2})(?:\.(\d{2}))?")
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - its zone is read next


class Written(NamedTuple):
    """A time as it is written: the local time, the zone behind it, and what of it is missing."""

    local: datetime
    zone: str = ""
    day_only: bool = False
    clock_only: bool = False


@lru_cache(maxsize=512)
def read_written(  # noqa: C901, PLR0911 - one for each form
    text: str, order: DateOrder | None = None, excel_dates: str = ""
) -> Written | TimeFault:
    """Read a time as it is written, in whatever zone: a time of day alone is on the first of January 1970."""
    text = text.strip().strip("\"'=").strip()
    if _DIGITS.fullmatch(text):
        if _COMPACT.fullmatch(text):
            with suppress(ValueError):
                return Written(datetime.strptime(text, "%Y%m%d%H%M%S" if len(text) == _TO_THE_SECOND else "%Y%m%d%H%M"))  # noqa: DTZ007 - read next
        return TimeFault(f"{text} is no date and time that is known here", RIGHT)
    if (fault := not_one_time(text)) is not None:
        return fault
    if _ISO.match(text):
        try:
            return Written(datetime.fromisoformat(text))
        except ValueError:
            pass  # such as 2026-03-01 10:00 CET
    if excel_dates and (found := _SERIAL.fullmatch(text)):
        part = round(float(f"0.{found[2] or 0}") * 86_400)
        return Written(_SERIAL_FROM[excel_dates] + timedelta(days=int(found[1]), seconds=part), day_only=not found[2])
    written = date_first(plain(text))
    if is_dotted_day(written):
        if order is None and not isinstance(_clock(_EPOCH, written), TimeFault):
            what = f"{shown(text)} may be a day, or a time of day"
            return TimeFault(what, "--date-order dmy for days; or times of day such as 12:03:26", option=True)
    elif _ONLY_CLOCK.fullmatch(written):
        clock = _clock(_EPOCH, written)
        return Written(*clock, clock_only=True) if not isinstance(clock, TimeFault) else clock
    day = read_day(written, order)
    if isinstance(day, TimeFault):
        return day._replace(what=f"{shown(text)} {day.what}")
    on, rest = day
    if not rest.strip(" ,"):
        return Written(on, day_only=True)
    clock = _clock(on, rest)
    if isinstance(clock, TimeFault):
        return clock._replace(what=f"{shown(text)} {clock.what}")
    return Written(*clock)


def dotted_clock(text: str) -> str | None:
    """Write a time of day with dots, such as 10.30 or 10.30.00, with colons; None where it is none."""
    found = _DOTTED_CLOCK.fullmatch(text)
    if found is None or int(found[1]) >= _MIDNIGHT or max(int(found[2]), int(found[3] or 0)) >= 60:  # noqa: PLR2004
        return None
    return text.replace(".", ":")


def on_day(read: Written, day: date) -> datetime:
    """Put a time of day on its day; 24:00 is on the next one."""
    return datetime.combine(day, read.local.time()) + (read.local - _EPOCH) // timedelta(days=1) * timedelta(days=1)


def local_in(read: Written, zone: tzinfo | None) -> Written | None:
    """Give a time as the clocks of a zone show it; none where it names another and neither is known."""
    if not read.zone and read.local.tzinfo is None:
        return read
    moment = None if read.clock_only else instant(read.local, read.zone, zone)
    if zone is None or not isinstance(moment, Moment):
        return None
    local = (EPOCH + timedelta(milliseconds=moment.ms)).astimezone(zone)
    return Written(local.replace(tzinfo=None), day_only=read.day_only)


@lru_cache(maxsize=512)
def read_time(  # noqa: PLR0913, PLR0917 - what a time may need beside its text
    text: str,
    zone: tzinfo | None = None,
    order: DateOrder | None = None,
    title: str = "",
    zone_as: str = "",
    day: date | None = None,
    excel_dates: str = "",
) -> Moment | TimeFault:
    """Read a time as one of the usual tools writes it.

    `zone` is the zone of times that name none, `order` that of dates of three numbers, `title` the zone that the
    column's title names, as if it were written behind each time, `zone_as` the abbreviation that stands for `zone`,
    `day` the day of a time of day alone. Whole numbers are milliseconds since 1970.
    """
    bare = text.strip().strip("\"'=").strip()
    written = read_written(text, order, excel_dates)
    if _DIGITS.fullmatch(bare) and not isinstance(written, Written):
        return _milliseconds(int(bare))
    if isinstance(written, TimeFault):
        return written
    local = written.local
    if written.clock_only:
        if day is None:
            what = f"{shown(text)} is a time of day without its day"
            return TimeFault(what, "said by --day, such as --day 2026-03-29", option=True)
        local = on_day(written, day)
    moment = instant(local, written.zone or title, zone, zone_as)
    if written.day_only and isinstance(moment, Moment):
        return Moment(moment.ms, day_only=True)
    return moment


def _milliseconds(number: int) -> Moment | TimeFault:
    if EARLIEST_MS <= number <= LATEST_MS:
        at = EPOCH + timedelta(milliseconds=number)
        if is_of_our_time(at.year) and at.year >= _FIRST_YEAR:
            return Moment(number)
        return TimeFault(f"{number} would be of the year {at.year} as milliseconds", RIGHT)
    if number < EARLIEST_MS:
        return TimeFault(f"{number} looks like seconds", f"milliseconds: {number * 1000}")
    return TimeFault(f"{number} is beyond the year 9999", "milliseconds since 1970 (micro- or nanoseconds?)")


def _clock(on: datetime, rest: str) -> tuple[datetime, str] | TimeFault:
    """Read the time of day that follows a date; give the local time and the zone written behind it."""
    found = _CLOCK.fullmatch(rest)
    if found is None:
        return TimeFault("has no time of day that is known here", RIGHT)
    hour, minute, second, fraction, of_day, half, zone = found.groups()
    hours = int(hour)
    if minute is None and half is None and of_day is None:
        return TimeFault("has no time of day that is known here", RIGHT)
    if half:
        if not 1 <= hours <= 12:  # noqa: PLR2004
            return TimeFault("has no time of day that is known here", RIGHT)
        hours = hours % 12 + (12 if half == "p" else 0)
    if hours == _MIDNIGHT and not half and not any(int(part or 0) for part in (minute, second, fraction)):
        return on + timedelta(days=1), zone
    try:
        micros = int(f"{fraction or 0:0<6}"[:6])
        return on.replace(hour=hours, minute=int(minute or 0), second=int(second or 0), microsecond=micros), zone
    except ValueError:
        return TimeFault("has no time of day that is known here", RIGHT)


def iso(ms: int) -> str:
    """Write an instant as HubSpot's `joinedAt` and `leftAt` want it."""
    text = (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds" if ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")
