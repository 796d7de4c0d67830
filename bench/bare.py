"""The bare loop: what is left of the work without a queue, in one thread. Everything else is measured by it.

    python -m bench.bare MESSAGES [--part 0/2]

Reads messages, a line of JSON each; stores their records once (a unique fingerprint each), POSTs them in hundreds by
`requests`, and marks each batch with what came of it. No states, no order, no limits, no retries, nothing survives a
crash between two steps but the rows. `BENCH_DATABASE` and `BENCH_HUBSPOT` say where. It says `ready`, begins when it is
told to, and says `done`.
"""

import argparse
import hashlib
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
import requests

BATCH: Final = 100
TABLES: Final = """
CREATE TABLE IF NOT EXISTS bare_batches (
  id bigserial PRIMARY KEY, path text NOT NULL, size int NOT NULL, delivered int, answered_at timestamptz);
CREATE TABLE IF NOT EXISTS bare_records (
  id bigserial PRIMARY KEY, fingerprint bytea NOT NULL UNIQUE, batch_id bigint NOT NULL, contact text NOT NULL,
  input jsonb NOT NULL)"""
BATCHES: Final = "INSERT INTO bare_batches (path, size) SELECT %s, unnest(%s::int[]) RETURNING id"
RECORDS: Final = """
INSERT INTO bare_records (fingerprint, batch_id, contact, input)
SELECT * FROM unnest(%s::bytea[], %s::bigint[], %s::text[], %s::jsonb[]) ON CONFLICT (fingerprint) DO NOTHING"""
MARK: Final = "UPDATE bare_batches SET delivered = %s, answered_at = now() WHERE id = %s"


class Loop:
    """The loop, with its connection to the database and to HubSpot."""

    def __init__(self) -> None:
        self._database = psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True)
        self._url = os.environ["BENCH_HUBSPOT"]
        self._session = requests.Session()
        self._session.headers.update({"Authorization": "Bearer bench", "Content-Type": "application/json"})

    def run(self, messages: list[bytes]) -> int:
        """Do the work, and give the number of records that were delivered."""
        waiting: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        delivered = 0
        for raw in messages:
            message = orjson.loads(raw)
            event, state = message["object_id"], message["subscriber_state"]
            path = f"/marketing/v3/marketing-events/{event}/attendance/{state}/email-create"
            waiting[path] += message["inputs"]
            if len(waiting[path]) >= BATCH:
                delivered += self._deliver(path, waiting.pop(path))
        return delivered + sum(self._deliver(path, inputs) for path, inputs in waiting.items())

    def _deliver(self, path: str, inputs: list[dict[str, Any]]) -> int:
        parts = [inputs[at : at + BATCH] for at in range(0, len(inputs), BATCH)]
        with self._database.transaction():
            batches = self._database.execute(BATCHES, (path, [len(part) for part in parts])).fetchall()
            ids = [batch for (batch,) in batches]
            self._database.execute(
                RECORDS,
                (
                    [_fingerprint(path, one) for one in inputs],
                    [ids[index // BATCH] for index in range(len(inputs))],
                    [one["email"] for one in inputs],
                    [orjson.dumps(one).decode() for one in inputs],
                ),
            )
        delivered = 0
        for batch, part in zip(ids, parts, strict=True):
            answer = self._session.post(self._url + path, data=orjson.dumps({"inputs": part}), timeout=60)
            answer.raise_for_status()
            named = len(orjson.loads(answer.content)["results"])
            self._database.execute(MARK, (named, batch))
            delivered += named
        return delivered


def _fingerprint(path: str, one: dict[str, Any]) -> bytes:
    return hashlib.sha256(f"{path} {one['email']} {one['interactionDateTime']}".encode()).digest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("messages", type=Path)
    parser.add_argument("--part", default="0/1", help="which of how many: every other message, for a process per core")
    asked = parser.parse_args()
    part, _, of = asked.part.partition("/")
    messages = asked.messages.read_bytes().splitlines()[int(part) :: int(of)]
    loop = Loop()
    print("ready", flush=True)
    sys.stdin.readline()
    print("done", loop.run(messages), flush=True)
    sys.stdin.readline()  # its processor time is read before it ends


if __name__ == "__main__":
    main()
