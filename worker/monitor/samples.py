"""Samples: values of metrics with their labels, and how those of many accounts become few."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from worker.metrics.definitions import MOST_ACCOUNTS, OTHER, Definition, Type

_FAMILIES: Final = {Type.COUNTER: CounterMetricFamily, Type.GAUGE: GaugeMetricFamily}


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of a metric; its labels in the order in which the definition names them."""

    of: Definition
    value: float
    labels: tuple[str, ...] = ()


def named(accounts: Collection[str]) -> frozenset[str]:
    """Choose the accounts that have a label of their own: the same in every process that reads the same list."""
    return frozenset(sorted(accounts)[:MOST_ACCOUNTS])


def bounded(samples: Iterable[Sample], accounts: Collection[str]) -> list[Sample]:
    """Put the accounts that have no label of their own together: ages by the highest, all else by the sum."""
    sums: defaultdict[tuple[Definition, tuple[str, ...]], float] = defaultdict(float)
    for one in samples:
        labels = tuple(
            OTHER if name == "account" and label not in accounts else label
            for name, label in zip(one.of.labels, one.labels, strict=True)
        )
        key = one.of, labels
        sums[key] = max(sums[key], one.value) if one.of.name.endswith("_age_seconds") else sums[key] + one.value
    return [Sample(of, value, labels) for (of, labels), value in sums.items()]


def families(samples: Iterable[Sample]) -> list[Metric]:
    """Give the samples as prometheus-client writes them, one family a metric."""
    found: dict[Definition, CounterMetricFamily | GaugeMetricFamily] = {}
    for one in samples:
        if one.of not in found:
            found[one.of] = _FAMILIES[one.of.type](one.of.name, one.of.about, labels=one.of.labels)
        found[one.of].add_metric(one.labels, one.value)
    return list(found.values())
