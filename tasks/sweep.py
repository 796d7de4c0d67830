"""The sweep: every second, what time brings about. Each step is a short transaction of its own.

Wake `deliver` for accounts with due batches and `verify` for those with unconfirmed records due, `notify` where a
webhook may have to be told, `intake` where the stream is not empty, `job` where one is under way, `purge` now and
then, take back batches whose lease ran out, begin what is scheduled, add up what was sent, and free what waits for
nothing (which only a bug can cause).
"""

from collections.abc import Callable, Sequence
from typing import Final

import redis
from sqlalchemy import exists, func, or_, select, text

from models.tables import Account, Lane
from worker import heartbeat
from worker.celery import app
from worker.context import Context, current
from worker.delivery.permits import DELIVERIES
from worker.failures import Verb, noted, teller
from worker.log import get_logger
from worker.operations import jobs, schedules
from worker.queries import throughput
from worker.queue import unconfirmed
from worker.queue.expired_leases import reclaim
from worker.queue.locks import lock_event
from worker.queue.settle import freed
from worker.retention import purge
from worker.stream import StreamUnavailable
from worker.task_names import DELIVER, INTAKE, JOB, NOTIFY, PURGE, SWEEP, VERIFY
from worker.wake import wake
from worker.webhooks import notify

log = get_logger(__name__)

LOOKED_AT: Final = 20
"""The oldest waiting batches that each sweep looks at."""
WAKE_UPS: Final = 64
"""Of `deliver` that one sweep sends, about: a hundred due accounts with eight each would keep workers busy with
messages alone. An account whose one wake-up is at work gets another with the next sweep."""
EVERY_MS: Final = 500
"""Ticks that come sooner than this after another, from other beats or out of a backlog, do nothing."""


@noted(Verb.SWEEP)
def sweep(process: Context, wake: Callable[..., int] = wake) -> bool:
    """Do what is due; `wake` is told which tasks have work. False where another sweep was just now."""
    try:
        if not process.redis.set("turnout:swept", 1, nx=True, px=EVERY_MS):
            return False
        if process.stream.waiting():
            wake(process, INTAKE)
    except (redis.RedisError, StreamUnavailable) as error:
        if not process.is_outage(error):
            raise
    reclaim(process.engine)
    due = due_accounts(process)
    for account in due:
        wake(process, DELIVER, places=places_of_each(len(due)), account=account)
    for account in unconfirmed.accounts_due(process.engine):
        wake(process, VERIFY, account=account)
    if notify.is_due(process.engine):
        wake(process, NOTIFY)
    free_the_forgotten(process)
    schedules.run(process.engine, process.settings, teller(process, Verb.SCHEDULE))
    if jobs.is_due(process.engine):
        wake(process, JOB)
    if purge.is_due(process):
        wake(process, PURGE)
    throughput.add_up(process)
    heartbeat.swept(process)
    return True


def places_of_each(accounts: int) -> int:
    """Give how many wake-ups each of so many due accounts gets: together no more than workers can use."""
    return max(1, min(DELIVERIES, WAKE_UPS // max(1, accounts)))


_HAS_LANE: Final = exists().where(Lane.account_id == Account.id)
_DUE: Final = select(Account.name).where(
    Account.is_known(),
    Account.may_send(),
    or_(_HAS_LANE.where(Lane.ready), _HAS_LANE.where(~Lane.ready, Lane.due_at <= func.now())),
)


def due_accounts(process: Context) -> Sequence[str]:
    """Name the accounts that may send and have a batch due."""
    with process.engine.connect() as connection:
        return connection.execute(_DUE).scalars().all()


_FORGOTTEN: Final = text("""
SELECT b.event_id, p.id FROM (SELECT * FROM batches WHERE after <> '{}' ORDER BY id LIMIT :most) b
CROSS JOIN LATERAL unnest(b.after) w(id) JOIN batches p ON p.id = w.id
WHERE p.status IN ('COMPLETE', 'CANCELED')""")
"""What is settled of all that the oldest waiting batches wait for."""


def free_the_forgotten(process: Context) -> int:
    """Free the oldest waiting batches of what is settled; finding one is finding a bug."""
    with process.engine.connect() as connection:
        found = connection.execute(_FORGOTTEN, {"most": LOOKED_AT}).all()
    for event_id, settled_id in found:
        with process.engine.begin() as connection:
            lock_event(connection, event_id)
            log.error("bug: settled batch was waited for", batch=settled_id, consequence="those that waited are freed")
            freed(settled_id).alone(connection)
    return len(found)


@app.task(name=SWEEP)
def sweep_task() -> None:
    """`attendance.sweep`: beat's tick."""
    heartbeat.ticked(current())
    sweep(current())
