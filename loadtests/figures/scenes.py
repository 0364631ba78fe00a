"""`scenes_pictures_*`: finals a second of the built-in model, and where the time goes.

Role: defined in docs/benchmarks.md: one, two and four steps with only the last decoded, and four
with every preview. It does not know: the model.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from loadtests.drawings import drawing_of
from loadtests.figures.plan import LEAD, Plan
from loadtests.metric import Goal, Metric, metric
from loadtests.served import Server, serving
from loadtests.users import Log, User

STAGES = ("begin", "step", "decode", "encode")


@dataclass(frozen=True)
class Run:
    """One figure: a client that takes this, and what is asked of it."""

    name: str
    steps: int
    previews: bool = False
    goal: Goal | None = None


RUNS = (
    Run("scenes_pictures_1", 1, goal=Goal("≥", 12)),
    Run("scenes_pictures_2", 2),
    Run("scenes_pictures_4", 4, goal=Goal("≥", 7)),
    Run("scenes_pictures_4_previews", 4, previews=True, goal=Goal("≥", 4)),
)
Shares = dict[str, float]


async def scenes(plan: Plan) -> list[Metric]:
    """One metric for each run; the runs take turns within a round."""
    seconds = plan.seconds(4)
    rounds: dict[Run, list[tuple[float, Shares]]] = {run: [] for run in RUNS}
    async with serving(plan.built_in) as server:
        for number in range(plan.rounds):
            plan.say(f"round {number + 1} of {plan.rounds}")
            for run, found in rounds.items():
                found.append(await _measured(server, run, seconds))
    return [_metric(run, found) for run, found in rounds.items()]


def _metric(run: Run, found: list[tuple[float, Shares]]) -> Metric:
    rates = [rate for rate, _ in found]
    if run.previews:
        return metric(run.name, "pictures/s", rates, run.goal)
    share = {key: statistics.median(shares[key] for _, shares in found) for key in found[0][1]}
    return metric(run.name, "pictures/s", rates, run.goal, share=share)


async def _measured(server: Server, run: Run, seconds: float) -> tuple[float, Shares]:
    user = User(drawing_of(0), params={"steps": run.steps}, previews=run.previews)
    await user.connect(server.url)
    begin = time.perf_counter() + LEAD
    await user.on_step(run.steps, LEAD + seconds)
    await user.settle()
    rate = sum(p.final for p in user.log.between(begin, begin + seconds)) / seconds
    await user.close()
    return rate, shares(user.log)


def shares(log: Log) -> Shares:
    """The part that each stage has of the time from edit to final, where finals alone came; the
    rest is queue, credit and the wire."""
    total = sum(log.latencies())
    pictures = log.pictures
    parts = {s: sum(getattr(p.times, s) for p in pictures) / total for s in STAGES}
    return {**parts, "rest": 1 - sum(parts.values())}
