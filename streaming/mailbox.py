"""What the engine has been told and hasn't read yet: any thread writes, the engine reads.

Role: the one crossing towards the engine. Invariants: bounded by the number of sessions, whatever
clients do: of each session it keeps the newest `Submit`, the newest `Want` and a `Forget` (the loss
is the type's: a request that nobody began may be replaced). What is kept comes out in the order of
posting. Writing never blocks; reading blocks at no cost where there is nothing else to do.

It does not know: what messages do.
"""

from __future__ import annotations

import threading
from itertools import islice

from streaming.messages import Forget, Stop, Submit, ToEngine, Want


class Mailbox:
    """One slot for each session and kind of message."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, type[ToEngine]], ToEngine] = {}
        self._filled = threading.Condition()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether `Stop` was posted, read or not: for what runs long without reading."""
        return self._stopping

    def post(self, message: ToEngine) -> None:
        """Keep a message, in place of an older one of its session and kind. Any thread."""
        with self._filled:
            if not self._slots:
                self._filled.notify()  # the reader waits for the first only
            self._keep(message)

    def receive(self, *, block: bool, most: int | None = None) -> list[ToEngine]:
        """All that was kept (`most` of it), oldest first; with `block` waits until there is
        something."""
        if not block and not self._slots:
            return []  # a dict's emptiness is read safely: what is posted now is seen next time
        with self._filled:
            while block and not self._slots:
                self._filled.wait()
            kept = list(islice(self._slots.items(), most))
            for slot, _ in kept:
                del self._slots[slot]
            return [message for _, message in kept]

    def _keep(self, message: ToEngine) -> None:
        session = _session(message)
        if isinstance(message, Forget):
            for kind in (Submit, Want):
                self._slots.pop((session, kind), None)
        self._stopping = self._stopping or isinstance(message, Stop)
        slot = (session, type(message))
        self._slots.pop(slot, None)  # so that the newer one takes its own place in the order
        self._slots[slot] = message


def _session(message: ToEngine) -> str:
    if isinstance(message, Submit):
        return message.request.session
    return "" if isinstance(message, Stop) else message.session
