"""A zip with one file in it, unpacked to disk within a bound; what a zip is not is told from it."""

import lzma
import tempfile
import zipfile
import zlib
from typing import BinaryIO, Final, cast

from models.input_check import shown
from worker.files.lines import FileError

MOST_UNPACKED: Final = 1024 * 1024 * 1024
"""Bytes: some eight million rows of attendance; a zip of 1 MiB may claim to hold as much."""
MOST_MEMBERS: Final = 10_000
_BLOCK: Final = 1024 * 1024
_ENCRYPTED: Final = 0x1
_UNPACK: Final = "the zip unpacked, and the file in it submitted"


def opened(source: BinaryIO) -> zipfile.ZipFile:
    """Open a zip.

    Raises:
        FileError: where it is damaged, or holds too many files.

    """
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        what = f"begins like a zip or a workbook and cannot be opened ({shown(str(error))})"
        raise FileError("the file", what, "the file exported, or downloaded, again") from None
    if len(archive.infolist()) > MOST_MEMBERS:
        raise FileError("the file", f"is a zip of {len(archive.infolist()):,} files", "a zip with one file in it")
    return archive


def unpack(archive: zipfile.ZipFile) -> tuple[str, BinaryIO]:
    """Unpack the one file that a zip holds; give its name and its bytes, on disk.

    Raises:
        FileError: where it holds none or several, one with a password, or more than `MOST_UNPACKED`.

    """
    members = [one for one in archive.infolist() if not one.is_dir() and not _is_hidden(one.filename)]
    if len(members) != 1:
        named = ", ".join(shown(one.filename) for one in members[:5]) + (" …" if len(members) > 5 else "")  # noqa: PLR2004 - a line
        what = f"is a zip of {len(members)} files ({named})" if members else "is a zip without a file in it"
        raise FileError("the file", what, "a zip with one file in it; or unpack it, and submit each file")
    (member,) = members
    if member.flag_bits & _ENCRYPTED:
        raise FileError("the file", "is a zip that is protected by a password", _UNPACK)
    kept = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - its reader closes it
    size = 0
    try:
        with archive.open(member) as packed:
            while block := packed.read(_BLOCK):
                size += len(block)
                if size > MOST_UNPACKED:
                    kept.close()
                    what = f"is a zip whose file is larger than {MOST_UNPACKED >> 20:,} MiB when it is unpacked"
                    raise FileError("the file", what, "the report of fewer events")
                kept.write(block)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        kept.close()
        raise FileError("the file", f"is a zip that cannot be unpacked ({shown(str(error))})", _UNPACK) from None
    kept.seek(0)
    return member.filename, kept


def _is_hidden(name: str) -> bool:
    """Say whether a file was put there by the system, not by a person."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")
