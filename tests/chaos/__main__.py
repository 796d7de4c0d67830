"""`python -m tests.chaos --seeds 300`: see `make chaos` and docs/reliability.md."""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Final

from tests.chaos.plan import Broker, Plan, draw
from tests.chaos.run import Report, Run, differences_of_all
from tests.chaos.system import rabbitmq_answers, running_system

KEPT: Final = Path("build") / "chaos"
ENOUGH: Final = 9
"""Clean runs, from which something follows."""
TOGETHER: Final = 25
"""Runs made on one system; then a new one is started."""


def reports(plans: Iterable[Plan], together: int) -> Iterator[Report]:
    """Make runs one after the other, so many on one system; one that fails is the last of its system."""
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
                    made[-1].keep(KEPT / str(plan.seed), report)
                yield report
                plan = next(left, None)
            if report.ok and (late := differences_of_all(made)):
                yield Report(made[-1].plan, differences=late)
        finally:
            with nullcontext() if report.ok else suppress(Exception):  # which cannot be stopped in order then
                stack.close()


def several(first: int, number: int) -> list[Plan]:
    """Draw the plans of so many seeds, those on RabbitMQ last; without these, where none answers."""
    plans = [draw(seed) for seed in range(first, first + number)]
    on_valkey = [plan for plan in plans if plan.broker is Broker.VALKEY]
    on_rabbitmq = [plan for plan in plans if plan.broker is Broker.RABBITMQ]
    if on_rabbitmq and not rabbitmq_answers():
        print(f"NOT SHOWN: {len(on_rabbitmq)} seeds need RabbitMQ on 127.0.0.1:5672, guest/guest, and rabbitmqctl")
        on_rabbitmq = []
    return on_valkey + on_rabbitmq


def until_then(first: int, ends: float) -> Iterator[Plan]:
    """Draw plans on Valkey, until a moment."""
    for seed in count(first):
        if time.monotonic() > ends:
            return
        if (plan := draw(seed)).broker is Broker.VALKEY:
            yield plan


def tell(reported: Iterable[Report]) -> int:
    """Print a line for each run, all of one that fails, and the totals; give the exit status."""
    began, clean, records, happened, outcomes, failed = (
        time.monotonic(),
        0,
        0,
        Counter[str](),
        Counter[str](),
        list[int](),
    )
    for report in reported:
        print(report if report.ok else report.whole(), flush=True)
        happened.update(happening.kind for happening in report.plan.happenings)
        outcomes += report.outcomes
        if report.ok:
            clean, records = clean + 1, records + report.records
        else:
            failed.append(report.plan.seed)
            print(f"its logs are in {KEPT / str(report.plan.seed)}", flush=True)
    print(
        f"\n{clean + len(failed)} runs in {(time.monotonic() - began) / 60:.0f} minutes, {clean} without a difference"
    )
    print("what happened: " + ", ".join(f"{kind} {number}" for kind, number in happened.most_common()))
    print("what Turnout says: " + ", ".join(f"{outcome} {number:,}" for outcome, number in outcomes.most_common()))
    if clean > ENOUGH:
        print(
            f"{records:,} records in these: none lost. With 95 % confidence fewer than one in {records / 3:,.0f} is,"
            f" and fewer than one in {clean / 3:,.0f} such runs loses any (rule of three)"
        )
    if failed:
        print(f"seeds that failed: {', '.join(map(str, failed))}")
    return 1 if failed else 0


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
    if given.seed is not None:
        return tell(reports(several(given.seed, 1), 1))
    if given.seeds is not None:
        return tell(reports(several(given.first, given.seeds), TOGETHER))
    return tell(reports(until_then(given.first, time.monotonic() + given.hours * 3_600), sys.maxsize))


if __name__ == "__main__":
    sys.exit(main())
