"""Correct: a new record takes the place of one that is not delivered, and is sent.

One transaction under the locks of both events: the open error is resolved by one guarded update, the old record is
canceled with an error that names the new one, and the new one is stored as accept stores it, with a receipt of its
own beside the one it came with. As with a retry, what a later record has overtaken is not sent again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from models.accept_rules import Rules
from models.batching import Group
from models.correction import Change, difference
from models.fingerprint import fingerprint
from models.input_check import Candidate, Reason
from models.message import Address, Message, read_fields
from models.outcome import LAST_ERROR, OUTCOME
from models.words import Door, Identity, Origin, Outcome, Resolution, State
from worker.intake import accept, receipts, store
from worker.intake.receipts import Part, own_part
from worker.intake.store import NewRecord
from worker.queries.error_scan import NEWEST
from worker.queries.job_results import ItemToday
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
class _Draft:
    """A correction on its way: the old record's row, what is sent instead, and what that changes."""

    old: Row[Any]
    message: Message
    candidate: Candidate
    difference: list[tuple[str, str, str]]


def rehearse(
    connection: Connection, rules: Rules, changes: Mapping[int, Change], seen: dict[bytes, int], until: int = NEWEST
) -> list[Corrected]:
    """Say what correcting these records would come to now, and change nothing; without reasons one would be done.

    `seen` holds what was rehearsed before and is filled here: by fingerprint, which record would be that one.
    """
    drafts, done, accounts, _ = _sorted(connection, changes, until)
    events = accept.events_of(connection, accounts, [one.message for one in drafts], make=False)
    wanted = {(one.old.account_id, one.message.address) for one in drafts}
    made = {key: -number for number, key in enumerate(sorted(wanted - events.keys(), key=str), 1)}
    left = _left(connection, rules, drafts, events | made, done, seen=seen)
    seen |= {mark: one.old.id for mark, (one, _) in left.items()}
    return [*done, *(Corrected(one.old.id, one.difference) for one, _ in left.values())]


def rows_of(connection: Connection, record_ids: list[int]) -> list[Row[Any]]:
    """Read records as they stand, with their last error, event and receipt."""
    found = connection.execute(
        text(f"""
        SELECT r.id, r.input, b.id AS batch_id, b.event_id, b.state, b.account_id, a.name AS account, a.batch_size,
          ev.object_id, ev.external_event_id, ev.external_account_id, s.submission, s.door, s.producer, s.key_id,
          {OUTCOME} AS outcome, e.id AS error_id, e.category, e.resolution, e.context
        FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR} JOIN events ev ON ev.id = b.event_id
        JOIN accounts a ON a.id = b.account_id JOIN submissions s ON s.id = r.submission_id
        WHERE r.id = ANY(:ids) ORDER BY r.id"""),
        {"ids": record_ids},
    )
    return list(found.all())


def address_of(row: Row[Any]) -> Address:
    """Give the address of a row's event."""
    return Address(row.object_id, row.external_event_id, row.external_account_id)


def look(engine: Engine, rules: Rules, changes: Mapping[int, Change]) -> list[Corrected]:
    """Say what correcting a few records would come to."""
    with engine.connect() as connection:
        return rehearse(connection, rules, changes, {})


def _drafts(connection: Connection, changes: Mapping[int, Change], until: int) -> Iterator[_Draft | Corrected]:
    """Judge each change as every input is judged; an error newer than `until` is not the one that was shown."""
    rows = {row.id: row for row in rows_of(connection, list(changes))}
    for record_id, change in changes.items():
        row = rows.get(record_id)
        if row is None:
            reason = Reason(f"record {record_id}", "is unknown", "an id that `turnout errors` lists")
            yield Corrected(record_id, [], reasons=(reason,))
        elif row.error_id is None or row.resolution is not None:
            yield Corrected(record_id, [], reasons=(_closed(row),))
        elif row.error_id > until:
            reason = Reason(f"record {record_id}", "has failed again since this was shown", "a new preview of it")
            yield Corrected(record_id, [], reasons=(reason,))
        else:
            yield _judged(row, change)


def _judged(row: Row[Any], change: Change) -> _Draft | Corrected:
    was = address_of(row)
    fields = {"subscriber_state": row.state, "account": row.account, **change.of(row.input, was)}
    message = read_fields(fields)
    if not isinstance(message, Message):
        return Corrected(row.id, [], reasons=message.reasons)
    (judged,) = message.judged()
    if not isinstance(judged, Candidate):
        reasons = tuple(Reason(one.where.removeprefix("inputs[0]").lstrip("."), one.what, one.right) for one in judged)
        return Corrected(row.id, [], reasons=reasons)
    differs = difference(row.input, judged.input, was, message.address)
    if not differs:
        reason = Reason(
            f"record {row.id}", "would stay as it is", f"a change; or as it is: turnout retry --record {row.id}"
        )
        return Corrected(row.id, [], reasons=(reason,))
    return _Draft(row, message, judged, differs)


def _closed(row: Row[Any]) -> Reason:
    """Say why a record that has no open error is not corrected."""
    where = f"record {row.id}"
    match row.outcome:
        case Outcome.PENDING | Outcome.PROCESSING:
            return Reason(where, "is on its way", f"once it failed; or before: turnout cancel {row.batch_id}")
        case Outcome.DELIVERED:
            return Reason(where, "is delivered", "a record of its own with what is right, and one that cancels this")
        case Outcome.CANCELED if row.category in {"CORRECTED", "SUPERSEDED"}:
            by = (row.context or {}).get("by")
            return Reason(where, f"was {row.category.lower()} by record {by}", f"record {by} corrected")
    return Reason(where, f"has its error {row.resolution}", "a record with an open error (turnout errors)")


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
        drafts, done, accounts, sizes = _sorted(apart, changes, until)
        events = accept.events_of(apart, accounts, [one.message for one in drafts])
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
) -> tuple[list[_Draft], list[Corrected], dict[str, int], dict[int, int | None]]:
    """Tell drafts from what cannot be one; give the accounts too, and their batch sizes."""
    judged = list(_drafts(connection, changes, until))
    drafts = [one for one in judged if isinstance(one, _Draft)]
    done = [one for one in judged if isinstance(one, Corrected)]
    accounts, sizes = accept.accounts_of(connection, [one.message for one in drafts])
    gone = [one for one in drafts if one.message.account not in accounts]
    done += [_not_done(one, f"account {one.old.account}", "is removed", "the account added again") for one in gone]
    return [one for one in drafts if one.message.account in accounts], done, accounts, sizes


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
    known, newer = _known(connection, [new for _, new in fresh]), _newer(connection, [new for _, new in fresh])
    left: dict[bytes, tuple[_Draft, NewRecord]] = {}
    for one, new in fresh:
        same = left[new.fingerprint][0].old.id if new.fingerprint in left else seen.get(new.fingerprint)
        again = known.get(new.fingerprint) or (same and (same, "corrected to the same here"))
        if again and again[0] == one.old.id:
            right = f"a change of what HubSpot keeps; or as it is: turnout retry --record {one.old.id}"
            done.append(_not_done(one, f"record {one.old.id}", "would stay the same record", right))
        elif again:
            right = f'nothing more: turnout dismiss {one.old.error_id} --because "is record {again[0]}"'
            done.append(
                _not_done(one, f"record {one.old.id}", f"would repeat record {again[0]}, which is {again[1]}", right)
            )
        elif by := newer.get(one.old.id):
            what = f"was overtaken by record {by}, accepted later, which sending this would undo"
            right = f'nothing more: turnout dismiss {one.old.error_id} --because "overtaken by record {by}"'
            done.append(_not_done(one, f"record {one.old.id}", what, right))
        else:
            left[new.fingerprint] = (one, new)
    return left


def _won(
    connection: Connection, left: Mapping[bytes, tuple[_Draft, NewRecord]], done: list[Corrected]
) -> list[NewRecord]:
    """Resolve the errors of what is left; give what is to be stored for those that were won."""
    won = set(resolve(connection, [one.old.error_id for one, _ in left.values()], Resolution.CORRECTED))
    for one, _ in left.values():
        if one.old.id not in won:
            right = "a look at it: turnout person, turnout errors"
            done.append(_not_done(one, f"record {one.old.id}", "was changed by somebody else meanwhile", right))
    return [new for one, new in left.values() if one.old.id in won]


def _not_done(one: _Draft, where: str, what: str, right: str) -> Corrected:
    return Corrected(one.old.id, one.difference, reasons=(Reason(where, what, right),))


def _part(old: Row[Any]) -> Part:
    part = own_part("corrects", old.id)
    whose = (Door(old.door), old.producer, old.account, old.account_id, old.key_id)
    return Part(old.submission, part, *whose, accepted=1)


def _known(connection: Connection, fresh: list[NewRecord]) -> dict[bytes, tuple[int, str]]:
    """Find the records that these would repeat."""
    rows = connection.execute(
        text(f"""
        SELECT r.fingerprint, r.id, {OUTCOME} AS outcome FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR}
        WHERE r.fingerprint = ANY(:fingerprints)"""),
        {"fingerprints": [one.fingerprint for one in fresh]},
    )
    return {bytes(row.fingerprint): (row.id, row.outcome) for row in rows}


def _newer(connection: Connection, fresh: list[NewRecord]) -> dict[int, int]:
    """Find what was accepted later of the same contact and event, and is on its way or has arrived."""
    places = [Place(one.group.event_id, one.candidate.contact, one.corrects) for one in fresh if one.corrects]
    return overtaken(connection, places, corrections=True)


def _store(
    connection: Connection, rules: Rules, origin: Origin, fresh: list[NewRecord], sizes: Mapping[int, int]
) -> dict[int, int]:
    """Store the new records with their receipts, and cancel the old ones; give which took whose place."""
    if not fresh:
        return {}
    parts = receipts.number_unseen(connection, [one.part for one in fresh])
    filled = store.store(connection, fresh, sizes, rules.linger, origin)
    receipts.store(connection, parts)
    canceled = connection.execute(
        text("""
        INSERT INTO errors (record_id, batch_id, outcome, category, message, context, resolution, resolved_at)
        SELECT o.id, o.batch_id, 'canceled', 'CORRECTED', 'corrected: record ' || n.id || ' is sent in its place',
          jsonb_build_object('by', n.id), 'corrected', now()
        FROM records n JOIN records o ON o.id = n.corrects WHERE n.fingerprint = ANY(:fingerprints)
        RETURNING record_id, (context ->> 'by')::bigint AS by"""),
        {"fingerprints": [one.fingerprint for one in fresh]},
    )
    stored = {row.record_id: row.by for row in canceled}
    lanes.tell(connection, filled)
    return stored
