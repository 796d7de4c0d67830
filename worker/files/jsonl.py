"""A line of JSON to inputs: a whole message, one input with the message's fields beside it, or an input alone.

Fields beside HubSpot's that decide who counts (status, role, attended …) are used as columns of that title are.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from models.ids import LONGEST_TEXT
from models.input_check import FIELDS, Candidate, Reason, check_input, shown
from models.message import Message, loads, read_fields
from models.words import State
from worker.files.columns.header import REFUSED, announced
from worker.files.columns.known_titles import Field
from worker.files.columns.map_option import answer_key, mapped
from worker.files.columns.who_counts import NOTHING, deciding, meaning
from worker.files.not_people import LeftOut
from worker.files.options import Options
from worker.files.rows import FileRecord, RejectedRow, as_json
from worker.files.signs import Sign, unknown_value
from worker.files.verdicts import EMPTY_SAYS_NOTHING, absent_only, matters, verdict
from worker.files.where import PRODUCER, Where, missing, place

TITLES: Final = ("json",)
"""The header of refused lines of JSON, which can be handed in again as the CSV they are then."""
_OWN: Final = frozenset({"inputs", "submission_id", "part", "producer"})
"""Fields of a message that the file door sets itself."""
_AROUND: Final = frozenset({"subscriber_state", "object_id", "external_event_id", "external_account_id", "account"})
_BESIDE: Final = _AROUND | _OWN
"""Fields that are no input's."""
_TAKEN: Final = _BESIDE | FIELDS
"""Fields that are read as what they are, so that none of them decides who counts."""
_REFUSED: Final = frozenset(REFUSED)
MOST_ENVELOPES: Final = 256
"""That are kept checked: a file tells of a few events, in turn."""


class _Envelope(NamedTuple):
    """What stands around a line's inputs, with what the options add: a message without them, or why it is none."""

    fields: dict[str, object]
    says_state: bool
    """Whether the line itself says what they did."""
    message: Message | None
    reasons: tuple[Reason, ...] = ()


def read_line(  # noqa: C901 - the shapes of a line
    number: int, text: str, options: Options
) -> Iterator[FileRecord | RejectedRow | LeftOut]:
    """Judge every input of a line alone."""
    try:
        fields = loads(text)
    except ValueError as error:
        yield _refused(number, text, Reason("", f"is no JSON ({shown(error)})", "one JSON object on each line"))
        return
    if not isinstance(fields, dict):
        yield _refused(number, text, Reason("", "is no JSON object", 'one JSON object on each line, {"email": …}'))
        return
    if corrects := _own_columns(fields):
        is_text = set(fields) == set(TITLES) and isinstance(fields["json"], str)
        text = str(fields["json"]) if is_text else as_json(fields).decode()  # a line that could not be read, corrected
        yield from (_corrected(item, corrects) for item in read_line(number, text, options))
        return
    around: dict[str, object]
    fields, beside = _deciding(fields, options)
    if "inputs" in fields:
        around, inputs = {name: value for name, value in fields.items() if name not in _OWN}, fields["inputs"]
        if not isinstance(inputs, list) or not inputs:
            yield _refused(number, text, Reason("inputs", "is no list of inputs", "at least one input in a list"))
            return
        names = [f"inputs[{index}]" for index in range(len(inputs))]
    else:
        around = {name: value for name, value in fields.items() if name in _AROUND}
        inputs = [{name: value for name, value in fields.items() if name not in _BESIDE}]
        names = [""]
    envelope = _envelope(around, options)
    message = envelope.message
    for name, whole in zip(names, inputs, strict=True):
        raw, signs = _deciding(whole, options) if isinstance(whole, dict) and "inputs" in fields else (whole, [])
        signs = [*beside, *signs, *_of_properties(raw)]
        if message is None:
            reasons = envelope.reasons
        elif (out := verdict(signs, message.state, came=True, hosts=options.include_hosts)) is not None:
            yield LeftOut(number, *out)
            continue
        elif (unknown := _unknown(signs, message.state, says_state=envelope.says_state)) is not None:
            reasons = (unknown_value(unknown.title, unknown),)
        else:
            judged = check_input(raw, message.state, name)
            if isinstance(judged, Candidate):
                yield FileRecord(number, message.account, message.address, message.state, judged)
                continue
            reasons = judged
        own = as_json({**envelope.fields, "inputs": [raw]})
        yield _refused(number, text if len(inputs) == 1 else own.decode(), *reasons, raw=own)


def _own_columns(fields: dict[str, object]) -> tuple[str, ...]:
    """Take out what a file of refused rows has before its own fields: what a line corrects."""
    if not fields.keys() >= _REFUSED:
        return ()
    return tuple(str(fields.pop(name)) for name in REFUSED)


def _corrected(item: FileRecord | RejectedRow | LeftOut, own: tuple[str, ...]) -> FileRecord | RejectedRow | LeftOut:
    """Give what was read of a line that corrects one, with what it corrects."""
    if isinstance(item, FileRecord):
        return replace(item, corrects=own[-1:] if own[-1] else ())
    if isinstance(item, RejectedRow):
        ((line, cells),) = item.rows
        return replace(item, titles=(*REFUSED, *item.titles), rows=((line, [*own, *cells]),))
    return item


def _unknown(signs: list[Sign], state: State, *, says_state: bool) -> Sign | None:
    """Give the first sign that leaves open whether an input counts for its state."""
    if not signs:
        return None
    came = state is State.ATTEND
    unclear = (sign for sign in signs if sign.says is None and matters(sign, state, came=came))
    return next(chain(unclear, absent_only(signs) if state is State.CANCEL and not says_state else ()), None)


def _deciding(fields: dict[str, object], options: Options) -> tuple[dict[str, object], list[Sign]]:
    """Part the fields that decide who counts, and those that `--map` ignores, from the rest."""
    if not options.mapping and fields.keys() <= _TAKEN:
        return fields, []  # nearly every line
    targets = mapped(list(fields), options.mapping)
    rest: dict[str, object] = {}
    signs: list[Sign] = []
    for index, (name, value) in enumerate(fields.items()):
        target = targets.get(index)
        known = None if name in _TAKEN else announced(name, target.what if target else None, mapped=bool(target))
        text = "" if value is None else str(value).strip()
        answer = target.answers.get(answer_key(text)) if target else None
        says = answer or (meaning(known.kind, text) if known else None)
        if target and target.what is Field.IGNORE:
            continue
        if known and not isinstance(value, dict | list) and (known.sure or says):
            if text not in NOTHING or (value == "" and known.kind not in EMPTY_SAYS_NOTHING):
                signs.append(Sign(name, known.kind, text, says))
        else:
            rest[name] = value
    return rest, signs


def _of_properties(raw: object) -> Iterator[Sign]:
    """Give what the properties of an input say; they go to HubSpot as they are."""
    properties = raw.get("properties") if isinstance(raw, dict) else None
    for name, value in properties.items() if isinstance(properties, dict) else ():
        known = deciding(name)
        if known and isinstance(value, str) and (says := meaning(known.kind, value.strip())) is not None:
            yield Sign(f"properties.{name}", known.kind, value.strip(), says)


def _envelope(around: dict[str, object], options: Options) -> _Envelope:
    """Check what stands around a line's inputs, for the same once."""
    is_short = all(isinstance(value, str) and len(value) <= LONGEST_TEXT for value in around.values())
    return (_kept if is_short and len(around) <= len(_AROUND) else _checked)(tuple(around.items()), options)


def _checked(said: tuple[tuple[str, object], ...], options: Options) -> _Envelope:
    around = dict(said)
    says_state = bool(around.get("subscriber_state"))
    fields = {**around, **_filled(around, options), "producer": PRODUCER}
    if absent := tuple(missing(_where(fields))):
        return _Envelope(fields, says_state, None, absent)
    message = read_fields({**fields, "inputs": [None]}, envelope_only=True)
    if isinstance(message, Message):
        return _Envelope(fields, says_state, message)
    return _Envelope(fields, says_state, None, message.reasons)


_kept: Final = lru_cache(maxsize=MOST_ENVELOPES)(_checked)


def _filled(around: dict[str, object], options: Options) -> dict[str, object]:
    """Give what the options add to what the line says."""
    known = _where(around)
    where = place(
        options,
        account=known.account,
        object_id=known.object_id,
        event=known.event,
        external_account=known.external_account,
        state=known.state or options.state,
    )
    return {name: value for name, value in where.fields().items() if not around.get(name)}


def _where(around: dict[str, object]) -> Where:
    """Say which fields are there; what kind of value they hold is for the message's own check."""
    names = ("account", "object_id", "external_event_id", "external_account_id", "subscriber_state")
    return Where(*(str(value) if (value := around.get(name)) is not None else None for name in names))


def _refused(number: int, text: str, *reasons: Reason, raw: bytes | None = None) -> RejectedRow:
    placed = tuple(
        type(reason)(
            f"line {number}, {where}" if (where := reason.where.lstrip(".")) else f"line {number}",
            reason.what,
            reason.right,
        )
        for reason in reasons
    )
    return RejectedRow(number, placed, raw or as_json(text), TITLES, ((number, [text]),))
