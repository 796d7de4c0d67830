"""Verify: unconfirmed records are looked for at HubSpot, and confirmed, sent once more, or left to the operator.

`worker.delivery.read_back_plan` decides where each is looked for, how far a view is read, and what it says of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import redis

from hubspot_api.answer import Rejection
from hubspot_api.participations import contact_path, event_path
from models.verification_policy import WAITS
from models.words import Outcome, Resolution
from worker.accounts.destination import Destination, NoDestination
from worker.celery import app
from worker.context import Context, current
from worker.database import repeat
from worker.delivery.call import word
from worker.delivery.read_back import Halt, Reader, Seen, reading
from worker.delivery.read_back_plan import (
    BreakdownReading,
    ContactReading,
    Paging,
    ReadBackPlan,
    absent_from_breakdown,
    by_contact,
    found_in_breakdown,
    judged_by_contact,
    plan,
)
from worker.failures import Verb, noted
from worker.log import get_logger
from worker.metrics import count
from worker.queue import attempts, read_back_results, unconfirmed
from worker.queue.locks import lock_events
from worker.queue.read_back_results import ReadBackResult
from worker.queue.unconfirmed import Breakdown, Unconfirmed
from worker.task_names import VERIFY
from worker.wake import received

log = get_logger(__name__)

BEHIND: Final = 60.0
"""Seconds for which the others are looked for first, where HubSpot fails whenever it is asked for some."""
REMEMBERED: Final = 600
"""Seconds for which Redis keeps how far an event's breakdown was read; forgetting it costs only calls."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run for one account."""

    process: Context
    to: Destination
    reader: Reader
    waits: Sequence[float]


@noted(Verb.VERIFY)
def verify(process: Context, account: str, waits: Sequence[float] = WAITS) -> int:
    """Look for the account's due unconfirmed records while there are permits; give the number of GETs."""
    try:
        to = process.destination(account)
    except NoDestination as error:
        log.info("nothing read back", account=error.account, reason=word(error))
        return 0
    repeat(lambda: unconfirmed.send_again(process.engine, to.account_id, len(waits), to.batch_size))
    with reading(process, to) as reader:
        while reader.may_call():
            turn = unconfirmed.take(process.engine, to.account_id, process.settings.lease, len(waits))
            if not turn.records:
                break
            left, halt = _look(Run(process, to, reader, waits), plan(turn))
            if halt is not None:
                _put_back(process, left, halt)
                break
    return reader.calls


def _look(run: Run, todo: ReadBackPlan) -> tuple[Sequence[Unconfirmed], Halt | None]:
    """Do what is planned; where that was cut short, give those that were not looked for."""
    for breakdown in todo.breakdowns:
        read, halt = _read_breakdown(run, breakdown)
        missing = {record.error_id for record in read.missing}
        todo = todo.without({record.error_id for record in breakdown.missing} - missing)
        if halt is not None:
            return todo.left, halt
    for contact in todo.contacts:
        halt = _read_contact(run, contact)
        if halt is not None:
            return todo.left, halt
        todo = todo.without({record.error_id for record in contact.records})
    return (), None


def _put_back(process: Context, left: Sequence[Unconfirmed], halt: Halt) -> None:
    others = [record for record in left if record.error_id not in halt.behind]
    behind = [record for record in left if record.error_id in halt.behind]
    unconfirmed.put_back(process.engine, others, halt.seconds)
    unconfirmed.put_back(process.engine, behind, halt.seconds + BEHIND)


def _read_breakdown(run: Run, breakdown: BreakdownReading) -> tuple[BreakdownReading, Halt | None]:
    """Page through an event's breakdown, on from where the last run stopped.

    Give it with those that are still missing; they are asked for by their contacts. Where it was cut short, the others
    wait for the next run.
    """
    address = breakdown.missing[0].wanted.address
    place = _Place(run.process, breakdown.key)
    seen, after = place.recall()
    read = replace(breakdown, seen=seen, after=after)
    while read.paging is Paging.ON:
        path = event_path(run.to.version, address, read.key.state, read.after)
        came = run.reader.get(path, read.missing)
        match came:
            case Halt():
                return read, came
            case Rejection():
                read = replace(read, paging=Paging.LEFT)
            case Seen():
                read = read.turned(came.page, _confirm(run, came, read))
        place.keep(read)
    if read.paging is Paging.COMPLETE:
        absent = absent_from_breakdown(read.missing, run.waits)
        repeat(lambda: _note(run, absent))
        read = read.without({result.of.error_id for result in absent})
    return read, None


def _confirm(run: Run, came: Seen, read: BreakdownReading) -> set[int]:
    """Confirm whatever a page of an event's breakdown shows, taken or not; give the errors."""
    rows = by_contact(came.page)
    asked = {record.error_id for record in read.missing}
    changed = 0

    def work() -> set[int]:
        nonlocal changed
        with run.process.engine.begin() as connection:
            shown = unconfirmed.open_of(connection, run.to.account_id, rows.keys(), read.key.event_id)
            found = found_in_breakdown(rows, shown)
            changed = read_back_results.store(connection, found)
            confirmed = {result.of.error_id for result in found}
            missing = len(asked - confirmed)
            of_call = attempts.completed(came.attempt_id, came.call, delivered=len(confirmed), unconfirmed=missing)
            of_call.alone(connection)
            return confirmed

    confirmed = repeat(work)
    count.finished(run.to.account, {Outcome.DELIVERED: changed})
    return confirmed


def _note(run: Run, absent: Sequence[ReadBackResult]) -> None:
    with run.process.engine.begin() as connection:
        read_back_results.store(connection, absent)
    _tell(absent)


def _read_contact(run: Run, contact: ContactReading) -> Halt | None:
    """Read a contact's participations, as far as needed, and store what they say; give what cut that short."""
    pages: list[Seen] = []
    while not contact.ended:
        came = run.reader.get(contact_path(run.to.version, contact.contact, contact.after), contact.records)
        match came:
            case Halt():
                for page in pages:
                    attempts.complete_alone(run.process.engine, page.attempt_id, page.call)
                return came
            case Rejection():
                contact = contact.refused(came.message)
            case Seen():
                pages.append(came)
                contact = contact.turned(came.page)
    found = repeat(lambda: _settle(run, contact, pages))
    count.finished(run.to.account, {Outcome.DELIVERED: found})
    return None


def _settle(run: Run, contact: ContactReading, pages: Sequence[Seen]) -> int:
    """Store what a contact's participations say; give how many records they confirm."""
    events = {record.event_id for record in contact.records}
    with run.process.engine.begin() as connection:
        lock_events(connection, events)
        ours = unconfirmed.ours(connection, contact.contact, events)
        shown = unconfirmed.open_of(connection, run.to.account_id, [contact.contact], None)
        results = judged_by_contact(contact, shown, ours, run.waits)
        read_back_results.store(connection, results)
        found = sum(result.resolution is Resolution.CONFIRMED for result in results)
        for page in pages:
            missing = len(results) - found
            attempts.completed(page.attempt_id, page.call, delivered=found, unconfirmed=missing).alone(connection)
    _tell(results)
    return found


def _tell(results: Sequence[ReadBackResult]) -> None:
    for result in results:
        if "left" not in result.evidence:
            continue
        record, reason = result.of.wanted.record_id, result.evidence["left"]
        if result.of.stands:
            log.info("record not found", record=record, reason=reason)
        else:
            log.info("record left unconfirmed", record=record, reason=reason)


class _Place:
    """How far an event's breakdown was read, kept in Redis from one run to the next; never raises."""

    def __init__(self, process: Context, key: Breakdown) -> None:
        self._redis, self._key = process.redis, f"turnout:reading:{key.event_id}:{key.state}"

    def recall(self) -> tuple[int, str | None]:
        """Give the number of rows seen, and what names the next page."""
        try:
            kept = self._redis.get(self._key)
        except redis.RedisError:
            return 0, None
        seen, _, after = kept.decode().partition(" ") if isinstance(kept, bytes) else ("0", "", "")
        return int(seen), after or None

    def keep(self, read: BreakdownReading) -> None:
        """Keep it where there is a next page to go on from, else begin anew the next time."""
        try:
            if read.paging in {Paging.ON, Paging.FOUND_ALL}:
                self._redis.set(self._key, f"{read.seen} {read.after}", ex=REMEMBERED)
            else:
                self._redis.delete(self._key)
        except redis.RedisError:
            log.debug("place in breakdown not kept", consequence="it is read again")


@app.task(name=VERIFY)
def verify_task(account: str = "default", place: str = "") -> None:
    """`attendance.verify`: somebody woke an account that has unconfirmed records due."""
    received(current(), place)
    verify(current(), account)
