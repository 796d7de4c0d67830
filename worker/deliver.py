"""Deliver: a permit, a claim, a POST with no transaction open, and what became of it.

The permit comes first, so that nobody sleeps on a claim and batches get fuller while they wait.
"""

import logging
import random
import re
import time
from typing import Final

import orjson
import redis

from hubspot.address import attendance_path
from hubspot.answer import Ambiguous, Answer, Settled, correlation_id, excerpt, read_answer
from hubspot.client import NoResponse, Response, post
from hubspot.limiter import Limiter, Permit, Wait
from hubspot.reaction import Block, Decision, GiveUp, Park, Pause, Postpone, RejectAll, Settle, decide
from worker import accounts, settle
from worker.claim import Claim, claim
from worker.destination import Destination
from worker.process import GRACE, Process

log = logging.getLogger(__name__)

BUDGET: Final = 20.0
"""Seconds after which a task ends although there is more; the sweep wakes the next."""
BRIEFLY: Final = 1.0
"""Seconds that a task waits for a permit, at most."""


def deliver(process: Process, account: str) -> int:
    """Deliver the account's due batches, one after the other, while there are permits; give the number of POSTs."""
    to = process.destination(account)
    limiter = process.limiter(to)
    ends = time.monotonic() + BUDGET
    posts = 0
    while time.monotonic() < ends and not process.stopping.is_set():
        permit = _permit(process, limiter)
        if permit is None:
            break
        granted = time.monotonic()
        claimed = claim(process.engine, to.account_id, process.settings.lease)
        if claimed is None:
            limiter.give_back(permit)
            break
        if not claimed.members:
            limiter.give_back(permit)
            settle.settle(process.engine, claimed, Settled({}, {}, {}), None)
        elif time.monotonic() - granted > min(GRACE, process.settings.lease - process.settings.timeout):
            # Lease and permit must outlast the deadline of what is begun under them.
            limiter.give_back(permit)
            settle.postpone(process.engine, claimed, 0, "the claim took too long to begin sending", None, spends=False)
            if claimed.tried.in_a_row:
                accounts.end_probe(process.engine, to.account_id)
        else:
            _send(process, to, claimed, limiter, permit)
            posts += 1
    return posts


def _permit(process: Process, limiter: Limiter) -> Permit | None:
    try:
        asked = limiter.acquire()
        if isinstance(asked, Wait) and asked.seconds <= BRIEFLY:
            process.stopping.wait(asked.seconds)
            asked = limiter.acquire()
    except redis.RedisError as error:
        log.warning("no permit, so nothing is sent: Redis is out of reach (%s)", type(error).__name__)
        return None
    return asked if isinstance(asked, Permit) else None


def _send(process: Process, to: Destination, claimed: Claim, limiter: Limiter, permit: Permit) -> None:
    path = attendance_path(to.version, claimed.address, claimed.state, claimed.identity)
    body = orjson.dumps({"inputs": [member.input for member in claimed.members]})
    response = post(to.url + path, to.token.get_secret_value(), body, process.settings.timeout)
    try:
        limiter.release(permit)
    except redis.RedisError:
        log.debug("a slot is left to run out, Redis is out of reach")
    answer = read_answer(response, claimed.identity, [member.contact for member in claimed.members])
    in_a_row = _count_in_a_row(process, to.account_id, claimed.tried.in_a_row, answer)
    tried = type(claimed.tried)(claimed.tried.attempts, claimed.tried.age, in_a_row)
    decision = decide(answer, tried, process.bounds, random.random())  # noqa: S311 - jitter, no secret
    log.info(
        "batch %d: %d sent, %s, HTTP %s, %.0f ms: %s",
        claimed.batch_id,
        len(claimed.members),
        _word(answer),
        getattr(response, "status", "-"),
        response.duration * 1000,
        _word(decision),
    )
    _act(process, to.account_id, limiter, claimed, decision, _call(response, answer))


def _act(  # noqa: PLR0913, PLR0917
    process: Process, account_id: int, limiter: Limiter, claimed: Claim, decision: Decision, call: settle.Call
) -> None:
    engine = process.engine
    match decision:
        case Settle(answer):
            settle.settle(engine, claimed, answer, call)
        case RejectAll(rejection):
            rejected = dict.fromkeys(range(len(claimed.members)), rejection)
            settle.settle(engine, claimed, Settled({}, rejected, {}), call)
        case GiveUp(because):
            settle.give_up(engine, claimed, because, call)
        case Postpone(seconds, because, spends):
            settle.postpone(engine, claimed, seconds, because, call, spends=spends)
        case Block(seconds, because):
            limiter.block(seconds)
            settle.postpone(engine, claimed, seconds, because, call, spends=False)
        case Park(seconds, because):
            accounts.park(engine, account_id, seconds, because)
            settle.postpone(engine, claimed, 0, because, call, spends=False)
        case Pause(because):
            log.error("account %d is paused: %s", account_id, because)
            accounts.pause(engine, account_id, because)
            settle.postpone(engine, claimed, 0, because, call, spends=False)


def _count_in_a_row(process: Process, account_id: int, before: int, answer: Answer) -> int:
    """Count the account's ambiguous answers in a row; any other answer ends them, and with them an outage."""
    if isinstance(answer, Ambiguous):
        return accounts.count_ambiguous(process.engine, account_id)
    if before:
        accounts.answered(process.engine, account_id)
    return 0


def _call(response: Response | NoResponse, answer: Answer) -> settle.Call:
    fine = isinstance(answer, Settled) and not answer.rejected and not answer.unconfirmed
    return settle.Call(
        answer=_word(answer),
        http_status=response.status if isinstance(response, Response) else None,
        duration_ms=round(response.duration * 1000),
        correlation_id=correlation_id(response),
        excerpt="" if fine else excerpt(response),
    )


def _word(value: object) -> str:
    """Give the name of an answer or a decision in words: `RefusedWhole` is «refused whole»."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(value).__name__).lower()
