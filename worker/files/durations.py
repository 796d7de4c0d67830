"""How long somebody stayed, as people and tools write it."""

import re
import unicodedata
from datetime import timedelta
from typing import Final

from models.input_check import shown
from worker.files.clocks import TimeFault
from worker.files.columns.known_titles import compact

RIGHT: Final = "a duration such as 1h 27m 51s, or 01:27:51"
_DAYS: Final = r"d|days?|tage?n?|jours?|d[ií]as?|dias?|giorn[oi]|dag(?:en|ar)?|dni|天|日"
_HOURS: Final = (
    r"h|hr|hrs|hours?|std\.?|stunden?|heures?|horas?|ore|ora|uur|uren|tim|timmar|godz\.?|時間|小时|小時|시간"
)
_MINUTES: Final = r"m|min|mins|minutes?|minuten?|minutos?|minuti|minuto|minuter|minut|分|分钟|分鐘|분"
_SECONDS: Final = r"s|sec|secs|seconds?|sek\.?|sekunden?|secondes?|segundos?|secondi|seconden|sekund|seg\.?|秒|초"
_AMOUNT: Final = r"(\d+(?:[.,]\d+)?)"
_BETWEEN: Final = r"[\s,]*(?:(?:and|und|et|y|e|en|och|i)\s+)?"
_DURATION: Final = re.compile(
    "".join(
        rf"(?:{_AMOUNT}\s*(?:{unit})(?![^\W\d_])\.?)?{_BETWEEN if unit is not _SECONDS else ''}"
        for unit in (_DAYS, _HOURS, _MINUTES, _SECONDS)
    ),
    re.IGNORECASE,
)
_HOURS_ALONE: Final = re.compile(r"(\d+)\s*h\s*(\d{1,2})", re.IGNORECASE)
_ISO_DURATION: Final = re.compile(
    rf"P(?=[\dT])(?:{_AMOUNT}D)?(?:T(?=\d)(?:{_AMOUNT}H)?(?:{_AMOUNT}M)?(?:{_AMOUNT}S)?)?", re.IGNORECASE
)
_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{3})+(\s*[^\W\d_].*)?")
_CLOCKED: Final = re.compile(
    rf"(?:(\d+)\s*(?:{_DAYS})[\s,]+)?(\d{{1,3}}):(\d{{2}})(?::(\d{{2}})(?:[.,]\d+)?)?", re.IGNORECASE
)
_CLOCKED_UNIT: Final = re.compile(rf"(\d{{1,3}}):(\d{{2}})\s*(?:({_HOURS})|({_MINUTES}))", re.IGNORECASE)
"""Two numbers with a colon and the unit of the first: 1:30 hours."""
_TOTAL: Final = ("total", "gesamt", "cumul", "complessiv")
"""Within a title: the sum of a person's stays."""
_UNITS: Final = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))


def read_duration(text: str, unit: timedelta | None) -> timedelta | TimeFault:
    """Read how long somebody stayed: “1h 27m 51s”, “1.5 hours”, “01:27:51”, “35 mins”, or a number of `unit`s."""
    text = unicodedata.normalize("NFKC", text.strip().strip("\"'=")).strip()
    if (found := _THOUSANDS.fullmatch(text)) and (unit is not None or found[1]):
        return TimeFault(f"{shown(text)} may be thousands, or parts of one", "a number such as 3600, or 3.6")
    try:
        return _read(text, unit)
    except OverflowError:
        return TimeFault(f"{shown(text)} is no duration", RIGHT)


def is_total(title: str) -> bool:
    """Say whether a title of lengths tells of the sum of a person's stays."""
    return any(word in compact(title) for word in _TOTAL)


def _read(  # noqa: PLR0911 - one for each form
    text: str, unit: timedelta | None
) -> timedelta | TimeFault:
    if unit is not None and _NUMBER.fullmatch(text):
        return _amount(text) * unit
    if text == "0":
        return timedelta(0)
    if re.fullmatch(r"[0-9.]+", text):
        return TimeFault(f"{shown(text)} has no unit", f'{RIGHT}; or --map "Their column=minutes"', option=True)
    if (found := _DURATION.fullmatch(text) or _ISO_DURATION.fullmatch(text)) and any(found.groups()):
        return _sum(found.groups())
    if short := _HOURS_ALONE.fullmatch(text):
        return _sum((None, *short.groups()))
    if found := _CLOCKED_UNIT.fullmatch(text):
        return _sum((None, found[1], found[2])) if found[3] else _sum((None, None, found[1], found[2]))
    if (found := _CLOCKED.fullmatch(text)) and found[4] is None and found[1] is None:
        return TimeFault(f"{shown(text)} may be hours and minutes, or minutes and seconds", RIGHT)
    return _sum(found.groups()) if found else TimeFault(f"{shown(text)} is no duration", RIGHT)


def _sum(amounts: tuple[str | None, ...]) -> timedelta:
    """Add up days, hours, minutes and seconds, of which the last may be missing."""
    return sum((_amount(text or "0") * unit for text, unit in zip(amounts, _UNITS, strict=False)), timedelta(0))


def _amount(text: str) -> float:
    return float(text.replace(",", "."))
