"""Sessions of the console: begun with a key, good for eight hours at most and no longer than that very key.

What the cookie holds is 256 random bits, of which the database keeps a hash: reading it gives nobody a session.

A sign-in link is a session that has not begun: a row of the same table for five minutes, under a hash of another kind,
so that what a link holds is never accepted as a cookie. Following the link deletes the row and begins the session.
"""

import hashlib
import secrets
from typing import Final

from sqlalchemy import Engine, text

from models.words import Role
from worker.auth.keys import ApiKey

LIFE: Final = 8 * 3600
"""Seconds: a shift."""
LINK_LIFE: Final = 300
"""Seconds within which a sign-in link must be followed."""
_GOOD: Final = """
    k.revoked_at IS NULL AND (k.hash = {0}.key_hash OR (k.old_hash = {0}.key_hash AND k.old_until > now()))"""


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
    return _find(engine, _hash(token))


def end(engine: Engine, token: str) -> None:
    """End a session."""
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sessions WHERE hash = :hash"), {"hash": _hash(token)})


def make_link(engine: Engine, key_name: str) -> str | None:
    """Make what a sign-in link holds, for an operator's key; none where there is no such key."""
    token = secrets.token_urlsafe(15)  # short enough for one line of a terminal
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM sessions WHERE ends_at <= now()"))
        made = connection.execute(
            text("""
            INSERT INTO sessions (hash, key_id, key_hash, ends_at)
            SELECT :hash, id, hash, now() + :life * interval '1 second' FROM keys
            WHERE name = :name AND role = :operator AND revoked_at IS NULL"""),
            {"hash": _link_hash(token), "life": LINK_LIFE, "name": key_name, "operator": Role.OPERATOR},
        )
        return token if made.rowcount else None


def find_link(engine: Engine, token: str) -> ApiKey | None:
    """Say whose session a link would begin, without using it; none where it was used, or its time is over."""
    return _find(engine, _link_hash(token))


def follow(engine: Engine, token: str) -> str | None:
    """Use a link up and begin its session; give what the cookie is to hold, or none where the link is not good."""
    cookie = secrets.token_urlsafe(32)
    with engine.begin() as connection:
        begun = connection.execute(
            text(f"""
            WITH link AS (DELETE FROM sessions WHERE hash = :link AND ends_at > now() RETURNING key_id, key_hash)
            INSERT INTO sessions (hash, key_id, key_hash, ends_at)
            SELECT :hash, link.key_id, link.key_hash, now() + :life * interval '1 second'
            FROM link JOIN keys k ON k.id = link.key_id WHERE {_GOOD.format("link")}"""),
            {"link": _link_hash(token), "hash": _hash(cookie), "life": LIFE},
        )
        return cookie if begun.rowcount else None


def _find(engine: Engine, hashed: bytes) -> ApiKey | None:
    with engine.connect() as connection:
        row = connection.execute(
            text(f"""
            SELECT k.id, k.name, k.role FROM sessions s JOIN keys k ON k.id = s.key_id
            WHERE s.hash = :hash AND s.ends_at > now() AND {_GOOD.format("s")}"""),
            {"hash": hashed},
        ).one_or_none()
    return None if row is None else ApiKey(row.id, row.name, Role(row.role), {})


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _link_hash(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), digest_size=32, person=b"sign-in link").digest()
