"""HubSpot for a bench: answers every write as HubSpot does, at a cost that is small beside its caller's.

    python -m bench.standin --port 8900

`turnout sandbox` judges, limits and breaks as the real one does, and takes three times the processor of the bare loop
for it: on two cores it would be what is measured. This one names every contact of a write in `results`, in an order of
its own, except where the address says otherwise:

    rejected.…   named in `errors`
    dropped.…    named nowhere

It never limits. `tests/test_bench.py` holds its answers against the sandbox's.

- `GET /_bench/stats`                 `requests`, `inputs`, `results`, `rejected`, `dropped`, `reads`
- `POST /_bench/reset`                forget all of it; `?keep` keeps what is written, to be read back by HubSpot's
                                      paths; `?arrivals` keeps when each contact came
- `GET /_bench/arrivals`              the monotonic clock at which each contact came first, by contact
"""

import argparse
import asyncio
import gc
import random
import time
import zlib
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from sandbox.address import Write, parse
from sandbox.events import Events
from sandbox.identity import vid_of
from sandbox.judging import State
from sandbox.options import SandboxOptions
from sandbox.participations import Participation, StoredParticipations
from sandbox.reading import Views

REJECTED: Final = "rejected."
DROPPED: Final = "dropped."
LIMIT: Final = 1_000_000
"""Calls in ten seconds, and a day: what its headers say."""
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\n"
    b"X-HubSpot-RateLimit-Max: %d\r\nX-HubSpot-RateLimit-Remaining: %d\r\n"
    b"X-HubSpot-RateLimit-Interval-Milliseconds: 10000\r\n"
    b"X-HubSpot-RateLimit-Daily: %d\r\nX-HubSpot-RateLimit-Daily-Remaining: %d\r\nContent-Length: "
) % (LIMIT, LIMIT - 1, LIMIT, LIMIT - 1)
NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class World:
    """What came."""

    def __init__(self) -> None:
        self.reset(keep=False, arrivals=False)

    def reset(self, *, keep: bool, arrivals: bool) -> None:
        """Forget everything."""
        self.counts = {"requests": 0, "inputs": 0, "results": 0, "rejected": 0, "dropped": 0, "reads": 0}
        self.arrivals: dict[str, float] | None = {} if arrivals else None
        options = SandboxOptions()
        self._events = Events(options)
        self._keeps = keep
        self._stored = StoredParticipations()
        self._views = Views(options, self._events, self._stored)

    def write(self, target: bytes, body: bytes) -> bytes:
        """Take a write, and give the body of its answer."""
        inputs = orjson.loads(body)["inputs"]
        by = "email" if target.partition(b"?")[0].endswith(b"email-create") else "vid"
        if self.arrivals is not None:
            now = time.monotonic()
            for item in inputs:
                self.arrivals.setdefault(item[by], now)
        results, errors = [], []
        for item in inputs:
            contact = item[by]
            if by == "vid":
                results.append({"vid": contact})
            elif contact.startswith(REJECTED):
                errors.append(_error(contact))
            elif not contact.startswith(DROPPED):
                results.append({"email": contact, "vid": 1 + zlib.crc32(contact.encode())})
        if self._keeps:
            self._keep(target, inputs)
        random.shuffle(results)
        counts = self.counts
        counts["requests"] += 1
        counts["inputs"] += len(inputs)
        counts["results"] += len(results)
        counts["rejected"] += len(errors)
        counts["dropped"] += len(inputs) - len(results) - len(errors)
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        answer: dict[str, object] = {"status": "COMPLETE", "requestedAt": at, "startedAt": at, "completedAt": at}
        answer["results"] = results
        if errors:
            answer |= {"numErrors": len(errors), "errors": errors}
        return orjson.dumps(answer)

    def read(self, target: bytes) -> bytes | None:
        """Give a view of what was kept, empty where nothing is; none where HubSpot has no such path."""
        path, _, query = target.partition(b"?")
        call = parse(path, query)
        if call is None or isinstance(call, Write):
            return None
        self.counts["reads"] += 1
        return self._views.answer(call, time.time()).body

    def _keep(self, target: bytes, inputs: list[dict[str, Any]]) -> None:
        path, _, query = target.partition(b"?")
        call = parse(path, query)
        assert isinstance(call, Write)
        event = self._events.at(call.event)
        assert event is not None
        state, now = State(call.state), time.time()
        for item in inputs:
            contact = str(item[call.by])
            if not contact.startswith(REJECTED):
                vid, at = vid_of(contact, 0), item["interactionDateTime"]
                row = Participation(event, contact, vid, state, at, None)
                self._stored.add((event.object_id, vid, state.value, at), row, now)


def _error(contact: str) -> dict[str, object]:
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "subCategory": "AttendanceValidationError.INVALID_EMAIL",
        "message": f"`{contact}` is not a valid email",
        "context": {},
        "links": {},
        "errors": [],
    }


class Connection(asyncio.Protocol):
    """One client: HTTP/1.1, kept alive, a request at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._came = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Know where to answer."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._came[:end])
            length = _length(head)
            if len(self._came) < end + 4 + length:
                return
            body = bytes(self._came[end + 4 : end + 4 + length])
            del self._came[: end + 4 + length]
            method, target, _ = head.partition(b"\r\n")[0].split(b" ", 2)
            answer = self._answer(method, target, body)
            self._transport.write(NOT_FOUND if answer is None else b"%b%d\r\n\r\n%b" % (HEAD, len(answer), answer))

    def _answer(self, method: bytes, target: bytes, body: bytes) -> bytes | None:
        world = self._world
        if not target.startswith(b"/_bench/"):
            return world.write(target, body) if method == b"POST" else world.read(target)
        path, _, query = target.partition(b"?")
        match method, path:
            case b"GET", b"/_bench/stats":
                return orjson.dumps(world.counts)
            case b"GET", b"/_bench/arrivals":
                return orjson.dumps(world.arrivals)
            case b"POST", b"/_bench/reset":
                world.reset(keep=b"keep" in query, arrivals=b"arrivals" in query)
                return b"{}"
        return None


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int) -> None:
    """Listen until the process ends."""
    world = World()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(world), "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    gc.set_threshold(2_000, 10, 1_000_000)  # a full collection would walk all that is kept
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
