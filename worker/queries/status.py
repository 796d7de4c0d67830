"""What waits, why and until when, and whether everything runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import redis
from sqlalchemy import BigInteger, Engine, Select, case, cast, func, literal_column, or_, select, true
from sqlalchemy.orm import aliased

from models.tables import Account, Batch, Error, Key, Notification, Refused, fixed
from models.words import Stage, Status
from worker import heartbeat
from worker.database import rows_as
from worker.queries.error_filter import ANY_OPEN, Filter, chosen_errors
from worker.queries.jobs import JobSummary, jobs_under_way
from worker.queries.rows import AT_MOST, count
from worker.settings import Settings
from worker.stream import Stream, connect


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


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records of an account that wait for one reason, with the number of their batches."""

    account: str
    why: str
    batches: int
    records: int
    oldest: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class WebhookTrouble:
    """A webhook that fails, or was turned off."""

    name: str
    off: bool
    failures: int
    error: str
    waiting: int
    again_at: datetime | None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What waits, why and until when, and whether everything runs; what Redis does not say is none."""

    delivers_to: str
    accounts: list[AccountStop]
    batches: dict[str, int]
    waiting: list[Waiting]
    unresolved_errors: dict[str, int]
    refused: int
    jobs: list[JobSummary]
    webhooks: list[WebhookTrouble]
    redis: str
    stream_waiting: int | None
    workers: int | None
    beat: bool | None


def destination(settings: Settings) -> str:
    """Say where this installation delivers."""
    local = settings.hubspot_url.startswith("http://127.0.0.1")
    return (
        f"the sandbox on {settings.hubspot_url}, not to HubSpot"
        if local
        else f"{settings.hubspot_url}, account default"
    )


def _accounts() -> Select[Any]:
    stopped = func.jsonb_extract_path_text(Error.context, "read_back", "stopped")
    read_back = (
        select(stopped.label("because"), Error.verify_at.label("until"))
        .where(Error.account_id == Account.id, Error.verify_at > func.now())
        .order_by(Error.verify_at.desc())
        .limit(literal_column("1"))
        .lateral("read_back")
    )
    return (
        select(
            *(Account.name, Account.paused_at, Account.paused_because, Account.parked_until, Account.parked_because),
            Account.in_a_row.label("ambiguous_in_a_row"),
            read_back.c.because.label("not_read_back_because"),
            case((read_back.c.because.is_not(None), read_back.c.until)).label("not_read_back_until"),
        )
        .outerjoin(read_back, true())
        .where(Account.removed_at.is_(None))
        .order_by(Account.name)
        .limit(100)
    )


def _waiting() -> Select[Any]:
    oldest = select(Batch).where(Batch.status == fixed(Status.PENDING)).order_by(Batch.id).limit(AT_MOST // 4)
    batch = aliased(Batch, oldest.subquery("batch"))
    why = func.coalesce(
        case((batch.after != [], "waits for an earlier batch of the same people")),
        Account.stopped_because(),
        func.nullif(batch.postponed_because, ""),
        case((batch.due_at > func.now(), "gathers more records"), else_="waits for its turn"),
    )
    until = func.greatest(func.min(batch.due_at), func.min(Account.parked_until))
    number = func.count().label("batches")
    return (
        select(
            Account.name.label("account"),
            why.label("why"),
            number,
            cast(func.sum(batch.size), BigInteger).label("records"),
            func.min(batch.created_at).label("oldest"),
            case((func.min(Account.paused_at).is_(None), until)).label("until"),
        )
        .select_from(batch)
        .join(Account, Account.id == batch.account_id)
        .group_by("account", "why")
        .order_by(number.desc())
        .limit(20)
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
    """Give the unconfirmed records that are looked for in HubSpot: they wait too, although no batch does."""
    few = select(Error).where(Error.verify_at.is_not(None)).order_by(Error.account_id, Error.verify_at)
    error = aliased(Error, few.limit(MANY // 4).subquery("error"))
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
_WAITING: Final = _waiting()
_LOOKED_FOR: Final = _looked_for()
_WEBHOOKS: Final = _webhooks()


def read_status(engine: Engine, settings: Settings) -> StatusReport:
    """Say what waits, why and until when, and whether everything runs."""
    with engine.connect() as connection:
        return StatusReport(
            delivers_to=destination(settings),
            accounts=rows_as(AccountStop, connection.execute(_ACCOUNTS)),
            batches={
                status.value: count(connection, select(Batch.id).where(Batch.status == status))
                for status in (Status.PENDING, Status.PROCESSING)
            },
            waiting=[row for each in (_WAITING, _LOOKED_FOR) for row in rows_as(Waiting, connection.execute(each))],
            unresolved_errors={
                one.value: count(connection, chosen_errors(Filter((one,)), Error.id)) for one in ANY_OPEN
            },
            refused=count(connection, select(Refused.id).where(Refused.replayed_at.is_(None), Refused.raw != b"")),
            jobs=jobs_under_way(connection, 5),
            webhooks=rows_as(WebhookTrouble, connection.execute(_WEBHOOKS)),
            **_redis_facts(settings),
        )


def _redis_facts(settings: Settings) -> dict[str, Any]:
    client = connect(settings.stream_url)
    try:
        persistent = client.config_get("appendonly").get("appendonly") == "yes"
    except redis.ResponseError:
        persistent = None  # a provider's Redis may not say
    except redis.RedisError:
        return {"redis": "out of reach", "stream_waiting": None, "workers": None, "beat": None}
    return {
        "redis": "persistent" if persistent else "NOT persistent" if persistent is not None else "does not say",
        "stream_waiting": Stream(client).waiting(),
        "workers": heartbeat.workers(client),
        "beat": heartbeat.ticking(client),
    }
