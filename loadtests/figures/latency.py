"""`edit_to_preview_ms`: from an edit to its first picture, engine idle and at 30 edits/s.

Role: the two figures beside the bare time of the first step, decode and encode; defined in
docs/benchmarks.md. It does not know: how edits are drawn or timed (`loadtests/users.py`).
"""

from __future__ import annotations

import statistics

from loadtests.bare import Order
from loadtests.drawings import drawing_of
from loadtests.figures.plan import Plan, bare_loop
from loadtests.metric import Goal, Metric, interleave, metric, percentile
from loadtests.served import serving
from loadtests.users import User

STEPS = 4
REST = 0.05
ALLOWANCE_MS = 15.0
FACTOR = 1.6


async def edit_to_preview(plan: Plan) -> list[Metric]:
    """Both figures, in the same rounds."""
    singles = plan.count(20)
    order = Order(count=singles, rest=REST, steps=STEPS)
    async with bare_loop(plan.built_in) as bare, serving(plan.built_in) as server:
        user = await User(drawing_of(0), params={"steps": STEPS}).connect(server.url)

        async def served() -> tuple[float, float]:
            await user.one_by_one(singles, REST)
            idle = percentile(user.forget().latencies(), 0.5)
            await user.draw(30, plan.seconds(5))
            await user.settle()
            return idle, percentile(user.forget().latencies(shown=True), 0.5)

        async def alone() -> float:
            return percentile(await bare.firsts(order), 0.5)

        await user.one_by_one(2, REST)
        user.forget()
        pairs = await interleave(plan.rounds, served, alone, plan.say)
        await user.close()
    return _metrics(pairs)


def _metrics(pairs: list[tuple[tuple[float, float], float]]) -> list[Metric]:
    bare = [alone for _, alone in pairs]
    middle = statistics.median(bare)
    idle = [each for (each, _), _ in pairs]
    busy = [each for (_, each), _ in pairs]
    return [
        metric(
            "edit_to_preview_ms", "ms", idle,
            Goal("≤", middle + ALLOWANCE_MS, f"bare {middle:.1f} + {ALLOWANCE_MS:g}"),
            reached=[i <= b + ALLOWANCE_MS for i, b in zip(idle, bare, strict=True)], bare=bare,
        ),
        metric(
            "edit_to_preview_ms_at_30", "ms", busy,
            Goal("≤", middle * FACTOR, f"{FACTOR:g} × bare {middle:.1f}"),
            reached=[i <= b * FACTOR for i, b in zip(busy, bare, strict=True)], bare=bare,
        ),
    ]  # fmt: skip
