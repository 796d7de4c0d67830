"""What the benches stand on: a PostgreSQL of their own, made-up records, the bare INSERT, medians."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import orjson
from sqlalchemy import Engine, text

from bench.workload import WHEN
from models.accept_rules import Rules
from models.words import Door
from worker.database import make_engine
from worker.encryption import fingerprint_key
from worker.intake.accept import Inbound
from worker.local import migrate
from worker.local.services import Postgres
from worker.settings import Settings

EVENTS: Final = 40
"""Over which what is submitted is spread."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A migrated, empty database with a bare copy of the records' table, and what accepting needs."""

    engine: Engine
    rules: Rules
    account_id: int


@contextmanager
def installation() -> Iterator[Installation]:
    """Run a PostgreSQL in a temporary directory until the block ends; what the caller has set is none of its business.

    It is as safe as the installation's: every commit is on the disk before it returns.
    """
    for name in [name for name in os.environ if name.startswith("TURNOUT_")]:
        del os.environ[name]
    home = Path(tempfile.mkdtemp(prefix="turnout-bench-"))
    home.chmod(0o755)
    server = Postgres(home)
    try:
        settings = Settings(_env_file=None, database_url=server.start(), secret_key="bench")  # noqa: S106
        engine = make_engine(settings)
        migrate.upgrade(engine)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE bare (LIKE records INCLUDING ALL)"))
            account_id = connection.execute(text("SELECT id FROM accounts WHERE name = 'default'")).scalar_one()
        yield Installation(engine, Rules(fingerprint_key(engine, settings), settings.batch_size, linger=0), account_id)
        engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@dataclass(slots=True)
class People:
    """Made-up people, each met once."""

    met: int = 0

    def message(self, records: int) -> Inbound:
        """Make a message of so many new people who registered for one of the events."""
        inputs = []
        for _ in range(records):
            self.met += 1
            inputs.append(
                {
                    "email": f"person.{self.met}@example.com",
                    "interactionDateTime": WHEN + 1000 * self.met,
                    "contactProperties": {"firstname": "Ada", "lastname": f"Lovelace {self.met}"},
                }
            )
        fields = {"subscriber_state": "register", "object_id": str(self.met % EVENTS), "inputs": inputs}
        return Inbound(Door.STREAM, str(uuid4()), orjson.dumps(fields))


Row = dict[str, Any]


def records_after(engine: Engine, last: int) -> list[Row]:
    """Read the records stored since, as rows for the bare INSERT."""
    with engine.connect() as connection:
        rows = connection.execute(
            text("""
            SELECT id, encode(fingerprint, 'hex') AS fingerprint, batch_id, position, submission_id, contact, input
            FROM records WHERE id > :last ORDER BY id"""),
            {"last": last},
        )
        return [dict(row) for row in rows.mappings()]


def insert_bare(engine: Engine, rows: Sequence[Row]) -> None:
    """Store rows in the copy of the records' table, and nothing else: what PostgreSQL alone takes for them."""
    with engine.begin() as connection:
        connection.execute(
            text("""
            INSERT INTO bare (id, fingerprint, batch_id, position, submission_id, contact, input)
            SELECT id, decode(fingerprint, 'hex'), batch_id, position, submission_id, contact, input
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, fingerprint text, batch_id bigint,
              position int, submission_id bigint, contact text, input jsonb)"""),
            {"rows": orjson.dumps(rows).decode()},
        )


def seconds(work: Callable[[], object]) -> float:
    """Do it, and say how long it took."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def heading() -> str:
    """Head the lines of `line`."""
    return f"{'':42}{'ours':>12}{'bare INSERT':>14}{'ratio':>8}   quarters"


def line(name: str, records: int, pairs: Sequence[tuple[float, float]]) -> str:
    """Say in a line what came of rounds of so many records, each timed for ours and for the bare INSERT.

    Records a second are of the median round; the ratio is the median of the rounds' own, so that what slowed the
    machine for a while slowed both sides of it. `quarters` is where its middle half lies.
    """
    ours, bare = (records / median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(bare_time / our_time for our_time, bare_time in pairs)
    low, high = ratios[len(ratios) // 4], ratios[len(ratios) * 3 // 4]
    return f"{name:42}{ours:>10,.0f}/s{bare:>12,.0f}/s{median(ratios):>8.2f}   {low:.2f}-{high:.2f}"
