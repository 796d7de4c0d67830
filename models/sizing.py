"""How large an installation must be, computed from what a record was measured to cost.

The constants are `bench.size`'s and `bench.large`'s, of the machine and day that `MEASURED` names; `docs/sizing.md`
has the formulas in words. A processor is one of that machine's; a faster one does more.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil
from typing import Final

MEASURED: Final = "2026-11-29, x86-64, 2 virtual processors shared with other work, Python 3.11, PostgreSQL 18"

DAY: Final = 86_400
HUNDRED: Final = 100


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time in microseconds that a kind of process spends, and megabytes that one of it takes."""

    record: float
    call: float
    idle: float
    """Milliseconds a second."""
    megabytes: float


DELIVERY: Final = Cost(record=0, call=0, idle=0, megabytes=0)
HOUSEKEEPING: Final = Cost(record=0, call=0, idle=0, megabytes=0)
BEAT: Final = Cost(record=0, call=0, idle=0, megabytes=0)
WEB: Final = Cost(record=0, call=0, idle=0, megabytes=0)
"""A request of one record; one of a hundred costs little more (`bench.api`)."""
POSTGRESQL: Final = Cost(record=0, call=0, idle=0, megabytes=0)
REDIS: Final = Cost(record=0, call=0, idle=0, megabytes=0)

RECORD_BYTES: Final = 490
"""Of PostgreSQL's disk a record that is kept takes, with its indexes, its share of batch, attempt, receipt and error."""
INDEX_BYTES: Final = 153
"""Of these in the indexes of `records`."""
LOOKED_UP_BYTES: Final = 67
"""Of these in the index of contacts, in which accepting looks up at random: it should be in memory."""
CALL_BYTES: Final = 700
"""Batch and attempt of a call, with their indexes: what a record takes more where few go in a call."""
WAL_BYTES: Final = 0
STREAM_BYTES: Final = 400
"""Of Redis' memory a record that waits to be accepted."""
BLOAT: Final = 1.25
"""What tables and indexes of rows that come and go grow to; vacuum begins at a fiftieth."""
THREADS: Final = 8
"""Calls at once of a delivery worker."""
CONNECTIONS: Final = 14
"""Of a process to PostgreSQL, at most (`worker.database.POOL` and its overflow)."""
BUSY: Final = 0.6
"""The share of a processor that a process is to use at the peak: Python runs on one."""
HELD: Final = 3_600
"""Seconds of the peak that the stream is to hold, while PostgreSQL is away."""
WARNED: Final = 0.8
"""The share of a limit from which on there is a warning."""
SPARE: Final = 2
"""Of each kind of process, at least: one can go."""


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in, and what HubSpot allows: `burst` calls in ten seconds and `daily` calls a day, of each account."""

    records_a_day: int
    accounts: int = 1
    retention_days: int = 90
    peak_factor: float = 10.0
    """The busiest minutes, as a multiple of the day's mean."""
    records_a_call: float = 25.0
    """Of HubSpot's hundred: records of one event and state that come within `TURNOUT_LINGER` of each other."""
    round_trip: float = 0.5
    """Seconds that HubSpot takes for an answer."""
    burst: int = 100
    daily: int | None = 250_000


@dataclass(frozen=True, slots=True)
class Size:
    """What an installation needs for a load; memory and disk in megabytes, shares from 0."""

    delivery_workers: int
    housekeeping_workers: int
    beats: int
    web_processes: int
    processors: float
    """At the peak, of the four kinds together."""
    memory: int
    """Of the four kinds together."""
    connections: int
    """At most, to PostgreSQL."""
    postgresql_processors: float
    postgresql_memory: int
    postgresql_disk: int
    wal_a_day: int
    redis_memory: int
    records_kept: int
    calls_a_day: int
    """Of each account."""
    daily_limit_used: float | None
    burst_limit_used: float
    """At the peak."""

    def as_json(self) -> dict[str, object]:
        """Give it as `turnout size --json` prints it, without what it warns of."""
        return asdict(self)


def size(load: Load) -> Size:
    """Compute what a load needs."""
    records = load.records_a_day / DAY * load.peak_factor
    """A second, at the peak."""
    calls = records / load.records_a_call
    delivery, housekeeping, web = (
        max(SPARE, ceil(_processors(cost, records, calls) / BUSY)) for cost in (DELIVERY, HOUSEKEEPING, WEB)
    )
    delivery = max(delivery, ceil(calls * load.round_trip / THREADS))
    counts = {DELIVERY: delivery, HOUSEKEEPING: housekeeping, BEAT: SPARE, WEB: web}
    kept = load.records_a_day * load.retention_days
    calls_a_day = ceil(load.records_a_day / load.records_a_call / load.accounts)
    bytes_kept = kept * (RECORD_BYTES + CALL_BYTES / load.records_a_call - CALL_BYTES / HUNDRED)
    return Size(
        delivery_workers=delivery,
        housekeeping_workers=housekeeping,
        beats=SPARE,
        web_processes=web,
        processors=round(
            sum(
                _processors(cost, records, calls) + count * cost.idle / 1000
                for cost, count in counts.items()
            ),
            2,
        ),
        memory=ceil(sum(cost.megabytes * count for cost, count in counts.items())),
        connections=CONNECTIONS * (delivery + housekeeping + web),
        postgresql_processors=round(_processors(POSTGRESQL, records, calls) + POSTGRESQL.idle / 1000, 2),
        postgresql_memory=ceil(512 + kept * LOOKED_UP_BYTES * BLOAT / 1e6),
        postgresql_disk=ceil(1_000 + bytes_kept * BLOAT / 1e6),
        wal_a_day=ceil(load.records_a_day * WAL_BYTES / 1e6),
        redis_memory=ceil(64 + records * HELD * STREAM_BYTES / 1e6),
        records_kept=kept,
        calls_a_day=calls_a_day,
        daily_limit_used=None if load.daily is None else round(calls_a_day / load.daily, 3),
        burst_limit_used=round(calls / load.accounts / (load.burst / 10), 3),
    )


def _processors(cost: Cost, records: float, calls: float) -> float:
    return (cost.record * records + cost.call * calls) / 1e6


def warnings(load: Load, needed: Size) -> Iterator[str]:
    """Say what of a load does not fit, or hardly, into HubSpot's limits, and what to do."""
    if needed.daily_limit_used is not None and needed.daily_limit_used >= WARNED:
        yield (
            f"the calls of a day are {needed.daily_limit_used:.0%} of an account's daily limit of {load.daily:,}:"
            " let batches fill (TURNOUT_LINGER), buy HubSpot's API add-on, or spread over more accounts"
        )
    if needed.burst_limit_used >= 1:
        yield (
            f"the peak is {needed.burst_limit_used:.0%} of an account's burst limit of {load.burst} in ten seconds:"
            " what is more waits, and goes out after the peak"
        )
    if needed.connections > HUNDRED:
        yield (
            f"{needed.connections} connections are more than PostgreSQL's default of 100: set max_connections, or put"
            " PgBouncer in transaction mode before it"
        )
    if needed.records_kept > RETHINK:
        yield (
            f"{needed.records_kept:,} records are kept: read decision 32 (docs/decisions) before it is a hundred million"
        )


RETHINK: Final = 50_000_000
"""Records kept, beyond which more than a larger disk is to be thought of."""
