"""Time zones as people name them: each is one clock without doubt, or is asked back with what it would mean.

`EST` is -05:00 all year for a computer and the clock of New York for most people, an hour apart in summer.
`Etc/GMT+5` is five hours behind UTC, `GMT+5` five ahead as people write it. PostgreSQL and Python read several of
these differently (`CET`, `+05:00`), so what is kept in the database is always a place's name, or UTC.
"""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from models.input_check import Reason, shown

OF_UTC: Final = frozenset({"utc", "gmt", "z", "zulu", "uct", "universal", "greenwich", "gmt0", "gmt+0", "gmt-0"})
"""What stands for UTC in every reading."""

_GENERIC: Final[dict[str, tuple[str, ...]]] = {
    "ET": ("EST", "EDT"), "CT": ("CST", "CDT"), "MT": ("MST", "MDT"), "PT": ("PST", "PDT"),
}  # fmt: skip
"""Names of a clock that has a standard and a summer time, and the abbreviations of these."""

ABBREVIATIONS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "ET": (("", "America/New_York"),),
    "EST": (("-05:00", "America/New_York"),),
    "EDT": (("-04:00", "America/New_York"),),
    "CT": (("", "America/Chicago"),),
    "CST": (("-06:00", "America/Chicago"), ("+08:00", "Asia/Shanghai")),
    "CDT": (("-05:00", "America/Chicago"), ("-04:00", "America/Havana")),
    "MT": (("", "America/Denver"),),
    "MST": (("-07:00", "America/Denver"), ("-07:00", "America/Phoenix")),
    "MDT": (("-06:00", "America/Denver"),),
    "PT": (("", "America/Los_Angeles"),),
    "PST": (("-08:00", "America/Los_Angeles"), ("+08:00", "Asia/Manila")),
    "PDT": (("-07:00", "America/Los_Angeles"),),
    "AKST": (("-09:00", "America/Anchorage"),),
    "AKDT": (("-08:00", "America/Anchorage"),),
    "HST": (("-10:00", "Pacific/Honolulu"),),
    "AST": (("-04:00", "America/Halifax"), ("-04:00", "America/Puerto_Rico"), ("+03:00", "Asia/Riyadh")),
    "ADT": (("-03:00", "America/Halifax"),),
    "NST": (("-03:30", "America/St_Johns"),),
    "NDT": (("-02:30", "America/St_Johns"),),
    "BRT": (("-03:00", "America/Sao_Paulo"),),
    "ART": (("-03:00", "America/Argentina/Buenos_Aires"),),
    "WET": (("+00:00", "Europe/Lisbon"),),
    "WEST": (("+01:00", "Europe/Lisbon"),),
    "BST": (("+01:00", "Europe/London"), ("+06:00", "Asia/Dhaka")),
    "CET": (("+01:00", "Europe/Berlin"),),
    "CEST": (("+02:00", "Europe/Berlin"),),
    "MET": (("+01:00", "Europe/Berlin"),),
    "MEST": (("+02:00", "Europe/Berlin"),),
    "MEZ": (("+01:00", "Europe/Berlin"),),
    "MESZ": (("+02:00", "Europe/Berlin"),),
    "EET": (("+02:00", "Europe/Athens"), ("+02:00", "Africa/Cairo")),
    "EEST": (("+03:00", "Europe/Athens"),),
    "MSK": (("+03:00", "Europe/Moscow"),),
    "SAST": (("+02:00", "Africa/Johannesburg"),),
    "CAT": (("+02:00", "Africa/Maputo"),),
    "EAT": (("+03:00", "Africa/Nairobi"),),
    "WAT": (("+01:00", "Africa/Lagos"),),
    "GST": (("+04:00", "Asia/Dubai"),),
    "PKT": (("+05:00", "Asia/Karachi"),),
    "IST": (("+05:30", "Asia/Kolkata"), ("+01:00", "Europe/Dublin"), ("+02:00", "Asia/Jerusalem")),
    "IDT": (("+03:00", "Asia/Jerusalem"),),
    "SGT": (("+08:00", "Asia/Singapore"),),
    "MYT": (("+08:00", "Asia/Kuala_Lumpur"),),
    "HKT": (("+08:00", "Asia/Hong_Kong"),),
    "WIB": (("+07:00", "Asia/Jakarta"),),
    "JST": (("+09:00", "Asia/Tokyo"),),
    "KST": (("+09:00", "Asia/Seoul"),),
    "AWST": (("+08:00", "Australia/Perth"),),
    "ACST": (("+09:30", "Australia/Adelaide"), ("+09:30", "Australia/Darwin")),
    "ACDT": (("+10:30", "Australia/Adelaide"),),
    "AEST": (("+10:00", "Australia/Sydney"), ("+10:00", "Australia/Brisbane")),
    "AEDT": (("+11:00", "Australia/Sydney"),),
    "NZST": (("+12:00", "Pacific/Auckland"),),
    "NZDT": (("+13:00", "Pacific/Auckland"),),
}  # fmt: skip
"""Abbreviations that stand beside times, with the offset that each stands for and a place that uses it."""

_LONG: Final = re.compile(r"\b(eastern|central|mountain|pacific)\s+(standard\s+|daylight\s+)?time\b", re.IGNORECASE)
_EUROPEAN: Final = re.compile(r"\bcentral\s+europe(?:an)?\s+(standard\s+|summer\s+)?time\b", re.IGNORECASE)
_OFFSET: Final = re.compile(r"([+-])([0-9]{1,2})(?::?([0-9]{2}))?")
_COUNTED: Final = re.compile(r"(etc/)?(?:gmt|utc)\s*([+-][0-9]{1,2}(?::?[0-9]{2})?)", re.IGNORECASE)
_WRITTEN: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:utc|gmt)\s*)?[+-][0-9]{1,2}(?::?[0-9]{2})?(?![0-9/-])", re.IGNORECASE
)
_ZONE_LIKE: Final = re.compile("[A-Z]{2,4}T")
"""What may be an abbreviation that is not known here; behind a time it is asked about, so in brackets it is too."""
_WEST, _EAST = timedelta(hours=-12), timedelta(hours=14)
"""The clocks furthest behind and ahead of UTC; any more is no offset."""
_NOT_PLACES: Final = ("posix/", "right/", "systemv/", "localtime", "posixrules", "factory", "leapseconds")
"""Files beside the zones: this machine's own setting, and clocks that count leap seconds."""
_PLACE: Final = "the name of a place, such as Europe/Berlin or America/New_York, or UTC"
_WINTER, _SUMMER = datetime(2026, 1, 15, 12), datetime(2026, 7, 15, 12)  # noqa: DTZ001 - asked in each zone


def read_zone(text: str) -> tzinfo | Reason:
    """Read the zone of a file's times: a place's name, UTC, or an offset from UTC such as -05:00."""
    name = " ".join(text.split())
    if (fixed := read_offset(name)) or (
        (found := _COUNTED.fullmatch(name)) and name[0] in "Uu" and (fixed := read_offset(found[2]))
    ):
        return fixed
    return _named(name, offsets=True)


def read_place(text: str) -> ZoneInfo | Reason:
    """Read a zone that the database keeps: a place's name, or UTC."""
    return _named(" ".join(text.split()), offsets=False)


def read_offset(text: str) -> timezone | None:
    """Read an offset from UTC: -05:00, +0530, +2."""
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[3] or 0) > 59:  # noqa: PLR2004 - minutes
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0)) * (-1 if found[1] == "-" else 1)
    return timezone(offset) if _WEST <= offset <= _EAST else None


def name_of(zone: tzinfo) -> str:
    """Write a zone as `read_zone` reads it."""
    return zone.key if isinstance(zone, ZoneInfo) else offset_of(zone, _WINTER)


def offset_of(zone: tzinfo, local: datetime) -> str:
    """Write a zone's offset from UTC at a local time, such as -05:00."""
    digits = f"{local.replace(tzinfo=zone):%z}"
    return f"{digits[:3]}:{digits[3:5]}"


def abbreviation(text: str) -> str | None:
    """Give the abbreviation that a text is, also where it is written in full, such as “Eastern Standard Time”."""
    if text.strip().upper() in ABBREVIATIONS:
        return text.strip().upper()
    if found := _EUROPEAN.fullmatch(text.strip()):
        return "CEST" if (found[1] or "").lower().startswith("summer") else "CET"
    if found := _LONG.match(text.strip()):
        kind = (found[2] or "")[:1].upper()
        return f"{found[1][0].upper()}{kind}T"
    return None


def abbreviated(there: datetime, name: str) -> bool:
    """Say whether the clock of a time's zone goes by this abbreviation at that time."""
    own = (there.tzname() or "").upper()
    if isinstance(there.tzinfo, ZoneInfo) and own.isalpha():
        return own in _GENERIC.get(name, (_ENGLISH.get(name, name),))
    return there.tzinfo is not None and offset_of(there.tzinfo, there) in {
        offset for offset, _ in ABBREVIATIONS.get(name, ())
    }


_ENGLISH: Final = {"MEZ": "CET", "MESZ": "CEST", "MEST": "CEST", "MET": "CET"}


def meanings(name: str, local: datetime | None = None) -> tuple[str, list[str]] | None:
    """Say what an abbreviation may mean (at a local time), and what to write instead; nothing where it is unknown."""
    if name not in ABBREVIATIONS:
        return None
    said, offsets, places = [], [], []
    for offset, place in ABBREVIATIONS[name]:
        fixed, clock = f"{offset} all year", _clock_of(place, local)
        if offset and offset not in offsets:
            said.append(fixed)
            offsets.append(offset)
        if clock != fixed:
            said.append(f"the clock of {place} ({clock})")
        places.append(place)
    text = " or ".join((", ".join(said[:-1]), said[-1])) if said[1:] else said[0]
    return text, places + offsets


def zone_in(title: str) -> str:
    """Find the zone that a title names, in brackets or as its last word: “Join Time (EST)”, “start_time_utc”."""
    brackets = re.search(r"[(\[]([^()\[\]]*)[)\]]", title)
    text = brackets[1].strip() if brackets else ""
    if found := _WRITTEN.search(text):
        return found[0]
    if found := _EUROPEAN.search(text) or _LONG.search(text):
        return found[0]
    words = text.split() if brackets else re.split(r"[\s_-]+", title.strip())[1:][-1:]
    for word in words:
        bare = word.strip(",;:.")
        if bare.lower() in {"utc", "gmt"} or (bare.isupper() and bare in ABBREVIATIONS):
            return bare
        if brackets and _ZONE_LIKE.fullmatch(bare):
            return bare
        if "/" in bare and isinstance(_named(bare, offsets=False), ZoneInfo):
            return bare
    return ""


@lru_cache(maxsize=256)
def _named(name: str, *, offsets: bool) -> ZoneInfo | Reason:
    lower = name.lower()
    if lower.removeprefix("etc/") in OF_UTC:
        return ZoneInfo("UTC")
    if found := _COUNTED.fullmatch(name):
        return _counted(name, found[2], reversed_=bool(found[1]), offsets=offsets)
    if read_offset(name):
        return Reason("", f"{shown(name)} is an offset, and the clocks of a place change", _PLACE)
    if (short := abbreviation(name)) and (known := meanings(short)):
        said, right = known
        wanted = [one for one in right if offsets or "/" in one]
        return Reason("", f"{shown(name)} is an abbreviation: it may mean {said}", " or ".join(wanted))
    if not lower.startswith(_NOT_PLACES):
        try:
            return ZoneInfo(_places().get(lower.replace(" ", "_"), name))
        except (KeyError, ValueError, OSError):
            pass
    city = lower.replace(" ", "_")
    near = [place for lower, place in _places().items() if lower.endswith(f"/{city}")]
    return Reason("", f"{shown(name)} is not a time zone that is known here", " or ".join(sorted(near)[:3]) or _PLACE)


def _counted(name: str, offset: str, *, reversed_: bool, offsets: bool) -> Reason:
    """Ask back what `Etc/GMT+5`, `GMT+5` or `UTC+5` is: the first counts the other way round."""
    fixed = read_offset(offset)
    if fixed is None:
        return Reason("", f"{shown(name)} is not a time zone that is known here", _PLACE)
    ahead = offset_of(fixed, _WINTER)
    behind = ahead.translate(str.maketrans("+-", "-+"))
    if reversed_:
        what = f"{shown(name)} means {behind}: such names count the other way round than people do"
        return Reason("", what, f"{behind} or {ahead}, whichever is meant" if offsets else _PLACE)
    what = f"{shown(name)} is {ahead} as people write it, and {behind} as computers name zones (Etc/GMT)"
    return Reason("", what, f"{ahead} or {behind}, whichever is meant" if offsets else _PLACE)


def _clock_of(place: str, local: datetime | None) -> str:
    zone = ZoneInfo(place)
    winter, summer = offset_of(zone, _WINTER), offset_of(zone, _SUMMER)
    if winter == summer:
        return f"{winter} all year"
    return f"{winter} in January, {summer} in July" if local is None else f"{offset_of(zone, local)} then"


@lru_cache(maxsize=1)
def _places() -> dict[str, str]:
    """Give every zone's name by its lower case."""
    return {name.lower(): name for name in sorted(available_timezones())}
