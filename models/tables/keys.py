"""Keys of producers and operators, who is signed in by one, and the database's secrets."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Identity as Identified,
    Index,
    Integer,
    SQLColumnExpression,
    and_,
    func,
    or_,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import NOW, Base
from models.words import Role


class Key(Base):
    """A key to the HTTP door or the console; the key itself is shown once, and kept only as a hash."""

    __tablename__ = "keys"
    __table_args__ = (Index("uq_keys_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),)

    id: Mapped[int] = mapped_column(Integer, Identified(always=True), primary_key=True)
    name: Mapped[str]
    role: Mapped[Role]
    account_ids: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    """The accounts that a producer's key reaches; an operator's and a viewer's reach all."""
    hash: Mapped[bytes]
    old_hash: Mapped[bytes | None]
    """The key's before it was rotated, good until `old_until`."""
    old_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]
    webhook_url: Mapped[str | None]
    """Where its submissions are told of when they fail or are finished; none: nowhere."""
    webhook_secret: Mapped[bytes | None]
    """What that is signed with, encrypted."""
    webhook_failures: Mapped[int] = mapped_column(Integer, server_default="0")
    """Times in a row that it did not take what it was told."""
    webhook_due_at: Mapped[datetime | None]
    """Until then it is told nothing: it failed just now."""
    webhook_error: Mapped[str] = mapped_column(server_default="")
    """Why it failed last; nothing once it takes something again."""

    @classmethod
    def is_valid(cls) -> ColumnElement[bool]:
        """Give the condition of a key that was not revoked."""
        return cls.revoked_at.is_(None)

    @classmethod
    def has_webhook(cls) -> ColumnElement[bool]:
        """Give the condition of a key whose webhook is told: it has one, and is not revoked."""
        return and_(cls.webhook_url.is_not(None), cls.is_valid())

    @classmethod
    def takes_posts(cls) -> ColumnElement[bool]:
        """Give the condition of a key whose webhook may be posted to now: it has one that did not fail just now."""
        return and_(cls.has_webhook(), func.coalesce(cls.webhook_due_at <= func.now(), true()))

    @classmethod
    def accepts(cls, hashed: SQLColumnExpression[bytes] | SQLColumnExpression[bytes | None]) -> ColumnElement[bool]:
        """Give the condition of a key that a secret of this hash is good for: its own, or the one before it still."""
        before = and_(cls.old_hash == hashed, cls.old_until > func.now())
        return and_(cls.is_valid(), or_(cls.hash == hashed, before))


class Session(Base):
    """Somebody who signed in to the console, or may by a link. It holds while the very key it is tied to is good.

    A person whom the OpenID Connect provider named has no key: name and role stand here, and hold while that provider
    is the settings'. A row with neither notes that a sign-in at the provider was used up.
    """

    __tablename__ = "sessions"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    """Of what the cookie holds; or, in other ways, of what a sign-in link holds, and what a sign-in was begun with."""
    key_id: Mapped[int | None] = mapped_column(Integer)
    key_hash: Mapped[bytes | None]
    who: Mapped[str | None]
    """A person's name and subject, as the audit log has them."""
    role: Mapped[Role | None]
    issuer: Mapped[str | None]
    ends_at: Mapped[datetime]


class Secret(Base):
    """A key made once for this database, encrypted with the settings' key."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    ciphertext: Mapped[bytes]
