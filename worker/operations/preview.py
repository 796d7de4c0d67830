"""What an action in bulk will do, before it is done: to how many, what changes, what is skipped, its calls, how long.

It is of all that is chosen, or says that it is of the first of them; and what is done is what was shown: the seal of a
preview goes with the confirmation, and where the preview would be another by then, nothing is done.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from models import estimate
from models.correction import Change
from models.error_signature import gist
from models.estimate import Pace
from models.words import Action
from worker.context import Context
from worker.operations import cancel, jobs, replay, steps, tally
from worker.operations.audit_log import Actor
from worker.operations.steps import ItemResult
from worker.operations.tally import Tally
from worker.queries import error_groups, refusals, throughput
from worker.queries.error_filter import Filter
from worker.queries.error_groups import COUNTED
from worker.queries.errors import list_errors
from worker.queries.refusals import Refusal, RefusalFilter
from worker.queries.rows import EVENT, Row

SAMPLES: Final = 10
WAITING: Final = 20_000
"""Waiting batches that are looked at."""


@dataclass(frozen=True)
class Preview:
    """What an action will do: to just what was looked at, which is all that is chosen unless there is `more`."""

    count: int
    """Of those that are chosen."""
    samples: list[Row]
    groups: list[Row] = field(default_factory=list)
    """The distinct errors, or reasons of refusals, or events of batches, each with its `count`."""
    batches: int = 0
    """Those that are canceled."""
    calls: int = 0
    seconds: float | None = None
    """None where that cannot be said."""
    because: list[str] = field(default_factory=list)
    """Why it may take longer."""
    more: bool = False
    """There are more, to which it is not done."""
    tally: Tally = field(default_factory=Tally)
    """To how many it will be done, what of them changes, and why others are skipped."""
    pinned: list[ItemResult] = field(default_factory=list)
    """What a job of it is done to."""
    until: int = 0
    """The newest id that was looked at: what comes later is none of its business."""

    @property
    def will(self) -> int:
        """Give to how many it will be done."""
        return self.tally.will

    @property
    def said(self) -> str:
        """Write to how many it will be done."""
        return f"{'the first ' if self.more else ''}{self.will:,}"

    @property
    def seal(self) -> str:
        """Give what tells this preview from any other."""
        return f"{self.until}-{self.tally.seal}"


def look(  # noqa: PLR0913 - what a job has
    process: Context,
    action: Action,
    chosen: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
    *,
    until: int | None = None,
    most: int | None = None,
) -> Preview:
    """Say what an action will do to what is chosen, as a job keeps it; and with a change, what of each it changes.

    At most `most` of what there was up to the id `until` are looked at, the oldest.
    """
    bound = COUNTED if most is None else most
    with process.engine.connect() as connection:
        newest = steps.newest(connection, action) if until is None else until
        match action:
            case Action.CANCEL:
                return _batches(connection, cancel.CancelFilter.read(chosen), newest, bound)
            case Action.REPLAY:
                return _refusals(process, RefusalFilter.read(chosen), newest)
        wanted = Filter.read(chosen)
        rows, more = error_groups.matching(connection, wanted, newest, bound)
        ids = [row.id for row in rows]
        distinct = error_groups.distinct(connection, ids)
    tallied, fit = _tallied(process, wanted, params, rows, newest)
    calls = {} if action is Action.DISMISS else _calls(process, fit, moved=tallied.moved > 0)
    samples = list_errors(process.engine, Filter(wanted.outcomes, error_ids=ids[-SAMPLES:]), SAMPLES)
    seconds, because = _time(process, calls) if calls or action is not Action.DISMISS else (None, [])
    return Preview(
        len(ids),
        samples,
        distinct,
        0,
        sum(calls.values()),
        seconds,
        because,
        more,
        tallied,
        [ItemResult(row.id, row.record_id) for row in rows],
        newest,
    )


def _tallied(
    process: Context, wanted: Filter, params: Mapping[str, Any] | None, rows: Sequence[Any], until: int
) -> tuple[Tally, list[int]]:
    """Tally what an action is done to, and name these errors."""
    if params and "change" in params:
        change, of_record, fit = Change.read(params["change"]), {row.record_id: row.id for row in rows}, list[int]()
        changes = ((record_id, change) for record_id in sorted(of_record))
        return tally.of(process.engine, process.rules, changes, until, fit), [of_record[one] for one in fit]
    ids = [row.id for row in rows]
    named = len(wanted.error_ids or wanted.record_ids or ())
    resolved = [{"what": RESOLVED, "count": named - len(ids)}] if named > len(ids) else []
    return Tally(len(ids), skips=resolved, seal=_seal(ids)), ids


RESOLVED: Final = "is resolved already, or is not what was chosen"


def _seal(shown: Iterable[object]) -> str:
    return blake2b(orjson.dumps(list(shown)), digest_size=16).hexdigest()


def confirm(  # noqa: PLR0913 - what a job has
    process: Context,
    by: Actor,
    action: Action,
    chosen: Mapping[str, Any],
    seal: str,
    *,
    params: Mapping[str, Any] | None = None,
    typed: int | None = None,
) -> int | Preview:
    """Ask for the job whose preview has this seal, done to just what that showed; give its id.

    Where the preview would now be another, nothing is asked for: that other preview is returned. So is the same one,
    where several records would go to another event and `typed` is not their number.
    """
    until = seal.partition("-")[0]
    if until.isascii() and until.isdecimal() and len(until) < 19:  # noqa: PLR2004 - a bigint
        found = look(process, action, chosen, params, until=int(until))
        if found.seal == seal and found.tally.is_move and typed != found.will:
            return found
        if found.seal == seal:
            return ask(process, by, action, chosen, found, params=params)
    return look(process, action, chosen, params)


def ask(  # noqa: PLR0913 - what a job has
    process: Context,
    by: Actor,
    action: Action,
    chosen: Mapping[str, Any],
    found: Preview,
    *,
    params: Mapping[str, Any] | None = None,
) -> int:
    """Ask for the job of a preview; give its id."""
    facts = {"params": params, "expected": found.count, "until": found.until, "pinned": found.pinned}
    with process.engine.begin() as connection:
        return jobs.ask(connection, by, action, chosen, **facts)  # type: ignore[arg-type]


def _calls(process: Context, error_ids: Sequence[int], *, moved: bool) -> dict[str, int]:
    """Count the batches that the records of these errors will make, by account; where they are moved, of one event."""
    statement = text(f"""
        SELECT account, sum(ceil(number / size))::bigint AS calls FROM (
          SELECT a.name AS account, {"0" if moved else "b.event_id"} AS event, b.state, b.identity,
            coalesce(a.batch_size, :batch_size) AS size, sum(number) AS number
          FROM (SELECT batch_id, count(*) AS number FROM errors WHERE id = ANY(:ids) GROUP BY 1) e
          JOIN batches b ON b.id = e.batch_id JOIN accounts a ON a.id = b.account_id GROUP BY 1, 2, 3, 4, 5) batches
        GROUP BY 1""")
    with process.engine.connect() as connection:
        rows = connection.execute(statement, {"ids": list(error_ids), "batch_size": process.settings.batch_size})
        return {row.account: row.calls for row in rows}


def _time(process: Context, calls: Mapping[str, int]) -> tuple[float | None, list[str]]:
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
    for use in throughput.used_now(process):
        account, name = use.account, use.account.name
        if name not in calls:
            continue
        if account.paused_at or account.parked_until:
            stop = account.paused_because or account.parked_because
            because.append(f"account {name} sends nothing now: {stop}")
        if use.in_window is None or use.today is None:
            return None, [*because, "Redis is out of reach: how much is sent at present is not known"]
        daily = account.daily_limit
        pace = Pace(
            account.burst_limit,
            account.burst_seconds,
            use.in_window,
            waiting.get(name, 0),
            None if daily is None else max(0, daily - use.today),
        )
        longest = max(longest, estimate.seconds(calls[name], pace))
        if not estimate.is_today(calls[name], pace):
            because.append(f"account {name} has {pace.left_today:,} calls left today: the rest goes from midnight on")
    return longest, because


def _batches(connection: Connection, chosen: cancel.CancelFilter, until: int, most: int) -> Preview:
    rows = connection.execute(
        text(f"""
        SELECT b.id, a.name AS account, {EVENT}, b.event_id, b.state, b.size, b.created_at FROM batches b
        JOIN events ev ON ev.id = b.event_id JOIN accounts a ON a.id = b.account_id
        WHERE {chosen.sql} AND b.id <= :until ORDER BY b.id LIMIT :most"""),
        {**chosen.facts, "until": until, "most": most + 1},
    ).all()
    found = [dict(row._mapping) for row in rows[:most]]  # noqa: SLF001 - its public name
    events: Counter[tuple[str, str, str]] = Counter()
    for row in found:
        events[row["account"], row["event"], row["state"]] += row["size"]
    of = [
        {"account": account, "event": event, "state": state, "count": count}
        for (account, event, state), count in events.most_common()
    ]
    records = sum(row["size"] for row in found)
    seal = _seal((row["id"], row["size"]) for row in found)
    pinned = [ItemResult(row["id"], result={"size": row["size"]}) for row in found]
    tallied = Tally(records, seal=seal)
    return Preview(
        records, found[:SAMPLES], of, len(found), more=len(rows) > most, tally=tallied, pinned=pinned, until=until
    )


def _refusals(process: Context, chosen: RefusalFilter, until: int) -> Preview:
    """Look at the newest refusals, and whether each would be accepted now."""
    engine = process.engine
    known: dict[str, Any] = {}

    def judged(refusal: Refusal) -> Row:
        kept = asdict(refusal.without_message())
        return {name: kept[name] for name in kept if name not in {"raw", "message", "text"}} | {
            "against": replay.against(engine, refusal, known)
        }

    rows, more = refusals.walked(engine, chosen, until + 1, refusals.WALK, judged)
    fit = [row for row in rows if not row["against"]]
    reasons = Counter(_because(row["reasons"][0]) for row in rows)
    still = Counter(_because(asdict(row["against"][0])) for row in rows if row["against"])
    calls = -(-sum(row["inputs"] for row in fit) // process.settings.batch_size)
    return Preview(
        len(rows),
        rows[:SAMPLES],
        [{"gist": kind, "count": count} for kind, count in reasons.most_common()],
        calls=calls,
        more=more is not None,
        tally=Tally(
            len(fit),
            skips=[
                {"what": f"would not be accepted again: {why}", "count": count} for why, count in still.most_common()
            ],
            seal=_seal((row["id"], not row["against"]) for row in rows),
        ),
        pinned=[ItemResult(row["id"]) for row in reversed(rows)],
        until=until,
    )


def _because(reason: Mapping[str, str]) -> str:
    """Write what refusals of one reason have in common: an account's name is no value, there is one reason each."""
    if reason["where"] == "account":
        return "{where}: {what}; right would be {right}".format(**reason)
    return gist(f"{reason['where']}: {reason['right']}")


def lasts(seconds: float) -> str:
    """Write how long something takes, about."""
    for unit, length in (("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:,.0f} {unit}"
    return f"about {max(1, round(seconds)):,} s"
