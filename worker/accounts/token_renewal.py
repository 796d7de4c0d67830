"""An OAuth account's access token: replaced by the clock before it ends, once for all workers.

Whoever finds it ending claims the asking by a guarded update, asks with no transaction open, and stores what came,
fenced by that claim; the others go on with the old token while it lasts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

import orjson
from pydantic import SecretStr
from sqlalchemy import ColumnElement, Engine, and_, bindparam, case, func, literal_column, null, or_, update

from hubspot_api.oauth import Denied, Grant, Granted, NotNow, refresh
from models.tables import Account, seconds
from worker.accounts import state
from worker.database import rows_as
from worker.encryption import seal, unseal
from worker.log import get_logger
from worker.settings import Settings

log = get_logger(__name__)

EARLY: Final = 300.0
"""Seconds before its end from which a token is replaced: more than a call under way with it can last."""
TIMEOUT: Final = 10.0
"""Seconds for one call to the token endpoint, whole."""
ASKING: Final = 30.0
"""Seconds for which one asks and no other does; outlasts the call."""
FRESH: Final = 60.0
"""Seconds: a token younger than this that HubSpot refuses was never good, and another would be no better."""


_NEVER: Final[ColumnElement[datetime]] = literal_column("'-infinity'")
_ACCOUNT: Final = Account.id == bindparam("account")
_OURS: Final = and_(_ACCOUNT, Account.refreshing_until == bindparam("until"))
"""Nobody has set another token since this asking was claimed."""


def ends_within(wait: float) -> ColumnElement[bool]:
    """Give the condition of an account whose access token ends within so many seconds, or never began."""
    return func.coalesce(Account.access_until, _NEVER) <= func.now() + timedelta(seconds=wait)


_CLAIM: Final = (
    update(Account)
    .where(
        _ACCOUNT,
        Account.oauth.is_not(None),
        Account.is_known(),
        ~Account.is_paused(),
        ends_within(EARLY),
        func.coalesce(Account.refreshing_until, _NEVER) <= func.now(),
    )
    .values(refreshing_until=func.now() + timedelta(seconds=ASKING))
    .returning(
        Account.id.label("account_id"),
        Account.name.label("account"),
        Account.oauth,
        Account.refreshing_until.label("until"),
        ends_within(0).label("ended"),
    )
)
_STORE: Final = (
    update(Account)
    .where(_OURS)
    .values(
        token=bindparam("access"),
        token_set_at=func.now(),
        oauth=bindparam("sealed"),
        refreshing_until=null(),
        # Its life is counted from before the call, by the database's clock.
        access_until=Account.refreshing_until - timedelta(seconds=ASKING) + seconds("life"),
    )
)
_WAIT: Final = update(Account).where(_OURS).values(refreshing_until=func.now() + seconds("wait"))
_END: Final = update(Account).where(_OURS).values(refreshing_until=null())
_SENT: Final = bindparam("sent", type_=Account.token_set_at.type)
_OUTDATE: Final = (
    update(Account)
    .where(
        _ACCOUNT,
        or_(
            Account.token_set_at.is_distinct_from(_SENT),
            and_(Account.oauth.is_not(None), Account.token_set_at < func.now() - timedelta(seconds=FRESH)),
        ),
    )
    .values(access_until=case((Account.token_set_at == _SENT, func.now()), else_=Account.access_until))
)


def sealed(settings: Settings, grant: Grant) -> bytes:
    """Encrypt what access tokens are asked with."""
    fields = {
        "client_id": grant.client_id,
        "client_secret": grant.client_secret.get_secret_value(),
        "refresh_token": grant.refresh_token.get_secret_value(),
    }
    return seal(settings, orjson.dumps(fields).decode())


def unsealed(settings: Settings, kept: bytes) -> Grant:
    """Decrypt what access tokens are asked with.

    Raises:
        SettingsError: where the settings' key is not the one it was encrypted with.

    """
    fields = orjson.loads(unseal(settings, kept))
    return Grant(fields["client_id"], SecretStr(fields["client_secret"]), SecretStr(fields["refresh_token"]))


@dataclass(frozen=True, slots=True)
class _Asking:
    """Leave to ask for an account's access token."""

    account_id: int
    account: str
    oauth: bytes
    until: datetime
    """Until then nobody else asks; it is the fence of whoever asks, too."""
    ended: bool
    """There is no token to go on with."""


def renew(engine: Engine, settings: Settings, account_id: int, url: str) -> None:
    """Replace an access token that is ending, unless somebody else is at it.

    Where HubSpot denies one the account is paused; where it gives none now and the old one has ended, parked.

    Raises:
        SettingsError: where the settings' key does not open what it would be asked with.

    """
    asking = _claim(engine, account_id)
    if asking is None:
        return
    grant = unsealed(settings, asking.oauth)
    answer = refresh(url, grant, TIMEOUT, settings.egress)
    match answer:
        case Granted():
            _store(engine, settings, asking, grant, answer)
        case NotNow(because, wait):
            log.warning("no new access token", account=asking.account, wait_s=round(wait))
            _wait(engine, asking, wait, f"HubSpot gives no access token now: {because}")
        case Denied(because):
            log.error("access token denied", account=asking.account)
            if _is_still(engine, asking):
                state.pause(
                    engine,
                    account_id,
                    f"HubSpot denies an access token for its refresh token: {because}; install the app again and give"
                    f" its refresh token: turnout accounts rotate {asking.account}",
                )
        case _:
            assert_never(answer)


def outdated(engine: Engine, account_id: int, token_set_at: datetime | None) -> bool:
    """Say whether a token that HubSpot refused was only old: replaced meanwhile, or one that OAuth can replace now.

    The latter then counts as ended, so that whoever sends next asks for another.
    """
    with engine.begin() as connection:
        return bool(connection.execute(_OUTDATE, {"account": account_id, "sent": token_set_at}).rowcount)


def _claim(engine: Engine, account_id: int) -> _Asking | None:
    with engine.begin() as connection:
        claimed = rows_as(_Asking, connection.execute(_CLAIM, {"account": account_id}))
    return claimed[0] if claimed else None


def _store(engine: Engine, settings: Settings, asking: _Asking, grant: Grant, granted: Granted) -> None:
    """Store a token, unless the operator has set another meanwhile."""
    renewed = Grant(grant.client_id, grant.client_secret, granted.refresh_token or grant.refresh_token)
    facts = {
        "account": asking.account_id,
        "until": asking.until,
        "access": seal(settings, granted.access_token.get_secret_value()),
        "sealed": sealed(settings, renewed),
        "life": granted.seconds,
    }
    with engine.begin() as connection:
        stored = connection.execute(_STORE, facts)
    if stored.rowcount:
        log.info("new access token", account=asking.account, seconds=round(granted.seconds))


def _wait(engine: Engine, asking: _Asking, wait: float, because: str) -> None:
    facts = {"account": asking.account_id, "until": asking.until, "wait": wait}
    with engine.begin() as connection:
        waits = connection.execute(_WAIT, facts)
    if waits.rowcount and asking.ended:
        state.park(engine, asking.account_id, wait, because)


def _is_still(engine: Engine, asking: _Asking) -> bool:
    """Let others ask again, and say whether nobody has set another refresh token meanwhile."""
    with engine.begin() as connection:
        return bool(connection.execute(_END, {"account": asking.account_id, "until": asking.until}).rowcount)
