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
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import JSON, Connection, Engine, Text, any_, case, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from models.tables import Account, Key, fixed, ids
from models.words import Role
from worker.database import rows_as
from worker.trip import Query, trip

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


@dataclass(frozen=True, slots=True)
class ListedKey:
    """What is shown of a key, never the key itself."""

    name: str
    role: Role
    accounts: list[str]
    """What a producer's reaches."""
    webhook: str | None
    created_at: datetime
    used_at: datetime | None
    old_until: datetime | None
    """Until when the one before it is good too."""


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
            insert(Key)
            .values(name=name, role=role, account_ids=list(account_ids), hash=_hash(secret))
            .on_conflict_do_nothing(index_elements=[Key.name], index_where=Key.is_valid())
            .returning(Key.id)
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
            update(Key)
            .where(Key.name == name, Key.is_valid())
            .values(old_hash=Key.hash, old_until=func.now() + timedelta(seconds=overlap), hash=_hash(secret))
            .returning(Key.id)
        ).scalar()
    return None if number is None else f"turnout_{number}_{secret}"


def revoke(engine: Engine, name: str) -> bool:
    """Let a key be good no longer, from the next request on; false where there is none."""
    with engine.begin() as connection:
        revoked = connection.execute(update(Key).where(Key.name == name, Key.is_valid()).values(revoked_at=func.now()))
        return bool(revoked.rowcount)


def listed(engine: Engine) -> list[ListedKey]:
    """Show the keys that are good."""
    reached = select(Account.name).where(Account.id == any_(Key.account_ids), Account.is_known()).order_by(Account.name)
    with engine.connect() as connection:
        return rows_as(
            ListedKey,
            connection.execute(
                select(
                    Key.name,
                    Key.role,
                    func.array(reached.scalar_subquery(), type_=ARRAY(Text)).label("accounts"),
                    Key.webhook_url.label("webhook"),
                    Key.created_at,
                    Key.used_at,
                    case((Key.old_until > func.now(), Key.old_until)).label("old_until"),
                )
                .where(Key.is_valid())
                .order_by(Key.name)
            ),
        )


_REACHED: Final = select(func.json_object_agg(Account.name, Account.id, type_=JSON)).where(
    Account.is_known(), or_(Key.role != fixed(Role.PRODUCER), Account.id == any_(Key.account_ids))
)
_FIND: Final = select(
    Key.id,
    Key.name,
    Key.role,
    Key.hash,
    case((Key.old_until > func.now(), Key.old_hash)).label("old_hash"),
    func.coalesce(Key.used_at < func.now() - timedelta(minutes=1), true()).label("is_unnoted"),
    _REACHED.scalar_subquery().label("accounts"),
).where(Key.id == ids("ids"), Key.is_valid())


class _StoredKey(NamedTuple):
    """A key that is not revoked, as it is stored."""

    id: int
    name: str = ""
    role: Role = Role.VIEWER
    hash: bytes = b""
    old_hash: bytes | None = None
    """Of the secret before, while that is good."""
    is_unnoted: bool = False
    """Whether its use is to be noted."""
    accounts: Mapping[str, int] | None = None


def verify(connection: Connection, presented: str) -> ApiKey | None:
    """Find out whose a presented key is; none where it is not good."""
    return verify_all(connection, [presented])[0]


def verify_all(connection: Connection, presented: Sequence[str], *, commit: bool = False) -> list[ApiKey | None]:
    """Find out whose each of the presented keys is, in one look-up; `commit` ends its transaction in the same trip."""
    shapes = [_SHAPE.fullmatch(one) for one in presented]
    numbers = {int(shape[1]) for shape in shapes if shape}
    if not numbers:
        return [None] * len(presented)
    (stored,) = trip(connection, Query(_FIND, {"ids": list(numbers)}, _StoredKey), commit=commit)
    found = {key.id: key for key in stored.rows}
    good = [_judged(shape, found) if shape else None for shape in shapes]
    unnoted = {key.id for key in good if key and found[key.id].is_unnoted}
    for number in sorted(unnoted):  # in an order in which two look-ups cannot wait for each other
        connection.execute(update(Key).where(Key.id == number).values(used_at=func.date_trunc("minute", func.now())))
    return good


def _judged(shape: re.Match[str], found: Mapping[int, _StoredKey]) -> ApiKey | None:
    number, hashed = int(shape[1]), _hash(shape[2])
    key = found.get(number, _StoredKey(number))
    good = hmac.compare_digest(hashed, key.hash)
    old_good = hmac.compare_digest(hashed, key.old_hash or b"")
    return ApiKey(number, key.name, key.role, key.accounts or {}, hashed) if good or old_good else None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
