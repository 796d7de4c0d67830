"""The numbers that a process counts, as prometheus-client keeps them, in a registry of their own."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from worker.metrics import definitions
from worker.metrics.definitions import MOST_ACCOUNTS, OTHER, Definition

OUTCOMES: Final = ("delivered", "rejected", "unconfirmed", "failed")


class Counted:
    """The counters and histograms of one process."""

    def __init__(self) -> None:
        """Begin at zero."""
        disable_created_metrics()  # a series more for each of ours, which no alert or graph reads
        self.registry = CollectorRegistry()
        self.submitted = self._counter(definitions.SUBMITTED)
        self.finished = self._counter(definitions.FINISHED)
        self.delivery = self._histogram(definitions.DELIVERY)
        self.attempts = self._counter(definitions.ATTEMPTS)
        self.attempt = self._histogram(definitions.ATTEMPT)
        self.permits = self._counter(definitions.PERMITS)
        self.permit_wait = self._histogram(definitions.PERMIT_WAIT)
        self.webhook_posts = self._counter(definitions.WEBHOOK_POSTS)
        self.tasks = self._counter(definitions.TASKS)
        self.requests = self._counter(definitions.REQUESTS)
        self.request = self._histogram(definitions.REQUEST)
        self._accounts: set[str] = set()

    def account(self, name: str) -> str:
        """Give the label of an account: its name, or of those beyond the bound one for all."""
        if name in self._accounts:
            return name
        if len(self._accounts) >= MOST_ACCOUNTS:
            return OTHER
        self._accounts.add(name)
        for outcome in OUTCOMES:  # from zero: the first of each shows as an increase
            self.finished.labels(name, outcome)
        return name

    def _counter(self, one: Definition) -> Counter:
        return Counter(one.name, one.about, one.labels, registry=self.registry)

    def _histogram(self, one: Definition) -> Histogram:
        return Histogram(one.name, one.about, one.labels, registry=self.registry, buckets=one.buckets)


def observe_several(histogram: Histogram, value: float, number: int) -> None:
    """Observe a value so many times, at once: prometheus-client has no call for that, and 100 calls take 80 µs."""
    histogram._sum.inc(value * number)  # noqa: SLF001
    for bound, bucket in zip(histogram._upper_bounds, histogram._buckets, strict=True):  # noqa: SLF001
        if value <= bound:
            bucket.inc(number)
            break
