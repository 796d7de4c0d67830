"""Trips: statements that go to PostgreSQL together are done one after the other, all or none, as if each went alone."""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import Pipeline
from sqlalchemy import Connection, Engine, bindparam, event, func, insert, literal_column, select, text, update
from sqlalchemy.exc import DBAPIError

import worker.trip
from models.tables import Account, Event, Lane
from models.words import Origin
from worker.database import make_engine, sqlstate
from worker.settings import Settings
from worker.trip import PREPARED_AFTER, Query, begin, trip

NAMED = update(Account).where(Account.name == bindparam("called")).values(paused_because=bindparam("said"))
NOTE = select(Account.paused_because).where(Account.name == bindparam("called"))
SHOW = text("SELECT current_setting(:setting) AS value")
DIVIDE = text("SELECT 1 / CAST(:by AS int) AS value")
ADD = insert(Event).returning(Event.object_id)
WORDS = select(literal_column("'retry'", Lane.origin.type).label("origin"), literal_column("ARRAY[1, 2]").label("two"))
DEFAULT = {"called": "default"}


class Shown(NamedTuple):
    value: object


class Words(NamedTuple):
    origin: Origin
    two: list[int]


def note(engine: Engine) -> object:
    with engine.connect() as connection:
        return connection.execute(NOTE, DEFAULT).scalar_one()


def test_each_statement_sees_what_those_before_it_did(engine: Engine) -> None:
    with begin(engine) as connection:
        before, changed, after = trip(
            connection, Query(NOTE, DEFAULT), Query(NAMED, {**DEFAULT, "said": "x"}), Query(NOTE, DEFAULT)
        )
    assert (before.scalar(), changed.count, after.scalar()) == ("", 1, "x")
    assert note(engine) == "x"


def test_rows_have_the_types_of_their_columns(engine: Engine) -> None:
    with begin(engine) as connection:
        added, many, none = trip(
            connection,
            Query(ADD, {"account_id": 1, "object_id": "7"}),
            Query(WORDS, {}, Words),
            Query(NOTE, {"called": "unknown"}),
        )
    assert (added.scalars(), added.count) == (["7"], 1)
    assert many.rows == [Words(Origin.RETRY, [1, 2])]
    assert type(many.rows[0]) is Words
    assert type(many.scalar()) is Origin
    assert (none.scalar(), none.scalars(), none.count) == (None, [], 0)


def test_rows_of_a_kind_with_other_fields_than_their_columns_are_a_bug_that_is_told(engine: Engine) -> None:
    with (
        begin(engine) as connection,
        pytest.raises(TypeError, match=r"Shown'> has other fields than the columns \('current_setting',\)"),
    ):
        trip(connection, Query(text("SELECT current_setting('port')"), {}, Shown))


def test_a_transaction_that_begins_with_a_trip_has_its_settings(engine: Engine) -> None:
    names = ("statement_timeout", "lock_timeout", "timezone")
    with begin(engine) as connection:
        told = trip(connection, *(Query(SHOW, {"setting": name}, Shown) for name in names))
    assert [one.scalar() for one in told] == ["1min", "20s", "UTC"]
    with begin(engine) as connection:
        assert connection.execute(SHOW, {"setting": "lock_timeout"}).scalar_one() == "20s", "also with another first"
        connection.execute(NAMED, {**DEFAULT, "said": "not kept"})
        connection.rollback()
    assert note(engine) == ""


def test_of_a_trip_that_fails_nothing_is_kept(engine: Engine) -> None:
    with engine.connect() as watching, begin(engine) as connection:
        trip(connection, Query(NAMED, {**DEFAULT, "said": "x"}))
        with pytest.raises(DBAPIError) as failed:
            trip(connection, Query(DIVIDE, {"by": 0}), Query(NAMED, {**DEFAULT, "said": "y"}), commit=True)
        connection.rollback()
        assert watching.execute(NOTE, DEFAULT).scalar_one() == ""
    assert sqlstate(failed.value) == "22012"
    assert not failed.value.connection_invalidated
    assert note(engine) == ""
    with begin(engine) as connection:
        assert trip(connection, Query(DIVIDE, {"by": 1}, Shown))[0].scalar() == 1, "the connection goes on"


def test_a_trip_that_commits_ends_the_transaction(engine: Engine) -> None:
    with begin(engine) as connection:
        trip(connection, Query(NAMED, {**DEFAULT, "said": "x"}), commit=True)
        assert note(engine) == "x"


def test_a_trip_on_a_session_that_was_ended_is_a_lost_connection(engine: Engine) -> None:
    pid = select(func.pg_backend_pid())
    with begin(engine) as connection:
        mine = trip(connection, Query(pid, {}))[0].scalar()
        with engine.connect() as other:
            other.execute(select(func.pg_terminate_backend(mine)))
        with pytest.raises(DBAPIError) as failed:
            trip(connection, Query(pid, {}), commit=True)
        connection.rollback()
    assert failed.value.connection_invalidated
    with begin(engine) as connection:
        assert trip(connection, Query(pid, {}))[0].scalar() != mine


def test_a_session_that_was_ended_between_two_transactions_is_not_met(engine: Engine) -> None:
    """Also where it was used a moment ago, and is not asked whether its server is there."""
    pid = select(func.pg_backend_pid())
    with begin(engine) as connection:
        mine = trip(connection, Query(pid, {}), commit=True)[0].scalar()
    with psycopg.connect(engine.url.set(drivername="postgresql").render_as_string(hide_password=False)) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (mine,))
    with begin(engine) as connection:
        assert trip(connection, Query(pid, {}), commit=True)[0].scalar() != mine


def test_a_connection_that_cannot_leave_a_trip_is_lost_and_the_first_error_tells(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server was seen to say that it shuts down some moments before its connection ended."""

    def fail(*_: object) -> None:
        raise psycopg.OperationalError("cannot exit pipeline mode with uncollected results")

    with begin(engine) as connection:
        monkeypatch.setattr(Pipeline, "_exit", fail)
        with pytest.raises(DBAPIError) as failed:
            trip(connection, Query(DIVIDE, {"by": 0}))
        monkeypatch.undo()
        connection.rollback()
    assert sqlstate(failed.value) == "22012"
    assert failed.value.connection_invalidated
    with begin(engine) as connection:
        assert trip(connection, Query(DIVIDE, {"by": 1}, Shown))[0].scalar() == 1


def test_a_value_that_is_missing_is_told_and_never_null(engine: Engine) -> None:
    with begin(engine) as connection, pytest.raises(ValueError, match="no value for said"):
        trip(connection, Query(NAMED, DEFAULT))


def test_a_trip_is_one_execution_with_its_begin_and_its_commit(engine: Engine) -> None:
    made: list[str] = []

    def count(_: object, __: object, statement: str, *___: object) -> None:
        made.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    try:
        with begin(engine) as connection:
            trip(connection, Query(NOTE, DEFAULT), Query(NOTE, DEFAULT), commit=True)
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert made == ["trip"]


def prepared(connection: Connection) -> set[str]:
    """Give what is prepared in a session, but for what begins and ends transactions."""
    there = connection.execute(text("SELECT statement FROM pg_prepared_statements")).scalars()
    return {statement for statement in there if "accounts" in statement}


@pytest.mark.usefixtures("new_sessions")
def test_what_begins_with_a_trip_is_prepared_and_stays_so_and_nothing_else_is(settings: Settings) -> None:
    engine = make_engine(settings, pool=1)
    for _ in range(PREPARED_AFTER + 1):
        with begin(engine) as connection:
            trip(connection, Query(NOTE, DEFAULT))
    for transaction in (engine.connect, engine.begin):  # one is rolled back, the other committed
        with transaction() as connection:
            for _ in range(PREPARED_AFTER + 1):
                connection.execute(select(Account.name).where(Account.name == bindparam("called")), DEFAULT)
    with suppress(StopIteration), begin(engine) as connection:
        trip(connection, Query(NOTE, DEFAULT))
        raise StopIteration
    with engine.connect() as connection:
        (there,) = prepared(connection)
    assert "paused_because" in there
    engine.dispose()


@pytest.mark.usefixtures("new_sessions")
def test_a_session_plans_anew_once_a_second(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, sends, began = make_engine(settings, pool=1), worker.trip.send, []

    def send(driver: psycopg.Connection, begins: Sequence[str], *args: Any, **more: Any) -> Any:
        began.append("DISCARD PLANS" in begins)
        return sends(driver, begins, *args, **more)

    monkeypatch.setattr(worker.trip, "send", send)
    for seconds in (0.0, 0.5, 1.1, 1.2, 2.0, 2.2):
        monkeypatch.setattr(worker.trip, "time", SimpleNamespace(monotonic=lambda now=seconds: now))
        with begin(engine) as connection:
            trip(connection, Query(NOTE, DEFAULT))
    engine.dispose()
    assert began == [False, False, True, False, False, True]


@pytest.mark.usefixtures("new_sessions")
def test_what_was_to_be_prepared_behind_a_failure_is_prepared_anew(engine: Engine) -> None:
    behind = Query(select(func.lower(bindparam("called"))), DEFAULT)
    for by in (*[1] * 5, 0, 1, 1):
        with suppress(DBAPIError) if by == 0 else nullcontext(), begin(engine) as connection:
            trip(connection, Query(DIVIDE, {"by": by}), behind)
            assert by == 1
