"""What an action in bulk will do, before it is done: how many, which errors, ten samples, its calls, how long."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, text

from models import estimate
from models.estimate import Pace
from models.gist import gist
from models.words import Action
from worker import cancel, facts, groups, refusals, refused, throughput
from worker.groups import COUNTED
from worker.process import Process
from worker.retry import Filter

SAMPLES: Final = 10
WAITING: Final = 20_000
"""Waiting batches that are looked at."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Preview:
    """What an action will do; a `count` above `most` is «more than»."""

    count: int
    samples: list[Row]
    groups: list[Row] = field(default_factory=list)
    """The distinct errors, or reasons of refusals, each with its `count`."""
    batches: int = 0
    """Those that are canceled."""
    calls: int = 0
    """At least so many, where `count` is bounded."""
    seconds: float | None = None
    """None where that cannot be said."""
    because: list[str] = field(default_factory=list)
    """Why it may take longer."""

    bound: int | None = None
    """How far was counted, where not up to `COUNTED`."""

    @property
    def more(self) -> bool:
        """Say whether there are more than were counted."""
        return self.count > self.most

    @property
    def most(self) -> int:
        """Give how far was counted."""
        return COUNTED if self.bound is None else self.bound

    @property
    def said(self) -> str:
        """Write how many there are."""
        return f"more than {self.most:,}" if self.more else f"{self.count:,}"


def look(process: Process, action: Action, chosen: Mapping[str, Any]) -> Preview:
    """Say what an action will do to what is chosen, as a job keeps it."""
    match action:
        case Action.CANCEL:
            return _batches(process, cancel.Chosen.read(chosen))
        case Action.REPLAY:
            return _refusals(process, refused.Chosen.read(chosen))
    wanted = Filter.read(chosen)
    ids, distinct = groups.matching(process.engine, wanted)
    newest = Filter(wanted.outcomes, error_ids=sorted(ids)[-SAMPLES:])
    samples = facts.errors(process.engine, newest, SAMPLES)
    if action is Action.DISMISS:
        return Preview(len(ids), samples, distinct)
    with process.engine.connect() as connection:
        calls = _calls(connection, process.settings.batch_size, ids)
    seconds, because = _time(process, calls)
    return Preview(len(ids), samples, distinct, 0, sum(calls.values()), seconds, because)


def _calls(connection: Connection, batch_size: int, error_ids: Sequence[int]) -> dict[str, int]:
    """Count the batches that the records of these errors will make, by account."""
    rows = connection.execute(
        text("""
        SELECT account, sum(ceil(number / size))::bigint AS calls FROM (
          SELECT a.name AS account, b.event_id, b.state, b.identity, coalesce(a.batch_size, :batch_size) AS size,
            sum(number) AS number
          FROM (SELECT batch_id, count(*) AS number FROM errors WHERE id = ANY(:ids) GROUP BY 1) e
          JOIN batches b ON b.id = e.batch_id JOIN accounts a ON a.id = b.account_id GROUP BY 1, 2, 3, 4, 5) batches
        GROUP BY 1"""),
        {"ids": list(error_ids), "batch_size": batch_size},
    )
    return {row.account: row.calls for row in rows}


def _time(process: Process, calls: Mapping[str, int]) -> tuple[float | None, list[str]]:
    """Estimate when these calls are over, and say what may delay them."""
    with process.engine.connect() as connection:
        rows = connection.execute(
            text(f"""
            SELECT a.name, count(*) AS batches
            FROM (SELECT account_id FROM batches WHERE status = 'PENDING' ORDER BY id LIMIT {WAITING}) b
            JOIN accounts a ON a.id = b.account_id GROUP BY 1""")
        )
        waiting = {row.name: row.batches for row in rows}
    longest, because = 0.0, []
    for account in throughput.used_now(process):
        name = account["name"]
        if name not in calls:
            continue
        if account["paused_at"] or account["parked_until"]:
            stop = account["paused_because"] or account["parked_because"]
            because.append(f"account {name} sends nothing now: {stop}")
        if account["in_window"] is None:
            return None, [*because, "Redis is out of reach: how much is sent at present is not known"]
        daily = account["daily_limit"]
        pace = Pace(
            account["burst_limit"],
            account["burst_seconds"],
            account["in_window"],
            waiting.get(name, 0),
            None if daily is None else max(0, daily - account["today"]),
        )
        longest = max(longest, estimate.seconds(calls[name], pace))
        if not estimate.is_today(calls[name], pace):
            because.append(f"account {name} has {pace.left_today:,} calls left today: the rest goes from midnight on")
    return longest, because


def _batches(process: Process, chosen: cancel.Chosen) -> Preview:
    with process.engine.connect() as connection:
        counted = connection.execute(
            text(f"""
            SELECT count(*) AS batches, coalesce(sum(size), 0)::bigint AS records FROM (
              SELECT b.size FROM batches b JOIN events ev ON ev.id = b.event_id JOIN accounts a ON a.id = b.account_id
              WHERE {chosen.sql} LIMIT {COUNTED + 1}) few"""),
            chosen.facts,
        ).one()
        samples = connection.execute(
            text(f"""
            SELECT b.id, a.name AS account, {facts.EVENT}, b.event_id, b.state, b.size, b.created_at FROM batches b
            JOIN events ev ON ev.id = b.event_id JOIN accounts a ON a.id = b.account_id
            WHERE {chosen.sql} ORDER BY b.id LIMIT {SAMPLES}"""),
            chosen.facts,
        )
        few = [dict(row._mapping) for row in samples]  # noqa: SLF001 - its public name
    return Preview(counted.records, few, batches=counted.batches)


def _refusals(process: Process, chosen: refused.Chosen) -> Preview:
    """Look at the newest refusals: those of one reason may hold different values, which its gist leaves out."""
    rows, more = refusals.listed(process.engine, chosen, None, refusals.WALK)
    inputs = sum(row["inputs"] for row in rows)
    reasons = Counter(gist(f"{row['reasons'][0]['where']}: {row['reasons'][0]['right']}") for row in rows)
    kinds: list[Row] = [{"gist": kind, "count": count} for kind, count in reasons.most_common(20)]
    calls = -(-inputs // process.settings.batch_size)
    return Preview(len(rows) + (more is not None), rows[:SAMPLES], kinds, calls=calls, bound=len(rows))


def lasts(seconds: float) -> str:
    """Write how long something takes, about."""
    for unit, length in (("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:,.0f} {unit}"
    return f"about {max(1, round(seconds)):,} s"
