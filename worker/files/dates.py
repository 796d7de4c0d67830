"""The day that a text begins with, in the order in which its numbers are written; never guessed."""

import re
from datetime import date, datetime
from typing import Final

from worker.files.clocks import RIGHT, TimeFault
from worker.files.options import DateOrder
from worker.files.plain_text import plain

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
        "november novembre noviembre novembro kasim ноября ноябрь",
        "december dezember decembre diciembre dezembro dicembre desember grudnia grudzien aralik декабря декабрь",
    )
)
"""Without accents, in the languages of the usual tools; three letters of one are enough."""
_ENGLISH: Final = tuple(names[0].capitalize() for names in _MONTHS)
_SHORTEST_MONTH: Final = 3
_TWO_MONTHS: Final = dict.fromkeys(("listopada", "listopad", "lis"), "October or November") | {"lip": "June or July"}
"""Of Slavic languages: what is one month in Croatian is the next in Polish or Czech."""
_WEEKDAYS: Final = tuple(
    tuple(names.split())
    for names in (
        "monday montag lundi lunes lunedi segunda maandag",
        "tuesday dienstag mardi martes martedi terca dinsdag",
        "wednesday mittwoch mercredi miercoles mercoledi quarta woensdag",
        "thursday donnerstag jeudi jueves giovedi quinta donderdag",
        "friday freitag vendredi viernes venerdi sexta vrijdag",
        "saturday samstag samedi sabado sabato zaterdag",
        "sunday sonntag dimanche domingo domenica zondag",
    )
)
"""Without accents; three letters are enough."""
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
_CLOCK_FIRST: Final = re.compile(
    r"(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s*[ap]\.?\s?m\.?)?)[,\s]+(?:on\s+)?(\D*\d{1,4}[\s/.,-].*\d{2,4})"
)
"""A time of day before its date: 2:05 PM 9/24/2026."""
_DAY_OF_MONTH: Final = re.compile(r"(?:0?[1-9]|[12]\d|3[01])\.(?:0[1-9]|1[0-2])")
_DOTTED: Final = re.compile(r"(\d{1,2})\.(\d{2})\.(\d{2})")


def date_first(text: str) -> str:
    """Write a plain text with its date before its time of day, whichever comes first."""
    found = _CLOCK_FIRST.fullmatch(text)
    return f"{found[2]} {found[1]}" if found else text


def possible_orders(text: str) -> frozenset[DateOrder] | None:
    """Give the orders in which a date of three numbers can be read; None where it is none, or its order is clear.

    A year of two digits is from 2012 on: the tools whose reports these are wrote none before. It does not come first
    where a comma follows (21/10/26, 16:00:29, as Teams writes): no country writes both.
    """
    if text.isdecimal():  # milliseconds, which most programs write
        return None
    found = _NUMBERS.match(date_first(plain(text.strip().strip("\"'=").strip())))
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
    return _of_weekday(found, orders)


def _of_weekday(found: re.Match[str], orders: set[DateOrder]) -> frozenset[DateOrder]:
    """Give the orders that make a date the day of the week before it, where any does: Fri 03/04/2026 is in April."""
    named = _weekday(found)
    if named is None:
        return frozenset(orders)
    days = {order: _three(found[1], found[2], found[3], found[4], order) for order in orders}
    right = {order for order, day in days.items() if not isinstance(day, TimeFault) and _falls_on(day) == named}
    return frozenset(right or orders)


def _falls_on(day: tuple[int, int, int]) -> int | None:
    try:
        return date(*day).weekday()
    except ValueError:
        return None


def _weekday(found: re.Match[str]) -> int | None:
    """Give the day of the week that stands before a date, from 0 for Monday."""
    word = found.string[: found.start(1)].strip(" .,")
    if len(word) < _SHORTEST_MONTH:
        return None
    return next((day for day, names in enumerate(_WEEKDAYS) if any(one.startswith(word) for one in names)), None)


def is_dotted_day(text: str) -> bool:
    """Say whether three numbers with dots, and nothing else, can be a day: 12.03.26, and not 19.45.10."""
    found = _DOTTED.fullmatch(text)
    return found is not None and int(found[3]) >= _FIRST_REPORTS and _is_day(int(found[2]), int(found[1]))


def is_day_of_month(text: str) -> bool:
    """Say whether two numbers with a dot can be a day without its year: 01.03, and not 10.30."""
    return _DAY_OF_MONTH.fullmatch(text) is not None


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= _MONTHS_IN_A_YEAR and 1 <= day <= 31  # noqa: PLR2004


def read_day(text: str, order: DateOrder | None) -> tuple[datetime, str] | TimeFault:
    """Read the date that a text begins with; give it and what follows."""
    if found := _NUMBERS.match(text):
        day = _doubtful_year(found, order) or _three(found[1], found[2], found[3], found[4], order)
        if isinstance(day, TimeFault):
            return day
        month: int | str
        year, month, number, rest = *day, found[5]
    elif found := _DAY_NAMED.match(text):
        year, month, number, rest = _year(found[3]), _month(found[2]), int(found[1]), found[4]
    elif found := _MONTH_NAMED.match(text):
        year, month, number, rest = int(found[3]), _month(found[1]), int(found[2]), found[4]
    else:
        return TimeFault("is no date and time that is known here", RIGHT)
    if isinstance(month, str):
        return TimeFault(f"has a month that is {month}, by the language", "the month as a number: 2026-10-13")
    try:
        on = datetime(year, month, number)  # noqa: DTZ001 - its zone is read next
    except ValueError:
        return TimeFault("is no day of the calendar", RIGHT)
    if (named := _weekday(found)) is not None and named != on.weekday():
        other = _WEEKDAYS[on.weekday()][0].capitalize()
        return TimeFault(f"is a {other} if it is {on:%d %B %Y}", "the right day (another --date-order?)")
    return on, rest


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


def _month(name: str) -> int | str:
    """Give a month's number, or 0 for what is none; or which two a name may be."""
    if (months := _TWO_MONTHS.get(name)) is not None:
        return months
    for number, names in enumerate(_MONTHS, 1):
        if len(name) >= _SHORTEST_MONTH and any(full.startswith(name) for full in names):
            return number
    return 0
