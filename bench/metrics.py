"""What counting costs: `python -m bench.metrics [--records N]`; what a scrape of beat costs: `--filled N`.

Accepting and delivering (claim, load, settle, and what the verb counts) are done in turn with counting on and off, as
with and without a monitor port, in an order that is drawn for each pair. What is compared is the processor's time of
this process and of its PostgreSQL sessions, which others on the machine disturb least (Linux alone tells it). A ratio
of 1.02 says that counting adds two in a hundred. Beside it stand pairs of which both have it off: how far from 1 their
ratio is, is noise.

With `--filled N` a database of N records is filled as `bench.filled` does it, and what beat reads for a scrape is timed
on it: seconds, each service's own.

To repeat, run it again on a machine that does nothing else: the ratios hold from one machine to another.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text

from bench.filled import filled
from bench.installation import Installation, People, installation, seconds
from hubspot_api.answer import Settled
from models.words import AttemptKind, Origin, Outcome
from worker.intake.accept import accept
from worker.metrics import count
from worker.metrics.counted import Counted
from worker.monitor import gathered
from worker.queue.attempts import AttemptResult
from worker.queue.claim import claim
from worker.queue.settle import settle

LEASE = 120.0
CALL = AttemptResult("settled", 200, 42, "", "")
FEWEST_PAIRS = 30
COUNTED = Counted()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=40_000, help="of each line, at least 30 pairs [%(default)s]")
    parser.add_argument("--filled", type=int, help="records of the database that a scrape reads")
    wanted = parser.parse_args()
    if wanted.filled:
        _scrape(wanted.filled)
        return
    with installation() as on:
        people = People()
        print(f"{'':38}{'on / off':>10}{'off / off':>11}   quarters of both")
        for name, messages, each in (
            ("accept: 500 messages of one record", 500, 1),
            ("accept: a message of 100", 1, 100),
        ):
            pairs = max(FEWEST_PAIRS, wanted.records // (messages * each) // 2)
            print(_line(on, name, lambda m=messages, e=each: _accept(on, people, m, e), pairs), flush=True)  # type: ignore[misc]
        pairs = max(FEWEST_PAIRS, wanted.records // 200)
        with on.engine.connect() as connection:
            for _ in range(4 * pairs // 10 + 5):
                accept(connection, [people.message(1000)], on.rules)
        print(_line(on, "deliver: claim, load, settle, count", lambda: _deliver(on), pairs), flush=True)


SESSIONS = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")


def _line(on: Installation, name: str, work: Callable[[], object], pairs: int) -> str:
    for _ in range(10):  # plans, caches and the pool warm up
        work()
    with on.engine.connect() as connection:
        sessions = connection.execute(SESSIONS).scalars().all()
    ratios = {is_on: sorted(_ratio(work, sessions, is_on=is_on) for _ in range(pairs)) for is_on in (True, False)}
    quarters = "  ".join(f"{one[len(one) // 4]:.2f}-{one[len(one) * 3 // 4]:.2f}" for one in ratios.values())
    return f"{name:38}{median(ratios[True]):>10.3f}{median(ratios[False]):>11.3f}   {quarters}"


def _processor_seconds(sessions: Sequence[int]) -> float:
    """Give the processor's time that this process and these have had."""
    nanoseconds = sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in sessions)
    return time.process_time() + nanoseconds / 1e9


def _ratio(work: Callable[[], object], sessions: Sequence[int], *, is_on: bool) -> float:
    """Do the same work twice in an order that is drawn: with counting (or, for the noise, without), and without."""
    times = {}
    for counts in random.sample((True, False), 2):
        count._counted = COUNTED if counts and is_on else None  # noqa: SLF001 - one process, one count
        before = _processor_seconds(sessions)
        work()
        times[counts] = _processor_seconds(sessions) - before
    return times[True] / times[False]


def _accept(on: Installation, people: People, messages: int, each: int) -> None:
    handed = [people.message(each) for _ in range(messages)]
    with on.engine.connect() as connection:
        accept(connection, handed, on.rules)


def _deliver(on: Installation) -> None:
    claimed = claim(on.engine, on.account_id, LEASE)
    assert claimed is not None
    delivered: dict[int, int | None] = {index: member.id for index, member in enumerate(claimed.members)}
    count.permit("default", "granted", 0.0)
    count.attempted("default", AttemptKind.POST, "settled", 0.1)
    assert settle(on.engine, claimed, Settled(delivered, {}, {}), CALL)
    if count.is_on():  # as the verb does it
        count.finished("default", {Outcome.DELIVERED: len(delivered), Outcome.FAILED: 0})
        now = time.monotonic()
        accepted = Counter(claimed.members[index].accepted_at for index in delivered)
        count.delivered("default", Origin.LIVE, {now - at: number for at, number in accepted.items() if at is not None})


def _scrape(records: int) -> None:
    with filled(None, records) as context:
        gathered.KEEP = 0.0  # type: ignore[misc] # each scrape reads anew
        registry = CollectorRegistry()
        registry.register(gathered.Gathered(context.settings))
        times = sorted(seconds(lambda: generate_latest(registry)) for _ in range(20))
        print(f"a scrape of beat, {records:,} records: {median(times):.3f} s (at most {times[-1]:.3f} s)")


if __name__ == "__main__":
    main()
