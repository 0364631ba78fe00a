"""`scenes_pictures_1`, `_2`, `_4`: finals a second of the built-in model, and where the time goes.

Role: defined in docs/benchmarks.md; no goal. It does not know: the model.
"""

from __future__ import annotations

import statistics
import time

from loadtests.drawings import drawing_of
from loadtests.figures.plan import LEAD, Plan
from loadtests.metric import Metric, metric
from loadtests.served import Server, serving
from loadtests.users import Log, User

STAGES = ("begin", "step", "decode", "encode")


async def scenes(plan: Plan) -> list[Metric]:
    """One metric for each number of steps; the step counts take turns within a round."""
    seconds = plan.seconds(4)
    rounds: dict[int, list[tuple[float, dict[str, float]]]] = {1: [], 2: [], 4: []}
    async with serving(plan.built_in) as server:
        for number in range(plan.rounds):
            plan.say(f"round {number + 1} of {plan.rounds}")
            for steps, found in rounds.items():
                found.append(await _run(server, steps, seconds))
    return [
        metric(
            f"scenes_pictures_{steps}", "pictures/s", [rate for rate, _ in found],
            share={key: statistics.median(s[key] for _, s in found) for key in found[0][1]},
        )
        for steps, found in rounds.items()
    ]  # fmt: skip


async def _run(server: Server, steps: int, seconds: float) -> tuple[float, dict[str, float]]:
    user = User(drawing_of(0), params={"steps": steps}, previews=False)
    await user.connect(server.url)
    begin = time.perf_counter() + LEAD
    await user.on_step(steps, LEAD + seconds)
    await user.settle()
    rate = len(user.log.between(begin, begin + seconds)) / seconds
    await user.close()
    return rate, shares(user.log)


def shares(log: Log) -> dict[str, float]:
    """The part that each stage has of the time from edit to final; the rest is queue, credit and
    the wire."""
    total = sum(log.latencies())
    pictures = log.pictures
    parts = {s: sum(getattr(p.times, s) for p in pictures) / total for s in STAGES}
    return {**parts, "rest": 1 - sum(parts.values())}
