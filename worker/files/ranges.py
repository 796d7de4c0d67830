"""Two times in one cell: from when until when, such as “2026-03-01 10:00 - 11:30”."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from models.input_check import shown
from worker.files.clocks import TimeFault
from worker.files.dates import is_dotted_day
from worker.files.plain_text import plain

_HALF: Final = r"(?:\s*[ap]\.?\s?m\b\.?)"
_CLOCK: Final = rf"(?<![\d.:/-])\d{{1,2}}(?:[:.h]\d{{2}}(?:[:.]\d{{2}})?(?:\s*uhr)?{_HALF}?|{_HALF}|\s*(?:uhr|h)\b)"
_MARK: Final = re.compile(r"\s*[–—]\s*|\s+-\s+|(?<=[\dmh])-(?=\d)|\s+(?:to|until|till|bis|a|al|alle|as|tot|til)\s+")
_MAY_BE: Final = re.compile(r"[–—]|\s-\s|(?::\d\d|[mh]|[^\d-]\d{1,2})-\d|\s[^\W\d_]{1,5}\s|^\d{1,2}-\d", re.IGNORECASE)
"""A look that spares most times the closer one."""
_STARTS: Final = re.compile(rf"(?P<on>.*?)(?P<clock>{_CLOCK})(?P<zone>\s+[a-z]{{2,5}})?", re.DOTALL)
_NUMBER: Final = re.compile(r"(?P<on>.*?)(?P<clock>(?<![\d.:/-])\d{1,2})(?P<zone>)", re.DOTALL)
_ENDS: Final = re.compile(rf"(?P<on>(?:.*[\d,t]\s*(?:at\s|um\s)?)??)(?P<clock>{_CLOCK})(?P<zone>.*)", re.DOTALL)
_OF_HALF: Final = re.compile(rf"{_HALF}$")
_OFFSET: Final = re.compile(r"\d{2}:\d{2}")
_FROM: Final = re.compile(r"^(?:from|von)\s+")


class Range(NamedTuple):
    """The two times of a range, as texts; the end has no day of its own where it is the start's."""

    start: str
    end: str


@lru_cache(maxsize=512)
def read_range(text: str) -> Range | TimeFault | None:
    """Part a text into two times; None where it is one, a fault where it may be either.

    `10:00-11:00` behind a date may be a time with its offset from UTC.
    """
    if not _MAY_BE.search(text):
        return None
    whole = _FROM.sub("", plain(text))
    for mark in _MARK.finditer(whole):
        left, right = whole[: mark.start()], whole[mark.end() :]
        end = _ENDS.fullmatch(right)
        if end is None or is_dotted_day(left):
            continue
        half = _OF_HALF.search(end["clock"])
        start = _STARTS.fullmatch(left) or (_NUMBER.fullmatch(left) if half else None)
        if start is None:
            continue
        if mark[0].strip() == "-" and not half and _OFFSET.fullmatch(right):
            is_later = right > f"{start['clock']:0>5}"
            if mark[0] == "-" and (len(start["clock"]) > len("10:00") or start["on"].endswith("t") or not is_later):
                return None  # an offset
            if not is_later or (mark[0] == "-" and start["on"].strip()):
                what = f"{shown(text)} may be from one time until another, or a time with its offset from UTC"
                return TimeFault(what, f"{left} to {right} for the first, {left} UTC-{right} for the other")
        return _range(start, end, half)
    return None


def start_of(text: str) -> str:
    """Give the first of two times, or the text as it is."""
    found = read_range(text)
    return found.start if isinstance(found, Range) else text


def not_one_time(text: str) -> TimeFault | None:
    """Say why a text is not one time, if it is two."""
    found = read_range(text)
    if isinstance(found, Range):
        return TimeFault(f"{shown(text)} is from one time until another", "one time")
    return found


def _range(start: re.Match[str], end: re.Match[str], half: re.Match[str] | None) -> Range:
    clock = start["clock"]
    if half is not None and not _OF_HALF.search(clock):  # 11:00 - 12:30 PM begins in the morning
        clock += half[0] if _in_half(clock) <= _in_half(end["clock"][: half.start()]) else _other(half[0])
    zone = start["zone"] or ""
    behind = end["zone"]
    first, last = (one.replace(".", ":", 1) if one[-1].isdecimal() else one for one in (clock, end["clock"]))
    return Range(f"{start['on']}{first}{zone or behind}", f"{end['on']}{last}{behind or zone}")


def _in_half(clock: str) -> tuple[int, int]:
    """Give the time within its half of a day, of which 12 is the first hour."""
    hour, _, minute = re.sub(r"[.h]", ":", clock.strip()).partition(":")
    return int(hour) % 12, int(minute[:2] or 0)


def _other(half: str) -> str:
    return half.replace("p", "a") if "p" in half else half.replace("a", "p")
