"""The search for what HubSpot refuses, against simulated HubSpots."""

import random
from collections.abc import Callable, Collection, Iterator
from itertools import islice, pairwise
from math import comb, log2

import pytest
from hypothesis import given, settings as setting, strategies as st

from hubspot_api.answer import RefusedWhole, Rejection, Settled
from hubspot_api.isolation_search import (
    FEW,
    SLACK,
    Findings,
    Indexes,
    PartAnswer,
    SearchState,
    absorb,
    alike,
    begin,
    next_part,
)

HubSpot = Callable[[Indexes], PartAnswer]
HUNDRED = tuple(range(100))
SAME = "Property values were not valid"


def refusal(message: str, named: Collection[int] = ()) -> RefusedWhole:
    return RefusedWhole(Rejection("VALIDATION_ERROR", "", message), frozenset(named))


def hubspot(
    bad: Collection[int] = (),
    names: Callable[[list[int]], list[int]] = lambda _: [],
    most: int = 10**9,
    says: Callable[[int], str] = lambda _: SAME,
    unconfirmed: Collection[int] = (),
    inside: Collection[int] = (),
) -> HubSpot:
    """A HubSpot that refuses a request for these inputs, and for more than `most`; `inside` are errors of a 200."""

    def answer(part: Indexes) -> PartAnswer:
        if len(part) > most:
            return refusal(f"At most {most} inputs are allowed, there are {len(part)}")
        guilty = [place for place, index in enumerate(part) if index in bad]
        if guilty:
            return refusal(says(part[guilty[0]]), names(guilty))
        rejected = {place: Rejection("C", "", "no") for place, index in enumerate(part) if index in inside}
        silent = {place: Rejection("UNCONFIRMED", "", "") for place, index in enumerate(part) if index in unconfirmed}
        others = [place for place in range(len(part)) if place not in rejected and place not in silent]
        return Settled({place: 1000 + part[place] for place in others}, rejected, silent)

    return answer


def searched(size: int, ask: HubSpot, most: int = 1_000) -> tuple[Findings, int]:
    """Search to the end; give what was found, and the number of requests after the first."""
    *_, last = states(size, ask, most)
    return last.found, last.sent


def states(size: int, ask: HubSpot, most: int = 1_000) -> Iterator[SearchState]:
    """Give what a search is before each part, and at its end."""
    first = ask(tuple(range(size)))
    assert isinstance(first, RefusedWhole)
    state = begin(size, first, most)
    yield state
    while (part := next_part(state)) is not None:
        assert len(set(part)) == len(part) > 0
        assert not [index for index in part if index in state.found] or len(part) > state.taken
        state = absorb(state, ask(part))
        yield state


def first_one(guilty: list[int]) -> list[int]:
    return guilty[:1]


def all_of_them(guilty: list[int]) -> list[int]:
    return guilty


@pytest.mark.parametrize("bad", HUNDRED)
def test_one_bad_in_a_hundred_costs_at_most_fourteen_requests(bad: int) -> None:
    found, sent = searched(100, hubspot({bad}))
    assert sent <= 14
    assert found.rejected.keys() == {bad}
    assert len(found.delivered) == 99
    assert found.most is None


def test_one_bad_that_the_answer_names_costs_one_request() -> None:
    assert searched(100, hubspot({42}, all_of_them))[1] == 1


def test_bad_ones_of_which_the_first_is_named_cost_a_request_each() -> None:
    assert searched(100, hubspot({1, 42, 99}, first_one))[1] == 3
    assert searched(100, hubspot(HUNDRED, first_one))[1] == 99
    assert searched(100, hubspot(HUNDRED, all_of_them))[1] == 0


@pytest.mark.parametrize("number", [2, 5, 10])
def test_a_few_bad_ones_cost_less_than_twice_what_any_search_must(number: int) -> None:
    draw = random.Random(number)
    sent = [searched(100, hubspot(set(draw.sample(HUNDRED, number))))[1] for _ in range(100)]
    assert sum(sent) / len(sent) < 2 * log2(comb(100, number))


def test_where_many_are_bad_it_goes_one_by_one() -> None:
    bad = set(range(0, 100, 2))
    parts = [part for state in states(100, hubspot(bad)) if (part := next_part(state))]
    assert len(parts) <= 100 + SLACK
    assert {len(part) for part in parts[-30:]} == {1}


def test_bad_ones_side_by_side_cost_less_than_bad_ones_anywhere() -> None:
    together = searched(100, hubspot(set(range(60, 70))))[1]
    assert together < searched(100, hubspot(set(range(3, 100, 10))))[1] / 1.5


@pytest.mark.parametrize("size", [2, 3, 5, 10, 100, 500])
def test_a_request_that_is_refused_whatever_it_holds_is_itself_wrong_and_nothing_is_rejected(size: int) -> None:
    found, sent = searched(size, hubspot(range(size), says=lambda index: f"Unknown state ({index})"))
    assert found.wrong is not None
    assert found.wrong.message.startswith("Unknown state")
    assert not found
    assert sent <= 2 + 2 * FEW


def test_a_single_input_that_is_refused_is_rejected() -> None:
    found, sent = searched(1, hubspot({0}))
    assert (set(found.rejected), found.wrong, sent) == ({0}, None, 0)


def test_refused_each_for_another_reason_they_are_all_rejected() -> None:
    words = ["too short", "too long", "too old", "too new"]
    found, _ = searched(8, hubspot(range(8), says=lambda index: words[index % 4]))
    assert (set(found.rejected), found.wrong) == (set(range(8)), None)


def test_one_single_input_that_is_taken_shows_that_the_request_is_right() -> None:
    found, _ = searched(10, hubspot(set(range(10)) - {7}))
    assert (set(found.rejected), set(found.delivered), found.wrong) == (set(range(10)) - {7}, {7}, None)


@pytest.mark.parametrize(("most", "sent"), [(99, 3), (50, 3), (49, 9), (30, 8), (10, 26)])
def test_a_request_refused_for_its_size_teaches_a_size_that_is_taken(most: int, sent: int) -> None:
    found, requests = searched(100, hubspot(most=most))
    assert len(found.delivered) == 100
    assert found.most is not None
    assert most / 2 <= found.most <= most
    assert requests <= sent


@pytest.mark.parametrize("refusals", [1, 2, 3])
def test_what_was_refused_by_chance_teaches_no_size(refusals: int) -> None:
    left = iter(range(refusals))
    usual = hubspot()

    def ask(part: Indexes) -> PartAnswer:
        return usual(part) if next(left, None) is None else refusal("Something went wrong")

    found, requests = searched(100, ask)
    assert len(found.delivered) == 100
    assert found.most is None
    assert requests <= 10


def test_where_the_size_is_known_already_a_larger_request_is_sent_in_such_parts() -> None:
    assert searched(100, hubspot(most=30), most=25)[1] == 4
    assert searched(100, hubspot(range(100)), most=25)[0].wrong is not None


def test_of_bad_inputs_no_size_is_learned() -> None:
    assert searched(100, hubspot({5, 77}))[0].most is None


def test_errors_inside_an_accepted_part_do_not_narrow_the_search() -> None:
    found, sent = searched(100, hubspot({3}, inside=set(range(50, 90)), unconfirmed={99}))
    assert set(found.rejected) == {3, *range(50, 90)}
    assert set(found.unconfirmed) == {99}
    assert sent <= 14


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("At most 10 inputs, there are 100", "At most 10 inputs, there are 50", True),
        ("`a@example.com` is bad", "`b@example.com` is bad", True),
        ("request 7f3a9c failed", "request 1d9e0b failed", True),
        ("is too long", "is too short", False),
    ],
)
def test_refusals_are_alike_whatever_they_quote(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert alike(Rejection("C", "", one), Rejection("C", "", other)) is same
    assert not alike(Rejection("C", "", one), Rejection("D", "", one))


NAMING = st.sampled_from([lambda _: [], first_one, all_of_them, lambda guilty: guilty[-2:]])
WORDS = st.sampled_from([lambda _: SAME, lambda index: f"{SAME} {index}", lambda index: f"{SAME} {'x' * (index % 3)}"])


@st.composite
def hubspots(draw: st.DrawFn) -> tuple[int, set[int], set[int], HubSpot]:
    size = draw(st.integers(1, 130))
    some = st.sets(st.integers(0, size - 1))
    bad = draw(
        st.one_of(st.just(set()), st.sets(st.integers(0, size - 1), max_size=3), some, st.just(set(range(size))))
    )
    inside = draw(st.sets(st.integers(0, size - 1), max_size=3)) - bad
    most = draw(st.one_of(st.just(10**9), st.integers(1, size)))
    if not bad and most >= size:
        bad = {draw(st.integers(0, size - 1))}
    return size, bad, inside - bad, hubspot(bad, draw(NAMING), most, draw(WORDS), inside=inside - bad)


@given(hubspots(), st.integers(1, 130))
@setting(max_examples=400, deadline=None)
def test_every_input_ends_with_its_one_right_outcome_within_the_bound(
    drawn: tuple[int, set[int], set[int], HubSpot], known: int
) -> None:
    size, bad, inside, ask = drawn
    found, sent = searched(size, ask, known)
    assert sent <= size + SLACK
    if found.wrong is not None:
        assert not found
        assert len(bad) >= min(size, known, 2 * FEW)
        return
    assert set(found.rejected) == bad | inside
    assert found.delivered == {index: 1000 + index for index in range(size) if index not in bad | inside}
    assert len(found) == size


@given(hubspots(), st.integers(0, 100))
@setting(max_examples=200, deadline=None)
def test_left_at_any_moment_what_is_found_is_right(drawn: tuple[int, set[int], set[int], HubSpot], moment: int) -> None:
    size, bad, inside, ask = drawn
    found = list(islice(states(size, ask), moment + 1))[-1].found
    assert set(found.rejected) <= bad | inside
    assert set(found.delivered).isdisjoint(bad | inside)
    assert len(found) == len({*found.delivered, *found.rejected, *found.unconfirmed})


@given(hubspots(), st.integers(1, 130))
@setting(max_examples=100, deadline=None)
def test_a_finding_is_final_and_a_state_is_a_value(drawn: tuple[int, set[int], set[int], HubSpot], known: int) -> None:
    size, _, _, ask = drawn
    for before, after in pairwise(states(size, ask, known)):
        assert before.found.delivered.items() <= after.found.delivered.items()
        assert before.found.rejected.keys() <= after.found.rejected.keys()
        assert after.sent == before.sent + 1
        part = next_part(before)
        assert part is not None
        assert absorb(before, ask(part)) == after


def settled(*places: int) -> Settled:
    return Settled(dict.fromkeys(places), {}, {})


@pytest.mark.parametrize(
    ("answers", "then"),
    [
        ([], (0, 1)),
        ([refusal("no")], (2, 3)),
        ([settled(0, 1)], (2, 3)),
        ([settled(0, 1), refusal("no")], (2,)),
        ([settled(0, 1), refusal("no", {1})], (2,)),
        ([settled(0, 1), refusal("no", {0, 1})], None),
        ([settled(0, 1), settled(0, 1)], (0, 1, 2, 3)),
        ([settled(0, 1), settled(0, 1), refusal("too many")], None),
        ([refusal("no"), refusal("other")], (0,)),
        ([refusal("no"), refusal("no")], (0,)),
        ([refusal("no"), refusal("no"), refusal("no")], (2,)),
        ([refusal("no"), refusal("no"), refusal("no"), settled(0)], (1,)),
        ([refusal("no")] * 5, (3,)),
        ([refusal("no")] * 6, None),
    ],
)
def test_which_part_of_four_follows_which_answers(answers: list[PartAnswer], then: Indexes | None) -> None:
    state = begin(4, refusal("no"), 100)
    for answer in answers:
        state = absorb(state, answer)
    assert next_part(state) == then
