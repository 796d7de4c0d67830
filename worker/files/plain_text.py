"""A cell's text as dates, times and durations are looked for in it: plain letters, plain blanks, western figures."""

import re
import unicodedata
from typing import Final

_EASTERN_DATE: Final = re.compile(r"(\d{2,4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일号]\s*")
_EASTERN_CLOCK: Final = re.compile(r"(\d{1,2})\s*[時时시点點]\s*(?:(\d{1,2})\s*[分분])?\s*(?:(\d{1,2})\s*[秒초])?")
_EASTERN_HALF: Final = re.compile(r"(午前|上午|오전|午後|下午|오후)\s*([\d:.]+)")
_WEEKDAY: Final = re.compile(r"[(（]\s*[月火水木金土日월화수목금토일]\s*[)）]|(?:星期|周)[一二三四五六日天]")


def plain(text: str) -> str:
    """Write a text in lower case, without accents and marks that show nothing, and with plain blanks.

    Newer tools put U+202F before PM, and some a mark of direction before each part.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    text = _western(unicodedata.normalize("NFKC", text))
    decomposed = unicodedata.normalize("NFKD", text.lower())
    kept = (c for c in decomposed if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    return " ".join("".join(kept).split())


def _western(text: str) -> str:
    """Write a Chinese, Japanese or Korean date and time of day in figures: 2026年5月11日 午後2時5分."""
    text = _EASTERN_DATE.sub(r"\1-\2-\3 ", _WEEKDAY.sub(" ", text))
    text = _EASTERN_CLOCK.sub(lambda found: ":".join(f"{part or 0:0>2}" for part in found.groups()), text)
    return _EASTERN_HALF.sub(lambda found: f"{found[2]} {'am' if found[1] in '午前上午오전' else 'pm'}", text)
