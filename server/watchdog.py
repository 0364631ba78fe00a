"""Ends an engine that hangs: looks at its pulse, again and again.

Role: a call of a model that is overdue at two looks, one after the other, is told to whoever keeps
the engine. Invariants: one look every `LOOK` seconds, which costs nothing that can be measured; a
machine that was asleep wakes up to a second look before anything is ended.

It does not know: processes, what is done about it.
"""

from __future__ import annotations

import asyncio

from streaming.pulse import Pulse

LOOK = 0.4
"""Seconds between two looks: a hung engine is known 0.8 s after its time is over at the latest."""


async def hung(pulse: Pulse) -> float:
    """Wait until a call hangs; how long it has taken, in seconds."""
    suspect = 0.0
    while True:
        await asyncio.sleep(LOOK)
        took = pulse.overdue()
        if took is not None and pulse.running == suspect:
            return took
        suspect = 0.0 if took is None else pulse.running
