"""A stream of an OLE file (Microsoft's [MS-CFB]): an xls keeps its workbook in one.

calamine follows the tables of such a file as they are, also in a circle or beyond its end. So it is given a file made
anew of the one stream.
"""

import struct
from array import array
from collections.abc import Iterator
from typing import BinaryIO, Final

_HEADER: Final = struct.Struct("<30xHH14xI4xII4xI")
"""Of a sector and of a mini sector, the size as a power of two; the directory; from which size on a stream has sectors
of its own; the table of mini sectors; the rest of the list of the sectors' table."""
_LISTED: Final = struct.Struct("<109I")
_LIST_AT: Final = 76
_ENTRY: Final = struct.Struct("<64sHBx48xII")
_ENTRY_SIZE: Final = 128
_ROOT: Final = 5
_SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST: Final = 0xFFFFFFFA
"""From this on a number is no sector."""


class OleFile:
    """An OLE file that is open; what its tables claim is followed no further than the file is long."""

    def __init__(self, source: BinaryIO) -> None:
        """Read its tables.

        Raises:
            struct.error: where it has none.

        """
        self._source, self._start = source, source.tell()
        head = source.read(512)
        shift, mini_shift, directory, self._cutoff, mini, more = _HEADER.unpack_from(head)
        if not (mini_shift <= shift and 7 <= shift <= 16):  # noqa: PLR2004 - powers of two
            raise struct.error("it has no sectors")
        self._size, self._mini_size = 1 << shift, 1 << mini_shift
        self._most = (source.seek(0, 2) - self._start) // self._size + 1
        listed = list(_LISTED.unpack_from(head, _LIST_AT))
        while more < _LAST and len(listed) < self._most:
            *some, more = array("I", self._sector(more))
            listed += some
        table = b"".join(self._sector(one) for one in listed[: self._most] if one < _LAST)
        self._next = array("I", table)
        self._entries = list(self._read_directory(b"".join(self._chain(directory))))
        self._mini_next = array("I", b"".join(self._chain(mini)))

    def stream(self, *names: str) -> bytes:
        """Give the content of the first stream with one of these names, in lower case; nothing where there is none."""
        root = next((entry for entry in self._entries if entry[1] == _ROOT), None)
        for name, kind, first, size in self._entries:
            if name not in names or kind == _ROOT:
                continue
            if size >= self._cutoff or root is None:
                return b"".join(self._chain(first))[:size]
            small, step = b"".join(self._chain(root[2])), self._mini_size
            most = len(small) // step
            return b"".join(small[one * step : (one + 1) * step] for one in _followed(first, self._mini_next, most))[
                :size
            ]
        return b""

    def _read_directory(self, data: bytes) -> Iterator[tuple[str, int, int, int]]:
        for at in range(0, len(data) - _ENTRY_SIZE + 1, _ENTRY_SIZE):
            name, length, kind, first, size = _ENTRY.unpack_from(data, at)
            yield name[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace").casefold(), kind, first, size

    def _chain(self, first: int) -> Iterator[bytes]:
        return map(self._sector, _followed(first, self._next, self._most))

    def _sector(self, number: int) -> bytes:
        self._source.seek(self._start + (number + 1) * self._size)
        return self._source.read(self._size).ljust(self._size, b"\0")


def _followed(first: int, following: "array[int]", most: int) -> Iterator[int]:
    """Give the sectors of a chain; one that comes back on itself ends when it is as long as a chain can be."""
    for _ in range(most):
        if first >= len(following):
            return
        yield first
        first = following[first]


_SECTOR: Final = 4096
_FREE, _END, _TABLE = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def made_anew(data: bytes, name: str) -> bytes:
    """Give an OLE file that holds a stream alone, of at most 400 MiB: its table, its directory, its content."""
    content = max(-(-len(data) // _SECTOR), 2)  # what is shorter than 4,096 bytes would be kept otherwise
    tables = -(-(content + 1) // (_SECTOR // 4 - 1))
    listed = [*range(tables), *[_FREE] * (_LISTED.size // 4 - tables)]
    following = [_TABLE] * tables + [_END] + [*range(tables + 2, tables + content + 1), _END]
    following += [_FREE] * (tables * _SECTOR // 4 - len(following))
    head = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII", _SIGNATURE, 62, 4, 0xFFFE, 12, 6, 1, tables, tables, 0, 4096, _END, 0, _END, 0
    )
    entries = [
        _entry("Root Entry", 5, 1, tables + 1, 0),
        _entry(name, 2, _FREE, tables + 1, max(len(data), 4096)),
    ]
    entries += [_entry("", 0, _FREE, 0, 0)] * (_SECTOR // _ENTRY_SIZE - len(entries))
    parts = [head, _LISTED.pack(*listed)]
    table = struct.pack(f"<{len(following)}I", *following)
    return b"".join(parts).ljust(_SECTOR, b"\0") + table + b"".join(entries) + data.ljust(content * _SECTOR, b"\0")


def _entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
    written = (name + "\0").encode("utf-16-le") if name else b""
    return struct.pack("<64sHBBIII36xIQ", written, len(written), kind, 1, _FREE, _FREE, child, first, size)
