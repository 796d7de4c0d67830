"""The limiter against a real Valkey, in windows of 0.3 seconds: in virtual time, or, where it must wait, in real."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TypedDict, Unpack

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from hubspot_api.limiter import SKEW, Limiter, Limits, Permit, Spent, Use, Wait
from tests.support.sandbox_calls import by_email, post
from tests.support.sandbox_server import running_sandbox
from tests.support.services import Valkey

WINDOW = 0.3
DEADLINE = 0.2
Make = Callable[..., Limiter]


class Clock:
    """A clock that stands until time passes."""

    def __init__(self) -> None:
        self.now = 1_767_225_600_000

    def __call__(self) -> int:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url) as client:
        yield client


class More(TypedDict, total=False):
    """What else a limiter takes."""

    recall: Callable[[], float]
    clock: Callable[[], int]


@pytest.fixture
def make(client: redis.Redis) -> Make:
    """Make limiters of an account of this test's own."""
    account = uuid.uuid4().hex

    def made(limit: int = 2, deadline: float = DEADLINE, of: str = account, **more: Unpack[More]) -> Limiter:
        return Limiter(client, of, Limits(limit, WINDOW), deadline, **more)

    return made


def granted(limiter: Limiter) -> Permit:
    asked = limiter.acquire()
    assert isinstance(asked, Permit), asked
    return asked


def refused(limiter: Limiter) -> float:
    asked = limiter.acquire()
    assert isinstance(asked, Wait), asked
    return asked.seconds


def wait_until_granted(limiter: Limiter) -> None:
    while isinstance(limiter.acquire(), Wait):
        time.sleep(0.002)


def forget(client: redis.Redis, limiter: Limiter) -> None:
    """Let Redis lose all that it knows of an account."""
    client.delete(*limiter._keys)  # noqa: SLF001


def test_no_more_permits_than_the_limit_are_out_at_a_time(make: Make, clock: Clock) -> None:
    limiter = make(limit=3, clock=clock)
    assert len({granted(limiter).slot for _ in range(3)}) == 3
    for _ in range(3):
        assert refused(limiter) == WINDOW  # one of them may be released at this moment


def test_a_slot_is_held_until_one_window_after_its_release(make: Make, clock: Clock) -> None:
    limiter = make(limit=1, clock=clock)
    permit = granted(limiter)
    clock.passes(0.1)
    limiter.release(permit)
    assert refused(limiter) == WINDOW
    clock.passes(WINDOW - 0.001)
    assert refused(limiter) == 0.001
    clock.passes(0.002)
    granted(limiter)


def test_the_window_after_a_release_passes_in_real_time(make: Make) -> None:
    limiter = make(limit=1)
    permit = granted(limiter)
    begun = time.monotonic()
    limiter.release(permit)
    wait_until_granted(limiter)
    assert time.monotonic() - begun > WINDOW / 2


def test_the_wait_that_is_told_suffices(make: Make, clock: Clock) -> None:
    limiter = make(limit=1, clock=clock)
    limiter.release(granted(limiter))
    clock.passes(refused(limiter) + 0.001)
    granted(limiter)


def test_what_is_given_back_is_free_at_once(make: Make) -> None:
    limiter = make(limit=1)
    for _ in range(5):
        limiter.give_back(granted(limiter))
    granted(limiter)


def test_what_is_given_back_twice_counts_once(make: Make, clock: Clock) -> None:
    limiter = make(limit=5, clock=clock)
    granted(limiter)
    permit = granted(limiter)
    for _ in range(2):
        limiter.give_back(permit)
    assert limiter.used() == (1, 1)


def test_the_slot_of_a_holder_that_died_comes_back_by_itself_one_window_after_its_deadline(make: Make) -> None:
    limiter = make(limit=1)
    begun = time.monotonic()
    granted(limiter)
    wait_until_granted(limiter)
    assert time.monotonic() - begun > WINDOW + DEADLINE / 2


def test_a_release_that_comes_after_the_slot_was_taken_again_takes_nothing(make: Make, clock: Clock) -> None:
    limiter = make(limit=1, clock=clock)
    late = granted(limiter)
    clock.passes(WINDOW + DEADLINE + 0.001)
    granted(limiter)
    limiter.release(late)
    limiter.give_back(late)
    refused(limiter)


def test_a_call_that_redis_forgot_counts_until_one_window_after_its_end(
    make: Make, client: redis.Redis, clock: Clock
) -> None:
    limiter = make(limit=1, clock=clock)
    forgotten = granted(limiter)
    forget(client, limiter)
    limiter.release(forgotten)
    assert refused(limiter) == WINDOW
    clock.passes(WINDOW + 0.001)
    granted(limiter)


def test_calls_that_redis_forgot_are_not_taken_for_somebody_elses(make: Make, client: redis.Redis) -> None:
    limiter = make(limit=10)
    forgotten = [granted(limiter) for _ in range(8)]
    forget(client, limiter)
    for permit in forgotten:
        limiter.release(permit, {"X-HubSpot-RateLimit-Max": "10", "X-HubSpot-RateLimit-Remaining": "2"})
    time.sleep(WINDOW)
    for _ in range(10):
        granted(limiter)


def test_who_gives_up_by_less_than_a_millisecond_leaves_the_line(make: Make, clock: Clock) -> None:
    limiter = make(limit=1, clock=clock)
    limiter.release(granted(limiter))
    assert limiter.acquire(patience=WINDOW - 0.0004) == Wait(WINDOW)
    clock.passes(WINDOW + 0.001)
    granted(limiter)


def test_a_block_holds_everybody_of_the_account(make: Make, clock: Clock) -> None:
    limiter, other = make(limit=5, clock=clock), make(limit=5, clock=clock)
    granted(limiter)
    limiter.block(0.5)
    for one in (limiter, other):
        assert refused(one) == 0.5
    clock.passes(0.499)
    assert refused(other) == 0.001
    clock.passes(0.001)
    granted(other)


def test_a_block_passes_in_real_time(make: Make) -> None:
    limiter, other = make(limit=5), make(limit=5)
    granted(limiter)
    begun = time.monotonic()
    limiter.block(0.5)
    wait_until_granted(other)
    assert time.monotonic() - begun > 0.25


def test_a_shorter_block_does_not_cut_a_longer_one(make: Make, clock: Clock) -> None:
    limiter = make(clock=clock)
    limiter.block(5)
    limiter.block(0.01)
    assert refused(limiter) == 5


def test_a_release_during_a_block_is_not_lost(make: Make) -> None:
    limiter = make(limit=1)
    permit = granted(limiter)
    limiter.block(0.1)
    begun = time.monotonic()
    limiter.release(permit)
    wait_until_granted(limiter)
    assert time.monotonic() - begun > WINDOW / 2


def test_an_answer_after_midnight_to_a_call_of_before_spends_nothing_of_the_new_day(client: redis.Redis) -> None:
    midnight, passed = 1_767_225_600_000, -500
    limits = Limits(10, 10.0, daily=1_000)
    limiter = Limiter(client, uuid.uuid4().hex, limits, DEADLINE, clock=lambda: midnight + passed)
    headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "0"}
    before = granted(limiter)
    passed = 100
    after = granted(limiter)
    limiter.release(before, headers)
    assert isinstance(limiter.acquire(), Permit)
    passed = SKEW
    limiter.release(after, headers)
    assert isinstance(limiter.acquire(), Spent)


def test_in_the_first_minutes_of_a_day_hubspots_count_may_be_the_day_befores(client: redis.Redis) -> None:
    midnight, passed = 1_767_225_600_000, SKEW - 1
    limits = Limits(10, 10.0, daily=1_000)
    limiter = Limiter(client, uuid.uuid4().hex, limits, DEADLINE, clock=lambda: midnight + passed)
    headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "0"}
    limiter.release(granted(limiter), headers)
    told_later = granted(limiter)
    passed = SKEW
    limiter.release(told_later, headers)
    assert isinstance(limiter.acquire(), Spent)


def test_the_calls_of_a_day_are_counted_for_all_together(client: redis.Redis) -> None:
    account = uuid.uuid4().hex
    one, other = (Limiter(client, account, Limits(10, WINDOW, daily=4), DEADLINE) for _ in range(2))
    for limiter in (one, one, other, other):
        granted(limiter)
    assert isinstance(one.acquire(), Spent)
    assert isinstance(other.acquire(), Spent)


def test_the_last_calls_of_a_day_are_kept_for_live_records(client: redis.Redis) -> None:
    limiter = Limiter(client, uuid.uuid4().hex, Limits(10, WINDOW, daily=4, reserve=0.5), DEADLINE)
    assert [granted(limiter).later for _ in range(2)] == [True, True]
    assert isinstance(limiter.acquire(Use.LATER), Spent)
    assert isinstance(limiter.acquire(Use.READ_BACK), Spent)
    assert [granted(limiter).later for _ in range(2)] == [False, False]
    assert isinstance(limiter.acquire(), Spent)


@pytest.mark.parametrize("ahead", [3_600, -3_600])
def test_a_host_whose_clock_is_an_hour_off_waits_as_long(
    make: Make, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    right = time.time
    make().block(60)
    monkeypatch.setattr(time, "time", lambda: right() + ahead)
    assert 50 < refused(make()) <= 60


def test_who_recalls_late_takes_no_call_made_meanwhile_for_a_forgotten_one(make: Make, client: redis.Redis) -> None:
    account = uuid.uuid4().hex

    def late() -> float:
        granted(make(of=account))
        return 40.0

    granted(Limiter(client, account, Limits(2, WINDOW), DEADLINE, recall=late))


def test_what_is_recalled_holds_everybody(make: Make, clock: Clock) -> None:
    assert refused(make(clock=clock, recall=lambda: 40.0)) == 40
    assert refused(make(clock=clock)) == 40


def test_limiters_share_their_account_and_nothing_else(make: Make, clock: Clock) -> None:
    one, other = make(limit=2, clock=clock), make(limit=2, clock=clock)
    stranger = make(limit=2, of="stranger-" + uuid.uuid4().hex, clock=clock)
    permit = granted(one)
    granted(other)
    refused(one)
    refused(other)
    other.give_back(permit)
    granted(one)
    granted(stranger)


def test_a_limit_that_was_lowered_holds_at_once(make: Make, clock: Clock) -> None:
    for _ in range(3):
        granted(make(limit=3, clock=clock))
    refused(make(limit=2, clock=clock))


def test_no_permit_is_given_where_redis_is_out_of_reach() -> None:
    with redis.Redis(port=9, retry=Retry(NoBackoff(), 0)) as nowhere:
        limiter = Limiter(nowhere, "default", Limits(1, WINDOW), DEADLINE)
        with pytest.raises(redis.RedisError):
            limiter.acquire()


def test_scripts_that_redis_has_forgotten_are_sent_again(make: Make, client: redis.Redis) -> None:
    limiter = make()
    client.script_flush()
    limiter.release(granted(limiter))
    limiter.block(0.01)


def test_threads_that_ask_as_fast_as_they_can_never_hold_more_than_the_limit(make: Make) -> None:
    out, most, grants = 0, 0, 0
    lock = threading.Lock()
    begun = time.monotonic()

    def ask() -> None:
        nonlocal out, most, grants
        limiter = make(limit=5, deadline=30)
        while grants < 16:
            asked = limiter.acquire()
            if isinstance(asked, Wait):
                time.sleep(min(asked.seconds, 0.01))
                continue
            with lock:
                out, grants = out + 1, grants + 1
                most = max(most, out)
            time.sleep(0.01)
            with lock:
                out -= 1
            assert isinstance(asked, Permit)
            limiter.release(asked)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= 5
    assert grants <= 5 * ((time.monotonic() - begun) / WINDOW + 1)


def test_hubspot_never_counts_more_in_a_window_than_it_allows(make: Make) -> None:
    """What the server counted is what counts: greedy senders, answers that take unevenly long, not one 429."""
    with running_sandbox(burst_limit=5, burst_seconds=WINDOW, latency=0.005, jitter=0.05) as sandbox:
        sent: list[object] = []

        def send() -> None:
            limiter = make(limit=5, deadline=30)
            while len(sent) < 16 or sandbox.stats()["max_in_window"] < 5:  # all that is allowed is used, too
                asked = limiter.acquire()
                if isinstance(asked, Wait):
                    time.sleep(min(asked.seconds, 0.01))
                    continue
                assert isinstance(asked, Permit)
                sent.append(post(sandbox, by_email()))
                limiter.release(asked)

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stats = sandbox.stats()
    assert set(stats["by_status"]) == {"200"}
    assert stats["max_in_window"] == 5
    assert stats["requests"] == len(sent) >= 16
