"""Spellings of an e-mail address that hide it from whoever looks for an @: undone, to be looked at.

As in a URL, in JSON, HTML, quoted-printable and the escapes of programs, again and again; full-width and invisible
characters; «(at)», «[at]», « at », «arroba» and «dot». What hides an address from a reader as well (base64, a hash) is
left as it is.
"""

import re
import unicodedata
from html import unescape
from typing import Final
from urllib.parse import unquote

_ROUNDS: Final = 4
"""How often a text is decoded, at most; one encoding upon itself, as `%252540`, counts as one."""
_AGAIN: Final = re.compile(r"(%)(?:25)+|(&)(?:amp;)+", re.IGNORECASE)
_SUSPECT: Final = re.compile(r"[%\\&=<@]|[^\x00-\x7f]|(?i:(?<![^\W_])(?:a|at|arroba|dot)(?![^\W_]))")
_HEX: Final = "[0-9a-fA-F]"
_ESCAPE: Final = re.compile(
    rf"\\+U000({_HEX}{{5}})|(?:\\+|%)[uU](?:\{{0*({_HEX}{{1,6}})\}}|({_HEX}{{4}}))|\\+[xX]({_HEX}{{2}})"
)
_OTHER_ESCAPE: Final = re.compile(r"\\+(?:0*(?:(100)|56)(?![0-9])|N\{(?:(COMMERCIAL AT)|FULL STOP)\})", re.IGNORECASE)
"""An at sign or a dot in octal, or by its name."""
_QUOTED_PRINTABLE: Final = re.compile(r"=40([\w-]+(?:(?:\.|=2E)[\w-]+)+)", re.IGNORECASE)
_TAG: Final = re.compile(r"<(?!\s*(?:at|dot)\s*>)[/!a-z][^<>@]{0,80}>", re.IGNORECASE)
_GAP: Final = r"[\s+]{0,8}"
_GAPS: Final = r"[\s+_]{1,8}"
_MARK: Final = r"[^\w\s@.,;:]{1,2}"
_DOMAIN: Final = r"(?=(?:[\w-]{1,63}\.){1,10}[^\W\d_]{2,})"
_AT_WORD: Final = "(?:at|ät|arroba)"
_DOT_WORD: Final = "(?:dot|punkt|punto|ponto)"
_DOT: Final = re.compile(
    rf"{_GAP}(?:{_MARK}\s?{_DOT_WORD}\s?{_MARK}|\[\.\]|\(\.\)|\{{\.\}}){_GAP}(?=\w)|(?<=\w){_GAPS}{_DOT_WORD}{_GAPS}(?=\w)"
    r"|(?<=\w)\s{1,8}\.\s{0,8}(?=[^\W\d_]{2,24}(?!\w))",
    re.IGNORECASE,
)
_AT: Final = re.compile(
    rf"{_GAP}[\[({{<]\s?(?:{_AT_WORD}|@)\s?[\])}}>]{_GAP}(?=\w)"
    rf"|{_GAP}{_MARK}\s?(?:{_AT_WORD}|a|@)\s?{_MARK}{_GAP}{_DOMAIN}"
    rf"|(?<=[\w\"']){_GAPS}{_AT_WORD}{_GAPS}{_DOMAIN}|{_GAP}@{_GAP}{_DOMAIN}",
    re.IGNORECASE,
)
_DOTS: Final = {ord(dot): "." for dot in "。｡．"}


def unfolded(text: str) -> str:
    """Give a text in which an address, however it was spelt, stands as one; it is to be looked at, not to be kept."""
    for _ in range(_ROUNDS):
        if not _SUSPECT.search(text):
            return text
        once = unquote(unescape(_AGAIN.sub(r"\1\2", _visible(text))))
        plain = _QUOTED_PRINTABLE.sub(_domain, _OTHER_ESCAPE.sub(_at_or_dot, _ESCAPE.sub(_character, once)))
        if plain == text:
            break
        text = plain
    return _AT.sub("@", _DOT.sub(".", _TAG.sub("", text)))


def _visible(text: str) -> str:
    """Give a text in its plainest letters, without those that nobody sees; our own «…» stays one letter."""
    if text.isascii():
        return text
    plain = "…".join(unicodedata.normalize("NFKC", part) for part in text.split("…")).translate(_DOTS)
    return "".join(one for one in plain if unicodedata.category(one) != "Cf" and not _is_invisible(one))


def _at_or_dot(found: re.Match[str]) -> str:
    return "@" if found[1] or found[2] else "."


def _character(found: re.Match[str]) -> str:
    number = int(next(filter(None, found.groups())), 16)
    is_one = number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF  # noqa: PLR2004 - Unicode's end, and surrogates
    return chr(number) if is_one else found[0]


def _domain(found: re.Match[str]) -> str:
    return "@" + re.sub("=2E", ".", found[1], flags=re.IGNORECASE)


def _is_invisible(one: str) -> bool:
    """Say whether a mark is one that nobody sees: joiners, fillers and variation selectors."""
    return one in "\u034f\u115f\u1160\u3164\uffa0" or "\ufe00" <= one <= "\ufe0f"
