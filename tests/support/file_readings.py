"""A short text read as a file: who of it counts, and why others do not."""

import io
import re
from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from models.words import State
from worker.files.options import DateOrder, HiddenRows, Options, SharedAddress, SwappedDates
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow

T, L = "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"
STAFF = "(host, organizer, panelist or presenter)"
"""What is said of those who held the event."""


class Said(TypedDict, total=False):
    """What may be said beside a file: the options of the command."""

    state: State | None
    object_id: str | None
    event: str | None
    external_account: str | None
    account: str | None
    time_zone: str | None
    date_order: DateOrder | None
    mapping: list[str] | None
    encoding: str | None
    occurrence: str | None
    shared_address: SharedAddress | None
    include_hosts: bool
    day: str | None
    start: str | None
    end: str | None
    sheet: str | None
    hidden_rows: HiddenRows | None
    swapped_dates: SwappedDates | None
    excel_dates: Literal["", "1900", "1904"]
    dotted_clocks: Sequence[str]
    exchanged: Sequence[str]


def options(said: Said, **usual: Unpack[Said]) -> Options:
    """What was said; of what was not, what is usual here."""
    return Options.read(**usual | said)


def read(text: str, state: State | None, /, **said: Unpack[Said]) -> tuple[Reading, list[str], list[str]]:
    """Read a file in which @ is @example.com, T a time and L a later one."""
    text = re.sub(r"@(?!\w)", "@example.com", text).replace("<T>", T).replace("<L>", L)
    reading = Reading(io.BytesIO(text.encode()), options(said, state=state, object_id="7", time_zone="UTC"))
    items = list(reading.items())
    people = [
        f"{item.candidate.contact.removesuffix('@example.com')} {item.state}"
        for item in items
        if isinstance(item, FileRecord)
    ]
    reasons = ["; ".join(map(str, item.reasons)) for item in items if isinstance(item, RejectedRow)]
    return reading, people, reasons
