"""The books: every record handed over is accounted for. Recounted in one snapshot; it may scan."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import BigInteger, Engine, cast, func, select, text, true

from models.outcome import LastError, outcome
from models.tables import Batch, Purged, Record, Refused, Submission
from models.words import Outcome


@dataclass(frozen=True, slots=True)
class Books:
    """What was accepted against what became of it, and whether every recount holds."""

    accepted: int
    duplicates: int
    refused: int
    refused_open: int
    """Of these, inputs that are open: neither submitted again, corrected nor dismissed."""
    outcomes: dict[Outcome, int]
    purged: int
    """How many of these records are purged; every count holds them."""
    wrong: list[str] = field(default_factory=list)
    """Each recount that does not hold, in words."""

    @property
    def balanced(self) -> bool:
        """Say whether what was accepted is the sum of all outcomes and every recount holds."""
        return not self.wrong and self.accepted == sum(self.outcomes.values())

    def as_json(self) -> dict[str, object]:
        """Give the one object of `turnout audit --json`."""
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "refused_open": self.refused_open,
            **{one.value: count for one, count in self.outcomes.items()},
            "purged": self.purged,
            "balanced": self.balanced,
            "wrong": self.wrong,
        }


RECOUNTS: Final = {
    "batches whose size is not the number of their records": text("""
        SELECT count(*) FROM batches b LEFT JOIN (SELECT batch_id, count(*) AS number FROM records GROUP BY 1) r
        ON r.batch_id = b.id WHERE b.size <> coalesce(r.number, 0)"""),
    "records whose batch is missing": text("""
        SELECT count(*) FROM records r LEFT JOIN batches b ON b.id = r.batch_id WHERE b.id IS NULL"""),
    "batches that hold a contact twice": text("""
        SELECT count(*) FROM (SELECT 1 FROM records GROUP BY batch_id, contact HAVING count(*) > 1) twice"""),
    "canceled batches with records that no error explains": text("""
        SELECT count(*) FROM records r JOIN batches b ON b.id = r.batch_id AND b.status = 'CANCELED'
        WHERE NOT EXISTS (SELECT FROM errors e WHERE e.record_id = r.id AND e.batch_id = b.id)"""),
    "receipts whose refusals are not all kept": text("""
        SELECT count(*) FROM submissions s
        LEFT JOIN (SELECT submission_id, sum(inputs) AS inputs FROM refused GROUP BY 1) f ON f.submission_id = s.id
        WHERE s.refused <> coalesce(f.inputs, 0) + s.refused_purged"""),
    "receipts whose accepted records are not all there": text("""
        SELECT count(*) FROM submissions s
        LEFT JOIN (SELECT submission_id, count(*) AS number FROM records GROUP BY 1) r ON r.submission_id = s.id
        WHERE s.accepted <> coalesce(r.number, 0) + s.records_purged"""),
}


_UNBOUNDED: Final = select(func.set_config("statement_timeout", "0", true()))
_RECEIPTS: Final = (
    select(
        *(
            cast(gone + func.coalesce(func.sum(kept), 0), BigInteger).label(name)
            for name, gone, kept in (
                ("accepted", Purged.accepted, Submission.accepted),
                ("duplicates", Purged.duplicates, Submission.duplicates),
                ("refused", Purged.refused, Submission.refused),
            )
        )
    )
    .select_from(Purged)
    .outerjoin(Submission, true())
    .group_by(Purged.id)
)
_OUTCOMES: Final = (
    select(outcome.label("outcome"), func.count().label("records"))
    .select_from(Record)
    .join(Batch, Batch.id == Record.batch_id)
    .outerjoin(LastError, true())
    .group_by(outcome)
)
_OPEN: Final = select(cast(func.coalesce(func.sum(Refused.inputs), 0), BigInteger)).where(Refused.is_open())
_PURGED: Final = select(Purged.delivered, Purged.rejected, Purged.unconfirmed, Purged.failed, Purged.canceled)


def audit(engine: Engine) -> Books:
    """Recount everything in one snapshot."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        connection.execute(_UNBOUNDED)
        receipts = connection.execute(_RECEIPTS).one()
        refused_open = connection.execute(_OPEN).scalar_one()
        kept = Counter(dict(connection.execute(_OUTCOMES).all()))
        purged = Counter({Outcome(name): count for name, count in connection.execute(_PURGED).mappings().one().items()})
        wrong = [
            f"{number} {what}"
            for what, recount in RECOUNTS.items()
            if (number := connection.execute(recount).scalar_one())
        ]
    return Books(
        receipts.accepted,
        receipts.duplicates,
        receipts.refused,
        refused_open,
        {one: kept[one] + purged[one] for one in Outcome},
        purged.total(),
        wrong,
    )
