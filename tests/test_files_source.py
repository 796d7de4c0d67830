"""The rows of a refusal, kept with it: read again they come to the same, and fixed they are accepted."""

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given, settings, strategies as st

from models.input_check import Reason
from models.words import State
from worker.files.options import DateOrder, Options, SharedAddress
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.files.source import MOST_ROWS, Source
from worker.submission.corrections import Corrections, bundle_of
from worker.submission.rejects_file import RefusedFile

OPTIONS = Options(state=State.ATTEND, object_id="7")
JOINS = [
    "mateo@example.com,2026-03-01T14:27:00Z,2026-03-01T14:40:00Z",
    "mateo@example.com,2026-03-01T14:41:00Z,2026-03-01T14:20:00Z",
    "ana@example.com,2026-03-01T14:00:00Z,2026-03-01T15:00:00Z",
    "mateo@example.com,2026-03-01T15:00:00Z,2026-03-01T15:38:00Z",
]


def read(content: str, options: Options = OPTIONS) -> tuple[list[FileRecord], list[RejectedRow]]:
    items = list(Reading(io.BytesIO(content.encode()), options).items())
    records = [item for item in items if isinstance(item, FileRecord)]
    return records, [item for item in items if isinstance(item, RejectedRow)]


def kept(refused: RejectedRow, options: Options = OPTIONS) -> Source:
    """Keep it as the database does."""
    written = Source.of(refused, options, 1).written
    return Source.read(json.loads(json.dumps(written)))


def report(*rows: str) -> str:
    return "\n".join(["Email,Join Time,Leave Time", *rows]) + "\n"


def test_one_wrong_join_of_several_shows_all_of_them_and_is_not_accepted_unchanged() -> None:
    _, (mateo,) = read(report(*JOINS))
    source = kept(mateo)
    assert [line for line, _ in source.rows] == [2, 3, 5]
    reasons = source.reread()
    assert reasons == mateo.reasons
    assert [one.where for one in mateo.reasons] == ["line 3, Leave Time"]


def test_the_wrong_join_left_out_the_others_are_one_stay() -> None:
    _, (mateo,) = read(report(*JOINS))
    source = kept(mateo)
    (record,) = source.with_rows([row for row in source.rows if row[0] != 3]).reread()
    assert isinstance(record, FileRecord)
    properties = record.candidate.input["properties"]
    assert properties == {"joinedAt": "2026-03-01T14:27:00Z", "leftAt": "2026-03-01T15:38:00Z"}


def test_a_corrected_cell_is_accepted() -> None:
    _, (mateo,) = read(report(*JOINS))
    source = kept(mateo)
    rows = [(line, [*cells[:2], "2026-03-01T14:59:00Z"] if line == 3 else cells) for line, cells in source.rows]
    assert isinstance(source.with_rows(rows).reread(), list)


WRONG = {
    "no address": "nobody,2026-03-01T10:00:00Z,2026-03-01T11:00:00Z",
    "no time": "b@example.com,,",
    "no leave": "b@example.com,2026-03-01T10:00:00Z,",
    "too long": "b@example.com,2026-03-01T10:00:00Z,2026-03-09T11:00:00Z",
    "no zone and no day": "b@example.com,2026-02-30T10:00:00Z,2026-02-30 11:00",
    "cells": "b@example.com,2026-03-01T10:00:00Z,2026-03-01T11:00:00Z,more,than,there,are",
    "quote": '"b@example.com,2026-03-01T10:00:00Z',
    "quoted": '"no\nbody",2026-03-01T10:00:00Z,2026-03-01T11:00:00Z',
    "all": "nobody,never,2026-13-01T10:00:00Z",
}


@pytest.mark.parametrize("row", WRONG.values(), ids=WRONG)
def test_what_is_refused_of_a_file_is_refused_again_unchanged_with_the_same_reasons(row: str) -> None:
    _, refused = read(report(JOINS[2], row, "c@example.com,2026-03-01T10:00:00Z,2026-03-01T11:00:00Z"))
    assert refused
    for one in refused:
        again = kept(one).reread()
        assert isinstance(again, tuple)
        if "opens a quote" not in one.reasons[0].what:  # that row is one cell now
            assert again == one.reasons


_TIMES = st.sampled_from(["2026-03-01T10:00:00Z", "2026-03-01T09:00:00Z", "2026-03-01", "", "soon", "12:00"])
_ROWS = st.lists(st.tuples(st.sampled_from(["a@example.com", "b@example.com", "x@x"]), _TIMES, _TIMES), min_size=1)


@settings(max_examples=60, deadline=None)
@given(_ROWS, st.sampled_from(list(State)))
def test_whatever_is_refused_is_refused_again_unchanged(rows: list[tuple[str, str, str]], state: State) -> None:
    options = Options(
        state=state, object_id="7", shared_address=SharedAddress.ONE_PERSON, occurrence="all", day=date(2026, 3, 1)
    )
    titles = "Email,Join Time,Leave Time" if state is State.ATTEND else "Email,Date,Note"
    first = ["z@example.com,2026-03-01T10:00:00Z,2026-03-01T11:00:00Z"] * 60
    content = "\n".join([titles, *first, *map(",".join, rows[:6])])
    for one in read(content, options)[1]:
        assert isinstance(kept(one, options).reread(), tuple)


def test_every_fault_of_a_row_is_said_at_its_cell() -> None:
    _, (one,) = read("Email,Date,State\nnobody,soon,ATTENDEDD\n", Options(object_id="7"))
    assert {reason.where for reason in one.reasons} >= {"line 2, Email", "line 2, Date", "line 2, State"}


def test_options_are_kept_as_they_were_said() -> None:
    options = Options.read(
        state=State.ATTEND,
        event="spring",
        external_account="acme",
        account="emea",
        time_zone="EST=America/New_York",
        date_order=DateOrder.DMY,
        mapping=["Their column=email", "Status=status(Walk-in=keep)"],
        occurrence="2026-03-29T19:00",
        shared_address=SharedAddress.LEAVE_OUT,
        include_hosts=True,
    )
    assert Options.of_said(json.loads(json.dumps(options.said))) == options


def test_many_rows_are_not_all_kept_and_not_read_again() -> None:
    _, (one,) = read(report(*["x@example.com,2026-03-01T10:00:00Z,2026-03-01T09:00:00Z"] * (MOST_ROWS + 5)))
    source = kept(one)
    assert (len(source.rows), source.more) == (MOST_ROWS, 5)
    assert isinstance(source.reread(), tuple)


def test_what_the_database_cannot_hold_is_kept_escaped() -> None:
    refused = RejectedRow(2, (Reason("line 2", "x", "y"),), b"", ("Email\0",), ((2, ["\udcff\0"]),))
    assert kept(refused).rows == ((2, ("\\udcff\\x00",)),)


def test_a_row_of_a_file_of_refused_rows_names_what_it_corrects(tmp_path: Path) -> None:
    submission = uuid4()
    path = tmp_path / "refused.csv"
    with RefusedFile(path, submission) as file:
        for one in read(report(*JOINS, WRONG["no address"]))[1]:
            file.add(one)
    fixed = path.read_text("utf-8-sig").replace("14:20:00", "14:50:00")
    records, refused = read(fixed)
    assert [one.corrects for one in records] == [(f"{submission}/1",)]
    assert [one.corrects for one in refused] == [(f"{submission}/2",)]
    again = tmp_path / "again.csv"
    with RefusedFile(again, uuid4()) as file:
        file.add(refused[0])
    head, row = again.read_text("utf-8-sig").splitlines()
    assert head == "reason,line,refused,Email,Join Time,Leave Time"
    assert str(submission) not in row


def test_lines_of_json_name_it_too(tmp_path: Path) -> None:
    submission = uuid4()
    options = Options(state=State.REGISTER, object_id="7")
    path = tmp_path / "refused.csv"
    with RefusedFile(path, submission) as file:
        for one in read('{"email":"nobody","interactionDateTime":1772359200000}\n', options)[1]:
            file.add(one)
    text = path.read_text("utf-8-sig")
    assert [one.corrects for one in read(text, options)[1]] == [(f"{submission}/1",)]
    assert [one.corrects for one in read(text.replace("nobody", "a@example.com"), options)[0]] == [(f"{submission}/1",)]


def test_a_file_of_an_earlier_release_corrects_nothing_and_is_read() -> None:
    records, _ = read("reason,line,Email,Join Time,Leave Time\nx,2," + JOINS[2] + "\n")
    assert [one.corrects for one in records] == [()]


def test_a_column_that_looks_like_a_name_is_no_harm() -> None:
    corrections = Corrections()
    corrections.add(["", "x", "x/1", f"{uuid4()}/x", f"{uuid4()}/99999999999999", "/"])
    assert bool(corrections) is False
    corrections.add([f"{uuid4()}/7"])
    assert bool(corrections) is True
    assert (bundle_of(1), bundle_of(1000), bundle_of(1001)) == ("refused 1", "refused 1", "refused 2")


def test_a_row_left_out_by_its_values_is_not_accepted_and_says_so() -> None:
    _, (one,) = read(report(WRONG["no address"]))
    source = replace(kept(one), titles=("Email", "Join Time", "Leave Time", "Attended"))
    rows = [(2, ["ana@example.com", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", "No"])]
    again = source.with_rows(rows).reread()
    assert isinstance(again, tuple)
    assert "left out" in again[0].what
