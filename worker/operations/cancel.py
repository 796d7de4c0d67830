"""Cancel: an operator takes batches that wait out of the queue; their records can be retried."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sqlalchemy import Connection, Row, text

from models.error_signature import CANCELED
from models.moves import Move
from models.words import State
from worker.queries.error_filter import EVENT_NAMED
from worker.queue import lanes
from worker.queue.contact_index import UNANSWERED

WALK: Final = 10_000
"""Waiting batches that are looked at at once."""


@dataclass(frozen=True, slots=True)
class CancelFilter:
    """Which waiting batches: one, or those of an event, an account, a state."""

    batch_id: int | None = None
    event: str | None = None
    account: str | None = None
    state: State | None = None

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a choice as `facts` writes it."""
        state = {"state": State(written["state"])} if "state" in written else {}
        return cls(**{**written, **state})

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
        """Give the parameters of the condition: what of it is set."""
        names = ("batch_id", "event", "account", "state")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def find(
    connection: Connection, chosen: CancelFilter, after: int, until: int, most: int
) -> tuple[Sequence[Row[Any]], int]:
    """Find the next chosen batches behind the id `after`: `id`, `event_id`.

    Say too how far that looked: no further than `WALK` waiting batches, however few of them are chosen.
    """
    facts = {"after": after, "most": most, "walk": WALK, **chosen.facts}
    walked = "b.status = 'PENDING' AND b.id > :after AND b.id <= :until"
    if chosen.batch_id is not None:
        walked += " AND b.id = :batch_id"
    place: int = connection.execute(
        text(f"""
        SELECT coalesce((SELECT b.id FROM batches b WHERE {walked} ORDER BY b.id OFFSET :walk - 1 LIMIT 1), :until)"""),
        {**facts, "until": until},
    ).scalar_one()
    found = connection.execute(
        text(f"""
        SELECT b.id, b.event_id FROM batches b JOIN events ev ON ev.id = b.event_id
        JOIN accounts a ON a.id = b.account_id WHERE {walked} AND {chosen.sql} ORDER BY b.id LIMIT :most"""),
        {**facts, "until": place},
    ).all()
    return found, found[-1].id if len(found) == most else place


def events_of(connection: Connection, batch_ids: Iterable[int]) -> Sequence[Row[Any]]:
    """Read batches as `find` gives them."""
    return connection.execute(
        text("SELECT id, event_id FROM batches WHERE id = ANY(:ids) ORDER BY id"), {"ids": list(batch_ids)}
    ).all()


def cancel(connection: Connection, batch_id: int, largest: int | None = None) -> list[int] | None:
    """Cancel a batch, whose event is locked, and give its records.

    None where somebody else was faster, or where records were added to it beyond `largest`, which nobody was shown.
    """
    waited_for = connection.execute(
        text(f"""
        SELECT after FROM batches WHERE id = :id AND {Move.CANCEL.guard} AND size <= coalesce(:largest, size)
        FOR UPDATE"""),
        {"id": batch_id, "largest": largest},
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
        FROM records r WHERE r.batch_id = :id AND {UNANSWERED} RETURNING record_id"""),
        {"id": batch_id, "category": CANCELED.category, "gist": CANCELED.gist, "group": CANCELED.group_id},
    )
    canceled = list(records.scalars())
    _hand_on(connection, batch_id, list(waited_for))
    return canceled


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
