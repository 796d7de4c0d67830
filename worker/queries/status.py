"""What waits, why and until when, and whether everything runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, case, func, literal_column, or_, select, true
from sqlalchemy.exc import DBAPIError

from models.message import DEFAULT_ACCOUNT
from models.tables import Account, Batch, Error, Key, Notification, Refused, fixed
from models.words import Stage, Status
from worker import startup
from worker.database import is_away, reason, rows_as
from worker.encryption import has_key
from worker.finding import Finding, Level
from worker.heartbeat import Worker
from worker.queries import waiting
from worker.queries.error_filter import ANY_OPEN, Filter, chosen_errors
from worker.queries.jobs import JobSummary, jobs_under_way
from worker.queries.machinery import UNKNOWN, BrokerFacts, RedisFacts, broker_facts, deliver_to, redis_facts, unread
from worker.queries.rows import AT_MOST, count
from worker.queries.waiting import Waiting
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class AccountStop:
    """Whether an account is paused or parked, and whether its unconfirmed records are looked for."""

    name: str
    paused_at: datetime | None
    paused_because: str
    parked_until: datetime | None
    parked_because: str
    ambiguous_in_a_row: int
    not_read_back_because: str | None
    not_read_back_until: datetime | None
    hubspot_url: str | None
    """Where it delivers, if not to where the others do."""


@dataclass(frozen=True, slots=True)
class WebhookTrouble:
    """A webhook that fails, or was turned off."""

    name: str
    off: bool
    failures: int
    error: str
    waiting: int
    again_at: datetime | None


@dataclass(frozen=True)
class DatabaseFacts:
    """What waits, why and until when; nothing of it where the database does not say."""

    database: str = "out of reach"
    database_error: str = ""
    database_found: Sequence[Finding] = ()
    """What is not as it must be."""
    key_is_right: bool | None = None
    """Whether this process's secret key is the database's; none where it has none."""
    accounts: Sequence[AccountStop] = ()
    batches: Mapping[str, int] = field(default_factory=dict)
    waiting: Sequence[Waiting] = ()
    unresolved_errors: Mapping[str, int] = field(default_factory=dict)
    refused: int = 0
    jobs: Sequence[JobSummary] = ()
    webhooks: Sequence[WebhookTrouble] = ()


@dataclass(frozen=True)
class StatusReport(DatabaseFacts, RedisFacts):
    """What waits, why and until when, and whether everything runs."""

    delivers_to: str = ""
    """As the workers know it; as the settings here say while no worker is alive."""
    settings_say: str = ""
    """Where these settings would deliver."""
    broker: BrokerFacts = field(default_factory=lambda: BrokerFacts(""))
    unread: Mapping[str, int] = field(default_factory=dict)
    """Queues that no worker reads, with their messages."""


def destination(settings: Settings) -> str:
    """Say where these settings deliver."""
    return destination_of(settings.hubspot_url)


def destination_of(url: str) -> str:
    """Say what is at a URL to which records are delivered."""
    is_here = url.startswith("http://127.0.0.1")
    return f"the sandbox on {url}, not to HubSpot" if is_here else f"{url}, account default"


def _accounts() -> Select[Any]:
    stopped = Error.not_read_because()
    read_back = (
        select(stopped.label("because"), Error.verify_at.label("until"))
        .where(Error.account_id == Account.id, Error.verify_at > func.now())
        .order_by(Error.verify_at.desc())
        .limit(literal_column("1"))
        .lateral("read_back")
    )
    return (
        select(
            *(Account.name, Account.paused_at, Account.paused_because),
            case((Account.parked_until > func.now(), Account.parked_until)).label("parked_until"),
            Account.parked_because,
            Account.in_a_row.label("ambiguous_in_a_row"),
            read_back.c.because.label("not_read_back_because"),
            case((read_back.c.because.is_not(None), read_back.c.until)).label("not_read_back_until"),
            Account.hubspot_url,
        )
        .outerjoin(read_back, true())
        .where(Account.removed_at.is_(None))
        .order_by(Account.name)
        .limit(100)
    )


def _webhooks() -> Select[Any]:
    few = (
        select(Notification.last_error, Notification.due_at)
        .where(
            Notification.key_id == Key.id,
            Notification.stage.in_([fixed(Stage.FAILING), fixed(Stage.FINISHED)]),
        )
        .order_by(Notification.due_at)
        .limit(AT_MOST // 100)
        .correlate(Key)
        .subquery("few")
    )
    told = select(
        func.count().label("waiting"),
        func.max(few.c.last_error).label("error"),
        func.min(few.c.due_at).label("due_at"),
    ).lateral("told")
    return (
        select(
            Key.name,
            Key.webhook_url.is_(None).label("off"),
            Key.webhook_failures.label("failures"),
            func.coalesce(func.nullif(Key.webhook_error, ""), told.c.error).label("error"),
            told.c.waiting,
            func.greatest(Key.webhook_due_at, told.c.due_at).label("again_at"),
        )
        .join(told, true())
        .where(Key.revoked_at.is_(None), or_(Key.webhook_error != "", told.c.error != ""))
        .order_by(Key.name)
        .limit(20)
    )


def _looked_for() -> Select[Any]:
    """Group the records that are looked for in HubSpot."""
    error = waiting.looked_for(waiting.LOOKED_AT)
    why = func.coalesce(Account.stopped_because(), "not confirmed by HubSpot: looked for there")
    return (
        select(
            Account.name.label("account"),
            why.label("why"),
            func.count(error.batch_id.distinct()).label("batches"),
            func.count().label("records"),
            func.min(error.created_at).label("oldest"),
            case((func.min(Account.paused_at).is_(None), func.min(error.verify_at))).label("until"),
        )
        .select_from(error)
        .join(Batch, Batch.id == error.batch_id)
        .join(Account, Account.id == Batch.account_id)
        .group_by("account", "why")
        .order_by("account")
        .limit(20)
    )


_ACCOUNTS: Final = _accounts()
_WAITING: Final = waiting.grouped()
_LOOKED_FOR: Final = _looked_for()
_WEBHOOKS: Final = _webhooks()


def read_status(engine: Engine | None, settings: Settings, broker: BrokerFacts | None = None) -> StatusReport:
    """Say what waits, why and until when, and whether everything runs; `broker`, where it was asked lately."""
    here = redis_facts(settings)
    kept = _database_facts(engine, settings)
    broker = broker or broker_facts(settings)
    return StatusReport(
        **vars(kept),
        **vars(here),
        delivers_to=_delivers_to(
            next((one.hubspot_url for one in kept.accounts if one.name == DEFAULT_ACCOUNT), None),
            here.processes,
            settings,
        ),
        settings_say=destination(settings),
        broker=broker,
        unread=unread(here.processes, broker.messages) if here.processes else {},
    )


_ADDRESS: Final = select(Account.hubspot_url).where(Account.name == DEFAULT_ACCOUNT, Account.removed_at.is_(None))


def find_destination(engine: Engine, settings: Settings) -> str:
    """Say where records are delivered, as far as it can be known now: for the line on every page."""
    try:
        with engine.connect() as connection:
            own = connection.execute(_ADDRESS).scalar_one_or_none()
    except DBAPIError:
        own = None
    return _delivers_to(own, redis_facts(settings).processes, settings)


def _delivers_to(own: str | None, processes: Collection[Worker], settings: Settings) -> str:
    """Say where records are delivered.

    An address of the account `default` itself goes first, then what the workers were started with; these settings tell
    it while no worker is alive.
    """
    urls = [own] if own else deliver_to(processes) or [settings.hubspot_url]
    return "; and to ".join(destination_of(url) for url in urls)


def _database_facts(engine: Engine | None, settings: Settings) -> DatabaseFacts:
    if engine is None:
        return DatabaseFacts(database_error=UNKNOWN)
    found = startup.of_database(settings, engine)
    if not has_key(settings):
        found = [one for one in found if one.about != startup.KEY]  # who only looks needs none
    for one in found:
        if one.level is Level.OUT_OF_REACH:
            return DatabaseFacts(database_error=one.text, database_found=found)
        if one.about == startup.SCHEMA:
            return DatabaseFacts("has other tables", database_found=found)
    try:
        with engine.connect() as connection:
            return _read(connection, settings, found)
    except DBAPIError as error:
        if is_away(error):
            return DatabaseFacts(database_error=reason(error), database_found=startup.of_database(settings, engine))
        todo = "see TURNOUT_DATABASE_URL and its role"
        refuses = Finding(Level.ATTENTION, startup.Service.POSTGRESQL, f"PostgreSQL refuses ({reason(error)})", todo)
        return DatabaseFacts("refuses", reason(error), [*found, refuses])


def _read(connection: Connection, settings: Settings, found: Sequence[Finding]) -> DatabaseFacts:
    return DatabaseFacts(
        database="takes no writes" if any(one.waits for one in found) else "answers",
        database_found=found,
        key_is_right=all(one.about != startup.KEY for one in found) if has_key(settings) else None,
        accounts=rows_as(AccountStop, connection.execute(_ACCOUNTS)),
        batches={
            status.value: count(connection, select(Batch.id).where(Batch.status == status))
            for status in (Status.PENDING, Status.PROCESSING)
        },
        waiting=[row for each in (_WAITING, _LOOKED_FOR) for row in rows_as(Waiting, connection.execute(each))],
        unresolved_errors={one.value: count(connection, chosen_errors(Filter((one,)), Error.id)) for one in ANY_OPEN},
        refused=count(connection, select(Refused.id).where(Refused.is_open())),
        jobs=jobs_under_way(connection, 5),
        webhooks=rows_as(WebhookTrouble, connection.execute(_WEBHOOKS)),
    )
