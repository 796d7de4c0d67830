"""The roster of the accounts: added, set, rotated, removed, and shown; a token goes in and never comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import Engine, Row, text

from hubspot_api.oauth import Grant
from models.message import DEFAULT_ACCOUNT
from worker.accounts.destination import daily_limit
from worker.accounts.state import ENDED_STOP
from worker.accounts.token_renewal import sealed
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


def listed(engine: Engine, settings: Settings, name: str | None = None) -> list[dict[str, Any]]:
    """Show the accounts, or the one of this name: what holds for each, and which of it is its own."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT *, coalesce(parked_until > now(), false) AS parked FROM accounts
            WHERE removed_at IS NULL AND (CAST(:name AS text) IS NULL OR name = :name)
            ORDER BY name"""),
            {"name": name},
        ).all()
    return [_shown(row, settings) for row in rows]


def _shown(row: Row[Any], settings: Settings) -> dict[str, Any]:
    own = [column for column in SETTABLE if getattr(row, column) not in {None, ZONE}]
    holds = {column: getattr(row, column) or getattr(settings, column) for column in SETTABLE if column != "time_zone"}
    return {
        "name": row.name,
        **holds,
        "daily_limit": daily_limit(settings, row),
        "time_zone": row.time_zone,
        "own": own,
        "token": _token(row),
        "token_set_at": row.token_set_at,
        "access_until": row.access_until,
        "paused_at": row.paused_at,
        "paused_because": row.paused_because,
        "parked_until": row.parked_until if row.parked else None,
        "parked_because": row.parked_because if row.parked else "",
        "created_at": row.created_at,
    }


def _token(row: Row[Any]) -> str:
    if row.oauth is not None:
        return BY_OAUTH
    if row.token is not None:
        return "its own"
    return "the settings'" if row.name == DEFAULT_ACCOUNT else "missing"


def knows_zone(engine: Engine, zone: str) -> bool:
    """Say whether the database, which finds the account's midnight, knows a time zone."""
    with engine.connect() as connection:
        known = connection.execute(text("SELECT FROM pg_timezone_names WHERE name = :zone"), {"zone": zone})
        return known.first() is not None


def add(engine: Engine, settings: Settings, name: str, chosen: Mapping[str, object], credential: Credential) -> bool:
    """Add an account, or revive a removed one, its history with it; false where there is such an account."""
    values = {column: chosen.get(column) for column in SETTABLE} | _kept(settings, credential) | {"name": name}
    values["time_zone"] = values["time_zone"] or ZONE
    columns = [*SETTABLE, "token", "oauth"]
    with engine.begin() as connection:
        revived = connection.execute(
            text(f"""
            UPDATE accounts SET {", ".join(f"{column} = :{column}" for column in columns)}, {REPLACED},
              {ENDED_STOP}, paused_at = NULL, paused_because = '', in_a_row = 0, removed_at = NULL
            WHERE name = :name AND removed_at IS NOT NULL"""),
            values,
        )
        if revived.rowcount:
            return True
        added = connection.execute(
            text(f"""
            INSERT INTO accounts (name, {", ".join(columns)}, token_set_at)
            VALUES (:name, {", ".join(f":{column}" for column in columns)},
              CASE WHEN CAST(:token AS bytea) IS NOT NULL THEN now() END)
            ON CONFLICT DO NOTHING"""),
            values,
        )
        return bool(added.rowcount)


def change(engine: Engine, name: str, chosen: Mapping[str, object]) -> bool:
    """Set what an account has of its own; nothing of its own where a value is none. False where it is unknown."""
    values = {column: ZONE if column == "time_zone" and not value else value for column, value in chosen.items()}
    assignments = ", ".join(f"{column} = :{column}" for column in SETTABLE if column in values)
    with engine.begin() as connection:
        changed = connection.execute(
            text(f"UPDATE accounts SET {assignments} WHERE name = :name AND removed_at IS NULL"),
            values | {"name": name},
        )
        return bool(changed.rowcount)


REPLACED: Final = """
token_set_at = CASE WHEN CAST(:token AS bytea) IS NOT NULL THEN now() END, access_until = NULL,
refreshing_until = NULL"""
"""The token, or what OAuth gives one for, is replaced: whoever is asking for one for the old must not store it."""


def rotate(engine: Engine, settings: Settings, name: str, credential: Credential | None) -> bool:
    """Replace an account's token, or (for none) forget it; false where it is unknown. A pause stays."""
    with engine.begin() as connection:
        changed = connection.execute(
            text(f"""
            UPDATE accounts SET token = :token, oauth = :oauth, {REPLACED}
            WHERE name = :name AND removed_at IS NULL"""),
            _kept(settings, credential) | {"name": name},
        )
        return bool(changed.rowcount)


def _kept(settings: Settings, credential: Credential | None) -> dict[str, object]:
    match credential:
        case None:
            return {"token": None, "oauth": None}
        case SecretStr():
            return {"token": seal(settings, credential.get_secret_value()), "oauth": None}
        case Grant():
            return {"token": None, "oauth": sealed(settings, credential)}


def remove(engine: Engine, account_id: int) -> AccountBusy:
    """Remove an account, its secrets with it, unless something of it waits; give what does.

    Its row is locked against whoever stores its first batch meanwhile: that one waits, or is waited for and counted.
    """
    with engine.begin() as connection:
        connection.execute(text("SELECT FROM accounts WHERE id = :id FOR UPDATE"), {"id": account_id})
        waiting = connection.execute(
            text(f"""
            SELECT count(*) AS batches, coalesce(sum(size), 0)::bigint AS records FROM (
              SELECT size FROM batches WHERE account_id = :id AND status IN ('PENDING', 'PROCESSING')
              LIMIT {MANY + 1}) few"""),
            {"id": account_id},
        ).one()
        if not waiting.batches:
            connection.execute(
                text("""
                UPDATE accounts SET removed_at = now(), token = NULL, oauth = NULL, token_set_at = NULL,
                  access_until = NULL, refreshing_until = NULL WHERE id = :id"""),
                {"id": account_id},
            )
        return AccountBusy(waiting.batches, waiting.records)
