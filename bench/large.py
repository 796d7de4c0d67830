"""What ten million records weigh, and what it costs to let them go: `python -m bench.large --home DIR`.

The database of `bench.filled` is measured as it is, purged of its oldest tenth by `turnout purge`'s own function, and
vacuumed; in between its records are copied into a table that is partitioned by id, to compare.

    sizes       bytes a record, of each table with its indexes, and of each index of `records`
    accept      a message of 100 new people, and the contact index asked for 100 who are there
    purge       records a second, and what the tables and their vacuum weigh afterwards
    partitions  the same look-ups by contact and by deduplication key over 1 table and over 10 partitions; dropping a
                partition beside deleting its rows; what PostgreSQL says of the unique key

The purge changes the database: the next run with this home fills it anew. To repeat, run it on a machine that does
nothing else; a machine's times are its own, sizes and ratios are not.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from bench.filled import DAYS, MARK, filled
from bench.installation import People, seconds
from models.accept_rules import Rules
from worker.context import Context
from worker.encryption import fingerprint_key
from worker.intake.accept import accept
from worker.queue.contact_index import held
from worker.retention.purge import purge

SIZES: Final = text("""
SELECT relname, reltuples::bigint AS rows, pg_relation_size(oid) AS heap, pg_indexes_size(oid) AS indexes
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_total_relation_size(oid) > 1000000
ORDER BY pg_total_relation_size(oid) DESC""")
INDEXES: Final = text("""
SELECT indexrelid::regclass::text AS name, pg_relation_size(indexrelid) AS bytes FROM pg_index
WHERE indrelid = 'records'::regclass ORDER BY 2 DESC""")
DEAD: Final = text("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'records'")
PARTS: Final = 10
TIMES: Final = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, help="keep the database here for the next run")
    parser.add_argument("--records", type=int, default=10_000_000, help="[%(default)s]")
    wanted = parser.parse_args()
    with filled(wanted.home, wanted.records) as process:
        _show_sizes(process.engine, wanted.records)
        _accept(process)
        _partitions(process.engine, wanted.records)
        if wanted.home is not None:
            (wanted.home / MARK).unlink()  # from here on it is not what was filled
        _purge(process.engine)
        _show_sizes(process.engine, wanted.records)
        _accept(process)


def _show_sizes(engine: Engine, records: int) -> None:
    with engine.connect() as connection:
        print(f"{'':36}{'rows':>12}{'heap, MB':>10}{'indexes':>9}{'bytes a record':>16}")
        for row in connection.execute(SIZES):
            each = (row.heap + row.indexes) / records
            print(f"{row.relname:36}{row.rows:>12,}{row.heap / 1e6:>10,.0f}{row.indexes / 1e6:>9,.0f}{each:>16,.0f}")
        for row in connection.execute(INDEXES):
            print(f"  {row.name:34}{row.bytes / 1e6:>31,.0f}{row.bytes / records:>16,.0f}", flush=True)


def _accept(process: Context) -> None:
    """Time what accepting asks of the largest indexes: a message of 100, each time of others."""
    engine, people = process.engine, People()
    rules = Rules(fingerprint_key(engine, process.settings), process.settings.batch_size, linger=0)
    with engine.connect() as connection:
        new = [seconds(lambda: accept(connection, [people.message(100)], rules)) for _ in range(TIMES)]
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT contact FROM records WHERE id % 997 = 1 LIMIT :most"), {"most": 100 * TIMES}
        ).scalars()
        met = [(1, contact) for contact in found]
        looked = [seconds(partial(held, connection, met[at : at + 100])) for at in range(0, len(met), 100)]
    print(f"accept a message of 100: {median(new) * 1000:.1f} ms; at first {new[0] * 1000:.0f} ms")
    print(f"the contact index, 100 who are there: {median(looked) * 1000:.1f} ms; at first {looked[0] * 1000:.0f} ms")


def _purge(engine: Engine) -> None:
    begun = time.perf_counter()
    gone = purge(engine, DAYS * 0.9)
    took = time.perf_counter() - begun
    with engine.connect() as connection:
        dead = connection.execute(DEAD).scalar_one()
    print(
        f"purge: {gone.records:,} records in {took:.0f} s: {gone.records / took:,.0f} a second; {dead:,} rows are dead"
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        for table in ("records", "errors", "batches", "attempts", "submissions"):
            took = seconds(partial(connection.execute, text(f"VACUUM {table}")))
            print(f"vacuum {table}: {took:.1f} s", flush=True)


def _partitions(engine: Engine, records: int) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in ("statement_timeout = 0", "synchronous_commit = off", "maintenance_work_mem = '1GB'"):
            connection.execute(text(f"SET {setting}"))
        connection.execute(text("DROP TABLE IF EXISTS parted"))
        connection.execute(text("CREATE TABLE parted (LIKE records) PARTITION BY RANGE (id)"))
        each = records // PARTS + 1
        for part in range(PARTS):
            bounds = f"FROM ({part * each}) TO ({(part + 2 if part == PARTS - 1 else part + 1) * each})"
            connection.execute(text(f"CREATE TABLE parted_{part} PARTITION OF parted FOR VALUES {bounds}"))
        begun = time.perf_counter()
        connection.execute(text("INSERT INTO parted SELECT * FROM records"))
        for columns in ("fingerprint", "contact, batch_id, id", "batch_id", "submission_id", "id"):
            connection.execute(text(f"CREATE INDEX ON parted ({columns})"))
        connection.execute(text("VACUUM (ANALYZE) parted"))
        print(f"copied into {PARTS} partitions: {time.perf_counter() - begun:.0f} s")
        try:
            connection.execute(text("ALTER TABLE parted ADD UNIQUE (fingerprint)"))
        except DBAPIError as error:
            print(f"a unique key: {str(error.orig).splitlines()[0]}")
        for table in ("records", "parted"):
            _look_up(connection, table, records // (100 * TIMES))
        deleted = seconds(partial(connection.execute, text("DELETE FROM parted_0")))
        dropped = seconds(partial(connection.execute, text("DROP TABLE parted_1")))
        print(f"delete all rows of a partition: {deleted:.1f} s; drop one: {dropped * 1000:.0f} ms", flush=True)
        connection.execute(text("DROP TABLE parted"))


def _look_up(connection: Connection, table: str, every: int) -> None:
    """Time a hundred look-ups by key and by contact: of rows that are there, and of new ones, as accepting does."""
    for column, kind, new in (("fingerprint", "bytea", b"new"), ("contact", "text", "new.")):
        each = text(f"""
            SELECT count(*) FROM unnest(CAST(:keys AS {kind}[])) k(key)
            CROSS JOIN LATERAL (SELECT FROM {table} r WHERE r.{column} = k.key LIMIT 1) r""")
        keys = (
            connection.execute(
                text(f"SELECT {column} FROM records WHERE id % :every = 0 LIMIT :most"),
                {"every": every, "most": 100 * TIMES},
            )
            .scalars()
            .all()
        )
        for what, asked in (("there", keys), ("new", [new + key for key in keys])):
            times = [
                seconds(partial(connection.execute, each, {"keys": asked[at : at + 100]}))
                for at in range(0, len(asked) - 99, 100)
            ]
            said = f"{median(times) * 1000:.2f} ms; at first {times[0] * 1000:.0f} ms"
            print(f"{table}: 100 look-ups by {column}, {what}: {said}", flush=True)


if __name__ == "__main__":
    main()
