"""What the gateway tells whoever measures it: one object with methods that do nothing.

Role: the seam towards metrics and logs. A server overrides what it wants to know; tests count.

Invariants: called on the event loop's thread, must not block, is told of every session's start
and end and of every picture, in order.

It does not know: Prometheus, logging, HTTP.
"""

from __future__ import annotations

from msgspec import Struct

from streaming.messages import Ticked
from streaming.protocol import StageTimes


class PictureSent(Struct, frozen=True):
    """One picture handed to a socket (replays to a client that came back are not counted).

    `first`: the session's first. `edit_to_frame_ms`: from the arrival of the newest edit in it to
    the socket. `interval_ms`: since the connection's former picture, None for its first.
    """

    session: str
    revision: int
    first: bool
    final: bool
    edit_to_frame_ms: float
    interval_ms: float | None
    bytes: int
    times: StageTimes


class Observer:
    """Does nothing; override what you count.

    Reasons of `dropped`: "replaced" (a newer picture took its place before it was sent), "stale"
    (older than what was delivered already), "ended" (its session is gone), "unwatched" (nobody
    wanted pictures when it came).
    """

    def session_opened(self, session: str) -> None:
        """A session began."""

    def session_ended(self, session: str, reason: str, seconds: float, pictures: int) -> None:
        """A session is over after `seconds`, with `pictures` sent."""

    def connected(self) -> None:
        """A connection came (before its hello)."""

    def disconnected(self, reason: str) -> None:
        """A connection left: "left", or the code of the error that closed it."""

    def edit(self, kind: str) -> None:
        """An edit was accepted: params, canvas, tile, clear, undo or redo."""

    def refused(self, code: str) -> None:
        """Something was refused with this error code."""

    def failed(self, code: str) -> None:
        """A job failed with this error code: the model's, or "withheld" by the output check."""

    def picture_sent(self, sent: PictureSent) -> None:
        """A picture went out."""

    def dropped(self, reason: str, count: int = 1) -> None:
        """Pictures that were made and won't be seen."""

    def tick(self, ticked: Ticked) -> None:
        """The engine's figures of one tick."""
