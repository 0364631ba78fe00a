"""How much one gateway, session or connection may use, in one frozen place.

Role: every bound that keeps a slow, vanishing or malicious client from costing others anything.
Invariants: all of them are finite. It does not know: where the figures come from (settings do).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the gateway. Sizes in bytes, times in seconds.

    `keep_seconds`: how long a session outlives its last connection; `unclaimed_seconds`: the same
    for one that nobody ever connected to, and the most for one without an edit. `rest_seconds`:
    idle this long, a session is compressed.
    `history_bytes` of one session, `all_history_bytes` of all: those idle longest are cut first.
    `bad_messages`: malformed ones in a row before the connection is closed. `reply_queue`: control
    messages that may wait for a client that doesn't read. `status_seconds`, `state_seconds`: the
    least time between two messages of that kind to one client.
    """

    max_sessions: int = 1000
    max_viewers: int = 16
    max_clients: int = 16
    keep_seconds: float = 600.0
    unclaimed_seconds: float = 60.0
    rest_seconds: float = 2.0
    history_bytes: int = 8 << 20
    all_history_bytes: int = 1 << 30
    max_message_bytes: int = 4 << 20
    max_picture_pixels: int = 4096 * 4096
    hello_seconds: float = 10.0
    send_seconds: float = 10.0
    close_seconds: float = 2.0
    retry_seconds: float = 1.0
    status_seconds: float = 0.25
    state_seconds: float = 0.05
    reply_queue: int = 256
    bad_messages: int = 20
