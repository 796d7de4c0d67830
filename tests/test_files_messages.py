from uuid import UUID

import orjson
from hypothesis import given, settings, strategies as st

from models.input_check import Candidate
from models.message import Address, Message, read_message
from models.words import Identity, State
from worker.files import messages as bundles
from worker.files.messages import Chunker
from worker.files.rows import FileRecord

SUBMISSION = UUID("0195f7a0-0000-7000-8000-000000000001")
EVENTS = [Address("1", None, None), Address(None, "e", "x")]

Told = tuple[str, int, State, int]
told = st.lists(
    st.tuples(st.sampled_from(["default", "emea"]), st.integers(0, 1), st.sampled_from(list(State)), st.integers(0, 4)),
    max_size=60,
)


def record(number: int, row: Told, padding: int = 0) -> FileRecord:
    account, event, state, person = row
    email = f"p{person}@example.com"
    wire: dict[str, object] = {
        "email": email,
        "interactionDateTime": 1772359200000 + number,
        "properties": {"note": "x" * padding},
        "contactProperties": {},
    }
    return FileRecord(
        number, account, EVENTS[event], state, Candidate(Identity.EMAIL, email, 1772359200000 + number, wire)
    )


def read(messages: list[bytes]) -> list[Message]:
    read = [read_message(message) for message in messages]
    assert all(isinstance(message, Message) for message in read)
    return [message for message in read if isinstance(message, Message)]


def numbers(message: Message) -> list[int]:
    return [each["interactionDateTime"] - 1772359200000 for each in message.inputs if isinstance(each, dict)]


@settings(deadline=None)
@given(told, st.integers(1, 4), st.integers(1, 4))
def test_every_record_is_in_one_message_and_each_contacts_order_within_its_event_is_kept(
    rows: list[Told], most_inputs: int, most_open: int
) -> None:
    before = bundles.MOST_INPUTS, bundles.MOST_OPEN
    bundles.MOST_INPUTS, bundles.MOST_OPEN = most_inputs, most_open  # type: ignore[misc]
    try:
        messages = read(list(Chunker(SUBMISSION).messages(record(*row) for row in enumerate(rows))))
    finally:
        bundles.MOST_INPUTS, bundles.MOST_OPEN = before  # type: ignore[misc]

    order = [number for message in messages for number in numbers(message)]
    assert sorted(order) == list(range(len(rows)))
    for message in messages:
        assert 1 <= len(message.inputs) <= most_inputs
        assert {(rows[n][0], EVENTS[rows[n][1]], rows[n][2]) for n in numbers(message)} == {
            (message.account, message.address, message.state)
        }
    place = {number: index for index, number in enumerate(order)}
    for first, one in enumerate(rows):
        for second in range(first + 1, len(rows)):
            other = rows[second]
            if (one[0], one[1], one[3]) == (other[0], other[1], other[3]):
                assert place[first] < place[second]


def test_a_message_names_its_submission_and_its_part() -> None:
    rows: list[Told] = [("default", 1, State.REGISTER, 1), ("default", 1, State.CANCEL, 1)]
    first, second = Chunker(SUBMISSION).messages(record(*row) for row in enumerate(rows))
    assert orjson.loads(first) == {
        "account": "default",
        "external_event_id": "e",
        "external_account_id": "x",
        "subscriber_state": "register",
        "producer": "turnout enqueue",
        "submission_id": str(SUBMISSION),
        "part": "1",
        "inputs": [
            {
                "email": "p1@example.com",
                "interactionDateTime": 1772359200000,
                "properties": {"note": ""},
                "contactProperties": {},
            }
        ],
    }
    assert orjson.loads(second)["part"] == "2"


def test_contacts_that_take_turns_do_not_make_small_messages() -> None:
    rows: list[Told] = [("default", 0, State.REGISTER if n % 2 else State.CANCEL, n) for n in range(4000)]
    sizes = [
        len(message.inputs) for message in read(list(Chunker(SUBMISSION).messages(map(record, range(4000), rows))))
    ]
    assert sizes == [1000] * 4


def test_a_message_is_bounded_in_bytes_too() -> None:
    rows: list[Told] = [("default", 0, State.REGISTER, n) for n in range(40)]
    messages = list(Chunker(SUBMISSION).messages(record(n, row, 200_000) for n, row in enumerate(rows)))
    assert len(messages) == 4
    assert max(map(len, messages)) < bundles.MOST_BYTES + 1000
