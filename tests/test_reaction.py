"""What follows an answer, read as HubSpot's table of answers."""

from math import isfinite

import pytest
from hypothesis import given, settings, strategies as st

from hubspot_api.answer import (
    Ambiguous,
    Answer,
    Limited,
    NotFound,
    PortalUnavailable,
    RefusedWhole,
    Rejection,
    Settled,
    Unauthorized,
)
from hubspot_api.reaction import (
    INTERVAL,
    OUTAGE,
    UNKNOWN,
    Block,
    Bounds,
    Decision,
    GiveUp,
    Isolate,
    Park,
    Pause,
    Postpone,
    RejectAll,
    Settle,
    Tried,
    decide,
)
from models.backoff import FIRST, LONGEST

BOUNDS = Bounds(max_attempts=8, max_age=259_200)
FRESH = Tried(attempts=0, age=0, in_a_row=1)
NO = Rejection("VALIDATION_ERROR", "", "no")
SETTLED = Settled({0: 1}, {1: NO}, {})


def after(answer: Answer, tried: Tried = FRESH, share: float = 1, bounds: Bounds = BOUNDS) -> Decision:
    return decide(answer, tried, bounds, share)


@pytest.mark.parametrize(
    ("said", "answer", "decision"),
    [
        ("200", SETTLED, Settle(SETTLED)),
        ("429 ten-secondly", Limited(daily=False, wait=None), Block(10, "HubSpot asked to slow down (429)")),
        ("429 Retry-After", Limited(daily=False, wait=3), Block(3, "HubSpot asked to slow down (429)")),
        ("429 daily", Limited(daily=True, wait=None), Park(None, "HubSpot's daily limit is spent")),
        ("429 daily, Retry-After", Limited(daily=True, wait=9), Park(9, "HubSpot's daily limit is spent")),
        ("423", PortalUnavailable("locked", 2), Park(2, "locked")),
        ("477", PortalUnavailable("moving", 86_400), Park(86_400, "moving")),
        ("401", Unauthorized("expired"), Pause("HubSpot does not accept the token: expired")),
        ("404", NotFound(NO), RejectAll(NO)),
        (
            "404 of somebody else",
            NotFound(NO, hubspots=False),
            Pause("a 404 that is not in HubSpot's words: what answers there is not HubSpot's attendance API"),
        ),
        ("400", RefusedWhole(NO), RejectAll(NO)),
        ("502", Ambiguous("HTTP 502"), Postpone(FIRST, "HTTP 502", spends=True)),
        ("503 Retry-After", Ambiguous("HTTP 503", 60), Postpone(60, "HTTP 503", spends=True)),
    ],
)
def test_an_answer_is_followed_by(said: str, answer: Answer, decision: Decision) -> None:
    assert after(answer) == decision, said


def test_a_request_of_several_that_is_refused_is_isolated() -> None:
    answer = RefusedWhole(NO, frozenset({1}))
    assert after(answer, Tried(0, 0, 0, records=2)) == Isolate(answer)


@pytest.mark.parametrize(("events", "decision"), [(1, RejectAll), (UNKNOWN - 1, RejectAll), (UNKNOWN, Pause)])
def test_unknown_events_in_a_row_pause_instead_of_rejecting_the_backlog(events: int, decision: type[Decision]) -> None:
    decided = after(NotFound(NO), Tried(0, 0, 0, unknown_events=events))
    assert isinstance(decided, decision)
    if isinstance(decided, Pause):
        assert f"none of the last {events} events" in decided.because
        assert NO.message in decided.because


@pytest.mark.parametrize(
    "answer",
    [
        Limited(daily=False, wait=None),
        Limited(daily=True, wait=None),
        PortalUnavailable("moving", 600),
        Unauthorized("expired"),
        SETTLED,
        RefusedWhole(NO),
        NotFound(NO),
    ],
)
@pytest.mark.parametrize("tried", [Tried(7, 0, 0), Tried(100, 10**9, 0), Tried(0, 10**9, 100)])
def test_only_an_ambiguous_answer_spends_an_attempt_or_gives_up(answer: Answer, tried: Tried) -> None:
    decision = after(answer, tried)
    assert not isinstance(decision, GiveUp | Postpone)
    assert decision == after(answer)


@pytest.mark.parametrize(
    ("tried", "decision"),
    [
        (Tried(attempts=0, age=0, in_a_row=1), Postpone(4, "HTTP 502", spends=True)),
        (Tried(attempts=1, age=4, in_a_row=1), Postpone(8, "HTTP 502", spends=True)),
        (Tried(attempts=6, age=500, in_a_row=1), Postpone(256, "HTTP 502", spends=True)),
        (Tried(attempts=7, age=900, in_a_row=1), GiveUp("HTTP 502; 8 attempts")),
        (Tried(attempts=8, age=900, in_a_row=1), GiveUp("HTTP 502; 9 attempts")),
        (Tried(attempts=1, age=259_199, in_a_row=1), Postpone(8, "HTTP 502", spends=True)),
        (Tried(attempts=1, age=259_200, in_a_row=1), GiveUp("HTTP 502; failing for 259200 seconds")),
    ],
)
def test_a_batch_is_given_up_when_its_attempts_or_its_age_are_spent(tried: Tried, decision: Decision) -> None:
    assert after(Ambiguous("HTTP 502"), tried) == decision


def test_one_attempt_at_most_gives_up_at_the_first_ambiguous_answer() -> None:
    assert after(Ambiguous("HTTP 502"), bounds=Bounds(1, 60)) == GiveUp("HTTP 502; 1 attempt")


@pytest.mark.parametrize(
    ("in_a_row", "seconds"), [(OUTAGE, 4), (OUTAGE + 1, 8), (OUTAGE + 5, 128), (OUTAGE + 100, 3_600)]
)
@pytest.mark.parametrize("tried", [(0, 0), (7, 0), (0, 10**9)])
def test_five_ambiguous_answers_in_a_row_park_the_account_and_give_nothing_up(
    tried: tuple[int, int], in_a_row: int, seconds: float
) -> None:
    decision = after(Ambiguous("HTTP 502"), Tried(*tried, in_a_row))
    assert decision == Park(seconds, f"HTTP 502, {in_a_row} times in a row")


def test_four_in_a_row_do_not() -> None:
    assert isinstance(after(Ambiguous("HTTP 502"), Tried(0, 0, OUTAGE - 1)), Postpone)


def test_in_an_outage_hubspots_own_wait_is_kept() -> None:
    assert after(Ambiguous("HTTP 503", 500), Tried(0, 0, OUTAGE)) == Park(500, "HTTP 503, 5 times in a row")


SECONDS = st.none() | st.floats(0.001, 86_400)
ANSWERS: st.SearchStrategy[Answer] = st.one_of(
    st.just(SETTLED),
    st.sampled_from([RefusedWhole(NO), NotFound(NO), NotFound(NO, hubspots=False), Unauthorized("no")]),
    st.builds(Limited, st.booleans(), SECONDS),
    st.builds(PortalUnavailable, st.just("away"), st.floats(2, 86_400)),
    st.builds(Ambiguous, st.just("HTTP 502"), SECONDS),
)


@settings(deadline=None)
@given(
    ANSWERS,
    st.builds(
        Tried,
        st.integers(0, 10**6),
        st.floats(0, 1e12),
        st.integers(0, 10**6),
        st.integers(1, 1000),
        st.integers(0, 10),
    ),
    st.builds(Bounds, st.integers(1, 10**6), st.floats(1, 1e9)),
    st.floats(0, 1),
)
def test_there_is_always_a_decision_and_no_wait_is_shorter_than_hubspot_asked_or_endless(
    answer: Answer, tried: Tried, bounds: Bounds, share: float
) -> None:
    decision = decide(answer, tried, bounds, share)
    assert isinstance(decision, Decision)
    asked = getattr(answer, "wait", None)
    match decision:
        case Postpone(seconds=seconds) | Block(seconds=seconds) | Park(seconds=float(seconds)):
            assert isfinite(seconds)
            assert (asked or 0) <= seconds <= max(asked or 0, INTERVAL, LONGEST)
        case Park(seconds=None):
            assert answer == Limited(daily=True, wait=None)
        case GiveUp():
            assert isinstance(answer, Ambiguous)
            assert tried.attempts + 1 >= bounds.max_attempts or tried.age >= bounds.max_age
