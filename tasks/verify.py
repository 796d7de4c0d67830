"""Verify: unconfirmed records are looked for at HubSpot, and confirmed, sent once more, or left to the operator.

More than ten of one event are looked for in the event's breakdown, a hundred a call, as far as that is cheaper than
asking for each; what it does not show, and the rest, in the contacts' own views, which HubSpot fills sooner.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import redis

from hubspot_api.answer import Rejection
from hubspot_api.participations import (
    Found,
    Overtaken,
    Participation,
    contact_path,
    event_path,
    evidence,
    is_worth_paging,
    judge,
)
from models.verification_policy import WAITS, Leave, after_absence, is_asked_for_alone
from worker.accounts.destination import Destination, NoDestination
from worker.celery import VERIFY, app
from worker.context import Context, current
from worker.database import repeat
from worker.delivery.call import word
from worker.delivery.read_back import Reader, Seen
from worker.queue import attempts, unconfirmed
from worker.queue.locks import lock_events
from worker.queue.unconfirmed import Breakdown, ReadBackResult, Unconfirmed
from worker.wake import received

log = logging.getLogger(__name__)

FEW: Final = 10
"""Records of one event that are looked for contact by contact, at most."""
BEHIND: Final = 60.0
"""Seconds for which the others are looked for first, where HubSpot fails whenever it is asked for some."""
PAGES: Final = 10
"""Pages of one contact's view, at most: a thousand participations."""
REMEMBERED: Final = 600
"""Seconds for which Redis keeps how far an event's breakdown was read; forgetting it costs only calls."""
NO_PATH: Final = Rejection("", "", "no path leads there")
IN_BREAKDOWN: Final = "the event's breakdown"
IN_CONTACTS_VIEW: Final = "the contact's view"


def verify(process: Context, account: str, waits: Sequence[float] = WAITS) -> int:
    """Look for the account's due unconfirmed records while there are permits; give the number of GETs."""
    try:
        to = process.destination(account)
    except NoDestination as error:
        log.info("nothing is read back for account %s: %s", account, word(error))
        return 0
    repeat(lambda: unconfirmed.send_again(process.engine, to.account_id, len(waits), to.batch_size))
    reader = Reader(process, to)
    while reader.may_go_on():
        turn = unconfirmed.take(process.engine, to.account_id, process.settings.lease, len(waits))
        if not turn.records:
            break
        left = _Look(process, to, reader, waits).at(turn)
        if left:
            behind = [record for record in left if record.error_id in reader.behind]
            others = [record for record in left if record.error_id not in reader.behind]
            unconfirmed.put_back(process.engine, others, reader.pause)
            unconfirmed.put_back(process.engine, behind, reader.pause + BEHIND)
            break
    reader.end()
    return reader.calls


class _Look:
    """A look at the records of one turn."""

    def __init__(self, process: Context, to: Destination, reader: Reader, waits: Sequence[float]) -> None:
        self._process, self._engine, self._to = process, process.engine, to
        self._reader, self._waits = reader, waits

    def at(self, turn: unconfirmed.DueForReadBack) -> list[Unconfirmed]:
        """Look for each; give those that no call could be made for."""
        left = {record.error_id: record for record in turn.records}
        groups: defaultdict[Breakdown, list[Unconfirmed]] = defaultdict(list)
        for record in turn.records:
            groups[record.group].append(record)
        of_event = Counter[int]()
        for key, number in turn.due.items():
            of_event[key.event_id] += number
        for key, group in groups.items():
            if of_event[key.event_id] > FEW:
                looked, finished = self._in_breakdown(group, turn.due.get(key, len(group)))
                _drop(left, looked)
                if not finished:
                    return list(left.values())
        by_contact: defaultdict[str, list[Unconfirmed]] = defaultdict(list)
        for record in left.values():
            by_contact[record.contact].append(record)
        for contact, records in by_contact.items():
            if not self._in_contacts_view(contact, records):
                break
            _drop(left, {record.error_id for record in records})
        return list(left.values())

    def _in_breakdown(self, group: Sequence[Unconfirmed], due: int) -> tuple[set[int], bool]:
        """Page through an event's breakdown, on from where the last run stopped.

        Give the errors that need no further look now, and whether it came to an end; where it did not, the others
        wait for the next run.
        """
        event_id, wanted = group[0].event_id, group[0].wanted
        place = _Place(self._process, f"turnout:reading:{event_id}:{wanted.state}")
        seen, after = place.recall()
        missing = {record.error_id: record for record in group}
        while missing:
            path = event_path(self._to.version, wanted.address, wanted.state, after)
            came = self._reader.get(path, list(missing.values())) if path else NO_PATH
            if came is None:
                return _gone(group, missing), False
            if isinstance(came, Rejection):
                place.forget()
                break
            shown = self._confirm(came, event_id, missing)
            _drop(missing, shown)
            seen, after, due = seen + len(came.page.rows), came.page.after, due - len(shown)
            if after is None:
                place.forget()
                self._not_there_yet(missing)
                break
            place.keep(seen, after)
            if missing and not is_worth_paging(came.page.total, seen, due):
                place.forget()
                break
        return _gone(group, missing), True

    def _confirm(self, came: Seen, event_id: int, asked: Collection[int]) -> set[int]:
        """Confirm whatever a page of an event's breakdown shows, taken or not; give the errors."""
        by_contact: defaultdict[str, list[Participation]] = defaultdict(list)
        for row in came.page.rows:
            for contact in row.contacts:
                by_contact[contact].append(row)

        def work() -> set[int]:
            with self._engine.begin() as connection:
                found = []
                for record in unconfirmed.open_of(connection, self._to.account_id, by_contact.keys(), event_id):
                    verdict = judge(by_contact[record.contact], record.wanted)
                    if isinstance(verdict, Found):
                        found.append(_found(record, verdict.row, IN_BREAKDOWN))
                unconfirmed.confirm(connection, found)
                shown = {change.of.error_id for change in found}
                attempts.complete(
                    connection, came.attempt_id, came.call, delivered=len(shown), unconfirmed=len(set(asked) - shown)
                )
                return shown

        return repeat(work)

    def _not_there_yet(self, missing: dict[int, Unconfirmed]) -> None:
        """Note, and drop, those that a whole breakdown does not show and whose contacts are not asked for this time.

        HubSpot fills these views late.
        """
        changes = [
            self._absent(record, [], IN_BREAKDOWN, newer=False)
            for record in missing.values()
            if not is_asked_for_alone(record.reads, self._waits)
        ]

        def work() -> None:
            with self._engine.begin() as connection:
                unconfirmed.note_absent(connection, changes)

        repeat(work)
        _drop(missing, {change.of.error_id for change in changes})

    def _in_contacts_view(self, contact: str, records: Sequence[Unconfirmed]) -> bool:
        """Read a contact's participations, as far as needed, and judge; false where that was cut short."""
        rows: list[Participation] = []
        pages: list[Seen] = []
        after, refusal = None, ""
        while len(pages) < PAGES:
            path = contact_path(self._to.version, contact, after)
            came = self._reader.get(path, records) if path else NO_PATH
            if came is None:
                for page in pages:
                    attempts.complete_alone(self._engine, page.attempt_id, page.call)
                return False
            if isinstance(came, Rejection):
                refusal = came.message
                break
            pages.append(came)
            rows += came.page.rows
            after = came.page.after
            if after is None or all(isinstance(judge(rows, record.wanted), Found) for record in records):
                break
        repeat(lambda: self._settle(contact, records, pages, refusal))
        return True

    def _settle(
        self,
        contact: str,
        records: Sequence[Unconfirmed],
        pages: Sequence[Seen],
        refusal: str,
    ) -> None:
        """Store what a contact's view says: of those asked for everything, of any other that it is there."""
        asked = {record.error_id for record in records}
        rows = [row for page in pages for row in page.page.rows]
        with self._engine.begin() as connection:
            lock_events(connection, {record.event_id for record in records})
            ours = unconfirmed.ours(connection, contact, {record.event_id for record in records})
            found, overtaken, absent = [], [], []
            for record in unconfirmed.open_of(connection, self._to.account_id, [contact], None):
                verdict = judge(rows, record.wanted, ours.get(record.event_id, ()))
                if isinstance(verdict, Found):
                    found.append(_found(record, verdict.row, IN_CONTACTS_VIEW))
                elif record.error_id not in asked:
                    continue
                elif isinstance(verdict, Overtaken):
                    overtaken.append(_found(record, verdict.row, IN_CONTACTS_VIEW, by=verdict.by))
                else:
                    change = self._absent(record, rows, IN_CONTACTS_VIEW, newer=verdict.newer, refusal=refusal)
                    absent.append(change)
            unconfirmed.confirm(connection, found)
            unconfirmed.supersede(connection, overtaken)
            unconfirmed.note_absent(connection, absent)
            for page in pages:
                missing = len(overtaken) + len(absent)
                attempts.complete(connection, page.attempt_id, page.call, delivered=len(found), unconfirmed=missing)

    def _absent(
        self, record: Unconfirmed, rows: Sequence[Participation], where: str, *, newer: bool, refusal: str = ""
    ) -> ReadBackResult:
        number = record.reads + 1
        follows = after_absence(number, sent_again=record.sent_again, newer=newer, waits=self._waits)
        said: dict[str, object] = {
            "reads": number,
            "where": where,
            "found": False,
            "seen": evidence(rows, record.wanted.address),
        }
        if refusal:
            said["refused"] = refusal
        if isinstance(follows, Leave):
            log.info("record %d stays unconfirmed: %s", record.wanted.record_id, follows.because)
            return ReadBackResult(record, {**said, "left": follows.because})
        return ReadBackResult(record, said, follows.seconds)


def _found(record: Unconfirmed, row: Participation, where: str, **more: object) -> ReadBackResult:
    return ReadBackResult(
        record, {"reads": record.reads + 1, "where": where, "found": True, "seen": [row.as_json()], **more}
    )


def _drop(records: dict[int, Unconfirmed], error_ids: Collection[int]) -> None:
    for error_id in error_ids:
        records.pop(error_id, None)


def _gone(group: Sequence[Unconfirmed], missing: Mapping[int, Unconfirmed]) -> set[int]:
    return {record.error_id for record in group} - missing.keys()


class _Place:
    """How far an event's breakdown was read, kept in Redis from one run to the next."""

    def __init__(self, process: Context, key: str) -> None:
        self._redis, self._key = process.redis, key

    def recall(self) -> tuple[int, str | None]:
        """Give the number of rows seen, and what names the next page."""
        try:
            kept = self._redis.get(self._key)
        except redis.RedisError:
            return 0, None
        seen, _, after = kept.decode().partition(" ") if isinstance(kept, bytes) else ("0", "", "")
        return int(seen), after or None

    def keep(self, seen: int, after: str) -> None:
        """Keep it; never raises."""
        try:
            self._redis.set(self._key, f"{seen} {after}", ex=REMEMBERED)
        except redis.RedisError:
            log.debug("the next run reads from the beginning, Redis is out of reach")

    def forget(self) -> None:
        """Begin anew the next time; never raises."""
        try:
            self._redis.delete(self._key)
        except redis.RedisError:
            log.debug("a place is forgotten by itself, Redis is out of reach")


@app.task(name=VERIFY)
def verify_task(account: str = "default", place: str = "") -> None:
    """`attendance.verify`: somebody woke an account that has unconfirmed records due."""
    received(current(), place)
    verify(current(), account)
