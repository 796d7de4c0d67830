"""Tallies of corrections: each distinct change of the records they are of, and what is skipped and why.

It is shown before anything is done, with a seal of all of it; by the seal it is known whether that still holds.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final

import orjson
from sqlalchemy import Connection, Engine, bindparam, select

from models.accept_rules import Rules
from models.correction import Change
from models.error_signature import gist
from models.tables import Job, JobItem
from models.tally import DistinctChange, Skip, Tally
from worker.operations import correct
from worker.operations.correct import Corrected
from worker.queries.rows import NEWEST

MOST: Final = 50
"""Distinct changes that are shown; the seal is of all of them."""
STEP: Final = 1_000
_BETWEEN_THOUSANDS: Final = re.compile(r"(?<=[0-9])[\s,.'’_](?=(?:[0-9]{3}[\s,.'’_])*[0-9]{3}$)")
"""What stands between thousands; `9.0` is not ninety."""


def of(
    engine: Engine,
    rules: Rules,
    changes: Iterable[tuple[int, Change]],
    until: int = NEWEST,
    fit: list[int] | None = None,
) -> Tally:
    """Tally the changes of records up to the error `until`, in their order, without doing any.

    The records that would be corrected are added to `fit`.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    skips: Counter[str] = Counter()
    seal = blake2b(digest_size=16)
    will = moved = 0
    with engine.connect() as connection:
        for one in _rehearsed(connection, rules, changes, until):
            told = [one.record_id, one.difference, [reason.what for reason in one.reasons]]
            seal.update(orjson.dumps(told))
            if one.reasons:
                skips[_why(one)] += 1
            else:
                will += 1
                if fit is not None:
                    fit.append(one.record_id)
                moved += any(name == "event" for name, _, _ in one.difference)
                counted.update(_pair(*change) for change in one.difference)
    pairs = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    whys = sorted(skips.items(), key=lambda why: (-why[1], why[0]))
    return Tally(
        will,
        moved,
        [DistinctChange(*change, count) for change, count in pairs[:MOST]],
        max(0, len(pairs) - MOST),
        [Skip(*why) for why in whys[:MOST]],
        max(0, len(whys) - MOST),
        seal.hexdigest(),
    )


def of_job(engine: Engine, rules: Rules, job_id: int) -> Tally:
    """Tally the changes of a corrected file, which wait as a job's items."""
    with engine.connect() as connection:
        until = connection.execute(select(Job.until).where(Job.id == job_id)).scalar_one()
    return of(engine, rules, _items(engine, job_id), until)


_ITEMS: Final = (
    select(JobItem.id, JobItem.record_id, JobItem.change)
    .where(JobItem.job_id == bindparam("job"), JobItem.id > bindparam("behind"), JobItem.waits())
    .order_by(JobItem.id)
    .limit(bindparam("step"))
)


def _items(engine: Engine, job_id: int) -> Iterator[tuple[int, Change]]:
    behind = 0
    while True:
        with engine.connect() as connection:
            rows = connection.execute(_ITEMS, {"job": job_id, "behind": behind, "step": STEP}).all()
        if not rows:
            return
        yield from ((record_id, Change.read(change)) for _, record_id, change in rows if record_id and change)
        behind = rows[-1].id


def _rehearsed(
    connection: Connection, rules: Rules, changes: Iterable[tuple[int, Change]], until: int
) -> Iterator[Corrected]:
    seen: dict[bytes, int] = {}
    left = iter(changes)
    while few := dict(sorted(islice(left, STEP), key=lambda change: change[0])):
        done = correct.rehearse(connection, rules, few, seen, until)
        yield from sorted(done, key=lambda one: one.record_id)


def _pair(name: str, was: str, becomes: str) -> tuple[str, str, str]:
    """Write a change so that alike ones are the same: of addresses that only change their domain, the domain."""
    before, at, old = was.rpartition("@")
    after, also_at, new = becomes.rpartition("@")
    if name == "email" and at and also_at and before.casefold() == after.casefold():
        return name, f"…@{old}", f"…@{new}"
    return name, was, becomes


def _why(one: Corrected) -> str:
    """Write why a record is skipped, without what is its own."""
    reason = one.reasons[0]
    where = "" if reason.where == f"record {one.record_id}" else f"{reason.where}: "
    return gist(f"{where}{reason.what}")


def number_typed(text: str) -> int | None:
    """Read a number of records as somebody typed it, also with its thousands apart as we show them; else none."""
    digits = re.sub(_BETWEEN_THOUSANDS, "", text.strip())
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else None  # noqa: PLR2004 - a bigint
