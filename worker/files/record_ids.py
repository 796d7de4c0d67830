"""Ids of contacts under “Record ID”, a title that HubSpot and other tools use: whose they are may be asked."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from models.input_check import shown
from worker.files.columns.header import Columns
from worker.files.columns.known_titles import Field, compact
from worker.files.columns.map_option import as_option
from worker.files.options import Options
from worker.files.questions import Choice, Question

LARGEST_ROW_NUMBER: Final = 10_000
"""Contact ids up to here may as well count the rows of a form."""
HUBSPOTS: Final = "Record ID"
"""As HubSpot writes it; Zoho writes Record Id, REDCap record_id."""
LONGEST_ID: Final = 17
"""Digits that a HubSpot contact id has at most."""
_OTHER_TOOLS: Final = (
    "salesforce",
    "zoho",
    "civicrm",
    "dynamics",
    "pipedrive",
    "marketo",
    "redcap",
    "airtable",
    "attio",
    "eloqua",
)


class RecordIds:
    """The ids of a file that name somebody without an e-mail address."""

    def __init__(self) -> None:
        self._ids: defaultdict[str, list[str]] = defaultdict(list)
        self._highest: Counter[str] = Counter()

    def see(self, columns: Columns, cells: list[str]) -> None:
        """Note the ids of contacts under a title that other tools use as well, in rows that name nobody else."""
        for place in columns.fields.get(Field.EMAIL, ()):
            if _cell(cells, place):
                return
        for place in columns.fields.get(Field.VID, ()):
            if compact(columns.titles[place]) == "recordid" and (text := _cell(cells, place)):
                name = columns.name(place)
                theirs = columns.titles[place].strip() == HUBSPOTS
                if not (theirs and text.isdecimal() and len(text) <= LONGEST_ID):
                    self._ids[name] = self._ids[name] or [text]
                else:
                    self._highest[name] = max(self._highest[name], int(text))

    def questions(self, headers: list[Columns], options: Options) -> Iterator[Question]:
        """Ask whether the ids of a column are HubSpot's."""
        said = {compact(title) for title, _ in options.mapping}
        titles = "".join(compact(title) for columns in headers for title in columns.titles)
        for name in self._ids.keys() | self._highest.keys():
            tool = next((tool for tool in _OTHER_TOOLS if tool in titles), None)
            if "recordid" in said or not (self._ids[name] or tool or self._highest[name] <= LARGEST_ROW_NUMBER):
                continue
            seen = shown(self._ids[name][0]) if self._ids[name] else f"ids up to {self._highest[name]:,}"
            what = f"names people who have no e-mail address, and may be another tool's id ({seen}). Is it HubSpot's?"
            choices = (
                Choice(as_option(name, Field.VID), "it is HubSpot's own record id"),
                Choice(as_option(name, Field.IGNORE), "it is not; these rows are not accepted"),
            )
            yield Question("--map", f"column “{shown(name)}”", what, choices)


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if place < len(cells) else ""
