"""Dramatiq with an actor a record."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from produced import produced
from records import deliver

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_BROKER"]))


@dramatiq.actor
def send(path, one):
    """Deliver a record."""
    deliver(path, [one])


if __name__ == "__main__":
    produced(send.send)
