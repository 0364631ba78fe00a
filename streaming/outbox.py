"""Queues whose type says what they lose, and the credits that let anything go out at all.

Role: `Latest` holds one picture and loses the older; `Chunks` holds a few in order, loses what an
edit made old, and refuses more than fit; `Credits` says how many may be on their way.

Invariants: none of them grows without bound, none of them waits: who waits is the writer.
It does not know: sockets, event loops, pictures.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from streaming.errors import BadMessage

T = TypeVar("T")


class Latest(Generic[T]):
    """One slot. A newer item takes the place of the one that wasn't taken; `drops` counts those."""

    __slots__ = ("_item", "drops")

    def __init__(self) -> None:
        self._item: T | None = None
        self.drops = 0

    def __len__(self) -> int:
        return self._item is not None

    def put(self, item: T) -> T | None:
        """Put `item` in; the item that was lost for it, or None."""
        lost, self._item = self._item, item
        self.drops += lost is not None
        return lost

    def take(self) -> T | None:
        """Take the item out, or None where there is none."""
        item, self._item = self._item, None
        return item


class Chunks(Generic[T]):
    """At most `size` items in order, all of one revision; those of an older one are let go."""

    __slots__ = ("_items", "drops", "revision", "size")

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque()
        self.size = size
        self.revision = 0
        self.drops = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, revision: int, item: T) -> bool:
        """Append `item`; False where it is too old or there is no room (counted as a drop)."""
        if revision > self.revision:
            self.flush(revision)
        if revision < self.revision or len(self._items) >= self.size:
            self.drops += 1
            return False
        self._items.append(item)
        return True

    def flush(self, revision: int) -> int:
        """From now on only `revision` and newer; how many items were let go."""
        lost = len(self._items)
        self._items.clear()
        self.revision = revision
        self.drops += lost
        return lost

    def take(self) -> T | None:
        """Take the oldest item out, or None where there is none."""
        return self._items.popleft() if self._items else None


class Credits:
    """`window` items may be sent and not acknowledged. Sequences count from 1. `free`: how many may
    be sent now."""

    __slots__ = ("acked", "free", "sent")

    def __init__(self, window: int) -> None:
        self.free = window
        self.sent = 0
        self.acked = 0

    def take(self) -> int:
        """Use a credit; the sequence of what is sent with it."""
        assert self.free > 0
        self.free -= 1
        self.sent += 1
        return self.sent

    def untake(self) -> None:
        """What the last credit was taken for won't be sent after all."""
        if self.sent > self.acked:  # a hasty client may have acknowledged it already
            self.sent -= 1
            self.free += 1

    def ack(self, sequence: int) -> None:
        """All up to `sequence` were shown; raises `BadMessage` for one that was never sent."""
        if sequence > self.sent:
            raise BadMessage(f"ack of picture {sequence}, but only {self.sent} were sent")
        if sequence > self.acked:
            self.free += sequence - self.acked
            self.acked = sequence
