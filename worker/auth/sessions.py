"""Sessions of the console: begun with a key, good for eight hours at most and no longer than that very key.

What the cookie holds is 256 random bits, of which the database keeps a hash: reading it gives nobody a session.
"""

import hashlib
import secrets
from typing import Final

from sqlalchemy import Engine, text

from models.words import Role
from worker.auth.keys import ApiKey

LIFE: Final = 8 * 3600
"""Seconds: a shift."""


def begin(engine: Engine, key: ApiKey) -> str:
    """Begin a session with a key that was verified; give what the cookie is to hold."""
    token = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sessions WHERE ends_at <= now()"))
        connection.execute(
            text("""
            INSERT INTO sessions (hash, key_id, key_hash, ends_at)
            VALUES (:hash, :key_id, :key_hash, now() + :life * interval '1 second')"""),
            {"hash": _hash(token), "key_id": key.id, "key_hash": key.hash, "life": LIFE},
        )
    return token


def find(engine: Engine, token: str) -> ApiKey | None:
    """Say whose a session is; none where it ended, or its key was revoked or rotated away."""
    with engine.connect() as connection:
        row = connection.execute(
            text("""
            SELECT k.id, k.name, k.role FROM sessions s JOIN keys k ON k.id = s.key_id
            WHERE s.hash = :hash AND s.ends_at > now() AND k.revoked_at IS NULL
              AND (k.hash = s.key_hash OR (k.old_hash = s.key_hash AND k.old_until > now()))"""),
            {"hash": _hash(token)},
        ).one_or_none()
    return None if row is None else ApiKey(row.id, row.name, Role(row.role), {})


def end(engine: Engine, token: str) -> None:
    """End a session."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sessions WHERE hash = :hash"), {"hash": _hash(token)})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
