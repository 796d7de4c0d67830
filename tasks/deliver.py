"""Deliver: a permit, a claim, a POST with no transaction open, and what became of it.

The permit comes before the claim, so that no task sleeps on a claim and batches get fuller while they wait. Before
both, a look says whether anything is due: most wake-ups come for what another task has sent by then.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, assert_never

from hubspot_api.answer import Answer, NotFound, RefusedWhole, Settled
from hubspot_api.limiter import Permit
from hubspot_api.reaction import (
    OUTAGE,
    Block,
    Decision,
    EndOfClaim,
    GiveUp,
    Isolate,
    Park,
    Pause,
    Postpone,
    RejectAll,
    Settle,
    decide,
)
from models.words import Outcome
from worker import tracing
from worker.accounts import state
from worker.accounts.destination import Destination, NoDestination
from worker.celery import app
from worker.context import GRACE, Context, current
from worker.delivery import permits
from worker.delivery.account_stops import count_in_a_row, pause
from worker.delivery.call import Delivery, send, tell, word
from worker.delivery.isolate import Ended, Lost, PartAnswered, Stopped, isolate
from worker.delivery.permits import permit
from worker.failures import Verb, noted
from worker.log import get_logger
from worker.metrics import count
from worker.queue import attempts, settle, traces
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim, claim, next_due
from worker.task_names import DELIVER
from worker.wake import received, wake

log = get_logger(__name__)

BUDGET: Final = 1.0
"""Seconds after which a task lets those of other accounts go first: it ends and wakes another of its own."""
TRIES: Final = 4
"""Claims that one permit is tried with: where one event alone has work, its lane is locked for moments at a time."""


@noted(Verb.DELIVERY)
def deliver(process: Context, account: str, wake: Callable[..., int] = wake) -> int:
    """Deliver the account's due batches, one after the other, while there are permits; give the number of POSTs."""
    ends = time.monotonic() + BUDGET
    posts, is_due = 0, False
    while time.monotonic() < ends and not process.stopping.is_set():
        try:
            to = process.destination(account)  # known for a few seconds; its token may be another by then
        except NoDestination as error:
            log.info("nothing sent", account=error.account, reason=word(error))
            break
        if not (is_due or _is_due(process, to)):
            break
        held = permit(process, to)
        if held is None:
            break
        granted, began = time.monotonic(), tracing.now()
        claimed = _claim(process, to, held)
        if claimed is None:
            permits.give_back(process, to, held)
            break
        is_due = claimed.is_more_due
        producers = tracing.asked(partial(traces.producers, process.engine, claimed.batch_id))
        if not claimed.members:
            permits.give_back(process, to, held)
            settle.settle(process.engine, claimed, Settled({}, {}, {}), None)
        elif time.monotonic() - granted > min(GRACE, process.settings.lease - process.settings.timeout):
            # Lease and permit must outlast the deadline of what is begun under them.
            permits.give_back(process, to, held)
            settle.postpone(process.engine, claimed, 0, "the claim took too long to begin sending", None, spends=False)
            if claimed.tried.in_a_row >= OUTAGE:
                state.end_probe(process.engine, to.account_id)
        else:
            with tracing.batch(began, claimed.traced(), producers):
                _send(Delivery(process, to, claimed), held)
            posts += 1
    else:
        wake(process, DELIVER, account=account)
    return posts


def _is_due(process: Context, to: Destination) -> bool:
    """Say whether the account has a batch due; where its next one is due later, it is woken then."""
    seconds = next_due(process.engine, to.account_id)
    if seconds is not None and seconds > 0:
        permits.wake_when_due(process, to.account, seconds)
    return seconds is not None and seconds <= 0


def _claim(process: Context, to: Destination, held: Permit) -> Claim | None:
    try:
        for _ in range(TRIES):
            claimed = claim(process.engine, to.account_id, process.settings.lease, live_only=not held.later)
            if claimed is not None:
                return claimed
            if not _is_due(process, to):
                return None
            process.stopping.wait(random.uniform(0.01, 0.04))  # noqa: S311 - jitter
    except BaseException:
        permits.give_back(process, to, held)
        raise
    return None


def _send(delivery: Delivery, held: Permit) -> None:
    answer, call = send(delivery, delivery.claimed.members, held)
    decision = _decide(delivery, answer)
    tell(delivery, len(delivery.claimed.members), call, decision)
    _act(delivery, decision, call)


def _decide(delivery: Delivery, answer: Answer) -> Decision:
    process, account_id, claimed = delivery.process, delivery.to.account_id, delivery.claimed
    # To settle a batch notes by itself that HubSpot answered.
    in_a_row = 0 if isinstance(answer, Settled) else count_in_a_row(process, account_id, answer)
    unknown = 0
    if isinstance(answer, NotFound) and answer.hubspots:
        unknown = state.count_unknown(process.engine, account_id, claimed.event_id)
    tried = replace(claimed.tried, in_a_row=in_a_row, records=len(claimed.members), unknown_events=unknown)
    return decide(answer, tried, process.bounds, random.random())  # noqa: S311 - jitter, no secret


def _act(delivery: Delivery, decision: Decision, call: AttemptResult | None) -> None:
    if isinstance(decision, Isolate):
        _isolate(delivery, decision.answer, call)
        return
    with tracing.step("settle", {"turnout.decision": word(decision)}):
        _end(delivery, decision, call)


def _end(delivery: Delivery, decision: EndOfClaim, call: AttemptResult | None) -> None:
    engine, to, claimed, apart = delivery.process.engine, delivery.to, delivery.claimed, delivery.apart
    known, failed = apart.answer, 0
    match decision:
        case Settle(answer):
            known = answer
            is_done = settle.settle(engine, claimed, known, call)
        case RejectAll(rejection):
            known = apart.else_rejected(len(claimed.members), rejection)
            is_done = settle.settle(engine, claimed, known, call, apart.attempts)
        case GiveUp(because):
            failed = len(claimed.members) - len(apart.indexes)
            is_done = settle.give_up(engine, claimed, because, call, apart)
        case Postpone(seconds, because, spends):
            is_done = settle.postpone(engine, claimed, seconds, because, call, spends=spends, apart=apart)
        case Block(seconds, because):
            permits.block(delivery.process, to, seconds)
            is_done = settle.postpone(engine, claimed, seconds, because, call, spends=False, apart=apart)
        case Park(seconds, because):
            state.park(engine, to.account_id, seconds, because)
            is_done = settle.postpone(engine, claimed, 0, because, call, spends=False, apart=apart)
        case Pause(because):
            because = pause(delivery.process, to, because, call.http_status if call else None)
            is_done = settle.postpone(engine, claimed, 0, because, call, spends=False, apart=apart)
        case _:
            assert_never(decision)
    if is_done:  # else another worker owns the batch, and counts
        _count(delivery, known, failed)


def _count(delivery: Delivery, known: Settled, failed: int) -> None:
    """Count the records that got their outcome, and how long those took that were delivered."""
    if not count.is_on():
        return
    account, claimed, now = delivery.to.account, delivery.claimed, time.monotonic()
    numbers = {
        Outcome.DELIVERED: len(known.delivered),
        Outcome.REJECTED: len(known.rejected),
        Outcome.UNCONFIRMED: len(known.unconfirmed),
        Outcome.FAILED: failed,
    }
    count.finished(account, numbers)
    accepted = Counter(claimed.members[index].accepted_at for index in known.delivered)
    count.delivered(account, claimed.origin, {now - at: number for at, number in accepted.items() if at is not None})


def _isolate(delivery: Delivery, refused: RefusedWhole, call: AttemptResult | None) -> None:
    """Find out what is refused, and settle what that tells; where it is not all, the rest waits."""
    engine, to, claimed = delivery.process.engine, delivery.to, delivery.claimed
    assert call is not None
    assert claimed.attempt_id is not None
    attempts.complete_alone(engine, claimed.attempt_id, call)
    isolated = isolate(delivery, refused)
    found, apart = isolated.found, isolated.apart
    log.info(
        "batch searched",
        account=to.account,
        batch=claimed.batch_id,
        ending=word(isolated.ending),
        records=len(claimed.members),
        delivered=len(found.delivered),
        rejected=len(found.rejected),
        unconfirmed=len(found.unconfirmed),
    )
    if found.most is not None and found.most < to.batch_size:
        log.warning("batch size learned", account=to.account, records=found.most)
        state.learn_batch_size(engine, to.account_id, to.batch_size, found.most)
    rest = replace(delivery, claimed=replace(claimed, attempt_id=None), apart=apart)
    match isolated.ending:
        case Ended() if found.wrong is not None:
            because = (
                f"HubSpot refuses each record of batch {claimed.batch_id} alone with the same words:"
                f" {found.wrong.message}; fix that, or: turnout cancel {claimed.batch_id}"
            )
            _act(rest, Pause(because), None)
        case Ended():
            if settle.settle(engine, rest.claimed, apart.answer, None, apart.attempts):
                _count(rest, apart.answer, 0)
        case PartAnswered(answer, call, attempt_id, records):
            rest = replace(rest, claimed=replace(claimed, attempt_id=attempt_id))
            decision = _decide(rest, answer)
            tell(rest, records, call, decision)
            _act(rest, decision, call)
        case Stopped(because):
            _act(rest, Postpone(0, because), None)
        case Lost():
            log.warning("lease lost", account=to.account, batch=claimed.batch_id)
        case _:
            assert_never(isolated.ending)


@app.task(name=DELIVER)
def deliver_task(account: str = "default", place: str = "") -> None:
    """`attendance.deliver`: somebody woke an account that has something due."""
    received(current(), place)
    deliver(current(), account)
