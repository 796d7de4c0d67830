"""What the usual tools write as a time, read as an instant: never guessed, never “now”.

A date that could be two, a time without a zone, a time that the clocks skipped or struck twice: each is a fault
that says what would be right.
"""

import re
import unicodedata
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from models.input_check import EARLIEST_MS, LATEST_MS, shown
from worker.files.clocks import EPOCH, RIGHT, Moment, TimeFault, instant
from worker.files.options import DateOrder

_MONTHS: Final = (
    ("january", "januar", "janner", "janvier", "enero"),
    ("february", "februar", "fevrier", "febrero"),
    ("march", "marz", "maerz", "mars", "marzo", "mrz"),
    ("april", "avril", "abril", "avr"),
    ("may", "mai", "mayo"),
    ("june", "juni", "juin", "junio"),
    ("july", "juli", "juillet", "julio"),
    ("august", "aout", "agosto"),
    ("september", "septembre", "septiembre", "sept", "setiembre"),
    ("october", "oktober", "octobre", "octubre"),
    ("november", "novembre", "noviembre"),
    ("december", "dezember", "decembre", "diciembre"),
)
_SHORTEST_MONTH: Final = 3
_FOUR_DIGITS: Final = 4
_MONTHS_IN_A_YEAR: Final = 12
_FIRST_REPORTS: Final = 12
"""A date of two-digit numbers whose last would be an earlier year more probably begins with the year: 26/03/04."""
_LAST_CENTURY: Final = 70
"""A two-digit year from 70 on may be of the last century."""

_NUMBERS: Final = re.compile(r"(\d{1,4})([/.-])(\d{1,2})\2(\d{4}|\d{1,2})(?!\d)(.*)", re.DOTALL)
_DAY_NAMED: Final = re.compile(
    r"(?:[a-z]+\.?,?\s+)?(\d{1,2})(?:st|nd|rd|th|er)?[.\s-]+(?:de\s+)?([a-z]+)[.,\s-]+(?:de\s+)?(\d{4})(?!\d)(.*)"
)
_MONTH_NAMED: Final = re.compile(
    r"(?:[a-z]+\.?,?\s+)?([a-z]+)\.?[\s-]+(\d{1,2})(?:st|nd|rd|th)?,?[\s-]+(\d{4})(?!\d)(.*)"
)
_CLOCK: Final = re.compile(
    r"(?:[t,\s]|at\s|um\s|a\s|a las\s)*(\d{1,2})(?:[:.h](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?)?\s*"
    r"(?:uhr\b)?\s*(?:([ap])\.?\s?m\b\.?)?\s*(.*)"
)
_DIGITS: Final = re.compile(r"[0-9]{9,22}")
_DURATION: Final = re.compile(
    r"(?:(\d+)\s*(?:h|hr|hrs|hours?|std\.?|stunden?|heures?|horas?)\b\.?)?[\s,]*"
    r"(?:(\d+)\s*(?:m|min|mins|minutes?|minuten?|minutos?)\b\.?)?[\s,]*"
    r"(?:(\d+)\s*(?:s|sec|secs|seconds?|sek\.?|sekunden?|secondes?|segundos?)\b\.?)?",
    re.IGNORECASE,
)
_CLOCKED: Final = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2}))?")


@lru_cache(maxsize=1024)
def read_time(
    text: str, zone: tzinfo | None = None, order: DateOrder | None = None, title: str = "", zone_as: str = ""
) -> Moment | TimeFault:
    """Read a time as one of the usual tools writes it.

    `zone` is the zone of times that name none, `order` that of dates of three numbers, `title` the zone that the
    column's title names, as if it were written behind each time, `zone_as` the abbreviation that stands for `zone`.
    Whole numbers are milliseconds since 1970.
    """
    text = text.strip().strip("\"'=").strip()
    if _DIGITS.fullmatch(text):
        return _milliseconds(int(text))
    if len(text) > 10 and text[4] == "-" and text[10] in "T ":  # noqa: PLR2004 - 2026-03-01T…
        try:
            return instant(datetime.fromisoformat(text), title, zone, zone_as)
        except ValueError:
            pass  # such as 2026-03-01 10:00 CET
    plain = _plain(text)
    day = _day(plain, order)
    if isinstance(day, TimeFault):
        return day._replace(what=f"{shown(text)} {day.what}")
    date, rest = day
    if not rest.strip(" ,"):
        moment = instant(date, title, zone, zone_as)
        return Moment(moment.ms, day_only=True) if isinstance(moment, Moment) else moment
    clock = _clock(date, rest)
    if isinstance(clock, TimeFault):
        return clock._replace(what=f"{shown(text)} {clock.what}")
    local, written = clock
    return instant(local, written or title, zone, zone_as)


def read_duration(text: str, unit: timedelta | None) -> timedelta | TimeFault:
    """Read how long somebody stayed: “1h 27m 51s”, “01:27:51”, “35 mins”, or a number of `unit`s."""
    text = text.strip().strip("\"'=")
    right = "a duration such as 1h 27m 51s, or 01:27:51"
    try:
        if unit is not None:
            return float(text.replace(",", ".")) * unit
    except (ValueError, OverflowError):
        pass
    if re.fullmatch(r"[0-9.]+", text):
        return TimeFault(f"{shown(text)} has no unit", f"{right}; or say --map “the column=minutes”", option=True)
    found = _DURATION.fullmatch(text) if text else None
    if found is None and (found := _CLOCKED.fullmatch(text)) and found[3] is None:
        return TimeFault(f"{shown(text)} may be hours and minutes, or minutes and seconds", right)
    if found is None:
        return TimeFault(f"{shown(text)} is no duration", right)
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return TimeFault(f"{shown(text)} is no duration", right)


def _milliseconds(number: int) -> Moment | TimeFault:
    if EARLIEST_MS <= number <= LATEST_MS:
        return Moment(number)
    if number < EARLIEST_MS:
        return TimeFault(f"{number} looks like seconds", f"milliseconds: {number * 1000}")
    return TimeFault(f"{number} is beyond the year 9999", "milliseconds since 1970 (micro- or nanoseconds?)")


def _plain(text: str) -> str:
    """Write a text in lower case, without accents and with plain blanks (newer tools put U+202F before PM)."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def _day(text: str, order: DateOrder | None) -> tuple[datetime, str] | TimeFault:
    """Read the date that a text begins with; give it and what follows."""
    if found := _NUMBERS.match(text):
        day = _doubtful_year(found, order) or _three(found[1], found[2], found[3], found[4], order)
        if isinstance(day, TimeFault):
            return day
        year, month, number, rest = *day, found[5]
    elif found := _DAY_NAMED.match(text):
        year, month, number, rest = int(found[3]), _month(found[2]), int(found[1]), found[4]
    elif found := _MONTH_NAMED.match(text):
        year, month, number, rest = int(found[3]), _month(found[1]), int(found[2]), found[4]
    else:
        return TimeFault("is no date and time that is known here", RIGHT)
    try:
        return datetime(year, month, number), rest  # noqa: DTZ001 - its zone is read next
    except ValueError:
        return TimeFault("is no day of the calendar", RIGHT)


def _three(first: str, mark: str, second: str, third: str, order: DateOrder | None) -> tuple[int, int, int] | TimeFault:
    """Give year, month and day of a date of three numbers; one that could be two dates is a fault."""
    a, b, c = int(first), int(second), int(third)
    if len(first) == _FOUR_DIGITS:
        return a, b, c
    if len(first) > 2:  # noqa: PLR2004
        return TimeFault("is no date and time that is known here", RIGHT)
    if order is DateOrder.YMD:
        return 2000 + a, b, c
    year = c if len(third) == _FOUR_DIGITS else 2000 + c
    day_first, month_first = b <= _MONTHS_IN_A_YEAR, a <= _MONTHS_IN_A_YEAR
    if order is None and mark == ".":  # no country writes the month first with dots
        order = DateOrder.DMY
    if order is None and day_first and month_first and a != b:
        what = f"may be {a} {_ENGLISH[b - 1]} or {b} {_ENGLISH[a - 1]}"
        return TimeFault(what, "--date-order dmy (day first) or mdy (month first)", option=True)
    if order is DateOrder.DMY or (order is None and day_first):
        return year, b, a
    return year, a, b


def _doubtful_year(found: re.Match[str], order: DateOrder | None) -> TimeFault | None:
    """Say why a date of two-digit numbers may be another: of the last century, or written with its year first."""
    a, mark, b, c = int(found[1]), found[2], int(found[3]), int(found[4])
    if max(len(found[1]), len(found[4])) == _FOUR_DIGITS or order is DateOrder.YMD:
        return None
    if c >= _LAST_CENTURY:
        return TimeFault(f"has the year {c}, which may be {1900 + c} or {2000 + c}", "the year with four digits")
    if order is None and mark != "." and c < _FIRST_REPORTS and b <= _MONTHS_IN_A_YEAR < a:
        what = f"may be {a} {_ENGLISH[b - 1]} {2000 + c} or {c} {_ENGLISH[b - 1]} {2000 + a}"
        return TimeFault(what, "--date-order dmy (day first) or ymd (year first)", option=True)
    return None


_ENGLISH: Final = tuple(names[0].capitalize() for names in _MONTHS)


def _month(name: str) -> int:
    """Give a month's number, or 0 for what is none."""
    for number, names in enumerate(_MONTHS, 1):
        if len(name) >= _SHORTEST_MONTH and any(full.startswith(name) for full in names):
            return number
    return 0


def _clock(date: datetime, rest: str) -> tuple[datetime, str] | TimeFault:
    """Read the time of day that follows a date; give the local time and the zone written behind it."""
    found = _CLOCK.fullmatch(rest)
    if found is None:
        return TimeFault("has no time of day that is known here", RIGHT)
    hour, minute, second, fraction, half, zone = found.groups()
    hours = int(hour)
    if minute is None and half is None:
        return TimeFault("has no time of day that is known here", RIGHT)
    if half:
        if not 1 <= hours <= 12:  # noqa: PLR2004
            return TimeFault("has no time of day that is known here", RIGHT)
        hours = hours % 12 + (12 if half == "p" else 0)
    try:
        micros = int(f"{fraction or 0:0<6}"[:6])
        return date.replace(hour=hours, minute=int(minute or 0), second=int(second or 0), microsecond=micros), zone
    except ValueError:
        return TimeFault("has no time of day that is known here", RIGHT)


def iso(ms: int) -> str:
    """Write an instant as HubSpot's `joinedAt` and `leftAt` want it."""
    text = (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds" if ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")
