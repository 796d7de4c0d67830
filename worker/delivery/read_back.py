"""One call that reads back: with a permit, on record before it is made, and what follows where it brings no page."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hubspot_api.answer import Answer, NotFound, RefusedWhole, Rejection, correlation_id, excerpt
from hubspot_api.client import get
from hubspot_api.limiter import Permit, Use
from hubspot_api.participations import ParticipationPage, read_page
from hubspot_api.response import NoResponse, Response
from models.words import AttemptKind
from worker.accounts.destination import Destination
from worker.context import GRACE, Context
from worker.database import repeat
from worker.delivery import permits
from worker.delivery.account_stops import count_in_a_row, reaction, stop
from worker.delivery.call import word
from worker.log import get_logger
from worker.metrics import count
from worker.queue import attempts, unconfirmed
from worker.queue.attempts import AttemptResult
from worker.queue.unconfirmed import Unconfirmed

log = get_logger(__name__)

BUDGET: Final = 5.0
"""Seconds after which a run ends although there is more: it shares its threads with the intake."""
NO_PATH: Final = Rejection("", "", "no path leads there")


@dataclass(frozen=True, slots=True)
class Seen:
    """A page, and the call that brought it: its attempt is completed together with what it changes."""

    page: ParticipationPage
    attempt_id: int
    call: AttemptResult


@dataclass(frozen=True, slots=True)
class Halt:
    """The run makes no more calls: what it has not looked for is due again after so many seconds."""

    seconds: float = 0.0
    behind: frozenset[int] = frozenset()
    """The errors that were asked for when HubSpot's answer ended the run: the others are looked for before them."""


class Reader:
    """The calls of one run for one account."""

    def __init__(self, process: Context, to: Destination) -> None:
        self._process, self._to = process, to
        self._ends = time.monotonic() + BUDGET
        self._held: tuple[Permit, float] | None = None
        self.calls = 0

    def may_call(self) -> bool:
        """Say whether another call may be made now; then a permit is held for it.

        It waits for none: whoever is refused ends, and the sweep comes again.
        """
        if time.monotonic() > self._ends or self._process.stopping.is_set():
            return False
        if self._held is not None and time.monotonic() - self._held[1] > GRACE:
            self.give_back()
        if self._held is None:
            permit = permits.permit(self._process, self._to, Use.READ_BACK, patience=0)
            self._held = (permit, time.monotonic()) if permit else None
        return self._held is not None

    def give_back(self) -> None:
        """Give back the permit that no call was made with."""
        if self._held is not None:
            permits.give_back(self._process, self._to, self._held[0])
            self._held = None

    def get(self, path: str | None, asked: Sequence[Unconfirmed]) -> Seen | Rejection | Halt:
        """Ask for some records: a page, or HubSpot's refusal, or that the run ends here."""
        if path is None:
            return NO_PATH
        if not self.may_call() or self._held is None:
            return Halt()
        process, to, (permit, _) = self._process, self._to, self._held
        attempt_id = repeat(lambda: unconfirmed.begin(process.engine, to.account_id, process.settings.lease, asked))
        if attempt_id is None:
            return Halt()
        self._held = None
        response = get(to.url + path, to.token.get_secret_value(), process.settings.timeout, process.settings.egress)
        self.calls += 1
        headers = response.headers if isinstance(response, Response) else None
        permits.release(process, to, permit, headers, response.duration)
        return self._read(response, attempt_id, asked)

    def _read(
        self, response: Response | NoResponse, attempt_id: int, asked: Sequence[Unconfirmed]
    ) -> Seen | Rejection | Halt:
        answer = read_page(response)
        in_a_row = count_in_a_row(self._process, self._to.account_id, answer)
        call = told(response, answer)
        count.attempted(self._to.account, AttemptKind.READ_BACK, call.answer, response.duration)
        if isinstance(answer, ParticipationPage):
            tell(self._to, len(asked), call, "judge")
            return Seen(answer, attempt_id, call)
        attempts.complete_alone(self._process.engine, attempt_id, call)
        if isinstance(answer, RefusedWhole) or (isinstance(answer, NotFound) and answer.hubspots):
            tell(self._to, len(asked), call, "judge")
            return answer.rejection
        decision = reaction(answer, in_a_row, random.random())  # noqa: S311 - jitter, no secret
        tell(self._to, len(asked), call, word(decision))
        seconds = stop(self._process, self._to, decision, call.http_status)
        return Halt(seconds, frozenset(record.error_id for record in asked))


def tell(to: Destination, records: int, call: AttemptResult, decision: str) -> None:
    """Log a call that reads: for how many records, what came back, and what follows."""
    log.info(
        "read back",
        account=to.account,
        records=records,
        answer=call.answer,
        http_status=call.http_status,
        duration_ms=call.duration_ms,
        decision=decision,
    )


@contextmanager
def reading(process: Context, to: Destination) -> Iterator[Reader]:
    """Begin a run; at its end no permit is kept."""
    reader = Reader(process, to)
    try:
        yield reader
    finally:
        reader.give_back()


def told(response: Response | NoResponse, answer: ParticipationPage | Answer) -> AttemptResult:
    """Give what an attempt's row says of a read."""
    return AttemptResult(
        answer="page" if isinstance(answer, ParticipationPage) else word(answer),
        http_status=response.status if isinstance(response, Response) else None,
        duration_ms=round(response.duration * 1000),
        correlation_id=correlation_id(response),
        excerpt="" if isinstance(answer, ParticipationPage) else excerpt(response),
    )
