"""What delivering costs in the database: `python -m bench.settle [--records N]`.

Full batches of 100 over 40 events are claimed (which loads their records and begins the attempt) and settled, one
after the other, with no POST between; each in turn with a bare INSERT of the same 100 rows. A ratio of 0.5 says that
a batch costs PostgreSQL and Python, delivered, twice what storing its rows alone costs.

To repeat, run it again on a machine that does nothing else: the ratios hold from one machine to another, the rates
do not.
"""

import argparse
from functools import partial

from bench.installation import Installation, People, heading, insert_bare, installation, line, records_after, seconds
from hubspot_api.answer import Rejection, Settled
from worker.intake.accept import accept
from worker.queue.attempts import AttemptResult
from worker.queue.claim import claim
from worker.queue.settle import settle

LEASE = 120.0
CALL = AttemptResult("settled", 200, 42, "", "")
REFUSED = Rejection("VALIDATION_ERROR", "", "not a contact")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=50_000, help="of each kind of answer [%(default)s]")
    wanted = parser.parse_args().records
    with installation() as on:
        _store(on, 2 * wanted + 2_000)
        rows = records_after(on.engine, 0)
        size = on.rules.batch_size
        _rounds(on, rows, 20, 0)  # plans, caches and the pool warm up
        print(heading())
        for name, rejected in (("claim, load, settle: all delivered", 0), ("the same, 10 of 100 rejected", 10)):
            print(line(name, size, _rounds(on, rows, wanted // size, rejected)), flush=True)


def _store(on: Installation, records: int) -> None:
    people = People()
    with on.engine.connect() as connection:
        while people.met < records:
            accept(connection, [people.message(1000)], on.rules)


def _rounds(on: Installation, rows: list[dict[str, object]], rounds: int, rejected: int) -> list[tuple[float, float]]:
    pairs = []
    for _ in range(rounds):
        some = [rows.pop() for _ in range(on.rules.batch_size)]
        pairs.append((seconds(partial(_deliver, on, rejected)), seconds(partial(insert_bare, on.engine, some))))
    return pairs


def _deliver(on: Installation, rejected: int) -> None:
    claimed = claim(on.engine, on.account_id, LEASE)
    assert claimed is not None
    assert len(claimed.members) == on.rules.batch_size
    delivered: dict[int, int | None] = {index: member.id for index, member in enumerate(claimed.members)}
    refused = {index: REFUSED for index in range(rejected) if delivered.pop(index)}
    assert settle(on.engine, claimed, Settled(delivered, refused, {}), CALL)


if __name__ == "__main__":
    main()
