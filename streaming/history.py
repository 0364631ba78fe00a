"""Undo and redo in a bounded number of bytes, a gesture at a time.

Role: holds, for each gesture, what it takes to go back to before it: the content itself while the
gesture goes on, and once it is over a patch: the former values of the parameters it set and the
former pixels of the box it painted.

Invariants:
- `nbytes` never exceeds the limit; the oldest gestures go first, and `truncated` says so.
- undo then redo gives back the same content; a new gesture forgets what could be redone.
- A gesture of any number of edits costs as much as one: recording an edit of it looks at no pixel.
- Recording compresses for about a millisecond at most: flat pixels are small at once, others stay
  as they are, and count as much, until somebody packs them (`raw`, `packed`). Only what wouldn't
  fit otherwise is packed on the spot: one gesture larger than the limit, and what an undo holds.

It does not know: revisions, edit ids, clients (a gesture's `key` is opaque), picture formats.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from models.base import Value
from streaming.canvas import (
    Box,
    Canvas,
    Pixels,
    changed_box,
    freeze,
    joined,
    pack,
    pack_quickly,
    unpack,
)

OVERHEAD = 600
"""Bytes counted for a gesture besides its pixels and values: objects, dict, list slot."""
NOWHERE: Box = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Content:
    """What a person has made: every parameter's value, and a canvas or none."""

    params: Mapping[str, Value]
    canvas: Canvas | None


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The way from one content back to another. `canvas`: "same", "absent" or "part"; a part is
    the box's pixels, packed or not (the whole canvas where there is none now)."""

    params: Mapping[str, Value]
    canvas: str = "same"
    box: Box = NOWHERE
    data: bytes | Pixels = b""

    @property
    def raw(self) -> bool:
        """Whether the pixels are held as they are."""
        return not isinstance(self.data, bytes)

    @property
    def nbytes(self) -> int:
        """What is counted against the limit."""
        size = len(self.data) if isinstance(self.data, bytes) else self.data.nbytes
        return OVERHEAD + size + _weight(self.params)

    @property
    def pixels(self) -> Pixels:
        """A part's pixels, read-only."""
        top, bottom, left, right = self.box
        if isinstance(self.data, bytes):
            return unpack(self.data, (bottom - top, right - left, 3))
        return self.data

    def packed(self) -> Patch:
        """The same, compressed. Any thread; takes its time (23 ms for 512² of noise)."""
        return replace(self, data=pack(self.pixels)) if self.raw else self


def way_back(to: Content, since: Content, within: Box | None = None) -> Patch:
    """The patch that turns `since` into `to`. `within`: where two canvases differ at most, if known
    (looking for it takes as long as all the rest)."""
    params = {n: v for n, v in to.params.items() if since.params[n] != v}
    if to.canvas is since.canvas:
        return Patch(params)
    if to.canvas is None:
        return Patch(params, "absent")
    pixels = to.canvas.pixels
    whole = (0, pixels.shape[0], 0, pixels.shape[1])
    box = (within or changed_box(since.canvas.pixels, pixels)) if since.canvas else whole
    if box is None:
        return Patch(params)
    top, bottom, left, right = box
    part = pixels[top:bottom, left:right]
    # Frozen it is a copy: a view would hold on to all of the canvas, which nobody counts.
    return Patch(params, "part", box, pack_quickly(part) or freeze(part))


def patched(content: Content, patch: Patch) -> Content:
    """`content` after `patch`."""
    params = {**content.params, **patch.params}
    if patch.canvas != "part":
        return Content(params, None if patch.canvas == "absent" else content.canvas)
    if content.canvas is None:
        return Content(params, Canvas(patch.pixels))
    top, _, left, _ = patch.box
    return Content(params, content.canvas.painted(left, top, patch.pixels))


@dataclass(slots=True, eq=False)
class Gesture:
    """One unit of undo. `way`: the content before it while it goes on, or the patch to there.
    `box`: where canvases before and after it differ at most, None: unknown. `nbytes`: what is
    counted for it. `key` is None once it was undone or redone: nothing joins it any more."""

    key: Hashable | None
    way: Content | Patch
    box: Box | None = NOWHERE
    nbytes: int = 0

    def before(self, now: Content) -> Content:
        """The content before this gesture, which ended in `now`."""
        return patched(now, self.way) if isinstance(self.way, Patch) else self.way

    def go_on(self, now: Content, after: Content, within: Box | None) -> None:
        """An edit more: it turned `now` into `after`, painting no more than `within`."""
        self.way = self.before(now)
        if after.canvas is now.canvas:
            return
        if self.box is None or within is None:  # as where a canvas is taken away
            self.box = None
        else:
            self.box = joined(self.box, within)


class History:
    """The gestures that can be undone and redone, in at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._undo: deque[Gesture] = deque()
        self._redo: deque[Gesture] = deque()
        self.nbytes = 0
        self.truncated = False

    @property
    def undoable(self) -> int:
        """How many gestures can be undone."""
        return len(self._undo)

    @property
    def redoable(self) -> int:
        """How many gestures can be redone."""
        return len(self._redo)

    def record(
        self, before: Content, after: Content, key: Hashable | None, within: Box | None = None
    ) -> None:
        """An edit turned `before` into `after`, painting no more than `within` if that is known.
        Edits with the same `key` in a row are one gesture; None is a gesture of its own."""
        self._forget_redo()
        if key is None or not self._undo or self._undo[-1].key != key:
            self._close(before)
            self._undo.append(Gesture(key, before))
        gesture = self._undo[-1]
        gesture.go_on(before, after, within)
        self._weigh(gesture, after)
        if 2 * gesture.nbytes > self._limit:
            self._close(after)  # a whole canvas would push too much of the rest out
        # Older ones that aren't packed yet are dropped as they are: what isn't flat shrinks little,
        # and here everybody would wait for it, at every edit once the history is full.
        self._fit(gesture, self._limit)

    def settle(self, now: Content) -> None:
        """The newest gesture, which ended in `now`, is over: it is made a patch. An edit that joins
        it all the same makes it go on."""
        self._close(now)
        self.trim(self._limit)

    def undo(self, now: Content) -> Content | None:
        """The content before the newest gesture, or None where there is none."""
        return self._swap(now, self._undo, self._redo)

    def redo(self, now: Content) -> Content | None:
        """The content after the gesture undone last, or None where there is none."""
        return self._swap(now, self._redo, self._undo)

    def raw(self) -> list[Patch]:
        """The patches whose pixels are held as they are."""
        gestures = (*self._undo, *self._redo)
        return [g.way for g in gestures if isinstance(g.way, Patch) and g.way.raw]

    def packed(self, raw: Patch, packed: Patch) -> None:
        """Hold `packed` in place of `raw`, if that is still held."""
        for gesture in (*self._undo, *self._redo):
            if gesture.way is raw:
                self._put(gesture, packed)
        self.trim(self._limit)  # noise grows by a few bytes

    def trim(self, limit: int) -> None:
        """Let the oldest gestures go until at most `limit` bytes are held."""
        while self.nbytes > limit:
            self.truncated = True
            oldest = self._undo if self._undo else self._redo
            self.nbytes -= oldest.popleft().nbytes

    def _swap(self, now: Content, source: deque[Gesture], to: deque[Gesture]) -> Content | None:
        if not source:
            return None
        gesture = source.pop()
        self.nbytes -= gesture.nbytes
        then = gesture.before(now)
        back = Gesture(None, then, gesture.box)
        to.append(back)
        self._put(back, way_back(now, then, gesture.box))
        # What is undone may be larger than what undid it; nothing must be lost by that.
        self._fit(back, self._limit - self.nbytes + back.nbytes)
        return then

    def _close(self, now: Content) -> None:
        """Make the newest gesture, which ended in `now`, a patch."""
        gesture = self._undo[-1] if self._undo else None
        if gesture is not None and isinstance(gesture.way, Content):
            self._put(gesture, way_back(gesture.way, now, gesture.box))

    def _fit(self, gesture: Gesture, room: int) -> None:
        """Keep the limit: pack `gesture` if it doesn't fit into `room`, then drop the oldest."""
        if gesture.nbytes > room and isinstance(gesture.way, Patch):
            self._put(gesture, gesture.way.packed())
        self.trim(self._limit)

    def _put(self, gesture: Gesture, patch: Patch) -> None:
        gesture.way = patch
        self._count(gesture, patch.nbytes)

    def _weigh(self, gesture: Gesture, now: Content) -> None:
        """Count a gesture that goes on: the canvas before it, unless that is the present one."""
        assert isinstance(gesture.way, Content)
        canvas = gesture.way.canvas
        pixels = 0 if canvas is None or canvas is now.canvas else canvas.nbytes
        self._count(gesture, OVERHEAD + pixels + _weight(gesture.way.params))

    def _count(self, gesture: Gesture, nbytes: int) -> None:
        self.nbytes += nbytes - gesture.nbytes
        gesture.nbytes = nbytes

    def _forget_redo(self) -> None:
        self.nbytes -= sum(g.nbytes for g in self._redo)
        self._redo.clear()


def _weight(params: Mapping[str, Value]) -> int:
    return sum(map(sys.getsizeof, params.values()))
