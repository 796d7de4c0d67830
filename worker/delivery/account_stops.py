"""What an answer that settles nothing does to its account: it waits a while, is parked, or is paused.

A token that may send and not read back stops only the reading.
"""

import sys
from typing import Final, assert_never

from hubspot_api.answer import Ambiguous, Answer
from hubspot_api.reaction import (
    Block,
    Bounds,
    Decision,
    GiveUp,
    Isolate,
    Park,
    Pause,
    Postpone,
    RejectAll,
    Settle,
    Tried,
    decide,
)
from worker.accounts import state, token_renewal
from worker.accounts.destination import FORBIDDEN, Destination
from worker.context import Context
from worker.delivery import permits
from worker.log import get_logger
from worker.queue import unconfirmed

log = get_logger(__name__)

UNAUTHORIZED: Final = 401
UNREADABLE: Final = 3600.0
"""Seconds until a token that may not read back is tried again."""
_UNBOUNDED: Final = Bounds(sys.maxsize, float("inf"))


def count_in_a_row(process: Context, account_id: int, answer: object) -> int:
    """Count the account's ambiguous answers in a row; any other answer ends them, and with them an outage."""
    if isinstance(answer, Ambiguous):
        return state.count_ambiguous(process.engine, account_id)
    state.answered(process.engine, account_id)
    return 0


def reaction(answer: Answer, in_a_row: int, share: float) -> Decision:
    """Decide what an answer to a read-back means, as that to a POST would; however often, it gives nothing up."""
    return decide(answer, Tried(max(0, in_a_row - 1), 0.0, in_a_row), _UNBOUNDED, share)


def stop(process: Context, to: Destination, decision: Decision, status: int | None) -> float:
    """Do to the account what the same answer to a POST would do; give the seconds until what was read is due again.

    A 403 stops no delivery: the token lacks the scope to read, and may well have the one to write.
    """
    match decision:
        case Postpone(seconds):
            return seconds
        case Block(seconds):
            permits.block(process, to, seconds)
        case Park(seconds, because):
            state.park(process.engine, to.account_id, seconds, because)
        case Pause(because) if status == FORBIDDEN:
            process.forget(to.account)
            because = f"{because}; {to.remedy(status, reading=True)}"
            log.error("reading back paused", account=to.account, http_status=status, wait_s=round(UNREADABLE))
            unconfirmed.put_off(process.engine, to.account_id, because, UNREADABLE)
            return UNREADABLE
        case Pause(because):
            pause(process, to, because, status, reading=True)
        case Settle() | RejectAll() | Isolate() | GiveUp():
            raise AssertionError(decision)
        case _:
            assert_never(decision)
    return 0.0


def pause(process: Context, to: Destination, because: str, status: int | None, *, reading: bool = False) -> str:
    """Pause the account, unless its token was only old; say why nothing is sent."""
    if status in {UNAUTHORIZED, FORBIDDEN}:
        process.forget(to.account)
        if status == UNAUTHORIZED and token_renewal.outdated(process.engine, to.account_id, to.token_set_at):
            return "HubSpot did not accept a token that has ended or was replaced; the next is sent with another"
        because = f"{because}; {to.remedy(status, reading=reading)}"
    because = f"{'reading back: ' if reading else ''}{because}{state.then_resume(to.account)}"
    log.error(
        "account paused",
        account=to.account,
        reason="reading back was refused" if reading else "a call was refused",
        http_status=status,
    )
    state.pause(process.engine, to.account_id, because)
    return because
