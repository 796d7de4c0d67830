"""Kinds of faults: every reason that is given has one, with its field, and none keeps a value in its group."""

import io
import json

import pytest

from models.input_check import Reason
from models.message import Unreadable, read_message
from models.refusal_kind import MEANINGS, Kind, RefusalKind, field_of
from models.words import State
from worker.files.options import Options
from worker.files.reader import Reading
from worker.files.rows import RejectedRow

GOOD = {"email": "ada@example.com", "interactionDateTime": 1_767_225_600_000}
ATTENDED = {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T11:00:00Z"}


def of_message(**changed: object) -> tuple[Reason, ...]:
    fields = {"subscriber_state": "register", "object_id": "7", "inputs": [GOOD], **changed}
    message = read_message(json.dumps({name: value for name, value in fields.items() if value is not None}).encode())
    if isinstance(message, Unreadable):
        return message.reasons
    (judged,) = message.judged()
    assert isinstance(judged, tuple)
    return judged


def of_input(state: str = "register", **changed: object) -> tuple[Reason, ...]:
    return of_message(subscriber_state=state, inputs=[{**GOOD, **changed}])


def of_rows(content: str, **said: object) -> tuple[Reason, ...]:
    options = Options(**{"state": State.REGISTER, "object_id": "7", **said})  # type: ignore[arg-type]
    fine = "Email,Date,Join Time,Leave Time"
    content = content.replace("HEADER", fine)
    items = [item for item in Reading(io.BytesIO(content.encode()), options).items() if isinstance(item, RejectedRow)]
    return items[0].reasons


ATTEND = {"state": State.ATTEND}
JOINS = "Email,Join Time,Leave Time\n"


@pytest.mark.parametrize(
    ("reasons", "kind", "field"),
    [
        ((Reason("account", "'apac' is unknown", "x"),), Kind.ACCOUNT, "account"),
        (of_input(email="nobody"), Kind.EMAIL, "email"),
        (of_input(email="b@example.com "), Kind.EMAIL, "email"),
        (of_input(email=5), Kind.EMAIL, "email"),
        (of_input(email=None), Kind.CONTACT, ""),
        (of_input(vid=5), Kind.CONTACT, ""),
        (of_input(email=None, vid="x"), Kind.CONTACT, "vid"),
        (of_input(interactionDateTime=1_767_225_600), Kind.TIME, "interactionDateTime"),
        (of_input(interactionDateTime="soon"), Kind.TIME, "interactionDateTime"),
        (of_input(interactionDateTime=None), Kind.TIME, "interactionDateTime"),
        (of_input(interactionDateTime=-5), Kind.TIME, "interactionDateTime"),
        (of_input(interactionDateTime=10**18), Kind.TIME, "interactionDateTime"),
        (of_input("attend"), Kind.STAY, "joinedAt"),
        (of_input("attend", properties={**ATTENDED, "leftAt": "2026-03-01T09:00:00Z"}), Kind.STAY, "properties"),
        (of_input(properties={"score": 5}), Kind.TEXT, "score"),
        (of_input(properties=[]), Kind.TEXT, "properties"),
        (of_input(mail="x"), Kind.FIELD, "mail"),
        (of_message(inputs=["ada@example.com"]), Kind.SHAPE, ""),
        (of_message(subscriber_state="ATTENDED"), Kind.STATE, "subscriber_state"),
        (of_message(object_id=None), Kind.EVENT, "message"),
        (of_message(object_id=None, external_event_id="e"), Kind.EVENT, "external_account_id"),
        (of_message(event="7"), Kind.FIELD, "event"),
        (of_message(inputs=[]), Kind.SHAPE, "inputs"),
        (read_message(b"no json").reasons, Kind.SHAPE, "message"),  # type: ignore[union-attr]
        (of_rows("Email,Date\nnobody,2026-03-01T10:00Z\nb@example.com,2026-03-01T10:00Z\n"), Kind.EMAIL, "Email"),
        (of_rows("Email,Date\nb@example.com,\n"), Kind.TIME, "Date"),
        (of_rows("Email,Date\nb@example.com,2026-02-30T10:00Z\n"), Kind.TIME, "Date"),
        (of_rows(JOINS + "b@example.com,2026-03-01T10:00Z,2026-03-01T09:00Z\n", **ATTEND), Kind.STAY, "Leave Time"),
        (of_rows(JOINS + "b@example.com,2026-03-01T10:00Z,2026-03-05T09:00Z\n", **ATTEND), Kind.STAY, "Leave Time"),
        (of_rows(JOINS + "b@example.com,2026-03-01T10:00Z,\n", **ATTEND), Kind.STAY, "Leave Time"),
        (of_rows("Email,Date\nb@example.com,2026-03-01T10:00Z,x,y\n"), Kind.SHAPE, ""),
    ],
)
def test_a_reason_has_a_kind_and_a_field(reasons: tuple[Reason, ...], kind: Kind, field: str) -> None:
    found = RefusalKind.of(reasons, "apac")
    assert (found.kind, found.field) == (kind, field), reasons


def test_values_and_lines_make_no_other_group() -> None:
    one, other = of_input(email="nobody"), of_input(email="somebody at example.com")
    assert RefusalKind.of(one).group_id == RefusalKind.of(other).group_id
    assert field_of("line 12, Leave Time") == field_of("line 13, Leave Time") == "Leave Time"
    assert field_of("inputs[12].properties.joinedAt") == "joinedAt"


def test_each_unknown_account_is_a_group() -> None:
    reason = Reason("account", "'apac' is unknown", "x")
    assert RefusalKind.of([reason], "apac").group_id != RefusalKind.of([reason], "emea").group_id


def test_every_kind_has_words() -> None:
    assert MEANINGS.keys() == set(Kind)
