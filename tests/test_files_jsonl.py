import io
from datetime import datetime
from typing import Any, Unpack, cast

import orjson
import pytest

from models.words import State
from tests.support.file_readings import Said, options
from worker.files.jsonl import read_line
from worker.files.not_people import LeftOut
from worker.files.options import Options, SharedAddress
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow

OPTIONS = Options(state=State.CANCEL, event="e0", external_account="x0")
INPUT = {"email": "a@example.com", "interactionDateTime": 1772359200000}


def read(line: object, options: Options = OPTIONS) -> list[FileRecord | RejectedRow | LeftOut]:
    return list(read_line(3, line if isinstance(line, str) else orjson.dumps(line).decode(), options))


@pytest.mark.parametrize(
    ("line", "account", "address", "state"),
    [
        (INPUT, "default", "x0/e0", "cancel"),
        ({**INPUT, "external_event_id": "e1"}, "default", "x0/e1", "cancel"),
        ({**INPUT, "object_id": "7", "subscriber_state": "register", "account": "emea"}, "emea", "7", "register"),
        ({"inputs": [INPUT]}, "default", "x0/e0", "cancel"),
        ({"object_id": 7, "inputs": [INPUT], "producer": "crm", "part": "9"}, "default", "7", "cancel"),
    ],
)
def test_a_line_is_a_message_an_input_with_fields_beside_it_or_an_input_alone(
    line: object, account: str, address: str, state: str
) -> None:
    (record,) = read(line)
    assert isinstance(record, FileRecord)
    assert (record.account, str(record.address), record.state) == (account, address, state)
    assert record.candidate.input == {**INPUT, "properties": {}, "contactProperties": {}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 3: is no JSON"),
        ("[]", "line 3: is no JSON object"),
        ('{"inputs": []}', "line 3, inputs: is no list of inputs"),
        ({**INPUT, "email": "x"}, "line 3, email: x is no e-mail address"),
        ({**INPUT, "interactionDateTime": 1772359200}, "line 3, interactionDateTime: 1772359200 looks like seconds"),
        ({**INPUT, "first": "Ada"}, "line 3, first: is no field of an input"),
        (
            {**INPUT, "subscriber_state": "ATTENDED"},
            "line 3, subscriber_state: ATTENDED is unknown; expected 'at",
        ),
        ({"inputs": [INPUT], "extra": 1}, "line 3, extra: is no field of a message"),
        ('{"email": "a\\ud800@example.com", "interactionDateTime": 1772359200000}', "half of a surrogate pair"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: object, said: str) -> None:
    (refused,) = read(line)
    assert isinstance(refused, RejectedRow)
    assert said in "; ".join(map(str, refused.reasons))
    orjson.loads(orjson.dumps(refused.reasons))


def test_a_broken_input_of_a_message_costs_no_neighbour() -> None:
    first, broken, last = read({"inputs": [INPUT, {"email": "x"}, INPUT]})
    assert isinstance(first, FileRecord)
    assert isinstance(last, FileRecord)
    assert isinstance(broken, RejectedRow)
    assert str(broken.reasons[0]).startswith("line 3, inputs[1].email: x is no e-mail address")
    assert orjson.loads(broken.raw)["inputs"] == [{"email": "x"}]


def test_a_message_that_cannot_be_addressed_refuses_each_of_its_inputs() -> None:
    refused = read({"object_id": "1", "external_event_id": "2", "external_account_id": "3", "inputs": [INPUT, INPUT]})
    assert [type(one) for one in refused] == [RejectedRow, RejectedRow]


def test_a_contact_id_beyond_what_a_float_holds_is_kept_exactly() -> None:
    (record,) = read('{"vid": 9223372036854775807, "interactionDateTime": 1772359200000}')
    assert isinstance(record, FileRecord)
    assert record.candidate.contact == "9223372036854775807"


REGISTER = Options(state=State.REGISTER, event="e0", external_account="x0")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"status": "denied"}, "status “denied” (not approved)"),
        ({"approval_status": "pending"}, "approval_status “pending” (not confirmed yet)"),
        ({"attendeeStatus": "cancelled"}, "attendeeStatus “cancelled” (cancelled)"),
        ({"role": "host"}, "role “host” (host, organizer, panelist or presenter)"),
        ({"is_host": True}, "is_host “True” (host, organizer, panelist or presenter)"),
        ({"rsvp": "no"}, "rsvp “no” (is not coming)"),
        ({"properties": {"status": "denied"}}, "properties.status “denied” (not approved)"),
    ],
)
def test_a_field_that_decides_who_counts_is_used(fields: dict[str, object], why: str) -> None:
    (out,) = read({**INPUT, **fields}, REGISTER)
    assert isinstance(out, LeftOut)
    assert (out.line, out.why) == (3, why)
    beside, inside = read({"inputs": [INPUT, {**INPUT, **fields}]}, REGISTER)
    assert isinstance(beside, FileRecord)
    assert isinstance(inside, LeftOut)


def test_a_field_beside_the_inputs_decides_for_each_of_them() -> None:
    out = read({"status": "cancelled", "inputs": [INPUT, INPUT]}, REGISTER)
    assert [type(each) for each in out] == [LeftOut, LeftOut]
    kept = read({"status": "cancelled", "inputs": [INPUT, INPUT]})
    assert [type(each) for each in kept] == [FileRecord, FileRecord]


def test_a_field_that_keeps_is_not_sent() -> None:
    (record,) = read({**INPUT, "status": "approved", "role": "attendee", "is_host": False}, REGISTER)
    assert isinstance(record, FileRecord)
    assert record.candidate.input == {**INPUT, "properties": {}, "contactProperties": {}}


def test_a_value_that_is_not_known_is_refused_with_the_option_that_settles_it() -> None:
    line = {**INPUT, "status": "walk-in"}
    (refused,) = read(line, REGISTER)
    assert isinstance(refused, RejectedRow)
    assert '--map "status=status(walk-in=keep)"' in str(refused.reasons[0])
    kept = Options(
        state=State.REGISTER, event="e0", external_account="x0", mapping=(("status", "status(walk-in=keep)"),)
    )
    ignored = Options(state=State.REGISTER, event="e0", external_account="x0", mapping=(("status", "ignore"),))
    assert [type(each) for options in (kept, ignored) for each in read(line, options)] == [FileRecord, FileRecord]


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"status": ""}, {State.REGISTER: RejectedRow}),
        ({"status": None}, {State.REGISTER: FileRecord}),
        ({"attended": ""}, {State.REGISTER: FileRecord, State.ATTEND: RejectedRow}),
        ({"attended": "partly"}, {State.REGISTER: FileRecord, State.ATTEND: RejectedRow}),
        ({"no_show": ""}, {State.REGISTER: FileRecord}),
    ],
)
def test_an_empty_text_leaves_open_what_its_field_decides(fields: dict[str, object], kinds: dict[State, type]) -> None:
    properties = {"joinedAt": "2026-03-01T10:00:00Z", "leftAt": "2026-03-01T11:00:00Z"}
    for state, kind in kinds.items():
        (item,) = read({**INPUT, **fields, "properties": properties}, Options(state=state, object_id="7"))
        assert isinstance(item, kind), item


def test_a_contact_s_own_properties_decide_nothing() -> None:
    (record,) = read({**INPUT, "contactProperties": {"status": "denied", "hs_lead_status": "OPEN"}}, REGISTER)
    assert isinstance(record, FileRecord)


# What only the whole file shows


def whole(*inputs: dict[str, object], **said: Unpack[Said]) -> list[FileRecord | RejectedRow]:
    usual = options(said, state=State.REGISTER, event="e0", external_account="x0")
    lines = "\n".join(orjson.dumps(one).decode() for one in inputs)
    return list(Reading(io.BytesIO(lines.encode()), usual).items())


def named(name: str, email: str = "us@example.com") -> dict[str, object]:
    first, last = name.split()
    return {**INPUT, "email": email, "contactProperties": {"firstname": first, "lastname": last}}


def stay(contact: str, joined: str, left: str, **more: object) -> dict[str, object]:
    instant = int(datetime.fromisoformat(joined).timestamp() * 1000)
    return {
        "email": contact,
        "interactionDateTime": instant,
        "properties": {"joinedAt": joined, "leftAt": left},
        **more,
    }


CREW = ("Ana Abe", "Bob Bly", "Cee Cole")
AS_JSON = [named(name) for name in CREW]
SHARED: dict[str, tuple[list[dict[str, object]], dict[str, Any]]] = {
    "an input a line": (AS_JSON, {}),
    "all in one message": ([{"inputs": AS_JSON}], {}),
    "cancelled": (AS_JSON, {"state": State.CANCEL}),
    "attended": (
        [
            stay(
                "us@example.com",
                f"2026-03-01T10:0{n}:00Z",
                "2026-03-01T11:00:00Z",
                contactProperties={"firstname": name.split()[0], "lastname": name.split()[1]},
            )
            for n, name in enumerate(CREW)
        ],
        {"state": State.ATTEND},
    ),
    "a whole name": (
        [{**INPUT, "contactProperties": {"full_name": name}, "interactionDateTime": 1772359200000} for name in CREW],
        {},
    ),
    "many, without a name": ([{**INPUT, "interactionDateTime": 1772359200000 + n} for n in range(12)], {}),
}


@pytest.mark.parametrize(("inputs", "said"), SHARED.values(), ids=SHARED)
def test_many_people_under_one_address_stop_the_file_before_anything_is_given(
    inputs: list[dict[str, object]], said: dict[str, Any]
) -> None:
    others: list[dict[str, object]] = (
        [] if said else [named(f"Guest N{'x' * n}", f"p{n}@example.com") for n in range(4)]
    )
    with pytest.raises(QuestionsError) as error:
        whole(*inputs, *others, **said)
    assert [choice.option for question in error.value.questions for choice in question.choices] == [
        "--shared-address leave-out",
        "--shared-address one-person",
    ]
    kept = whole(*inputs, *others, **said, shared_address=SharedAddress.ONE_PERSON)
    assert all(isinstance(item, FileRecord) for item in kept)
    assert len(kept) == sum(len(cast("list[object]", one.get("inputs", [one]))) for one in inputs) + len(others)
    left = whole(*inputs, *others, **said, shared_address=SharedAddress.LEAVE_OUT)
    assert len(left) == len(others)


def test_a_line_of_json_in_a_corrected_file_is_asked_about_as_well() -> None:
    rows = ["json", *('"' + orjson.dumps(one).decode().replace('"', '""') + '"' for one in AS_JSON)]
    options = Options.read(state=State.REGISTER, event="e0", external_account="x0")
    with pytest.raises(QuestionsError, match="3 rows under the one address"):
        list(Reading(io.BytesIO("\n".join(rows).encode()), options).items())


def test_a_person_of_several_events_and_states_shares_no_address() -> None:
    inputs = [
        {**named("Ana Abe"), "external_event_id": f"e{n}", "subscriber_state": state}
        for n in range(4)
        for state in ("register", "cancel")
    ]
    assert [type(item) for item in whole(*inputs)] == [FileRecord] * 8


DAYS = [
    stay("ana@example.com", "2026-03-01T10:02:00Z", "2026-03-01T11:00:00Z"),
    stay("bob@example.com", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"),
    stay("ana@example.com", "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z"),
]


def test_inputs_of_several_occurrences_are_asked_about_and_never_merged() -> None:
    with pytest.raises(QuestionsError) as error:
        whole(*DAYS, state=State.ATTEND)
    (question,) = error.value.questions
    assert [choice.option for choice in question.choices] == [
        "--occurrence 2026-03-01",
        "--occurrence 2026-03-02",
        "--occurrence all",
    ]
    everything = whole(*DAYS, state=State.ATTEND, occurrence="all")
    assert [item.candidate.contact for item in everything if isinstance(item, FileRecord)] == [
        "ana@example.com",
        "bob@example.com",
        "ana@example.com",
    ]
    assert [item.line for item in whole(*DAYS, state=State.ATTEND, occurrence="2026-03-02")] == [3]
    again = stay("ana@example.com", "2026-03-01T10:30:00Z", "2026-03-01T11:00:00Z")
    assert len(whole(*DAYS[:2], again, state=State.ATTEND)) == 3


def test_registrations_of_many_days_and_inputs_that_name_their_own_events_are_not_asked_about() -> None:
    registered = [
        {**INPUT, "email": f"p{n}@example.com", "interactionDateTime": 1772359200000 + n * 86_400_000} for n in range(3)
    ]
    assert len(whole(*registered)) == 3
    own = [{**one, "external_event_id": f"e{number}"} for number, one in enumerate(DAYS)]
    assert len(whole(*own, state=State.ATTEND)) == 3


def test_what_is_read_back_is_what_was_written() -> None:
    (record,) = whole({"vid": 9007199254740993, "interactionDateTime": 1772359200000, "properties": {"a": "ö"}})
    (judged,) = read(
        {"vid": 9007199254740993, "interactionDateTime": 1772359200000, "properties": {"a": "ö"}}, REGISTER
    )
    assert isinstance(record, FileRecord)
    assert isinstance(judged, FileRecord)
    assert (record.candidate, record.address, record.state) == (judged.candidate, judged.address, judged.state)
