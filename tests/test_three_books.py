"""Each way in which the three sets of books can differ is found; and nothing is found where they agree."""

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
    NOT_ACCEPTED,
    SUPERSEDED,
    Attendance,
    Held,
    Kind,
    Said,
    Sending,
    Submitted,
    attendances,
    compare,
    what_the_sandbox_holds,
    what_turnout_says,
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
    ],
)
def test_a_difference_is_found(submitted: list[Submitted], said: list[Said], held: Held, expected: Kind) -> None:
    assert kinds(submitted, said, held) == [expected]


def test_what_a_newer_record_replaced_after_it_was_sent_in_doubt_may_be_there_or_not() -> None:
    for there in ([], [ADA]):
        assert kinds([Submitted(ADA)], [Said(ADA, SUPERSEDED)], Held(there)) == []


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


def test_each_lost_answer_allows_one_sending_more() -> None:
    assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED, answers_lost=1)], Held([ADA], sent(ADA, ADA))) == []
    said = [Said(ADA, DELIVERED, answers_lost=1)]
    assert kinds([Submitted(ADA)], said, Held([ADA], sent(ADA, ADA, ADA))) == [Kind.SENT_AGAIN]


def test_what_no_answer_named_may_be_sent_again() -> None:
    unnamed = [Sending(ADA, held=False), Sending(ADA, held=True), *sent(ADA)]
    assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([ADA], unnamed)) == []


def test_what_was_refused_whole_may_be_sent_once_more() -> None:
    refused = [Sending(ADA, held=False, refused=True), *sent(ADA, ADA)]
    assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([ADA], refused)) == []
    assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([ADA], [*refused, *sent(ADA)])) == [Kind.SENT_AGAIN]


def test_of_what_was_forgotten_turnout_may_say_nothing() -> None:
    assert kinds([Submitted(ADA)], [], Held([ADA], sent(ADA)), [ADA]) == []
    assert kinds([Submitted(ADA)], [Said(ADA, DELIVERED)], Held([]), [ADA]) == [Kind.NOT_THERE]


def test_the_books_are_read_from_turnout_and_the_sandbox(engine: Engine, submit: Submit) -> None:
    submit(message("ada@example.com", "bob@example.com"), {**message("eve@example.com"), "inputs": [{"email": "eve"}]})
    settled(engine, taken(engine), rejected=[1])
    assert what_turnout_says(engine) == [Said(ADA, "delivered"), Said(BOB, "rejected")]
    row = {"event": "77", "contact": "ada@example.com", "state": "register", "occurredAt": WHEN}
    write = {"event": "77", "state": "register", "status": "200", "inputs": [{**row, "held": True, "named": False}]}
    assert what_the_sandbox_holds([row], [write]) == Held([ADA], [Sending(ADA, held=True)])


def test_the_sandbox_tells_of_each_write_what_it_came_to() -> None:
    with running_sandbox(keep_writes=True, burst_limit=100) as sandbox:
        sandbox.fault(match="bob@example.com", cut=True, applied=True, count=1)
        sandbox.fault(match="eve@example.com", status=503, count=1)
        for email in ("ada", "ada", "bob", "eve", "eve"):
            with suppress(requests.ConnectionError):
                post(sandbox, by_email(f"{email}@example.com", at=WHEN))
        post(sandbox, by_vid(7, at=WHEN), path=external_path("ev", "cancel", "create"), account="acc")
        held = what_the_sandbox_holds(sandbox.participations(), sandbox.writes())
    eve, seven = replace(ADA, contact="eve@example.com"), Attendance("acc/ev", "7", "cancel", WHEN)
    assert held.stored == [ADA, BOB, eve, seven]
    assert held.sendings == [
        Sending(ADA, held=True, named=True),
        Sending(ADA, held=True, named=False),  # an identical repeat is not named
        Sending(BOB, held=True, named=False),
        Sending(eve, held=False, named=False),
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
