"""One POST of attendance: the answer and what it would store, decided before either happens.

Shapes by HubSpot's OpenAPI (`BatchResponseSubscriberEmailResponse` and its `Vid` sister).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from sandbox.address import ContactKind, Write
from sandbox.answers import SandboxAnswer, invalid, json_answer, unknown_event
from sandbox.events import Events
from sandbox.identity import Event, vid_of
from sandbox.judging import Dropped, Erroneous, Judgement, Kept, NamedOnly, State, Unacceptable, judge
from sandbox.options import Malformed, SandboxOptions
from sandbox.participations import Participation, StoredKey, StoredParticipations


@dataclass(frozen=True, slots=True)
class WriteDecision:
    """What to answer, and what to store for it."""

    answer: SandboxAnswer
    participations: Mapping[StoredKey, Participation] = field(default_factory=dict)


def inputs_of(body: object) -> list[object] | None:
    """Return the inputs of a request's JSON; `None` where it has no such list."""
    inputs = body.get("inputs") if isinstance(body, dict) else None
    return inputs if isinstance(inputs, list) else None


class Writing:
    """Decides the writes of one account. It reads what is stored and stores nothing."""

    def __init__(self, options: SandboxOptions, events: Events, stored: StoredParticipations, random: Random) -> None:
        self._options = options
        self._malformed = Malformed(options.malformed)
        self._events = events
        self._stored = stored
        self._random = random

    def decide(self, write: Write, inputs: list[object] | None, now: float) -> WriteDecision:
        """Answer with 400 or 404, or judge each input. `now` in epoch seconds."""
        event = self._events.at(write.event)
        most = self._options.max_inputs
        if event is None:
            return WriteDecision(invalid("externalAccountId is required"))
        if write.state not in set(State):
            return WriteDecision(
                invalid(f"Unknown state for '{write.state}'. Correct are 'register', 'attend' or 'cancel'.")
            )
        if inputs is None:
            return WriteDecision(invalid("Invalid input JSON: some of required attributes are not set [inputs]"))
        if len(inputs) > most:
            return WriteDecision(invalid(f"At most {most} inputs are allowed in one request, there are {len(inputs)}"))
        if not self._events.knows(event):
            return WriteDecision(unknown_event(event.label))
        state = State(write.state)
        return self._settle(
            (judge(item, state, write.by, self._malformed) for item in inputs), event, state, write, now
        )

    def _settle(
        self, judgements: Iterable[Judgement], event: Event, state: State, write: Write, now: float
    ) -> WriteDecision:
        named: list[dict[str, object]] = []
        errors: list[Erroneous] = []
        fresh: dict[StoredKey, Participation] = {}
        for judgement in judgements:
            match judgement:
                case Kept(contact, occurred_at, seconds):
                    vid = self._vid(contact, write.by)
                    key = (event.object_id, vid, state.value, occurred_at)
                    if key not in fresh and not self._stored.holds(key):
                        fresh[key] = Participation(event, contact, vid, state, occurred_at, seconds)
                        named.append(_result(contact, vid, write.by))
                case NamedOnly(contact):
                    named.append(_result(contact, self._vid(contact, write.by), write.by))
                case Dropped():
                    pass
                case Erroneous():
                    errors.append(judgement)
                case Unacceptable(message):
                    return WriteDecision(invalid(message))
        self._random.shuffle(named)
        return WriteDecision(_answer(named, errors, now), fresh)

    def _vid(self, contact: str, by: ContactKind) -> int:
        return vid_of(contact, self._options.seed) if by is ContactKind.EMAIL else int(contact)


def _answer(named: list[dict[str, object]], errors: list[Erroneous], now: float) -> SandboxAnswer:
    instant = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body: dict[str, object] = {
        "status": "COMPLETE",
        "requestedAt": instant,
        "startedAt": instant,
        "completedAt": instant,
        "results": named,
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": [_standard_error(error) for error in errors]}
    return json_answer(200, body)


def _result(contact: str, vid: int, by: ContactKind) -> dict[str, object]:
    return {"email": contact, "vid": vid} if by is ContactKind.EMAIL else {"vid": vid}


def _standard_error(error: Erroneous) -> dict[str, object]:
    """`subCategory` is text, as seen; the spec calls it an object."""
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "subCategory": error.sub_category,
        "message": error.message,
        "context": {},
        "links": {},
        "errors": [],
    }
