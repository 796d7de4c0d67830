"""Each way in which the three sets of books can differ is found; and nothing is found where they agree."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
import requests
from sqlalchemy import Engine

from models.words import Outcome
from tests.support.fixtures import Submit
from tests.support.ledger import WHEN, message, settled, taken
from tests.support.sandbox_calls import by_email, by_vid, external_path, post
from tests.support.sandbox_server import running_sandbox
from tests.support.three_books import (
    CORRECTED,
    NOT_ACCEPTED,
    SUPERSEDED,
    Attendance,
    Call,
    Causes,
    Held,
    Kind,
    Said,
    Sending,
    Submitted,
    attendances,
    compare,
    what_the_sandbox_holds,
    what_turnout_says,
    wrong_endings,
)

ADA = Attendance("77", "ada@example.com", "register", WHEN)
LATER = Attendance("77", "ada@example.com", "attend", WHEN + 1)
BOB = Attendance("77", "bob@example.com", "register", WHEN)
DELIVERED = Outcome.DELIVERED


def sent(*attendances: Attendance) -> list[Sending]:
    return [Sending(one, held=True, named=True) for one in attendances]


def kinds(
    submitted: Sequence[Submitted], said: Sequence[Said], held: Held, forgotten: Sequence[Attendance] = ()
) -> list[Kind]:
    return [difference.kind for difference in compare(submitted, said, held, forgotten)]


def in_order(*attendances: Attendance) -> list[Submitted]:
    return [Submitted(one, producer="p") for one in attendances]


def test_books_that_agree_show_no_difference() -> None:
    said = [Said(ADA, DELIVERED), Said(LATER, DELIVERED), Said(BOB, Outcome.REJECTED)]
    assert kinds(in_order(ADA, LATER, BOB), said, Held([ADA, LATER], sent(ADA, LATER))) == []


@pytest.mark.parametrize(
    ("submitted", "said", "held", "expected"),
    [
        ([Submitted(ADA)], [], Held([]), Kind.LOST),
        ([], [Said(ADA, Outcome.REJECTED)], Held([]), Kind.NEVER_SUBMITTED),
        ([Submitted(ADA)], [Said(ADA, DELIVERED), Said(ADA, DELIVERED)], Held([ADA]), Kind.TWICE),
        ([Submitted(ADA)], [Said(ADA, Outcome.PENDING)], Held([]), Kind.UNFINISHED),
        ([Submitted(ADA)], [Said(ADA, Outcome.PROCESSING)], Held([]), Kind.UNFINISHED),
        ([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([]), Kind.NOT_THERE),
        ([Submitted(ADA)], [Said(ADA, Outcome.FAILED)], Held([ADA]), Kind.NOT_CALLED),
        ([], [], Held([ADA]), Kind.NOT_CALLED),
        ([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([ADA], sent(ADA, ADA)), Kind.SENT_AGAIN),
        ([Submitted(ADA)], [Said(ADA, SUPERSEDED, in_doubt=True)], Held([ADA]), Kind.NOT_CALLED),
        ([Submitted(ADA)], [Said(ADA, Outcome.REJECTED, in_doubt=True)], Held([ADA]), Kind.NOT_CALLED),
        ([Submitted(ADA)], [Said(ADA, Outcome.FAILED, in_doubt=True)], Held([ADA]), Kind.NOT_CALLED),
        ([Submitted(ADA)], [Said(ADA, CORRECTED)], Held([ADA]), Kind.NOT_CALLED),
    ],
)
def test_a_difference_is_found(submitted: list[Submitted], said: list[Said], held: Held, expected: Kind) -> None:
    assert kinds(submitted, said, held) == [expected]


def test_what_was_corrected_after_it_was_sent_in_doubt_may_be_there_or_not() -> None:
    for there in ([], [ADA]):
        assert kinds([Submitted(ADA)], [Said(ADA, CORRECTED, in_doubt=True)], Held(there)) == []


def test_a_record_whose_acceptance_was_not_told_may_be_accepted_or_not() -> None:
    submitted = [Submitted(ADA, certain=False)]
    assert kinds(submitted, [], Held([])) == []
    assert kinds(submitted, [Said(ADA, DELIVERED)], Held([ADA])) == []


def test_a_record_that_is_not_accepted_is_not_lost() -> None:
    assert kinds([Submitted(ADA)], [Said(ADA, NOT_ACCEPTED)], Held([])) == []


def test_an_older_record_that_arrives_after_a_newer_one_is_found() -> None:
    said = [Said(ADA, DELIVERED), Said(LATER, DELIVERED)]
    assert kinds(in_order(ADA, LATER), said, Held([LATER, ADA])) == [Kind.ORDER]
    assert kinds(in_order(ADA, LATER), said, Held([ADA, LATER], sent(ADA, LATER, ADA))) == [
        Kind.ORDER,
        Kind.SENT_AGAIN,
    ]


def test_order_is_kept_per_contact_event_and_producer_alone() -> None:
    elsewhere = Attendance("78", ADA.contact, "register", WHEN)
    for older, newer, of_newer in ((BOB, ADA, "p"), (elsewhere, ADA, "p"), (LATER, ADA, "q"), (LATER, ADA, None)):
        submitted = [Submitted(older, producer="p"), Submitted(newer, producer=of_newer)]
        said = [Said(older, DELIVERED), Said(newer, DELIVERED)]
        assert kinds(submitted, said, Held([newer, older])) == []


def test_a_record_submitted_again_without_an_answer_may_have_either_place() -> None:
    submitted = [Submitted(ADA, certain=False, producer="p"), *in_order(LATER, ADA)]
    said = [Said(ADA, DELIVERED), Said(LATER, DELIVERED)]
    assert kinds(submitted, said, Held([ADA, LATER])) == kinds(submitted, said, Held([LATER, ADA])) == []


def test_a_record_submitted_again_after_its_answer_keeps_its_place() -> None:
    said = [Said(ADA, DELIVERED), Said(LATER, DELIVERED)]
    assert kinds(in_order(ADA, LATER, ADA), said, Held([LATER, ADA])) == [Kind.ORDER]


def delivered(lost: Sequence[bool]) -> list[Said]:
    """Say that a record was delivered by calls, a second apart, of which these were lost."""
    return [Said(ADA, DELIVERED, tuple(Call(1_000 * place, one) for place, one in enumerate(lost)))]


def came(*what: str) -> Held:
    """Hold a record whose writes came, a second apart, each a moment after its call began; the sandbox holds it."""
    statuses = {"lost": "0", "named": "200", "unnamed": "200"}
    return Held(
        [ADA],
        [
            Sending(ADA, held=True, named=one == "named", status=statuses.get(one, one), received_at=1_000 * place + 5)
            for place, one in enumerate(what)
        ],
    )


@pytest.mark.parametrize(
    ("writes", "lost"),
    [
        (("named", "unnamed"), (True, False)),  # its answer was lost on the way
        (("named", "lost", "unnamed"), (True, True, False)),
        (("lost", "named"), (True, False)),
        (("unnamed", "named"), (False, False)),
        (("429", "named"), (False, False)),
        (("named", "429", "unnamed"), (True, False, False)),
        (("400", "named", "named"), (False, False, False)),  # the search sends the whole once more
    ],
)
def test_what_is_sent_again_for_a_reason_is_no_difference(writes: tuple[str, ...], lost: tuple[bool, ...]) -> None:
    assert kinds([Submitted(ADA)], delivered(lost), came(*writes)) == []


@pytest.mark.parametrize(
    ("writes", "lost"),
    [
        (("named", "unnamed", "unnamed"), (True, False, False)),
        (("lost", "named", "named"), (True, False, False)),  # what was lost before had its repeat
        (("429", "named", "named"), (False, False, False)),
        (("400", "named", "named", "named"), (False, False, False, False)),
        (("400", "413", "named", "named", "named"), (False, False, False, False, False)),
    ],
)
def test_what_is_sent_again_without_a_reason_is_found(writes: tuple[str, ...], lost: tuple[bool, ...]) -> None:
    assert kinds([Submitted(ADA)], delivered(lost), came(*writes)) == [Kind.SENT_AGAIN]


def test_what_an_operator_has_sent_again_before_it_is_found_is_no_difference() -> None:
    """Its answer was lost, HubSpot does not name a repeat, and an operator retries what is not confirmed."""
    (said,) = delivered((True, False, False))
    for moments, expected in (((1_100.0,), []), ((-1.0,), [Kind.SENT_AGAIN]), ((), [Kind.SENT_AGAIN])):
        retried = replace(said, left_open=moments)
        assert kinds([Submitted(ADA)], [retried], came("named", "unnamed", "unnamed")) == expected


def test_a_search_whose_worker_was_lost_is_done_anew() -> None:
    """Both answers to parts that named it came; the batch was not settled, and its next claim searched again."""
    writes = came("400", "named", "400", "named", "400", "named")
    for searches, expected in ((2, []), (1, [Kind.SENT_AGAIN])):
        calls = tuple(Call(1_000.0 * place, searched=place in range(0, 2 * searches, 2)) for place in range(6))
        assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED, calls)], writes) == expected


def test_what_was_searched_and_not_settled_is_sent_again_without_a_search() -> None:
    """Refused once as too large: a part was taken, then the whole; the worker was lost, and the next claim sent it."""
    writes = came("413", "named", "named", "named")
    for after_search, expected in ((True, []), (False, [Kind.SENT_AGAIN])):
        calls = (Call(0.0, searched=True), Call(1_000.0), Call(2_000.0), Call(3_000.0, after_search=after_search))
        assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED, calls)], writes) == expected


def test_a_call_that_was_lost_before_it_arrived_frees_no_repeat_of_a_later_one() -> None:
    held = Held([ADA], [replace(one, received_at=one.received_at + 1_000) for one in came("named", "named").sendings])
    assert kinds([Submitted(ADA)], delivered((True, False, False)), held) == [Kind.SENT_AGAIN]


def test_what_no_answer_named_may_be_sent_again() -> None:
    unnamed = [Sending(ADA, held=False), Sending(ADA, held=True), *sent(ADA)]
    assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([ADA], unnamed)) == []


def endings(said: Sequence[Said], causes: Causes, submitted: Sequence[Submitted] = ()) -> list[str]:
    assert all(one.kind is Kind.WRONG_ENDING for one in wrong_endings(submitted, said, causes))
    return [f"{one.attendance.contact} {one.detail}" for one in wrong_endings(submitted, said, causes)]


@pytest.mark.parametrize(
    "outcome", [Outcome.REJECTED, Outcome.CANCELED, Outcome.FAILED, NOT_ACCEPTED, SUPERSEDED, CORRECTED]
)
def test_an_ending_without_a_cause_is_found(outcome: str) -> None:
    assert endings([Said(ADA, outcome), Said(BOB, DELIVERED)], Causes()) == [f"{ADA.contact} {outcome}"]


def test_an_ending_with_a_cause_is_no_difference() -> None:
    for outcome, causes in (
        (Outcome.REJECTED, Causes(refused=[ADA.contact])),
        (Outcome.CANCELED, Causes(canceled=[ADA.event])),
        (CORRECTED, Causes(corrected=[ADA])),
        (Outcome.DELIVERED, Causes()),
        (Outcome.UNCONFIRMED, Causes()),
    ):
        assert endings([Said(ADA, outcome)], causes) == []


def test_a_cause_is_one_for_its_own_record_alone() -> None:
    causes = Causes(refused=[BOB.contact], canceled=["78"], corrected=[LATER])
    assert endings([Said(ADA, Outcome.REJECTED)], causes) == [f"{ADA.contact} rejected"]
    assert endings([Said(ADA, Outcome.CANCELED)], causes) == [f"{ADA.contact} canceled"]
    assert endings([Said(ADA, CORRECTED)], causes) == [f"{ADA.contact} corrected"]
    for outcome in (Outcome.FAILED, NOT_ACCEPTED):
        assert endings([Said(ADA, outcome)], Causes([ADA.contact], [ADA.event], [ADA])) == [f"{ADA.contact} {outcome}"]


def test_a_record_is_superseded_by_a_newer_one_of_its_contact_and_event_alone() -> None:
    said = [Said(ADA, SUPERSEDED), Said(LATER, DELIVERED)]
    assert endings(said, Causes(), in_order(ADA, LATER)) == []
    assert endings(said, Causes(), in_order(LATER, ADA)) == [f"{ADA.contact} superseded"]
    assert endings(said, Causes(), [Submitted(LATER, producer="p"), Submitted(ADA, producer="q")]) == []
    for other in (BOB, replace(LATER, event="78")):
        said = [Said(ADA, SUPERSEDED), Said(other, DELIVERED)]
        assert endings(said, Causes(), in_order(ADA, other)) == [f"{ADA.contact} superseded"]


def test_of_what_was_forgotten_turnout_may_say_nothing() -> None:
    assert kinds([Submitted(ADA)], [], Held([ADA], sent(ADA)), [ADA]) == []
    assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([]), [ADA]) == [Kind.NOT_THERE]


def test_the_books_are_read_from_turnout_and_the_sandbox(engine: Engine, submit: Submit) -> None:
    submit(message("ada@example.com", "bob@example.com"), {**message("eve@example.com"), "inputs": [{"email": "eve"}]})
    settled(engine, taken(engine), rejected=[1])
    ada, bob = what_turnout_says(engine)
    assert [replace(one, calls=()) for one in (ada, bob)] == [Said(ADA, "delivered"), Said(BOB, "rejected")]
    assert ada.calls == bob.calls
    assert [call.lost for call in ada.calls] == [False]
    assert abs(ada.calls[0].began_at / 1_000 - time.time()) < 60
    assert what_turnout_says(engine, ["77"]) == [ada, bob]
    assert what_turnout_says(engine, ["78"]) == []
    row = {"event": "77", "contact": "ada@example.com", "state": "register", "occurredAt": WHEN}
    inputs = [{**row, "held": True, "named": False}]
    write = {"receivedAt": WHEN, "event": "77", "state": "register", "status": "503", "inputs": inputs}
    assert what_the_sandbox_holds([row], [write]) == Held(
        [ADA], [Sending(ADA, held=True, status="503", received_at=WHEN)]
    )


def test_the_sandbox_tells_of_each_write_what_it_came_to() -> None:
    with running_sandbox(keep_writes=True, burst_limit=100) as sandbox:
        sandbox.fault(match="bob@example.com", cut=True, applied=True, count=1)
        sandbox.fault(match="eve@example.com", status=503, count=1)
        for email in ("ada", "ada", "bob", "eve", "eve"):
            with suppress(requests.ConnectionError):
                post(sandbox, by_email(f"{email}@example.com", at=WHEN))
        post(sandbox, by_vid(7, at=WHEN), path=external_path("ev", "cancel", "create"), account="acc")
        held = what_the_sandbox_holds(sandbox.participations(), sandbox.writes())
        assert len(sandbox.writes("77")) == 5
        assert len(sandbox.writes("acc/ev")) == 1
        assert sandbox.writes("77", "acc/ev") == sandbox.writes()
    times = [one.received_at for one in held.sendings]
    assert times == sorted(times)
    assert abs(times[0] / 1_000 - time.time()) < 60
    eve, seven = replace(ADA, contact="eve@example.com"), Attendance("acc/ev", "7", "cancel", WHEN)
    assert held.stored == [ADA, BOB, eve, seven]
    assert [replace(one, received_at=0) for one in held.sendings] == [
        Sending(ADA, held=True, named=True),
        Sending(ADA, held=True, named=False),  # an identical repeat is not named
        Sending(BOB, held=True, named=False, status="0"),
        Sending(eve, held=False, named=False, status="503"),
        Sending(eve, held=True, named=True),
        Sending(seven, held=True, named=True),
    ]


def test_the_sandbox_keeps_no_writes_unless_it_is_told_to() -> None:
    with running_sandbox() as sandbox:
        post(sandbox, by_email())
        assert sandbox.participations()
        assert sandbox.writes() == []


def test_what_is_not_accepted_is_read_as_well(engine: Engine, submit: Submit) -> None:
    fields = message("ada@example.com", "ada@@example")
    submit(fields)
    assert attendances(b"{") == []
    assert [(one.attendance.contact, one.outcome) for one in what_turnout_says(engine)] == [
        ("ada@example.com", "pending"),
        ("ada@@example", NOT_ACCEPTED),
    ]
