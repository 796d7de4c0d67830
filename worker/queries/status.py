"""What waits, why and until when, and whether everything runs."""

import redis
from sqlalchemy import Engine

from models.words import Status
from worker import heartbeat
from worker.queries.error_filter import ANY_OPEN
from worker.queries.jobs import jobs_under_way
from worker.queries.rows import MANY, STOPPED, Row, count, read
from worker.settings import Settings
from worker.stream import Stream, connect


def destination(settings: Settings) -> str:
    """Say where this installation delivers."""
    local = settings.hubspot_url.startswith("http://127.0.0.1")
    return (
        f"the sandbox on {settings.hubspot_url}, not to HubSpot"
        if local
        else f"{settings.hubspot_url}, account default"
    )


def read_status(engine: Engine, settings: Settings) -> Row:
    """Say what waits, why and until when, and whether everything runs."""
    with engine.connect() as connection:
        return {
            "delivers_to": destination(settings),
            "accounts": read(
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
                status.value: count(connection, "SELECT FROM batches WHERE status = :status", status=status)
                for status in (Status.PENDING, Status.PROCESSING)
            },
            "waiting": read(
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
                outcome.value: count(
                    connection, "SELECT FROM errors WHERE resolution IS NULL AND outcome = :outcome", outcome=outcome
                )
                for outcome in ANY_OPEN
            },
            "refused": count(connection, "SELECT FROM refused WHERE replayed_at IS NULL AND raw <> ''"),
            "jobs": jobs_under_way(connection, 5),
            "webhooks": read(
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
        "workers": heartbeat.workers(client),
        "beat": heartbeat.ticking(client),
    }
