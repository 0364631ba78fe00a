"""Histograms and counters that cost well under a microsecond, for what happens with every picture.

Role: what `prometheus_client`'s own do, without their locks and label look-ups (about 3 µs each;
a picture has ten of them, and a gateway that sends thousands a second spent a tenth of its time
there). They are shown through the same registry.

Invariants: written to on one thread, the event loop's. It does not know: what is counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

BATCH = 256
"""Rows of values that are counted together: one by one each value costs three times as much."""


class Tally:
    """One histogram. `bounds`: the buckets' upper ends, inclusive."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def observe_all(self, values: NDArray[np.float64]) -> None:
        """Count many at once."""
        buckets = np.searchsorted(self.bounds, values)
        for bucket, count in enumerate(np.bincount(buckets).tolist()):
            self.counts[bucket] += count
        self.total += float(values.sum())

    def buckets(self) -> list[tuple[str, float]]:
        """Upper ends and how many values lay below, as Prometheus wants them."""
        below, found = 0, []
        for end, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            below += count
            found.append(("+Inf" if end == float("inf") else str(float(end)), float(below)))
        return found


class Tallies:
    """Histograms of one name, one for each value of their label; without a label only `own`."""

    def __init__(
        self, name: str, text: str, label: str, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._text, self._label, self._bounds = name, text, label, bounds
        self._found: dict[str, Tally] = {} if label else {"": Tally(bounds)}
        self._rows: list[tuple[float, ...]] = []
        registry.register(self)

    @property
    def own(self) -> Tally:
        """The one without a label."""
        return self._found[""]

    def labels(self, value: str) -> Tally:
        """The one with this value of the label."""
        tally = self._found.get(value)
        if tally is None:
            tally = self._found[value] = Tally(self._bounds)
        return tally

    def observe_each(self, milliseconds: tuple[float, ...]) -> None:
        """Count a value in each, in the order of their labels' first mention; kept until there are
        enough of them, or somebody looks."""
        self._rows.append(milliseconds)
        if len(self._rows) >= BATCH:
            self._count_rows()

    def _count_rows(self) -> None:
        if self._rows:
            columns = np.array(self._rows).T / 1000
            for tally, values in zip(self._found.values(), columns, strict=True):
                tally.observe_all(values)
            self._rows.clear()

    def collect(self) -> Iterable[Metric]:
        """For the registry."""
        self._count_rows()
        names = [self._label] if self._label else []
        family = HistogramMetricFamily(self._name, self._text, labels=names)
        for value, tally in self._found.items():
            family.add_metric([value] if self._label else [], tally.buckets(), tally.total)
        yield family


class Counts:
    """Counters of one name, one for each value of their label; without a label only one."""

    def __init__(self, name: str, text: str, label: str, registry: CollectorRegistry) -> None:
        self._name, self._text, self._label = name, text, label
        self._found: dict[str, int] = {} if label else {"": 0}
        registry.register(self)

    def add(self, value: str = "", count: int = 1) -> None:
        """Count so many for this value of the label."""
        self._found[value] = self._found.get(value, 0) + count

    def collect(self) -> Iterable[Metric]:
        """For the registry."""
        names = [self._label] if self._label else []
        family = CounterMetricFamily(self._name, self._text, labels=names)
        for value, count in self._found.items():
            family.add_metric([value] if self._label else [], count)
        yield family
