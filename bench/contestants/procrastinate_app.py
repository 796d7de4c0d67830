"""Procrastinate with an asynchronous task a record; its queue is PostgreSQL."""

import os

from procrastinate import App, PsycopgConnector
from produced import begin, end
from waiting import CONNECTIONS, deliver

TOGETHER = 100
app = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_DATABASE"], max_size=CONNECTIONS))


@app.task(name="send")
async def send(path, one):
    """Deliver a record."""
    await deliver(path, one)


if __name__ == "__main__":
    with app.open():
        records = begin()
        for first in range(0, len(records), TOGETHER):
            send.batch_defer(*({"path": path, "one": one} for path, one in records[first : first + TOGETHER]))
        end()
