"""What a contestant does with records: stores them once, POSTs them, marks them; for threads and processes."""

import hashlib
import os
import threading
from functools import cache
from pathlib import Path

import orjson
import requests
from sqlalchemy import create_engine, text

THREADS = int(os.environ.get("BENCH_THREADS", "1"))
STORE = """
INSERT INTO sent (fingerprint, path, contact, input)
SELECT f, :path, c, i FROM unnest(CAST(:fingerprints AS bytea[]), CAST(:contacts AS text[]), CAST(:inputs AS jsonb[]))
  AS x(f, c, i)
ON CONFLICT (fingerprint) DO NOTHING RETURNING id, contact"""
MARK = """
UPDATE sent SET outcome = x.outcome, contact_id = x.vid, answered_at = now()
FROM unnest(CAST(:ids AS bigint[]), CAST(:outcomes AS text[]), CAST(:vids AS bigint[])) AS x(id, outcome, vid)
WHERE sent.id = x.id"""
local = threading.local()


@cache
def engine():
    """Connect once in each process, after it was forked."""
    return create_engine(os.environ["BENCH_DATABASE"], pool_size=THREADS, max_overflow=0)


def session():
    """Keep a connection to HubSpot in each thread."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
        local.session.headers.update({"Authorization": "Bearer bench", "Content-Type": "application/json"})
    return local.session


def fingerprint(path, one):
    """Say what makes a record the same."""
    return hashlib.sha256(f"{path} {one['email']} {one['interactionDateTime']}".encode()).digest()


def stored(path, inputs):
    """Give the parameters of STORE."""
    return {
        "path": path,
        "fingerprints": [fingerprint(path, one) for one in inputs],
        "contacts": [one["email"] for one in inputs],
        "inputs": [orjson.dumps(one).decode() for one in inputs],
    }


def marked(rows, answer):
    """Give the parameters of MARK: the outcome of the rows by HubSpot's answer."""
    vids = {result["email"]: result["vid"] for result in answer["results"]}
    return {
        "ids": [row[0] for row in rows],
        "outcomes": ["delivered" if row[1] in vids else "unconfirmed" for row in rows],
        "vids": [vids.get(row[1]) for row in rows],
    }


def deliver(path, inputs):
    """Store records, POST those that are new, and mark them."""
    with engine().begin() as connection:
        rows = connection.execute(text(STORE), stored(path, inputs)).all()
    new = {row[1] for row in rows}
    if not new:
        return
    body = orjson.dumps({"inputs": [one for one in inputs if one["email"] in new]})
    answer = session().post(os.environ["BENCH_HUBSPOT"] + path, data=body, timeout=60)
    answer.raise_for_status()
    with engine().begin() as connection:
        connection.execute(text(MARK), marked(rows, orjson.loads(answer.content)))


def read(file):
    """Give path and input of each record in a file of messages."""
    with Path(file).open("rb") as lines:
        for line in lines:
            message = orjson.loads(line)
            event, state = message["object_id"], message["subscriber_state"]
            path = f"/marketing/v3/marketing-events/{event}/attendance/{state}/email-create"
            for one in message["inputs"]:
                yield path, one
