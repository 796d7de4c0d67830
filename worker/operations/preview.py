"""What an action in bulk will do, before it is done: to how many, what changes, what is skipped, its calls, how long.

It is of all that is chosen, or says that it is of the first of them; and what is done is what was shown: the seal of a
preview goes with the confirmation, and where the preview would be another by then, nothing is done.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection, Engine, select

from models.error_signature import gist
from models.input_check import Reason
from models.job_params import NO_PARAMS, JobParams
from models.tables import Account, Batch, Event
from models.tally import Skip, Tally
from models.words import Action, State
from worker.context import Context
from worker.database import rows_as
from worker.operations import jobs, replay, steps, tally
from worker.operations.audit_log import Actor
from worker.operations.duration import calls_of, time_of
from worker.operations.steps import WaitingItem
from worker.queries import refusal_groups, refusals
from worker.queries.error_filter import Filter, FoundError, first
from worker.queries.error_groups import DistinctError, distinct
from worker.queries.errors import OpenError, show_errors
from worker.queries.job_filter import CancelFilter, Chosen
from worker.queries.refusal_groups import DistinctFault
from worker.queries.refusals import Refusal, RefusalFilter
from worker.queries.rows import AT_MOST, NEWEST
from worker.queries.scan import Span

SAMPLES: Final = 10


@dataclass(frozen=True, slots=True)
class DistinctEvent:
    """Of which event waiting records are, in which state, and how many."""

    event: str
    state: State
    account: str
    count: int


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch that would be canceled."""

    id: int
    account: str
    event: str
    event_id: int
    state: State
    size: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action will do: to just what was looked at, which is all that is chosen unless there is `more`."""

    count: int
    """Of those that are chosen."""
    samples: Sequence[OpenError | PendingBatch | Refusal]
    groups: Sequence[DistinctError | DistinctFault | DistinctEvent] = ()
    """What they have in common."""
    batches: int = 0
    """Those that are canceled."""
    calls: int = 0
    seconds: float | None = None
    """None where that cannot be said."""
    because: list[str] = field(default_factory=list)
    """Why it may take longer."""
    more: bool = False
    """There are more, to which it is not done."""
    tally: Tally = field(default_factory=Tally)
    """To how many it will be done, what of them changes, and why others are skipped."""
    pinned: list[WaitingItem] = field(default_factory=list)
    """What a job of it is done to."""
    until: int = 0
    """The newest id that was looked at: what comes later is none of its business."""

    @property
    def will(self) -> int:
        """Give to how many it will be done."""
        return self.tally.will

    @property
    def said(self) -> str:
        """Write to how many it will be done."""
        return f"{'the first ' if self.more else ''}{self.will:,}"

    @property
    def seal(self) -> str:
        """Give what tells this preview from any other."""
        return f"{self.until}-{self.tally.seal}"


def look(  # noqa: PLR0913 - what a job has
    process: Context,
    action: Action,
    chosen: Chosen,
    params: JobParams = NO_PARAMS,
    *,
    until: int | None = None,
    most: int | None = None,
) -> Preview:
    """Say what an action will do to what is chosen; and with a change, what of each it changes.

    At most `most` of what there was up to the id `until` are looked at, the oldest.
    """
    bound = AT_MOST if most is None else most
    with process.engine.connect() as connection:
        newest = steps.newest(connection, action) if until is None else until
        match chosen:
            case CancelFilter():
                return _batches(connection, chosen, newest, bound)
            case RefusalFilter():
                return _refusals(process, action, chosen, params, newest, bound)
        found = first(connection, chosen, bound + 1, Span(until=newest))
        few, more = found[:bound], len(found) > bound
        samples = show_errors(connection, few[-SAMPLES:])
        kinds = distinct(connection, [one.id for one in few])
    tallied, fit = _tallied(process, chosen, params, few, newest)
    calls = {} if action is Action.DISMISS else calls_of(process, fit, moved=tallied.moved > 0)
    seconds, because = time_of(process, calls) if calls or action is not Action.DISMISS else (None, [])
    return Preview(
        len(few),
        samples,
        kinds,
        calls=sum(calls.values()),
        seconds=seconds,
        because=because,
        more=more,
        tally=tallied,
        pinned=[WaitingItem(one.id, one.record_id) for one in few],
        until=newest,
    )


def is_any(engine: Engine, chosen: Chosen) -> bool:
    """Say whether there is anything of what is chosen."""
    if isinstance(chosen, RefusalFilter):
        return next(refusals.waiting(engine, chosen), None) is not None
    with engine.connect() as connection:
        if isinstance(chosen, CancelFilter):
            return bool(_batches(connection, chosen, NEWEST, 1).count)
        return bool(first(connection, chosen, 1))


def _tallied(
    process: Context, wanted: Filter, params: JobParams, found: Sequence[FoundError], until: int
) -> tuple[Tally, list[int]]:
    """Tally what an action is done to, and name these errors."""
    if (change := params.change) is not None:
        of_record, fit = {one.record_id: one.id for one in found}, list[int]()
        changes = ((record_id, change) for record_id in sorted(of_record))
        return tally.of(process.engine, process.rules, changes, until, fit), [of_record[one] for one in fit]
    ids = [one.id for one in found]
    named = len(wanted.error_ids or wanted.record_ids or ())
    resolved = [Skip(RESOLVED, named - len(ids))] if named > len(ids) else []
    return Tally(len(ids), skips=resolved, seal=_seal(ids)), ids


RESOLVED: Final = "is resolved already, or is not what was chosen"


def _seal(shown: Iterable[object]) -> str:
    return blake2b(orjson.dumps(list(shown)), digest_size=16).hexdigest()


def confirm(  # noqa: PLR0913 - what a job has
    process: Context,
    by: Actor,
    action: Action,
    chosen: Chosen,
    seal: str,
    *,
    params: JobParams = NO_PARAMS,
    typed: int | None = None,
) -> int | Preview:
    """Ask for the job whose preview has this seal, done to just what that showed; give its id.

    Where the preview would now be another, nothing is asked for: that other preview is returned. So is the same one,
    where several records would go to another event and `typed` is not their number.
    """
    until = seal.partition("-")[0]
    if until.isascii() and until.isdecimal() and len(until) < 19:  # noqa: PLR2004 - a bigint
        found = look(process, action, chosen, params, until=int(until))
        if found.seal == seal and found.tally.is_move and typed != found.will:
            return found
        if found.seal == seal:
            return ask(process, by, action, chosen, found, params=params)
    return look(process, action, chosen, params)


def ask(  # noqa: PLR0913 - what a job has
    process: Context,
    by: Actor,
    action: Action,
    chosen: Chosen,
    found: Preview,
    *,
    params: JobParams = NO_PARAMS,
) -> int:
    """Ask for the job of a preview; give its id."""
    with process.engine.begin() as connection:
        return jobs.ask(
            connection,
            by,
            action,
            chosen,
            params=params,
            expected=found.count,
            until=found.until,
            pinned=found.pinned,
        )


def _batches(connection: Connection, chosen: CancelFilter, until: int, most: int) -> Preview:
    statement = (
        select(Batch.id, Account.name.label("account"), Event.label().label("event"), Batch.event_id)
        .add_columns(Batch.state, Batch.size, Batch.created_at)
        .join(Event, Event.id == Batch.event_id)
        .join(Account, Account.id == Batch.account_id)
        .where(*chosen.conditions(), Batch.id <= until)
        .order_by(Batch.id)
        .limit(most + 1)
    )
    rows = rows_as(PendingBatch, connection.execute(statement))
    found = rows[:most]
    events: Counter[tuple[str, State, str]] = Counter()
    for one in found:
        events[one.event, one.state, one.account] += one.size
    records = sum(one.size for one in found)
    return Preview(
        records,
        found[:SAMPLES],
        [DistinctEvent(*event, count) for event, count in events.most_common()],
        len(found),
        more=len(rows) > most,
        tally=Tally(records, seal=_seal((one.id, one.size) for one in found)),
        pinned=[WaitingItem(one.id, result={"size": one.size}) for one in found],
        until=until,
    )


def _refusals(  # noqa: PLR0913, PLR0917 - what a job has
    process: Context, action: Action, chosen: RefusalFilter, params: JobParams, until: int, most: int
) -> Preview:
    """Look at the oldest refusals; at whether each would be accepted now, where they are to be submitted again."""
    engine = process.engine
    if action is Action.DISCARD:
        ids, more = refusals.oldest_ids(engine, chosen, until, most)
        looked = [_Looked(id_, 0, None) for id_ in ids]
    else:
        looked, more = refusals.oldest(engine, chosen, until, most, _judge(engine, params.use_account))
    fit = [one for one in looked if one.against is None]
    still = Counter(_because(one.against) for one in looked if one.against is not None)
    calls = -(-sum(one.inputs for one in fit) // process.settings.batch_size)
    few = replace(chosen, ids=[one.id for one in looked[-SAMPLES:]])
    samples, _ = refusals.listed(engine, few, until + 1, SAMPLES)
    with engine.connect() as connection:
        faults = refusal_groups.distinct(connection, [one.id for one in looked])
    return Preview(
        len(looked),
        samples,
        faults,
        calls=calls,
        more=more,
        tally=Tally(
            len(fit),
            skips=[Skip(f"would not be accepted again: {why}", count) for why, count in still.most_common()],
            seal=_seal((one.id, one.against is None) for one in looked),
        ),
        pinned=[WaitingItem(one.id) for one in looked],
        until=until,
    )


class _Looked(NamedTuple):
    """A refusal that was looked at: how many inputs it holds, and why it would not be accepted, if so."""

    id: int
    inputs: int
    against: Reason | None


def _judge(engine: Engine, use_account: str | None) -> Callable[[Refusal], _Looked]:
    known: dict[str, tuple[Reason, ...]] = {}

    def judged(refusal: Refusal) -> _Looked:
        reasons = replay.against(engine, refusal, known, use_account)
        return _Looked(refusal.id, refusal.inputs, next(iter(reasons), None))

    return judged


def _because(reason: Reason) -> str:
    """Write why some would not be accepted again: an account's name is no value, there is one reason each."""
    if reason.where == "account":
        return str(reason)
    return gist(f"{reason.where}: {reason.right}")
