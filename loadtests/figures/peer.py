"""`vs_naive_p95`: four people drawing, here and on the server that people write first.

Role: defined in docs/benchmarks.md. It does not know: how either server works.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadtests import naive
from loadtests.drawings import drawing_of
from loadtests.figures.plan import Plan
from loadtests.metric import Goal, Metric, interleave, metric, percentile
from loadtests.served import Server, Subject, free_port, serving, started
from loadtests.users import User

CLIENTS = 4
RATE = 30.0
STEPS = 4


@asynccontextmanager
async def naive_server(subject: Subject) -> AsyncIterator[Server]:
    """The peer's process, ready."""
    port = free_port()
    options = [part for option in subject.options for part in ("--model-option", option)]
    command = [
        sys.executable, "-m", "loadtests", "naive",
        "--port", str(port), "--model", subject.model, *options,
    ]  # fmt: skip
    async with started(command, port) as server:
        await server.until("/readyz")
        yield server


async def vs_naive(plan: Plan) -> list[Metric]:
    """Our p95 over every edit ÷ theirs over every request."""
    seconds = plan.seconds(6)
    async with serving(plan.built_in) as ours, naive_server(plan.built_in) as theirs:

        async def here() -> float:
            users = [User(drawing_of(n), params={"steps": STEPS}) for n in range(CLIENTS)]
            await asyncio.gather(*(user.connect(ours.url) for user in users))
            await asyncio.gather(*(user.draw(RATE, seconds) for user in users))
            await asyncio.gather(*(user.settle() for user in users))
            times = [each for user in users for each in user.log.latencies()]
            await asyncio.gather(*(user.close() for user in users))
            return percentile(times, 0.95)

        async def there() -> float:
            url = f"ws://{theirs.address}{naive.PATH}"
            users = [naive.NaiveUser(drawing_of(n), {"steps": STEPS}) for n in range(CLIENTS)]
            await asyncio.gather(*(user.draw(url, RATE, seconds) for user in users))
            return percentile([each for user in users for each in user.latencies], 0.95)

        pairs = await interleave(plan.rounds, here, there, plan.say)
    ratios = [mine / peer for mine, peer in pairs]
    return [
        metric(
            "vs_naive_p95", "ratio", ratios, Goal("≤", 0.5),
            ours_ms=[mine for mine, _ in pairs], naive_ms=[peer for _, peer in pairs],
        )
    ]  # fmt: skip
