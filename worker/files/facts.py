"""What was read of a file, counted in bounded memory: every row of data is a record's, refused or left out."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from worker.files.columns.header import Columns
from worker.files.not_people import LeftOut
from worker.files.rows import FileRecord, RejectedRow
from worker.files.stays.shared_addresses import SharedTally

FIRST: Final = 5
"""Reasons, and records, that are shown."""
MOST_GROUPS: Final = 1000
"""Events and states counted apart; the records of any more are counted together."""


@dataclass(slots=True)
class FileFacts:
    """What was read. Every row of data is a record's, refused or left out: none is unaccounted for."""

    kind: str = ""
    encoding: str = ""
    header_line: int = 0
    notes: list[str] = field(default_factory=list)
    """What the file settled itself, such as the order of its dates."""
    columns: dict[str, str] = field(default_factory=dict)
    """A column's title and what it was read as."""
    unread: list[str] = field(default_factory=list)
    """Titles of the columns that nothing was read from."""
    rows: int = 0
    """Rows of data (JSON Lines: inputs); a title between two tables is none."""
    gathered: int = 0
    """Of these, rows that were gathered to one record for each person and occurrence."""
    people: int = 0
    """Into how many records, those that were refused included."""
    most_rows: tuple[int, str] = (0, "")
    """The most rows that became one record, and whose."""
    shared: int = 0
    """Addresses under which different people stand."""
    records: int = 0
    refused: int = 0
    """Records' worth: a person whose rows were gathered is refused once."""
    reasons: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows left out, by the reason."""
    take_in: dict[str, str] = field(default_factory=dict)
    """The option that sends them too, by the reason; some have none."""
    days_only: int = 0
    """Times of which only the day was written: its first moment in the time zone was taken."""
    groups: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Records by account, event and state, each as the retry command names it."""
    ungrouped: int = 0
    sample: dict[str, object] = field(default_factory=dict)
    """The first record, as HubSpot will get it."""
    first: list[FileRecord] = field(default_factory=list)
    """The first few, to be shown as people read them."""

    def saw_header(self, line: int, columns: Columns) -> None:
        """Note which columns are read and which are not."""
        self.header_line = self.header_line or line
        named = [(what.value, places) for what, places in columns.fields.items()]
        named += [(f"contactProperties.{name}", places) for name, places in columns.properties.items()]
        for what, places in named:
            for place in places:
                self.columns.setdefault(columns.titles[place].strip() or columns.name(place), what)
        self.unread += (title for title in columns.unread if title not in self.unread)

    def saw_person(self, contact: str, rows: int) -> None:
        """Count the rows of a person that were gathered."""
        self.gathered += rows
        self.people += 1
        if rows > self.most_rows[0]:
            self.most_rows = (rows, contact)

    def saw_shared(self, tally: SharedTally) -> None:
        """Note how many addresses different people share."""
        self.shared = tally.addresses

    def saw(self, item: FileRecord | RejectedRow | LeftOut) -> None:
        """Count what came out of the file."""
        match item:
            case FileRecord():
                self.records += 1
                self.sample = self.sample or item.candidate.input
                if len(self.first) < FIRST:
                    self.first.append(item)
                group = (item.account, str(item.address), item.state.value)
                if group in self.groups or len(self.groups) < MOST_GROUPS:
                    self.groups[group] += 1
                else:
                    self.ungrouped += 1
            case RejectedRow():
                self.refused += 1
                if len(self.reasons) < FIRST:
                    self.reasons.append("; ".join(map(str, item.reasons)))
            case LeftOut():
                self._leave_out(item)

    def _leave_out(self, item: LeftOut) -> None:
        why = item.why if item.why in self.left_out or len(self.left_out) < MOST_GROUPS else "for further reasons"
        self.left_out[why] += 1
        if item.option and why == item.why:
            self.take_in[why] = item.option
