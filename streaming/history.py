"""Undo and redo in a bounded number of bytes, a gesture at a time.

Role: holds, for each gesture, what it takes to go back to before it: the former values of the
parameters it set and the former pixels of the box it painted, compressed.

Invariants:
- `nbytes` never exceeds the limit; the oldest gestures go first, and `truncated` says so.
- undo then redo gives back the same content; a new gesture forgets what could be redone.
- A gesture of any number of edits holds at most `MERGE` patches.

It does not know: revisions, edit ids, clients (a gesture's `key` is opaque), picture formats.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from models.base import Value
from streaming.canvas import Box, Canvas, Pixels, changed_box, pack, unpack

MERGE = 64
OVERHEAD = 600
"""Bytes counted for a patch besides its pixels and values: objects, dict, list slot."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a person has made: every parameter's value, and a canvas or none."""

    params: Mapping[str, Value]
    canvas: Canvas | None


@dataclass(frozen=True, slots=True)
class Patch:
    """The way from one content back to another. `canvas`: "same", "absent" or "part"; a part is
    the box's packed pixels (the whole canvas where there is none now)."""

    params: Mapping[str, Value]
    canvas: str = "same"
    box: Box = (0, 0, 0, 0)
    data: bytes = b""

    @property
    def nbytes(self) -> int:
        """What is counted against the limit."""
        return OVERHEAD + len(self.data) + sum(map(sys.getsizeof, self.params.values()))


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
    return Patch(params, "part", box, pack(pixels[top:bottom, left:right]))


def patched(content: Content, patches: Iterable[Patch]) -> Content:
    """`content` after `patches`, one after another; its canvas is copied once at most."""
    params, canvas = {**content.params}, content.canvas
    work: Pixels | None = None
    for patch in patches:
        params.update(patch.params)
        if patch.canvas == "absent":
            canvas, work = None, None
        elif patch.canvas == "part":
            if work is None and canvas is not None:
                work = canvas.pixels.copy()
            work = _laid(work, patch)
    return Content(params, canvas if work is None else Canvas(work))


def _laid(work: Pixels | None, patch: Patch) -> Pixels:
    """`work` with the patch's part laid on it; the part itself where there is nothing yet."""
    top, bottom, left, right = patch.box
    part = unpack(patch.data, (bottom - top, right - left, 3))
    if work is None:
        return part.copy()
    work[top:bottom, left:right] = part
    return work


@dataclass(slots=True)
class Gesture:
    """One unit of undo. `key` is None once it was undone or redone: nothing joins it any more."""

    key: Hashable | None
    patches: list[Patch] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        return sum(p.nbytes for p in self.patches)

    def before(self, now: Content) -> Content:
        """The content before this gesture, which ended in `now`."""
        return patched(now, reversed(self.patches))


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
            self.settle(before)
            self._undo.append(Gesture(key))
        gesture = self._undo[-1]
        self._add(gesture, way_back(before, after, within))
        if len(gesture.patches) > MERGE:
            self.settle(after)
        self.trim(self._limit)

    def settle(self, now: Content) -> None:
        """Make the newest gesture, which ended in `now`, one patch: a stroke of 30 tiles then costs
        as much as one."""
        if not self._undo or len(self._undo[-1].patches) < 2:
            return
        gesture = self._undo[-1]
        patch = way_back(gesture.before(now), now)
        self.nbytes += patch.nbytes - gesture.nbytes
        gesture.patches = [patch]

    def undo(self, now: Content) -> Content | None:
        """The content before the newest gesture, or None where there is none."""
        return self._swap(now, self._undo, self._redo)

    def redo(self, now: Content) -> Content | None:
        """The content after the gesture undone last, or None where there is none."""
        return self._swap(now, self._redo, self._undo)

    def _swap(self, now: Content, source: deque[Gesture], to: deque[Gesture]) -> Content | None:
        if not source:
            return None
        gesture = source.pop()
        self.nbytes -= gesture.nbytes
        then = gesture.before(now)
        to.append(Gesture(None))
        self._add(to[-1], way_back(now, then))
        self.trim(self._limit)
        return then

    def _add(self, gesture: Gesture, patch: Patch) -> None:
        gesture.patches.append(patch)
        self.nbytes += patch.nbytes

    def _forget_redo(self) -> None:
        self.nbytes -= sum(g.nbytes for g in self._redo)
        self._redo.clear()

    def trim(self, limit: int) -> None:
        """Let the oldest gestures go until at most `limit` bytes are held."""
        while self.nbytes > limit:
            self.truncated = True
            oldest = self._undo if self._undo else self._redo
            self.nbytes -= oldest.popleft().nbytes
