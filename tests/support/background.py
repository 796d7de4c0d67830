"""Work that goes on in a thread beside a test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
