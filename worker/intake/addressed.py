"""The accounts and events that messages name: found, and events made that are not there yet."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, any_, bindparam, select, text

from models.message import Address, Message, Unreadable
from models.tables import Account
from worker.database import json
from worker.trip import Query, QueryResult, trip

_ACCOUNTS: Final = select(Account.name, Account.id, Account.batch_size).where(
    Account.name == any_(bindparam("names")), Account.is_known()
)


def _accounts(messages: Iterable[Message | Unreadable]) -> Query[tuple[str, int, int | None]]:
    names = {message.account for message in messages if isinstance(message, Message)}
    return Query(_ACCOUNTS, {"names": list(names)})


def accounts_of(
    connection: Connection, messages: Iterable[Message | Unreadable]
) -> tuple[dict[str, int], dict[int, int | None]]:
    """Find the accounts by name, and their batch sizes where they have their own."""
    return _named(trip(connection, _accounts(messages))[0])


def _named(found: QueryResult[tuple[str, int, int | None]]) -> tuple[dict[str, int], dict[int, int | None]]:
    return {name: id_ for name, id_, _ in found.rows}, {id_: size for _, id_, size in found.rows}


_MAKE_EVENTS: Final = text("""
INSERT INTO events (account_id, object_id, external_event_id, external_account_id)
SELECT a.id, x.object, x.event, x.external
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(account text, object text, event text, external text)
JOIN accounts a ON a.name = x.account AND a.removed_at IS NULL
ORDER BY 1, 2, 4, 3 ON CONFLICT DO NOTHING""")
"""Makes the events of these addresses that are not there yet."""
_KNOWN_EVENTS: Final = text("""
WITH x AS MATERIALIZED (
  SELECT a.id AS account_id, x.object, x.event, x.external
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(account text, object text, event text, external text)
  JOIN accounts a ON a.name = x.account AND a.removed_at IS NULL)
SELECT e.id, e.account_id, e.object_id, e.external_event_id, e.external_account_id
FROM x JOIN events e ON e.account_id = x.account_id AND e.object_id = x.object
UNION ALL
SELECT e.id, e.account_id, e.object_id, e.external_event_id, e.external_account_id
FROM x JOIN events e ON e.account_id = x.account_id AND e.object_id IS NULL
  AND e.external_account_id = x.external AND e.external_event_id = x.event""")
"""The events of these addresses, each kind of address by its own index."""


class _KnownEvent(NamedTuple):
    """An event that is there already."""

    id: int
    account_id: int
    object_id: str | None
    external_event_id: str | None
    external_account_id: str | None


class Addressed(NamedTuple):
    """What messages name."""

    accounts: dict[str, int]
    """Ids by name."""
    batch_sizes: dict[int, int | None]
    """By account's id, where it has its own."""
    events: dict[tuple[int, Address], int]
    """Ids by account's id and address."""


def addressed(connection: Connection, messages: Sequence[Message | Unreadable]) -> Addressed:
    """Find the accounts of messages, and find or make their events; each in a transaction of its own."""
    with connection.begin():
        found, known_events = trip(connection, _accounts(messages), _events(messages), commit=True)
    accounts, sizes = _named(found)
    events = _by_address(known_events)
    of_accounts = [one for one in messages if isinstance(one, Message) and one.account in accounts]
    if any((accounts[one.account], one.address) not in events for one in of_accounts):
        with connection.begin():  # apart: an id is used only once it is committed
            events = _made(connection, of_accounts)
    return Addressed(accounts, sizes, events)


def events_of(
    connection: Connection, messages: Sequence[Message], *, make: bool = True
) -> dict[tuple[int, Address], int]:
    """Find or make the events of messages whose accounts there are; without `make`, those not there are left out.

    In a transaction of its own where some are made: an id is used only once it is committed.
    """
    events = _by_address(trip(connection, _events(messages))[0])
    if make and len(events) < len({(one.account, one.address) for one in messages}):
        events = _made(connection, messages)
    return events


def _made(connection: Connection, messages: Sequence[Message]) -> dict[tuple[int, Address], int]:
    asked = _events(messages)
    return _by_address(trip(connection, Query(_MAKE_EVENTS, asked.facts), asked)[1])


def _events(messages: Iterable[Message | Unreadable]) -> Query[_KnownEvent]:
    wanted = {(one.account, one.address) for one in messages if isinstance(one, Message)}
    rows = [
        {"account": account, "object": a.object_id, "event": a.external_event_id, "external": a.external_account_id}
        for account, a in wanted
    ]
    return Query(_KNOWN_EVENTS, {"rows": json(rows)}, _KnownEvent)


def _by_address(found: QueryResult[_KnownEvent]) -> dict[tuple[int, Address], int]:
    return {(account_id, Address(*address)): id_ for id_, account_id, *address in found.rows}
