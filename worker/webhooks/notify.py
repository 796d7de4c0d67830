"""Notify: webhooks are told when a submission has failures and when it is finished. At least once, each with its id.

Accept notes the submission; from then on it is looked at (`news`). Once there is something to tell, its words are kept
and posted until they are taken, for a day. A webhook that fails is left alone for a while as a whole, so that a dead
one costs a probe now and then however much it is to be told.

What an operator sends again after it was finished is not told: the receipt says it.
"""

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    update,
)

from hubspot_api.response import NoResponse, Response
from models.backoff import wait
from models.tables import Key, Notification
from models.words import Stage
from worker.context import Context
from worker.database import repeat, rows_as
from worker.encryption import unseal
from worker.failures import Verb, noted
from worker.log import get_logger
from worker.metrics import count
from worker.webhooks import endpoint
from worker.webhooks.endpoint import TIMEOUT
from worker.webhooks.news import LOOKED_AT, look, message_id
from worker.webhooks.signature import WebhookMessage

log = get_logger(__name__)

LEASE: Final = timedelta(minutes=1)
"""For which one posts a notification and no other does; outlasts its POST."""
TRIED: Final = timedelta(days=1)
"""For which a notification is tried."""
EXCERPT: Final = 200
"""Characters of an answer that are quoted."""
THREADS: Final = 3
"""Threads of a process that notify at once: webhooks that hang must not take those of intake and the sweep."""
GONE: Final = 410
"""The status by which a webhook asks to be turned off."""
_SLOTS: Final = threading.BoundedSemaphore(THREADS)


@dataclass(frozen=True, slots=True)
class ToldNext:
    """What a webhook is told next: who has claimed it is known by `due_at`, where its lease ends."""

    id: int
    key_id: int
    submission: UUID
    stage: Stage
    due_at: datetime
    body: bytes
    attempts: int
    moment: int
    """Seconds since 1970."""
    name: str
    webhook_url: str
    webhook_secret: bytes
    webhook_failures: int


_TO_LOOK_AT: Final = exists().where(Notification.key_id == Key.id, Notification.is_to_look_at())
_TO_POST: Final = exists().where(Notification.key_id == Key.id, Notification.is_to_post())
_IS_DUE: Final = select(exists().where(Key.has_webhook(), or_(_TO_LOOK_AT, and_(Key.takes_posts(), _TO_POST))))


def is_due(engine: Engine) -> bool:
    """Say whether a webhook may have to be told something."""
    with engine.connect() as connection:
        return connection.execute(_IS_DUE).scalar_one()


@noted(Verb.NOTIFY)
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


def _keys_due(engine: Engine) -> Sequence[int]:
    with engine.connect() as connection:
        due = select(Key.id).where(Key.takes_posts(), _TO_POST).order_by(func.random())
        return connection.execute(due).scalars().all()


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
        WebhookMessage(message_id(claimed.submission, claimed.stage), claimed.moment, claimed.body),
        deadline,
        private=process.settings.webhook_private,
    )
    count.webhook_post(_result(answer))
    repeat(lambda: settle(process.engine, claimed, answer))
    return True


_NEXT: Final = (
    select(Notification.id)
    .where(Notification.key_id == bindparam("key"), Notification.is_to_post())
    .order_by(Notification.due_at)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("next")
)
_CLAIM: Final = (
    update(Notification)
    .where(Notification.id == _NEXT.c.id, Key.id == Notification.key_id, Key.takes_posts())
    .values(due_at=func.now() + LEASE)
    .returning(
        Notification.id,
        Notification.key_id,
        Notification.submission,
        Notification.stage,
        Notification.due_at,
        Notification.body,
        Notification.attempts,
        cast(func.extract("epoch", func.now()), BigInteger).label("moment"),
        Key.name,
        Key.webhook_url,
        Key.webhook_secret,
        Key.webhook_failures,
    )
)


def claim(engine: Engine, key_id: int) -> ToldNext | None:
    """Take what a webhook is to be told next, for `LEASE`; a worker that dies leaves it to the next."""
    with engine.begin() as connection:
        return next(iter(rows_as(ToldNext, connection.execute(_CLAIM, {"key": key_id}))), None)


def settle(engine: Engine, claimed: ToldNext, answer: Response | NoResponse) -> None:
    """Write down what became of a POST, unless its lease was lost and somebody else owns it."""
    match answer:
        case Response(status) if 200 <= status < 300:  # noqa: PLR2004 - what is taken
            with engine.begin() as connection:
                _taken(connection, claimed)
            return
        case Response(status, _, body):
            because, is_gone = f"HTTP {status}{_quoted(body)}", status == GONE
        case NoResponse(because):
            is_gone = False
    log.warning(
        "webhook did not take notification",
        notification=claimed.id,
        stage=claimed.stage,
        submission=str(claimed.submission),
        http_status=answer.status if isinstance(answer, Response) else None,
    )
    with engine.begin() as connection:
        _refused(connection, claimed, because, is_gone=is_gone)


def _result(answer: Response | NoResponse) -> str:
    if isinstance(answer, NoResponse):
        return "unanswered"
    return "taken" if answer.status // 100 == 2 else "refused"  # noqa: PLR2004 - as `settle` reads it


def _owned(claimed: ToldNext) -> ColumnElement[bool]:
    is_same = and_(Notification.id == claimed.id, Notification.due_at == claimed.due_at)
    return and_(is_same, Notification.stage == claimed.stage)


def _taken(connection: Connection, claimed: ToldNext) -> None:
    stage = Stage.WARNED if claimed.stage is Stage.FAILING else Stage.TOLD
    connection.execute(
        update(Notification).where(_owned(claimed)).values(stage=stage, due_at=func.now(), body=None, last_error="")
    )
    connection.execute(
        update(Key)
        .where(Key.id == claimed.key_id, Key.webhook_url == claimed.webhook_url, Key.webhook_error != "")
        .values(webhook_failures=0, webhook_due_at=None, webhook_error="")
    )


def _refused(connection: Connection, claimed: ToldNext, because: str, *, is_gone: bool) -> None:
    given_up = Stage.WARNED if claimed.stage is Stage.FAILING else Stage.GIVEN_UP
    stage = connection.execute(
        update(Notification)
        .where(_owned(claimed))
        .values(
            due_at=func.now() + _wait(claimed.attempts + 1),
            attempts=Notification.attempts + 1,
            last_error=because,
            stage=case((Notification.occurred_at > func.now() - TRIED, Notification.stage), else_=given_up),
        )
        .returning(Notification.stage)
    ).scalar()
    if stage is None:
        return
    if stage is given_up:
        log.error("notification given up", notification=claimed.id)
    connection.execute(
        update(Key)
        .where(Key.id == claimed.key_id, Key.webhook_url == claimed.webhook_url)
        .values(
            webhook_failures=Key.webhook_failures + 1,
            webhook_error=because,
            webhook_due_at=func.now() + _wait(claimed.webhook_failures + 1),
            webhook_url=None if is_gone else Key.webhook_url,
        )
    )


def _wait(failures: int) -> timedelta:
    return timedelta(seconds=wait(failures, random.random()))  # noqa: S311 - it spreads, and guards nothing


def _quoted(body: bytes) -> str:
    """Quote the beginning of an answer, as far as it can be printed."""
    words = "".join(letter for letter in body.decode(errors="replace") if letter.isprintable()).strip()
    return f": {words[:EXCERPT]}" if words else ""
