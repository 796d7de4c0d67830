"""One call to HubSpot for members of a claim: POSTed with no transaction open, read, and put in words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from hubspot_api.address import attendance_path
from hubspot_api.answer import Answer, Settled, correlation_id, excerpt, read_answer
from hubspot_api.client import post
from hubspot_api.limiter import Permit
from hubspot_api.reaction import Decision
from hubspot_api.response import NoResponse, Response
from models.words import AttemptKind
from worker import tracing
from worker.accounts.destination import Destination
from worker.context import Context
from worker.delivery import permits
from worker.log import get_logger
from worker.metrics import count
from worker.queue.attempts import AttemptResult
from worker.queue.claim import Claim
from worker.queue.members import Member
from worker.queue.settle import NOTHING, PartialAnswer

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claim on its way to an account, and what is known of its members already."""

    process: Context
    to: Destination
    claimed: Claim
    apart: PartialAnswer = NOTHING


def send(
    delivery: Delivery, members: Sequence[Member], held: Permit, kind: AttemptKind = AttemptKind.POST
) -> tuple[Answer, AttemptResult]:
    """Send these members, which ends the permit; give the answer, and what an attempt's row says of the call."""
    process, to, claimed = delivery.process, delivery.to, delivery.claimed
    path = attendance_path(to.version, claimed.address, claimed.state, claimed.identity)
    body = orjson.dumps({"inputs": [orjson.Fragment(member.input) for member in members]})
    token, settings = to.token.get_secret_value(), process.settings
    with tracing.step("POST", {"turnout.records": len(members)}, calls=True) as note:
        response = post(to.url + path, token, body, settings.timeout, settings.egress)
        headers = response.headers if isinstance(response, Response) else None
        permits.release(process, to, held, headers, response.duration)
        answer = read_answer(response, claimed.identity, [member.contact for member in members])
        call = _call(response, answer)
        note(call.traced(), "" if isinstance(answer, Settled) else call.answer)
    count.attempted(to.account, kind, call.answer, response.duration)
    return answer, call


def _call(response: Response | NoResponse, answer: Answer) -> AttemptResult:
    fine = isinstance(answer, Settled) and not answer.rejected and not answer.unconfirmed
    return AttemptResult(
        answer=word(answer),
        http_status=response.status if isinstance(response, Response) else None,
        duration_ms=round(response.duration * 1000),
        correlation_id=correlation_id(response),
        excerpt="" if fine else excerpt(response),
    )


def tell(delivery: Delivery, records: int, call: AttemptResult, decision: Decision) -> None:
    """Log an attempt: what was sent, what came back, and what follows."""
    log.info(
        "attempt",
        account=delivery.to.account,
        batch=delivery.claimed.batch_id,
        records=records,
        answer=call.answer,
        http_status=call.http_status,
        duration_ms=call.duration_ms,
        decision=word(decision),
    )


def word(value: object) -> str:
    """Give the name of an answer or a decision in words: `RefusedWhole` is «refused whole»."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(value).__name__).lower()
