"""`fairness`: eight people who never pause, on a model that takes three rows a call.

Role: defined in docs/benchmarks.md; three doesn't divide eight, so that somebody is always left for
the next call. It does not know: how rows are chosen.
"""

from __future__ import annotations

import asyncio
import time

from loadtests.drawings import drawing_of
from loadtests.figures.plan import LEAD, NEVER_PAUSES, Plan
from loadtests.metric import Goal, Metric, metric
from loadtests.served import serving
from loadtests.users import User

CLIENTS = 8
OPTIONS = ("step_ms=5", "max_batch=3")


async def fairness(plan: Plan) -> list[Metric]:
    """Pictures of the least served ÷ those of the most served."""
    seconds = plan.seconds(5)
    rounds: list[list[int]] = []
    async with serving(plan.fake(*OPTIONS)) as server:
        for number in range(plan.rounds):
            plan.say(f"round {number + 1} of {plan.rounds}")
            users = [User(drawing_of(n), params={"steps": 4}) for n in range(CLIENTS)]
            await asyncio.gather(*(user.connect(server.url) for user in users))
            start = time.perf_counter() + LEAD
            await asyncio.gather(*(user.draw(NEVER_PAUSES, LEAD + seconds) for user in users))
            rounds.append([len(user.log.between(start, start + seconds)) for user in users])
            await asyncio.gather(*(user.close() for user in users))
    ratios = [min(counts) / max(1, max(counts)) for counts in rounds]
    return [metric("fairness", "ratio", ratios, Goal("≥", 0.8), pictures=rounds)]
