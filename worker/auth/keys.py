"""Keys to the HTTP door and the console: shown once, kept as a hash, rotated with an overlap, revoked.

A key is `turnout_<number>_<secret>`: the number finds its row, the secret (256 random bits, so a plain hash of it is
enough) is compared in constant time.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Engine, text

from models.words import Role

OVERLAP: Final = 86_400.0
"""Seconds for which a rotated key is still good beside the new one."""
_SHAPE: Final = re.compile(r"turnout_([0-9]{1,9})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A good key: whose, what it may do, and the accounts that it reaches, by name (all, but for a producer's)."""

    id: int
    name: str
    role: Role
    accounts: Mapping[str, int]
    hash: bytes = field(default=b"", repr=False)
    """Of the secret it was presented with: after a rotation the old one and the new one differ."""


class NameTaken(Exception):  # noqa: N818 - it is a state of the world
    """There is a key of this name already."""


def create(engine: Engine, name: str, role: Role, account_ids: Sequence[int] = ()) -> str:
    """Make a key, and give it; nobody can ever read it again.

    Raises:
        NameTaken: where a key that is not revoked has this name.

    """
    secret = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        number = connection.execute(
            text("""
            INSERT INTO keys (name, role, account_ids, hash) VALUES (:name, :role, :account_ids, :hash)
            ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING RETURNING id"""),
            {"name": name, "role": role, "account_ids": list(account_ids), "hash": _hash(secret)},
        ).scalar()
    if number is None:
        raise NameTaken(name)
    return f"turnout_{number}_{secret}"


def rotate(engine: Engine, name: str, overlap: float = OVERLAP) -> str | None:
    """Replace a key, and give the new one; the old one is good for so many seconds more. None where there is none.

    A key has two at most: the one before the old one, where it was still good, ends now.
    """
    secret = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        number = connection.execute(
            text("""
            UPDATE keys SET old_hash = hash, old_until = now() + :overlap * interval '1 second', hash = :hash
            WHERE name = :name AND revoked_at IS NULL RETURNING id"""),
            {"name": name, "overlap": overlap, "hash": _hash(secret)},
        ).scalar()
    return None if number is None else f"turnout_{number}_{secret}"


def revoke(engine: Engine, name: str) -> bool:
    """Let a key be good no longer, from the next request on; false where there is none."""
    with engine.begin() as connection:
        revoked = connection.execute(
            text("UPDATE keys SET revoked_at = now() WHERE name = :name AND revoked_at IS NULL"), {"name": name}
        )
        return bool(revoked.rowcount)


def listed(engine: Engine) -> list[dict[str, Any]]:
    """Show the keys that are good and what a producer's reaches, never the keys themselves."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT k.name, k.role, ARRAY(
                SELECT a.name FROM accounts a
                WHERE a.id = ANY(k.account_ids) AND a.removed_at IS NULL ORDER BY a.name) AS accounts,
              k.webhook_url AS webhook, k.created_at, k.used_at,
              CASE WHEN k.old_until > now() THEN k.old_until END AS old_until
            FROM keys k WHERE k.revoked_at IS NULL ORDER BY k.name""")
        )
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - its public name


def verify(connection: Connection, presented: str) -> ApiKey | None:
    """Find out whose a presented key is; none where it is not good."""
    shape = _SHAPE.fullmatch(presented)
    if shape is None:
        return None
    row = connection.execute(
        text("""
        SELECT k.*, coalesce(k.old_until > now(), false) AS old_is_good,
          coalesce(k.used_at < now() - interval '1 minute', true) AS unnoted,
          (SELECT json_object_agg(a.name, a.id) FROM accounts a WHERE a.removed_at IS NULL
            AND (k.role <> 'producer' OR a.id = ANY(k.account_ids))) AS accounts
        FROM keys k WHERE k.id = :id AND k.revoked_at IS NULL"""),
        {"id": int(shape[1])},
    ).one_or_none()
    hashed = _hash(shape[2])
    good = hmac.compare_digest(hashed, bytes(row.hash) if row else b"")
    old = hmac.compare_digest(hashed, bytes(row.old_hash) if row and row.old_hash and row.old_is_good else b"")
    if row is None or not (good or old):
        return None
    if row.unnoted:
        connection.execute(text("UPDATE keys SET used_at = date_trunc('minute', now()) WHERE id = :id"), {"id": row.id})
    return ApiKey(row.id, row.name, Role(row.role), row.accounts or {}, hashed)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
