import io
from random import Random
from typing import Any, Unpack

import pytest
from hypothesis import given, settings, strategies as st

from models.words import State
from tests.support.file_readings import Said, options
from worker.files.options import Options, SharedAddress
from worker.files.people import people_behind, words_of
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow
from worker.submission.summary import FileResult, table

NAMED = "Name (Original Name),User Email,Join Time,Leave Time\n"
REGISTERED = "First Name,Last Name,Email,Registration Time\n"


def read(content: str, **said: Unpack[Said]) -> tuple[Reading, list[FileRecord]]:
    usual = options(said, state=State.ATTEND, object_id="7", time_zone="UTC")
    reading = Reading(io.BytesIO(content.encode()), usual)
    items = list(reading.items())
    assert not any(isinstance(item, RejectedRow) for item in items), items
    return reading, [item for item in items if isinstance(item, FileRecord)]


def joins(*rows: tuple[str, str], apart: int = 10) -> str:
    """Write rows of names and addresses, each there for a quarter of an hour."""
    times = [(number * apart, number * apart + 15) for number in range(len(rows))]
    return NAMED + "".join(
        f'"{name}",{email},2026-03-01 {10 + a // 60}:{a % 60:02},2026-03-01 {10 + b // 60}:{b % 60:02}\n'
        for (name, email), (a, b) in zip(rows, times, strict=True)
    )


def registrations(*names: str, minutes: int = 1) -> str:
    """Write rows of names under one booking address."""
    rows = (
        f"{name.replace(' ', ',')},booking@example.com,2026-03-01 10:{number * minutes:02}\n"
        for number, name in enumerate(names)
    )
    return REGISTERED + "".join(rows)


CREW = ["Ana Abe", "Bob Bly", "Cee Cole", "Dee Dunn", "Eve East", "Fay Fox"]
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "the host's address in every row": (joins(*((name, "host@example.com") for name in CREW)), {}),
    "three names under one address of a large file": (
        joins(
            *((f"Guest {n}", f"p{n}@example.com") for n in range(40)),
            *((name, "room@example.com") for name in CREW[:3]),
            apart=2,
        ),
        {},
    ),
    "a family": (
        joins(("Ana Abe", "abe@example.com"), ("Bob Abe", "abe@example.com"), ("Cee Abe", "abe@example.com")),
        {},
    ),
    "two people of two": (joins(("Ana Abe", "us@example.com"), ("Bob Bly", "us@example.com")), {}),
    "a company's people": (joins(*((f"ACME - {name}", "acme@example.com") for name in ("Ana", "Bob", "Cee"))), {}),
    "names of another script": (
        joins(*((name, "us@example.com") for name in ("山田太郎", "佐藤花子", "鈴木一郎"))),
        {},
    ),
    "devices without a name, all at once": (joins(*[("", "host@example.com")] * 6, apart=1), {}),
    "a booking for six": (registrations(*CREW), {"state": State.REGISTER}),
    "a booking for six at one moment": (registrations(*CREW, minutes=0), {"state": State.REGISTER}),
    "everybody brings one": (
        REGISTERED
        + "".join(
            f"{name.replace(' ', ',')},p{n}@example.com,2026-03-01 10:00\n{other.replace(' ', ',')},p{n}@example.com,"
            "2026-03-01 10:00\n"
            for n, (name, other) in enumerate(zip(CREW, reversed(CREW), strict=True))
        ),
        {"state": State.REGISTER},
    ),
    "a booking without names": (
        "Email,Seat,Date\n" + "".join(f"booking@example.com,{n},2026-03-01 10:00\n" for n in range(30)),
        {"state": State.REGISTER},
    ),
    "cancelled for six": (
        "Full Name,Email,Cancelled at\n" + "".join(f"{name},b@example.com,2026-03-01 10:00\n" for name in CREW),
        {"state": State.CANCEL},
    ),
}
NOT_ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "one who comes back under other spellings": (
        joins(
            *(
                (name, "bob.bly@example.com")
                for name in (
                    *("Bob", "Bob Bly", "iPhone (Bob Bly)", "BOB BLY", "Bly, Bob (Guest)", "Bob B.", "B. Bly", "bbly"),
                    *("Bob's iPad", "Galaxy S21", "Bób Bly", "Bob Bly (he/him)", "bob.bly", "Bob Bly - ACME", "iPhone"),
                )
            ),
            apart=20,
        ),
        {},
    ),
    "Robert and Bob": (joins(("Robert Bly", "bob@example.com"), ("Bob Bly", "bob@example.com")), {}),
    "a telephone and a laptop": (joins(("Ana", "a@example.com"), ("+1 555 0100", "a@example.com"), apart=1), {}),
    "three devices at once": (joins(*[("Ana", "a@example.com")] * 3, apart=1), {}),
    "a row that stands in the file many times": (
        NAMED + "Ana,a@example.com,2026-03-01 10:00,2026-03-01 11:00\n" * 9,
        {},
    ),
    "many joins of one": (joins(*[("Ana", "a@example.com")] * 30, apart=20), {}),
    "a couple in a larger file": (
        joins(
            ("Ana Abe", "us@example.com"),
            ("Bob Bly", "us@example.com"),
            *((f"Guest {n}", f"p{n}@example.com") for n in range(8)),
        ),
        {},
    ),
    "different people under their own addresses": (
        joins(*((name, f"{name[:3].lower()}@example.com") for name in CREW)),
        {},
    ),
    "one who registered twice": (registrations("Ana Abe", "Ana Abe"), {"state": State.REGISTER}),
}


@pytest.mark.parametrize(("content", "said"), ASKED.values(), ids=ASKED)
def test_an_address_that_different_people_share_stops_the_file_with_a_question(
    content: str, said: dict[str, Any]
) -> None:
    with pytest.raises(QuestionsError) as error:
        read(content, **said)
    (question,) = error.value.questions
    assert [choice.option for choice in question.choices] == [
        "--shared-address leave-out",
        "--shared-address one-person",
    ]
    assert "@example.com" in question.what


@pytest.mark.parametrize(("content", "said"), NOT_ASKED.values(), ids=NOT_ASKED)
def test_somebody_who_comes_back_is_not_asked_about(content: str, said: dict[str, Any]) -> None:
    assert read(content, **said)[1]


def test_the_question_names_the_address_the_names_and_what_each_answer_does() -> None:
    with pytest.raises(QuestionsError) as error:
        read(registrations(*CREW), state=State.REGISTER)
    what, *rest = str(error.value).splitlines()
    assert what == (
        "the file has 6 rows under the one address booking@example.com: their names differ (Ana Abe, Bob Bly, Cee Cole "
        "and 3 more). HubSpot knows a person by the address, so all of them would become one person. Whose rows are "
        "they?"
    )
    assert rest == [
        "  --shared-address leave-out   they are several people's: these 6 rows are left out and counted",
        "  --shared-address one-person  each address is one person's, whatever its rows say",
        "Run the same command again with the option that is right.",
    ]


def test_shared_addresses_can_be_left_out_and_are_counted() -> None:
    content = joins(*((name, "room@example.com") for name in CREW), ("Zed Zero", "zed@example.com"))
    reading, records = read(content, shared_address=SharedAddress.LEAVE_OUT)
    assert [record.candidate.contact for record in records] == ["zed@example.com"]
    assert dict(reading.facts.left_out) == {"several people share the address": 6}
    reading, records = read(content, shared_address=SharedAddress.ONE_PERSON)
    assert sorted(record.candidate.contact for record in records) == ["room@example.com", "zed@example.com"]
    assert reading.facts.most_rows == (6, "room@example.com")


def test_both_questions_are_asked_at_once() -> None:
    content = (
        joins(*((name, "room@example.com") for name in CREW)) + "Zed,z@example.com,2026-03-08 10:00,2026-03-08 11:00\n"
    )
    with pytest.raises(QuestionsError) as error:
        read(content)
    assert [question.option for question in error.value.questions] == ["--occurrence", "--shared-address"]


@pytest.mark.parametrize(
    ("names", "full", "unlike"),
    [
        (["Bob", "Bob Bly", "Bly, Bob", "B. Bly", "bbly", "BobBly"], 1, 1),
        (["Ana Abe", "Bob Bly"], 2, 2),
        (["Robert Bly", "Bob Bly"], 2, 1),
        (["Bob", "Bob Bly", "Bob Cole"], 2, 1),
        (["iPhone", "+1 555 0100", "Guest (2)"], 0, 0),
        (["José Núñez", "Jose Nunez"], 1, 1),
        (["O'Neil, Sam", "Sam ONeil"], 1, 1),
        ([], 0, 0),
    ],
)
def test_people_are_counted_by_what_their_names_have_in_common(names: list[str], full: int, unlike: int) -> None:
    words = [found for name in names if (found := words_of(name, "x@example.com"))]
    assert people_behind(words) == (full, unlike)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab cÉ山-", max_size=6), max_size=8), st.randoms(use_true_random=False))
def test_how_many_people_there_are_does_not_depend_on_the_order_of_the_rows(names: list[str], order: Random) -> None:
    words = list({found for name in names if (found := words_of(name, "x@example.com"))})
    known = people_behind(words)
    order.shuffle(words)
    assert people_behind(words) == known
    assert known[1] <= known[0] <= len(words)


def test_a_couple_in_a_larger_file_is_told_of_in_the_closing_table() -> None:
    reading, _ = read(*NOT_ASKED["a couple in a larger file"][:1])
    lines = dict(table(reading.facts, FileResult(), (), reading.settled))
    assert lines["shared"] == (
        "1 address is used by several people (different names, or many at once); HubSpot sees one person in each"
    )


@pytest.mark.parametrize("address", ["anonymous", "room@@example.com", "webinar guest@example.com"])
def test_rows_under_what_is_no_address_are_refused_one_by_one_and_not_asked_about(address: str) -> None:
    content = "First Name,Last Name,Email,Date\n" + "".join(
        f"{name.replace(' ', ',')},{address},2026-03-01 10:00\n" for name in CREW
    )
    options = Options.read(state=State.REGISTER, object_id="7", time_zone="UTC")
    items = list(Reading(io.BytesIO(content.encode()), options).items())
    assert [type(item) for item in items] == [RejectedRow] * len(CREW)
