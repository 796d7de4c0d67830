"""How long somebody stayed, as people and tools write it."""

import re
import unicodedata
from contextlib import suppress
from datetime import timedelta
from typing import Final

from models.input_check import shown
from worker.files.clocks import TimeFault

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
