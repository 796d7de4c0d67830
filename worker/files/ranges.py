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
_MARK: Final = re.compile(r"\s*[–—]\s*|\s+-\s+|(?<=[\dmh])\s?-(?=\d)|\s+(?:to|until|till|bis|a|al|alle|as|tot|til)\s+")
_MAY_BE: Final = re.compile(r"[–—]|\s-|(?::\d\d|[mh]|[^\d-]\d{1,2})-\d|\s[^\W\d_]{1,5}\s|^\d{1,2}-\d", re.IGNORECASE)
"""A look that spares most times the closer one."""
_STARTS: Final = re.compile(rf"(?P<on>.*?)(?P<clock>{_CLOCK})(?P<zone>\s+[a-z]{{2,5}})?", re.DOTALL)
_NUMBER: Final = re.compile(r"(?P<on>.*?)(?P<clock>(?<![\d.:/-])\d{1,2})(?P<zone>)", re.DOTALL)
_HOUR: Final = re.compile(r"(?P<on>)(?P<clock>\d{1,2})(?P<zone>)")
_ENDS: Final = re.compile(rf"(?P<on>(?:.*[\d,t]\s*(?:at\s|um\s)?)??)(?P<clock>{_CLOCK})(?P<zone>.*)", re.DOTALL)
_OF_HALF: Final = re.compile(rf"{_HALF}$")
_OFFSET: Final = re.compile(r"\d{1,2}(?::?\d{2})?")
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
        end = _ENDS.fullmatch(right) or _HOUR.fullmatch(right)
        if end is None or is_dotted_day(left):
            continue
        half = _OF_HALF.search(end["clock"])
        start = _STARTS.fullmatch(left) or (_NUMBER.fullmatch(left) if half else None)
        if start is None:
            continue
        if mark[0].strip() == "-" and _OFFSET.fullmatch(right):
            if (start["zone"] or "").strip() in {"utc", "gmt"}:
                return None
            is_tight, has_half = not mark[0].endswith(" "), _OF_HALF.search(start["clock"]) is not None
            is_later = (_in_half if has_half else _in_day)(right) > (_in_half if has_half else _in_day)(start["clock"])
            is_exact = start["clock"].count(":") > 1 or start["on"].endswith("t") or (has_half and right[0] == "0")
            if is_tight and (is_exact or not is_later):
                return None  # an offset
            if (not is_later and not has_half) or (is_tight and start["on"].strip()):
                what = f"{shown(text)} may be from one time until another, or a time with its offset from UTC"
                return TimeFault(what, f"{left} to {right} for the first, {left} UTC-{right} for the other")
        return _range(start, end)
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


def _range(start: re.Match[str], end: re.Match[str]) -> Range:
    first, last = start["clock"], end["clock"]
    of_first, of_last = _OF_HALF.search(first), _OF_HALF.search(last)
    is_later = _in_half(last) >= _in_half(first)
    if of_last is not None and of_first is None:  # 11:00 - 12:30 PM begins in the morning
        first += of_last[0] if is_later else _other(of_last[0])
    elif of_first is not None and of_last is None:
        last += of_first[0] if is_later else _other(of_first[0])
    elif last.isdecimal():
        last += ":00"
    first, last = (one.replace(".", ":", 1) if one[-1].isdecimal() else one for one in (first, last))
    behind = end["zone"]
    zone = start["zone"] or behind
    return Range(f"{start['on']}{first}{zone}", f"{end['on']}{last}{behind or zone}")


def _in_day(clock: str) -> tuple[int, int]:
    hour, minute = [*re.findall(r"\d{1,2}", clock), "0"][:2]
    return int(hour), int(minute)


def _in_half(clock: str) -> tuple[int, int]:
    """Give the time within its half of a day, of which 12 is the first hour."""
    hour, minute = _in_day(clock)
    return hour % 12, minute


def _other(half: str) -> str:
    return half.replace("p", "a") if "p" in half else half.replace("a", "p")
