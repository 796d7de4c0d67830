"""The event's lock: taken before any batch of the event, and before what follows from its newer records is read.

One who holds other locks of the queue may not wait for it: a retry's claim takes it together with its lane, or goes on
to another (`claim._pick_lane`).
"""

from collections.abc import Collection

from sqlalchemy import Connection, text


def lock_event(connection: Connection, event_id: int) -> None:
    """Lock an event; before any batch of it, and before looking for those that wait or for newer records."""
    connection.execute(text("SELECT FROM events WHERE id = :id FOR NO KEY UPDATE"), {"id": event_id})


def lock_events(connection: Connection, event_ids: Collection[int]) -> None:
    """Lock events in id order, before anything of them is read."""
    connection.execute(
        text("SELECT FROM events WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"), {"ids": list(event_ids)}
    )
