"""Time zones in people's words: “Eastern Time”, “GMT-7”, “Berlin”. Each means one clock, and is echoed with it.

Only what can be meant in one way is read: `EST` is asked back, for in summer it is another clock to a computer than to
the people of New York.
"""

import re
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Final
from unicodedata import combining, normalize
from zoneinfo import ZoneInfo, available_timezones

from models.input_check import Reason, shown
from models.zones import name_of, offset_of, read_offset, read_zone

_CLOCKS: Final = {
    "eastern": "America/New_York", "central": "America/Chicago", "mountain": "America/Denver",
    "pacific": "America/Los_Angeles", "atlantic": "America/Halifax", "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu", "central european": "Europe/Berlin", "central europe": "Europe/Berlin",
    "eastern european": "Europe/Athens", "western european": "Europe/Lisbon", "uk": "Europe/London",
    "british": "Europe/London", "india": "Asia/Kolkata", "indian": "Asia/Kolkata", "india standard": "Asia/Kolkata",
    "indian standard": "Asia/Kolkata", "japan": "Asia/Tokyo", "japan standard": "Asia/Tokyo",
    "singapore": "Asia/Singapore", "israel": "Asia/Jerusalem",
}  # fmt: skip
"""Clocks that are named without “standard” or “daylight”: “Eastern Time”, “US Pacific”."""
_NAMED: Final = re.compile(
    r"(?:(?P<us>us|u\.s\.|american)[\s/]+)?(?P<clock>[a-z ]+?)(?P<time>\s+time)?"
    r"(?:\s*\((?:usa?|us (?:&|and) canada|.t)\))?"
)
_AMERICAN: Final = frozenset({"eastern", "central", "mountain", "pacific"})
_GENERIC: Final = {
    "et": "America/New_York",
    "ct": "America/Chicago",
    "mt": "America/Denver",
    "pt": "America/Los_Angeles",
}
_OFFSET: Final = re.compile(r"\(?(?:gmt|utc)\s*([+−–-]\s?[0-9]{1,2}(?::?[0-9]{2})?)\)?", re.IGNORECASE)
_CITIES: Final = {
    "wien": "Europe/Vienna", "praha": "Europe/Prague", "prag": "Europe/Prague", "warszawa": "Europe/Warsaw",
    "warschau": "Europe/Warsaw", "roma": "Europe/Rome", "rom": "Europe/Rome", "milano": "Europe/Rome",
    "mailand": "Europe/Rome", "københavn": "Europe/Copenhagen", "kopenhagen": "Europe/Copenhagen",
    "geneve": "Europe/Zurich", "genf": "Europe/Zurich", "lisboa": "Europe/Lisbon", "lissabon": "Europe/Lisbon",
    "bruxelles": "Europe/Brussels", "brussel": "Europe/Brussels", "athen": "Europe/Athens", "moskau": "Europe/Moscow",
    "goteborg": "Europe/Stockholm", "malmo": "Europe/Stockholm", "bucuresti": "Europe/Bucharest",
    "munich": "Europe/Berlin", "munchen": "Europe/Berlin", "hamburg": "Europe/Berlin", "frankfurt": "Europe/Berlin",
    "cologne": "Europe/Berlin", "koln": "Europe/Berlin", "geneva": "Europe/Zurich", "barcelona": "Europe/Madrid",
    "milan": "Europe/Rome", "lyon": "Europe/Paris", "edinburgh": "Europe/London", "manchester": "Europe/London",
    "rotterdam": "Europe/Amsterdam", "krakow": "Europe/Warsaw", "washington": "America/New_York",
    "boston": "America/New_York", "philadelphia": "America/New_York", "atlanta": "America/New_York",
    "miami": "America/New_York", "dallas": "America/Chicago", "houston": "America/Chicago",
    "austin": "America/Chicago", "minneapolis": "America/Chicago", "seattle": "America/Los_Angeles",
    "san francisco": "America/Los_Angeles", "san diego": "America/Los_Angeles", "las vegas": "America/Los_Angeles",
    "montreal": "America/Toronto", "rio de janeiro": "America/Sao_Paulo", "mumbai": "Asia/Kolkata",
    "delhi": "Asia/Kolkata", "new delhi": "Asia/Kolkata", "bangalore": "Asia/Kolkata", "bengaluru": "Asia/Kolkata",
    "chennai": "Asia/Kolkata", "hyderabad": "Asia/Kolkata", "pune": "Asia/Kolkata", "beijing": "Asia/Shanghai",
    "shenzhen": "Asia/Shanghai", "osaka": "Asia/Tokyo", "kyoto": "Asia/Tokyo", "abu dhabi": "Asia/Dubai",
    "tel aviv": "Asia/Jerusalem", "canberra": "Australia/Sydney", "wellington": "Pacific/Auckland",
    "cape town": "Africa/Johannesburg",
}  # fmt: skip
"""Large cities that the time zone database does not name (or not so), without accents, and the zone they lie in."""
_SEVERAL: Final = {
    "san juan": ("America/Puerto_Rico", "America/Argentina/San_Juan"),
    "victoria": ("America/Vancouver", "Australia/Melbourne", "Indian/Mahe"),
    "merida": ("America/Merida", "Europe/Madrid", "America/Caracas"),
    "la paz": ("America/La_Paz", "America/Mazatlan"),
    "st johns": ("America/St_Johns", "America/Antigua"),
    "georgia": ("Asia/Tbilisi", "America/New_York"),
    "birmingham": ("Europe/London", "America/Chicago"),
    "portland": ("America/Los_Angeles", "America/New_York"),
    "san jose": ("America/Los_Angeles", "America/Costa_Rica"),
    "hamilton": ("America/Toronto", "Atlantic/Bermuda", "Pacific/Auckland"),
    "kingston": ("America/Jamaica", "America/Toronto"),
    "valencia": ("Europe/Madrid", "America/Caracas"),
    "cordoba": ("America/Argentina/Cordoba", "Europe/Madrid"),
    "cambridge": ("Europe/London", "America/New_York"),
    "newcastle": ("Europe/London", "Australia/Sydney"),
}  # fmt: skip
"""Places of one name on several clocks, without accents: which one is asked back."""
_WINTER, _SUMMER = datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12)  # noqa: DTZ001 - asked in each zone


def read_spoken(text: str) -> tzinfo | Reason:
    """Read a zone as a person says it, else as it is written: a place's name, UTC, or an offset."""
    name = " ".join(text.split())
    if several := _SEVERAL.get(_unaccented(name.lower())):
        return Reason("", f"{shown(name)} is the name of several places", " or ".join(several))
    if found := _OFFSET.fullmatch(name):
        fixed = read_offset(re.sub(r"\s", "", found[1]).replace("−", "-").replace("–", "-"))
        if fixed is not None:
            return fixed
    for written in (name.lower(), _unaccented(name.lower())):
        if (known := _spoken(written)) is not None:
            return ZoneInfo(known)
    return read_zone(name)


def _unaccented(name: str) -> str:
    """Give “zurich” for “zürich”, as the time zone database writes names."""
    return "".join(letter for letter in normalize("NFKD", name) if not combining(letter))


def says(zone: tzinfo) -> str:
    """Say what a zone is: its name, and what its clock shows beside UTC."""
    name, winter, summer = name_of(zone), offset_of(zone, _WINTER), offset_of(zone, _SUMMER)
    if not isinstance(zone, ZoneInfo):
        return f"{winter} from UTC all year"
    if name == "UTC":
        return "UTC"
    return f"{name} (UTC{winter}" + (" all year)" if winter == summer else f" in January, UTC{summer} in July)")


def _spoken(name: str) -> str | None:
    if name in _GENERIC:
        return _GENERIC[name]
    if (found := _NAMED.fullmatch(name)) is not None:
        clock = found["clock"].strip()
        if clock in _CLOCKS and (found["time"] or (found["us"] and clock in _AMERICAN)):
            return _CLOCKS[clock]
    if name in _CITIES:
        return _CITIES[name]
    return _cities().get(name.replace(" ", "_"))


@lru_cache(maxsize=1)
def _cities() -> dict[str, str]:
    """Give the zones that are named by a city, by its name, where only one city has it."""
    named: dict[str, set[str]] = {}
    for zone in available_timezones():
        area, _, city = zone.rpartition("/")
        if area and area.partition("/")[0] in _AREAS and city.lower() not in _NO_CITIES:
            named.setdefault(city.lower(), set()).add(zone)
    return {city: next(iter(zones)) for city, zones in named.items() if len(zones) == 1}


_NO_CITIES: Final = frozenset({"west", "north", "south", "act", "nsw", "center", "reunion", "easter"})
"""Names of zones that are words of something else."""
_AREAS: Final = frozenset({"Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"})
