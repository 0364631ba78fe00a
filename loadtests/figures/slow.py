"""A slow reader, the others beside it, and a reader that stops: `slow_reader_age_ms`,
`slow_reader_others`, `stopped_reader_steps`.

Role: defined in docs/benchmarks.md. A picture's age counts from the engine's output: the edit's
arrival and the engine's stages, as its header reports them on the server's clock.

It does not know: how slowness is made (`loadtests/relay.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadtests.drawings import drawing_of
from loadtests.figures.plan import Plan
from loadtests.metric import Goal, Metric, interleave, metric, percentile
from loadtests.relay import Line, relay
from loadtests.served import Server, serving
from loadtests.users import Arrival, User

OPTIONS = ("step_ms=5", "encoded_bytes=60000")
RATE = 30.0
BYTES_PER_SECOND = 900_000.0
OTHERS = 3
GRACE, WATCHED, LEAST = 1.0, 2.0, 0.5
"""Seconds from the stop to the count, of the count, and the least of both at any pace."""
STEPS = "riverrun_step_seconds_count"


async def slow_reader(plan: Plan) -> list[Metric]:
    """All three, on one server."""
    seconds = plan.seconds(5)
    async with serving(plan.fake(*OPTIONS)) as server:

        async def beside() -> tuple[float, float]:
            async with slow_user(server) as (slow, _):
                drawn = asyncio.create_task(slow.draw(RATE, seconds))
                others = await _others(server, seconds)
                await drawn
                return others, percentile([age_ms(slow, p) for p in slow.log.pictures], 0.95)

        async def without() -> float:
            return await _others(server, seconds)

        pairs = await interleave(plan.rounds, beside, without, plan.say)
        stopped = []
        for number in range(plan.rounds):
            plan.say(f"stopped reader, round {number + 1} of {plan.rounds}")
            stopped.append(await _stopped(server, plan))
    ages = [age for (_, age), _ in pairs]
    ratios = [others / alone for (others, _), alone in pairs]
    return [
        metric("slow_reader_age_ms", "ms", ages, Goal("≤", 200.0)),
        metric(
            "slow_reader_others", "ratio", ratios, Goal("≤", 1.2),
            beside_ms=[others for (others, _), _ in pairs], without_ms=[each for _, each in pairs],
        ),
        metric("stopped_reader_steps", "steps", stopped, Goal("≤", 0.0)),
    ]  # fmt: skip


def age_ms(user: User, picture: Arrival) -> float:
    """Milliseconds from the engine's output until the last byte had arrived."""
    times = picture.times
    output = picture.received + times.queue + times.begin + times.step + times.decode
    return picture.at * 1000 + user.offset_ms - output


@asynccontextmanager
async def slow_user(server: Server) -> AsyncIterator[tuple[User, Line]]:
    """A user behind a thin line."""
    async with relay("127.0.0.1", server.port, BYTES_PER_SECOND) as line:
        user = User(drawing_of(OTHERS), params={"steps": 1})
        url = server.url.replace(f":{server.port}/", f":{line.port}/")
        await user.connect(url, host=server.address)
        yield user, line
        await user.close()


async def _others(server: Server, seconds: float) -> float:
    """The p95 of edit → first picture of three users at full speed."""
    users = [User(drawing_of(n), params={"steps": 1}) for n in range(OTHERS)]
    await asyncio.gather(*(user.connect(server.url) for user in users))
    await asyncio.gather(*(user.draw(RATE, seconds) for user in users))
    await asyncio.gather(*(user.settle() for user in users))
    times = [each for user in users for each in user.log.latencies()]
    await asyncio.gather(*(user.close() for user in users))
    return percentile(times, 0.95)


async def _stopped(server: Server, plan: Plan) -> float:
    """Model calls while the only user draws and doesn't read."""
    grace, watched = (max(LEAST, plan.seconds(each)) for each in (GRACE, WATCHED))
    async with slow_user(server) as (user, line):
        await user.draw(RATE, 0.5)
        line.rate = 0.0
        await user.draw(RATE, grace)
        before = await server.counted(STEPS)
        await user.draw(RATE, watched)
        steps = await server.counted(STEPS) - before
        line.rate = 1e9
    return steps
