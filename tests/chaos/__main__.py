"""`python -m tests.chaos --seeds 300`: see `make chaos` and docs/reliability.md."""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from itertools import count
from typing import Final

from tests.chaos.plan import Broker, Plan, draw
from tests.chaos.run import KEPT, Late, Report, Run, late_differences
from tests.chaos.system import rabbitmq_answers, running_system

ENOUGH: Final = 9
"""Clean runs, from which something follows."""
NOTHING_RUN: Final = 2
"""The exit status where no run was made."""
TOGETHER: Final = 25
"""Runs made on one system; then a new one is started."""


def reports(plans: Iterable[Plan], together: int) -> Iterator[Report | Late]:
    """Make runs one after the other, so many on one system; one that fails is the last of its system.

    A difference that shows only when all runs on a system are over is reported after them.
    """
    left = iter(plans)
    plan = next(left, None)
    while plan is not None:
        made: list[Run] = []
        report = Report(plan)
        stack = ExitStack()
        try:
            system = stack.enter_context(running_system(plan.broker))
            while report.ok and plan is not None and plan.broker is system.broker and len(made) < together:
                made.append(Run(system, plan))
                report = made[-1].go()
                if not report.ok:
                    made[-1].keep(report)
                yield report
                plan = next(left, None)
            if report.ok and not (late := late_differences(made)).ok:
                made[0].keep(late)  # all that was logged since the first
                yield late
        finally:
            with nullcontext() if report.ok else suppress(Exception):  # which cannot be stopped in order then
                stack.close()


def several(first: int, number: int) -> list[Plan]:
    """Draw the plans of so many seeds, those on RabbitMQ last; without these, where none answers."""
    plans = [draw(seed) for seed in range(first, first + number)]
    on_valkey = [plan for plan in plans if plan.broker is Broker.VALKEY]
    on_rabbitmq = [plan for plan in plans if plan.broker is Broker.RABBITMQ]
    if on_rabbitmq and not rabbitmq_answers():
        print(
            f"NOT SHOWN, without RabbitMQ on 127.0.0.1:5672, guest/guest, and rabbitmqctl: {_seeds(len(on_rabbitmq))}"
        )
        on_rabbitmq = []
    return on_valkey + on_rabbitmq


def until_then(first: int, ends: float) -> Iterator[Plan]:
    """Draw plans until a moment. They share one system, so those on RabbitMQ are left out, which is told at the end."""
    left_out = 0
    for seed in count(first):
        if time.monotonic() > ends:
            break
        if (plan := draw(seed)).broker is Broker.VALKEY:
            yield plan
        else:
            left_out += 1
    if left_out:
        print(f"NOT SHOWN, since HOURS runs on Valkey alone: {_seeds(left_out)} with RabbitMQ as the broker")


def _seeds(number: int) -> str:
    return f"{number} seed{'s' * (number != 1)}"


def tell(reported: Iterable[Report | Late]) -> int:
    """Print a line for each run, all of one that fails, and the totals; give the exit status."""
    began, runs, records = time.monotonic(), 0, 0
    happened, outcomes, failed = Counter[str](), Counter[str](), list[str]()
    for report in reported:
        if isinstance(report, Report):
            runs, records = runs + 1, records + report.records
            happened.update(happening.kind for happening in report.happened)
            outcomes += report.outcomes
        print(report if isinstance(report, Report) and report.ok else report.whole(), flush=True)
        if not report.ok:
            failed.append(report.name)
            print(f"its logs are in {KEPT / report.name}", flush=True)
    minutes = (time.monotonic() - began) / 60
    print(f"\n{runs} run{'s' * (runs != 1)} in {minutes:.0f} minutes, {len(failed)} with a difference")
    print("what happened: " + ", ".join(f"{kind} {number}" for kind, number in happened.most_common()))
    print("what Turnout says: " + ", ".join(f"{outcome} {number:,}" for outcome, number in outcomes.most_common()))
    if failed:
        print(f"seeds that failed: {', '.join(failed)}")
        return 1
    if runs > ENOUGH:
        print(
            f"{records:,} records in these: none lost. With 95 % confidence fewer than one in {records / 3:,.0f} is,"
            f" and fewer than one in {runs / 3:,.0f} such runs loses any (rule of three)"
        )
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Seeded runs while everything fails.")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--seed", type=int, help="one run, on a system of its own")
    chosen.add_argument("--seeds", type=int, help="so many runs")
    chosen.add_argument("--hours", type=float, help="runs on one system for so long")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first seed")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped
    if given.hours is None:
        plans = several(given.first, given.seeds) if given.seed is None else several(given.seed, 1)
        return tell(reports(plans, TOGETHER)) if plans else NOTHING_RUN
    return tell(reports(until_then(given.first, time.monotonic() + given.hours * 3_600), sys.maxsize))


if __name__ == "__main__":
    sys.exit(main())
