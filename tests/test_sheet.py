"""Sheets: nothing in a cell is run, whichever separator a spreadsheet takes, and our readers read what was written."""

import csv
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given, settings, strategies as st

from models.input_check import Reason
from models.words import State
from worker.files.csv_rows import split_rows
from worker.files.lines import Lines
from worker.files.options import Options
from worker.files.reader import Reading
from worker.files.rows import RejectedRow
from worker.files.sheet import Sheet, guarded, unguarded
from worker.submission.rejects_file import RefusedFile

ROOT: Final = Path(__file__).parent.parent
FORMULAS: Final[list[str]] = json.loads((ROOT / "tests" / "corpora" / "formulas.json").read_text("utf-8"))
"""Cells that a spreadsheet would run, or that it might take for such."""
SIGNS: Final = "=+-@\uff1d\uff0b\uff0d\uff20"
BLANKS: Final = ' "\ufeff\u200b\u200d\u00a0\u00ad\u2060\u0000'
SEPARATORS: Final = (",", ";", "\t", "|")
CELLS: Final = st.one_of(
    st.text(alphabet=[*SIGNS, *BLANKS, *SEPARATORS, "'", "\r", "\n", "a", "1"], max_size=12),
    st.text(max_size=20),
    st.sampled_from(FORMULAS),
)


def sheet(*rows: list[str]) -> str:
    file = io.StringIO(newline="")
    written = Sheet(file)
    for row in rows:
        written.add(row)
    return file.getvalue()


def runs(text: str) -> bool:
    """Say whether a spreadsheet may run a cell: what it passes over is passed over."""
    return text.lstrip(BLANKS + "\t\r\n")[:1] in {*SIGNS}


@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=3))
@example([["a", "x;=1+2;y"], ["=1", "b"]])
def test_no_separator_makes_a_cell_that_is_run(rows: list[list[str]]) -> None:
    written = sheet(*rows).replace("\0", "")  # which Python's reader before 3.11 does not take
    for separator in SEPARATORS:
        cells = [cell for row in csv.reader(io.StringIO(written, newline=""), delimiter=separator) for cell in row]
        cells += [part for line in written.splitlines() for part in line.split(separator)]  # one that knows no quotes
        assert [cell for cell in cells if runs(cell)] == []


@given(CELLS)
def test_a_cell_is_read_as_it_was_written(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell
    assert guarded(cell).replace("'", "") == cell.replace("'", ""), "only apostrophes are added"


@pytest.mark.parametrize("cell", FORMULAS)
def test_each_kind_of_formula_is_guarded(cell: str) -> None:
    assert guarded(cell) != cell
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "a",
        "ada@example.com",
        "2026-03-01T10:00:00Z",
        "a-b",
        "1+1",
        "Doe, John",
        "it's",
        "'quoted'",
        "a; b",
        "5",
        "é",
    ],
)
def test_what_is_no_formula_stays_as_it_is(cell: str) -> None:
    assert guarded(cell) == cell
    assert unguarded(cell) == cell


@settings(max_examples=40)
@given(cells=st.lists(CELLS.filter(lambda cell: not {"\r", "\0"} & {*cell}), min_size=1, max_size=4))
def test_rows_that_were_not_accepted_are_read_again_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    path = tmp_path_factory.mktemp("sheet") / "refused.csv"
    titles = ("Email", "Date", *(f"=Note;+{place}" for place in range(len(cells))))
    with RefusedFile(path) as refused:
        row = ["nobody", "2026-03-01T10:00:00Z", *cells]
        refused.add(RejectedRow(2, (Reason("line 2", "x", "y"),), b"", titles, ((2, row),)))
    with path.open("rb") as source:
        (again,) = Reading(source, Options(state=State.REGISTER, object_id="7")).items()
    assert isinstance(again, RejectedRow)
    assert again.titles[-len(titles) :] == titles
    assert [found[-len(row) :] for _, found in again.rows] == [row]


def test_a_row_of_another_file_keeps_its_apostrophes() -> None:
    rows = split_rows(iter(Lines(io.BytesIO(b"Email,Note\na@example.com,'=1\n"))), ",")
    assert [row.cells for row in rows][1] == ["a@example.com", "'=1"]


def test_nothing_else_writes_csv() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.split() if not name.startswith("tests/")]
    assert len(names) > 200
    writes = re.compile(r"csv\.(?:Dict)?[Ww]riter|from csv import|import csv as")
    assert [name for name in names if writes.search((ROOT / name).read_text("utf-8"))] == ["worker/files/sheet.py"]
