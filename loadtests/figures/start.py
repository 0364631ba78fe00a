"""`start_ratio` and `page_alive_s`: from the command to the first picture, and to the page.

Role: defined in docs/benchmarks.md. It does not know: what a start does.
"""

from __future__ import annotations

import asyncio
import sys
import time

from loadtests.drawings import drawing_of
from loadtests.figures.plan import Plan
from loadtests.metric import Goal, Metric, interleave, metric
from loadtests.served import ROOT, Server, serving
from loadtests.users import User

IMPORTS = """
import torch
from diffusers import AutoencoderTiny, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer
"""
"""What `scenes` is made of."""

RETRY = 0.02


async def start(plan: Plan, imports: str = IMPORTS, *, cached: bool = False) -> list[Metric]:
    """Both figures, from the same starts. `imports` is the Python whose run is the denominator;
    unless the files are `cached` already, one of each goes unmeasured first."""

    async def ours() -> tuple[float, float]:
        async with serving(plan.built_in, ready=False) as server:
            return await asyncio.gather(_first_picture(server), _alive(server))

    async def bare() -> float:
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", imports, cwd=ROOT)
        if await process.wait():
            raise RuntimeError("the imports failed; see above")
        return time.perf_counter() - began

    if not cached:
        await ours()
        await bare()
    pairs = await interleave(plan.rounds, ours, bare, plan.say)
    pictures = [picture for (picture, _), _ in pairs]
    ratios = [picture / bare for (picture, _), bare in pairs]
    return [
        metric(
            "start_ratio", "ratio", ratios, Goal("≤", 2.2),
            first_picture_s=pictures, imports_s=[each for _, each in pairs],
        ),
        metric("page_alive_s", "s", [alive for (_, alive), _ in pairs], Goal("≤", 1.0)),
    ]  # fmt: skip


async def _first_picture(server: Server) -> float:
    """Seconds until the first picture: connect as soon as anybody listens, edit, wait."""
    while True:
        user = User(drawing_of(0))
        try:
            await user.connect(server.url)
            break
        except ConnectionError:
            await server.pause(RETRY)
    user.edit()
    await user.until(lambda: bool(user.log.pictures))
    seconds = user.log.pictures[0].at - server.started
    await user.close()
    return seconds


async def _alive(server: Server) -> float:
    """Seconds until the page and the health route answer."""
    for path in ("/", "/healthz"):
        await server.until(path)
    return time.perf_counter() - server.started
