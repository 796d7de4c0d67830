"""What beat reads from the database for a scrape: bounded queries, each with seconds to end in."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, Engine, Float, bindparam, case, cast, event, func, literal_column, select

from models.tables import Account, Job, Key, Notification, Refused, ThroughputByAccount, fixed
from models.words import Stage
from worker.accounts import registry
from worker.accounts.registry import ListedAccount
from worker.context import Context
from worker.database import make_engine
from worker.metrics import definitions as metrics
from worker.monitor.samples import Sample
from worker.queries import backlog
from worker.queries.error_filter import ANY_OPEN, Filter, chosen_errors
from worker.queries.rows import AT_MOST, count
from worker.settings import Settings

LONGEST: Final = "3s"
"""For one statement."""
JOBS: Final = 1_000
LAST_HOUR: Final = timedelta(hours=1)


def engine_of(settings: Settings) -> Engine:
    """Make an engine of its own, whose statements end soon: a scrape holds no connection that work needs."""
    engine = make_engine(settings, pool=1)

    def hurry(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{LONGEST}'; SET LOCAL lock_timeout = '{LONGEST}'")

    event.listen(engine, "begin", hurry)
    return engine


def gather(process: Context) -> tuple[list[ListedAccount], list[Sample]]:
    """Read the accounts, and what the database knows.

    Raises:
        DBAPIError: where the database does not answer in time.

    """
    accounts = registry.listed(process.engine, process.settings)
    with process.engine.connect() as connection:
        return accounts, [*_of_accounts(accounts), *_of_backlog(connection, accounts), *_counts(connection)]


def _of_accounts(accounts: list[ListedAccount]) -> Iterator[Sample]:
    for one in accounts:
        labels = (one.name,)
        yield Sample(metrics.ACCOUNT_PAUSED, float(one.paused_at is not None), labels)
        yield Sample(metrics.ACCOUNT_WAITING, float(one.parked_until is not None and one.paused_at is None), labels)
        yield Sample(metrics.BURST_LIMIT, one.burst_limit, labels)
        if one.daily_limit:
            yield Sample(metrics.DAILY_LIMIT, one.daily_limit, labels)


def _of_backlog(connection: Connection, accounts: list[ListedAccount]) -> Iterator[Sample]:
    names = [one.name for one in accounts]
    oldest, behind = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    batches = 0
    for row in backlog.backlog(connection):
        labels = (row.account, row.reason)
        yield Sample(metrics.BACKLOG_RECORDS, row.records, labels)
        yield Sample(metrics.BACKLOG_BATCHES, row.batches, labels)
        oldest[row.account] = max(oldest.get(row.account, 0.0), row.oldest)
        batches += (
            row.batches if row.reason not in {backlog.WaitsBecause.SENDING, backlog.WaitsBecause.READ_BACK} else 0
        )
    behind |= {row.account: row.seconds for row in backlog.behind(connection)}
    yield Sample(metrics.BACKLOG_CUT, float(batches >= AT_MOST))
    for definition, ages in ((metrics.OLDEST_WAITING, oldest), (metrics.OLDEST_DUE, behind)):
        yield from (Sample(definition, age, (name,)) for name, age in ages.items())


_JOBS: Final = (
    select(
        case(
            (Job.on_hold, "on_hold"),
            (Job.last_error != "", "failing"),
            (Job.started_at.is_not(None), "running"),
            else_="queued",
        ).label("standing")
    )
    .where(Job.is_under_way())
    .order_by(Job.due_at, Job.id)
    .limit(JOBS)
    .subquery("job")
)
_JOBS_BY_STANDING: Final = select(_JOBS.c.standing, func.count()).group_by(_JOBS.c.standing)
STANDINGS: Final = ("running", "queued", "failing", "on_hold")
_WEBHOOKS: Final = (
    select(
        case(
            (Key.webhook_url.is_(None), "off"),
            (Key.webhook_error != "", "failing"),
            else_="working",
        ).label("state"),
        func.count(),
    )
    .where(Key.is_valid(), (Key.webhook_url.is_not(None)) | (Key.webhook_error != ""))
    .group_by("state")
)
STATES: Final = ("working", "failing", "off")
_TO_TELL: Final = select(Notification.id).where(Notification.stage.in_([fixed(Stage.FAILING), fixed(Stage.FINISHED)]))
_SIZE: Final = select(func.pg_database_size(func.current_database()))


def _counts(connection: Connection) -> Iterator[Sample]:
    for outcome in ANY_OPEN:
        number = count(connection, chosen_errors(Filter((outcome,)), literal_column("1")))
        yield Sample(metrics.ERRORS_OPEN, number, (outcome.value,))
    yield Sample(metrics.REFUSED_OPEN, count(connection, select(Refused.id).where(Refused.is_open())))
    jobs: dict[str, int] = dict(connection.execute(_JOBS_BY_STANDING).all())
    yield from (Sample(metrics.JOBS, jobs.get(standing, 0), (standing,)) for standing in STANDINGS)
    webhooks: dict[str, int] = dict(connection.execute(_WEBHOOKS).all())
    yield from (Sample(metrics.WEBHOOKS, webhooks.get(state, 0), (state,)) for state in STATES)
    yield Sample(metrics.NOTIFICATIONS, count(connection, _TO_TELL))
    yield Sample(metrics.DATABASE_SIZE, connection.execute(_SIZE).scalar_one())


_CALLS: Final = (
    select(Account.name, cast(func.sum(ThroughputByAccount.calls), Float))
    .join(Account, Account.id == ThroughputByAccount.account_id)
    .where(
        Account.name.in_(bindparam("names", expanding=True)),
        ThroughputByAccount.since > func.now() - LAST_HOUR - timedelta(minutes=10),
    )
    .group_by(Account.name)
)
"""What is added up already of the last hour: all but the last few minutes."""


def calls_in_an_hour(process: Context, names: list[str]) -> dict[str, float]:
    """Give the calls that accounts made in an hour, the last that is added up."""
    with process.engine.connect() as connection:
        return dict(connection.execute(_CALLS, {"names": names}).all())
