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
BEFORE = 10
AT_ONCE = 20
Arrive = Callable[[str, int], Awaitable[User]]

TIDY = 2.5
"""Seconds for the first ones' end: the server then gives back what its start and they had left,
which would otherwise be taken off what the others cost."""
SETTLE = 4.0
"""Seconds after the last answer: a session is idle when nobody has worked on it for so long."""


async def idle_session(plan: Plan) -> list[Metric]:
    """Both figures, round by round."""
    return [*await plain(plan), *await painted(plan)]


async def plain(plan: Plan, settle: float = SETTLE) -> list[Metric]:
    """Sessions that did no more than set a parameter."""
    return [await _metric("idle_session_kb", 60.0, plan, _plain, settle)]


async def painted(plan: Plan) -> list[Metric]:
    """Sessions with a canvas and a picture."""
    return [await _metric("idle_session_kb_painted", 150.0, plan, _painted, SETTLE)]


async def _metric(name: str, most: float, plan: Plan, arrive: Arrive, settle: float) -> Metric:
    raise_file_limit()
    count, rounds = plan.count(CONNECTIONS), []
    for number in range(plan.rounds):
        plan.say(f"{name}: round {number + 1} of {plan.rounds}")
        rounds.append(await _growth(plan, count, arrive, settle))
    return metric(name, "kB", rounds, Goal("≤", most), connections=count)


async def _growth(plan: Plan, count: int, arrive: Arrive, settle: float) -> float:
    """kB a connection."""
    async with serving(plan.fake()) as server:
        for user in await _arrive(server, BEFORE, arrive):
            await user.close()
        await asyncio.sleep(TIDY)
        before = server.memory_kb()
        users = await _arrive(server, count, arrive)
        await asyncio.sleep(settle)
        growth = (server.memory_kb() - before) / count
        for user in users:
            user.vanish()
        return growth


async def _arrive(server: Server, count: int, arrive: Arrive) -> list[User]:
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
