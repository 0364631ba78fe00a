"""The figures of docs/benchmarks.md, by name.

Role: the table that the command line and the report go by. It does not know: how any is measured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from loadtests.figures.fairness import fairness
from loadtests.figures.gateway import gateway_ratio
from loadtests.figures.latency import edit_to_preview
from loadtests.figures.many import batching, engine_tick, hand_over, loop_late
from loadtests.figures.memory import idle_session
from loadtests.figures.peer import vs_naive
from loadtests.figures.plan import Plan
from loadtests.figures.scenes import RUNS, scenes
from loadtests.figures.slow import slow_reader
from loadtests.figures.start import start
from loadtests.figures.tax import server_tax, server_tax_fast
from loadtests.metric import Metric


@dataclass(frozen=True)
class Figure:
    """One measurement and the metrics that come of it."""

    name: str
    metrics: tuple[str, ...]
    measure: Callable[[Plan], Awaitable[list[Metric]]]


FIGURES: tuple[Figure, ...] = (
    Figure("server_tax", ("server_tax",), server_tax),
    Figure("server_tax_fast", ("server_tax_fast",), server_tax_fast),
    Figure("edit_to_preview", ("edit_to_preview_ms", "edit_to_preview_ms_at_30"), edit_to_preview),
    Figure("vs_naive", ("vs_naive_p95",), vs_naive),
    Figure("fairness", ("fairness",), fairness),
    Figure(
        "slow_reader",
        ("slow_reader_age_ms", "slow_reader_others", "stopped_reader_steps"),
        slow_reader,
    ),
    Figure("idle_session", ("idle_session_kb", "idle_session_kb_painted"), idle_session),
    Figure("gateway_ratio", ("gateway_ratio",), gateway_ratio),
    Figure("start", ("start_ratio", "page_alive_s"), start),
    Figure("batching", ("batching",), batching),
    Figure("engine_tick", ("engine_tick_ms",), engine_tick),
    Figure("hand_over", ("hand_over_ms",), hand_over),
    Figure("loop_late", ("loop_late",), loop_late),
    Figure("scenes", tuple(run.name for run in RUNS), scenes),
)


def find(names: list[str]) -> list[Figure]:
    """The figures of these names (a figure's own, or one of its metrics'), all for none; raises
    `KeyError` with a name that there isn't."""
    known = {name: figure for figure in FIGURES for name in (figure.name, *figure.metrics)}
    wanted = [known[name] for name in names]
    return [figure for figure in FIGURES if figure in wanted or not names]
