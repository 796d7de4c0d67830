"""A short text read as a file: who of it counts, and why others do not."""

import io
import re
from typing import Any

from models.words import State
from worker.files.options import Options
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow

T, L = "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"
STAFF = "(host, organizer, panelist or presenter)"
"""What is said of those who held the event."""


def read(text: str, state: State | None, **said: Any) -> tuple[Reading, list[str], list[str]]:
    """Read a file in which @ is @example.com, T a time and L a later one."""
    text = re.sub(r"@(?!\w)", "@example.com", text).replace("<T>", T).replace("<L>", L)
    said = {"object_id": "7", "time_zone": "UTC"} | said
    reading = Reading(io.BytesIO(text.encode()), Options.read(state=state, **said))
    items = list(reading.items())
    people = [
        f"{item.candidate.contact.removesuffix('@example.com')} {item.state}"
        for item in items
        if isinstance(item, FileRecord)
    ]
    reasons = ["; ".join(map(str, item.reasons)) for item in items if isinstance(item, RejectedRow)]
    return reading, people, reasons
