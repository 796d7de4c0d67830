import csv
import io
from datetime import time

import pytest
from hypothesis import given, settings, strategies as st

from models.words import State
from worker.files.csv_rows import MOST_CONTINUED, CsvRow, split_rows
from worker.files.lines import Line
from worker.files.options import Options
from worker.files.reader import Reading
from worker.files.rows import RejectedRow


def rows(text: str, delimiter: str = ",") -> list[CsvRow]:
    return list(split_rows((Line(number, line) for number, line in enumerate(text.split("\n"), 1)), delimiter))


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("a,b", [["a", "b"]]),
        ('"a,1",b', [["a,1", "b"]]),
        ('"a\n1",b\nc,d', [["a\n1", "b"], ["c", "d"]]),
        ('"say ""hi""",b', [['say "hi"', "b"]]),
        ("a,b\n\n  \nc,d", [["a", "b"], ["c", "d"]]),
        ("5'10\",b", [["5'10\"", "b"]]),
        ('"Bob" Smith,b', [["Bob Smith", "b"]]),
    ],
)
def test_rows_are_read_as_the_usual_tools_write_them(text: str, cells: list[list[str]]) -> None:
    assert [row.cells for row in rows(text)] == cells


@pytest.mark.parametrize(
    "broken",
    [
        'a,"open\nc,d\ne,f',
        'a,"open\nc,"quoted"\ne,f',
        'a,"open\n"c",d\ne,f',
        'a,"open\n' + "\n".join(["c,d"] * (MOST_CONTINUED * 2)),
    ],
)
def test_a_quote_that_never_closes_costs_its_own_line_alone(broken: str) -> None:
    first, *others = rows(broken)
    assert first.cells == ['a,"open']
    assert "line 1: opens a quote that does not close" in str(first.fault)
    assert [other.line for other in others] == list(range(2, broken.count("\n") + 2))
    assert not any(other.fault for other in others)


def test_rows_are_numbered_by_their_first_line() -> None:
    assert [row.line for row in rows('a\n"b\n\nb"\nc')] == [1, 2, 5]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text(st.sampled_from('ab ,;"\n'), max_size=6), min_size=2, max_size=4), min_size=1, max_size=8)
)
def test_what_csv_writes_is_read_back(table: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(table)
    assert [row.cells for row in rows(written.getvalue())] == table


def test_a_byte_that_is_no_text_costs_its_row_also_where_a_quoted_cell_runs_over_lines() -> None:
    content = (
        b'Email,Date,Note\na@example.com,2026-03-01T10:00:00Z,"x\n\xd3y"\n'
        b"b@example.com,2026-03-01T10:00:00Z,zo\xc3\xab\n"
    )
    options = Options(state=State.ATTEND, object_id="7", mapping=(("Date", "joined"),), end=time(9))
    items = list(Reading(io.BytesIO(content), options).items())
    assert {type(item).__name__ for item in items} == {"RejectedRow"}
    assert "holds the byte 0xd3" in str(next(one for one in items if isinstance(one, RejectedRow)).reasons[0])
