"""Correct: a new record takes the place of one that is not delivered, and is sent.

One transaction under the locks of both events: the open error is resolved by one guarded update, the old record is
canceled with an error that names the new one, and the new one is stored as accept stores it, with a receipt of its
own beside the one it came with. As with a retry, what a later record has overtaken is not sent again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, select, text, true

from models.accept_rules import Rules
from models.batching import Group
from models.correction import Change, difference
from models.fingerprint import fingerprint
from models.input_check import Candidate, Reason
from models.message import Address, Message, read_fields
from models.outcome import LastError, outcome
from models.tables import Account, Batch, ErrorContext, Event, Record, Submission, ids
from models.words import Door, Identity, Origin, Outcome, OwnCategory, Resolution, State
from worker.database import rows_as
from worker.intake import accept, addressed, receipts, store
from worker.intake.receipts import Part, own_part
from worker.intake.store import NewRecord
from worker.queries.job_results import ItemToday
from worker.queries.rows import NEWEST
from worker.queue import lanes
from worker.queue.contact_index import Place, overtaken
from worker.queue.locks import lock_events
from worker.queue.requeue import resolve


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction changes of a record, and the record that took its place; or why it is not done."""

    record_id: int
    difference: list[tuple[str, str, str]]
    by: int | None = None
    reasons: tuple[Reason, ...] = ()


def of_item(item: ItemToday) -> Corrected:
    """Read a correction out of a job's item."""
    assert item.record_id is not None
    result = item.result
    differs = [(field, was, becomes) for field, was, becomes in result.get("difference", ())]
    return Corrected(item.record_id, differs, item.by, tuple(Reason(**one) for one in result.get("reasons", ())))


@dataclass(frozen=True, slots=True)
class OldRecord:
    """A record as it stands: with its event, its receipt, its outcome and its last error."""

    id: int
    input: Mapping[str, Any]
    batch_id: int
    event_id: int
    state: State
    account_id: int
    account: str
    batch_size: int | None
    object_id: str | None
    external_event_id: str | None
    external_account_id: str | None
    submission: UUID
    door: Door
    producer: str
    key_id: int | None
    outcome: Outcome
    error_id: int | None
    category: str | None
    resolution: Resolution | None
    context: ErrorContext | None

    @property
    def address(self) -> Address:
        """Give the address of its event."""
        return Address(self.object_id, self.external_event_id, self.external_account_id)


_OLD: Final = (
    select(Record.id, Record.input, *(Batch.id.label("batch_id"), Batch.event_id, Batch.state, Batch.account_id))
    .add_columns(Account.name.label("account"), Account.batch_size)
    .add_columns(Event.object_id, Event.external_event_id, Event.external_account_id)
    .add_columns(Submission.submission, Submission.door, Submission.producer, Submission.key_id)
    .add_columns(outcome.label("outcome"), LastError.id.label("error_id"))
    .add_columns(LastError.category, LastError.resolution, LastError.context)
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .join(Event, Event.id == Batch.event_id)
    .join(Account, Account.id == Batch.account_id)
    .join(Submission, Submission.id == Record.submission_id)
    .where(Record.id == ids("records"))
    .order_by(Record.id)
)


def old_records(connection: Connection, record_ids: Sequence[int]) -> list[OldRecord]:
    """Read records as they stand."""
    return rows_as(OldRecord, connection.execute(_OLD, {"records": list(record_ids)}))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A correction on its way: the old record, its error, what is sent instead, and what that changes."""

    old: OldRecord
    error_id: int
    message: Message
    candidate: Candidate
    difference: list[tuple[str, str, str]]


def rehearse(
    connection: Connection, rules: Rules, changes: Mapping[int, Change], seen: dict[bytes, int], until: int = NEWEST
) -> list[Corrected]:
    """Say what correcting these records would come to now, and change nothing; without reasons one would be done.

    `seen` holds what was rehearsed before and is filled here: by fingerprint, which record would be that one.
    """
    drafts, done, _ = _sorted(connection, changes, until)
    events = addressed.events_of(connection, [one.message for one in drafts], make=False)
    wanted = {(one.old.account_id, one.message.address) for one in drafts}
    made = {key: -number for number, key in enumerate(sorted(wanted - events.keys(), key=str), 1)}
    left = _left(connection, rules, drafts, events | made, done, seen=seen)
    seen |= {mark: one.old.id for mark, (one, _) in left.items()}
    return [*done, *(Corrected(one.old.id, one.difference) for one, _ in left.values())]


def look(engine: Engine, rules: Rules, changes: Mapping[int, Change]) -> list[Corrected]:
    """Say what correcting a few records would come to."""
    with engine.connect() as connection:
        return rehearse(connection, rules, changes, {})


def _drafts(connection: Connection, changes: Mapping[int, Change], until: int) -> Iterator[_Draft | Corrected]:
    """Judge each change as every input is judged; an error newer than `until` is not the one that was shown."""
    olds = {old.id: old for old in old_records(connection, list(changes))}
    for record_id, change in changes.items():
        old = olds.get(record_id)
        if old is None:
            reason = Reason(f"record {record_id}", "is unknown", "an id that `turnout errors` lists")
            yield Corrected(record_id, [], reasons=(reason,))
        elif old.error_id is None or old.resolution is not None:
            yield Corrected(record_id, [], reasons=(_closed(old),))
        elif old.error_id > until:
            reason = Reason(f"record {record_id}", "has failed again since this was shown", "a new preview of it")
            yield Corrected(record_id, [], reasons=(reason,))
        else:
            yield _judged(old, old.error_id, change)


def _judged(old: OldRecord, error_id: int, change: Change) -> _Draft | Corrected:
    was = old.address
    fields = {"subscriber_state": old.state, "account": old.account, **change.of(old.input, was)}
    message = read_fields(fields)
    if not isinstance(message, Message):
        return Corrected(old.id, [], reasons=message.reasons)
    (judged,) = message.judged()
    if not isinstance(judged, Candidate):
        reasons = tuple(Reason(one.where.removeprefix("inputs[0]").lstrip("."), one.what, one.right) for one in judged)
        return Corrected(old.id, [], reasons=reasons)
    differs = difference(old.input, judged.input, was, message.address)
    if not differs:
        reason = Reason(
            f"record {old.id}", "would stay as it is", f"a change; or as it is: turnout retry --record {old.id}"
        )
        return Corrected(old.id, [], reasons=(reason,))
    return _Draft(old, error_id, message, judged, differs)


def _closed(old: OldRecord) -> Reason:
    """Say why a record that has no open error is not corrected."""
    where = f"record {old.id}"
    match old.outcome:
        case Outcome.PENDING | Outcome.PROCESSING:
            return Reason(where, "is on its way", f"once it failed; or before: turnout cancel {old.batch_id}")
        case Outcome.DELIVERED:
            return Reason(where, "is delivered", "a record of its own with what is right, and one that cancels this")
        case Outcome.CANCELED if old.category in {OwnCategory.CORRECTED, OwnCategory.SUPERSEDED}:
            by = old.context and old.context.get("by")
            return Reason(where, f"was {old.category.lower()} by record {by}", f"record {by} corrected")
    return Reason(where, f"has its error {old.resolution}", "a record with an open error (turnout errors)")


def correct(  # noqa: PLR0913, PLR0917
    engine: Engine,
    connection: Connection,
    rules: Rules,
    origin: Origin,
    changes: Mapping[int, Change],
    until: int = NEWEST,
) -> list[Corrected]:
    """Correct records, in the order of their acceptance, in the transaction of this connection."""
    with engine.begin() as apart:  # events that are new are there before any is locked
        drafts, done, sizes = _sorted(apart, changes, until)
        events = addressed.events_of(apart, [one.message for one in drafts])
    lock_events(connection, {*events.values(), *(one.old.event_id for one in drafts)})
    left = _left(connection, rules, drafts, events, done, seen={})
    stored = _store(connection, rules, origin, _won(connection, left, done), {
        event_id: sizes[account_id] or rules.batch_size for (account_id, _), event_id in events.items()
    })  # fmt: skip
    differences = {one.old.id: one.difference for one in drafts}
    done += [Corrected(old, differences[old], by) for old, by in stored.items()]
    return sorted(done, key=lambda one: one.record_id)


def _sorted(
    connection: Connection, changes: Mapping[int, Change], until: int
) -> tuple[list[_Draft], list[Corrected], dict[int, int | None]]:
    """Tell drafts from what cannot be one; give the accounts' batch sizes too."""
    judged = list(_drafts(connection, changes, until))
    drafts = [one for one in judged if isinstance(one, _Draft)]
    done = [one for one in judged if isinstance(one, Corrected)]
    accounts, sizes = addressed.accounts_of(connection, [one.message for one in drafts])
    gone = [one for one in drafts if one.message.account not in accounts]
    done += [_not_done(one, f"account {one.old.account}", "is removed", "the account added again") for one in gone]
    return [one for one in drafts if one.message.account in accounts], done, sizes


def _left(  # noqa: PLR0913
    connection: Connection,
    rules: Rules,
    drafts: list[_Draft],
    events: Mapping[tuple[int, Address], int],
    done: list[Corrected],
    *,
    seen: Mapping[bytes, int],
) -> dict[bytes, tuple[_Draft, NewRecord]]:
    """Give what is to be stored, by its fingerprint: nothing that repeats a record or was overtaken by one."""
    fresh = []
    for one in drafts:
        event_id = events[one.old.account_id, one.message.address]
        group = Group(event_id, State(one.message.state), Identity(one.candidate.identity))
        mark = fingerprint(rules.key, event_id, one.message.state, one.candidate)
        fresh.append((one, NewRecord(_part(one.old), group, one.candidate, mark, one.old.id)))
    known = accept.known(connection, [new.fingerprint for _, new in fresh])
    newer = _newer(connection, [new for _, new in fresh])
    left: dict[bytes, tuple[_Draft, NewRecord]] = {}
    for one, new in fresh:
        same = left[new.fingerprint][0].old.id if new.fingerprint in left else seen.get(new.fingerprint)
        again, what = same, "corrected to the same here"
        if found := known.get(new.fingerprint):
            again, what = found.id, found.outcome.value
        if again == one.old.id:
            right = f"a change of what HubSpot keeps; or as it is: turnout retry --record {one.old.id}"
            done.append(_not_done(one, f"record {one.old.id}", "would stay the same record", right))
        elif again:
            right = f'nothing more: turnout dismiss {one.error_id} --because "is record {again}"'
            repeats = f"would repeat record {again}, which is {what}"
            done.append(_not_done(one, f"record {one.old.id}", repeats, right))
        elif by := newer.get(one.old.id):
            what = f"was overtaken by record {by}, accepted later, which sending this would undo"
            right = f'nothing more: turnout dismiss {one.error_id} --because "overtaken by record {by}"'
            done.append(_not_done(one, f"record {one.old.id}", what, right))
        else:
            left[new.fingerprint] = (one, new)
    return left


def _won(
    connection: Connection, left: Mapping[bytes, tuple[_Draft, NewRecord]], done: list[Corrected]
) -> list[NewRecord]:
    """Resolve the errors of what is left; give what is to be stored for those that were won."""
    won = set(resolve(connection, [one.error_id for one, _ in left.values()], Resolution.CORRECTED))
    for one, _ in left.values():
        if one.old.id not in won:
            right = "a look at it: turnout person, turnout errors"
            done.append(_not_done(one, f"record {one.old.id}", "was changed by somebody else meanwhile", right))
    return [new for one, new in left.values() if one.old.id in won]


def _not_done(one: _Draft, where: str, what: str, right: str) -> Corrected:
    return Corrected(one.old.id, one.difference, reasons=(Reason(where, what, right),))


def _part(old: OldRecord) -> Part:
    part = own_part("corrects", old.id)
    whose = (old.door, old.producer, old.account, old.account_id, old.key_id)
    return Part(old.submission, part, *whose, accepted=1)


def _newer(connection: Connection, fresh: list[NewRecord]) -> dict[int, int]:
    """Find what was accepted later of the same contact and event, and is on its way or has arrived."""
    places = [Place(one.group.event_id, one.candidate.contact, one.corrects) for one in fresh if one.corrects]
    return overtaken(connection, places, corrections=True)


_CANCEL_OLD: Final = text("""
INSERT INTO errors (record_id, batch_id, outcome, category, message, context, resolution, resolved_at)
SELECT o.id, o.batch_id, 'canceled', 'CORRECTED', 'corrected: record ' || n.id || ' is sent in its place',
  jsonb_build_object('by', n.id), 'corrected', now()
FROM records n JOIN records o ON o.id = n.corrects WHERE n.fingerprint = ANY(CAST(:fingerprints AS bytea[]))
RETURNING record_id, CAST(context ->> 'by' AS bigint) AS by""")
"""Cancels the records whose place those of these fingerprints took."""


def _store(
    connection: Connection, rules: Rules, origin: Origin, fresh: list[NewRecord], sizes: Mapping[int, int]
) -> dict[int, int]:
    """Store the new records with their receipts, and cancel the old ones; give which took whose place."""
    if not fresh:
        return {}
    parts = receipts.number_unseen(connection, [one.part for one in fresh])
    filled = store.store(connection, fresh, sizes, rules.linger, origin)
    receipts.store(connection, parts)
    canceled = connection.execute(_CANCEL_OLD, {"fingerprints": [one.fingerprint for one in fresh]})
    stored = {row.record_id: row.by for row in canceled}
    lanes.tell(connection, filled)
    return stored
