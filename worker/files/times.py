"""What the usual tools write as a time, read as an instant: never guessed, never “now”.

A date that could be two, a time without a zone, a time that the clocks skipped or struck twice: each is a fault
that says what would be right.
"""

import re
import unicodedata
from contextlib import suppress
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from models.input_check import EARLIEST_MS, LATEST_MS, shown
from worker.files.clocks import EPOCH, RIGHT, Moment, TimeFault, instant
from worker.files.options import DateOrder

_MONTHS: Final = tuple(
    tuple(names.split())
    for names in (
        "january januar janner janvier enero janeiro gennaio januari stycznia styczen ocak января январь",
        "february februar fevrier febrero fevereiro febbraio februari lutego luty subat февраля февраль",
        "march marz maerz mars marzo mrz marco maart mrt marca marzec mart марта март",
        "april avril abril avr aprile kwietnia kwiecien nisan апреля апрель",
        "may mai mayo maio maggio mei maj maja mayis мая маи",
        "june juni juin junio junho giugno czerwca czerwiec haziran июня июнь",
        "july juli juillet julio julho luglio lipca lipiec temmuz июля июль",
        "august aout agosto augustus augusti sierpnia sierpien agustos августа август",
        "september septembre septiembre sept setiembre setembro settembre wrzesnia wrzesien eylul сентября сентябрь",
        "october oktober octobre octubre outubro ottobre pazdziernika pazdziernik ekim октября октябрь",
        "november novembre noviembre novembro listopada listopad kasim ноября ноябрь",
        "december dezember decembre diciembre dezembro dicembre desember grudnia grudzien aralik декабря декабрь",
    )
)
"""Without accents, in the languages of the usual tools; three letters of one are enough."""
_SHORTEST_MONTH: Final = 3
_FOUR_DIGITS: Final = 4
_MONTHS_IN_A_YEAR: Final = 12
_FIRST_REPORTS: Final = 12
"""A date of two-digit numbers whose last would be an earlier year more probably begins with the year: 26/03/04."""
_LAST_CENTURY: Final = 70
"""A two-digit year from 70 on may be of the last century."""

_NUMBERS: Final = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+)?(\d{1,4})\s?([/.-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{1,2})\.?(?![\d/-])(.*)", re.DOTALL
)
_DAY_NAMED: Final = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+)?(\d{1,2})(?:st|nd|rd|th|er)?[.\s-]+(?:de\s+)?([^\W\d_]+)[.,\s-]+(?:de\s+)?(\d{4}|\d{2})(?!\d)(?:\s?г\.?)?(.*)"
)
_MONTH_NAMED: Final = re.compile(
    r"(?:[^\W\d_]+\.?,?\s+)?([^\W\d_]+)\.?[\s-]+(\d{1,2})(?:st|nd|rd|th)?,?[\s-]+(\d{4})(?!\d)(.*)"
)
_CLOCK: Final = re.compile(
    r"(?:[t,\s]|at\s|um\s|a\s|as\s|alle\s|om\s|kl\.?\s|klo\s|a las\s)*"
    r"(\d{1,2})(?:[:.h](\d{2})(?:[:.](\d{2})(?:[.,](\d{1,9}))?)?)?\s*(?:uhr\b)?\s*(?:([ap])\.?\s?m\b\.?)?\s*(.*)"
)
_CLOCK_FIRST: Final = re.compile(
    r"(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s*[ap]\.?\s?m\.?)?)[,\s]+(?:on\s+)?(\D*\d{1,4}[\s/.-].*\d{2,4})"
)
"""A time of day before its date: 2:05 PM 9/24/2026."""
_HALF: Final = r"\s*[ap]\.?\s?m\b\.?"
_CLOCK_BEHIND: Final = r".*(?:(?<![\d+-])\d{1,2}[:.h]\d{2}|\d\s*[ap]\.?\s?m\b)"
"""Behind three numbers with dots: these are a date, as in 12.03.26 19:00."""
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{2})\.(\d{2})")
_ONLY_CLOCK: Final = re.compile(
    rf"\d{{1,2}}(?:(?:[:h]\d{{2}}(?:[:.]\d{{2}}(?:[.,]\d{{1,9}})?)?|\.\d{{2}}\.\d{{2}}(?!\d|{_CLOCK_BEHIND}))(?:{_HALF})?|{_HALF})(?:\s*uhr)?(?:\s+.*)?"
)
_EASTERN_DATE: Final = re.compile(r"(\d{2,4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号]\s*")
_EASTERN_CLOCK: Final = re.compile(r"(\d{1,2})\s*[時时시点點]\s*(?:(\d{1,2})\s*[分분])?\s*(?:(\d{1,2})\s*[秒초])?")
_EASTERN_HALF: Final = re.compile(r"(午前|上午|오전|午後|下午|오후)\s*([\d:.]+)")
_WEEKDAY: Final = re.compile(r"[(（]\s*[月火水木金土日월화수목금토일]\s*[)）]|(?:星期|周)[一二三四五六日天]")
_DIGITS: Final = re.compile(r"[0-9]{9,22}")
_SERIAL: Final = re.compile(r"([0-9]{5})(?:[.,]([0-9]{1,15}))?")
"""A workbook's days since 1900, or 1904: a number in a column of times that nobody formatted."""
_SERIAL_FROM: Final = {"1900": datetime(1899, 12, 30), "1904": datetime(1904, 1, 1)}  # noqa: DTZ001 - read next
_HOURS: Final = (
    r"h|hr|hrs|hours?|std\.?|stunden?|heures?|horas?|ore|ora|uur|uren|tim|timmar|godz\.?|時間|小时|小時|시간"
)
_MINUTES: Final = r"m|min|mins|minutes?|minuten?|minutos?|minuti|minuto|minuter|minut|分|分钟|分鐘|분"
_SECONDS: Final = r"s|sec|secs|seconds?|sek\.?|sekunden?|secondes?|segundos?|secondi|seconden|sekund|seg\.?|秒|초"
_DURATION: Final = re.compile(
    rf"(?:(\d+)\s*(?:{_HOURS})(?![^\W\d_])\.?)?[\s,]*(?:(\d+)\s*(?:{_MINUTES})(?![^\W\d_])\.?)?[\s,]*"
    rf"(?:(\d+)\s*(?:{_SECONDS})(?![^\W\d_])\.?)?",
    re.IGNORECASE,
)
_HOURS_ALONE: Final = re.compile(r"(\d+)\s*h\s*(\d{1,2})", re.IGNORECASE)
_ISO_DURATION: Final = re.compile(r"P(?:T(?=\d))(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,]\d+)?S)?", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+")
_CLOCKED: Final = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2}))?")


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
    if len(text) > 10 and text[4] == "-" and text[10] in "T ":  # noqa: PLR2004 - 2026-03-01T…
        try:
            return Written(datetime.fromisoformat(text))
        except ValueError:
            pass  # such as 2026-03-01 10:00 CET
    if excel_dates and (found := _SERIAL.fullmatch(text)):
        part = round(float(f"0.{found[2] or 0}") * 86_400)
        return Written(_SERIAL_FROM[excel_dates] + timedelta(days=int(found[1]), seconds=part), day_only=not found[2])
    plain = _plain(text)
    if found := _CLOCK_FIRST.fullmatch(plain):
        plain = f"{found[2]} {found[1]}"
    if is_dotted_day(plain):
        if order is None and _DOTTED.fullmatch(plain) and not isinstance(_clock(_EPOCH, plain), TimeFault):
            what = f"{shown(text)} may be a day, or a time of day"
            return TimeFault(what, "--date-order dmy for days; or times of day such as 12:03:26", option=True)
    elif _ONLY_CLOCK.fullmatch(plain):
        clock = _clock(_EPOCH, plain)
        return Written(*clock, clock_only=True) if not isinstance(clock, TimeFault) else clock
    day = _day(plain, order)
    if isinstance(day, TimeFault):
        return day._replace(what=f"{shown(text)} {day.what}")
    on, rest = day
    if not rest.strip(" ,"):
        return Written(on, day_only=True)
    clock = _clock(on, rest)
    if isinstance(clock, TimeFault):
        return clock._replace(what=f"{shown(text)} {clock.what}")
    return Written(*clock)


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
    plain = text.strip().strip("\"'=").strip()
    if _DIGITS.fullmatch(plain):
        return _milliseconds(int(plain))
    written = read_written(text, order, excel_dates)
    if isinstance(written, TimeFault):
        return written
    local = written.local
    if written.clock_only:
        if day is None:
            what = f"{shown(text)} is a time of day without its day"
            return TimeFault(what, "said by --day, such as --day 2026-03-29", option=True)
        local = local.replace(year=day.year, month=day.month, day=day.day)
    moment = instant(local, written.zone or title, zone, zone_as)
    if written.day_only and isinstance(moment, Moment):
        return Moment(moment.ms, day_only=True)
    return moment


def possible_orders(text: str) -> frozenset[DateOrder] | None:
    """Give the orders in which a date of three numbers can be read; None where it is none, or its order is clear.

    A year of two digits is from 2012 on: the tools whose reports these are wrote none before. It does not come first
    where a comma follows (21/10/26, 16:00:29, as Teams writes): no country writes both.
    """
    plain = _plain(text.strip().strip("\"'=").strip())
    if first := _CLOCK_FIRST.fullmatch(plain):
        plain = first[2]
    found = _NUMBERS.match(plain)
    if found is None or len(found[1]) > 2 or found[2] == ".":  # noqa: PLR2004 - the year comes first
        return None
    a, b, c = int(found[1]), int(found[3]), int(found[4])
    orders = set()
    is_year = len(found[4]) == _FOUR_DIGITS or _FIRST_REPORTS <= c < _LAST_CENTURY
    if is_year and _is_day(b, a):
        orders.add(DateOrder.DMY)
    if is_year and _is_day(a, b):
        orders.add(DateOrder.MDY)
    is_short = len(found[4]) < _FOUR_DIGITS and len(found[1]) == 2  # noqa: PLR2004
    if is_short and not found[5].startswith(",") and _FIRST_REPORTS <= a < _LAST_CENTURY and _is_day(b, c):
        orders.add(DateOrder.YMD)
    return frozenset(orders)


def is_dotted_day(text: str) -> bool:
    """Say whether three numbers with dots, and nothing else, can be a day: 12.03.26, and not 19.45.10."""
    found = _DOTTED.fullmatch(text)
    return found is not None and int(found[3]) >= _FIRST_REPORTS and _is_day(int(found[2]), int(found[1]))


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= _MONTHS_IN_A_YEAR and 1 <= day <= 31  # noqa: PLR2004


def read_duration(  # noqa: PLR0911 - one for each form
    text: str, unit: timedelta | None
) -> timedelta | TimeFault:
    """Read how long somebody stayed: “1h 27m 51s”, “01:27:51”, “35 mins”, or a number of `unit`s."""
    text = text.strip().strip("\"'=")
    right = "a duration such as 1h 27m 51s, or 01:27:51"
    text = unicodedata.normalize("NFKC", text).strip()
    if unit is not None and _THOUSANDS.fullmatch(text):
        return TimeFault(f"{shown(text)} may be thousands, or parts of one", "a number such as 3600, or 3.6")
    with suppress(OverflowError):
        if unit is not None and _NUMBER.fullmatch(text):
            return float(text.replace(",", ".")) * unit
    if text == "0":
        return timedelta(0)
    if re.fullmatch(r"[0-9.]+", text):
        return TimeFault(f"{shown(text)} has no unit", f"{right}; or say --map “the column=minutes”", option=True)
    found = (_DURATION.fullmatch(text) or _ISO_DURATION.fullmatch(text)) if text else None
    if found is None and (short := _HOURS_ALONE.fullmatch(text)):
        return timedelta(hours=int(short[1]), minutes=int(short[2]))
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
    """Write a text in lower case, without accents and marks that show nothing, and with plain blanks.

    Newer tools put U+202F before PM, and some a mark of direction before each part.
    """
    if not text.isascii():
        text = _western(unicodedata.normalize("NFKC", text))
    decomposed = unicodedata.normalize("NFKD", text.lower())
    kept = (c for c in decomposed if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    return " ".join("".join(kept).split())


def _western(text: str) -> str:
    """Write a Chinese, Japanese or Korean date and time of day in figures: 2026年5月11日 午後2時5分."""
    text = _EASTERN_DATE.sub(r"\1-\2-\3 ", _WEEKDAY.sub(" ", text))
    text = _EASTERN_CLOCK.sub(lambda found: ":".join(f"{part or 0:0>2}" for part in found.groups()), text)
    return _EASTERN_HALF.sub(lambda found: f"{found[2]} {'am' if found[1] in '午前上午오전' else 'pm'}", text)


def _day(text: str, order: DateOrder | None) -> tuple[datetime, str] | TimeFault:
    """Read the date that a text begins with; give it and what follows."""
    if found := _NUMBERS.match(text):
        day = _doubtful_year(found, order) or _three(found[1], found[2], found[3], found[4], order)
        if isinstance(day, TimeFault):
            return day
        year, month, number, rest = *day, found[5]
    elif found := _DAY_NAMED.match(text):
        year, month, number, rest = _year(found[3]), _month(found[2]), int(found[1]), found[4]
    elif found := _MONTH_NAMED.match(text):
        year, month, number, rest = int(found[3]), _month(found[1]), int(found[2]), found[4]
    else:
        return TimeFault("is no date and time that is known here", RIGHT)
    try:
        return datetime(year, month, number), rest  # noqa: DTZ001 - its zone is read next
    except ValueError:
        return TimeFault("is no day of the calendar", RIGHT)


def _year(text: str) -> int:
    """Give a year; one of two digits is of this century, as in 24-Sep-26."""
    return int(text) if len(text) == _FOUR_DIGITS else 2000 + int(text)


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
    if order is None and mark != "." and b <= _MONTHS_IN_A_YEAR < a and c < _FIRST_REPORTS:
        return _two_days(a, b, c)
    if order is None and mark != "." and (a > _MONTHS_IN_A_YEAR or a == b):
        orders = possible_orders(found.string) or frozenset()
        if DateOrder.YMD in orders and len(orders) > 1 and a != c:
            return _two_days(a, b, c)
    return None


def _two_days(a: int, b: int, c: int) -> TimeFault:
    what = f"may be {a} {_ENGLISH[b - 1]} {2000 + c} or {c} {_ENGLISH[b - 1]} {2000 + a}"
    return TimeFault(what, "--date-order dmy (day first) or ymd (year first)", option=True)


_ENGLISH: Final = tuple(names[0].capitalize() for names in _MONTHS)


def _month(name: str) -> int:
    """Give a month's number, or 0 for what is none."""
    for number, names in enumerate(_MONTHS, 1):
        if len(name) >= _SHORTEST_MONTH and any(full.startswith(name) for full in names):
            return number
    return 0


def _clock(on: datetime, rest: str) -> tuple[datetime, str] | TimeFault:
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
        return on.replace(hour=hours, minute=int(minute or 0), second=int(second or 0), microsecond=micros), zone
    except ValueError:
        return TimeFault("has no time of day that is known here", RIGHT)


def iso(ms: int) -> str:
    """Write an instant as HubSpot's `joinedAt` and `leftAt` want it."""
    text = (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds" if ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")
