"""Beat's scheduler: Celery's own, which says once that its broker is away."""

from typing import Any

from celery.beat import Scheduler

from worker.outage import Outage


class Ticks(Scheduler):  # type: ignore[misc]
    """Sends what is due; where that fails, the next tick tries again."""

    broker = Outage("the broker", "no ticks are sent; workers look for due work themselves")

    def apply_entry(self, entry: Any, producer: Any = None) -> None:  # noqa: ANN401 - Celery's own types
        """Send one entry; Celery's own logs a stack and a traceback each second."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # noqa: BLE001 - transports raise errors of no common class
            self.broker.failed(error)
        else:
            self.broker.answered()

    def _ensure_connected(self) -> Any:  # noqa: ANN401 - Celery's own types
        """Connect, however long that takes; Celery's own logs each try."""
        return self.connection.ensure_connection(
            lambda error, _: self.broker.failed(error), self.app.conf.broker_connection_max_retries
        )
