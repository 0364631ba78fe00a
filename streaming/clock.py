"""What time is it: the one type that everything with a clock is given.

Role: names the clock that is passed in wherever time matters, so that tests can be it.
Invariants: seconds, monotonic, the same for all processes of one machine (Python's `perf_counter`
is, on Linux, macOS and Windows).
It does not know: the time of day. On the wire a reading is in milliseconds: `clock() * 1000`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]

monotonic: Clock = time.perf_counter
"""The clock of a real process: `time.perf_counter`."""
