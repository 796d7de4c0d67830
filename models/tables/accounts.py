"""Accounts, whose row every claim looks at."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Identity as Identified, Integer, Text, and_, case, func, literal_column, or_, text
from sqlalchemy.orm import Mapped, mapped_column

from models.tables.base import NOW, Base


class Account(Base):
    """A HubSpot portal. One row, so that pausing or parking it is one update, which every claim looks at."""

    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(Integer, Identified(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    token: Mapped[bytes | None]
    """What is sent, encrypted, as everything secret here; none: the settings hold it, or OAuth gave none yet."""
    token_set_at: Mapped[datetime | None]
    oauth: Mapped[bytes | None]
    """Client id, client secret and refresh token, encrypted JSON."""
    access_until: Mapped[datetime | None]
    """When the access token that OAuth gave ends."""
    refreshing_until: Mapped[datetime | None]
    """Until then nobody else asks OAuth for an access token: somebody is asking, or HubSpot said to wait."""
    hubspot_url: Mapped[str | None]
    hubspot_version: Mapped[str | None]
    burst_limit: Mapped[int | None] = mapped_column(Integer)
    burst_seconds: Mapped[float | None]
    daily_limit: Mapped[int | None] = mapped_column(Integer)
    batch_size: Mapped[int | None] = mapped_column(Integer)
    """These seven are the settings' where they are none."""
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    """Whose midnight begins the account's day."""
    paused_at: Mapped[datetime | None]
    paused_because: Mapped[str] = mapped_column(server_default="")
    parked_until: Mapped[datetime | None]
    parked_because: Mapped[str] = mapped_column(server_default="")
    in_a_row: Mapped[int] = mapped_column(Integer, server_default="0")
    """Ambiguous answers with no other answer between; from `OUTAGE` on one probe is sent at a time."""
    unknown_events: Mapped[list[int]] = mapped_column(server_default="{}")
    """Events that HubSpot did not know (404) since it last accepted something."""
    stopped_since: Mapped[datetime | None]
    """Since when it is paused, parked or backed off, until it sends again."""
    stopped: Mapped[timedelta] = mapped_column(server_default=text("interval '0'"))
    """All such time before that: no batch's age counts it."""
    removed_at: Mapped[datetime | None]
    """Since when nobody knows it any more; its history stays, and adding it again revives it."""
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)

    @classmethod
    def is_known(cls) -> ColumnElement[bool]:
        """Give the condition of an account that was not removed."""
        return cls.removed_at.is_(None)

    @classmethod
    def is_paused(cls) -> ColumnElement[bool]:
        """Give the condition of an account that an operator, or an answer of HubSpot, paused."""
        return cls.paused_at.is_not(None)

    @classmethod
    def may_send(cls) -> ColumnElement[bool]:
        """Give the condition of an account that is neither paused nor parked."""
        return and_(~cls.is_paused(), or_(cls.parked_until.is_(None), cls.parked_until <= func.now()))

    @classmethod
    def stopped_in_all(cls) -> ColumnElement[timedelta]:
        """Give how long it was stopped until now; no batch's age counts that time."""
        return cls.stopped + func.coalesce(func.now() - cls.stopped_since, literal_column("interval '0'"))

    @classmethod
    def stopped_because(cls) -> ColumnElement[str | None]:
        """Give why an account does not send, and until when, as people read it; null where it sends."""
        return case(
            (~cls.is_known(), literal_column("'account removed: add it again, or cancel them'", Text)),
            (cls.is_paused(), literal_column("'account paused: '", Text).concat(cls.paused_because)),
            (
                cls.parked_until > func.now(),
                literal_column("'account waits until '", Text)
                .concat(func.to_char(func.timezone("UTC", cls.parked_until), "YYYY-MM-DD HH24:MI:SS"))
                .concat(literal_column("'Z: '", Text))
                .concat(cls.parked_because),
            ),
        )
