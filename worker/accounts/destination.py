"""Where an account's batches go, and within which limits: its row, and the settings where the row is silent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr
from sqlalchemy import Engine, bindparam, case, func, select

from models.message import DEFAULT_ACCOUNT
from models.tables import Account
from worker.accounts import state, token_renewal
from worker.database import rows_as
from worker.encryption import unseal
from worker.log import get_logger
from worker.setting_sources import SettingsError
from worker.settings import Settings

log = get_logger(__name__)

SCOPES: Final = "crm.objects.marketing_events."
"""The token's app needs two of them: `…write` to send, `…read` to read back."""
FORBIDDEN: Final = 403


class NoDestination(Exception):  # noqa: N818 - it is a state of the world
    """Nothing can be sent for this account now; a log names it where it is one of ours."""

    account: str | None = None


class UnknownAccount(NoDestination):
    """There is no such account, or no longer."""


class NoToken(NoDestination):
    """There is nothing to send with; where that is not for a moment the account is paused or parked, and says why."""

    def __init__(self, account: str) -> None:
        super().__init__(account)
        self.account = account


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as it is kept: its secrets, sealed; limits and address of its own, where it has any; what stops it."""

    id: int
    name: str
    hubspot_url: str | None
    hubspot_version: str | None
    burst_limit: int | None
    burst_seconds: float | None
    daily_limit: int | None
    batch_size: int | None
    time_zone: str
    token: bytes | None
    token_set_at: datetime | None
    oauth: bytes | None
    access_until: datetime | None
    paused_at: datetime | None
    paused_because: str
    parked_until: datetime | None
    """None once that time has come."""
    parked_because: str
    created_at: datetime
    ended: bool
    """OAuth's access token has ended, or never began."""
    ending: bool
    """It is time to ask for another."""

    def calls_a_day(self, settings: Settings) -> int | None:
        """Give its calls a day; none where they are not limited: an OAuth app has only HubSpot's burst limit."""
        return self.daily_limit or (settings.daily_limit if self.oauth is None else None)


_PARKED: Final = Account.parked_until > func.now()
ACCOUNTS: Final = select(
    Account.id,
    Account.name,
    Account.hubspot_url,
    Account.hubspot_version,
    Account.burst_limit,
    Account.burst_seconds,
    Account.daily_limit,
    Account.batch_size,
    Account.time_zone,
    Account.token,
    Account.token_set_at,
    Account.oauth,
    Account.access_until,
    Account.paused_at,
    Account.paused_because,
    case((_PARKED, Account.parked_until)).label("parked_until"),
    case((_PARKED, Account.parked_because), else_="").label("parked_because"),
    Account.created_at,
    token_renewal.ends_within(0).label("ended"),
    token_renewal.ends_within(token_renewal.EARLY).label("ending"),
).where(Account.is_known())
"""Each account that was not removed, as an `AccountRow`."""
_NAMED: Final = ACCOUNTS.where(Account.name == bindparam("account"))


@dataclass(frozen=True, slots=True)
class Destination:
    """An account at HubSpot: how to reach it, its limits (calls per `burst_seconds`, and a day if any), its day."""

    account_id: int
    account: str
    url: str
    version: str
    token: SecretStr
    burst_limit: int
    burst_seconds: float
    daily_limit: int | None
    batch_size: int
    time_zone: str
    most_burst: int | None
    """Its own burst limit, which holds although HubSpot would allow more."""
    token_set_at: datetime | None
    """Since when it has this token; none where that is the settings'."""

    def remedy(self, status: int, *, reading: bool) -> str:
        """Say what to do about a 401 or 403."""
        if status == FORBIDDEN:
            return f"give its app the scope {SCOPES}{'read' if reading else 'write'}"
        if self.token_set_at is None:
            return "set the right TURNOUT_HUBSPOT_TOKEN and restart"
        return f"give it the right token: turnout accounts rotate {self.account}"


def destination(engine: Engine, settings: Settings, account: str) -> Destination:
    """Look an account up; one that can never be sent for as it is gets paused.

    Raises:
        UnknownAccount: where nobody added it, or it was removed.
        NoToken: where there is nothing to send with.

    """
    row = _row(engine, account)
    url = (row.hubspot_url or settings.hubspot_url).rstrip("/")
    try:
        if row.oauth is not None and row.ending:
            token_renewal.renew(engine, settings, row.id, url)
            row = _row(engine, account)
        token = _token(settings, row)
    except SettingsError as error:
        token = f"its token cannot be read: {error}"
    if isinstance(token, str):
        if token and row.paused_at is None:
            log.error("account paused", account=account, reason="no usable token")
            state.pause(engine, row.id, token)
        raise NoToken(account)
    return Destination(
        account_id=row.id,
        account=row.name,
        url=url,
        version=row.hubspot_version or settings.hubspot_version,
        token=token,
        burst_limit=row.burst_limit or settings.burst_limit,
        burst_seconds=row.burst_seconds or settings.burst_seconds,
        daily_limit=row.calls_a_day(settings),
        batch_size=row.batch_size or settings.batch_size,
        time_zone=row.time_zone,
        most_burst=row.burst_limit,
        token_set_at=row.token_set_at,
    )


def _row(engine: Engine, account: str) -> AccountRow:
    with engine.connect() as connection:
        rows = rows_as(AccountRow, connection.execute(_NAMED, {"account": account}))
    if not rows:
        raise UnknownAccount(account)
    return rows[0]


def _token(settings: Settings, row: AccountRow) -> SecretStr | str:
    """Open the account's token, or say why there is none; nothing to say where one is being asked for."""
    if row.oauth is not None and row.ended:
        return ""
    if row.token is not None:
        return SecretStr(unseal(settings, row.token))
    if row.name != DEFAULT_ACCOUNT:  # the settings' token is one portal's, never another's
        return f"it has no token; give it one: turnout accounts rotate {row.name}"
    if not settings.hubspot_token.get_secret_value():
        return "it has no token; set TURNOUT_HUBSPOT_TOKEN and restart, or: turnout accounts rotate default"
    return settings.hubspot_token
