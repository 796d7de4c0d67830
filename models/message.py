"""One message from a producer, read: what it addresses and its inputs, each judged alone.

A message is one JSON object: `subscriber_state`, either `object_id` or `external_event_id` and
`external_account_id`, `inputs` (HubSpot's own shape), optional `account`, `submission_id`, `part`, `producer`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson

from models.ids import LONGEST_TEXT, id_fault, is_word, walks
from models.input_check import MOST_REASONS, Candidate, Reason, Reasons, check_input, shown
from models.words import Identity, State

MOST_INPUTS: Final = 10_000
MOST_BYTES: Final = 8 * 1024 * 1024
LONGEST_NUMBER: Final = 4_300
"""Digits of a whole number that are read: Python takes no more, since reading costs their square."""
DEFAULT_ACCOUNT: Final = "default"
Json: TypeAlias = dict[str, Any]
"""A JSON object as it was read, or as it is to be written: only its producer or its reader knows what it holds."""
_FIELDS: Final = frozenset(
    {"subscriber_state", "object_id", "external_event_id", "external_account_id"}
    | {"inputs", "account", "submission_id", "part", "producer"}
)


@dataclass(frozen=True, slots=True)
class Address:
    """An event as HubSpot addresses it: by object id, or by external id and external account id."""

    object_id: str | None
    external_event_id: str | None
    external_account_id: str | None

    def __str__(self) -> str:
        """Read as the sandbox and the pages write it."""
        return self.object_id or f"{self.external_account_id}/{self.external_event_id}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose envelope is right; its inputs are not judged yet."""

    account: str
    address: Address
    state: State
    submission: UUID | None
    part: str | None
    producer: str
    envelope: dict[str, object]
    inputs: list[object]

    def judged(self, identity: Identity | None = None) -> Iterator[Candidate | tuple[Reason, ...]]:
        """Judge the inputs one by one, in their order; where one kind of identity is asked for, of that kind alone."""
        for index, raw in enumerate(self.inputs):
            judged = check_input(raw, self.state, f"inputs[{index}]")
            if identity and isinstance(judged, Candidate) and judged.identity is not identity:
                what, right = f"names its contact by {judged.identity}", f"{identity}, as the path says"
                yield (Reason(f"inputs[{index}].{judged.identity}", what, right),)
            else:
                yield judged

    def alone(self, index: int) -> bytes:
        """Write a message with only this input, to be mended and handed in again."""
        return self._written([self.inputs[index]])

    def whole(self) -> bytes:
        """Write the message again."""
        return self._written(self.inputs)

    def _written(self, inputs: list[object]) -> bytes:
        """Write a message of these inputs; one nested deeper than JSON can be written is kept as its beginning."""
        try:
            return json.dumps({**self.envelope, "inputs": inputs}).encode()
        except RecursionError:
            return json.dumps({**self.envelope, "inputs": [shown(one) for one in inputs]}).encode()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is refused whole, with what could still be read of where it came from."""

    reasons: tuple[Reason, ...]
    submission: UUID | None = None
    part: str | None = None
    producer: str = ""


def read_message(raw: bytes) -> Message | Unreadable:
    """Read a message from its JSON text."""
    if len(raw) > MOST_BYTES:
        right = f"at most {MOST_BYTES:,} bytes: hand its inputs in as several messages"
        return Unreadable((Reason("message", f"is {len(raw):,} bytes long", right),))
    try:
        return read_fields(loads(raw))
    except ValueError as error:
        return Unreadable((Reason("message", f"is no JSON ({shown(error)})", "one JSON object"),))


def read_fields(fields: object, *, envelope_only: bool = False) -> Message | Unreadable:
    """Read a message from its fields, as a task's arguments carry them.

    Where it is refused whole, the reasons against its inputs are given too, so that all can be corrected at once; not
    with `envelope_only`.
    """
    if not isinstance(fields, dict):
        return Unreadable((Reason("message", "is no object", 'an object with "subscriber_state", "inputs", …'),))
    reasons = Reasons()
    if not fields.keys() <= _FIELDS:
        unknown = [name for name in fields if name not in _FIELDS]
        reasons.add_unknown(unknown, "", "is no field of a message", _FIELDS)
    submission = _submission(fields.get("submission_id"), reasons)
    part = _text(fields, "part", reasons)
    producer = _text(fields, "producer", reasons) or ""
    state = _state(fields.get("subscriber_state"), reasons)
    address = _address(fields, reasons)
    account = _text(fields, "account", reasons) or DEFAULT_ACCOUNT
    inputs = fields.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        reasons.append(Reason("inputs", "is empty" if inputs == [] else "is no list", "a list of inputs, at least one"))
    elif len(inputs) > MOST_INPUTS:
        right = f"at most {MOST_INPUTS:,}: submit them as several messages"
        reasons.append(Reason("inputs", f"holds {len(inputs):,} inputs", right))
    if reasons or state is None or address is None or not isinstance(inputs, list):
        if not envelope_only:
            reasons.extend(islice(_against_inputs(fields), MOST_REASONS - len(reasons)))
        return Unreadable(reasons.told("message"), submission, part, producer)
    envelope = {name: value for name, value in fields.items() if name not in {"inputs", "submission_id", "part"}}
    return Message(account, address, state, submission, part, producer, envelope, inputs)


def _against_inputs(fields: Json) -> Iterator[Reason]:
    """Say what is wrong with the inputs of a message that is refused whole, in the state that was probably meant."""
    inputs, state = fields.get("inputs"), _meant(fields.get("subscriber_state")) or State.REGISTER
    if not isinstance(inputs, list) or len(inputs) > MOST_INPUTS:
        return
    for index, raw in enumerate(inputs):
        judged = check_input(raw, state, f"inputs[{index}]")
        if not isinstance(judged, Candidate):
            yield from judged


_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG: Final = b"0" * 19
"""Digits in a row of a number that may be beyond 64 bits; a pattern takes twenty times as long to look for them."""


def loads(raw: bytes | str) -> object:
    """Read JSON fast; what orjson will not read, or would round, is read by the standard library, exactly.

    orjson refuses a lone surrogate, which would make a whole message unreadable for one input, and turns an
    integer beyond 64 bits into a float.

    Raises:
        ValueError: where it is no JSON, or nested too deep.

    """
    try:
        loaded = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _exactly(raw)
    written = raw if isinstance(raw, bytes) else raw.encode()
    return _exactly(raw) if _LONG in written.translate(_DIGITS) else loaded


def _exactly(raw: bytes | str) -> object:
    try:
        return json.loads(raw, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _whole(digits: str) -> int:
    """Read a whole number; of one that Python would not read only the beginning, which is too large as well."""
    return int(digits[:LONGEST_NUMBER])


_STATES: Final[dict[str, State]] = {state.value: state for state in State}


def _submission(raw: object, reasons: Reasons) -> UUID | None:
    if raw is None:
        return None
    try:
        return UUID(raw if isinstance(raw, str) else "")
    except ValueError:
        reasons.append(Reason("submission_id", f"{shown(raw)} is no UUID", "a UUID, or no submission_id"))
        return None


_MEANT: Final = {"registered": "register", "attended": "attend", "cancelled": "cancel", "canceled": "cancel"}


def _meant(raw: object) -> State | None:
    """Give the state that a text means, whatever its spelling."""
    text = raw.lower() if isinstance(raw, str) else ""
    return _STATES.get(_MEANT.get(text, text))


def _state(raw: object, reasons: Reasons) -> State | None:
    if isinstance(raw, str) and raw in _STATES:
        return _STATES[raw]
    what = "is missing" if raw is None else f"{shown(raw)} is unknown"
    meant = _meant(raw)
    right = f"'{meant}'" if meant else "'register', 'attend' or 'cancel'"
    reasons.append(Reason("subscriber_state", what, right))
    return None


def _address(fields: dict[str, object], reasons: Reasons) -> Address | None:
    known = len(reasons)
    object_id, event, account = (
        _text(fields, name, reasons) for name in ("object_id", "external_event_id", "external_account_id")
    )
    if len(reasons) > known:
        return None  # what cannot be used is not missing besides
    for name, text in (("object_id", object_id), ("external_event_id", event), ("external_account_id", account)):
        if text is not None and walks(text):  # percent-encoded too, HTTP clients walk them
            right = "the account id the event was created with" if name == "external_account_id" else "the event's id"
            reasons.append(Reason(name, f"is '{shown(text)}', which in a path means another path", right))
    if object_id is not None and is_word(object_id, "attendance"):
        what = f"is '{shown(object_id)}', which in a path means an external event"
        reasons.append(Reason("object_id", what, "the event's id"))
    if object_id and not event and not account:
        return Address(object_id, None, None)
    if event and account and not object_id:
        return Address(None, event, account)
    if object_id:
        reasons.append(
            Reason("object_id", "stands beside an external address", "one of the two ways to name the event")
        )
    elif event:
        reasons.append(Reason("external_account_id", "is missing", "the account id the event was created with"))
    elif account:
        reasons.append(Reason("external_event_id", "is missing", "the event's id in the system it was created by"))
    else:
        reasons.append(Reason("message", "names no event", "object_id, or external_event_id and external_account_id"))
    return None


def _text(fields: dict[str, object], name: str, reasons: Reasons) -> str | None:
    """Read a short text; a whole number is one too, since ids are often kept as numbers."""
    raw = fields.get(name)
    if raw is None or raw == "":
        return None
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else raw
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        reasons.append(Reason(name, f"{shown(raw)} is no short text", f"text of at most {LONGEST_TEXT} characters"))
        return None
    if fault := id_fault(text):
        reasons.append(Reason(name, *fault))
        return None
    return text
