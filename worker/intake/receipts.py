"""Receipts: what became of a submission, part by part, written by the transaction that accepted it.

It also notes that the webhook of the key is to be told, where it has one: the key that brought the request, or, by
stream, Celery or file, the one whose name the message gives as its producer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Connection,
    Engine,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    column,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.dialects import postgresql

from models.input_check import Reason
from models.refusal_kind import RefusalKind
from models.tables import SUBMISSION_IDS, Key, Notification, Refused, Submission, Trace, fixed
from models.words import Door, Outcome, Role
from worker.database import Drawn, drawn, json, repeat
from worker.trip import Query, QueryResult, trip


@dataclass(frozen=True, slots=True)
class NewRefusal:
    """What is not accepted: a message in bytes, every reason against it, and how many inputs it holds."""

    raw: bytes
    reasons: tuple[Reason, ...]
    inputs: int = 1
    source: Mapping[str, object] | None = None
    """Of a file's, the rows it came from."""
    group_id: str = ""
    """What it has in common with others, where that was told before anything was locked: of many it takes long."""


@dataclass(slots=True)
class Part:
    """One part of a submission on its way: counted, then stored once as its receipt."""

    submission: UUID
    part: str
    door: Door
    producer: str
    account: str = ""
    account_id: int | None = None
    key_id: int | None = None
    digest: bytes | None = None
    """Of the HTTP request that brought it, and whose key did."""
    traceparent: str = ""
    """The producer's span, where traces are on and it was sampled."""
    id: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    repeats: Counter[Outcome] = field(default_factory=Counter)
    """The duplicates, by the outcome of what they repeat."""
    repeated: set[int] = field(default_factory=set)
    """The records of other submissions that they repeat."""
    repeats_new: set[bytes] = field(default_factory=set)
    """Fingerprints of those that the same transaction stores."""
    refusals: list[NewRefusal] = field(default_factory=list)
    seen_before: bool = False
    is_due: bool = False
    """Whether a record of it lies in a batch that is due."""

    def refuse(self, refusal: NewRefusal) -> None:
        """Count a refusal, to be stored with the receipt."""
        self.refused += refusal.inputs
        self.refusals.append(refusal)

    def counted(self) -> dict[str, str | int]:
        """Give what a trace shows of it."""
        return {
            "turnout.door": self.door.value,
            "turnout.submission": str(self.submission),
            "turnout.accepted": self.accepted,
            "turnout.duplicates": self.duplicates,
            "turnout.refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a submission came to, its parts together; `repeats` counts its duplicates by outcome."""

    parts: int
    accepted: int
    duplicates: int
    refused: int
    repeats: dict[str, int]


def own_part(what: str, number: int) -> str:
    """Name a part that Turnout submits itself, once more or corrected, within a producer's submission.

    The separator is a control character, which no producer's own part may hold: so neither takes the other's receipt.
    """
    return f"{what}\x1f{number}"


_TOTALS: Final = select(
    func.count(),
    func.coalesce(func.sum(Submission.accepted), 0),
    func.coalesce(func.sum(Submission.duplicates), 0),
    func.coalesce(func.sum(Submission.refused), 0),
).where(Submission.submission == bindparam("of"))
_REPEATS: Final = text("""
SELECT key, sum(value::bigint)::bigint AS repeated FROM submissions s, jsonb_each_text(s.repeats)
WHERE s.submission = :of GROUP BY key ORDER BY key""")
"""The duplicates of a submission, counted by outcome."""


def receipt(engine: Engine, submission: UUID) -> Receipt:
    """Add up the parts of a submission that were accepted so far; zeros where none was."""
    with engine.connect() as connection:
        totals = connection.execute(_TOTALS, {"of": submission}).one()
        repeats = connection.execute(_REPEATS, {"of": submission})
        return Receipt(*totals, {row.key: row.repeated for row in repeats})


def refuse(engine: Engine, submission: UUID, part: str, producer: str, items: Sequence[NewRefusal]) -> None:
    """Store what was refused while a file was read, as a part of its submission; a second time changes nothing."""

    def work() -> None:
        refused = Part(submission, part, Door.FILE, producer)
        for one in items:
            refused.refuse(one)
        with engine.begin() as connection:
            store(connection, number_unseen(connection, [refused]))

    repeat(work)


_ASKED: Final = (
    func.unnest(bindparam("submissions", type_=ARRAY(Uuid)), bindparam("parts", type_=ARRAY(Text)))
    .table_valued(column("submission", Uuid), column("part", Text))
    .render_derived(name="asked")
)
_SEEN: Final = (
    select(Submission.submission, Submission.part)
    .select_from(_ASKED)
    .join(Submission, and_(Submission.submission == _ASKED.c.submission, Submission.part == _ASKED.c.part))
)
"""Those parts of submissions that have a receipt."""


def _seen(parts: Sequence[Part]) -> Query[tuple[UUID, str]]:
    """Ask which parts have a receipt, as part of a trip."""
    facts = {"submissions": [part.submission for part in parts], "parts": [part.part for part in parts]}
    return Query(_SEEN, facts)


def number_unseen(connection: Connection, parts: Sequence[Part], *before: Query[object]) -> list[Part]:
    """Give numbers to the parts never accepted before; mark those that were, or that stand twice among these.

    What comes `before` goes in the same trip.
    """
    found: QueryResult[tuple[UUID, str]]
    numbers: QueryResult[Drawn]
    *_, found, numbers = trip(connection, *before, _seen(parts), drawn(SUBMISSION_IDS, len(parts)))
    have_receipts = set(found.rows)
    unseen = []
    for part in parts:
        key = (part.submission, part.part)
        part.seen_before = key in have_receipts
        if not part.seen_before:
            have_receipts.add(key)
            unseen.append(part)
    for part, number in zip(unseen, sorted(numbers.rows[0].ids), strict=False):
        part.id = number
    return unseen


_STORE: Final = text("""
INSERT INTO submissions (id, submission, part, door, producer, accepted, duplicates, refused, repeats, account_id,
  key_id, digest, repeated)
SELECT id, submission, part, door, producer, accepted, duplicates, refused, repeats, account_id, key_id,
  decode(digest, 'hex'), ARRAY(SELECT jsonb_array_elements_text(repeated)::bigint)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(id bigint, submission uuid, part text, door text,
  producer text, accepted int, duplicates int, refused int, repeats jsonb, account_id int, key_id int,
  digest text, repeated jsonb) ORDER BY submission, part RETURNING submission, key_id, producer,
  account_id""")
"""Stores receipts, in an order in which two transactions cannot wait for each other."""
_STORED: Final = _STORE.columns(
    *(Submission.submission, Submission.key_id, Submission.producer, Submission.account_id)
).cte("stored")
_WHOSE: Final = or_(
    _STORED.c.key_id == Key.id,
    and_(
        *(_STORED.c.key_id.is_(None), _STORED.c.producer == Key.name, Key.role == fixed(Role.PRODUCER)),
        or_(_STORED.c.account_id.is_(None), _STORED.c.account_id == any_(Key.account_ids)),
    ),
)
"""Whose a submission is: by its key or its name, as with who may read its receipt."""
_STORE_AND_WATCH: Final = (
    postgresql.insert(Notification)
    .from_select(
        ["key_id", "submission"],
        select(Key.id, _STORED.c.submission).join(_STORED, _WHOSE).where(Key.has_webhook()),
    )
    .on_conflict_do_nothing()
)
_REFUSE: Final = insert(Refused)
_TRACE: Final = insert(Trace)


def store(connection: Connection, parts: Sequence[Part]) -> None:
    """Store the receipts and what they refused."""
    if parts:
        trip(connection, *stored(parts))


def stored(parts: Sequence[Part]) -> list[Query[None]]:
    """Store the same, as part of a trip.

    Somebody else who accepts the same part at the same moment makes this wait for him and then fail; the
    transaction is repeated and finds the part seen before.
    """
    if not parts:
        return []
    rows = [
        {
            "id": part.id,
            "submission": part.submission,
            "part": part.part,
            "door": part.door,
            "producer": part.producer,
            "accepted": part.accepted,
            "duplicates": part.duplicates,
            "refused": part.refused,
            "repeats": {outcome.value: number for outcome, number in part.repeats.items()},
            "account_id": part.account_id,
            "key_id": part.key_id,
            "digest": part.digest and part.digest.hex(),
            "repeated": sorted(part.repeated),
        }
        for part in parts
    ]
    refusals = [
        {
            "submission_id": part.id,
            "raw": one.raw,
            "inputs": one.inputs,
            "reasons": one.reasons,
            "group_id": one.group_id or RefusalKind.of(one.reasons, part.account).group_id,
            "source": one.source,
        }
        for part in parts
        for one in part.refusals
    ]
    traced = [
        {"submission_id": part.id, "traceparent": part.traceparent}
        for part in parts
        if part.traceparent and part.accepted
    ]
    return [
        Query(_STORE_AND_WATCH, {"rows": json(rows)}),
        *(Query(_REFUSE, refusal) for refusal in refusals),
        *(Query(_TRACE, trace) for trace in traced),
    ]
