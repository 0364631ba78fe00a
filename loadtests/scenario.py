"""Headless users on a running server, with progress: what an operator tries a deployment with.

Role: `clients` users draw at `rate`, some of them behind a thin line; each second one line, at the
end a summary. It does not know: figures, goals.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadtests.drawings import drawing_of
from loadtests.metric import percentile
from loadtests.relay import relay
from loadtests.users import User


@dataclass(frozen=True)
class Scenario:
    """`rate` in edits/s of each user. `slow` users read `read_rate` bytes/s only."""

    url: str
    clients: int
    rate: float
    seconds: float
    steps: int | None = None
    slow: int = 0
    read_rate: float = 900_000.0

    async def run(self) -> None:
        """Connect, draw, tell."""
        async with AsyncExitStack() as stack:
            users = [await self._user(number, stack) for number in range(self.clients)]
            print(f"{len(users)} users connected to {self.url}", flush=True)
            draws = [asyncio.create_task(self._draw(user)) for user in users]
            await self._watch(users, draws)
            await asyncio.gather(*draws)
            self._sum_up(users)
            await asyncio.gather(*(user.close() for user in users))

    async def _user(self, number: int, stack: AsyncExitStack) -> User:
        user = User(drawing_of(number), params={"steps": self.steps} if self.steps else {})
        parts = urlsplit(self.url)
        if number >= self.slow or not parts.hostname:
            return await user.connect(self.url)
        line = await stack.enter_async_context(
            relay(parts.hostname, parts.port or 80, self.read_rate)
        )
        return await user.connect(f"ws://127.0.0.1:{line.port}{parts.path}", host=parts.netloc)

    async def _draw(self, user: User) -> None:
        await user.draw(self.rate, self.seconds)
        await user.settle()

    async def _watch(self, users: list[User], draws: list[asyncio.Task[None]]) -> None:
        """One line a second while they draw."""
        start = time.perf_counter()
        while not all(draw.done() for draw in draws):
            await asyncio.wait(draws, timeout=1.0, return_when=asyncio.ALL_COMPLETED)
            now = time.perf_counter()
            rate = sum(len(user.log.between(now - 1, now)) for user in users)
            times = [each for user in users for each in user.log.latencies(since=now - 2)]
            eye = f"edit to picture p50 {percentile(times, 0.5):.0f} ms" if times else "no picture"
            print(f"{now - start:5.1f} s  {rate:5d} pictures/s  {eye}", flush=True)

    def _sum_up(self, users: list[User]) -> None:
        times = [each for user in users for each in user.log.latencies()]
        counts = [len(user.log.pictures) for user in users]
        edits = sum(len(user.log.sent) for user in users)
        print(
            f"{edits} edits, {sum(counts)} pictures ({min(counts)} to {max(counts)} a user); "
            f"edit to first picture p50 {percentile(times, 0.5):.1f} ms, "
            f"p95 {percentile(times, 0.95):.1f} ms, max {max(times):.1f} ms"
        )
