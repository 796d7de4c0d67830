"""An outbox: records are written in the app's own transaction, and drained from there into Turnout by HTTP.

    python outbox.py tables                      once
    python outbox.py register ada@example.com    the app: its own row and the outbox's, both or neither
    python outbox.py cancel ada@example.com
    python outbox.py drain                       a process beside it, for ever; killed at any moment, start it again

by APP_DATABASE_URL (the app's own PostgreSQL), TURNOUT_URL and TURNOUT_KEY. It needs `psycopg` and `requests`.

Nothing is stored twice: which rows a request carries is committed before it is sent, with its idempotency key. So after
a crash, wherever it was, the same request is sent again, and Turnout answers as it did the first time.

What Turnout does not accept stays, with the reason. Once it is fixed, it is sent again:
    UPDATE outbox SET input = …, refused = NULL WHERE id = …
It then goes behind what went meanwhile: where that is something newer of the same person, delete it instead.
"""

import os
import re
import sys
import time
from itertools import chain, repeat, takewhile
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import requests
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

EVENT, ACCOUNT = "spring-summit-2026", "acme-events"
DRAINER = 4711  # any number that no other advisory lock of this database has

TABLES = """
CREATE TABLE registrations (
  event text, email text, state text NOT NULL, changed_at timestamptz NOT NULL, PRIMARY KEY (event, email));
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event text NOT NULL,
  state text NOT NULL CHECK (state IN ('register', 'attend', 'cancel')),
  input jsonb NOT NULL,  -- as HubSpot takes it: email, interactionDateTime, properties, contactProperties
  request uuid,          -- the request under way that carries it; its idempotency key
  refused text);         -- why Turnout did not accept it
CREATE INDEX outbox_waiting ON outbox (event, id) WHERE refused IS NULL;
CREATE INDEX outbox_under_way ON outbox (id) WHERE request IS NOT NULL;
"""


def change(app: psycopg.Connection[Any], email: str, state: str) -> None:
    """Do the app's work. The outbox comes last: ids are drawn with the person's row locked, so in order of commits."""
    with app.transaction():
        row = app.execute(
            """
            INSERT INTO registrations AS r VALUES (%s, %s, %s, clock_timestamp()) ON CONFLICT (event, email)
            DO UPDATE SET state = EXCLUDED.state, changed_at = clock_timestamp()
            RETURNING (extract(epoch FROM r.changed_at) * 1000)::bigint""",
            [EVENT, email, state],
        ).fetchone()
        assert row, "it is returned whether inserted or updated"
        record = Jsonb({"email": email, "interactionDateTime": row[0]})
        app.execute("INSERT INTO outbox (event, state, input) VALUES (%s, %s, %s)", [EVENT, state, record])


def drain(app: psycopg.Connection[Any], turnout: requests.Session) -> None:
    """Send what waits, in order: with SKIP LOCKED and several drainers, a cancel could overtake its register.

    The lock is the connection's (so: no pooler between), and whoever starts a second drainer has one that waits to
    take over.
    """
    app.execute("SELECT pg_advisory_lock(%s)", [DRAINER])
    while True:
        if rows := under_way(app) or begun(app):
            settle(app, rows, send(turnout, rows))
        else:
            time.sleep(1)


def under_way(app: psycopg.Connection[Any]) -> list[Any]:
    """Give the rows of the request that was begun and not settled."""
    return app.execute("SELECT * FROM outbox WHERE request IS NOT NULL ORDER BY id").fetchall()


def begun(app: psycopg.Connection[Any]) -> list[Any]:
    """Begin a request: the oldest row and what follows of its event, until the state changes."""
    waiting = app.execute("""
        SELECT * FROM outbox WHERE refused IS NULL
        AND event = (SELECT event FROM outbox WHERE refused IS NULL ORDER BY id LIMIT 1)
        ORDER BY id LIMIT 1000""").fetchall()
    ids = [row.id for row in takewhile(lambda row: row.state == waiting[0].state, waiting)]
    app.execute("UPDATE outbox SET request = %s WHERE id = ANY(%s)", [uuid4(), ids])
    return under_way(app)


def send(turnout: requests.Session, rows: list[Any]) -> dict[str, Any]:
    """Send a request until it is answered; a fault of ours ends the program, and the rows stay as they are."""
    event, state = quote(rows[0].event, safe=""), rows[0].state
    for pause in chain((1, 2, 4, 8, 16), repeat(30)):
        told = ""
        try:
            answer = turnout.post(
                f"{os.environ['TURNOUT_URL']}/marketing/v3/marketing-events/attendance/{event}/{state}/email-create",
                params={"externalAccountId": ACCOUNT},
                json={"inputs": [row.input for row in rows]},
                headers={"Idempotency-Key": str(rows[0].request)},
                timeout=60,
                allow_redirects=False,
            )
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            why = str(error)
        else:
            why = f"{answer.status_code} {answer.text}"
            if answer.status_code == requests.codes.ok:
                return dict(answer.json())
            if answer.status_code < 500 and answer.status_code not in {408, 429}:  # noqa: PLR2004 - HTTP's
                sys.exit(f"rows {rows[0].id} to {rows[-1].id} cannot be sent: {why}")
            told = answer.headers.get("Retry-After", "")
        print(f"again in a moment: {why}", file=sys.stderr)
        time.sleep(max(pause, int(told) if told.isdecimal() else 0))
    raise AssertionError


def settle(app: psycopg.Connection[Any], rows: list[Any], answer: dict[str, Any]) -> None:
    """Delete what was taken, and keep what was refused with the reason."""
    refused = {}
    for error in answer.get("errors", []):
        place = re.match(r"inputs\[(\d+)\]", error["context"]["where"][0])
        for row in [rows[int(place[1])]] if place else rows:
            refused[row.id] = error["message"]
    with app.transaction(), app.cursor() as cursor:
        cursor.executemany(
            "UPDATE outbox SET request = NULL, refused = %s WHERE id = %s", [(why, id_) for id_, why in refused.items()]
        )
        cursor.execute("DELETE FROM outbox WHERE request = %s", [rows[0].request])
    taken = len(rows) - len(refused)
    print(f"{rows[0].event} {rows[0].state}: {taken} taken, {len(refused)} refused, {answer['links']['submission']}")


def main(command: str, *emails: str) -> None:
    with psycopg.connect(os.environ["APP_DATABASE_URL"], autocommit=True, row_factory=namedtuple_row) as app:
        if command == "tables":
            app.execute(TABLES)
        elif command == "drain":
            with requests.Session() as turnout:
                turnout.headers["Authorization"] = f"Bearer {os.environ['TURNOUT_KEY']}"
                drain(app, turnout)
        else:
            for email in emails:
                change(app, email, command)


if __name__ == "__main__":
    main(*sys.argv[1:])
