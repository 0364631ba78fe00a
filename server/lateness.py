"""How late the event loop comes to what is due.

Role: a task that sleeps a little and looks at the clock: whatever holds the loop up (a handler that
works too long, a machine without processor time left) holds everybody's edits and pictures up. It
does not know: who is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

EVERY = 0.02
"""Seconds between two looks."""


async def watch_loop(observe: Callable[[float], None]) -> None:
    """Tell, until cancelled, by how many seconds each look was late."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + EVERY
        await asyncio.sleep(EVERY)
        observe(max(0.0, clock() - due))
