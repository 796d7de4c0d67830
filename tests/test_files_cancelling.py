# ruff: noqa: E501 - the files are as wide as they are
"""Who is sent as cancelled: those of whom the file says so, and nobody for not having come."""

from typing import Any

import orjson
import pytest

from models.words import State
from tests.support.file_readings import read
from worker.files.jsonl import read_line
from worker.files.options import Options
from worker.files.questions import QuestionsError
from worker.files.rows import FileRecord, RejectedRow

ABSENT = {
    "no show: yes": ("Email,No Show,Date\na@,Yes,<T>\nb@,No,<T>\n", "No Show=status(Yes={})", "“Yes” (1)"),
    "attended: no": ("Email,Attended,Date\na@,No,<T>\nb@,Yes,<T>\n", "Attended=attended(No={})", "“No” (1)"),
    "attended, left empty": ("Email,Attended,Date\na@,,<T>\nb@,Yes,<T>\n", "Attended=attended(empty={})", "nothing (1)"),
    "in German": ("E-Mail,Anwesend,Datum\na@,Nein,<T>\nb@,Ja,<T>\n", "Anwesend=attended(Nein={})", "“Nein” (1)"),
    "a title that may be something else": ("Email,Attendance,Date\na@,No,<T>\nb@,Yes,<T>\n", "Attendance=attended(No={})", "“No” (1)"),
    "a hand-made tick": ("Email,Here,Date\na@,✗,<T>\nb@,✓,<T>\n", "Here=attended(✗={})", "“✗” (1)"),
    "a type of attendee": ("Email,Attendee Type,Date\na@,No Show,<T>\n", "Attendee Type=role(No Show={})", "“No Show” (1)"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "answer", "values"), ABSENT.values(), ids=ABSENT)
def test_who_did_not_come_is_not_sent_as_cancelled_without_a_question(text: str, answer: str, values: str) -> None:
    with pytest.raises(QuestionsError) as error:
        read(text, State.CANCEL)
    (question,) = error.value.questions
    assert f"says who did not come, and nothing in these rows says who cancelled: {values}" in str(question)
    assert [choice.option for choice in question.choices] == [
        f'--map "{answer.format("leave out")}"',
        f'--map "{answer.format("cancel")}"',
        '--map "Their column=canceled"',
    ]
    assert read(text, State.CANCEL, mapping=[answer.format("cancel")])[1:] == (["a cancel"], [])
    reading, people, refused = read(text, State.CANCEL, mapping=[answer.format("leave out")])
    assert (people, refused) == ([], [])
    assert sum(reading.facts.left_out.values()) == reading.facts.rows


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("Email,Date\na@,<T>\n", ["a cancel"]),
        ("Email,Attended,Cancelled At\na@,No,<T>\nb@,No,\n", ["a cancel"]),
        ("Email,Attended,Status,Date\na@,No,Cancelled,<T>\nb@,No,Registered,<T>\n", ["a cancel"]),
        ("Email,Attended,Outcome,Date\na@,No,Cancelled,<T>\nb@,No,Registered,<T>\n", ["a cancel"]),
        ("Email,Attended,Is Cancelled,Date\na@,No,Yes,<T>\nb@,No,No,<T>\n", ["a cancel"]),
        ("Email,Attended,Date\na@,,<T>\nb@,,<T>\n", ["a cancel", "b cancel"]),
        ("Email,Attended,subscriber_state,Date\na@,No,cancel,<T>\n", ["a cancel"]),
    ],
)
def test_where_the_file_says_who_cancelled_nothing_is_asked(text: str, people: list[str]) -> None:
    assert read(text, State.CANCEL)[1:] == (people, [])


@pytest.mark.parametrize(
    ("title", "came", "absent"),
    [
        ("Join Time", "<T>", ""),
        ("Join Time", "<T>", "--"),
        ("Leave Time", "<L>", ""),
        ("Time in Session (minutes)", "35", "0"),
        ("Duration", "1h 2m", "0 min"),
    ],
)
def test_who_was_there_is_left_out_of_the_cancellations(title: str, came: str, absent: str) -> None:
    text = f"Email,Date,{title}\na@,<T>,{came}\nb@,<T>,{absent}\n"
    reading, people, _ = read(text, State.CANCEL)
    assert people == ["b cancel"]
    assert dict(reading.facts.left_out) == {f"{title} says that they came (not cancelled)": 1}
    (option,) = reading.facts.take_in.values()
    assert option == f'--map "{title}=ignore"'
    assert read(text, State.CANCEL, mapping=[f"{title}=ignore"])[1] == ["a cancel", "b cancel"]


def test_who_is_said_to_be_registered_did_not_cancel() -> None:
    reading, people, _ = read("Email,Registered,Date\na@,Yes,<T>\nb@,No,<T>\n", State.CANCEL)
    assert (people, reading.facts.left_out["Registered “Yes” (not cancelled)"]) == ([], 1)


def test_another_state_said_of_who_did_not_come_leaves_them_out() -> None:
    text = "Email,Attended,Date\na@,No,<T>\n"
    reading, people, _ = read(text, State.CANCEL, mapping=["Attended=attended(No=register)"])
    assert (people, sum(reading.facts.left_out.values())) == ([], 1)


@pytest.mark.parametrize(("field", "value"), [("no_show", True), ("attended", "no"), ("checked_in", False)])
def test_a_line_of_json_of_who_did_not_come_is_refused_with_the_question(field: str, value: object) -> None:
    line: dict[str, Any] = {"email": "a@example.com", "interactionDateTime": 1772359200000, field: value}
    options = Options(state=State.CANCEL, object_id="7")
    (refused,) = read_line(1, orjson.dumps(line).decode(), options)
    assert isinstance(refused, RejectedRow)
    assert "nothing in these rows says who cancelled" in str(refused.reasons[0])
    (said,) = read_line(1, orjson.dumps({**line, "subscriber_state": "cancel"}).decode(), options)
    (status,) = read_line(1, orjson.dumps({**line, "status": "cancelled"}).decode(), options)
    assert isinstance(said, FileRecord)
    assert isinstance(status, FileRecord)
