"""An OAuth account's access token: replaced by the clock before it ends, once for all workers.

Whoever finds it ending claims the asking by a guarded update, asks with no transaction open, and stores what came,
fenced by that claim; the others go on with the old token while it lasts.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, assert_never

import orjson
from pydantic import SecretStr
from sqlalchemy import Engine, Row, text

from hubspot_api.oauth import Denied, Grant, Granted, NotNow, refresh
from worker.accounts import state
from worker.encryption import seal, unseal
from worker.settings import Settings

log = logging.getLogger(__name__)

EARLY: Final = 300.0
"""Seconds before its end from which a token is replaced: more than a call under way with it can last."""
TIMEOUT: Final = 10.0
"""Seconds for one call to the token endpoint, whole."""
ASKING: Final = 30.0
"""Seconds for which one asks and no other does; outlasts the call."""
FRESH: Final = 60.0
"""Seconds: a token younger than this that HubSpot refuses was never good, and another would be no better."""


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
    """Leave to ask: until when nobody else does, which is its fence too; `ended`: there is no token to go on with."""

    account_id: int
    account: str
    until: datetime
    ended: bool


def renew(engine: Engine, settings: Settings, account_id: int, url: str) -> None:
    """Replace an access token that is ending, unless somebody else is at it.

    Where HubSpot denies one the account is paused; where it gives none now and the old one has ended, parked.

    Raises:
        SettingsError: where the settings' key does not open what it would be asked with.

    """
    claimed = _claim(engine, account_id)
    if claimed is None:
        return
    grant = unsealed(settings, claimed.oauth)
    asking = _Asking(account_id, claimed.name, claimed.refreshing_until, claimed.ended)
    answer = refresh(url, grant, TIMEOUT)
    match answer:
        case Granted():
            _store(engine, settings, asking, grant, answer)
        case NotNow(because, seconds):
            log.warning("account %s: no new access token (%s); asked again in %.0f s", asking.account, because, seconds)
            _wait(engine, asking, seconds, f"HubSpot gives no access token now: {because}")
        case Denied(because):
            log.error("account %s: HubSpot denies an access token: %s", asking.account, because)
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
        changed = connection.execute(
            text("""
            UPDATE accounts SET access_until = CASE WHEN token_set_at = :sent THEN now() ELSE access_until END
            WHERE id = :id AND (token_set_at IS DISTINCT FROM :sent
              OR oauth IS NOT NULL AND token_set_at < now() - :fresh * interval '1 second')"""),
            {"id": account_id, "sent": token_set_at, "fresh": FRESH},
        )
        return bool(changed.rowcount)


def _claim(engine: Engine, account_id: int) -> Row[Any] | None:
    with engine.begin() as connection:
        return connection.execute(
            text("""
            UPDATE accounts SET refreshing_until = now() + :asking * interval '1 second'
            WHERE id = :id AND oauth IS NOT NULL AND removed_at IS NULL AND paused_at IS NULL
              AND coalesce(access_until, '-infinity') <= now() + :early * interval '1 second'
              AND coalesce(refreshing_until, '-infinity') <= now()
            RETURNING name, oauth, refreshing_until, coalesce(access_until, '-infinity') <= now() AS ended"""),
            {"id": account_id, "asking": ASKING, "early": EARLY},
        ).one_or_none()


def _store(engine: Engine, settings: Settings, asking: _Asking, grant: Grant, granted: Granted) -> None:
    """Store a token, unless the operator has set another meanwhile."""
    renewed = Grant(grant.client_id, grant.client_secret, granted.refresh_token or grant.refresh_token)
    with engine.begin() as connection:
        stored = connection.execute(
            text("""
            UPDATE accounts SET token = :token, token_set_at = now(), oauth = :oauth, refreshing_until = NULL,
              access_until = :until - (:asking - :seconds) * interval '1 second'
            WHERE id = :id AND refreshing_until = :until"""),
            {
                "id": asking.account_id,
                "token": seal(settings, granted.access_token.get_secret_value()),
                "oauth": sealed(settings, renewed),
                "seconds": granted.seconds,
                "asking": ASKING,  # so its life is counted from before the call, by the database's clock
                "until": asking.until,
            },
        )
    if stored.rowcount:
        log.info("account %s has a new access token for %.0f s", asking.account, granted.seconds)


def _wait(engine: Engine, asking: _Asking, seconds: float, because: str) -> None:
    with engine.begin() as connection:
        waits = connection.execute(
            text("""
            UPDATE accounts SET refreshing_until = now() + :seconds * interval '1 second'
            WHERE id = :id AND refreshing_until = :until"""),
            {"id": asking.account_id, "seconds": seconds, "until": asking.until},
        )
    if waits.rowcount and asking.ended:
        state.park(engine, asking.account_id, seconds, because)


def _is_still(engine: Engine, asking: _Asking) -> bool:
    """Let others ask again, and say whether nobody has set another refresh token meanwhile."""
    with engine.begin() as connection:
        changed = connection.execute(
            text("UPDATE accounts SET refreshing_until = NULL WHERE id = :id AND refreshing_until = :until"),
            {"id": asking.account_id, "until": asking.until},
        )
        return bool(changed.rowcount)
