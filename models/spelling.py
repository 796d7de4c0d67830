"""Spellings of an e-mail address that hide it from whoever looks for an @: undone, to be looked at.

As in a URL, in JSON, HTML, quoted-printable, UTF-7 and the escapes of programs, again and again; full-width and
invisible characters; «(at)», «[at]», « at », «arroba» and «dot». What hides an address from a reader as well (base64, a
hash) is left as it is. What viewers are shown, what groups of errors have in common and what an erasure finds all go by
this.
"""

import re
import unicodedata
from html import unescape
from typing import Final
from urllib.parse import unquote

_TELLING: Final = 6
"""Characters, from which on an address's first half with a mark or a digit in it says whose it is."""
_ROUNDS: Final = 4
"""How often a text is decoded, at most; one encoding upon itself, as `%252540`, counts as one."""
_AGAIN: Final = re.compile(r"(%)(?:25)+|(&)(?:amp;)+", re.IGNORECASE)
_AT_WORD: Final = "(?:at(?:[ -]sign)?|ät|arroba|arobase|chiocciola)"
_DOT_WORD: Final = "(?:dot|punkt|punto|ponto|point)"
_SUSPECT: Final = re.compile(rf"[%\\&=<@]|[^\x00-\x7f]|\+A|(?i:(?<![^\W_])(?:a|{_AT_WORD}|{_DOT_WORD})(?![^\W_]))")
_HEX: Final = "[0-9a-fA-F]"
_SLASHES: Final = r"(?<!\\)\\++"
"""However many backslashes, begun at the first alone: a long run of them takes no longer than its length."""
_ESCAPE: Final = re.compile(
    rf"{_SLASHES}U000({_HEX}{{5}})|(?:{_SLASHES}|%)[uU](?:\{{0*({_HEX}{{1,6}})\}}|({_HEX}{{4}}))"
    rf"|{_SLASHES}[xX](?:\{{0*({_HEX}{{1,6}})\}}|({_HEX}{{2}}))|{_SLASHES}0{{0,4}}(40|2[eE])(?:\s|(?=[^\W\d_]))"
)
"""A letter by its number; at last an at sign or a dot as CSS writes it."""
_OTHER_ESCAPE: Final = re.compile(
    rf"{_SLASHES}(?:0*([01][0-7]{{2}}|56)(?![0-9])|N\{{(?:(COMMERCIAL AT)|FULL STOP)\}})|\+A(?:(EA)|C4)-", re.IGNORECASE
)
"""A letter in octal; an at sign or a dot by its name, or in UTF-7."""
_QUOTED_PRINTABLE: Final = re.compile(rf"=40(?=[\w-]+(?:(?:\.|=2E)[\w-]+)+)|(?:={_HEX}{{2}}){{3,}}", re.IGNORECASE)
"""An at sign before a domain, or several letters, in quoted-printable: then all of the text is."""
_QUOTED: Final = re.compile(rf"=({_HEX}{{2}})|=\r?\n")
_TAG: Final = re.compile(r"<(?!\s*(?:at|dot)\s*>)[/!a-z][^<>@]{0,80}>", re.IGNORECASE)
_GAP: Final = r"[\s+]{0,8}"
_GAPS: Final = r"[\s+_]{1,8}"
_MARK: Final = r"[^\w\s@.,;:]{1,2}"
_DOMAIN: Final = r"(?=(?:[\w-]{1,63}\.){1,10}[^\W\d_]{2,})"
_DOT: Final = re.compile(
    rf"{_GAP}(?:{_MARK}\s?{_DOT_WORD}\s?{_MARK}|\[\.\]|\(\.\)|\{{\.\}}){_GAP}(?=\w)|(?<=\w){_GAPS}{_DOT_WORD}{_GAPS}(?=\w)"
    r"|(?<=\w)\s{1,8}\.\s{0,8}(?=[^\W\d_]{2,24}(?!\w))",
    re.IGNORECASE,
)
_AT: Final = re.compile(
    rf"{_GAP}[\[({{<]\s?(?:{_AT_WORD}|@)\s?[\])}}>]{_GAP}(?=\w)"
    rf"|{_GAP}{_MARK}\s?(?:{_AT_WORD}|a|ä|@)\s?{_MARK}{_GAP}{_DOMAIN}"
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
        plain = _OTHER_ESCAPE.sub(_at_or_dot, _ESCAPE.sub(_character, once))
        if _QUOTED_PRINTABLE.search(plain.replace("=\r\n", "").replace("=\n", "")):
            plain = _QUOTED.sub(_quoted, plain)
        if plain == text:
            break
        text = plain
    return _without_words(_TAG.sub("", _without_words(text)))  # first, for `<ada (at) example.com>` looks like a tag


def tells(half: str) -> bool:
    """Say whether the half of an address before the @ alone says whose it is: `ada.lovelace`, but not `info`."""
    return len(half) >= _TELLING and re.search(r"[\W\d_]", half) is not None


def _without_words(text: str) -> str:
    return _AT.sub("@", _DOT.sub(".", text))


def _visible(text: str) -> str:
    """Give a text in its plainest letters, without those that nobody sees; our own «…» stays one letter."""
    if text.isascii():
        return text
    plain = "…".join(unicodedata.normalize("NFKC", part) for part in text.split("…")).translate(_DOTS)
    return "".join(one for one in plain if unicodedata.category(one) != "Cf" and not _is_invisible(one))


def _at_or_dot(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 8))
    return "@" if found[2] or found[3] else "."


def _character(found: re.Match[str]) -> str:
    number = int(next(filter(None, found.groups())), 16)
    is_one = number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF  # noqa: PLR2004 - Unicode's end, and surrogates
    return chr(number) if is_one else found[0]


def _quoted(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else ""


def _is_invisible(one: str) -> bool:
    """Say whether a mark is one that nobody sees: joiners, fillers and variation selectors."""
    return one in "\u034f\u115f\u1160\u3164\uffa0" or "\ufe00" <= one <= "\ufe0f"
