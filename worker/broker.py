"""The broker: how Celery connects to it, and what only looks at it; without Celery, which most commands do not need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from worker.settings import Settings


def connecting(settings: Settings) -> dict[str, Any]:
    """Say how to connect to the broker, for Celery and for what only looks at it."""
    on_redis = not settings.broker_url.startswith(("amqp", "pyamqp"))
    options: dict[str, Any] = (
        {
            # Redis: with acknowledgement emulated, Celery 5.7.0 exits when Redis goes away while a message is
            # unacknowledged, and delivers late ones twice. What a killed worker loses the sweep sends again.
            "ack_emulation": False,
            # By default a publish to a frozen Redis hangs for ever.
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "health_check_interval": 10,
        }
        if on_redis
        # RabbitMQ: unconfirmed, a publish into a connection that nobody reads any more "succeeds".
        else {"read_timeout": 5, "write_timeout": 5, "confirm_publish": True}
    )
    return {"connect_timeout": 2, "transport_options": options}


@contextmanager
def closed_after(connection: Any) -> Iterator[Any]:  # noqa: ANN401 - kombu carries no types
    """Give a connection to the broker for one look, then close all of it.

    Kombu leaves the file by which it polls Redis to the garbage collector.
    """
    transport = connection.transport
    try:
        with connection:
            yield connection
    finally:
        if (cycle := getattr(transport, "cycle", None)) is not None:
            cycle.poller.close()
