"""How large an installation must be, computed from what a record was measured to cost.

The constants are those of `bench.size` and `bench.large`, on the machine and day that `MEASURED` names: the larger of
two runs. `docs/sizing.md` has the formulas in words. A processor is one of that machine's; a faster one does more.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil
from typing import Final

MEASURED: Final = "2026-11-29, two shared x86-64 processors, Python 3.11, PostgreSQL 18"


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of a processor that a kind of process spends on a record, a call and a request; what one takes."""

    record: float
    call: float
    request: float
    """One that comes by HTTP, beside its record and its call."""
    idle: float
    """The share of a processor when nothing happens."""
    megabytes: float


DELIVERY: Final = Cost(record=117, call=7_863, request=0, idle=0.004, megabytes=116)
HOUSEKEEPING: Final = Cost(record=71, call=2_088, request=0, idle=0.012, megabytes=141)
BEAT: Final = Cost(record=0, call=0, request=0, idle=0.004, megabytes=110)
WEB: Final = Cost(record=0, call=0, request=7_695, idle=0.003, megabytes=122)
POSTGRESQL: Final = Cost(record=120, call=4_476, request=4_500, idle=0.006, megabytes=132)

RECORD_BYTES: Final = 510
"""Of PostgreSQL's disk, with all indexes; with 2 % errors and ten million records 486 were measured."""
CALL_BYTES: Final = 1_720
"""Of a call beside its records: batch, attempt and receipt."""
WAL_RECORD_BYTES: Final = 855
WAL_CALL_BYTES: Final = 4_150
CONTACT_BYTES: Final = 67
"""Of a record in the index of contacts, where accepting looks up at random: it should be in memory."""
STREAM_BYTES: Final = 400
"""Of Redis' memory, a record that waits to be accepted. 183 were measured for an address alone in a message of its own,
105 in messages of a hundred (`MEMORY USAGE`); the rest is room for its properties."""
BLOAT: Final = 1.25
"""What tables and indexes grow to whose rows come and go: an assumption, not measured over months. Vacuum begins when a
fiftieth has died."""
THREADS: Final = 8
"""Calls at once of a delivery worker."""
CONNECTIONS: Final = 14
"""Of a process to PostgreSQL, at most: its pool and that pool's overflow (`worker.database`)."""
BUSY: Final = 0.6
"""The share of a processor that a process is to use at the peak; Python runs on one."""
HELD: Final = 3_600
"""Seconds of the peak that the stream is to hold while PostgreSQL is away."""
SPARE: Final = 2
"""Of each kind of process, at least: one may go."""
WARNED: Final = 0.8
"""The share of the day's limit from which on there is a warning."""
DEFAULT_CONNECTIONS: Final = 100
"""PostgreSQL's own max_connections."""
MANY: Final = 50_000_000
"""Records kept, beyond which more than a larger disk is to be thought of: decision 32."""
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Load:
    """What comes in, and what HubSpot allows of each account: `burst` calls in ten seconds, `daily` calls a day."""

    records_a_day: int
    accounts: int = 1
    retention_days: float = 90
    peak_factor: float = 10
    """The busiest minutes, as a multiple of the day's mean."""
    records_a_call: float = 25
    """Of HubSpot's hundred: records of one event and state that come within `TURNOUT_LINGER` of each other."""
    by_http: float = 0
    """The share that comes by HTTP, one a request."""
    round_trip: float = 0.5
    """Seconds that HubSpot takes for an answer."""
    burst: int = 100
    daily: int | None = 250_000
    """None for an OAuth app, whose day has no limit."""


@dataclass(frozen=True, slots=True)
class Size:
    """What an installation needs for a load; memory and disk in megabytes, processors at the peak, shares from 0."""

    delivery_workers: int
    housekeeping_workers: int
    beats: int
    web_processes: int
    processors: float
    """Of these four kinds together."""
    memory: int
    connections: int
    """To PostgreSQL, at most."""
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

    def described(self) -> Iterator[tuple[str, str]]:
        """Give it in lines for people: what, and how much."""
        processes = f"{self.delivery_workers} delivery, {self.housekeeping_workers} housekeeping"
        yield "processes", f"{processes}, {self.beats} beat, {self.web_processes} serve"
        yield "their processors", f"{self.processors:.1f} at the peak"
        yield "their memory", _written(self.memory)
        yield "connections", f"{self.connections} to PostgreSQL, at most"
        yield "PostgreSQL", f"{self.postgresql_processors:.1f} processors, {_written(self.postgresql_memory)} of memory"
        yield "PostgreSQL's disk", f"{_written(self.postgresql_disk)} for {self.records_kept:,} records"
        yield "WAL a day", _written(self.wal_a_day)
        yield "Redis", f"{_written(self.redis_memory)} of memory"
        used = "no limit" if self.daily_limit_used is None else f"{self.daily_limit_used:.0%} of the limit"
        yield "calls a day", f"{self.calls_a_day:,} an account: {used}"
        yield "calls at the peak", f"{self.burst_limit_used:.0%} of the burst limit"

    def as_json(self) -> dict[str, object]:
        """Give it as `turnout size --json` prints it."""
        return asdict(self)


def _written(megabytes: int) -> str:
    return f"{megabytes:,} MB" if megabytes < 10_000 else f"{megabytes / 1_000:,.0f} GB"  # noqa: PLR2004 - five digits


def size(load: Load) -> Size:
    """Compute what a load needs."""
    records = load.records_a_day / DAY * load.peak_factor  # a second, at the peak, as the next two
    calls, requests = records / load.records_a_call, records * load.by_http

    def spent(cost: Cost) -> float:
        return (cost.record * records + cost.call * calls + cost.request * requests) / 1e6

    delivery, housekeeping, web = (max(SPARE, ceil(spent(cost) / BUSY)) for cost in (DELIVERY, HOUSEKEEPING, WEB))
    delivery = max(delivery, ceil(calls * load.round_trip / THREADS))
    counts = {DELIVERY: delivery, HOUSEKEEPING: housekeeping, BEAT: SPARE, WEB: web}
    kept = round(load.records_a_day * load.retention_days)
    calls_a_day = ceil(load.records_a_day / load.records_a_call / load.accounts)
    wal = WAL_RECORD_BYTES + WAL_CALL_BYTES / load.records_a_call
    return Size(
        delivery_workers=delivery,
        housekeeping_workers=housekeeping,
        beats=SPARE,
        web_processes=web,
        processors=round(sum(spent(cost) + count * cost.idle for cost, count in counts.items()), 2),
        memory=ceil(sum(cost.megabytes * count for cost, count in counts.items())),
        connections=CONNECTIONS * (delivery + housekeeping + web),
        postgresql_processors=round(spent(POSTGRESQL) + POSTGRESQL.idle, 2),
        postgresql_memory=ceil(512 + kept * CONTACT_BYTES * BLOAT / 1e6),
        postgresql_disk=ceil(1_000 + kept * (RECORD_BYTES + CALL_BYTES / load.records_a_call) * BLOAT / 1e6),
        wal_a_day=ceil(load.records_a_day * wal / 1e6),
        redis_memory=ceil(64 + records * HELD * STREAM_BYTES / 1e6),
        records_kept=kept,
        calls_a_day=calls_a_day,
        daily_limit_used=None if load.daily is None else round(calls_a_day / load.daily, 3),
        burst_limit_used=round(calls / load.accounts / (load.burst / 10), 3),
    )


def warnings(load: Load, needed: Size) -> Iterator[str]:
    """Say what does not fit, or hardly, and what to do."""
    if needed.daily_limit_used is not None and needed.daily_limit_used >= WARNED:
        yield (
            f"a day's calls are {needed.daily_limit_used:.0%} of an account's daily limit of {load.daily:,}: let"
            " batches fill (TURNOUT_LINGER), buy HubSpot's API add-on, or use more accounts;"
            " what is more waits for midnight"
        )
    if needed.burst_limit_used > 1:
        yield (
            f"the peak is {needed.burst_limit_used:.0%} of an account's burst limit of {load.burst} calls in ten"
            " seconds: what is more waits, and goes out after the peak"
        )
    if needed.connections > DEFAULT_CONNECTIONS:
        yield (
            f"{needed.connections} connections are more than PostgreSQL's default of {DEFAULT_CONNECTIONS}:"
            " raise max_connections, or put PgBouncer in transaction mode before it"
        )
    if needed.records_kept > MANY:
        kept = f"{needed.records_kept:,} records are kept"
        yield f"{kept}: read decision 32 in docs/decisions, or keep them for less long"
