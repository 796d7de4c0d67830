"""Sessions of the console: good for eight hours at most, and no longer than the very key that they were begun with.

A person whom the OpenID Connect provider named has no key: such a session ends after eight hours, or where the settings
name another provider, or none.

What the cookie holds is 256 random bits, of which the database keeps a hash: reading it gives nobody a session.

A sign-in link is a session that has not begun: a row of the same table for five minutes, under a hash of another kind,
so that what a link holds is never accepted as a cookie. Following the link deletes the row and begins the session.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine, and_, bindparam, delete, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from models.tables import Key, Session
from models.words import Role
from worker.auth.keys import ApiKey

LIFE: Final = 8 * 3600
"""Seconds: a shift."""
LINK_LIFE: Final = timedelta(minutes=5)
"""Within which a sign-in link must be followed."""
_COLUMNS: Final = ("hash", "key_id", "key_hash", "ends_at")
_ENDS: Final = func.now() + timedelta(seconds=LIFE)
_OVER: Final = delete(Session).where(Session.ends_at <= func.now())
_FIND: Final = (
    select(func.coalesce(Session.who, Key.name), func.coalesce(Session.role, Key.role))
    .outerjoin(Key, Key.id == Session.key_id)
    .where(
        Session.hash == bindparam("hash"),
        Session.ends_at > func.now(),
        or_(
            Key.accepts(Session.key_hash),
            and_(Session.role.is_not(None), Session.issuer == bindparam("issuer", type_=Session.issuer.type)),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody at the console: a key, or a person, by the name that the audit log has; and the role."""

    name: str
    role: Role


def begin(engine: Engine, key: ApiKey) -> str:
    """Begin a session with a key that was verified; give what the cookie is to hold."""
    token = secrets.token_urlsafe(32)
    session = {"hash": _hash(token), "key_id": key.id, "key_hash": key.hash, "ends_at": _ENDS}
    with engine.begin() as connection:
        connection.execute(_OVER)
        connection.execute(insert(Session).values(session))
    return token


def begin_for(engine: Engine, user: User, issuer: str, attempt: str) -> str | None:
    """Begin the session of a person whom a provider named; none where the attempt has begun one before."""
    token = secrets.token_urlsafe(32)
    attempted = insert(Session).values(hash=_attempt_hash(attempt), ends_at=_ENDS)
    spent = attempted.on_conflict_do_nothing().returning(Session.hash)
    session = {"hash": _hash(token), "who": user.name, "role": user.role, "issuer": issuer, "ends_at": _ENDS}
    with engine.begin() as connection:
        connection.execute(_OVER)
        if connection.execute(spent).first() is None:
            return None
        connection.execute(insert(Session).values(session))
    return token


def find(engine: Engine, token: str, issuer: str) -> User | None:
    """Say whose a session is; none where it ended, its key was revoked or rotated away, or its provider is not this."""
    return _find(engine, _hash(token), issuer)


def end(engine: Engine, token: str) -> bool:
    """End a session; say whether it was that of a person whom a provider named."""
    ended = delete(Session).where(Session.hash == _hash(token)).returning(Session.issuer)
    with engine.begin() as connection:
        return connection.execute(ended).scalar() is not None


def make_link(engine: Engine, key_name: str) -> str | None:
    """Make what a sign-in link holds, for an operator's key; none where there is no such key."""
    token = secrets.token_urlsafe(15)  # short enough for one line of a terminal
    link = select(literal(_link_hash(token)), Key.id, Key.hash, func.now() + LINK_LIFE).where(
        Key.name == key_name, Key.role == Role.OPERATOR, Key.is_valid()
    )
    with engine.begin() as connection:
        connection.execute(_OVER)
        made = connection.execute(insert(Session).from_select(_COLUMNS, link).returning(Session.key_id))
        return None if made.first() is None else token


def find_link(engine: Engine, token: str) -> User | None:
    """Say whose session a link would begin, without using it; none where it was used, or its time is over."""
    return _find(engine, _link_hash(token), "")


def follow(engine: Engine, token: str) -> str | None:
    """Use a link up and begin its session; give what the cookie is to hold, or none where the link is not good."""
    cookie = secrets.token_urlsafe(32)
    link = (
        delete(Session)
        .where(Session.hash == _link_hash(token), Session.ends_at > func.now())
        .returning(Session.key_id, Session.key_hash)
        .cte("link")
    )
    session = (
        select(literal(_hash(cookie)), Key.id, link.c.key_hash, _ENDS)
        .join(link, link.c.key_id == Key.id)
        .where(Key.accepts(link.c.key_hash))
    )
    with engine.begin() as connection:
        begun = connection.execute(insert(Session).from_select(_COLUMNS, session).returning(Session.key_id))
        return None if begun.first() is None else cookie


def _find(engine: Engine, hashed: bytes, issuer: str) -> User | None:
    with engine.connect() as connection:
        row = connection.execute(_FIND, {"hash": hashed, "issuer": issuer}).one_or_none()
    return None if row is None else User(*row)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _link_hash(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), digest_size=32, person=b"sign-in link").digest()


def _attempt_hash(attempt: str) -> bytes:
    return hashlib.blake2b(attempt.encode(), digest_size=32, person=b"openid sign-in").digest()
