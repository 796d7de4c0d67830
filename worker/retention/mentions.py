"""Mentions: every text of every table is looked at, step by step by its key, for what still mentions a person.

That is others' errors, HubSpot's answers, refused messages; and a contact id among the answers of batches.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Table,
    Text,
    and_,
    any_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import BYTEA

from models.erasure import ERASED, SPELT, Changes, Person
from models.tables import Base, Batch, Record, Refused
from worker.database import repeat

STEP: Final = 5_000
"""Rows that one transaction looks at."""
NAMES: Final = frozenset({"accounts", "events", "keys", "schedules", "schema_revisions", "secrets", "sessions"})
"""Tables whose texts are names that something is addressed by, or of who is signed in: no attendee's, and blanked they
would break it."""
REASONS: Final = frozenset(
    {"accounts.paused_because", "accounts.parked_because", "keys.webhook_error", "schedules.filter"}
)
"""Texts in these that are no names: HubSpot's words may stand there, or an operator's."""
NUMBERS: Final = frozenset({"accounts", "batches", "records", "submissions"})
"""Tables in whose texts the digits of a contact id are as a rule something else."""

Work = Callable[[Connection, Any, Any], Changes]
"""Changes the rows of a table whose keys are after one (None: from the first) and up to another."""


def remove(engine: Engine, person: Person) -> Changes:
    """Take the person out of whatever still mentions them."""
    # First: of what was not accepted all goes that stands beside the address, by which it is found.
    changes = _by_key(engine, _table(Refused), partial(_out_of_refused, person=person))
    if person.vid is not None:
        changes += _by_key(engine, _table(Batch), partial(_out_of_contact_ids, vid=person.vid))
    for table, columns in texts(person):
        changes += _by_key(engine, table, partial(_out_of_texts, table=table, columns=columns, person=person))
    return changes


def _table(of: type[Base]) -> Table:
    return Base.metadata.tables[of.__tablename__]


def _by_key(engine: Engine, table: Table, work: Work) -> Changes:
    """Walk a table by its key, a bounded number of rows a transaction; not what comes while this runs."""
    (key,) = table.primary_key.columns
    with engine.connect() as connection:
        last = connection.execute(select(func.max(key))).scalar()
    changes = Changes()
    after: Any = None

    def step() -> tuple[Changes, Any]:
        with engine.begin() as connection:
            page = select(key).order_by(key).limit(STEP)
            page = page if after is None else page.where(key > after)
            until = connection.execute(select(func.max(page.subquery().c[key.name]))).scalar()
            return (Changes() if until is None else work(connection, after, until)), until

    while last is not None and (after is None or after < last):
        changed, after = repeat(step)
        changes += changed
        if after is None:
            break
    return changes


def texts(person: Person) -> Iterator[tuple[Table, list[Column[Any]]]]:
    """Name every column of text or JSON of every table in which a person may be mentioned."""
    for table in Base.metadata.sorted_tables:
        if person.vid is not None and table.name in NUMBERS:
            continue
        columns = [
            column
            for column in table.columns
            if isinstance(column.type, Text | JSON)
            and not column.primary_key
            and str(column) != "records.contact"
            and (table.name not in NAMES or str(column) in REASONS)
        ]
        if columns:
            yield table, columns


def _out_of_texts(  # noqa: PLR0913
    connection: Connection,
    after: Any,  # noqa: ANN401 - a key
    until: Any,  # noqa: ANN401
    *,
    table: Table,
    columns: Sequence[Column[Any]],
    person: Person,
) -> Changes:
    (key,) = table.primary_key.columns
    said = func.lower(func.concat_ws(" ", *(cast(column, Text) for column in columns)))
    whose = [] if table.name != "records" else [table.c.contact.not_in(person.contacts)]  # theirs came since, whole
    rows = connection.execute(
        select(key, *columns)
        .where(key <= until, *([] if after is None else [key > after]), *whose)
        .where(_may_mention(said, person))
        .order_by(key)
        .with_for_update()
    ).all()
    number = 0
    for row in rows:
        changed = {
            column.name: without
            for column, kept in zip(columns, row[1:], strict=True)
            if (without := person.taken_out(kept)) != kept
        }
        if "part" in changed:
            changed["part"] += f" {row[0]}"  # unique in its submission
        if changed:
            connection.execute(update(table).where(key == row[0]).values(**changed))
            number += 1
    return Changes(Counter({str(table.name): number}))  # orjson writes no keys of SQLAlchemy's own text


def _may_mention(said: ColumnElement[str], person: Person) -> ColumnElement[bool]:
    """Give the condition of a lower-case text that has to be read to know whether it mentions the person."""
    named = or_(*(func.strpos(said, needle) > 0 for needle in person.needles))
    return named if person.vid is not None else or_(named, said.regexp_match(SPELT))


def _out_of_contact_ids(connection: Connection, after: int | None, until: int, *, vid: int) -> Changes:
    """Forget a contact id in the answers of a span of batches, and name whom HubSpot meant by it."""
    named = literal(vid, BigInteger)
    of_them = and_(Batch.id > (after or 0), Batch.id <= until, named == any_(Batch.contact_ids))
    whose = and_(Record.batch_id == Batch.id, Batch.contact_ids[Record.position + 1] == named)
    contacts = connection.execute(select(Record.contact).join(Batch, whose).where(of_them)).scalars().all()
    without = func.array_replace(Batch.contact_ids, named, null())
    changed = connection.execute(update(Batch).where(of_them).values(contact_ids=without)).rowcount
    return Changes(Counter(batches=changed), {one for one in contacts if not one.startswith(f"{ERASED} ")})


def _out_of_refused(connection: Connection, after: int | None, until: int, *, person: Person) -> Changes:
    """Take the person out of a span of refused messages, and blank what is said of theirs.

    Any letter may be escaped in JSON: messages that escape some are read, whatever they hold.
    """
    said = func.lower(
        func.concat(
            func.replace(func.encode(cast(Refused.raw, BYTEA), "escape"), r"\000", ""),
            *(cast(kept, Text) for kept in (Refused.source, Refused.draft)),
        )
    )
    rows = connection.execute(
        select(Refused.id, Refused.raw, Refused.reasons, Refused.source, Refused.draft)
        .where(Refused.id > (after or 0), Refused.id <= until)
        .where(or_(_may_mention(said, person), func.strpos(said, r"\\u00") > 0))
        .order_by(Refused.id)
        .with_for_update()
    ).all()
    number = 0
    for row in rows:
        left = person.left_of(row.raw)
        values: dict[str, object] = {}
        if left != row.raw or person.is_in(row.source) or person.is_in(row.draft):
            values = {"source": None, "draft": None}  # of a row and what was made of it all is theirs, names too
        if left != row.raw:
            reasons = [{"where": one["where"], "what": ERASED, "right": ""} for one in row.reasons]
            values |= {"raw": left} if left else {"raw": left, "reasons": reasons}
        if values:
            connection.execute(update(Refused).where(Refused.id == row.id).values(**values))
            number += 1
    return Changes(Counter(refused=number))
