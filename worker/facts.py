"""What commands and pages show: bounded reads, each by an index."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import redis
from sqlalchemy import Connection, Engine, text

from models.advice import follows
from models.outcome import LAST_ERROR, OUTCOME
from models.preflight import comparable
from models.words import Outcome, State, Status
from worker import alive, submissions, walks
from worker.retry import CHOSEN, EVENT_NAMED, OPEN, Filter
from worker.settings import Settings
from worker.stream import Stream, connect
from worker.submissions import Cursor

EVENT: Final = f"{submissions.EVENT} AS event"

STOPPED: Final = """
CASE WHEN a.removed_at IS NOT NULL THEN 'account removed: add it again, or cancel them'
     WHEN a.paused_at IS NOT NULL THEN 'account paused: ' || a.paused_because
     WHEN a.parked_until > now() THEN 'account parked: ' || a.parked_because END"""
"""Why an account `a` does not send; null where it does."""

MANY: Final = 20_000
"""Beyond it a count says only «more than»: 10 ms, where 100,000 errors take 45."""

Row = dict[str, Any]
LOOKED_AT: Final = 5_000
"""Records of a submission that are looked at, at most."""
HISTORY: Final = 5_000
"""Errors, and attempts, of one page of a person, at most."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which batches to list; of `walk` batches at most, counted from the newest one in question."""

    status: Status | None = None
    state: State | None = None
    event: str | None = None
    account: str | None = None
    errors: bool = False
    before: int | None = None
    limit: int = 20
    walk: int | None = None


def destination(settings: Settings) -> str:
    """Say where this installation delivers."""
    local = settings.hubspot_url.startswith("http://127.0.0.1")
    return (
        f"the sandbox on {settings.hubspot_url}, not to HubSpot"
        if local
        else f"{settings.hubspot_url}, account default"
    )


def status(engine: Engine, settings: Settings) -> Row:
    """Say what waits, why and until when, and whether everything runs."""
    with engine.connect() as connection:
        return {
            "delivers_to": destination(settings),
            "accounts": _rows(
                connection,
                """
                SELECT name, paused_at, paused_because, parked_until, parked_because, in_a_row AS ambiguous_in_a_row,
                  read_back.because AS not_read_back_because,
                  CASE WHEN read_back.because IS NOT NULL THEN read_back.until END AS not_read_back_until
                FROM accounts a LEFT JOIN LATERAL (
                  SELECT context #>> '{read_back,stopped}' AS because, verify_at AS until FROM errors
                  WHERE account_id = a.id AND verify_at > now() ORDER BY verify_at DESC LIMIT 1) read_back ON true
                WHERE removed_at IS NULL ORDER BY name LIMIT 100""",
            ),
            "batches": {
                status.value: _count(connection, "SELECT FROM batches WHERE status = :status", status=status)
                for status in (Status.PENDING, Status.PROCESSING)
            },
            "waiting": _rows(
                connection,
                f"""
                SELECT a.name AS account, coalesce(
                    CASE WHEN b.after <> '{{}}' THEN 'waits for an earlier batch of the same people' END,
                    {STOPPED}, nullif(b.postponed_because, ''),
                    CASE WHEN b.due_at > now() THEN 'gathers more records' ELSE 'waits for its turn' END) AS why,
                  count(*) AS batches, sum(b.size)::bigint AS records, min(b.created_at) AS oldest,
                  CASE WHEN min(a.paused_at) IS NULL THEN greatest(min(b.due_at), min(a.parked_until)) END AS until
                FROM (SELECT * FROM batches WHERE status = 'PENDING' ORDER BY id LIMIT {MANY // 4}) b
                JOIN accounts a ON a.id = b.account_id GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 20""",
            ),
            "unresolved_errors": {
                outcome.value: _count(
                    connection, "SELECT FROM errors WHERE resolution IS NULL AND outcome = :outcome", outcome=outcome
                )
                for outcome in OPEN
            },
            "refused": _count(connection, "SELECT FROM refused WHERE replayed_at IS NULL AND raw <> ''"),
            "webhooks": _rows(
                connection,
                f"""
                SELECT k.name, k.webhook_url IS NULL AS off, k.webhook_failures AS failures,
                  coalesce(nullif(k.webhook_error, ''), n.error) AS error, n.waiting,
                  greatest(k.webhook_due_at, n.due_at) AS again_at
                FROM keys k CROSS JOIN LATERAL (
                  SELECT count(*) AS waiting, max(last_error) AS error, min(due_at) AS due_at FROM (
                    SELECT * FROM notifications n WHERE n.key_id = k.id AND n.stage IN ('failing', 'finished')
                    ORDER BY n.due_at LIMIT {MANY // 100}) few) n
                WHERE k.revoked_at IS NULL AND (k.webhook_error <> '' OR n.error <> '') ORDER BY k.name LIMIT 20""",
            ),
            **_redis_facts(settings),
        }


def _redis_facts(settings: Settings) -> Row:
    client = connect(settings.stream_url)
    try:
        persistent = client.config_get("appendonly").get("appendonly") == "yes"
    except redis.ResponseError:
        persistent = None  # a provider's Redis may not say
    except redis.RedisError:
        return {"redis": "out of reach", "stream_waiting": None, "workers": None, "beat": None}
    return {
        "redis": "persistent" if persistent else "NOT persistent" if persistent is not None else "does not say",
        "stream_waiting": Stream(client).waiting(),
        "workers": alive.workers(client),
        "beat": alive.ticking(client),
    }


def batches(engine: Engine, chosen: Chosen) -> list[Row]:
    """List batches, the newest first; `before` continues where a list ended."""
    conditions = {
        "b.state = :state": chosen.state,
        "a.name = :account": chosen.account,
        "EXISTS (SELECT FROM errors e WHERE e.batch_id = b.id AND e.resolution IS NULL)": chosen.errors or None,
    }
    where = " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"
    with engine.connect() as connection:
        return _rows(
            connection,
            f"""
            SELECT b.id, a.name AS account, b.event_id, {EVENT}, b.state, b.identity, b.origin, b.status, b.size,
              b.attempts, (SELECT count(*) FROM attempts t WHERE t.batch_id = b.id) AS calls,
              b.claims, b.due_at, b.postponed_because, b.after, b.created_at, b.settled_at,
              (SELECT count(*) FROM errors e WHERE e.batch_id = b.id AND e.resolution IS NULL) AS errors
            FROM ({_walked(connection, chosen)}) b JOIN accounts a ON a.id = b.account_id
            JOIN events ev ON ev.id = b.event_id WHERE {where} ORDER BY b.id DESC LIMIT :limit""",
            **_walk(chosen),
            state=chosen.state,
            account=chosen.account,
            limit=chosen.limit,
        )


def further(engine: Engine, chosen: Chosen, found: Sequence[Row]) -> int | None:
    """Give the `before` with which to go on listing batches; none where the list is at its end."""
    if len(found) == chosen.limit:
        return int(found[-1]["id"])
    if chosen.walk is None:
        return None
    with engine.connect() as connection:
        counted = f"SELECT count(*) AS number, min(id) AS oldest FROM ({_walked(connection, chosen)}) b"
        walked = connection.execute(text(counted), _walk(chosen)).one()
    return walked.oldest if walked.number == chosen.walk else None


def _walked(connection: Connection, chosen: Chosen) -> str:
    """Give the SQL of the batches that are looked at, the newest first, by the index of their status or event."""
    conditions = ["b.id < :before"]
    if chosen.status is not None:
        conditions.append("b.status = :status")
    if chosen.event is None:
        return f"SELECT * FROM batches b WHERE {' AND '.join(conditions)} ORDER BY b.id DESC LIMIT :walk"
    named = events(connection, chosen.event)
    return f"""
    SELECT b.* FROM unnest(CAST(ARRAY[{",".join(str(row["id"]) for row in named)}] AS bigint[])) x(id)
    CROSS JOIN LATERAL (
      SELECT * FROM batches b WHERE b.event_id = x.id AND {" AND ".join(conditions)} ORDER BY b.id DESC LIMIT :walk) b
    ORDER BY b.id DESC LIMIT :walk"""


def _walk(chosen: Chosen) -> Row:
    before = 2**63 - 1 if chosen.before is None else chosen.before
    return {"before": before, "status": chosen.status, "walk": chosen.walk}


def events(connection: Connection, named: str | None = None, before: int | None = None, limit: int = 100) -> list[Row]:
    """List events, the newest first, or those that people name so."""
    return _rows(
        connection,
        f"""
        SELECT ev.id, {EVENT}, a.name AS account, ev.created_at FROM events ev JOIN accounts a ON a.id = ev.account_id
        WHERE {"true" if named is None else EVENT_NAMED} AND ev.id < :before ORDER BY ev.id DESC LIMIT :limit""",
        event=named,
        before=2**63 - 1 if before is None else before,
        limit=limit,
    )


def event(engine: Engine, event_id: int, walk: int = 3_000, errors: int = 4_000) -> Row | None:
    """Show an event: its records by state and outcome, of its newest `walk` batches, and no more than `errors` errors.

    `all` says whether that was everything. `missing` are those that HubSpot should have and, as far as we know, has
    not: neither delivered, nor waiting, nor canceled.
    """
    with engine.connect() as connection:
        found = _rows(
            connection,
            f"""
            SELECT ev.id, {EVENT}, a.name AS account, ev.created_at FROM events ev
            JOIN accounts a ON a.id = ev.account_id WHERE ev.id = :id""",
            id=event_id,
        )
        if not found:
            return None
        rows = _rows(
            connection,
            # As models.outcome has it, the other way round: from the few that have an error.
            f"""
            WITH walked AS MATERIALIZED (
              SELECT id, state, status, size,
                (SELECT count(*) FROM errors e WHERE e.batch_id = b.id) AS errors
              FROM batches b WHERE event_id = :id ORDER BY id DESC LIMIT {walk}),
            few AS MATERIALIZED (
              SELECT * FROM (SELECT *, sum(errors) OVER (ORDER BY id DESC) - errors AS before FROM walked) b
              WHERE before < {errors})
            SELECT state, status, NULL AS outcome, count(*) AS batches, sum(size)::bigint AS records,
              (SELECT count(*) FROM walked) AS walked
            FROM few GROUP BY 1, 2
            UNION ALL
            SELECT b.state, b.status, CASE WHEN e.resolution = 'confirmed' THEN 'delivered' ELSE e.outcome END, 0,
              count(*), 0
            FROM (SELECT * FROM few WHERE errors > 0 OFFSET 0) b CROSS JOIN LATERAL (
              SELECT DISTINCT ON (e.record_id) e.* FROM errors e WHERE e.batch_id = b.id
              ORDER BY e.record_id, e.id DESC) e
            CROSS JOIN LATERAL (SELECT FROM records r WHERE r.id = e.record_id AND r.batch_id = b.id OFFSET 0) r
            GROUP BY 1, 2, 3""",
            id=event_id,
        )
    sizes = [row for row in rows if row["outcome"] is None]
    apart = [row for row in rows if row["outcome"] is not None]
    outcomes: dict[str, Counter[str]] = {state.value: Counter() for state in State}
    for row in sizes:
        outcomes[row["state"]][_settled(row["status"])] += row["records"]
    for row in apart:
        outcomes[row["state"]][_settled(row["status"])] -= row["records"]
        outcomes[row["state"]][row["outcome"]] += row["records"]
    counted = sum(row["batches"] for row in sizes)
    everything = counted < walk and all(row["walked"] == counted for row in sizes)
    states = {
        state: {
            "records": sum(counts.values()),
            **{outcome.value: counts[outcome.value] for outcome in Outcome},
            "missing": sum(counts[outcome] for outcome in OPEN),
        }
        for state, counts in outcomes.items()
    }
    return {**found[0], "states": states, "all": everything}


def _settled(status: str) -> str:
    return Outcome.DELIVERED.value if status == Status.COMPLETE else status.lower()


def batch(engine: Engine, batch_id: int, limit: int = 1_000, after: int = -1) -> Row | None:
    """Show one batch with its attempts, and its records behind a position with their outcomes and last errors."""
    with engine.connect() as connection:
        found = _rows(
            connection,
            f"""
            SELECT b.*, a.name AS account, {EVENT}, ev.object_id, ev.external_event_id, ev.external_account_id,
              a.hubspot_version FROM batches b JOIN accounts a ON a.id = b.account_id
            JOIN events ev ON ev.id = b.event_id WHERE b.id = :id""",
            id=batch_id,
        )
        if not found:
            return None
        shown = {name: value for name, value in found[0].items() if name not in {"lease_token", "contact_ids"}}
        return {
            **shown,
            "timeline": _rows(
                connection, "SELECT * FROM attempts WHERE batch_id = :id ORDER BY id LIMIT 200", id=batch_id
            ),
            "records": _rows(
                connection,
                f"""
                SELECT r.id, r.position, r.contact, r.input, {OUTCOME} AS outcome, e.category, e.code, e.message,
                  e.resolution
                FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR}
                WHERE r.batch_id = :id AND r.position > :after ORDER BY r.position LIMIT :limit""",
                id=batch_id,
                after=after,
                limit=limit,
            ),
        }


def errors(
    engine: Engine, chosen: Filter, limit: int = 50, before: int | None = None, walk: int | None = None
) -> list[Row]:
    """List unresolved errors, the newest first; of `walk` errors at most, counted from the newest one in question."""
    with engine.connect() as connection:
        return _rows(
            connection,
            f"""
            SELECT e.id, e.created_at, e.outcome, e.category, e.code, e.message, e.group_id, e.batch_id, e.record_id,
              r.contact, r.input, a.name AS account, b.event_id, {EVENT}, b.state
            FROM ({_every(chosen) if walk is None else walks.found(chosen)} ORDER BY e.id DESC LIMIT :limit) e
            JOIN records r ON r.id = e.record_id JOIN batches b ON b.id = e.batch_id
            JOIN events ev ON ev.id = b.event_id JOIN accounts a ON a.id = b.account_id ORDER BY e.id DESC""",
            limit=limit,
            outcomes=list(chosen.outcomes),
            **walks.facts(chosen, before, walk or 0),
        )


def _every(chosen: Filter) -> str:
    """Give the SQL of all errors that a filter chooses, by the index of group or outcome."""
    if chosen.group_id is not None:
        return f"SELECT e.* {CHOSEN} WHERE e.outcome = ANY(:outcomes) AND e.id < :before AND {chosen.sql}"
    # Outcome by outcome, each a constant: so the planner knows that one which nothing has costs nothing.
    each = " UNION ALL ".join(
        f"""
        (SELECT e.* {CHOSEN} WHERE e.outcome = '{Outcome(outcome).value}' AND e.id < :before AND {chosen.sql}
        ORDER BY e.id DESC LIMIT :limit)"""
        for outcome in chosen.outcomes
    )
    return f"SELECT * FROM ({each}) e"


def errors_further(engine: Engine, chosen: Filter, before: int | None, walk: int) -> int | None:
    """Give the `before` with which to go on where no more of a walk is found; none where it met the end."""
    with engine.connect() as connection:
        counted = f"SELECT count(*) AS number, min(id) AS oldest FROM ({walks.unresolved(chosen, 'id')}) e"
        walked = connection.execute(text(counted), walks.facts(chosen, before, walk)).one()
    return walked.oldest if walked.number == walk else None


def submission(engine: Engine, submission_id: UUID, limit: int = 100) -> Row | None:
    """Show a submission: its receipt, its records by outcome, and the first that are not delivered or were refused.

    Its first `LOOKED_AT` records are looked at; `all` says whether there are no more.
    """
    with engine.connect() as connection:
        found = submissions.summary(connection, submission_id, LOOKED_AT)
        if found is None:
            return None
        undelivered = submissions.records(connection, submission_id, Cursor(), limit, LOOKED_AT)
        refused = submissions.refusals(connection, submission_id, 0, limit)
        notified = _rows(
            connection,
            """
            SELECT k.name AS key, n.stage, n.attempts, n.last_error, n.due_at FROM notifications n
            JOIN keys k ON k.id = n.key_id WHERE n.submission = :submission ORDER BY n.id""",
            submission=submission_id,
        )
    shown = ("id", "contact", "event", "state", "batch_id", "outcome", "category", "message")
    return {
        **{name: value for name, value in found.items() if name != "account_ids"},
        "not_delivered": [{name: row[name] for name in shown} for row in undelivered],
        "webhooks": notified,
        "refusals": [{name: row[name] for name in ("id", "inputs", "reasons", "replayed_at")} for row in refused],
    }


def person(engine: Engine, contact: str, limit: int = 20, before: int | None = None) -> list[Row]:
    """List a contact's records, the newest first, each with its attempts, its errors and what happens next."""
    with engine.connect() as connection:
        records = _rows(
            connection,
            f"""
            WITH theirs AS MATERIALIZED (SELECT id FROM records WHERE contact = :contact AND id < :before)
            SELECT r.id, r.contact, r.input, r.corrects, {submissions.CONTACT_ID} AS contact_id, a.name AS account,
              {EVENT}, b.state, {OUTCOME} AS outcome, b.id AS batch_id, b.status, b.origin, b.split_from, b.after,
              b.due_at, b.due_at <= now() AS is_due, b.postponed_because, b.settled_at, {STOPPED} AS stopped,
              s.submission, s.producer, s.door, s.received_at
            FROM (SELECT id FROM theirs ORDER BY id DESC LIMIT :limit) page JOIN records r USING (id)
            JOIN batches b ON b.id = r.batch_id {LAST_ERROR} JOIN accounts a ON a.id = b.account_id
            JOIN events ev ON ev.id = b.event_id JOIN submissions s ON s.id = r.submission_id ORDER BY r.id DESC""",
            contact=comparable(contact),
            before=2**63 - 1 if before is None else before,
            limit=limit,
        )
        history = _rows(
            connection,
            f"SELECT * FROM errors WHERE record_id = ANY(:ids) ORDER BY id LIMIT {HISTORY}",
            ids=[record["id"] for record in records],
        )
        for record in records:
            record["errors"] = [error for error in history if error["record_id"] == record["id"]]
            present = [error for error in record["errors"] if error["batch_id"] == record["batch_id"]]
            record["next"] = follows({**record, "error": present[-1] if present else None})
            record["batches"] = sorted({record["batch_id"], *(error["batch_id"] for error in record["errors"])})
        calls = _rows(
            connection,
            f"SELECT * FROM attempts WHERE batch_id = ANY(:ids) ORDER BY id LIMIT {HISTORY}",
            ids=list({id_ for record in records for id_ in (*record["batches"], record["split_from"]) if id_}),
        )
    for record in records:
        its = {*record["batches"], record["split_from"]}
        record["attempts"] = [call for call in calls if call["batch_id"] in its]
    return records


def by_event(engine: Engine) -> dict[tuple[str, str], Counter[str]]:
    """Count the records by outcome, per event and state; it may scan, as the audit does."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    with engine.connect() as connection:
        for row in _rows(
            connection,
            f"""
            SELECT {EVENT}, b.state, {OUTCOME} AS outcome, count(*) AS records
            FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR} JOIN events ev ON ev.id = b.event_id
            GROUP BY 1, 2, 3""",
        ):
            counts.setdefault((row["event"], row["state"]), Counter())[row["outcome"]] += row["records"]
    return counts


def _rows(connection: Connection, statement: str, **facts: object) -> list[Row]:
    return [dict(row._mapping) for row in connection.execute(text(statement), facts)]  # noqa: SLF001 - its public name


def _count(connection: Connection, selected: str, **facts: object) -> int:
    """Count rows, but no further than just beyond `MANY`."""
    counted = connection.execute(text(f"SELECT count(*) FROM ({selected} LIMIT {MANY + 1}) few"), facts)
    return int(counted.scalar_one())


def as_said(count: int) -> str:
    """Write a bounded count."""
    return f"more than {MANY:,}" if count > MANY else f"{count:,}"


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Give what orjson cannot write by itself."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    return str(value)
