"""The table in which a refusal is fixed: every fault at its cell, and what is not touched stays as it was."""

import json
from typing import Any

import pytest

from models.input_check import Reason
from models.message import Message, Unreadable, read_message
from web.console import fix_table
from worker.files.source import Source

WHEN = 1_767_225_600_000


def message(*inputs: object, **more: object) -> dict[str, Any]:
    return {"subscriber_state": "register", "object_id": "7", "inputs": list(inputs), **more}


def reasons_of(one: dict[str, Any]) -> tuple[Reason, ...]:
    found = read_message(json.dumps(one).encode())
    if isinstance(found, Unreadable):
        return found.reasons
    return tuple(reason for judged in found.judged() if isinstance(judged, tuple) for reason in judged)


def faults(table: fix_table.FixTable) -> dict[str, list[str]]:
    cells = [*table.around, *(cell for row in table.rows for cell in row.cells)]
    return {cell.name: [one.what for one in cell.faults] for cell in cells if cell.faults}


def form(table: fix_table.FixTable, **changed: str) -> dict[str, str]:
    """Send the table as a browser does, with some fields changed."""
    cells = [*table.around, *(cell for row in table.rows for cell in row.cells)]
    sent = {cell.name: cell.value.replace("\r\n", "\n").replace("\n", "\r\n") for cell in cells}
    assert changed.keys() <= sent.keys()
    return sent | changed


WRONG = {
    "email": ({"email": "nobody", "interactionDateTime": WHEN}, "i0.email"),
    "time": ({"email": "a@example.com", "interactionDateTime": 5}, "i0.interactionDateTime"),
    "no contact": ({"interactionDateTime": WHEN}, "i0.email"),
    "vid": ({"vid": "x", "interactionDateTime": WHEN}, "i0.vid"),
    "property": (
        {"email": "a@example.com", "interactionDateTime": WHEN, "properties": {"a.b": 5}},
        "i0.properties.a.b",
    ),
    "field": ({"mail": "a@example.com", "email": "a@example.com", "interactionDateTime": WHEN}, "i0.mail"),
}


@pytest.mark.parametrize(("one", "cell"), WRONG.values(), ids=WRONG)
def test_a_fault_stands_at_its_cell(one: dict[str, Any], cell: str) -> None:
    table = fix_table.of_message(message(one), reasons_of(message(one)))
    assert table is not None
    assert list(faults(table)) == [cell]
    assert table.rest == []


def test_all_faults_stand_at_once() -> None:
    one = message({"email": "nobody", "interactionDateTime": 5}, subscriber_state="ATTENDED", account="\n")
    table = fix_table.of_message(one, reasons_of(one))
    assert table is not None
    found = {"m.subscriber_state", "i0.email", "i0.interactionDateTime", "i0.properties.joinedAt"}
    assert faults(table).keys() >= found


def test_the_reason_of_one_input_among_many_stands_at_the_one_that_was_kept() -> None:
    one = message({"email": "nobody", "interactionDateTime": WHEN})
    table = fix_table.of_message(one, [Reason("inputs[41].email", "x", "y")])
    assert table is not None
    assert list(faults(table)) == ["i0.email"]


def test_what_is_not_touched_stays_as_it_was() -> None:
    odd = {"email": "nobody", "interactionDateTime": WHEN, "properties": {"a": 5, "b": "x\ny", "c": None, "d": True}}
    one = message(odd, {"vid": 7, "interactionDateTime": "1767225600000"}, object_id=7, submission_id="x")
    table = fix_table.of_message(one, ())
    assert table is not None
    assert fix_table.message_of(one, form(table)) == one


def test_changed_fields_are_taken_and_emptied_ones_go() -> None:
    one = message({"email": "nobody", "interactionDateTime": WHEN, "properties": {"a": 5}}, part="x")
    table = fix_table.of_message(one, ())
    assert table is not None
    changed = {"i0.email": " ada@example.com ", "i0.interactionDateTime": "2026-03-01T10:00:00+01:00"}
    fixed = fix_table.message_of(one, form(table, **changed, **{"i0.properties.a": "", "m.object_id": "8"}))
    (only,) = fixed["inputs"]
    assert only == {"email": "ada@example.com", "interactionDateTime": 1_772_355_600_000, "properties": {}}
    assert fixed["object_id"] == "8"
    assert isinstance(read_message(json.dumps(fixed).encode()), Message)


@pytest.mark.parametrize("more", [{}, {"properties": None}, {"properties": "x"}, {"properties": 5}])
def test_a_field_that_was_missing_is_added(more: dict[str, Any]) -> None:
    one = message({"email": "a@example.com", "interactionDateTime": WHEN, **more}, subscriber_state="attend")
    table = fix_table.of_message(one, reasons_of(one))
    assert table is not None
    fixed = fix_table.message_of(one, form(table, **{"i0.properties.joinedAt": "2026-03-01T10:00:00Z"}))
    assert fixed["inputs"][0]["properties"] == {"joinedAt": "2026-03-01T10:00:00Z"}


@pytest.mark.parametrize("odd", [{}, {"inputs": []}, {"inputs": ["x"]}, {"inputs": [{"email": ["x"]}]}, {"inputs": 5}])
def test_what_is_no_list_of_inputs_is_fixed_as_text(odd: dict[str, Any]) -> None:
    assert fix_table.of_message(odd, ()) is None


@pytest.mark.parametrize(
    "large",
    [
        {f"extra{number}": "x" for number in range(fix_table.MOST_CELLS)},
        {"inputs": [{"email": "nobody", "properties": {f"p{number}": "x" for number in range(1_000)}}]},
        {"inputs": [{"email": "nobody", "properties": {"note": "ä" * 200_000}}]},
    ],
    ids=["many fields around", "many fields of one", "a large value"],
)
def test_what_no_form_could_carry_is_no_table(large: dict[str, Any]) -> None:
    one = {**message({"email": "nobody", "interactionDateTime": WHEN}), **large}
    assert fix_table.of_message(one, reasons_of(one)) is None


def test_rows_with_their_boxes_are_no_more_than_a_form_can_carry() -> None:
    rows = tuple((line, ("x",) * 4) for line in range(2, 203))
    assert fix_table.of_rows(Source(1, ("a", "b", "c", "d"), rows[:200], {}), ()) is not None
    assert fix_table.of_rows(Source(1, ("a", "b", "c", "d"), rows, {}), ()) is None


def test_names_that_are_not_of_the_table_change_nothing() -> None:
    one = message({"email": "nobody", "interactionDateTime": WHEN})
    sent = {"m.inputs": "x", "i9.email": "x", "ix.email": "x", "i0": "x", "form": "x", "kind": "inputs"}
    assert fix_table.message_of(one, sent) == one


SOURCE = Source(1, ("Email", "Join Time", ""), ((4, ("nobody", "x")), (6, ("b@example.com", "y", "z", "more"))), {})


def test_the_rows_of_a_file_are_shown_as_they_are_with_faults_at_their_cells() -> None:
    reasons = [Reason("line 4, Email", "a", ""), Reason("line 6", "b", ""), Reason("line 9, Email", "c", ""),
               Reason("rows", "d", ""), Reason("line 6, Gone", "e", "")]  # fmt: skip
    table = fix_table.of_rows(SOURCE, reasons, [6])
    assert table is not None
    assert table.columns == ["Email", "Join Time", "#3", "#4"]
    assert [row.title for row in table.rows] == ["line 4", "line 6"]
    assert faults(table) == {"c0.0": ["a"]}
    assert [one.what for one in table.rows[1].faults] == ["b", "e"]
    assert [one.what for one in table.rest] == ["c", "d"]
    assert [row.is_out for row in table.rows] == [False, True]


def test_rows_are_read_back_with_those_that_are_left_out() -> None:
    table = fix_table.of_rows(SOURCE, ())
    assert table is not None
    sent = form(table, **{"c0.0": "ada@example.com"})
    read, out = fix_table.rows_of(SOURCE, {**sent, "out1": "1"})
    assert read.rows == ((4, ("ada@example.com", "x", "")), (6, ("b@example.com", "y", "z", "more")))
    assert out == [6]
