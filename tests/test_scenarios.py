"""The limiter in virtual time, its scripts in a real Valkey: scenarios as data, asserted on what the server counted."""

import heapq
import random
import tomllib
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from hubspot_api.limiter import Limiter, Limits, Permit, Use, Wait
from tests.support.services import Valkey

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.toml"))
SECONDS = 100.0
DEADLINE = 30.0
PATIENCE = 1.0


@dataclass(frozen=True)
class Bands:
    """What must hold: the share of the ideal that was used, 429s, how often was asked for each call."""

    use: float = 0.99
    refused: int = 0
    asks_per_call: float = 20.0


@dataclass(frozen=True)
class Scenario:
    """A server and who calls it; times in seconds."""

    says: str
    workers: int
    latency: list[float]
    limit: int = 100
    configured: int = 100
    window: float = 10.0
    others: float = 0.0
    refuse_at: float = -1.0
    retry_after: float = 10.0
    flush_at: list[float] = field(default_factory=list)
    deaths: float = 0.0
    bands: Bands = field(default_factory=Bands)


class Server:
    """A rolling window that counts arrivals; what it refuses it does not count."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._seen: deque[float] = deque()
        self.ours: list[float] = []
        self.refused = self.most = 0

    def arrives(self, now: float, *, ours: bool = True) -> tuple[bool, dict[str, str]]:
        while self._seen and self._seen[0] <= now - self._scenario.window:
            self._seen.popleft()
        fine = len(self._seen) < self._scenario.limit and not (ours and now < self._refusing_until)
        if fine:
            self._seen.append(now)
            if ours:
                self.ours.append(now)
        else:
            self.refused += ours
        self.most = max(self.most, len(self._seen))
        return fine, {
            "X-HubSpot-RateLimit-Max": str(self._scenario.limit),
            "X-HubSpot-RateLimit-Remaining": str(self._scenario.limit - len(self._seen)),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(self._scenario.window * 1000)),
        }

    _refusing_until = -1.0

    def refuses_until(self, moment: float) -> None:
        self._refusing_until = moment


class Run:
    """Events in virtual time: the clock jumps from one to the next."""

    def __init__(self, scenario: Scenario, client: redis.Redis) -> None:
        self.scenario, self._client = scenario, client
        self.server = Server(scenario)
        self._chance = random.Random(scenario.says)
        self._start, _ = client.time()
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._serial = 0
        self.asks = 0
        self.round_trips: list[float] = []
        self._last_end = 0.0
        self._under_way = 0
        self._limiter = Limiter(
            client,
            uuid.uuid4().hex,
            Limits(scenario.configured, scenario.window),
            DEADLINE,
            recall=self._recall,
            clock=lambda: round((self._start + self.now) * 1000),
        )

    def at(self, moment: float, event: Callable[[], object]) -> None:
        self._serial += 1
        heapq.heappush(self._events, (moment, self._serial, event))

    def run(self) -> None:
        for _ in range(self.scenario.workers):
            self._ask(uuid.uuid4().hex, PATIENCE)
        if self.scenario.others:
            self.at(0.0, self._other)
        for moment in self.scenario.flush_at:
            self.at(moment, self._client.flushall)
        if self.scenario.refuse_at >= 0:
            self.at(self.scenario.refuse_at, lambda: self.server.refuses_until(self.scenario.refuse_at + 0.1))
        while self._events and self._events[0][0] < SECONDS:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def _recall(self) -> float:
        """As SQL tells it: one window after the last call that may be under way has ended."""
        ends = self.now + 1.0 if self._under_way else self._last_end
        return max(0.0, ends + self.scenario.window - self.now)

    def _other(self) -> None:
        self.server.arrives(self.now, ours=False)
        self.at(self.now + self._chance.expovariate(self.scenario.others), self._other)

    def _ask(self, slot: str, patience: float) -> None:
        self.asks += 1
        asked = self._limiter.ask(slot, Use.LIVE, patience)
        if isinstance(asked, Permit):
            self._call(asked)
        elif isinstance(asked, Wait):
            stays = asked.seconds <= patience
            self.at(
                self.now + asked.seconds,
                lambda: self._ask(slot, patience - asked.seconds) if stays else self._ask(uuid.uuid4().hex, PATIENCE),
            )

    def _call(self, permit: Permit) -> None:
        begun = self.now
        there, back = (self._chance.uniform(*self.scenario.latency) / 2 for _ in range(2))
        died = self._chance.random() < self.scenario.deaths
        self._under_way += 1

        def arrives() -> None:
            fine, headers = self.server.arrives(self.now)
            self.at(self.now + back, lambda: ends(fine, headers))

        def ends(fine: bool, headers: dict[str, str]) -> None:  # noqa: FBT001
            self._under_way -= 1
            self._last_end = self.now
            if not died:
                self.round_trips.append(self.now - begun)
                self._limiter.release(permit, headers, self.now - begun)
                if not fine:
                    self._limiter.block(self.scenario.retry_after)
            self._ask(uuid.uuid4().hex, PATIENCE)

        self.at(self.now + there, arrives)


def read(path: Path) -> Scenario:
    facts = tomllib.loads(path.read_text())
    return Scenario(**{**facts, "bands": Bands(**facts.get("bands", {}))})


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        yield client


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_bands_of_a_scenario_hold(path: Path, client: redis.Redis) -> None:
    scenario = read(path)
    run = Run(scenario, client)
    run.run()
    mean = sum(run.round_trips) / len(run.round_trips)
    left = round(scenario.limit - scenario.others * scenario.window)
    # Whole windows only, from a call to the one so many later: where a burst falls at the end must not matter.
    windows = (len(run.server.ours) - 1) // left
    took = run.server.ours[windows * left] - run.server.ours[0]
    use = windows * (scenario.window + mean) / took
    calls = len(run.server.ours)
    told = f"{scenario.says} use {use:.3f} of the ideal, {run.server.refused} refused, {run.asks} asks, {calls} calls"
    assert use >= scenario.bands.use, told
    assert run.server.refused <= scenario.bands.refused, told
    assert run.asks <= scenario.bands.asks_per_call * calls, told
    assert run.server.most <= scenario.limit
    print(told)
