"""Bytes to numbered lines, in bounded memory, whatever the encoding.

A byte that is no text costs its line alone; a file that is no text at all is refused at its first block.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from models.input_check import Reason
from models.message import MOST_BYTES

BLOCK: Final = 256 * 1024
"""Read at once: large enough that the decoder is not the bottleneck, small beside any worker's memory."""
SAMPLE: Final = 64 * 1024
"""Looked at to find encoding, delimiter and header."""
LONGEST_LINE: Final = MOST_BYTES
"""A longer line could not be a message anyway."""

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_FOREIGN: Final = (
    (b"\x1f\x8b", "is compressed (gzip)", "the text in it: gunzip -c FILE | turnout enqueue -"),
    (b"%PDF", "is a PDF", "the report exported as CSV"),
)
_OF_NAMES: Final = frozenset({"idna", "punycode"})
"""Codecs of names in the Internet, not of files."""
_LONE = re.compile("[\ud800-\udfff]")
_NULS_OF_UTF16: Final = 0.4
"""Text of the Latin alphabet in UTF-16 is one half NUL; no other encoding has nearly as many."""


class FileError(Exception):
    """The whole file, or what was said of it, cannot be used; `reason` says what, where and what would be right."""

    def __init__(self, where: str, what: str, right: str) -> None:
        self.reason = Reason(where, what, right)
        super().__init__(str(self.reason))


class Line(NamedTuple):
    """A line without its end; `fault` says what is wrong with it as text."""

    number: int
    text: str
    fault: Reason | None = None


class Lines:
    """The lines of a binary file, once through; `tick` is told how many bytes have been read, for the progress bar.

    Raises `FileError` where the file is empty, no text, or in an encoding that cannot be told.
    """

    def __init__(
        self, source: BinaryIO, encoding: str | None = None, tick: Callable[[int], None] = lambda _: None
    ) -> None:
        self._source = source
        self._tick = tick
        self.sample = source.read(SAMPLE)
        if not self.sample.strip():
            raise FileError("the file", "is empty", "a header and at least one row")
        self.encoding, mark = _encoding(self.sample, encoding)
        self._start = self.sample[mark:]
        text = self._start.decode(self.encoding, "replace")
        self._end = "\r" if "\r" in text and "\n" not in text else "\n"

    def texts(self) -> Iterator[str]:
        """Give the text, a block at a time."""
        return self._texts()

    def __iter__(self) -> Iterator[Line]:
        """Give every line, the last one also where nothing ends it."""
        number, pending, skipping = 0, "", False
        for text in self._texts():
            *whole, pending = self.split(pending + text)
            for line in whole:
                number += 1
                yield self._too_long(number, line) if skipping else self._line(number, line)
                skipping = False
            if len(pending) > LONGEST_LINE:
                pending, skipping = pending[:80], True
        if pending:
            yield self._too_long(number + 1, pending) if skipping else self._line(number + 1, pending)

    def split(self, text: str) -> list[str]:
        """Split a text into lines as the file's are."""
        return text.split(self._end)

    def _texts(self) -> Iterator[str]:
        errors = "surrogatepass" if self.encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        decoder = codecs.getincrementaldecoder(self.encoding)(errors)
        block, position = self._start, len(self.sample)
        while block:
            self._tick(position)
            yield decoder.decode(block)
            block = self._source.read(BLOCK)
            position += len(block)
        try:
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError:  # cut in the middle of a character
            yield "\udcff"

    def _line(self, number: int, text: str) -> Line:
        text = text.removesuffix("\r")
        if text.isascii() or (bad := _LONE.search(text)) is None:
            return Line(number, text)
        code = ord(bad[0])
        what = f"holds the byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"holds half a pair, {code:04x}"  # noqa: PLR2004 - where Python puts the bytes that it could not decode
        right = "the row saved in the file's encoding, or --encoding (windows-1252 is usual)"
        return Line(number, text, Reason(f"line {number}", f"{what}, which is no {self.encoding}", right))

    def _too_long(self, number: int, start: str) -> Line:
        what = f"is longer than {LONGEST_LINE:,} characters"
        return Line(number, start[:80], Reason(f"line {number}", what, "a shorter line"))


def decoded(source: BinaryIO, encoding: str | None = None) -> tuple[str, Iterator[str]]:
    """Give the encoding of a text, and the text a block at a time; a byte that is no text is U+FFFD."""
    lines = Lines(source, encoding)
    return lines.encoding, map(readable, lines.texts())


def readable(text: str) -> str:
    """Give a text with U+FFFD for what could not be decoded; a row that it is read from is refused."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


def _encoding(sample: bytes, said: str | None) -> tuple[str, int]:
    """Tell the encoding and the length of the mark before the text."""
    low = sample[:64].lstrip().lower()
    for start, what, right in _FOREIGN:
        if sample.startswith(start) or low.startswith(start):
            raise FileError("the file", what, right)
    mark, marked = _mark(sample)
    if said:
        return _known(said), len(mark) if marked else 0
    if marked:
        return marked, len(mark)
    if looks_like_utf16(sample):
        return ("utf-16-le" if sample[1::2].count(0) > sample[0::2].count(0) else "utf-16-be"), 0
    if b"\x00" * 8 in sample:
        raise FileError("the file", "is no text", "a CSV or JSON Lines file")
    return "utf-8", 0


def _mark(sample: bytes) -> tuple[bytes, str | None]:
    return next((found for found in _MARKS if sample.startswith(found[0])), (b"", None))


def encoding_mark(sample: bytes) -> str | None:
    """Give the encoding that the mark before a text names."""
    return _mark(sample)[1]


def looks_like_utf16(sample: bytes) -> bool:
    """Say whether a text without a mark is in UTF-16."""
    return sample.count(0) > _NULS_OF_UTF16 * len(sample)


def _known(said: str) -> str:
    try:
        name = "" if said.lower() in _OF_NAMES else codecs.lookup(said).name
        "".encode(name or "undefined")
    except (LookupError, UnicodeError):
        raise FileError("--encoding", f"{said} is unknown", "one such as utf-8 or windows-1252") from None
    return {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)


def is_utf8(sample: bytes) -> bool:
    """Say whether a text is in UTF-8; one broken row in it is that row's trouble."""
    good = bad = 0
    for line in sample.split(b"\n")[:-1] or [sample]:
        if line.isascii():
            continue
        try:
            line.decode()
            good += 1
        except UnicodeDecodeError:
            bad += 1
    return bad <= good
