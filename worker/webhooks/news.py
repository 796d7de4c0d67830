"""News: what there is to tell of a submission, looked for until there is something, then composed once and kept.

A submission is looked at again after a fifth of its age: what settles batches has to know of no webhooks, and what
waits long is looked at seldom.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    func,
    select,
    true,
    update,
)

from models.tables import Key, Notification
from models.words import Outcome, Stage, Status
from worker.database import rows_as
from worker.queries import submissions
from worker.queries.submissions import SubmissionSummary

LOOKED_AT: Final = 100
"""Submissions that are looked at in one transaction, at most."""
SOONEST: Final = timedelta(seconds=1)
LATEST: Final = timedelta(minutes=10)
"""Until a submission is looked at again: a fifth of its age, within these. A look costs 0.08 ms (of 100 records
0.2, of 10,000 23): at most once a minute, what a six-hour outage held up at 20 requests a second would take half a
processor."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """A notification whose submission is looked at."""

    id: int
    submission: UUID
    stage: Stage


_KEYS: Final = select(Key.id).where(Key.has_webhook()).order_by(func.random()).subquery("k")
_OF_A_KEY: Final = (
    select(Notification.id, Notification.submission, Notification.stage)
    .where(Notification.key_id == _KEYS.c.id, Notification.is_to_look_at())
    .order_by(Notification.due_at)
    .limit(LOOKED_AT)
    .with_for_update(skip_locked=True)
    .lateral("n")
)
_LOOK_AT: Final = select(_OF_A_KEY).select_from(_KEYS.join(_OF_A_KEY, true())).limit(LOOKED_AT)
_COMPOSED: Final = (
    update(Notification)
    .where(Notification.id == bindparam("of"))
    .values(stage=bindparam("now"), body=bindparam("words"), attempts=0, due_at=func.now(), occurred_at=func.now())
)
_FIFTH: Final = (func.now() - Notification.created_at).op("/", precedence=8)(5)


def look(engine: Engine) -> int:
    """Look at submissions whose time has come, and compose what there is to tell; give how many were looked at."""
    with engine.begin() as connection:
        rows = rows_as(LookedAt, connection.execute(_LOOK_AT))
        if not rows:
            return 0
        over = set(submissions.settled(connection, {row.submission for row in rows}))
        watched = {row.submission for row in rows if row.stage == Stage.WATCHED} - over
        telling = over | set(submissions.failing(connection, watched) if watched else ())
        composed = [
            {"of": row.id, "now": stage, "words": body}
            for row in rows
            if row.submission in telling
            for stage, body in _composed(connection, row)
        ]
        if composed:
            connection.execute(_COMPOSED, composed)
        later = {row.id for row in rows} - {one["of"] for one in composed}
        connection.execute(
            update(Notification)
            .where(Notification.id.in_(later))
            .values(due_at=func.now() + func.least(LATEST, func.greatest(SOONEST, _FIFTH)))
        )
        return len(rows)


def _composed(connection: Connection, row: LookedAt) -> Sequence[tuple[Stage, bytes]]:
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
            "id": message_id(submission, stage),
            "submission": submission,
            "occurred_at": found.completed_at or connection.execute(select(func.now())).scalar_one(),
            "accepted": found.accepted,
            "refused": found.refused,
            "duplicates": found.duplicates,
            "outcomes": found.outcomes,
            "link": f"/submissions/{submission}",
        },
        option=orjson.OPT_UTC_Z,
    )


def message_id(submission: UUID, stage: Stage) -> str:
    """Give the id of what is told: the same whenever it is sent again."""
    return f"{submission}_{stage}"  # a full stop would blur what is signed
