"""What beat reads from the database, Redis and the broker when it is scraped: a collector for prometheus-client.

Beat does it, and no other process: there are one or two, so a scrape of all processes asks the database once or
twice, and it is there when every worker is gone. What two beats say is the same: alerts and graphs take the `max`.

Each service is asked in a thread of its own, and not again for some seconds. Where one does not answer, what comes from
it is missing, `turnout_service_up` says so, and the rest is there.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from prometheus_client import Metric
from prometheus_client.registry import Collector
from redis import RedisError

from worker.context import Context
from worker.log import get_logger
from worker.metrics import definitions as metrics
from worker.monitor import gather_database, gather_redis
from worker.monitor.latest import Latest
from worker.monitor.readiness import Need, is_broker_there
from worker.monitor.samples import Sample, bounded, families, named
from worker.settings import Settings

log = get_logger(__name__)

KEEP: Final = 5.0
"""Seconds for which what was read is used again, however many scrape."""
PATIENCE: Final = 6.0
"""Seconds that a scrape waits for all services together: Prometheus gives up after ten."""
LABELS: Final[Mapping[Need, str]] = {
    Need.DATABASE: "postgresql",
    Need.REDIS: "redis",
    Need.BROKER: "broker",
}


@dataclass(frozen=True, slots=True)
class GatheredSamples:
    """What a service answered, in so many seconds; none where it did not."""

    samples: list[Sample] | None
    seconds: float


class Gathered(Collector):
    """Reads when it is collected."""

    def __init__(self, settings: Settings) -> None:
        """Take the settings; nothing is opened before the first scrape."""
        self._process = Context(settings)
        self._process.__dict__["engine"] = gather_database.engine_of(settings)
        self._errors = dict.fromkeys(LABELS, 0)
        looks: Mapping[Need, Callable[[], GatheredSamples]] = {
            Need.DATABASE: partial(_timed, self._database),
            Need.REDIS: partial(_timed, self._redis),
            Need.BROKER: partial(_timed, self._broker),
        }
        self._latest = {need: Latest(look, KEEP) for need, look in looks.items()}

    def collect(self) -> Iterable[Metric]:
        """Give what the services answer within some seconds."""
        ends = time.monotonic() + PATIENCE
        for latest in self._latest.values():
            latest.begin()
        samples: list[Sample] = []
        for need, latest in self._latest.items():
            answer = latest.get(max(0.0, ends - time.monotonic()))
            samples += self._of(need, answer)
        return families(samples)

    def _of(self, need: Need, answer: GatheredSamples | None) -> list[Sample]:
        labels = (LABELS[need],)
        answered = answer is not None and answer.samples is not None
        self._errors[need] += not answered
        return [
            Sample(metrics.SERVICE_UP, float(answered), labels),
            Sample(metrics.SCRAPE_ERRORS, self._errors[need], labels),
            Sample(metrics.SCRAPE_DURATION, PATIENCE if answer is None else answer.seconds, labels),
            *((answer.samples or []) if answer is not None else []),
        ]

    def _database(self) -> list[Sample]:
        try:
            accounts, samples = gather_database.gather(self._process)
            chosen = named([one.name for one in accounts])
            an_hour = gather_database.calls_in_an_hour(self._process, sorted(chosen))
        finally:
            self._process.engine.dispose()  # a connection for each scrape, so that beat keeps none
        limited = [(one, an_hour.get(one.name, 0.0)) for one in accounts if one.name in chosen]
        with suppress(RedisError):  # it is said by the look at Redis
            samples += gather_redis.of_limits(self._process, limited)
        return bounded(samples, chosen)

    def _redis(self) -> list[Sample]:
        return gather_redis.gather(self._process)

    def _broker(self) -> list[Sample]:
        if not is_broker_there(self._process.settings):
            raise ConnectionError
        return []


def _timed(read: Callable[[], list[Sample]]) -> GatheredSamples:
    begun = time.monotonic()
    try:
        samples: list[Sample] | None = read()
    except Exception as error:  # noqa: BLE001 - whatever it is, the scrape says that the service did not answer
        log.debug("not gathered", error=type(error).__name__)
        samples = None
    return GatheredSamples(samples, time.monotonic() - begun)
