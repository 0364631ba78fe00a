"""`idle_session_kb`: what a session costs that is only there.

Role: the growth of the server's private memory over a thousand connections, plain and painted;
defined in docs/benchmarks.md. Each round has a server of its own: memory once grown isn't given
back, and a second round would find it there.

It does not know: what the server keeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from loadtests.drawings import drawing_of
from loadtests.figures.plan import Plan
from loadtests.metric import Goal, Metric, metric
from loadtests.served import Server, raise_file_limit, serving
from loadtests.users import User

CONNECTIONS = 1000
BEFORE = 50
AT_ONCE = 20
SETTLE = 4.0
"""Seconds after the last answer: a session is idle when nobody has worked on it for so long."""


async def idle_session(plan: Plan) -> list[Metric]:
    """Both figures, each on fresh servers."""
    raise_file_limit()
    count = plan.count(CONNECTIONS)
    plain, painted = [], []
    for number in range(plan.rounds):
        plan.say(f"round {number + 1} of {plan.rounds}")
        plain.append(await _growth(plan, count, _plain))
        painted.append(await _growth(plan, count, _painted))
    return [
        metric("idle_session_kb", "kB", plain, Goal("≤", 60.0), connections=count),
        metric("idle_session_kb_painted", "kB", painted, Goal("≤", 150.0), connections=count),
    ]


async def _growth(plan: Plan, count: int, arrive: Callable[[str, int], Awaitable[User]]) -> float:
    """kB a connection."""
    async with serving(plan.fake()) as server:
        for user in await _arrive(server, BEFORE, arrive):
            await user.close()
        await asyncio.sleep(SETTLE)
        before = server.memory_kb()
        users = await _arrive(server, count, arrive)
        await asyncio.sleep(SETTLE)
        growth = (server.memory_kb() - before) / count
        for user in users:
            user.vanish()
        return growth


async def _arrive(
    server: Server, count: int, arrive: Callable[[str, int], Awaitable[User]]
) -> list[User]:
    """So many users, a few at once."""
    users: list[User] = []
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(count, first + AT_ONCE))
        users += await asyncio.gather(*(arrive(server.url, number) for number in numbers))
    return users


async def _plain(url: str, number: int) -> User:
    """Hello and one parameter edit."""
    user = User(drawing_of(number), params={"seed": number + 1}, pictures=False)
    return await user.connect(url)


async def _painted(url: str, number: int) -> User:
    """Hello, one parameter edit, a canvas, and the picture of it."""
    user = User(drawing_of(number), params={"seed": number + 1, "steps": 1})
    await user.connect(url)
    user.whole_canvas()
    await user.settle()
    return user
