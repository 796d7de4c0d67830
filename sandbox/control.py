"""`/_sandbox/...`: what a test orders and what it looks at. These names never change; fields are only added.

- `POST /_sandbox/faults`          a fault (`faults` has the fields) -> 200; 400 with a `message` where it is none
- `GET /_sandbox/faults`           a list of the faults in force, as ordered, each with the `count` that is left of it
- `DELETE /_sandbox/faults`        remove the faults in force -> 200 with the same list of what was removed
- `GET /_sandbox/stats`            `requests` (writes received), `by_status` (of those, by status as text; "0": closed
                                   without an answer), `max_in_window` (most calls of an account in any window, reads
                                   and refused ones included), `inputs` (in writes that passed token and limits),
                                   `stored` (distinct event, contact, state, time)
- `GET /_sandbox/participations`   a list of `event` (object id, or `externalAccountId/externalEventId`), `contact`
                                   (e-mail in lower case, or vid, as sent), `state`, `occurredAt` (epoch ms),
                                   `durationSeconds` (or null), without the read delays; `?token=` of one account only
- `GET /_sandbox/writes`          with `--keep-writes` a list of the writes, as they came, that passed token and limits:
                                   `receivedAt` (epoch ms, with fractions), `event`, `state`, `status` (as text; "0": no
                                   answer), `inputs`, each with `contact`, `occurredAt`, `held` (whether it is stored
                                   since), `named` (whether a whole answer was sent that names the contact in its
                                   results); `?event=`, as it is listed and once or more, of these events only
- `POST /_sandbox/reset`           forget all of it, limits included -> 200
"""

from collections.abc import AsyncIterator

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox.ordering import BadFaultError, fault_from, written
from sandbox.participations import StoredRow
from sandbox.received import ReceivedWrite
from sandbox.world import World

_ROWS_AT_ONCE = 2_000
"""A few milliseconds' work: a list of all would stop the clock for the writes that arrive meanwhile."""


def routes(world: World) -> list[Route]:
    """Return the endpoints over `world`."""

    async def add_fault(request: Request) -> Response:
        try:
            world.faults.add(fault_from(orjson.loads(await request.body())))
        except orjson.JSONDecodeError:
            return _json({"message": "a fault is a JSON object"}, 400)
        except BadFaultError as error:
            return _json({"message": str(error)}, 400)
        return _json({"faults": len(world.faults)})

    async def faults(_: Request) -> Response:
        return _json([written(fault, left) for fault, left in world.faults.in_force()])

    async def remove_faults(request: Request) -> Response:
        removed = await faults(request)
        world.faults.clear()
        return removed

    async def stats(_: Request) -> Response:
        return _json(world.stats())

    async def participations(request: Request) -> Response:
        token = request.query_params.get("token")
        accounts = [account for name, account in world.accounts.items() if token in {None, name}]
        return StreamingResponse(_listed([row for account in accounts for row in account.stored.rows]), headers=_JSON)

    async def writes(request: Request) -> Response:
        events = set(request.query_params.getlist("event"))
        return _json([_came(write) for write in world.writes if not events or write.event in events])

    async def reset(_: Request) -> Response:
        world.reset()
        return _json({})

    return [
        Route("/_sandbox/faults", add_fault, methods=["POST"]),
        Route("/_sandbox/faults", faults, methods=["GET"]),
        Route("/_sandbox/faults", remove_faults, methods=["DELETE"]),
        Route("/_sandbox/stats", stats, methods=["GET"]),
        Route("/_sandbox/participations", participations, methods=["GET"]),
        Route("/_sandbox/writes", writes, methods=["GET"]),
        Route("/_sandbox/reset", reset, methods=["POST"]),
    ]


_JSON = {"Content-Type": "application/json"}


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, _JSON)


async def _listed(rows: list[StoredRow]) -> AsyncIterator[bytes]:
    yield b"["
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        part = orjson.dumps([_shown(row) for row in rows[first : first + _ROWS_AT_ONCE]])
        yield (b"," if first else b"") + part[1:-1]
    yield b"]"


def _came(write: ReceivedWrite) -> dict[str, object]:
    inputs = [
        {"contact": one.contact, "occurredAt": one.occurred_at, "held": one.held, "named": one.named}
        for one in write.inputs
    ]
    return {
        "receivedAt": write.received_at * 1_000,
        "event": write.event,
        "state": write.state,
        "status": write.status,
        "inputs": inputs,
    }


def _shown(row: StoredRow) -> dict[str, object]:
    return {
        "event": row.of.event.label,
        "contact": row.of.contact,
        "state": row.of.state,
        "occurredAt": row.of.occurred_at,
        "durationSeconds": row.of.seconds,
    }
