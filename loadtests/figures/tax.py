"""`server_tax` and `server_tax_fast`: what the server costs beside the model's own time.

Role: one client that never pauses ÷ the bare loop; defined in docs/benchmarks.md.
It does not know: how the loop or the load works (`figures/plan.py`).
"""

from __future__ import annotations

from loadtests.bare import Order
from loadtests.drawings import drawing_of
from loadtests.figures.plan import NEVER_PAUSES, Plan, bare_loop, pictures_per_second
from loadtests.metric import Goal, Metric, interleave, metric
from loadtests.served import Subject, serving
from loadtests.users import User

FAST = ("step_ms=3", "width=512", "height=512")
FAST_RATE = 360.0
"""Edits/s that keep a model of 3 ms busy: more than the 333 pictures/s that it could make."""


async def server_tax(plan: Plan) -> list[Metric]:
    """With the built-in model; the bare loop encodes as well."""
    order = Order(seconds=plan.seconds(5), steps=1)
    return [await _tax("server_tax", plan, plan.built_in, 0.95, order, NEVER_PAUSES)]


async def server_tax_fast(plan: Plan) -> list[Metric]:
    """With a model of 3 ms; the model alone doesn't encode."""
    order = Order(seconds=plan.seconds(4), steps=1, encode=False)
    return [await _tax("server_tax_fast", plan, plan.fake(*FAST), 0.85, order, FAST_RATE)]


async def _tax(
    name: str, plan: Plan, subject: Subject, least: float, order: Order, rate: float
) -> Metric:
    async with bare_loop(subject) as bare, serving(subject) as server:
        user = await User(drawing_of(0), params={"steps": 1}).connect(server.url)
        pairs = await interleave(
            plan.rounds,
            lambda: pictures_per_second(user, order.seconds, rate),
            lambda: bare.rate(order),
            plan.say,
        )
        await user.close()
    ratios = [served / alone for served, alone in pairs]
    return metric(
        name, "ratio", ratios, Goal("≥", least),
        served=[served for served, _ in pairs], bare=[alone for _, alone in pairs],
    )  # fmt: skip
