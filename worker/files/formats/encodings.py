"""Which encoding a text is in: by its mark, as UTF-8 or UTF-16, else guessed by charset-normalizer, and then asked."""

import codecs
import re
from dataclasses import dataclass
from typing import Final

from models.input_check import shown
from worker.files.lines import encoding_mark, is_utf8, looks_like_utf16
from worker.files.questions import Choice, Question

_PROPOSED: Final = (
    "cp1252", "cp1250", "cp1251", "cp932", "gb18030", "cp949", "big5", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
    "euc_jp", "mac_roman", "cp850", "cp437",
)  # fmt: skip
"""What spreadsheets write as “CSV” in the countries of the world; others are named by `--encoding`."""
_NAMES: Final = {
    "cp1252": "windows-1252", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp932": "shift_jis",
    "cp1253": "windows-1253", "cp1254": "windows-1254", "cp1255": "windows-1255", "cp1256": "windows-1256",
    "cp1257": "windows-1257", "cp949": "euc-kr", "euc_jp": "euc-jp", "mac_roman": "macintosh",
}  # fmt: skip
"""As people and web pages call them; Python takes both."""
_WINDOWS: Final = {name: code for code, name in _NAMES.items()} | {"shift_jis": "cp932", "euc-kr": "cp949"}
_BY_PAIRS: Final = frozenset({"cp932", "gb18030", "cp949", "big5", "euc_jp"})
"""Encodings that write most letters in two bytes."""
_MOSTLY: Final = 0.8
MOST_SHOWN: Final = 3
_WORDS: Final = re.compile(r"[^,;\t|\"]*[^\x00-\x7f][^,;\t|\"]*")


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a text; where nothing marks it, what must be confirmed."""

    name: str
    question: Question | None = None


def find(sample: bytes, said: str | None) -> Encoding:
    """Tell the encoding of a text by its first bytes."""
    if said:
        return Encoding(_WINDOWS.get(said.strip().lower(), said))
    if encoding_mark(sample) or looks_like_utf16(sample) or is_utf8(sample):
        return Encoding("")
    lines = [line for line in re.split(rb"[\r\n]+", sample) if not line.isascii()]
    likely = [one for one in _likely(b"\n".join(lines)) if _decodes(sample, one)]
    if _is_western(b"\n".join(lines)):
        likely = ["cp1252", *(one for one in likely if one not in _BY_PAIRS)]
    guesses = list(dict.fromkeys([*likely, "cp1252"]))[: MOST_SHOWN + 1]
    examples: dict[str, str] = {}
    for one in guesses:
        examples.setdefault(_example(lines, one), one)  # of two that read the same, the likelier
    choices = tuple(
        Choice(f"--encoding {_NAMES.get(one, one)}", f"then the file says {example}")
        for example, one in examples.items()
    )
    what = "is not in UTF-8, and does not say which encoding it is in. Which of these reads right?"
    return Encoding(guesses[0], Question("--encoding", "the text", what, choices))


def _likely(text: bytes) -> list[str]:
    from charset_normalizer import from_bytes  # most files are in UTF-8, and nothing is guessed

    matches = from_bytes(text, cp_isolation=list(_PROPOSED), threshold=0.6, enable_fallback=False)
    return [match.encoding for match in matches]


def _is_western(text: bytes) -> bool:
    """Say whether each letter beyond ASCII stands alone within a word, and is one of Western Europe."""
    runs = re.findall(rb"[\x80-\xff]+", text)
    alone = sum(1 for run in runs if len(run) == 1)
    letters = "".join(run.decode("cp1252", "replace") for run in runs)
    return alone >= _MOSTLY * len(runs) and all(letter.isalpha() or letter in "–—’“”€°" for letter in letters)


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _example(lines: list[bytes], encoding: str) -> str:
    """Give words of the file that the encoding decides."""
    words = [word.strip() for line in lines[:20] for word in _WORDS.findall(line.decode(encoding, "replace"))]
    return ", ".join(f"“{shown(word)}”" for word in list(dict.fromkeys(words))[:MOST_SHOWN])
