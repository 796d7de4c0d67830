"""What one row says beside a table: the title of a section, a lone text that may be one, the addresses of hosts."""

import re
from typing import Final

from models.input_check import comparable
from worker.files.columns.header import OF_TIME, Columns, is_address
from worker.files.columns.hosts_and_attendees import EventRole, role_of, section_of
from worker.files.columns.known_titles import compact
from worker.files.columns.repeated import MEETING
from worker.files.csv_rows import CsvRow

ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"“”=]+@[^\s<>()\[\],;:\"“”=]+\.[^\s<>()\[\],;:\"“”=]+")
_DOMAIN: Final = re.compile(r"\S*\w\.\w\S*")


def is_title(row: CsvRow) -> bool:
    """Say whether a row may be a title: one cell alone, or a known section beside a number of people."""
    if row.fault or not row.cells[0].strip():
        return False
    rest = ""
    for cell in row.cells[1:]:
        if text := cell.strip():
            if rest:
                return False  # at the third cell of nearly every row
            rest = text
    return not rest or (rest.isdecimal() and section_of(title_of(row)) is not None)


def lone_text(row: CsvRow, columns: Columns) -> str:
    """Give the text of a row that has one alone, in one cell or in each, and no time: it may be a title."""
    text = ""
    for cell in row.cells:
        if (other := cell.strip()) and other != text:
            if text:
                return ""  # at the second cell of nearly every row
            text = other
    times = {place for what in OF_TIME for place in columns.fields.get(what, ())}
    if any(at < len(row.cells) and row.cells[at].strip()[:1].isdigit() for at in times):
        return ""
    is_address_like = "@" in text or _DOMAIN.fullmatch(text)  # a misspelt address
    return text.rstrip(":").strip() if any(map(str.isalpha, text)) and not is_address_like else ""


def title_of(row: CsvRow) -> str:
    """Give the text of its first cell, as a title."""
    return row.cells[0].strip().rstrip(":").strip()


def name_hosts(row: CsvRow, above: CsvRow | None, named: dict[str, bool]) -> None:
    """Note the addresses in a row above the header, and whether a title beside or above says they are the host's."""
    label = _about_host(row.cells[0])
    for place, cell in enumerate(row.cells):
        titles = above.cells if above is not None else []
        over = place < len(titles) and (_about_host(titles[place]) or is_address(titles[place]))
        described = over and not MEETING.isdisjoint(compact(title) for title in titles)
        for address in ADDRESS.findall(cell):
            key = comparable(address)
            named[key] = named.get(key, False) or described or label


def _about_host(title: str) -> bool:
    return any(role_of(word) is EventRole.STAFF for word in re.findall(r"[^\W\d_]+", title))
