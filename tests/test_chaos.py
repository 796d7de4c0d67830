"""The real system while everything fails: a selection of the seeded runs of `make chaos`, and their plans."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from kombu.connection import Connection
from kombu.entity import Queue

import tests.chaos.__main__
from tests.chaos.__main__ import main, reports, tell
from tests.chaos.faults import Unmet, met, ordered, unmet
from tests.chaos.plan import Broker, Happening, Kind, Progress, draw
from tests.chaos.run import Late, Report
from tests.support.rabbitmq import held_in
from worker.task_names import ACCEPT

SELECTION = (197, 290, 313)
"""Seeds that meet much in little time."""


@pytest.mark.timeout(900)
def test_whatever_fails_nothing_is_lost_and_the_books_agree() -> None:
    for report in reports(map(draw, SELECTION), len(SELECTION)):
        assert report.ok, report.whole()
        assert isinstance(report, Report)
        assert report.outcomes["delivered"] > report.records / 2


def test_a_seed_draws_the_same_plan_everywhere() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "from tests.chaos.plan import draw; print(draw(17))"],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == str(draw(17))
    assert draw(17) == draw(17) != draw(18)


def test_everything_that_can_happen_happens_in_the_first_fifty_seeds() -> None:
    drawn = {happening.kind for seed in range(50) for happening in draw(seed).happenings}
    assert drawn == set(Kind)


def test_runs_share_no_event_account_or_contact() -> None:
    plans = [draw(seed) for seed in range(200)]
    names = [{event.label for event in plan.events} | set(plan.accounts) for plan in plans]
    contacts = [{contact for message in plan.messages for contact in message.contacts} for plan in plans]
    for kind in (names, contacts):
        assert sum(map(len, kind)) == len(set().union(*kind))


def test_a_run_in_which_the_books_differ_is_told_with_what_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    plan = draw(17)
    assert tell([Report(draw(16)), Report(plan, differences=["a record is lost"])]) == 1
    said = capsys.readouterr().out
    for line in ("a record is lost", "make chaos SEED=17", "seeds that failed: 17", *map(str, plan.happenings)):
        assert line in said
    assert "2 runs" in said
    assert tell([Report(plan)]) == 0


def test_a_difference_that_shows_when_all_is_over_is_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [Report(draw(seed), records=200) for seed in range(1, 12)]
    assert tell([*runs, Late([1, 2, 3], ["a record is lost"])]) == 1
    said = capsys.readouterr().out
    for line in ("seeds 1, 2, 3", "a record is lost", "build/chaos/1-to-3", "seeds that failed: 1-to-3", "11 runs"):
        assert line in said
    assert "rule of three" not in said
    assert tell(runs) == 0
    assert "2,200 records in these: none lost" in capsys.readouterr().out


def at_hubspot(kind: Kind, count: int, target: str = "") -> Happening:
    return Happening(0, Progress.WRITES, kind, target, count=count)


def test_what_no_request_met_is_told_and_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = at_hubspot(Kind.HUBSPOT_FAILS, 2), at_hubspot(Kind.HUBSPOT_FAILS, 3)
    refuses = at_hubspot(Kind.HUBSPOT_REFUSES, 3, "ada@example.com")
    killed = Happening(0, Progress.WRITES, Kind.KILLED, "web")
    done = [first, refuses, killed, second]
    left = [{**ordered(refuses), "count": 1}, {**ordered(second), "count": 3}]
    not_met = unmet(done, left)
    assert not_met == [Unmet(refuses, 1), Unmet(second, 3)]
    assert met(done, not_met) == [first, refuses, killed]
    assert unmet(done, []) == []
    assert tell([Report(draw(17), happened=met(done, not_met), not_met=not_met, differences=["a difference"])]) == 1
    said = capsys.readouterr().out
    assert f"what happened: {Kind.HUBSPOT_FAILS} 1, {Kind.HUBSPOT_REFUSES} 1, {Kind.KILLED} 1" in said
    assert "not met by 3 of 3 requests: after 0 requests that HubSpot received: HubSpot answers 503" in said


def test_what_rabbitmq_sent_to_somebody_who_does_not_answer_is_on_its_way(virtual_host: Callable[..., str]) -> None:
    """It sends it again once it has closed a connection that went silent: until then it is not lost."""
    host = virtual_host()
    taken = threading.Event()
    with Connection(f"amqp://guest:guest@127.0.0.1:5672/{host}") as connection:  # type: ignore[no-untyped-call]
        with connection.SimpleQueue(ACCEPT) as queue:
            queue.put({})
        assert held_in(ACCEPT, host) == 1
        waiting = Queue(ACCEPT)  # type: ignore[no-untyped-call]
        with connection.Consumer([waiting], callbacks=[lambda _, __: taken.set()]):
            connection.drain_events(timeout=30)
            assert taken.is_set()
            assert held_in(ACCEPT, host) == 1
        connection.channel().queue_purge(ACCEPT)
    assert held_in(ACCEPT, host) == 1, "it came back as the connection ended, behind what was deleted"


def test_a_seed_that_cannot_be_shown_here_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = next(seed for seed in range(100) if draw(seed).broker is Broker.RABBITMQ)
    monkeypatch.setattr(tests.chaos.__main__, "rabbitmq_answers", lambda: False)
    monkeypatch.setattr(sys, "argv", ["chaos", "--seed", str(seed)])
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main() == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (
        "NOT SHOWN, without RabbitMQ on 127.0.0.1:5672, guest/guest, and rabbitmqctl: 1 seed\n"
        in capsys.readouterr().out
    )
