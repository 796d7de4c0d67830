"""Every call to PostgreSQL, Redis and over HTTP fails once, for each verb; and the three sets of books agree."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from sandbox.world import World
from tests.support.calls import Fault, Kind, Mode, faults_of
from tests.support.databases import Databases
from tests.support.forked import Forks, Ran, Run
from tests.support.sandbox_server import RunningSandbox, running_world
from tests.support.seeds import seeds
from tests.support.services import Valkey
from tests.support.stage import Stage
from tests.support.three_books import Attendance, Submitted, what_turnout_says
from tests.support.verbs import VERBS, Verb
from tests.support.webhook_receiver import Receiver
from tests.support.write_statements import write_statements
from worker.settings import Settings

BUILD: Final = Path(__file__).parents[1] / "build"


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def hubspot() -> Iterator[tuple[RunningSandbox, World, dict[str, object]]]:
    """HubSpot's test server, what it holds, and what it held before any scene."""
    with running_world(burst_limit=100_000, keep_writes=True) as (sandbox, world):
        yield sandbox, world, world.kept()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a verb ended, and all that followed."""

    ran: Ran
    last: Ran
    """Of the process that did it again with faults; else the same as `ran`."""
    wrong: list[str]
    outcomes: dict[Attendance, str]
    """What Turnout says in the end of each record."""


@dataclass
class Play:
    """One verb on its stage."""

    name: str
    stage: Stage
    forks: Forks
    log: Path

    @property
    def verb(self) -> Verb:
        return VERBS[self.name]

    def act(self, *faults: Fault) -> Ran:
        """Let a process do the verb."""
        ran = self.forks.run(Run(self.name, self.stage.environment(), faults, self.log))
        verb = self.verb
        self.stage.submitted += [Submitted(one, ran.answered, verb.producer) for one in verb.submits]
        return ran

    def is_done_already(self, ran: Ran) -> bool:
        """Say whether who asked again was told that it is done."""
        return bool(self.verb.done_already) and self.verb.done_already in ran.error

    def through(self, *faults: Fault, then: Sequence[Fault] = ()) -> Ended:
        """Do the verb with these faults in it; then life goes on, as long as anything waits.

        With `then`, the process that does it again meets faults as well.
        """
        before = list(self.stage.submitted)
        try:
            self.stage.begin()
            ran = last = self.act(*faults)
            if then:
                last = self.act(*then)
            if self.verb.asks and not last.answered:
                again = self.act()
                if not again.answered and not self.is_done_already(again):
                    return Ended(ran, last, [f"asked again, it ends with: {again.error or 'a kill'}"], {})
            self.stage.forgotten = set(self.verb.forgets)
            return self._ended(ran, last)
        finally:
            self.stage.submitted = before

    def _ended(self, ran: Ran, last: Ran) -> Ended:
        wrong = self.stage.live_on()
        if not wrong and self.verb.holds:
            wrong = self.verb.holds(self.stage)
        said = what_turnout_says(self.stage.context.engine)
        return Ended(ran, last, wrong, {one.attendance: one.outcome for one in said})

    def undisturbed(self) -> Ended:
        """Do it without a fault: it must go as it is to go."""
        ended = self.through()
        assert ended.ran.answered, f"{ended.ran.error}; {self.log.read_text()[-2000:]}"
        assert ended.wrong == []
        assert ended.ran.calls
        return ended

    def disturbed(self, expected: Ended, *faults: Fault) -> list[str]:
        """Do it with faults, and say what is wrong in the end, or otherwise than without them; each must be met."""
        wrong, met = self.disturbed_as_it_comes(expected, *faults)
        return wrong if met else [*wrong, f"{self.name}: not every fault was met of {faults}"]

    def disturbed_as_it_comes(
        self, expected: Ended, *faults: Fault, then: Sequence[Fault] = ()
    ) -> tuple[list[str], bool]:
        """Do the same, and say whether each fault was met: after the first, too few calls may follow for a second."""
        ended = self.through(*faults, then=then)
        wrong = list(ended.wrong)
        if not wrong and not self.verb.differs and ended.outcomes != expected.outcomes:
            other = {one: (was, ended.outcomes.get(one)) for one, was in expected.outcomes.items()}
            wrong.append(f"outcomes differ: {[item for item in other.items() if item[1][0] != item[1][1]]}")
        told = ", ".join(f"{fault.mode} {expected.ran.calls[fault.number - 1]}" for fault in (*faults, *then))
        met = all(one.number <= len(ended.ran.calls) for one in faults)
        met = met and all(one.number <= len(ended.last.calls) for one in then)
        return [f"{self.name}, {told}: {one}" for one in wrong], met


Playing = Callable[[str], AbstractContextManager[Play]]


@pytest.fixture
def playing(
    databases: Databases,
    valkey: Valkey,
    hubspot: tuple[RunningSandbox, World, dict[str, object]],
    tmp_path: Path,
    forks: Forks,
) -> Playing:
    """Sets a verb's scene."""

    @contextmanager
    def set_up(name: str) -> Iterator[Play]:
        database = databases.take()
        home = tmp_path / name
        home.mkdir()
        sandbox, world, blank = hubspot
        world.restore(blank)
        with closing(Receiver()) as receiver:
            settings = Settings(
                _env_file=None,
                database_url=databases.url_of(database),
                broker_url=valkey.url,
                hubspot_url=sandbox.url,
                hubspot_token="test-token",
                secret_key="a key of the tests",
                data_dir=home / "data",
                linger=0,
                timeout=30,
                lease=60,
                batch_size=3,
                burst_limit=1_000,
                burst_seconds=0.05,
                webhook_private=True,
                retention_days=30,
            )
            stage = Stage(databases, settings, sandbox, world, receiver, home / "home")
            try:
                stage.set_up(VERBS[name].scene)
                yield Play(name, stage, forks, home / "log")
            finally:
                stage.close()
        databases.give_back(database)

    return set_up


@pytest.fixture
def play(request: pytest.FixtureRequest, playing: Playing) -> Iterator[Play]:
    """A verb, its scene set."""
    with playing(request.param) as play:
        yield play


def written(name: str, lines: Iterable[str]) -> None:
    """Write lines beside what else is built, for people."""
    path = BUILD / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join((*lines, "")))


BUILDS = "builds a constant, which is reached"
OF_A_BROWSER = "a browser's session: no record depends on it, and who is not signed in signs in again"
BY_OAUTH = "HubSpot's test server has no OAuth; tests/test_oauth.py has"
BUG = "only a bug leads here"
NOT_REACHED: Final[Mapping[str, str]] = {
    "worker.accounts.state._park": BUILDS,
    "worker.accounts.state._unless_locked": BUILDS,
    "worker.accounts.token_renewal._CLAIM": BY_OAUTH,
    "worker.accounts.token_renewal._END": BY_OAUTH,
    "worker.accounts.token_renewal._STORE": BY_OAUTH,
    "worker.accounts.token_renewal._WAIT": BY_OAUTH,
    "worker.auth.sessions._OVER": OF_A_BROWSER,
    "worker.auth.sessions.begin": OF_A_BROWSER,
    "worker.auth.sessions.begin_for": OF_A_BROWSER,
    "worker.auth.sessions.end": OF_A_BROWSER,
    "worker.auth.sessions.follow": OF_A_BROWSER,
    "worker.auth.sessions.make_link": OF_A_BROWSER,
    "worker.intake.receipts._STORE": "a part of `_STORE_AND_WATCH`",
    "worker.intake.receipts._TRACE": "only with traces on; it is a part of accept's transaction",
    "worker.operations.jobs._POSTPONE": BUG,
    "worker.operations.schedules._of": "builds a statement that others run",
    "worker.queue.claim._CLAIM_ANY": BUILDS,
    "worker.queue.claim._PUT_ASIDE": BUG,
    "worker.queue.settle._insert_errors": BUILDS,
    "worker.retention.delete._purging": BUILDS,
}
"""What no verb here reaches, and why not."""


@pytest.mark.timeout(1_200)
def test_every_statement_that_writes_is_reached_by_a_verb(playing: Playing) -> None:
    """A new statement cannot be forgotten: it has its verb here, or a reason."""
    lines, reached, not_twice = [], set(), []
    for name in VERBS:
        with playing(name) as play:
            play.stage.begin()
            ran = play.act()
            assert ran.answered, f"{name}: {ran.error}; {play.log.read_text()[-2000:]}"
            lines += [f"{name}: {call}" for call in ran.calls]
            if play.verb.asks and not (again := play.act()).answered and not play.is_done_already(again):
                not_twice.append(f"{name}, asked again: {again.error}")
            for call in ran.calls:
                reached |= {*call.what.split("+"), *call.callers}
    written("calls.txt", lines)
    assert not_twice == []
    there = set(write_statements())
    assert len(there) > 100
    assert sorted(there - reached - NOT_REACHED.keys()) == []
    assert sorted(NOT_REACHED.keys() & reached) == []
    assert sorted(NOT_REACHED.keys() - there) == []


@pytest.mark.long
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("play", VERBS, indirect=True)
def test_each_call_of_a_verb_fails_once(play: Play) -> None:
    expected = play.undisturbed()
    assert play.undisturbed() == expected, "the same verb makes other calls the second time"
    faults = list(faults_of(expected.ran.calls))
    wrong = [line for fault in faults for line in play.disturbed(expected, fault)]
    told = f"{len(expected.ran.calls)} calls, {len(faults)} faults, {len(wrong)} of them wrong"
    written(f"faults/{play.name}.txt", (told, *wrong))
    assert wrong == []


PAIRS: Final = 5
"""Pairs of faults that are both met, of a verb and seed; fewer where many draws meet only their first."""


@pytest.mark.long
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("seed", seeds(3))
@pytest.mark.parametrize("play", VERBS, indirect=True)
def test_two_calls_of_a_verb_fail(play: Play, seed: int) -> None:
    """One fault follows another: in the same process where that lives on, or in the one that does it again."""
    expected = play.undisturbed()
    chance = random.Random(f"{play.name} {seed}")
    both_met = 0
    for _ in range(20):
        first, second = (Fault(chance.randint(1, len(expected.ran.calls)), chance.choice(list(Mode))) for _ in "12")
        if first.number < second.number and first.mode in {Mode.LOST, Mode.AWAY}:
            wrong, met = play.disturbed_as_it_comes(expected, first, second)
        else:
            wrong, met = play.disturbed_as_it_comes(expected, first, then=[second])
        assert wrong == [], seed
        both_met += met
        if both_met == PAIRS:
            break
    assert both_met


SOME: Final = ("accept by stream", "accept by Celery", "deliver", "isolate, and split", "cancel")
AT_MOST: Final = 12
"""Answers that are lost, of a verb, in `make test`."""


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("play", SOME, indirect=True)
def test_some_calls_of_a_verb_fail(play: Play) -> None:
    """The answers of some statements and COMMITs are lost; the rest is `make test-long ONLY=each_call`."""
    expected = play.undisturbed()
    sql = [call for call in expected.ran.calls if call.kind is Kind.SQL and call.what not in {"BEGIN", "ROLLBACK"}]
    lost = [Fault(call.number, Mode.LOST) for call in {(call.what, call.caller): call for call in sql}.values()]
    assert len(lost) > 5
    chance = random.Random(play.name)
    lost = chance.sample(lost, min(AT_MOST, len(lost)))
    more = chance.sample(list(faults_of(expected.ran.calls)), 4)
    assert [line for fault in (*lost, *more) for line in play.disturbed(expected, fault)] == []
