"""What `make bench` found: the rounds of each line as medians and spreads, as a table, as Markdown and as JSON."""

import os
import platform
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from bench.contest import Line, Measured
from bench.latency import Latency

SERVERS: Final = ("PostgreSQL", "Valkey", "server", "producers")
"""Kinds of processes that are no workers."""
KINDS: Final = ("workers", *SERVERS)
OURS: Final = ("workers", "PostgreSQL", "Valkey")
"""What the work costs: who submits and who answers is not counted."""


def divisor(line: Line) -> str:
    """Name the bare loop's line that this one is measured by."""
    each = 5_000 if line.way in {"csv", "jsonl"} else line.each
    return f"bare-{each}"


def friendly(line: Line) -> str | None:
    """Name the friendly line that a shape, or a filled database, is measured by."""
    return f"stream-{line.each}" if line.name.startswith(("shape-", "filled-")) else None


def of_kind(kind: str) -> str:
    """Give the column of a process."""
    return kind if kind in SERVERS else "workers"


@dataclass
class Spread:
    """The rounds of one number."""

    rounds: list[float]

    @property
    def median(self) -> float:
        """Give the middle."""
        return median(self.rounds)

    def show(self, digits: int = 0) -> str:
        """Read as `3.1 (2.9-3.4)`."""
        low, high = min(self.rounds), max(self.rounds)
        return f"{self.median:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


@dataclass
class Results:
    """All rounds of all lines."""

    options: Mapping[str, Any]
    order: Sequence[str]
    """Of the lines."""
    timed: dict[str, list[Measured]] = field(default_factory=lambda: defaultdict(list))
    counted: dict[str, Measured] = field(default_factory=dict)
    latency: Sequence[Latency] = ()
    http: Sequence[Mapping[str, float]] = ()

    def add(self, measured: Measured, *, counts: bool) -> None:
        """Take in a line of one round."""
        if counts:
            self.counted[measured.line.name] = measured
        else:
            self.timed[measured.line.name].append(measured)

    def rate(self, name: str) -> Spread:
        """Give records a second."""
        return Spread([one.line.records / one.seconds for one in self.timed[name]])

    def ratio(self, name: str, by: str, of: Callable[[Measured], float] = lambda one: one.seconds) -> Spread | None:
        """Give how fast a line is beside another of the same round."""
        pairs = list(zip(self.timed.get(name, []), self.timed.get(by, []), strict=False))
        if not pairs:
            return None
        return Spread([one.line.records / of(one) / (bare.line.records / of(bare)) for one, bare in pairs])

    def processor(self, name: str) -> dict[str, float]:
        """Give microseconds of processor time a record, medians, by kind."""
        rounds = [_grouped(one.counted.seconds) for one in self.timed[name]]
        records = self.timed[name][0].line.records
        return {kind: median(one.get(kind, 0.0) for one in rounds) / records * 1e6 for kind in KINDS}

    def cost(self, name: str) -> float:
        """Give microseconds of processor time a record, of workers and their servers."""
        return sum(self.processor(name)[kind] for kind in OURS)

    def memory(self, name: str) -> dict[str, float]:
        """Give the most megabytes, by kind."""
        rounds = [_grouped(one.counted.megabytes) for one in self.timed[name]]
        return {kind: max(one.get(kind, 0.0) for one in rounds) for kind in KINDS}

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Give the table, its heading first."""
        yield HEADING
        for name, rounds in self._in_order():
            line, cpu, memory = rounds[0].line, self.processor(name), self.memory(name)
            bare, near = self.ratio(name, divisor(line)), friendly(line)
            beside = self.ratio(name, near) if near else None
            spent = self.cost(name) / self.cost(divisor(line)) if divisor(line) in self.timed else None
            yield (
                name,
                self.rate(name).show(),
                bare.show(2) if bare else "",
                f"{beside.median:.2f}" if beside else "",
                *(f"{cpu[kind]:,.0f}" for kind in KINDS),
                f"{spent:.1f}" if spent else "",
                *self._counts(name),
                "/".join(f"{memory[kind]:,.0f}" for kind in OURS),
            )

    def _in_order(self) -> list[tuple[str, list[Measured]]]:
        return sorted(self.timed.items(), key=lambda one: self.order.index(one[0]))

    def _counts(self, name: str) -> tuple[str, ...]:
        if name not in self.counted:
            return ("",) * 6
        one = self.counted[name]
        return tuple(f"{value:.3g}" if value < 1000 else f"{value:,.0f}" for value in per_record(one).values())

    def notes(self) -> Iterator[str]:
        """Say what the table has no column for."""
        for name, rounds in self._in_order():
            accepted = self.ratio(name, "stream-5000", lambda one: one.accepted or one.seconds)
            if rounds[0].line.way in {"csv", "jsonl"} and accepted:
                yield f"{name}: until accepted, {accepted.show(2)} of accepting messages of 5,000 from the stream"
            if rounds[0].read_back is not None:
                late = Spread([(one.read_back or 0.0) - one.seconds for one in rounds])
                yield f"{name}: what HubSpot did not name was found {late.show(1)} s after all was answered"

    def shown(self) -> Iterator[str]:
        """Give everything as lines of text."""
        yield from _aligned([*self.rows()])
        yield from self.notes()
        if self.latency:
            yield ""
            yield from _aligned([LATENCY, *(one.row() for one in self.latency)])
        if self.http:
            yield ""
            yield from _aligned([HTTP, *map(_http, self.http)])

    def markdown(self) -> str:
        """Give everything as Markdown."""
        parts = [_markdown([*self.rows()]), "\n".join(f"- {note}" for note in self.notes())]
        parts += [_markdown([LATENCY, *(one.row() for one in self.latency)])] if self.latency else []
        parts += [_markdown([HTTP, *map(_http, self.http)])] if self.http else []
        return "\n\n".join(part for part in parts if part) + "\n"

    def as_json(self) -> dict[str, Any]:
        """Give everything there is, round by round."""
        return {
            "machine": {
                "architecture": platform.machine(),
                "processors": os.cpu_count(),
                "python": platform.python_version(),
                "load": os.getloadavg(),
            },
            "options": dict(self.options),
            "lines": {name: self._as_json(name) for name, _ in self._in_order()},
            "latency": [one.as_json() for one in self.latency],
            "http": [dict(one) for one in self.http],
        }

    def _as_json(self, name: str) -> dict[str, Any]:
        rounds, counted = self.timed[name], self.counted.get(name)
        line = rounds[0].line
        ratio = self.ratio(name, divisor(line))
        return {
            "records": line.records,
            "each": line.each,
            "shape": line.shape,
            "way": line.way,
            "rate": self.rate(name).rounds,
            "of_bare": ratio.rounds if ratio else None,
            "accepted_seconds": [one.accepted for one in rounds],
            "read_back_seconds": [one.read_back for one in rounds],
            "microseconds": self.processor(name),
            "microseconds_by_process": {
                kind: median(one.counted.seconds.get(kind, 0.0) for one in rounds) / line.records * 1e6
                for kind in rounds[0].counted.seconds
            },
            "megabytes": rounds[-1].counted.megabytes,
            "valkey_commands": median(one.counted.commands for one in rounds) / line.records,
            "counts": per_record(counted) if counted else None,
            "tags": _tags(counted) if counted else None,
            "wal": _wal(counted) if counted else None,
        }


HEADING: Final = (
    *("line", "records/s", "of bare loop", "of friendly"),
    *(f"µs {kind}" for kind in KINDS),
    *("cost/bare", "statements", "trips", "commits", "WAL records", "WAL commits", "WAL bytes"),
    "MB workers/PG/Valkey",
)
LATENCY: Final = ("latency, ms, idle", "median", "99 %", "beside linger: median", "99 %", "of", "linger")
HTTP: Final = ("HTTP, ms a request", "Turnout", "bare route", "ratio", "rounds")


def per_record(one: Measured) -> dict[str, float]:
    """Give what a line asked of PostgreSQL, a record."""
    counted, records = one.counted, one.line.records
    assert counted.asked is not None
    return {
        "statements": counted.asked.statements / records,
        "trips": counted.asked.trips / records,
        "commits": counted.asked.commits / records,
        "wal_records": counted.wal.number / records,
        "wal_commits": counted.wal.commits / records,
        "wal_bytes": counted.wal.bytes / records,
    }


def _tags(one: Measured) -> dict[str, float]:
    asked = one.counted.asked
    assert asked is not None
    return {tag: number / one.line.records for tag, number in asked.tags.most_common()}


def _wal(one: Measured) -> dict[str, float]:
    return {kind: number / one.line.records for kind, number in one.counted.wal.records.most_common()}


def _http(one: Mapping[str, float]) -> tuple[str, ...]:
    low, high = one["lowest"], one["highest"]
    return (
        f"of {one['records']:.0f}",
        f"{one['ours']:.1f}",
        f"{one['bare']:.1f}",
        f"{one['ratio']:.1f}",
        f"{low:.1f}-{high:.1f}",
    )


def _grouped(by_process: Mapping[str, float]) -> dict[str, float]:
    grouped: defaultdict[str, float] = defaultdict(float)
    for kind, value in by_process.items():
        grouped[of_kind(kind)] += value
    return grouped


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        yield first.ljust(widths[0]) + "".join(
            cell.rjust(width + 2) for cell, width in zip(rest, widths[1:], strict=True)
        )


def _markdown(rows: Sequence[tuple[str, ...]]) -> str:
    heading, *rest = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join((heading, "| --- |" + " ---: |" * (len(rows[0]) - 1), *rest))
