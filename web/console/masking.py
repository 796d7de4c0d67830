"""E-mail addresses, also half of one, masked (`a…a@e…e.com`) wherever they stand in a text; rather too much."""

import re
from typing import Final

_LONG_ENOUGH: Final = 3
"""Characters, from which on the first and the last give nobody away."""
_AT: Final = r"(?:@|%(?:25)*40|\\u0040|&[#]64;|＠)"
_ANY: Final = re.compile(_AT, re.IGNORECASE)
_ADDRESS: Final = re.compile(
    rf"""(?P<before>[`'*_{{}}=|]*)
    (?P<local>"[^"\n]{{1,200}}"|(?:(?!{_AT})[^\s<>"(),:;\[\]/?&]){{1,200}})
    (?P<at>{_AT})
    (?P<domain>\[[^\]\s]{{1,100}}\]|(?:\w|[.…-]|%[0-9A-F]{{2}}){{0,255}})""",
    re.VERBOSE | re.IGNORECASE,
)


def masked(text: str) -> str:
    """Mask every e-mail address in a text, also where it is encoded as in a URL, in JSON or in HTML."""
    return _ADDRESS.sub(_mask, text) if _ANY.search(text) else text


def _mask(found: re.Match[str]) -> str:
    name, dot, top = found["domain"].rstrip(".").rpartition(".")
    domain = f"{_short(name)}{dot}{top}" if dot else _short(top)
    return f"{found['before']}{_short(found['local'])}{found['at']}{domain}"


def _short(word: str) -> str:
    return f"{word[0]}…{word[-1]}" if len(word) >= _LONG_ENOUGH else "…"
