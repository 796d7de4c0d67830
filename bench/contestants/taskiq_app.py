"""Taskiq with an asynchronous task a record."""

import asyncio
import os

from produced import begin, end
from taskiq_redis import RedisStreamBroker
from waiting import deliver

broker = RedisStreamBroker(url=os.environ["BENCH_BROKER"])


@broker.task(task_name="send")
async def send(path, one):
    """Deliver a record."""
    await deliver(path, one)


async def main():
    """Submit one record after the other."""
    await broker.startup()
    for path, one in begin():
        await send.kiq(path, one)
    await broker.shutdown()
    end()


if __name__ == "__main__":
    asyncio.run(main())
