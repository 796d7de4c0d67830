"""The head of a request, read strictly: taken only where every program in front of Turnout reads it in the same way.

h11 takes more than HTTP allows: lines that end in a bare LF, headers folded over two lines, a length beside chunks, a
length that stands twice. A proxy that reads such a head otherwise sees another request in it than Turnout does.
"""

import re
from typing import Final

from h11._receivebuffer import ReceiveBuffer
from h11._util import LocalProtocolError

ONCE: Final = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"}) | {
    b"authorization",
    b"idempotency-key",
    b"turnout-account",
    b"origin",
}
"""Headers of which there is one: of two, one reader takes the first and another the last."""
_END: Final = re.compile(rb"\n\r?\n")
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)")


class StrictBuffer(ReceiveBuffer):
    """h11's buffer of what has come; what it gives out as a head is judged first."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """Give the lines of a head or of trailers, once they are there.

        Raises:
            LocalProtocolError: where they are ambiguous.

        """
        end = _END.search(self._data, self._multiple_lines_search)
        if self._data[:1] == b"\n" or (end is not None and _BARE.search(self._data, 0, end.end())):
            raise LocalProtocolError("a line ends in a bare CR or LF")
        lines = super().maybe_extract_lines()
        if lines and (fault := _fault(lines)):
            raise LocalProtocolError(fault)
        return lines


def _fault(lines: list[bytearray]) -> str | None:
    names = [bytes(line.partition(b":")[0]).lower() for line in lines[1:]]
    if any(line[:1] in {b" ", b"\t"} for line in map(bytes, lines)):
        return "a header is folded over two lines"
    if any(names.count(name) > 1 for name in ONCE):
        return "a header that there is one of stands twice"
    lengths = {b"content-length", b"transfer-encoding"}.intersection(names)
    if len(lengths) > 1:
        return "the body has a length, and comes in chunks"
    if b"transfer-encoding" in lengths and lines[0].endswith(b"HTTP/1.0"):
        return "HTTP/1.0 knows no chunks"
    if any(name == b"content-length" and b"," in line for name, line in zip(names, lines[1:], strict=True)):
        return "the body has several lengths"
    return None
