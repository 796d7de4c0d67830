"""Notify: webhooks are told when a submission has failures and when it is finished. At least once, each with its id.

Accept notes the submission; from then on it is looked at, again after a fifth of its age: nobody who settles batches
has to think of webhooks, and what waits long is looked at seldom. Once there is something to tell, its words are kept
and posted until they are taken, for a day. A webhook that fails is left alone for a while as a whole, so that a dead
one costs a probe now and then however much it is to be told.

What an operator sends again after it was finished is not told: the receipt says it.
"""

import logging
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, Row, text

from hubspot_api.transport import NoResponse, Response
from models.backoff import wait
from models.words import Outcome, Stage, Status
from worker.context import Context
from worker.database import repeat
from worker.encryption import unseal
from worker.queries import submissions
from worker.queries.submissions import SubmissionSummary
from worker.webhooks import endpoint
from worker.webhooks.endpoint import HAS_WEBHOOK, TIMEOUT
from worker.webhooks.signature import WebhookMessage

log = logging.getLogger(__name__)

LOOKED_AT: Final = 100
"""Submissions that are looked at in one transaction, at most."""
SOONEST: Final = 1.0
LATEST: Final = 600.0
"""Seconds until a submission is looked at again: a fifth of its age, within these. A look costs 0.08 ms (of 100 records
0.2, of 10,000 23): at most once a minute, what a six-hour outage held up at 20 requests a second would take half a
processor."""
LEASE: Final = 60.0
"""Seconds for which one posts a notification and no other does; outlasts its POST."""
TRIED: Final = 86_400.0
"""Seconds for which a notification is tried."""
EXCERPT: Final = 200
"""Characters of an answer that are quoted."""
THREADS: Final = 3
"""Threads of a process that notify at once: webhooks that hang must not take those of intake and the sweep."""
GONE: Final = 410
"""The status by which a webhook asks to be turned off."""
_SLOTS: Final = threading.BoundedSemaphore(THREADS)

LOOKED: Final = "n.stage IN ('watched', 'warned') AND n.due_at <= now()"
POSTED: Final = "n.stage IN ('failing', 'finished') AND n.due_at <= now()"
_AWAKE: Final = f"{HAS_WEBHOOK} AND coalesce(k.webhook_due_at <= now(), true)"


def is_due(engine: Engine) -> bool:
    """Say whether a webhook may have to be told something."""
    with engine.connect() as connection:
        due = connection.execute(
            text(f"""
            SELECT EXISTS (SELECT FROM keys k WHERE {HAS_WEBHOOK} AND (
              EXISTS (SELECT FROM notifications n WHERE n.key_id = k.id AND {LOOKED})
              OR coalesce(k.webhook_due_at <= now(), true) AND EXISTS (
                SELECT FROM notifications n WHERE n.key_id = k.id AND {POSTED})))""")
        )
        return bool(due.scalar())


def notify(process: Context) -> None:
    """Look and post while something is due; each webhook in turn, so that none waits for another's backlog."""
    if not _SLOTS.acquire(blocking=False):
        return
    try:
        busy = True
        while busy and not process.stopping.is_set():
            looked = repeat(lambda: look(process.engine))
            posted = [post(process, key_id) for key_id in _keys_due(process.engine)]
            busy = looked == LOOKED_AT or any(posted)
    finally:
        _SLOTS.release()


def look(engine: Engine) -> int:
    """Look at submissions whose time has come, and compose what there is to tell; give how many were looked at."""
    with engine.begin() as connection:
        rows = connection.execute(
            text(f"""
            SELECT n.* FROM (SELECT k.id FROM keys k WHERE {HAS_WEBHOOK} ORDER BY random()) k CROSS JOIN LATERAL (
              SELECT * FROM notifications n WHERE n.key_id = k.id AND {LOOKED}
              ORDER BY n.due_at LIMIT :most FOR UPDATE SKIP LOCKED) n
            LIMIT :most"""),
            {"most": LOOKED_AT},
        ).all()
        if not rows:
            return 0
        over = set(submissions.settled(connection, {row.submission for row in rows}))
        watched = {row.submission for row in rows if row.stage == Stage.WATCHED} - over
        telling = over | set(submissions.failing(connection, watched) if watched else ())
        told = [
            {"id": row.id, "stage": stage, "body": body}
            for row in rows
            if row.submission in telling
            for stage, body in _composed(connection, row)
        ]
        if told:
            connection.execute(
                text("""
                UPDATE notifications SET stage = :stage, body = :body, attempts = 0, due_at = now(),
                  occurred_at = now() WHERE id = :id"""),
                told,
            )
        connection.execute(
            text("""
            UPDATE notifications
            SET due_at = now() + least(:latest, greatest(:soonest, extract(epoch FROM now() - created_at) / 5))
              * interval '1 second'
            WHERE id = ANY(:ids)"""),
            {
                "ids": list({row.id for row in rows} - {one["id"] for one in told}),
                "soonest": SOONEST,
                "latest": LATEST,
            },
        )
        return len(rows)


def _composed(connection: Connection, row: Row[Any]) -> Sequence[tuple[Stage, bytes]]:
    """Compose what there is to tell of a submission, if there still is."""
    found = submissions.summary(connection, row.submission)
    if found is None:
        return [(Stage.GIVEN_UP, b"")]
    if found.status == Status.COMPLETE:
        stage = Stage.FINISHED
    elif row.stage == Stage.WATCHED and found.outcomes.keys() & {Outcome.REJECTED, Outcome.FAILED}:
        stage = Stage.FAILING
    else:
        return []
    return [(stage, _body(connection, row.submission, stage, found))]


def _body(connection: Connection, submission: UUID, stage: Stage, found: SubmissionSummary) -> bytes:
    return orjson.dumps(
        {
            "type": f"submission.{stage}",
            "id": _id(submission, stage),
            "submission": submission,
            "occurred_at": found.completed_at or connection.execute(text("SELECT now()")).scalar_one(),
            "accepted": found.accepted,
            "refused": found.refused,
            "duplicates": found.duplicates,
            "outcomes": found.outcomes,
            "link": f"/submissions/{submission}",
        },
        option=orjson.OPT_UTC_Z,
    )


def _id(submission: UUID, stage: str) -> str:
    return f"{submission}_{stage}"  # a full stop would blur what is signed


def _keys_due(engine: Engine) -> Sequence[int]:
    with engine.connect() as connection:
        due = connection.execute(
            text(f"""
            SELECT k.id FROM keys k WHERE {_AWAKE} AND EXISTS (
              SELECT FROM notifications n WHERE n.key_id = k.id AND {POSTED}) ORDER BY random()""")
        )
        return list(due.scalars())


def post(process: Context, key_id: int) -> bool:
    """Claim what a webhook is to be told next, POST it, settle; false where there is nothing, or somebody has it."""
    if process.stopping.is_set():
        return False
    deadline = time.monotonic() + TIMEOUT
    claimed = claim(process.engine, key_id)
    if claimed is None:
        return False
    answer = endpoint.send(
        claimed.webhook_url,
        SecretStr(unseal(process.settings, claimed.webhook_secret)),
        WebhookMessage(_id(claimed.submission, claimed.stage), claimed.moment, bytes(claimed.body)),
        deadline,
        private=process.settings.webhook_private,
    )
    repeat(lambda: settle(process.engine, claimed, answer))
    return True


def claim(engine: Engine, key_id: int) -> Row[Any] | None:
    """Take what a webhook is to be told next, for `LEASE` seconds; a worker that dies leaves it to the next."""
    with engine.begin() as connection:
        return connection.execute(
            text(f"""
            WITH picked AS MATERIALIZED (
              SELECT id FROM notifications n WHERE n.key_id = :key AND {POSTED}
              ORDER BY n.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
            UPDATE notifications n SET due_at = now() + :lease * interval '1 second' FROM picked, keys k
            WHERE n.id = picked.id AND k.id = n.key_id AND {_AWAKE}
            RETURNING n.*, extract(epoch FROM now())::bigint AS moment, k.name, k.webhook_url,
              k.webhook_secret, k.webhook_failures"""),
            {"key": key_id, "lease": LEASE},
        ).one_or_none()


def settle(engine: Engine, claimed: Row[Any], answer: Response | NoResponse) -> None:
    """Write down what became of a POST, unless its lease was lost and somebody else owns it."""
    facts = {"id": claimed.id, "until": claimed.due_at, "key": claimed.key_id, "url": claimed.webhook_url}
    match answer:
        case Response(status) if 200 <= status < 300:  # noqa: PLR2004 - what is taken
            with engine.begin() as connection:
                _taken(connection, facts)
            return
        case Response(status, _, body):
            facts |= {"because": f"HTTP {status}{_quoted(body)}", "gone": status == GONE}
        case NoResponse(because):
            facts |= {"because": because, "gone": False}
    facts["seconds"] = wait(claimed.attempts + 1, random.random())  # noqa: S311 - it spreads, and guards nothing
    facts["asleep"] = wait(claimed.webhook_failures + 1, random.random())  # noqa: S311 - likewise
    log.warning(
        "webhook %s did not take %s of %s: %s", claimed.name, claimed.stage, claimed.submission, facts["because"]
    )
    with engine.begin() as connection:
        _refused(connection, facts)


_OWNED: Final = "WHERE id = :id AND due_at = :until AND stage IN ('failing', 'finished')"


def _taken(connection: Connection, facts: Mapping[str, Any]) -> None:
    connection.execute(
        text(f"""
        UPDATE notifications SET stage = CASE stage WHEN 'failing' THEN 'warned' ELSE 'told' END, due_at = now(),
          body = NULL, last_error = '' {_OWNED}"""),
        facts,
    )
    connection.execute(
        text("""
        UPDATE keys SET webhook_failures = 0, webhook_due_at = NULL, webhook_error = ''
        WHERE id = :key AND webhook_url = :url AND webhook_error <> ''"""),
        facts,
    )


def _refused(connection: Connection, facts: Mapping[str, Any]) -> None:
    stage = connection.execute(
        text(f"""
        UPDATE notifications SET due_at = now() + :seconds * interval '1 second', attempts = attempts + 1,
          last_error = :because, stage = CASE WHEN occurred_at > now() - :tried * interval '1 second' THEN stage
            WHEN stage = 'failing' THEN 'warned' ELSE 'given_up' END
        {_OWNED} RETURNING stage"""),
        {**facts, "tried": TRIED},
    ).scalar()
    if stage in {Stage.WARNED, Stage.GIVEN_UP}:
        log.error("notification %d is given up: its webhook did not take it for a day", facts["id"])
    if stage is not None:
        connection.execute(
            text("""
            UPDATE keys SET webhook_failures = webhook_failures + 1, webhook_error = :because,
              webhook_due_at = now() + :asleep * interval '1 second',
              webhook_url = CASE WHEN :gone THEN NULL ELSE webhook_url END
            WHERE id = :key AND webhook_url = :url"""),
            facts,
        )


def _quoted(body: bytes) -> str:
    """Quote the beginning of an answer, as far as it can be printed."""
    words = "".join(letter for letter in body.decode(errors="replace") if letter.isprintable()).strip()
    return f": {words[:EXCERPT]}" if words else ""
