"""The same as `records.deliver` of one record, for an event loop: psycopg's pool and aiohttp."""

import os

import aiohttp
import orjson
from psycopg_pool import AsyncConnectionPool
from records import MARK, STORE, marked, stored

CONNECTIONS = 16
CASTS = {":path": "%(path)s"} | {f":{name}": f"%({name})s" for name in ("fingerprints", "contacts", "inputs")}
CASTS |= {f":{name}": f"%({name})s" for name in ("ids", "outcomes", "vids")}


def written(statement):
    """Write a statement's parameters as psycopg has them."""
    for theirs, ours in CASTS.items():
        statement = statement.replace(theirs, ours)
    return statement


STORED, MARKED = written(STORE), written(MARK)
here = {}


async def opened():
    """Open the pool and the session, once in each process."""
    if not here:
        here["session"] = aiohttp.ClientSession(
            headers={"Authorization": "Bearer bench", "Content-Type": "application/json"}
        )
        here["pool"] = AsyncConnectionPool(os.environ["BENCH_DATABASE"], max_size=CONNECTIONS, open=False)
        await here["pool"].open()
    return here["pool"], here["session"]


async def deliver(path, one):
    """Store a record, POST it if it is new, and mark it."""
    pool, session = await opened()
    async with pool.connection() as connection:
        cursor = await connection.execute(STORED, stored(path, [one]))
        rows = await cursor.fetchall()
    if not rows:
        return
    async with session.post(os.environ["BENCH_HUBSPOT"] + path, data=orjson.dumps({"inputs": [one]})) as answer:
        answer.raise_for_status()
        said = orjson.loads(await answer.read())
    async with pool.connection() as connection:
        await connection.execute(MARKED, marked(rows, said))
