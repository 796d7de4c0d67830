"""What HubSpot holds of an event against what is known here, as after a restore: what is unknown is named, row by row.

An event's view is read page by page, state by state, a hundred rows a call, within the account's limits; of each page
the rows are looked up here by their contacts. So memory does not grow with the event. Nothing is written but the
calls made and the audit log: what is unknown is submitted like anything else (`Unknown.line`), and HubSpot's answer to
what it has already leads to reading back, which confirms it.
"""

import random
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Engine, Text, and_, bindparam, or_, select, text, tuple_

from hubspot_api.answer import NotFound, RefusedWhole
from hubspot_api.client import get
from hubspot_api.limiter import Permit, Use
from hubspot_api.participations import Participation, ParticipationPage, event_path, read_page
from hubspot_api.reaction import Block, Park, Pause, Postpone
from hubspot_api.response import Response
from models.message import DEFAULT_ACCOUNT, Address
from models.tables import Account, Event
from models.words import AttemptKind, State
from worker.accounts.destination import Destination
from worker.context import Context
from worker.database import json
from worker.delivery import permits
from worker.delivery.account_stops import count_in_a_row, reaction, stop
from worker.delivery.read_back import tell, told
from worker.log import LoggableError
from worker.operations.audit_log import Actor, counting
from worker.queue import attempts

PATIENCE: Final = 300.0
"""Seconds that a permit is waited for: what is live goes first."""
TRIES: Final = 8
"""Calls for one page that may go wrong, each followed by the wait that such an answer asks for."""


_NAMED: Final = (
    select(Account.name, Event.object_id, Event.external_event_id, Event.external_account_id)
    .join(Account, Account.id == Event.account_id)
    .where(
        Event.named(bindparam("named", type_=Text)),
        or_(bindparam("account", type_=Text).is_(None), Account.name == bindparam("account", type_=Text)),
        Account.is_known(),
    )
    .order_by(Event.id)
    .limit(100)
)


LONGEST: Final = 60.0
"""Seconds that an answer may ask for, at most."""


class NotRead(LoggableError):  # noqa: N818 - it is a state of the world
    """HubSpot does not show the event, or not now; the message says why."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A participation that HubSpot shows, and of which there is no record here; `occurred_at` in milliseconds."""

    state: State
    email: str
    contact_id: str
    occurred_at: int
    seconds: int | None

    def line(self, account: str, address: Address) -> dict[str, object]:
        """Give it as a line that `turnout enqueue` reads; HubSpot does not say when one joined, only for how long."""
        where = {
            "object_id": address.object_id,
            "external_event_id": address.external_event_id,
            "external_account_id": address.external_account_id,
        }
        properties = {}
        if self.state is State.ATTEND and self.seconds is not None:
            joined = datetime.fromtimestamp(self.occurred_at / 1000, UTC)
            left = joined + timedelta(seconds=self.seconds)
            properties = {"joinedAt": joined.isoformat(), "leftAt": left.isoformat()}
        return {
            "subscriber_state": self.state.value,
            "account": account,
            **{name: value for name, value in where.items() if value is not None},
            **({"email": self.email} if self.email else {"vid": int(self.contact_id)}),
            "interactionDateTime": self.occurred_at,
            "properties": properties,
        }


@dataclass(slots=True)
class Compared:
    """How many participations HubSpot shows, and of them known here, and of these still waiting to be sent."""

    shown: int = 0
    known: int = 0
    waiting: int = 0
    calls: int = 0


def addressed(engine: Engine, named: str, account: str | None) -> list[tuple[str, Address]]:
    """Give the accounts and addresses of the events that people name so; of one that is not known here, as named.

    An event of one account may be known by its object id and by its external id: that is one.

    Raises:
        NotRead: where the name is that of several events of an account.

    """
    with engine.connect() as connection:
        found = connection.execute(_NAMED, {"named": named, "account": account}).all()
    by_account: dict[str, Address] = {}
    for row in found:
        address = Address(*row[1:])
        earlier = by_account.setdefault(row.name, address)
        if not _is_one(earlier, address):
            raise NotRead(
                f"{earlier} and {address} of account {row.name} are both called that: name one of them in full"
            )
        by_account[row.name] = address
    if by_account:
        return sorted(by_account.items(), key=lambda one: one[0])
    external_account, slash, external = named.partition("/")
    address = Address(None, external, external_account) if slash else Address(named, None, None)
    return [(account or DEFAULT_ACCOUNT, address)]


def _is_one(one: Address, other: Address) -> bool:
    """Say whether two addresses share an object id, or the whole of an external one."""
    external = (one.external_account_id, one.external_event_id)
    same = external == (other.external_account_id, other.external_event_id)
    return (same and None not in external) or (one.object_id is not None and one.object_id == other.object_id)


def compare(process: Context, by: Actor, to: Destination, address: Address, counts: Compared) -> Iterator[Unknown]:
    """Give what HubSpot holds of an event and is not known here, while it is read; `counts` grows with it.

    Raises:
        NotRead: where HubSpot does not show it.

    """
    found = _unknown(process, to, address, counts)
    yield from counting(process.engine, by, "compare", found, account=to.account, event=str(address))


def _unknown(process: Context, to: Destination, address: Address, counts: Compared) -> Iterator[Unknown]:
    for state in State:
        after: str | None = None
        while True:
            page = _page(process, to, event_path(to.version, address, state, after), counts)
            yield from _unknown_of(process.engine, to.account_id, address, state, page, counts)
            if page.after is None or page.after == after:
                break
            after = page.after


def _page(process: Context, to: Destination, path: str | None, counts: Compared) -> ParticipationPage:
    """Read a page, again where the answer asks for patience."""
    if path is None:
        raise NotRead("no path of HubSpot's leads to an event of this name")
    for _ in range(TRIES):
        permit = _permit(process, to)
        with process.engine.begin() as connection:
            attempt_id = attempts.begin(connection, AttemptKind.READ_BACK, to.account_id, None, 0)
        response = get(to.url + path, to.token.get_secret_value(), process.settings.timeout, process.settings.egress)
        counts.calls += 1
        headers = response.headers if isinstance(response, Response) else None
        permits.release(process, to, permit, headers, response.duration)
        answer = read_page(response)
        call = told(response, answer)
        attempts.complete_alone(process.engine, attempt_id, call)
        in_a_row = count_in_a_row(process, to.account_id, answer)
        if isinstance(answer, ParticipationPage):
            tell(to, 0, call, "compare")
            return answer
        if isinstance(answer, RefusedWhole) or (isinstance(answer, NotFound) and answer.hubspots):
            raise NotRead(f"HubSpot does not show this event ({answer.rejection.message or call.answer})")
        decision = reaction(answer, in_a_row, random.random())  # noqa: S311 - jitter, no secret
        seconds = stop(process, to, decision, call.http_status)
        if isinstance(decision, Pause | Park):
            raise NotRead(f"HubSpot does not answer account {to.account} now: {decision.because}")
        assert isinstance(decision, Postpone | Block)
        if seconds > LONGEST:
            raise NotRead(f"HubSpot does not answer account {to.account} now ({call.answer}): try again later")
        process.stopping.wait(seconds)
    raise NotRead(f"HubSpot did not show a page in {TRIES} calls: try again later")


def _permit(process: Context, to: Destination) -> Permit:
    ends = time.monotonic() + PATIENCE
    while (held := permits.permit(process, to, Use.READ_BACK)) is None:
        if time.monotonic() > ends:
            raise NotRead(
                f"no call was free for {PATIENCE / 60:.0f} minutes: Redis is out of reach, the account waits, or the"
                " day's calls are spent or kept for live records (`turnout status`)"
            )
        process.stopping.wait(permits.LOOK)
    return held


_SAME: Final = select(Event.id).where(
    Event.account_id == bindparam("account"),
    or_(
        Event.object_id.in_(bindparam("objects", expanding=True)),
        and_(
            Event.object_id.is_(None),
            tuple_(Event.external_account_id, Event.external_event_id).in_(bindparam("externals", expanding=True)),
        ),
    ),
)
"""An event may be known here by its object id, by its external id, or by both, as two."""
_KNOWN: Final = text("""
SELECT x.place, bool_or(known.waits) AS waits
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS x(place int, contact text, state text, moment bigint)
CROSS JOIN LATERAL (
  SELECT b.status IN ('PENDING', 'PROCESSING') AS waits FROM records r JOIN batches b ON b.id = r.batch_id
  WHERE r.contact = x.contact AND b.event_id = ANY(:events) AND b.state = x.state
    AND CAST(r.input ->> 'interactionDateTime' AS bigint) = x.moment OFFSET 0) known
GROUP BY x.place""")
"""Which of these participations are records here, by the index of contacts."""


def _unknown_of(  # noqa: PLR0913, PLR0917 - of what, and where it is counted
    engine: Engine, account_id: int, address: Address, state: State, page: ParticipationPage, counts: Compared
) -> Iterator[Unknown]:
    shown = [row for row in page.rows if row.occurred_at is not None and row.contacts]
    rows = [
        {"place": place, "contact": contact, "state": state.value, "moment": row.occurred_at}
        for place, row in enumerate(shown)
        for contact in row.contacts
    ]
    addresses = {address} | {row.address for row in shown}
    with engine.connect() as connection:
        events = connection.execute(_SAME, {"account": account_id, **_named(addresses)}).scalars().all()
        found = connection.execute(_KNOWN, {"rows": json(rows), "events": list(events)})
        known: dict[int, bool] = dict(found.all())
    counts.shown += len(shown)
    counts.known += len(known)
    counts.waiting += sum(known.values())
    for place, row in enumerate(shown):
        if place not in known:
            yield _as_unknown(state, row)


def _named(addresses: Collection[Address]) -> dict[str, Sequence[object]]:
    return {
        "objects": sorted({one.object_id for one in addresses if one.object_id is not None}),
        "externals": sorted(
            {
                (one.external_account_id, one.external_event_id)
                for one in addresses
                if one.external_account_id is not None and one.external_event_id is not None
            }
        ),
    }


def _as_unknown(state: State, row: Participation) -> Unknown:
    assert row.occurred_at is not None
    email = next(iter(row.contacts - {row.contact_id}), "")
    return Unknown(state, email, row.contact_id, row.occurred_at, row.seconds)
