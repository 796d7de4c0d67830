"""How many calls an action makes, and how long they take beside what waits already."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import BigInteger, Boolean, Integer, bindparam, case, cast, func, select

from models import estimate
from models.counted import counted
from models.estimate import Pace
from models.tables import Account, Batch, Error, fixed, ids
from models.words import Status
from worker.context import Context
from worker.queries import throughput

WAITING: Final = 20_000
"""Waiting batches that are looked at."""

_number = func.count().label("number")
_OF_BATCHES: Final = (
    select(Error.batch_id, _number).where(Error.id == ids("errors")).group_by(Error.batch_id).subquery("of_batches")
)
_event = case((bindparam("moved", type_=Boolean), 0), else_=Batch.event_id)
_GATHERED: Final = (
    select(
        Account.name.label("account"),
        func.sum(_OF_BATCHES.c.number).label("number"),
        func.coalesce(Account.batch_size, bindparam("batch_size", type_=Integer)).label("size"),
    )
    .join_from(_OF_BATCHES, Batch, Batch.id == _OF_BATCHES.c.batch_id)
    .join(Account, Account.id == Batch.account_id)
    .group_by(Account.id, _event, Batch.state, Batch.identity)
    .subquery("gathered")
)
_CALLS: Final = select(
    _GATHERED.c.account, cast(func.sum(func.ceil(_GATHERED.c.number / _GATHERED.c.size)), BigInteger)
).group_by(_GATHERED.c.account)
_OLDEST_WAITING: Final = (
    select(Batch.account_id)
    .where(Batch.status == fixed(Status.PENDING))
    .order_by(Batch.id)
    .limit(WAITING)
    .subquery("oldest_waiting")
)
_WAITING: Final = (
    select(Account.name, func.count())
    .join(_OLDEST_WAITING, _OLDEST_WAITING.c.account_id == Account.id)
    .group_by(Account.name)
)


def calls_of(process: Context, error_ids: Sequence[int], *, moved: bool) -> dict[str, int]:
    """Count the batches that the records of these errors will make, by account; where they are moved, of one event."""
    facts = {"errors": list(error_ids), "moved": moved, "batch_size": process.settings.batch_size}
    with process.engine.connect() as connection:
        return {account: number for account, number in connection.execute(_CALLS, facts)}  # noqa: C416 - rows are no pairs


def time_of(process: Context, calls: Mapping[str, int]) -> tuple[float | None, list[str]]:
    """Estimate when these calls are over, and say what may delay them."""
    with process.engine.connect() as connection:
        waiting = {name: number for name, number in connection.execute(_WAITING)}  # noqa: C416
    longest, because = 0.0, []
    for use in throughput.used_now(process):
        account, name = use.account, use.account.name
        if name not in calls:
            continue
        if account.paused_at or account.parked_until:
            stop = account.paused_because or account.parked_because
            because.append(f"account {name} sends nothing now: {stop}")
        if use.in_window is None or use.today is None:
            return None, [*because, "Redis is out of reach: how much is sent at present is not known"]
        daily = account.daily_limit
        pace = Pace(
            account.burst_limit,
            account.burst_seconds,
            use.in_window,
            waiting.get(name, 0),
            None if daily is None else max(0, daily - use.today),
        )
        longest = max(longest, estimate.seconds(calls[name], pace))
        if not estimate.is_today(calls[name], pace):
            left = counted(pace.left_today or 0, "call")
            because.append(f"account {name} has {left} left today: the rest goes from midnight on")
    return longest, because


def lasts(seconds: float) -> str:
    """Write how long something takes, about."""
    for unit, length in (("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:,.0f} {unit}"
    return f"about {max(1, round(seconds)):,} s"
