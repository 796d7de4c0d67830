"""The roster of the accounts: added, set, rotated, removed, and shown; a token goes in and never comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Engine,
    LargeBinary,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    null,
    select,
    table,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from hubspot_api.oauth import Grant
from models.message import DEFAULT_ACCOUNT
from models.tables import Account, Batch, fixed
from models.words import Status
from worker.accounts.destination import ACCOUNTS, AccountRow
from worker.accounts.token_renewal import sealed
from worker.database import rows_as
from worker.encryption import seal
from worker.settings import Settings

SETTABLE: Final = (
    "hubspot_url",
    "hubspot_version",
    "burst_limit",
    "burst_seconds",
    "daily_limit",
    "batch_size",
    "time_zone",
)
"""What an account may have of its own; all but the time zone are else the settings'."""
ZONE: Final = "UTC"
"""An account's time zone where it has none of its own."""
BY_OAUTH: Final = "by OAuth"
MANY: Final = 100_000
"""Waiting batches are counted no further."""

Credential = SecretStr | Grant
"""What is sent, or what OAuth gives such for."""


@dataclass(frozen=True, slots=True)
class AccountBusy:
    """What of an account is not settled."""

    batches: int
    records: int


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account as it is shown: what holds for it, and which of that is its own."""

    name: str
    hubspot_url: str
    hubspot_version: str
    burst_limit: int
    burst_seconds: float
    daily_limit: int | None
    batch_size: int
    time_zone: str
    own: list[str]
    token: str
    """Whose it is, in words."""
    token_set_at: datetime | None
    access_until: datetime | None
    paused_at: datetime | None
    paused_because: str
    parked_until: datetime | None
    parked_because: str
    created_at: datetime

    @property
    def resumed(self) -> str:
        """Say what follows where it is resumed now."""
        if self.token == "missing":  # noqa: S105 - a word, no token
            return (
                f"account {self.name} sends nothing: it has no token. Give it one: turnout accounts rotate {self.name}"
            )
        if self.paused_at is None and self.parked_until is None:
            return f"account {self.name} was not stopped: it sends"
        why = f" (it waited because: {self.parked_because})" if self.parked_until else ""
        return (
            f"account {self.name} sends one batch now, to see whether HubSpot takes it{why}. If so, the others follow;"
            " if not, the account waits again: `turnout status` says which"
        )


def listed(engine: Engine, settings: Settings, name: str | None = None) -> list[ListedAccount]:
    """Show the accounts, or the one of this name: what holds for each, and which of it is its own."""
    chosen = ACCOUNTS if name is None else ACCOUNTS.where(Account.name == name)
    with engine.connect() as connection:
        rows = rows_as(AccountRow, connection.execute(chosen.order_by(Account.name)))
    return [_listed(row, settings) for row in rows]


def _listed(row: AccountRow, settings: Settings) -> ListedAccount:
    return ListedAccount(
        name=row.name,
        hubspot_url=row.hubspot_url or settings.hubspot_url,
        hubspot_version=row.hubspot_version or settings.hubspot_version,
        burst_limit=row.burst_limit or settings.burst_limit,
        burst_seconds=row.burst_seconds or settings.burst_seconds,
        daily_limit=row.calls_a_day(settings),
        batch_size=row.batch_size or settings.batch_size,
        time_zone=row.time_zone,
        own=[column for column in SETTABLE if getattr(row, column) not in {None, ZONE}],
        token=_token(row),
        token_set_at=row.token_set_at,
        access_until=row.access_until,
        paused_at=row.paused_at,
        paused_because=row.paused_because,
        parked_until=row.parked_until,
        parked_because=row.parked_because,
        created_at=row.created_at,
    )


def _token(row: AccountRow) -> str:
    if row.oauth is not None:
        return BY_OAUTH
    if row.token is not None:
        return "its own"
    return "the settings'" if row.name == DEFAULT_ACCOUNT else "missing"


_WAS_EVER: Final = select(Account.id).where(Account.name == bindparam("account"))


def was_ever(engine: Engine, name: str) -> bool:
    """Say whether there is an account of this name, or was one: its history stays."""
    with engine.connect() as connection:
        return connection.execute(_WAS_EVER, {"account": name}).first() is not None


_ZONES: Final = table("pg_timezone_names", column("name"))
_KNOWS_ZONE: Final = select(_ZONES.c.name).where(_ZONES.c.name == bindparam("zone"))


def knows_zone(engine: Engine, zone: str) -> bool:
    """Say whether the database, which finds the account's midnight, knows a time zone."""
    with engine.connect() as connection:
        return connection.execute(_KNOWS_ZONE, {"zone": zone}).first() is not None


_NAMED: Final = and_(Account.name == bindparam("account"), Account.is_known())
_TOKEN: Final = bindparam("secret", type_=LargeBinary)
_OAUTH: Final = bindparam("grant", type_=LargeBinary)
_REPLACED: Final[Mapping[str, ColumnElement[Any]]] = {
    "token": _TOKEN,
    "oauth": _OAUTH,
    "token_set_at": case((cast(_TOKEN, LargeBinary).is_not(None), func.now())),
    "access_until": null(),
    "refreshing_until": null(),
}
"""The token, or what OAuth gives one for, is replaced: whoever is asking for one for the old must not store it."""
_ROTATE: Final = update(Account).where(_NAMED).values(**_REPLACED)


def add(engine: Engine, settings: Settings, name: str, chosen: Mapping[str, object], credential: Credential) -> bool:
    """Add an account, or revive a removed one, its history with it; false where there is such an account."""
    own = {column: chosen.get(column) for column in SETTABLE} | {"time_zone": chosen.get("time_zone") or ZONE}
    added = insert(Account).values(name=name, **own, **_REPLACED)
    revived = added.on_conflict_do_update(
        index_elements=[Account.name],
        where=~Account.is_known(),
        set_={
            **own,
            **_REPLACED,
            "stopped": Account.stopped_in_all(),
            "stopped_since": null(),
            "parked_until": null(),
            "parked_because": "",
            "paused_at": null(),
            "paused_because": "",
            "in_a_row": 0,
            "removed_at": null(),
        },
    )
    with engine.begin() as connection:
        return bool(connection.execute(revived, _kept(settings, credential)).rowcount)


def change(engine: Engine, name: str, chosen: Mapping[str, object]) -> bool:
    """Set what an account has of its own; nothing of its own where a value is none. False where it is unknown."""
    values = {column: ZONE if column == "time_zone" and not value else value for column, value in chosen.items()}
    with engine.begin() as connection:
        return bool(connection.execute(update(Account).where(_NAMED).values(**values), {"account": name}).rowcount)


def rotate(engine: Engine, settings: Settings, name: str, credential: Credential | None) -> bool:
    """Replace an account's token, or (for none) forget it; false where it is unknown. A pause stays."""
    with engine.begin() as connection:
        return bool(connection.execute(_ROTATE, {"account": name, **_kept(settings, credential)}).rowcount)


def _kept(settings: Settings, credential: Credential | None) -> dict[str, bytes | None]:
    match credential:
        case None:
            return {"secret": None, "grant": None}
        case SecretStr():
            return {"secret": seal(settings, credential.get_secret_value()), "grant": None}
        case Grant():
            return {"secret": None, "grant": sealed(settings, credential)}


_BY_ID: Final = Account.id == bindparam("account")
_LOCK: Final = select(Account.id).where(_BY_ID).with_for_update()
_UNSETTLED: Final = (
    select(Batch.size)
    .where(
        Batch.account_id == bindparam("account"),
        Batch.status.in_([fixed(Status.PENDING), fixed(Status.PROCESSING)]),
    )
    .limit(MANY + 1)
    .subquery()
)
_WAITING: Final = select(
    func.count().label("batches"), cast(func.coalesce(func.sum(_UNSETTLED.c.size), 0), BigInteger).label("records")
)
_REMOVE: Final = (
    update(Account)
    .where(_BY_ID)
    .values(
        removed_at=func.now(),
        token=null(),
        oauth=null(),
        token_set_at=null(),
        access_until=null(),
        refreshing_until=null(),
    )
)


def remove(engine: Engine, account_id: int) -> AccountBusy:
    """Remove an account, its secrets with it, unless something of it waits; give what does.

    Its row is locked against whoever stores its first batch meanwhile: that one waits, or is waited for and counted.
    """
    facts = {"account": account_id}
    with engine.begin() as connection:
        connection.execute(_LOCK, facts)
        (waiting,) = rows_as(AccountBusy, connection.execute(_WAITING, facts))
        if not waiting.batches:
            connection.execute(_REMOVE, facts)
        return waiting
