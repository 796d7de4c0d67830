"""Attendance files: each row is a record, a refusal or left out; what is refused can be submitted again as it is."""

import io
import tempfile
from pathlib import Path

from models.words import State
from worker.files.lines import FileError
from worker.files.options import DateOrder, Options
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.submission.rejects_file import RefusedFile

STATES = (*State, None)


def judge(data: bytes) -> None:
    """Read a file: its first byte chooses the options."""
    chosen = data[0] if data else 0
    options = Options(
        state=STATES[chosen % 4],
        object_id="7" if chosen & 4 else None,
        event=None if chosen & 4 else "spring",
        external_account=None if chosen & 4 else "shop",
        order=DateOrder.DMY if chosen & 8 else None,
    )
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "refused.csv"
        number = _read(data[1:], options, path)
        if number:
            _read(path.read_bytes(), options, Path(home) / "again.csv")


def _read(content: bytes, options: Options, path: Path) -> int:
    number = 0
    try:
        with RefusedFile(path) as refused:
            for item in Reading(io.BytesIO(content), options).items():
                if isinstance(item, RejectedRow):
                    refused.add(item)
                    number += 1
                else:
                    assert isinstance(item, FileRecord)
    except FileError:
        return 0
    return number
