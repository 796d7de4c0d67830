import shlex
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import click
import pytest
import typer

from cli.app import app
from models.advice import Subject, Who, advise
from models.words import Door, Origin, Outcome, Resolution, State, Status
from worker.queries.history import PastError
from worker.queries.person import PersonRecord, follows

REJECTED, UNCONFIRMED, FAILED, CANCELED = Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.FAILED, Outcome.CANCELED
V = "AttendanceValidationError."
CASES = [
    (REJECTED, "VALIDATION_ERROR", V + "INVALID_EMAIL", "`x` is not an email", Who.PRODUCER, "--email"),
    (REJECTED, "VALIDATION_ERROR", "", "Invalid email address: x", Who.PRODUCER, "--email"),
    (REJECTED, "VALIDATION_ERROR", V + "INVALID_VID", "`7` is no vid", Who.PRODUCER, "--vid"),
    (REJECTED, "OBJECT_NOT_FOUND", "", "Contact 7 does not exist", Who.PRODUCER, "--vid"),
    (REJECTED, "VALIDATION_ERROR", V + "JOINED_AT_IS_LATER_THAN_LEFT_AT", "", Who.PRODUCER, "--set leftAt"),
    (REJECTED, "VALIDATION_ERROR", "", "interactionDateTime is in the future", Who.PRODUCER, "--when"),
    (REJECTED, "VALIDATION_ERROR", "", "Property values were not valid", Who.PRODUCER, "--set PROPERTY"),
    (REJECTED, "VALIDATION_ERROR", "", "Property `x` of `a@b.org` is not valid", Who.PRODUCER, "--set PROPERTY"),
    (REJECTED, "VALIDATION_ERROR", "", "Invalid input for `ben@example.com`", Who.PRODUCER, "--email"),
    (REJECTED, "VALIDATION_ERROR", "", "Invalid input for `101`", Who.PRODUCER, "--vid"),
    (REJECTED, "OBJECT_NOT_FOUND", "", "nothing there", Who.ADMIN, "--event"),
    (REJECTED, "HTTP", "", "HubSpot does not know this event, or it belongs to another app", Who.ADMIN, "--event"),
    (REJECTED, "MISSING_SCOPES", "", "One or more scopes are required", Who.ADMIN, "turnout retry"),
    (REJECTED, "EXPIRED_AUTHENTICATION", "", "The token expired", Who.ADMIN, "turnout retry"),
    (REJECTED, "RATE_LIMITS", "", "slow down", Who.HUBSPOT, "turnout retry"),
    (REJECTED, "HTTP", "", "HTTP 413", Who.HUBSPOT, "turnout retry"),
    (REJECTED, "SOMETHING_NEW", "x", "y", Who.HUBSPOT, "turnout retry"),
    (UNCONFIRMED, "UNCONFIRMED", "", "HubSpot answered and named this contact nowhere", Who.HUBSPOT, "turnout retry"),
    (UNCONFIRMED, "VALIDATION_ERROR", "", "somebody is wrong", Who.HUBSPOT, "turnout retry"),
    (FAILED, "GIVEN_UP", "", "HTTP 503; 8 attempts", Who.HUBSPOT, "turnout retry"),
    (CANCELED, "CANCELED", "", "canceled by an operator", Who.OPERATOR, "turnout retry"),
    (CANCELED, "SUPERSEDED", "", "overtaken by record 7, accepted later", Who.NOBODY, ""),
    (CANCELED, "CORRECTED", "", "corrected: record 7 is sent in its place", Who.NOBODY, ""),
]  # fmt: skip


@pytest.mark.parametrize(("outcome", "category", "code", "message", "who", "action"), CASES)
def test_each_error_that_can_be_written_says_what_it_means_who_can_mend_it_and_what_to_type(
    outcome: Outcome, category: str, code: str, message: str, who: Who, action: str
) -> None:
    advice = advise(outcome, category, code, message, Subject(record_id=12))
    assert advice.means
    assert advice.who is who
    assert action in advice.action
    assert bool(advice.action) is (who is not Who.NOBODY)


@pytest.mark.parametrize("subject", [Subject(record_id=12), Subject(group_id="3fa9c01b7e42")])
def test_each_action_is_a_command_that_exists_with_options_that_exist(subject: Subject) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    actions = [advise(*case[:4], subject).action for case in CASES]
    every = [line[line.index("turnout ") :] for action in actions for line in action.splitlines()]
    assert len(every) >= 10
    for typed in every:
        turnout, name, *words = shlex.split(typed)
        assert turnout == "turnout"
        commands[name].make_parser(click.Context(commands[name]))
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, typed


def test_for_an_event_that_hubspot_does_not_know_both_ways_are_named_a_command_a_line() -> None:
    subject = Subject(group_id="3fa9c01b7e42")
    advice = advise(REJECTED, "OBJECT_NOT_FOUND", "", "nothing there", subject)
    assert advice.action.splitlines() == [
        "once the event exists: turnout retry --group 3fa9c01b7e42",
        "or to another event: turnout correct --group 3fa9c01b7e42 --event EVENT",
    ]


def test_while_turnout_looks_for_a_record_nothing_is_to_be_typed() -> None:
    known = (UNCONFIRMED, "UNCONFIRMED", "", "HubSpot answered and named this contact nowhere")
    advice = advise(*known, Subject(group_id="3fa9c01b7e42"), is_looked_for=True)
    assert (advice.who, advice.action) == (Who.NOBODY, "")
    assert "Turnout looks for them" in advice.means


AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
PENDING: Final = PersonRecord(
    id=12,
    contact="maya@example.com",
    input={},
    corrects=None,
    contact_id=None,
    account="main",
    event="7",
    state=State.REGISTER,
    outcome=Outcome.PENDING,
    batch_id=2,
    status=Status.PENDING,
    origin=Origin.LIVE,
    split_from=None,
    after=[],
    due_at=AT,
    is_due=True,
    postponed_because="",
    settled_at=None,
    stopped=None,
    submission=UUID(int=1),
    producer="",
    door=Door.STREAM,
    received_at=AT,
    errors=[],
    next="",
    batches=[2],
    attempts=[],
)
SAID: Final = PastError(
    id=5,
    record_id=12,
    batch_id=2,
    attempt_id=None,
    outcome=FAILED,
    category="GIVEN_UP",
    code="",
    message="HTTP 503; 8 attempts",
    context={},
    created_at=AT,
    verify_at=None,
    account_id=None,
    reads=0,
    resolution=None,
    resolved_at=None,
    group_id=None,
    resolved_because="",
)


def ended(outcome: Outcome, **error: Any) -> PersonRecord:
    return replace(PENDING, outcome=outcome, errors=[replace(SAID, **error)])


SUPERSEDED: Final = ended(CANCELED, category="SUPERSEDED", context={"by": 7})


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (PENDING, "waits for its turn"),
        (replace(PENDING, after=[3, 4]), "waits for batch 3, 4"),
        (replace(PENDING, stopped="account paused: the token"), "account paused: the token"),
        (replace(PENDING, is_due=False, postponed_because="HTTP 503"), "due at 2026-03-01 10:00:00Z (HTTP 503)"),
        (replace(PENDING, outcome=Outcome.PROCESSING), "is being sent"),
        (replace(PENDING, outcome=Outcome.DELIVERED), "delivered"),
        (ended(Outcome.DELIVERED, resolution=Resolution.CONFIRMED), "delivered: HubSpot shows it"),
        (ended(FAILED), "failed: turnout retry --record 12"),
        (replace(PENDING, outcome=FAILED), "failed"),  # its error is among too many, or was purged just now
        (ended(UNCONFIRMED, category="UNCONFIRMED", verify_at=AT), "is read back at 2026-03-01 10:00:00Z"),
        (SUPERSEDED, "superseded by record 7"),
        (
            ended(FAILED, verify_at=AT),
            "failed: turnout retry --record 12; it may have arrived, and is read back at 2026-03-01 10:00:00Z",
        ),
        (
            replace(SUPERSEDED, errors=[replace(SUPERSEDED.errors[0], verify_at=AT)]),
            "superseded by record 7; it may have arrived, and is read back at 2026-03-01 10:00:00Z",
        ),
        (
            ended(REJECTED, resolution=Resolution.DISMISSED, resolved_because="a test"),
            "rejected, dismissed: a test",
        ),
    ],
)
def test_what_happens_next_is_said_in_plain_words(record: PersonRecord, said: str) -> None:
    assert follows(record) == said
