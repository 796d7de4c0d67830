"""What accepting costs beside storing: `python -m bench.accept [--records N]`.

For each way in which records come (one to a message, a hundred, five thousand) a transaction of accept and a bare
INSERT of the very rows that it stored are timed in turn, each with its commit. Ours is everything: reading the JSON,
judging every input, fingerprints, locks, duplicates, who waits for whom, batches, records, receipts. A ratio of 0.25
says that accepting takes four times what PostgreSQL alone takes for the rows.

To repeat, run it again on a machine that does nothing else: the ratios hold from one machine to another, the rates
do not. All records stay pending, as in an outage.
"""

import argparse

from bench.installation import Installation, People, heading, insert_bare, installation, line, records_after, seconds
from worker.intake.accept import accept

SHAPES = (("500 messages of one record", 500, 1), ("a message of 100", 1, 100), ("a message of 5,000", 1, 5000))
FEWEST_ROUNDS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=50_000, help="of each shape, at least 9 rounds [%(default)s]")
    wanted = parser.parse_args().records
    with installation() as on:
        people, last = People(), 0
        for _ in range(20):  # plans, caches and the pool warm up
            last = _round(on, people, 1, 100, last)[2]
        print(heading())
        for name, messages, each in SHAPES:
            pairs = []
            for _ in range(max(FEWEST_ROUNDS, wanted // (messages * each))):
                ours, bare, last = _round(on, people, messages, each, last)
                pairs.append((ours, bare))
            print(line(name, messages * each, pairs), flush=True)


def _round(on: Installation, people: People, messages: int, each: int, last: int) -> tuple[float, float, int]:
    handed = [people.message(each) for _ in range(messages)]
    with on.engine.connect() as connection:
        ours = seconds(lambda: accept(connection, handed, on.rules))
    rows = records_after(on.engine, last)
    assert len(rows) == messages * each
    return ours, seconds(lambda: insert_bare(on.engine, rows)), rows[-1]["id"]


if __name__ == "__main__":
    main()
