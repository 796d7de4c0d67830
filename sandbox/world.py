"""Everything there is, and the order in which a request is judged: its address, its token, the limits, the faults.

No sockets and no waiting: the clock is passed in, so a day can be played in a test.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from random import Random

import orjson

from sandbox.address import ContactBreakdown, Read, Write, parse
from sandbox.allowance import Allowance
from sandbox.answers import error_answer, too_many
from sandbox.events import Events
from sandbox.faults import Drop, Faults
from sandbox.judging import contact_of
from sandbox.options import SandboxOptions
from sandbox.participations import Participation, StoredKey, StoredParticipations
from sandbox.reading import Views
from sandbox.received import ReceivedWrite, received
from sandbox.reply import Reply, spoilt
from sandbox.tokens import READ_SCOPE, WRITE_SCOPE, refusal, token_of
from sandbox.writing import WriteDecision, Writing, inputs_of


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, as it came."""

    method: str
    raw_path: bytes
    query_string: bytes
    authorization: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """A HubSpot account; a token stands for one."""

    allowance: Allowance
    stored: StoredParticipations
    writing: Writing
    reading: Views


class World:
    """The state of one sandbox. `clock` tells epoch seconds and never runs backwards."""

    def __init__(self, options: SandboxOptions, clock: Callable[[], float]) -> None:
        self.options = options
        self._clock = clock
        self._events = Events(options)
        self.reset()

    def reset(self) -> None:
        """Forget everything, faults and counted limits included; the seed starts again."""
        self.random = Random(self.options.seed)  # noqa: S311 - nothing is secret here
        self.faults = Faults(self.random)
        self.accounts: dict[str, Account] = {}
        self.writes: list[ReceivedWrite] = []
        """Empty unless the options say that they are kept."""
        self._requests = 0
        self._inputs = 0
        self._by_status: Counter[str] = Counter()

    def kept(self) -> dict[str, object]:
        """Copy everything there is, for `restore`."""
        return deepcopy(vars(self))

    def restore(self, kept: dict[str, object]) -> None:
        """Make everything as it was when it was `kept`."""
        vars(self).update(deepcopy(kept))

    def latency(self) -> float:
        """Draw the seconds for which the next answer is held back."""
        return self.options.latency + self.random.uniform(0, self.options.jitter)

    def stats(self) -> dict[str, object]:
        """Count what came; the module `control` has the shape."""
        return {
            "requests": self._requests,
            "by_status": dict(self._by_status),
            "max_in_window": max((account.allowance.window.peak for account in self.accounts.values()), default=0),
            "inputs": self._inputs,
            "stored": sum(len(account.stored.rows) for account in self.accounts.values()),
        }

    def handle(self, request: Request) -> Reply:
        """Judge a request and apply what it asks for."""
        call = parse(request.raw_path, request.query_string)
        if call is None:
            return Reply(error_answer(404, "resource not found"))
        if request.method != ("POST" if isinstance(call, Write) else "GET"):
            return Reply(error_answer(405, "Method Not Allowed"))
        reply = self._admit(call, request)
        if isinstance(call, Write):
            self._requests += 1
            self._by_status[reply.status] += 1
        return reply

    def _admit(self, call: Write | Read, request: Request) -> Reply:
        now = self._clock()
        token = token_of(request.authorization)
        refused = refusal(token, self.options.tokens, WRITE_SCOPE if isinstance(call, Write) else READ_SCOPE)
        if refused:
            return Reply(refused)
        account = self._account(token)
        ruling = account.allowance.ask(now)
        if ruling.refused:
            wait = {"Retry-After": str(int(ruling.wait) + 1)} if self.options.retry_after else {}
            return Reply(too_many(ruling.refused, ruling.headers | wait))
        if isinstance(call, Write):
            return self._write(account, call, request.body, now, ruling.headers)
        return self._read(account, call, now, ruling.headers)

    def _write(self, account: Account, write: Write, body: bytes, now: float, headers: dict[str, str]) -> Reply:
        inputs = _inputs(body)
        self._inputs += len(inputs or ())
        reply = self._written(account, write, inputs, now, headers)
        if self.options.keep_writes:
            kept = received(now, write, inputs or (), reply, account.stored, self._events, self.options.seed)
            self.writes += [kept] if kept else []
        return reply

    def _written(
        self, account: Account, write: Write, inputs: list[object] | None, now: float, headers: dict[str, str]
    ) -> Reply:
        decision = account.writing.decide(write, inputs, now)
        contacts = [contact_of(item, write.by) for item in inputs or ()] if self.faults else []
        fault = self.faults.meet(contacts)
        if fault is not None and not isinstance(fault.happens, Drop):
            if fault.applied:
                _store(account, decision.participations, now)
            return spoilt(fault, decision.answer, next((contact for contact in contacts if contact), "unknown"))
        if fault is not None and inputs is not None:
            rest = [item for item in inputs if not fault.names(contact_of(item, write.by))]
            without = account.writing.decide(write, rest, now)
            decision = WriteDecision(without.answer, (decision if fault.applied else without).participations)
        _store(account, decision.participations, now)
        return Reply(decision.answer.with_headers(headers))

    def _read(self, account: Account, read: Read, now: float, headers: dict[str, str]) -> Reply:
        answer = account.reading.answer(read, now).with_headers(headers)
        contact = read.contact.lower() if isinstance(read, ContactBreakdown) else None
        fault = self.faults.meet([contact], reads=True)
        return spoilt(fault, answer, contact or "unknown") if fault else Reply(answer)

    def _account(self, token: str) -> Account:
        if token not in self.accounts:
            stored = StoredParticipations()
            self.accounts[token] = Account(
                Allowance(self.options),
                stored,
                Writing(self.options, self._events, stored, self.random),
                Views(self.options, self._events, stored),
            )
        return self.accounts[token]


def _inputs(body: bytes) -> list[object] | None:
    try:
        return inputs_of(orjson.loads(body))
    except orjson.JSONDecodeError:
        return None


def _store(account: Account, participations: Mapping[StoredKey, Participation], now: float) -> None:
    for key, participation in participations.items():
        account.stored.add(key, participation, now)
