"""What an action is to be done to, as the URL of its page says it: a list's filters, or what was marked there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from starlette.datastructures import QueryParams

from models.job_params import JobParams
from models.words import Action, Outcome, State
from web.console.base import PageError
from web.console.params import moment, uuid_of
from worker.queries.error_filter import ANY_OPEN, OPEN, Filter
from worker.queries.job_filter import CancelFilter, Chosen
from worker.queries.refusals import RefusalFilter

DEFAULTS: Final[dict[Action, Sequence[Outcome]]] = {
    Action.RETRY: (Outcome.FAILED,),
    Action.DISMISS: OPEN,
    Action.CORRECT: OPEN,
}
"""The outcomes meant where none is named; what HubSpot rejected is retried only if asked for."""
FILTERS: Final = ("outcome", "group", "error", "record", "batch", "event", "account", "state", "category", "since")
OTHERS: Final = ("id", "submission", "all", "use")
LONGEST: Final = 300


def chosen(action: Action, asked: QueryParams) -> Chosen:
    """Read what is chosen.

    Raises:
        PageError: 400 where something of it is none of what it should be, or nothing says which.

    """
    match action:
        case Action.CANCEL:
            return _batches(asked)
        case Action.REPLAY | Action.DISCARD:
            return _refusals(asked)
    return errors(asked, DEFAULTS[action])


def errors(asked: QueryParams, default: Sequence[Outcome]) -> Filter:
    """Read which errors; who names a group, a record or an error means it, whatever its outcome."""
    group, errors, records = _text(asked, "group"), _numbers(asked, "error"), _numbers(asked, "record")
    outcomes = [_outcome(written) for written in asked.getlist("outcome") if written]
    batches = _numbers(asked, "batch")
    return Filter(
        outcomes or (ANY_OPEN if group or errors or records else default),
        batches[0] if batches else None,
        _text(asked, "event"),
        _text(asked, "account"),
        _state(asked),
        _text(asked, "category"),
        _since(asked),
        group,
        records or None,
        errors or None,
    )


def params(action: Action, asked: QueryParams, because: str = "") -> JobParams:
    """Read how it is done to what is chosen: why, and to which account."""
    return JobParams(because=because, use_account=_text(asked, "use") if action is Action.REPLAY else None)


def written(asked: QueryParams) -> str:
    """Write what is chosen as a URL carries it, and nothing else that stands there."""
    return str(
        QueryParams([(name, value) for name, value in asked.multi_items() if name in (*FILTERS, *OTHERS) and value])
    )


def _batches(asked: QueryParams) -> CancelFilter:
    numbers = _numbers(asked, "batch")
    named = CancelFilter(numbers[0] if numbers else None, _text(asked, "event"), _text(asked, "account"), _state(asked))
    if named == CancelFilter() and "all" not in asked:
        raise PageError(400, "Cancel what?", "Say which batches: of an event, an account, a state.")
    return named


def _refusals(asked: QueryParams) -> RefusalFilter:
    submission = _text(asked, "submission")
    number = None if submission is None else uuid_of(submission)
    if submission is not None and number is None:
        raise PageError(400, f"There is no submission {submission[:100]}", "Expected a submission's id, a UUID.")
    named = _numbers(asked, "id") or None
    return RefusalFilter(named, number, _text(asked, "account"), _text(asked, "group"))


def _text(asked: QueryParams, name: str) -> str | None:
    return asked.get(name, "").replace("\0", "").strip()[:LONGEST] or None


def _numbers(asked: QueryParams, name: str) -> list[int]:
    written = [one.strip() for one in asked.getlist(name) if one.strip()]
    wrong = [one for one in written if not (one.isascii() and one.isdecimal() and len(one) < 19)]  # noqa: PLR2004 - a bigint
    if wrong:
        raise PageError(400, f"There is no {name} {wrong[0][:100]}", "Expected a number.")
    return sorted({int(one) for one in written})


def _outcome(written: str) -> Outcome:
    if written not in ANY_OPEN:
        raise PageError(400, f"There is no outcome {written[:100]} here", f"Expected {', '.join(ANY_OPEN)}.")
    return Outcome(written)


def _state(asked: QueryParams) -> State | None:
    state = _text(asked, "state")
    if state is not None and state not in set(State):
        raise PageError(400, f"There is no state {state}", f"Expected {', '.join(State)}.")
    return None if state is None else State(state)


def _since(asked: QueryParams) -> datetime | None:
    since = _text(asked, "since")
    return None if since is None else moment(since)
