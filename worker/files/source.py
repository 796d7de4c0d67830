"""The rows that a refusal came from, kept with how their file was read: to be shown, fixed in a table, and read again.

What is read again goes through the same reader as the file did, so what was refused is refused again unchanged.
"""

import io
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from models.input_check import Reason
from worker.files import jsonl
from worker.files.columns.header import REFUSED
from worker.files.lines import FileError
from worker.files.options import Options
from worker.files.questions import QuestionsError
from worker.files.rows import FileRecord, RejectedRow
from worker.files.sheet import Sheet

MOST_ROWS: Final = 200
"""Rows that are kept of one refusal; more are an address that many share, and are fixed in the file."""
MOST_LETTERS: Final = 64 * 1024
"""The same, of what stands in them."""
_LINE: Final = re.compile(r"line (\d+)")


@dataclass(frozen=True, slots=True)
class Source:
    """The rows of a refusal, each with its line in the file, under the file's titles."""

    place: int
    """Its number among what was refused of its file."""
    titles: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    said: Mapping[str, Any]
    """The options with which the file was read."""
    more: int = 0
    """Rows that are not kept; without all of them they cannot be read again."""

    @classmethod
    def of(cls, refused: RejectedRow, options: Options, place: int) -> Self:
        """Keep the rows of what is refused, as far as they are few."""
        kept: list[tuple[int, tuple[str, ...]]] = []
        letters = sum(map(len, refused.own_titles))
        for line, cells in refused.own_rows[:MOST_ROWS]:
            letters += sum(map(len, cells))
            if letters > MOST_LETTERS:
                break
            kept.append((line, tuple(cells)))
        return cls(place, refused.own_titles, tuple(kept), options.said, len(refused.rows) - len(kept))

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read it as `written` wrote it."""
        rows = tuple((line, tuple(cells)) for line, cells in written["rows"])
        return cls(written["place"], tuple(written["titles"]), rows, written["said"], written["more"])

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON, without what the database cannot keep."""
        rows = [[line, [_kept(cell) for cell in cells]] for line, cells in self.rows]
        titles = [_kept(title) for title in self.titles]
        return {"place": self.place, "titles": titles, "rows": rows, "said": self.said, "more": self.more}

    @property
    def is_json(self) -> bool:
        """Say whether it is a line of JSON, whose message is fixed field by field."""
        return self.titles == jsonl.TITLES

    def with_rows(self, rows: Sequence[tuple[int, Sequence[str]]]) -> Self:
        """Give it with other rows in place of these."""
        return replace(self, rows=tuple((line, tuple(cells)) for line, cells in rows))

    def reread(self) -> list[FileRecord] | tuple[Reason, ...]:
        """Read the rows as their file was read; give their records, or every reason against them."""
        from worker.files.reader import Reading  # a page that shows rows reads none

        lines = [line for line, _ in self.rows]
        if self.more or not lines:
            right = "the rows fixed in their file, and that file submitted"
            return (Reason("rows", f"are not all here: {self.more:,} more stand in the file", right),)
        text = io.StringIO()
        sheet = Sheet(text)
        sheet.add([*REFUSED, *self.titles])
        starts = []
        for line, cells in self.rows:
            starts.append(text.getvalue().count("\n") + 1)
            sheet.add(["", line, "", *cells])
        content = io.BytesIO(text.getvalue().encode("utf-8-sig", "backslashreplace"))
        try:
            reading = Reading(content, Options.of_said(self.said))
            items = list(reading.items())
        except QuestionsError as error:
            return tuple(Reason(one.where, one.what, one.choices[0].option) for one in error.questions)
        except FileError as error:
            return (error.reason,)
        reasons = tuple(
            replace(
                reason, where=_LINE.sub(lambda found: f"line {_at(found[1], starts, lines)}", reason.where, count=1)
            )
            for item in items
            if isinstance(item, RejectedRow)
            for reason in item.reasons
        )
        records = [item for item in items if isinstance(item, FileRecord)]
        if reasons or records:
            return reasons or records
        why = "; ".join(reading.facts.left_out) or "they are empty"
        return (Reason("rows", f"are left out ({why})", "rows that count; or dismiss this"),)


def _at(number: str, starts: Sequence[int], lines: Sequence[int]) -> int:
    """Give the line in the file of a line of what was read again."""
    return lines[max(0, bisect_right(starts, int(number)) - 1)]


def _kept(text: str) -> str:
    """Write a text without what PostgreSQL's JSON cannot hold: NUL, and half of a surrogate pair."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
