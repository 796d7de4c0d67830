"""Cancel: an operator takes batches that wait out of the queue; their records can be retried."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, text

from models.gist import CANCELED
from models.moves import Move
from models.words import State
from worker import groups, lanes
from worker.claim import lock_event
from worker.database import repeat
from worker.retry import EVENT_NAMED
from worker.storing import UNANSWERED

STEP: Final = 100


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which waiting batches: one, or those of an event, an account, a state."""

    batch_id: int | None = None
    event: str | None = None
    account: str | None = None
    state: State | None = None

    @property
    def sql(self) -> str:
        """Give the condition on batch `b`, event `ev` and account `a`."""
        return " AND ".join(
            condition
            for value, condition in (
                (True, "b.status = 'PENDING'"),
                (self.batch_id, "b.id = :batch_id"),
                (self.event, EVENT_NAMED),
                (self.account, "a.name = :account"),
                (self.state, "b.state = :state"),
            )
            if value is not None
        )

    @property
    def facts(self) -> dict[str, object]:
        """Give the parameters of the condition."""
        names = ("batch_id", "event", "account", "state")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def cancel(engine: Engine, chosen: Chosen) -> tuple[int, int]:
    """Cancel the chosen batches, each in its own transaction; give how many batches and records were canceled."""
    groups.see(engine, [CANCELED])
    batches = records = after = 0
    with engine.connect() as connection:
        # Not the batches that come while this runs: under a steady stream it would never end.
        until: int = connection.execute(text("SELECT coalesce(max(id), 0) FROM batches")).scalar_one()
    while True:
        with engine.connect() as connection:
            found = connection.execute(
                text(f"""
                SELECT b.id, b.event_id FROM batches b JOIN events ev ON ev.id = b.event_id
                JOIN accounts a ON a.id = b.account_id WHERE b.id > :after AND b.id <= :until AND {chosen.sql}
                ORDER BY b.id LIMIT :step"""),
                {"after": after, "until": until, "step": STEP, **chosen.facts},
            ).all()
        for batch_id, event_id in found:
            canceled = repeat(lambda: _cancel(engine, batch_id, event_id))  # noqa: B023 - run at once
            batches += canceled is not None
            records += canceled or 0
        if not found:
            return batches, records
        after = found[-1].id


def _cancel(engine: Engine, batch_id: int, event_id: int) -> int | None:
    """Cancel one batch; none where somebody else was faster."""
    with engine.begin() as connection:
        lock_event(connection, event_id)
        waited_for = connection.execute(
            text(f"SELECT after FROM batches WHERE id = :id AND {Move.CANCEL.guard} FOR UPDATE"),
            {"id": batch_id},
        ).scalar()
        if waited_for is None:
            return None
        connection.execute(
            text(f"""
            UPDATE batches SET status = {Move.CANCEL.to}, open = false, after = '{{}}', settled_at = now(),
              postponed_because = '' WHERE id = :id"""),
            {"id": batch_id},
        )
        records = connection.execute(
            text(f"""
            INSERT INTO errors (record_id, batch_id, outcome, category, message, group_id)
            SELECT r.id, r.batch_id, 'canceled', :category, :gist, :group
            FROM records r WHERE r.batch_id = :id AND {UNANSWERED}"""),
            {"id": batch_id, "category": CANCELED.category, "gist": CANCELED.gist, "group": CANCELED.group_id},
        ).rowcount
        _hand_on(connection, batch_id, list(waited_for))
        return int(records)


def _hand_on(connection: Connection, batch_id: int, waited_for: list[int]) -> None:
    """Let those that wait for a canceled batch wait for what it waited for itself."""
    freed = connection.execute(
        text("""
        UPDATE batches SET after = ARRAY(
          SELECT DISTINCT w FROM unnest(array_remove(after, :id) || CAST(:waited_for AS bigint[])) w ORDER BY w)
        WHERE after @> ARRAY[CAST(:id AS bigint)] AND after <> '{}' RETURNING id, after"""),
        {"id": batch_id, "waited_for": waited_for},
    )
    lanes.tell(connection, [row.id for row in freed if not row.after])
