"""The books: every record handed over is accounted for. Recounted in one snapshot; it may scan."""

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from models.outcome import LAST_ERROR, OUTCOME
from models.words import Outcome


@dataclass(frozen=True, slots=True)
class Books:
    """What was accepted against what became of it, and whether every recount holds."""

    accepted: int
    duplicates: int
    refused: int
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
            **{outcome.value: count for outcome, count in self.outcomes.items()},
            "purged": self.purged,
            "balanced": self.balanced,
            "wrong": self.wrong,
        }


RECOUNTS = {
    "batches whose size is not the number of their records": """
        SELECT count(*) FROM batches b LEFT JOIN (SELECT batch_id, count(*) AS number FROM records GROUP BY 1) r
        ON r.batch_id = b.id WHERE b.size <> coalesce(r.number, 0)""",
    "records whose batch is missing": """
        SELECT count(*) FROM records r LEFT JOIN batches b ON b.id = r.batch_id WHERE b.id IS NULL""",
    "batches that hold a contact twice": """
        SELECT count(*) FROM (SELECT 1 FROM records GROUP BY batch_id, contact HAVING count(*) > 1) twice""",
    "canceled batches with records that no error explains": """
        SELECT count(*) FROM records r JOIN batches b ON b.id = r.batch_id AND b.status = 'CANCELED'
        WHERE NOT EXISTS (SELECT FROM errors e WHERE e.record_id = r.id AND e.batch_id = b.id)""",
    "receipts whose refusals are not all kept": """
        SELECT count(*) FROM submissions s
        LEFT JOIN (SELECT submission_id, sum(inputs) AS inputs FROM refused GROUP BY 1) f ON f.submission_id = s.id
        WHERE s.refused <> coalesce(f.inputs, 0) + s.refused_purged""",
    "receipts whose accepted records are not all there": """
        SELECT count(*) FROM submissions s
        LEFT JOIN (SELECT submission_id, count(*) AS number FROM records GROUP BY 1) r ON r.submission_id = s.id
        WHERE s.accepted <> coalesce(r.number, 0) + s.records_purged""",
}


def audit(engine: Engine) -> Books:
    """Recount everything in one snapshot."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        receipts = connection.execute(
            text("""
            SELECT (p.accepted + coalesce(sum(s.accepted), 0))::bigint AS accepted,
              (p.duplicates + coalesce(sum(s.duplicates), 0))::bigint AS duplicates,
              (p.refused + coalesce(sum(s.refused), 0))::bigint AS refused
            FROM purged p LEFT JOIN submissions s ON true GROUP BY p.id""")
        ).one()
        counted = connection.execute(
            text(f"""
            SELECT {OUTCOME} AS outcome, count(*) AS records
            FROM records r JOIN batches b ON b.id = r.batch_id {LAST_ERROR} GROUP BY 1""")
        )
        kept = Counter({row.outcome: row.records for row in counted})
        gone = connection.execute(text("SELECT delivered, rejected, unconfirmed, failed, canceled FROM purged")).one()
        purged = Counter(gone._asdict())
        wrong = [
            f"{number} {what}"
            for what, recount in RECOUNTS.items()
            if (number := connection.execute(text(recount)).scalar_one())
        ]
    return Books(
        receipts.accepted,
        receipts.duplicates,
        receipts.refused,
        {outcome: kept[outcome] + purged[outcome] for outcome in Outcome},
        purged.total(),
        wrong,
    )
