"""The stream is drained in order by one reader at a time, and no message is ever looped on."""

import json
import threading
from collections.abc import Mapping, Sequence
from unittest.mock import patch

import pytest
import redis
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from models.accept_rules import Rules
from models.words import Origin
from tasks import intake as module
from tasks.intake import DEATHS, LOCK, intake
from tests.support.before import before
from tests.support.ledger import Ledger
from worker.context import Context
from worker.intake import store
from worker.intake.accept import Inbound, accept
from worker.intake.receipts import Part
from worker.intake.store import NewRecord
from worker.queries.reconciliation import audit
from worker.stream import BYTES_AT_ONCE, FIELD, KEY, Entries

WHEN = 1_767_225_600_000


def message(*contacts: str, state: str = "register", **more: object) -> bytes:
    inputs = [{"email": contact, "interactionDateTime": WHEN} for contact in contacts]
    return json.dumps({"subscriber_state": state, "object_id": "7", "inputs": inputs, **more}).encode()


def contacts(context: Context) -> list[str]:
    return [record.contact for record in Ledger(context.engine).records()]


def test_what_waits_is_accepted_in_its_order_acknowledged_and_deleted(context: Context) -> None:
    for index in range(1_200):
        context.stream.add(message(f"p{index}@example.com"))
    assert intake(context) == 1_200
    assert contacts(context) == [f"p{index}@example.com" for index in range(1_200)]
    assert context.stream.waiting() == 0
    assert context.redis.xpending(KEY, "turnout")["pending"] == 0


def test_an_unreadable_message_is_refused_and_the_next_one_is_accepted(context: Context) -> None:
    context.redis.xadd(KEY, {FIELD: b"{not json"})
    context.redis.xadd(KEY, {"something": "else"})
    context.stream.add(message("ada@example.com"))
    assert intake(context) == 3
    assert contacts(context) == ["ada@example.com"]
    assert [row.raw for row in Ledger(context.engine).refused()] == [b"{not json", b"something else"]


def test_entries_of_a_dead_reader_come_first_and_in_their_order(context: Context) -> None:
    context.stream.join()
    for index in range(3):
        context.stream.add(message(f"p{index}@example.com"))
    assert len(context.stream.read().entries) == 3  # read, and the reader died
    context.stream.add(message("p3@example.com"))
    assert intake(context) == 4
    assert contacts(context) == [f"p{index}@example.com" for index in range(4)]


def test_accepted_and_not_acknowledged_is_accepted_once(context: Context) -> None:
    context.stream.add(message("ada@example.com"))
    with (
        patch.object(type(context.stream), "done", side_effect=redis.ConnectionError),
        pytest.raises(redis.ConnectionError),
    ):
        intake(context)
    assert intake(context) == 1
    books = audit(context.engine)
    assert (books.accepted, books.duplicates, books.balanced) == (1, 0, True)


def test_a_message_that_killed_its_reader_five_times_alone_is_refused_whole(context: Context) -> None:
    context.stream.join()
    context.stream.add(poison := message("ada@example.com"))
    context.stream.add(message("bob@example.com"))
    (entry, _) = context.stream.read().entries
    for _ in range(DEATHS):
        context.stream.begin_alone(entry)  # and then the process was gone
    assert intake(context) == 2
    assert contacts(context) == ["bob@example.com"]
    assert [row.raw for row in Ledger(context.engine).refused()] == [poison]
    assert context.redis.hlen(f"{KEY}:alone") == 0


def test_a_database_out_of_reach_is_no_death(context: Context) -> None:
    context.stream.join()
    context.stream.add(message("ada@example.com"))
    context.stream.read()
    broken = OperationalError("COMMIT", {}, Exception("gone"))
    for _ in range(DEATHS + 1):
        with patch.object(module, "accept", side_effect=broken), pytest.raises(OperationalError):
            intake(context)
    assert intake(context) == 1
    assert contacts(context) == ["ada@example.com"]


def test_there_is_one_reader_at_a_time(context: Context) -> None:
    context.stream.add(message("ada@example.com"))
    with context.engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        assert intake(context) == 0
        other.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
    assert intake(context) == 1


def test_nothing_new_is_read_before_what_was_read_is_acknowledged(context: Context) -> None:
    context.stream.join()
    context.stream.add(message("ada@example.com"))
    first = context.stream.read()
    context.stream.add(message("bob@example.com"))
    assert not first.again
    assert context.stream.read() == Entries(first.entries, again=True)
    context.stream.done(first.entries)
    assert not context.stream.read().again


def test_a_reader_that_lost_its_lock_changes_neither_order_nor_counts(context: Context) -> None:
    for index in range(4):
        context.stream.add(message(f"p{index}@example.com"))
    real = accept

    def loses_its_lock() -> None:
        with patch.object(module, "accept", real), context.engine.begin() as killer:
            killer.execute(text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"))
            killer.commit()
            while intake(context) < 4:  # the other reader goes first, and gets past it
                pass
        context.stream.add(message("p4@example.com"))

    with patch.object(module, "accept", before(loses_its_lock, real)), pytest.raises(OperationalError):
        intake(context)
    assert intake(context) == 1
    assert contacts(context) == [f"p{index}@example.com" for index in range(5)]
    books = audit(context.engine)
    assert (books.accepted, books.duplicates, books.balanced) == (5, 0, True)


def test_readers_at_once_accept_everything_once(context: Context) -> None:
    for index in range(300):
        context.stream.add(message(f"p{index}@example.com"))
    readers = [threading.Thread(target=intake, args=[context]) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    intake(context)
    assert contacts(context) == [f"p{index}@example.com" for index in range(300)]


def test_a_group_that_is_gone_is_made_again_at_the_beginning(context: Context) -> None:
    context.stream.add(message("ada@example.com"))
    intake(context)
    context.redis.delete(KEY)
    context.stream.add(message("bob@example.com"))
    assert intake(context) == 1
    assert contacts(context) == ["ada@example.com", "bob@example.com"]


def test_a_flush_while_the_stream_is_drained_ends_no_reader(context: Context) -> None:
    context.stream.add(message("ada@example.com"))

    def flushed(connection: Connection, handed: Sequence[Inbound], rules: Rules) -> list[Part]:
        if b"ada" in handed[0].raw:
            context.redis.flushall()
            context.stream.add(message("bob@example.com"))
        return accept(connection, handed, rules)

    with patch.object(module, "accept", flushed):
        assert intake(context) == 2
    assert contacts(context) == ["ada@example.com", "bob@example.com"]


def test_one_read_takes_little_more_than_its_bound(context: Context) -> None:
    context.stream.join()
    big = b"x" * (BYTES_AT_ONCE // 4)
    for _ in range(9):
        context.redis.xadd(KEY, {FIELD: big})
    for expected in (4, 4, 1):
        read = context.stream.read()
        assert len(read.entries) == expected
        context.stream.done(read.entries)


def test_one_message_whose_data_breaks_the_transaction_is_refused_alone(context: Context) -> None:
    from sqlalchemy.exc import DataError

    real = store.store

    class Bad(Exception):  # noqa: N818
        sqlstate = "22P05"

    def store_all_but_one(
        connection: Connection, fresh: Sequence[NewRecord], sizes: Mapping[int, int], linger: float, origin: Origin
    ) -> list[int]:
        if any(one.candidate.contact == "bad@example.com" for one in fresh):
            raise DataError("INSERT", {}, Bad())
        return real(connection, fresh, sizes, linger, origin)

    for contact in ("a@example.com", "bad@example.com", "b@example.com"):
        context.stream.add(message(contact))
    with patch.object(store, "store", store_all_but_one):
        assert intake(context) == 3
    assert contacts(context) == ["a@example.com", "b@example.com"]
    books = audit(context.engine)
    assert (books.accepted, books.refused, books.balanced) == (2, 1, True)


def test_a_message_is_known_again_by_submission_and_part(context: Context) -> None:
    named = {"submission_id": "7f8c1f0e-7a52-4f5e-9d8a-0f3f6a6f2b11", "part": "1"}
    context.stream.add(message("ada@example.com", **named))
    context.stream.add(message("ada@example.com", **named))
    intake(context)
    books = audit(context.engine)
    assert (books.accepted, books.duplicates) == (1, 0)
