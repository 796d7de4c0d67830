"""The HTTP API: what a request costs, of one record and of a hundred, beside a bare route that only inserts the rows.

Both are FastAPI apps on uvicorn, in processes of their own, on the same database, asked in turn by the same clients.
A part of `make bench`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import orjson
import requests
import uvicorn
from fastapi import FastAPI, Request
from sqlalchemy import create_engine, text
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from bench.installation import installation, seconds
from bench.workload import WHEN
from models.words import Role
from worker.auth import keys
from worker.local.services import free_port, valkey_command

CLIENTS = 8
PATH = "/marketing/v3/marketing-events/4711/attendance/register/email-create"


def bare(database_url: str, port: int) -> None:
    """Serve a route that stores each input as a row of a table of its own, and nothing else."""
    engine = create_engine(database_url, pool_size=CLIENTS)
    app = FastAPI()

    def store(inputs: list[dict[str, object]]) -> None:
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO bare_inputs (input) SELECT jsonb_array_elements(CAST(:inputs AS jsonb))"),
                {"inputs": orjson.dumps(inputs).decode()},
            )

    @app.post(PATH)
    async def hand_in(request: Request) -> Response:
        await run_in_threadpool(store, orjson.loads(await request.body())["inputs"])
        return Response(b'{"status": "PENDING", "results": []}', media_type="application/json")

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def ask(url: str, key: str, records: int, session: requests.Session, first: int) -> None:
    """Submit so many people who were never submitted before."""
    inputs = [{"email": f"p{first + index}@example.com", "interactionDateTime": WHEN} for index in range(records)]
    answer = session.post(url + PATH, json={"inputs": inputs}, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    answer.raise_for_status()


def take(url: str, key: str, records: int, number: int, first: int) -> None:
    """Submit so many requests by several clients at once."""
    sessions = [requests.Session() for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [
            pool.submit(ask, url, key, records, sessions[index % CLIENTS], first + index * records)
            for index in range(number)
        ]
    for one in done:
        one.result()


def until_up(url: str) -> None:
    """Wait until somebody answers there."""
    for _ in range(200):
        try:
            requests.get(url, timeout=1)
        except requests.ConnectionError:
            time.sleep(0.1)
        else:
            return


def measure(urls: tuple[str, str], key: str, records: int, number: int, rounds: int) -> dict[str, float]:
    """Measure both in turn; give the medians of milliseconds a request, and of the rounds' ratios with their spread."""
    times: list[tuple[float, float]] = []
    taken = 0
    for _ in range(rounds):
        pair = []
        for url in urls:
            pair.append(seconds(partial(take, url, key, records, number, records * 10**7 + taken)) / number * 1000)
            taken += number * records
        times.append((pair[0], pair[1]))
    ours, theirs = (median(column) for column in zip(*times, strict=True))
    ratios = [mine / bare for mine, bare in times]
    figures = {"ours": ours, "bare": theirs, "ratio": median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return {"records": records, **figures}


def compare(number: int, rounds: int) -> list[dict[str, float]]:
    """Measure requests of one record and of a hundred beside the bare route, so many in each round."""
    with installation() as here:
        database = here.engine.url.render_as_string(hide_password=False)
        with here.engine.begin() as connection:
            connection.execute(text("CREATE TABLE bare_inputs (id bigserial PRIMARY KEY, input jsonb NOT NULL)"))
        key = keys.create(here.engine, "bench", Role.PRODUCER, [here.account_id])
        ports = free_port(), free_port(), free_port()
        told = {"TURNOUT_DATABASE_URL": database, "TURNOUT_BROKER_URL": f"redis://127.0.0.1:{ports[2]}/0"}
        told |= {"TURNOUT_SECRET_KEY": "bench", "TURNOUT_LINGER": "3600"}
        home = tempfile.mkdtemp(prefix="turnout-bench-")
        servers = [
            subprocess.Popen(valkey_command(Path(home), ports[2], ""), stdout=subprocess.DEVNULL),
            subprocess.Popen([sys.executable, "-m", "cli", "serve", "--port", str(ports[0])], env=os.environ | told),
            subprocess.Popen([sys.executable, "-m", "bench.api", database, str(ports[1])]),
        ]
        urls = f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
        try:
            for url in urls:
                until_up(url)
            return [measure(urls, key, records, number, rounds) for records in (1, 100)]
        finally:
            for server in servers:
                server.terminate()
                server.wait()
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    bare(sys.argv[1], int(sys.argv[2]))
