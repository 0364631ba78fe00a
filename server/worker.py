"""The second root: the process that owns the device. Started by `server.engine_process`.

Role: `python -m server.worker LINE MEMORY` builds the models and runs the engine on its main
thread, between a socket and two rings that it inherited.

Invariants: it ends when the gateway does, however that ends; signals are the gateway's business,
which drains before it says `Stop`. A line on stderr is the only thing that it writes.

It does not know: sockets of clients, sessions.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Sequence

import msgspec

from server.logs import set_up
from server.registry import builders, output_check
from server.settings import Settings
from server.shared import opened
from streaming.clock import monotonic
from streaming.engine import Engine
from streaming.port import Port

DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _die_with_parent()
    ends = opened(*(int(argument) for argument in arguments))
    inward, outward, pulse = ends.mapped()
    settings = _settings(ends.line.makefile("rb", 0).readline())
    set_up(settings.log_format, settings.log_level)
    port = Port(ends.line, inward, outward)
    Engine(
        builders(settings),
        port.deliver,
        clock=monotonic,
        mailbox=port,
        pulse=pulse,
        check=output_check(settings),
    ).run()
    return 0


def _settings(line: bytes) -> Settings:
    if not line:
        sys.exit(0)  # the gateway ended before it said anything
    return msgspec.json.decode(line, type=Settings)


def _die_with_parent() -> None:
    """A model that computes or loads for long doesn't look whether the gateway is still there."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(DEATH_SIGNAL, int(signal.SIGKILL))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
