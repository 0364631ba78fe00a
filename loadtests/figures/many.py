"""`batching`, `engine_tick_ms`, `hand_over_ms`, `loop_late`: many people on one device.

Role: defined in docs/benchmarks.md. It does not know: how rows are chosen, how bytes cross.
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson

from loadtests.drawings import drawing_of
from loadtests.figures.plan import LEAD, NEVER_PAUSES, Plan
from loadtests.metric import Goal, Metric, interleave, metric
from loadtests.served import ROOT, Server, serving
from loadtests.users import User

CLIENTS = 8
COST = ("step_ms=8", "per_row_ms=2", "encoded_bytes=4096")
DRAWN, RATE = 4, 30.0
LATENESS = "riverrun_loop_delay_seconds"


async def batching(plan: Plan) -> list[Metric]:
    """Eight together ÷ eight one after another."""
    seconds = plan.seconds(4)
    one = plan.fake(*COST, "max_batch=1")
    async with serving(plan.fake(*COST)) as many, serving(one) as single:
        pairs = await interleave(
            plan.rounds,
            lambda: _together(many.url, seconds),
            lambda: _together(single.url, seconds),
            plan.say,
        )
    ratios = [shared / max(alone, 0.1) for shared, alone in pairs]
    return [metric("batching", "ratio", ratios, Goal("≥", 2.5), pictures_per_second=pairs)]


async def _together(url: str, seconds: float) -> float:
    """Pictures/s of all clients."""
    users = [User(drawing_of(n), params={"steps": 4}, previews=False) for n in range(CLIENTS)]
    await asyncio.gather(*(user.connect(url) for user in users))
    start = time.perf_counter() + LEAD
    await asyncio.gather(*(user.draw(NEVER_PAUSES, LEAD + seconds) for user in users))
    made = sum(len(user.log.between(start, start + seconds)) for user in users)
    await asyncio.gather(*(user.close() for user in users))
    return made / seconds


async def engine_tick(plan: Plan) -> list[Metric]:
    """The engine's own time a tick."""
    found = [await _inside(plan, "ticks", number) for number in range(plan.rounds)]
    rounds = [each["ms"] for each in found]
    ticks = [each["ticks"] for each in found]
    return [metric("engine_tick_ms", "ms", rounds, Goal("≤", 0.2), ticks=ticks)]


async def hand_over(plan: Plan) -> list[Metric]:
    """From the worker's picture to the gateway's."""
    found = [await _inside(plan, "handover", number) for number in range(plan.rounds)]
    rounds = [each["ms"] for each in found]
    tails = [each["p99"] for each in found]
    return [metric("hand_over_ms", "ms", rounds, Goal("≤", 0.4), p99=tails)]


async def loop_late(plan: Plan) -> list[Metric]:
    """The share of looks at the clock that came late."""
    seconds, shares = plan.seconds(8), list[float]()
    async with serving(plan.built_in) as server:
        for number in range(plan.rounds):
            plan.say(f"round {number + 1} of {plan.rounds}")
            users = [User(drawing_of(n), params={"steps": 4}) for n in range(DRAWN)]
            await asyncio.gather(*(user.connect(server.url) for user in users))
            before = await _looks(server)
            await asyncio.gather(*(user.draw(RATE, seconds) for user in users))
            after = await _looks(server)
            await asyncio.gather(*(user.close() for user in users))
            looked, in_time = (b - a for a, b in zip(before, after, strict=True))
            shares.append((looked - in_time) / looked)
    return [metric("loop_late", "share", shares, Goal("≤", 0.01))]


async def _looks(server: Server) -> tuple[float, float]:
    """How often the loop was looked at, and how often it was no later than it may be."""
    _, text = await server.get("/metrics")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith(LATENESS))
    return float(values[LATENESS + "_count"]), float(values[LATENESS + '_bucket{le="0.01"}'])


async def _inside(plan: Plan, part: str, number: int) -> dict[str, float]:
    """What `loadtests.inside` says, with the plan's fault in it."""
    plan.say(f"round {number + 1} of {plan.rounds}")
    launcher = ["loadtests.faults", plan.fault, "inside"] if plan.fault else ["loadtests.inside"]
    command = [sys.executable, "-m", *launcher, part, str(plan.seconds(2))]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe)
    told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    found: dict[str, float] = orjson.loads(told)
    return found
