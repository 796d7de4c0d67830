"""Accounts: what stops and starts their sending, each in a transaction of its own that locks the account alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    Integer,
    Interval,
    Select,
    SQLColumnExpression,
    Time,
    and_,
    bindparam,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from hubspot_api.reaction import OUTAGE
from models.tables import NOBODY, Account, seconds
from worker.database import repeat
from worker.trip import Query, begin, trip

STOP_ENDED: Final[Mapping[str, ColumnElement[Any]]] = {
    "stopped": Account.stopped_in_all(),
    "stopped_since": null(),
    "parked_until": null(),
    "parked_because": literal(""),
}
"""What becomes of an account whose stop is over: its time is added to what no batch's age counts."""
_THE_ACCOUNT: Final = Account.id == bindparam("account")
_THE_NAMED: Final = and_(Account.name == bindparam("called"), Account.is_known())
_IN_OUTAGE: Final = and_(~Account.is_paused(), Account.in_a_row >= OUTAGE)
"""An account that sends one probe at a time; whatever parks it for another cause ends the row first."""

_PAUSE: Final = (
    update(Account)
    .where(_THE_ACCOUNT)
    .values(
        paused_at=func.coalesce(Account.paused_at, func.now()),
        paused_because=bindparam("because"),
        stopped_since=func.coalesce(Account.stopped_since, func.now()),
    )
    .returning(Account.id)
)


def pause(engine: Engine, account_id: int, because: str) -> None:
    """Let an account send nothing until an operator resumes it."""
    _change(engine, _PAUSE, account=account_id, because=because)


def then_resume(name: str) -> str:
    """Give the end of a reason to pause that says what to type once its cause is gone."""
    return f"; then: turnout resume {name}"


def midnight(moment: ColumnElement[datetime], time_zone: SQLColumnExpression[str]) -> ColumnElement[datetime]:
    """Give when an account's day ends, seen from a moment.

    The day is added to its local time: where the clocks change it has 23 or 25 hours.
    """
    began = func.date_trunc(literal_column("'day'"), func.timezone(time_zone, moment))
    return func.timezone(time_zone, began + literal_column("interval '1 day'"), type_=DateTime(timezone=True))


def new_day(moment: ColumnElement[datetime], time_zone: SQLColumnExpression[str]) -> ColumnElement[datetime]:
    """Give when an account whose day is spent is tried again.

    HubSpot's clock may be behind ours: so a minute after midnight, and what is called spent in the first five minutes
    of a day is the day before.
    """
    just_begun = cast(func.timezone(time_zone, moment), Time) < literal_column("'00:05'")
    ended = case((just_begun, moment), else_=midnight(moment, time_zone))
    return ended + literal_column("interval '1 minute'", Interval)


def _park(until: ColumnElement[datetime]) -> ReturningUpdate[int]:
    longer = and_(Account.in_a_row < OUTAGE, func.coalesce(Account.parked_until > until, false()))
    return (
        update(Account)
        .where(_THE_ACCOUNT)
        .values(
            stopped_since=func.coalesce(Account.stopped_since, func.now()),
            parked_until=case((longer, Account.parked_until), else_=until),
            parked_because=case((longer, Account.parked_because), else_=bindparam("because")),
        )
        .returning(Account.id)
    )


_PARK: Final = _park(func.now() + seconds("seconds"))
_PARK_UNTIL_NEW_DAY: Final = _park(new_day(func.now(), Account.time_zone))


def park(engine: Engine, account_id: int, seconds: float | None, because: str) -> None:
    """Let an account send nothing for so many seconds, or, where none are named, until its new day.

    A parking that lasts longer holds, unless it is an outage's: that one is as long as its last probe says.
    """
    if seconds is None:
        _change(engine, _PARK_UNTIL_NEW_DAY, account=account_id, because=because)
    else:
        _change(engine, _PARK, account=account_id, because=because, seconds=seconds)


_COUNT_AMBIGUOUS: Final = (
    update(Account)
    .where(_THE_ACCOUNT)
    .values(
        in_a_row=Account.in_a_row
        + case((and_(Account.in_a_row < OUTAGE, Account.parked_until > func.now()), 0), else_=1)
    )
    .returning(Account.in_a_row)
)


def count_ambiguous(engine: Engine, account_id: int) -> int:
    """Count one more ambiguous answer in a row, and give how many there are now.

    What was under way when the account was parked for another cause begins no outage.
    """
    (in_a_row,) = _change(engine, _COUNT_AMBIGUOUS, account=account_id)
    return in_a_row


_ANSWERED: Final = (
    update(Account)
    .where(_THE_ACCOUNT, Account.in_a_row > 0)
    .values(
        in_a_row=0,
        stopped=case((_IN_OUTAGE, Account.stopped_in_all()), else_=Account.stopped),
        stopped_since=case((_IN_OUTAGE, null()), else_=Account.stopped_since),
        parked_until=case((_IN_OUTAGE, null()), else_=Account.parked_until),
        parked_because=case((_IN_OUTAGE, ""), else_=Account.parked_because),
    )
    .returning(Account.id)
)


def answered_by(account_id: int) -> Query[tuple[int]]:
    """Note that HubSpot answered: an outage, if there was one, is over. A pause or a parking of other cause is not."""
    return Query(_ANSWERED, {"account": account_id})


def answered(engine: Engine, account_id: int) -> None:
    """Note, in a transaction of its own, that HubSpot answered."""
    _change(engine, _ANSWERED, account=account_id)


_END_PROBE: Final = (
    update(Account).where(_THE_ACCOUNT, _IN_OUTAGE).values(parked_until=null(), parked_because="").returning(Account.id)
)


def end_probe(engine: Engine, account_id: int) -> None:
    """Let the next probe begin, where one was: of this one nothing was sent."""
    _change(engine, _END_PROBE, account=account_id)


_EVENT: Final = bindparam("event", type_=BigInteger)
_COUNT_UNKNOWN: Final = (
    update(Account)
    .where(_THE_ACCOUNT)
    .values(unknown_events=func.array_append(func.array_remove(Account.unknown_events, _EVENT), _EVENT))
    .returning(func.cardinality(Account.unknown_events, type_=Integer))
)


def count_unknown(engine: Engine, account_id: int, event_id: int) -> int:
    """Note an event that HubSpot does not know; give how many there are since it last accepted something."""
    (unknown,) = _change(engine, _COUNT_UNKNOWN, account=account_id, event=event_id)
    return unknown


_LEARN_BATCH_SIZE: Final = (
    update(Account)
    .where(_THE_ACCOUNT)
    .values(batch_size=func.least(func.coalesce(Account.batch_size, bindparam("present")), bindparam("learned")))
    .returning(Account.id)
)


def learn_batch_size(engine: Engine, account_id: int, present: int, learned: int) -> None:
    """Let the account's batches hold no more than HubSpot was seen to take."""
    _change(engine, _LEARN_BATCH_SIZE, account=account_id, present=present, learned=learned)


_FIND: Final = select(Account.id).where(_THE_NAMED)


def find(engine: Engine, account: str) -> int | None:
    """Give an account's id; none where there is no such account, or no longer."""
    with engine.connect() as connection:
        return connection.execute(_FIND, {"called": account}).scalar_one_or_none()


_RESUME: Final = (
    update(Account)
    .where(_THE_NAMED)
    .values(
        paused_at=null(),
        paused_because="",
        parked_until=null(),
        parked_because="",
        unknown_events=NOBODY,
        in_a_row=case(
            (Account.stopped_since.is_(None), Account.in_a_row), else_=func.greatest(Account.in_a_row, OUTAGE)
        ),
    )
)


def resume(engine: Engine, account: str) -> bool:
    """Let an account send again, beginning with one batch as a probe; false where there is no such account."""
    with engine.begin() as connection:
        return bool(connection.execute(_RESUME, {"called": account}).rowcount)


def _change(engine: Engine, change: ReturningUpdate[int], **facts: object) -> Sequence[int]:
    """Change an account's row, again where the connection was lost: what HubSpot answered must not be lost with it."""

    def work() -> Sequence[int]:
        with begin(engine) as connection:
            return trip(connection, Query(change, facts), commit=True)[0].scalars()

    return repeat(work)


_MAY_GO_ON: Final = select(exists().where(_THE_ACCOUNT, Account.may_send()))


def may_go_on(connection: Connection, account_id: int) -> bool:
    """Say whether an account still may send, for one who sends already."""
    return connection.execute(_MAY_GO_ON, {"account": account_id}).scalar_one()


_LOOK: Final = select(Account.in_a_row, Account.stopped_since).where(_THE_ACCOUNT)
_HOLD: Final = (
    select(Account.in_a_row)
    .where(_THE_ACCOUNT, Account.may_send(), Account.stopped_since.is_(None), Account.in_a_row < OUTAGE)
    .with_for_update(read=True)
)
_FREE: Final = select(Account.id).where(_THE_ACCOUNT, Account.may_send())


def _unless_locked(account: Select[int]) -> ColumnElement[bool]:
    """Give the condition of this account; none while somebody else, who begins this very moment, has its lock."""
    return Account.id == account.correlate(None).with_for_update(key_share=True, skip_locked=True).scalar_subquery()


_END_STOP: Final = update(Account).where(_unless_locked(_FREE)).values(STOP_ENDED).returning(Account.in_a_row)
_BEGIN_PROBE: Final = (
    update(Account)
    # Where another probe was answered meanwhile, this one would park the account for nothing.
    .where(_unless_locked(_FREE.where(Account.in_a_row >= OUTAGE)))
    .values(
        parked_until=func.now() + seconds("lease"),
        parked_because="one batch is sent to see whether HubSpot answers again",
    )
    .returning(Account.in_a_row)
)


def hold(account_id: int) -> Query[tuple[int]]:
    """Hold an account as it is, and give its ambiguous answers in a row; no row where `may_send` has to look."""
    return Query(_HOLD, {"account": account_id})


def may_send(connection: Connection, account_id: int, lease: float) -> int | None:
    """Look at the account: none where it is paused or parked, else its ambiguous answers in a row.

    After an outage's worth of them there is one probe at a time: who takes it parks the account for the others,
    until its answer or its lease ends that.
    """
    in_a_row, stopped_since = connection.execute(_LOOK, {"account": account_id}).one()
    if in_a_row >= OUTAGE:
        return connection.execute(_BEGIN_PROBE, {"account": account_id, "lease": lease}).scalar()
    return connection.execute(_HOLD if stopped_since is None else _END_STOP, {"account": account_id}).scalar()
