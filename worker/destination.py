"""Where an account's batches go, and within which limits: its row, and the settings where the row is silent."""

from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import Engine, text

from worker.secrets import cipher
from worker.settings import Settings


class UnknownAccount(Exception):  # noqa: N818 - it is a state of the world
    """There is no such account."""


@dataclass(frozen=True, slots=True)
class Destination:
    """An account at HubSpot: how to reach it, its limits (calls per `burst_seconds`, calls a day) and its day."""

    account_id: int
    account: str
    url: str
    version: str
    token: SecretStr
    burst_limit: int
    burst_seconds: float
    daily_limit: int
    batch_size: int
    time_zone: str


def destination(engine: Engine, settings: Settings, account: str) -> Destination:
    """Look an account up.

    Raises:
        UnknownAccount: where nobody added it.

    """
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM accounts WHERE name = :name"), {"name": account}).one_or_none()
    if row is None:
        raise UnknownAccount(account)
    token = settings.hubspot_token
    if row.token is not None:
        token = SecretStr(cipher(settings).decrypt(bytes(row.token)).decode())
    return Destination(
        account_id=row.id,
        account=row.name,
        url=(row.hubspot_url or settings.hubspot_url).rstrip("/"),
        version=row.hubspot_version or settings.hubspot_version,
        token=token,
        burst_limit=row.burst_limit or settings.burst_limit,
        burst_seconds=row.burst_seconds or settings.burst_seconds,
        daily_limit=row.daily_limit or settings.daily_limit,
        batch_size=row.batch_size or settings.batch_size,
        time_zone=row.time_zone,
    )
