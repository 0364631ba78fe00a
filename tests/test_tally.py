"""Histograms: what is counted together is counted as it is alone."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from server.tally import BATCH, Counts, Tallies

BOUNDS = (0.001, 0.005, 1)


def shown(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]


def test_rows_are_counted_as_their_values_alone_are_bounds_included() -> None:
    alone, together = CollectorRegistry(), CollectorRegistry()
    singles = Tallies("t", "Times.", "stage", BOUNDS, alone)
    rows = Tallies("t", "Times.", "stage", BOUNDS, together)
    for figures in (singles, rows):
        figures.labels("a")
        figures.labels("b")
    for n in range(2 * BATCH + 3):  # some are still kept when somebody looks
        a, b = float(n % 8), 250.0 * (n % 8)  # ms: on the bounds, between, below and above them
        singles.labels("a").observe(a / 1000)
        singles.labels("b").observe(b / 1000)
        rows.observe_each((a, b))
        if n == 5:
            assert 't_count{stage="b"} 6.0' in shown(together)
    assert [line.split()[0] for line in shown(together)] == [
        line.split()[0] for line in shown(alone)
    ]
    for one, other in zip(shown(together), shown(alone), strict=True):
        assert abs(float(one.split()[1]) - float(other.split()[1])) < 1e-9, one


def test_a_count_without_a_label_is_there_from_the_start() -> None:
    registry = CollectorRegistry()
    counts = Counts("c", "Things.", "", registry)
    assert shown(registry) == ["c_total 0.0"]
    counts.add(count=3)
    assert shown(registry) == ["c_total 3.0"]
