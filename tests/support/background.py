"""Work that goes on in a thread beside a test."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from tests.support.ledger import ask


@contextmanager
def beside(work: Callable[[threading.Event], object], every: float, name: str) -> Iterator[None]:
    """Do some work every so many seconds until the block ends; it is given what tells it to stop."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            work(stop)
            stop.wait(every)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive(), f"{name} did not end"


def waits_for_a_lock(engine: Engine, work: Future[Any]) -> bool:
    """Return when the other thread is done, or waits for a lock of this database; say whether it waits."""
    until = time.monotonic() + 60
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not work.done() and not ask(engine, waiting):
        assert time.monotonic() < until
        time.sleep(0.005)
    return not work.done()
