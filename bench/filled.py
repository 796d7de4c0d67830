"""A database as years of work leave it, filled by plain SQL in minutes: not through accept, which takes an hour.

    accounts     five: `default` has 70 % of everything, `quiet` only what is oldest
    events       5,000 of very different sizes: the first has a tenth of all records, the last hundred a batch or two,
                 long ago
    batches      of up to 100, one of 1,000; the newest thirty-fifth waits, all but a few of the others are COMPLETE
    errors       of 300 groups; two thirds are unresolved, and nearly all of those old, from an outage that gave up a
                 tenth of the batches of its time: so the newest pages hold few, and filters have no luck
    not added    4,000 calls, which is six minutes at HubSpot's limit, and 20,000 errors of them
    people       a million; `busy@example.com` is in every twentieth batch
    submissions  of ten batches; one file is a tenth of everything

Everything is computed from numbers, so each run makes the same.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import redis
from sqlalchemy import Engine, text

from models.error_signature import CANCELED, ErrorKind
from models.words import Outcome
from worker.context import Context
from worker.database import make_engine
from worker.local import migrate
from worker.local.services import Postgres, free_port, valkey_command
from worker.settings import Settings

MARK: Final = "filled"
"""In the home: how many records it holds."""
LARGE: Final = ("records", "errors", "attempts", "batches", "submissions", "refused")
MEAN: Final = 92.85
"""Records of a batch."""
DAYS: Final = 85
GIVEN_UP, REJECTED, UNCONFIRMED = range(1, 101), range(101, 281), range(281, 300)
"""Numbers of the groups; the last, 300, is what an operator canceled."""

EVENT_OF: Final = """
CASE WHEN i <= 200 THEN 4901 + i % 100 WHEN u < 0.1 THEN 1 ELSE 2 + floor(4899 * ((u - 0.1) / 0.9) ^ 3)::int END"""

FILL: Final = {
    "accounts": """
        INSERT INTO accounts (name) VALUES ('north'), ('south'), ('west'), ('quiet')""",
    "events": """
        INSERT INTO events (account_id, object_id, external_event_id, external_account_id)
        SELECT CASE WHEN i > 4900 THEN 5 WHEN i % 10 IN (0, 2, 4) THEN 2 + i % 10 / 2 ELSE 1 END,
          CASE WHEN i % 5 > 0 THEN 'event-' || i END, CASE WHEN i % 5 = 0 THEN 'webinar-' || i END,
          CASE WHEN i % 5 = 0 THEN 'acme' END
        FROM generate_series(1, 5000) i ORDER BY i""",
    "batches": f"""
        INSERT INTO batches (id, account_id, event_id, state, identity, origin, status, open, size, positions, due_at,
          postponed_because, claims, lease_token, lease_until, contact_ids, created_at, settled_at)
        SELECT i, ev.account_id, ev.id,
          CASE WHEN v < 0.75 THEN 'register' WHEN v < 0.95 OR i > :batches / 2 THEN 'attend' ELSE 'cancel' END,
          CASE WHEN i % 20 = 10 THEN 'vid' ELSE 'email' END,
          CASE WHEN i % 50 = 0 THEN 'retry' ELSE 'live' END, status, false, size, size, at,
          CASE WHEN status = 'PENDING' AND i % 3 > 0 THEN 'HubSpot failed (HTTP 503)' ELSE '' END, 1,
          CASE WHEN status = 'PROCESSING' THEN gen_random_uuid() END,
          CASE WHEN status = 'PROCESSING' THEN now() + interval '1 day' END,
          CASE WHEN status = 'COMPLETE' THEN
            ARRAY(SELECT 1000000000 + i * 100 + p FROM generate_series(1, size) p) END,
          at, CASE WHEN status IN ('COMPLETE', 'CANCELED') THEN at + interval '5 seconds' END
        FROM (
          SELECT i, ({EVENT_OF}) AS event_id, i * 40503 % 65536 / 65536.0 AS v,
            CASE WHEN i = :batches / 3 THEN 1000 WHEN i % 7 = 0 THEN 1 + i * 13 % 99 ELSE 100 END AS size,
            CASE WHEN i > :batches - 20 THEN 'PROCESSING' WHEN i > :batches - :batches / 35 THEN 'PENDING'
              WHEN i % 1000 = 1 OR (i % 10 = 5 AND i BETWEEN :batches / 100 AND :batches * 3 / 10) THEN 'CANCELED'
              ELSE 'COMPLETE' END AS status,
            now() - (:batches - i) / CAST(:batches AS float8) * interval '{DAYS} days' AS at
          FROM (SELECT i, (i * 2654435761 % 4294967296) / 4294967296.0 AS u
            FROM generate_series(CAST(1 AS bigint), :batches) i) numbered) b
        JOIN events ev ON ev.id = b.event_id ORDER BY i""",
    "firsts": """
        CREATE TABLE bench_firsts AS SELECT id, sum(size) OVER (ORDER BY id) - size AS first FROM batches""",
    "records": """
        INSERT INTO records (id, fingerprint, batch_id, position, submission_id, contact, input)
        SELECT first + p + 1,
          int8send(1767225600000 + 1000 * (first + p)::bigint) || decode(md5(b.id || '-' || p), 'hex'), b.id,
          p, 1 + b.id / 10, contact, jsonb_build_object('interactionDateTime', 1767225600000 + 1000 * (first + p),
            CASE identity WHEN 'vid' THEN 'vid' ELSE 'email' END, contact,
            'contactProperties', jsonb_build_object('firstname', 'Ada', 'lastname', 'Lovelace ' || p))
        FROM batches b JOIN bench_firsts f USING (id) CROSS JOIN LATERAL generate_series(0, b.size - 1) p
        CROSS JOIN LATERAL (SELECT CASE WHEN identity = 'vid' THEN (70000000 + (b.id * 7919 + p) % 1000000)::text
          WHEN p = 0 AND b.id % 20 = 3 THEN 'busy@example.com'
          ELSE 'person.' || (b.id * 7919 + p) % 1000000 || '@example.com' END AS contact) c
        ORDER BY b.id, p""",
    "attempts": """
        INSERT INTO attempts (id, batch_id, account_id, sent, started_at, finished_at, answer, http_status,
          duration_ms, delivered)
        OVERRIDING SYSTEM VALUE
        SELECT row_number() OVER (ORDER BY b.id, n), b.id, b.account_id, b.size,
          b.created_at + n * interval '10 milliseconds',
          b.settled_at, CASE WHEN n < calls OR status = 'CANCELED' THEN 'ambiguous' ELSE 'settled' END,
          CASE WHEN n < calls OR status = 'CANCELED' THEN 503 ELSE 200 END, 300,
          CASE WHEN n = calls AND status = 'COMPLETE' THEN b.size ELSE 0 END
        FROM batches b CROSS JOIN LATERAL (SELECT CASE WHEN b.size > 100 THEN 200 WHEN b.id % 20 = 0 THEN 3 ELSE 1 END
          AS calls) c CROSS JOIN LATERAL generate_series(1, calls) n WHERE settled_at IS NOT NULL""",
    "error_groups": """
        INSERT INTO error_groups (id, outcome, category, code, gist, first_seen, last_seen)
        SELECT id, outcome, category, code, gist, now() - interval '80 days', now() - number * interval '1 hour'
        FROM jsonb_to_recordset(CAST(:kinds AS jsonb)) AS x(number int, id text, outcome text, category text,
          code text, gist text)""",
    "errors": """
        INSERT INTO errors (id, record_id, batch_id, outcome, category, code, message, created_at, verify_at,
          account_id, group_id, resolution, resolved_at)
        OVERRIDING SYSTEM VALUE
        SELECT row_number() OVER (ORDER BY e.record_id), e.record_id, e.batch_id, k.outcome, k.category, k.code,
          replace(k.gist, '…', '`' || e.contact || '`'), e.at,
          CASE WHEN k.outcome = 'unconfirmed' AND resolution IS NULL AND batch_id > :batches * 9 / 10
            THEN now() + interval '1 day' END, account_id, k.id, resolution,
          CASE WHEN resolution IS NOT NULL THEN e.at + interval '1 hour' END
        FROM (
          SELECT r.id AS record_id, r.batch_id, r.contact, b.account_id, b.settled_at AS at, x.*
          FROM batches b JOIN records r ON r.batch_id = b.id CROSS JOIN LATERAL (
            SELECT CASE WHEN b.id % 1000 = 1 THEN 300 WHEN b.id % 30 <> 25 THEN 1 ELSE 2 + b.id / 10 % 99 END AS number,
              NULL AS resolution WHERE b.status = 'CANCELED'
            UNION ALL SELECT 101 + r.id / 37 % 180, NULL WHERE b.status = 'COMPLETE' AND (b.size > 100 OR
              r.id % CASE WHEN b.id < :batches * 3 / 10 THEN 37 ELSE 997 END = 0)
            UNION ALL SELECT 281 + r.id / 367 % 19, NULL WHERE b.status = 'COMPLETE' AND r.id % 367 = 1
            UNION ALL SELECT 281 + r.id % 19, CASE WHEN r.id % 2 = 0 THEN 'confirmed' ELSE 'dismissed' END
              WHERE b.status = 'COMPLETE' AND r.id % 97 = 5) x
          UNION ALL
          SELECT r.id, b.id - 1, r.contact, b.account_id, b.created_at - interval '1 hour', 2 + r.id % 99, 'retried'
          FROM batches b JOIN records r ON r.batch_id = b.id WHERE b.origin = 'retry' AND r.id % 2 = 0) e
        JOIN jsonb_to_recordset(CAST(:kinds AS jsonb)) AS k(number int, id text, outcome text, category text, code text,
          gist text) USING (number)""",
    "refused": """
        INSERT INTO refused (submission_id, raw, inputs, reasons, refused_at, replayed_at)
        SELECT 1 + i * 7 % (:batches / 10), convert_to(jsonb_build_object('subscriber_state', 'register',
            'object_id', 'event-' || i % 4000, 'account', CASE WHEN i < 20 THEN 'west' ELSE 'north' END, 'inputs',
            jsonb_build_array(jsonb_build_object('email', 'no address ' || i, 'interactionDateTime', i)))::text,
          'UTF8'), 1, '[{"where": "inputs[0].email", "what": "is no address", "right": "name@example.com"}]',
          now() - interval '60 days', CASE WHEN i % 5 = 0 THEN now() END
        FROM generate_series(1, :batches * 50 / 107) i ORDER BY i""",
    "submissions": """
        INSERT INTO submissions (id, submission, part, door, producer, received_at, accepted, duplicates, refused,
          repeats, account_id)
        SELECT s, CASE WHEN s BETWEEN :batches / 20 AND :batches / 20 + :batches / 100 THEN md5('file')
            ELSE md5('s' || s) END::uuid, s::text, 'file', 'crm', at, accepted, 0, coalesce(f.refused, 0), '{}', 1
        FROM (SELECT 1 + id / 10 AS s, sum(size) AS accepted, min(created_at) AS at FROM batches GROUP BY 1) b
        LEFT JOIN (SELECT submission_id AS s, count(*) AS refused FROM refused GROUP BY 1) f USING (s) ORDER BY 1""",
    "lanes": """
        INSERT INTO lanes (event_id, origin, account_id, due_at, ready)
        SELECT event_id, origin, min(account_id), coalesce(min(due_at) FILTER (WHERE status = 'PENDING'), 'infinity'),
          bool_or(status = 'PENDING') FROM batches WHERE origin <> 'replay' GROUP BY 1, 2""",
    "throughput": """
        INSERT INTO throughput (since, calls, calls_failed, delivered, undelivered, attempts_to, errors_to)
        SELECT at, 150, 5, 13000, 700, (SELECT max(id) - 4000 FROM attempts), (SELECT max(id) - 20000 FROM errors)
        FROM generate_series(date_bin('10 minutes', now(), 'epoch') - interval '8 days', now() - interval '20 minutes',
          '10 minutes') at""",
    "throughput_by_account": """
        INSERT INTO throughput_by_account (account_id, since, calls, calls_failed, delivered, undelivered)
        SELECT a.id, since, calls / 5, calls_failed / 5, delivered / 5, undelivered / 5 FROM throughput, accounts a""",
    "attempts not added up": """
        UPDATE attempts t SET started_at = now() - (m.id - t.id) * interval '90 milliseconds'
        FROM (SELECT max(id) AS id FROM attempts) m WHERE t.id > m.id - 4000""",
    "errors not added up": """
        UPDATE errors e SET created_at = now() - (m.batch_id - e.batch_id) * interval '150 milliseconds'
        FROM (SELECT max(id) AS id, max(batch_id) AS batch_id FROM errors) m WHERE e.id > m.id - 20000""",
    "keys": """
        INSERT INTO keys (name, role, account_ids, hash, webhook_url, webhook_error)
        SELECT 'producer ' || i, 'producer', ARRAY[1 + i % 4], decode(md5('key' || i), 'hex'),
          CASE WHEN i % 10 = 0 THEN 'https://shop.example.com/' || i END,
          CASE WHEN i % 50 = 0 THEN 'HTTP 500' ELSE '' END
        FROM generate_series(1, 100) i""",
    "notifications": """
        INSERT INTO notifications (key_id, submission, stage, last_error)
        SELECT k.id, s.submission, CASE WHEN s.id % 4 = 0 THEN 'finished' ELSE 'told' END, 'HTTP 500'
        FROM (SELECT submission, min(id) AS id FROM submissions GROUP BY 1) s
        JOIN keys k ON k.name = 'producer ' || s.id % 10 * 10""",
    "actions": """
        INSERT INTO actions (at, who, via, what, filter, number)
        SELECT now() - (100000 - i) * interval '70 seconds', 'operator ' || i % 7,
          CASE WHEN i % 3 = 0 THEN 'schedule' ELSE 'console' END, CASE WHEN i % 2 = 0 THEN 'retry' ELSE 'pause' END,
          '{"outcomes": ["failed"]}', i % 1000 FROM generate_series(1, 100000) i ORDER BY i""",
    "jobs": """
        INSERT INTO jobs (id, action, params, expected, until, done, skipped, started_at, ended_at)
        SELECT id, 'retry', '{}', number, 1, number, 0, at, CASE WHEN id < 99990 THEN at + interval '1 minute' END
        FROM actions WHERE what = 'retry'""",
    "job_items": """
        INSERT INTO job_items (job_id, item, record_id, done)
        SELECT 100000, id, record_id, id % 50 > 0 FROM errors ORDER BY id LIMIT 300000""",
    "sequences": """
        SELECT setval('batch_ids', (SELECT max(id) FROM batches)), setval('record_ids', (SELECT max(id) FROM records)),
          setval('submission_ids', (SELECT max(id) FROM submissions)),
          setval(pg_get_serial_sequence('attempts', 'id'), (SELECT max(id) FROM attempts)),
          setval(pg_get_serial_sequence('errors', 'id'), (SELECT max(id) FROM errors))""",
    "the rest": "DROP TABLE bench_firsts",
}
"""In this order."""


@contextmanager
def filled(home: Path | None, records: int) -> Iterator[Context]:
    """Run PostgreSQL and Valkey under a home until the block ends, filled; a home that is given is kept."""
    for name in [name for name in os.environ if name.startswith("TURNOUT_")]:
        del os.environ[name]
    here = home or Path(tempfile.mkdtemp(prefix="turnout-bench-"))
    here.mkdir(parents=True, exist_ok=True)
    here.chmod(0o755)
    server, port = Postgres(here), free_port()
    valkey = subprocess.Popen(valkey_command(here, port, ""), stdout=subprocess.DEVNULL)
    try:
        settings = Settings(
            _env_file=None,
            database_url=server.start(),
            broker_url=f"redis://127.0.0.1:{port}/0",
            secret_key="bench",  # noqa: S106
            hubspot_url="http://127.0.0.1:9",
            data_dir=here / "data",
        )
        _wait_for(port)
        engine = make_engine(settings)
        mark = here / MARK
        if not mark.exists():
            with engine.begin() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            migrate.upgrade(engine)
            fill(engine, records)
            mark.write_text(f"{records}\n")
        elif int(mark.read_text()) != records:
            raise SystemExit(f"{here} holds {mark.read_text().strip()} records: delete it, or ask for as many")
        migrate.upgrade(engine)
        engine.dispose()
        process = Context(settings)
        yield process
        process.engine.dispose()
    finally:
        valkey.terminate()
        valkey.wait()
        server.stop()
        if home is None:
            shutil.rmtree(here, ignore_errors=True)


def fill(engine: Engine, records: int) -> None:
    """Fill an empty database: first the rows, then the indexes."""
    facts = {"batches": round(records / MEAN), "kinds": orjson.dumps(list(_kinds())).decode()}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in (
            "statement_timeout = 0",
            "synchronous_commit = off",
            "work_mem = '256MB'",
            "maintenance_work_mem = '1GB'",
        ):
            connection.execute(text(f"SET {setting}"))
        indexes = connection.execute(
            text("""
            SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS gone,
              format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
                AS back
            FROM pg_constraint
            WHERE (conrelid = ANY(CAST(CAST(:large AS text[]) AS regclass[])) AND contype IN ('p', 'u'))
              OR (confrelid = ANY(CAST(CAST(:large AS text[]) AS regclass[])) AND contype = 'f')
            ORDER BY contype = 'f' DESC"""),
            {"large": list(LARGE)},
        ).all()
        indexes = [
            *indexes,
            *connection.execute(
                text("""
            SELECT format('DROP INDEX %s', indexrelid::regclass) AS gone, pg_get_indexdef(indexrelid) AS back
            FROM pg_index
            WHERE indrelid = ANY(CAST(CAST(:large AS text[]) AS regclass[]))
              AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"""),
                {"large": list(LARGE)},
            ),
        ]
        for index in indexes:
            connection.execute(text(index.gone))
        for name, statement in FILL.items():
            _timed(connection, name, statement, facts)
        for index in reversed(indexes):  # what refers to a key comes after it
            _timed(connection, index.back.partition(" ON ")[0][-60:], index.back, {})
        _timed(connection, "vacuum", "VACUUM (FREEZE, ANALYZE)", {})
        _timed(connection, "checkpoint", "CHECKPOINT", {})


def _kinds() -> Iterator[dict[str, Any]]:
    kinds = {number: (Outcome.FAILED, "GIVEN_UP", "", f"gave up on …, {_word(number)}") for number in GIVEN_UP}
    kinds |= {number: (Outcome.REJECTED, "VALIDATION_ERROR", "", f"… is bad: {_word(number)}") for number in REJECTED}
    kinds |= {number: (Outcome.UNCONFIRMED, "NOT_NAMED", "", f"… not named, {_word(number)}") for number in UNCONFIRMED}
    for number, kind in {**{number: ErrorKind.of(*of) for number, of in kinds.items()}, 300: CANCELED}.items():
        yield {"number": number, **kind._asdict(), "id": kind.group_id}


def _word(number: int) -> str:
    """Write a number in letters: digits are no part of a group."""
    return "".join(chr(97 + int(digit)) for digit in str(number))


def _timed(connection: Any, name: str, statement: str, facts: dict[str, object]) -> None:
    begun = time.perf_counter()
    connection.execute(text(statement), facts)
    print(f"  {name}: {time.perf_counter() - begun:.1f} s", flush=True)


def _wait_for(port: int) -> None:
    with redis.Redis(port=port) as client:
        for _ in range(500):
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return
    raise SystemExit("Valkey does not start")
