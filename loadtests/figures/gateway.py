"""`gateway_ratio`: how many pictures the gateway moves, beside a bare `websockets` server.

Role: defined in docs/benchmarks.md. The model costs nothing and its pictures come encoded, so that
nothing is left but sockets, credits and the way through the engine.

It does not know: what the gateway does with a picture.
"""

from __future__ import annotations

import asyncio
import time

from loadtests.drawings import drawing_of
from loadtests.figures.plan import LEAD, Plan, bare_feed
from loadtests.metric import Goal, Metric, interleave, metric
from loadtests.served import serving
from loadtests.users import User

CLIENTS = 8
SIZE = 65536
STEPS = 8


async def gateway_ratio(plan: Plan) -> list[Metric]:
    """Pictures/s of eight clients, here ÷ there."""
    seconds = plan.seconds(4)
    subject = plan.fake(f"encoded_bytes={SIZE}")
    async with serving(subject) as ours, bare_feed(SIZE, STEPS) as theirs:
        pairs = await interleave(
            plan.rounds,
            lambda: _rate(ours.url, seconds, {"steps": STEPS}),
            lambda: _rate(theirs.url, seconds, {}),
            plan.say,
        )
    ratios = [mine / bare for mine, bare in pairs]
    return [
        metric(
            "gateway_ratio", "ratio", ratios, Goal("≥", 0.6),
            served=[mine for mine, _ in pairs], bare=[bare for _, bare in pairs],
        )
    ]  # fmt: skip


async def _rate(url: str, seconds: float, params: dict[str, str | int | float | bool]) -> float:
    """Pictures/s that all clients receive together."""
    users = [User(drawing_of(n), edits="seed", params=params) for n in range(CLIENTS)]
    await asyncio.gather(*(user.connect(url) for user in users))
    start = time.perf_counter() + LEAD
    await asyncio.gather(*(user.on_step(STEPS - 1, LEAD + seconds) for user in users))
    pictures = sum(len(user.log.between(start, start + seconds)) for user in users)
    for user in users:
        user.vanish()
    return pictures / seconds
