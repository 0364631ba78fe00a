"""`server_tax` and `server_tax_fast`: what the server costs beside the model's own time.

Role: one client that never pauses ÷ the bare loop; defined in docs/benchmarks.md.
It does not know: how the loop or the load works (`figures/plan.py`).
"""

from __future__ import annotations

from loadtests.bare import Order
from loadtests.drawings import drawing_of
from loadtests.figures.plan import Plan, bare_loop, pictures_per_second
from loadtests.metric import Goal, Metric, interleave, metric
from loadtests.served import Subject, serving
from loadtests.users import User

FAST = ("step_ms=3", "width=512", "height=512")


async def server_tax(plan: Plan) -> list[Metric]:
    """With the built-in model; the bare loop encodes as well."""
    return [await _tax("server_tax", plan, plan.built_in, 0.95, plan.seconds(5), encode=True)]


async def server_tax_fast(plan: Plan) -> list[Metric]:
    """With a model of 3 ms; the model alone doesn't encode."""
    subject = plan.fake(*FAST)
    return [await _tax("server_tax_fast", plan, subject, 0.85, plan.seconds(4), encode=False)]


async def _tax(
    name: str, plan: Plan, subject: Subject, least: float, seconds: float, *, encode: bool
) -> Metric:
    order = Order(seconds=seconds, steps=1, encode=encode)
    async with bare_loop(subject) as bare, serving(subject) as server:
        user = await User(drawing_of(0), params={"steps": 1}).connect(server.url)
        pairs = await interleave(
            plan.rounds,
            lambda: pictures_per_second(user, seconds),
            lambda: bare.rate(order),
            plan.say,
        )
        await user.close()
    ratios = [served / alone for served, alone in pairs]
    return metric(
        name, "ratio", ratios, Goal("≥", least),
        served=[served for served, _ in pairs], bare=[alone for _, alone in pairs],
    )  # fmt: skip
