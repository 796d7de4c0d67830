"""Where unconfirmed records are looked for, how far a view is read, and what it says of them: without a call."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from hubspot_api.participations import LIMIT, Participation, ParticipationPage, Wanted
from models.message import Address
from models.verification_policy import GATHERS, WAITS
from models.words import Resolution, State
from worker.delivery.read_back_plan import (
    FEW,
    IN_BREAKDOWN,
    IN_CONTACTS_VIEW,
    PAGES,
    BreakdownReading,
    ContactReading,
    Paging,
    absent_from_breakdown,
    by_contact,
    found_in_breakdown,
    judged_by_contact,
    plan,
)
from worker.queue.unconfirmed import Breakdown, DueForReadBack, Unconfirmed

WHEN = 1_767_225_600_000


def address(event: int) -> Address:
    return Address(str(event), None, None)


def record(
    number: int, event: int = 1, state: State = State.REGISTER, contact: str = "", reads: int = 0, when: int = WHEN
) -> Unconfirmed:
    wanted = Wanted(1_000 + number, address(event), state, when, None)
    return Unconfirmed(number, 1, event, contact or f"p{number}@example.com", wanted, reads=reads, sent_again=False)


def row(contact: str, event: int = 1, state: str = "REGISTERED", when: int = WHEN) -> Participation:
    return Participation(address(event), frozenset({contact}), "7", state, when, None)


def page(*rows: Participation, total: int = 0, after: str | None = None) -> ParticipationPage:
    return ParticipationPage(rows, total, after)


def turn(*records: Unconfirmed, more: int = 0) -> DueForReadBack:
    """A turn of these records, where `more` than these are due of each of their breakdowns."""
    due: dict[Breakdown, int] = {}
    for one in records:
        due[one.breakdown] = due.get(one.breakdown, more) + 1
    return DueForReadBack(records, due)


# Which breakdowns, which contacts


@pytest.mark.parametrize(
    ("number", "more", "read"), [(1, 0, []), (FEW, 0, []), (FEW + 1, 0, [FEW + 1]), (1, FEW, [FEW + 1])]
)
def test_an_events_breakdown_is_read_for_more_than_ten_that_are_due(number: int, more: int, read: list[int]) -> None:
    planned = plan(turn(*map(record, range(number)), more=more))
    assert [one.due for one in planned.breakdowns] == read
    assert len(planned.left) == number


def test_an_event_is_read_state_by_state_where_its_states_are_many_together() -> None:
    some = [record(number) for number in range(6)] + [record(10 + number, state=State.ATTEND) for number in range(5)]
    assert [(one.key, len(one.missing)) for one in plan(turn(*some, record(99, event=2))).breakdowns] == [
        (Breakdown(1, State.REGISTER), 6),
        (Breakdown(1, State.ATTEND), 5),
    ]


def test_what_is_left_is_looked_for_once_a_contact_in_the_order_of_the_errors() -> None:
    some = [record(3, contact="b"), record(4, contact="a"), record(5, event=2, contact="b")]
    left = plan(turn(*some, record(6, contact="c"))).without({6})
    assert [(one.contact, [each.error_id for each in one.records]) for one in left.contacts] == [
        ("b", [3, 5]),
        ("a", [4]),
    ]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(State), st.sampled_from("abc")), max_size=40),
    st.integers(0, FEW),
)
def test_every_record_is_looked_for_in_one_breakdown_at_most_and_in_one_contacts_view(
    drawn: list[tuple[int, State, str]], more: int
) -> None:
    records = [record(number, event, state, contact) for number, (event, state, contact) in enumerate(drawn)]
    planned = plan(turn(*records, more=more))
    in_breakdowns = [one for reading in planned.breakdowns for one in reading.missing]
    in_contacts = [one for reading in planned.contacts for one in reading.records]
    assert len(in_breakdowns) == len({one.error_id for one in in_breakdowns})
    assert {one.error_id for one in in_breakdowns} <= {one.error_id for one in records}
    assert sorted(in_contacts, key=lambda one: one.error_id) == records


# How far a breakdown is read


def breakdown(number: int = 3, due: int | None = None) -> BreakdownReading:
    return BreakdownReading(
        Breakdown(1, State.REGISTER), tuple(map(record, range(number))), number if due is None else due
    )


ROWS = tuple(row(f"other{number}@example.com") for number in range(LIMIT))


@pytest.mark.parametrize(
    ("total", "after", "shown", "due", "paging"),
    [
        (300, None, set(), 50, Paging.COMPLETE),
        (300, None, {0, 1, 2}, 50, Paging.COMPLETE),
        (300, "2", {0, 1, 2}, 50, Paging.FOUND_ALL),
        (300, "2", {0}, 50, Paging.ON),
        (300, "2", {0}, 3, Paging.LEFT),
        (300, "2", {0, 40, 41}, 6, Paging.ON),
        (300, "2", {0, 40, 41}, 5, Paging.LEFT),
        (0, "2", set(), 2, Paging.ON),
        (0, "2", set(), 1, Paging.LEFT),
    ],
)
def test_a_breakdown_is_read_as_far_as_that_costs_less_than_asking_for_each(
    total: int, after: str | None, shown: set[int], due: int, paging: Paging
) -> None:
    read = breakdown(due=due).turned(page(*ROWS, total=total, after=after), shown)
    assert read.paging is paging
    assert {one.error_id for one in read.missing} == {0, 1, 2} - shown
    assert (read.seen, read.after, read.due) == (LIMIT, after, due - len(shown))


def test_a_page_goes_on_where_the_one_before_it_ended() -> None:
    first = breakdown(due=50).turned(page(*ROWS, total=300, after="2"), {0})
    second = first.turned(page(*ROWS, total=300, after="3"), {1})
    assert (second.seen, second.after, second.due) == (2 * LIMIT, "3", 48)
    assert [one.error_id for one in second.missing] == [2]


@given(st.integers(1, 40), st.integers(0, 60), st.lists(st.sets(st.integers(0, 39)), min_size=1, max_size=12))
def test_a_breakdown_ends_and_loses_nobody(number: int, more: int, pages: list[set[int]]) -> None:
    read, shown = breakdown(number, number + more), set[int]()
    for index, found in enumerate(pages, 1):
        after = None if index == len(pages) else str(index)
        read = read.turned(page(*ROWS, total=len(pages) * LIMIT, after=after), found)
        shown |= found
        assert {one.error_id for one in read.missing} == set(range(number)) - shown
        if read.paging is not Paging.ON:
            break
    assert read.paging is not Paging.ON


# How far a contact's view is read


def contact(*records: Unconfirmed) -> ContactReading:
    return ContactReading("a", records)


def test_a_contacts_view_is_read_until_all_are_found_or_it_ends() -> None:
    two = contact(record(1, contact="a"), record(2, event=2, contact="a"))
    first = two.turned(page(row("a"), after="2"))
    assert (first.ended, first.after) == (False, "2")
    assert first.turned(page(row("a", event=2), after="3")).ended
    assert first.turned(page()).ended
    refused = first.refused("no such contact")
    assert (refused.ended, refused.refusal, refused.rows) == (True, "no such contact", first.rows)


def test_of_a_contacts_view_ten_pages_are_read_at_most() -> None:
    read = contact(record(1, contact="a"))
    for number in range(PAGES):
        assert not read.ended
        read = read.turned(page(row("a", event=2), after=str(number)))
    assert read.ended


# What a view says


def test_a_breakdown_confirms_whom_it_shows_and_nobody_else() -> None:
    shown = page(row("p1@example.com"), row("p2@example.com", when=WHEN + 1), row("other@example.com"))
    found = found_in_breakdown(by_contact(shown), [record(1), record(2)])
    assert [(one.of.error_id, one.resolution, one.seconds) for one in found] == [(1, Resolution.CONFIRMED, None)]
    assert found[0].evidence == {
        "reads": 1,
        "where": IN_BREAKDOWN,
        "found": True,
        "seen": [row("p1@example.com").as_json()],
    }


def test_who_is_missing_from_a_complete_breakdown_waits_unless_its_contact_is_asked_now() -> None:
    missing = [record(number, reads=number) for number in range(4)]
    noted = absent_from_breakdown(missing, WAITS)
    assert [(one.of.reads, one.resolution, one.seconds) for one in noted] == [(0, None, WAITS[0]), (2, None, WAITS[2])]
    assert all(one.evidence["where"] == IN_BREAKDOWN and one.evidence["seen"] == [] for one in noted)


def verdicts(
    reading: ContactReading, *unconfirmed: Unconfirmed, ours: tuple[Wanted, ...] = ()
) -> list[tuple[int, Resolution | None, float | None, object]]:
    results = judged_by_contact(reading, unconfirmed, {1: ours}, WAITS)
    assert {one.evidence["where"] for one in results} <= {IN_CONTACTS_VIEW}
    return [(one.of.error_id, one.resolution, one.seconds, one.evidence.get("left")) for one in results]


def test_a_contacts_view_confirms_all_it_shows_and_says_of_none_but_those_asked_for_that_it_is_absent() -> None:
    mine, other, unseen = record(1, contact="a"), record(2, event=2, contact="a"), record(3, event=3, contact="a")
    reading = contact(mine).turned(page(row("a", event=2)))
    assert verdicts(reading, mine, other, unseen) == [
        (1, None, WAITS[0], None),
        (2, Resolution.CONFIRMED, None, None),
    ]


def test_a_later_record_of_ours_in_its_place_supersedes_it() -> None:
    mine = record(1, contact="a")
    newer = replace(mine.wanted, record_id=2_000, state=State.CANCEL, occurred_at=WHEN + 5)
    reading = contact(mine).turned(page(row("a", state="CANCELLED", when=WHEN + 5)))
    (result,) = judged_by_contact(reading, [mine], {1: [mine.wanted, newer]}, WAITS)
    assert (result.resolution, result.evidence["by"], result.seconds) == (Resolution.SUPERSEDED, 2_000, None)


@pytest.mark.parametrize(
    ("reads", "sent_again", "seconds", "left"),
    [
        (0, False, WAITS[0], None),
        (2, True, WAITS[2], None),
        (3, False, GATHERS, None),
        (3, True, None, "it was sent once more, and is still not there"),
    ],
)
def test_what_follows_when_a_contacts_view_does_not_show_a_record(
    reads: int, seconds: float | None, left: str | None, *, sent_again: bool
) -> None:
    mine = replace(record(1, contact="a", reads=reads), sent_again=sent_again)
    assert verdicts(contact(mine).turned(page()), mine) == [(1, None, seconds, left)]


def test_a_later_state_of_somebody_else_leaves_it_to_the_operator() -> None:
    mine = record(1, contact="a", reads=3)
    reading = contact(mine).turned(page(row("a", state="CANCELLED", when=WHEN + 5)))
    ((_, resolution, seconds, left),) = verdicts(reading, mine)
    assert (resolution, seconds) == (None, None)
    assert "later state that is none of ours" in str(left)


def test_a_refusal_is_evidence() -> None:
    mine = record(1, contact="a")
    (result,) = judged_by_contact(contact(mine).refused("no such contact"), [mine], {}, WAITS)
    assert result.evidence["refused"] == "no such contact"
