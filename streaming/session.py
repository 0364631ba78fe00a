"""A session: edits in; replies, state and requests out. No I/O, no clock, no event loop.

Role: owns a person's parameters, canvas, revision and history, and decides what an edit does.

Invariants:
- The revision grows by one with every edit that changes something, and never otherwise.
- Edits are never coalesced. Ids grow per client name: an id that was answered before gets the same
  answer again and isn't applied; a refused edit uses up its id and changes nothing.
- A snapshot shares the session's arrays and mappings, none of which is ever written to.
- What passes is asked of the model and is nowhere else: not in `params`, not in the history. The
  next edit that changes something ends it, in the same revision.

It does not know: sockets, encoded pictures, who watches, the engine.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from models.base import InputSpec, InvalidParameter, ModelSpec, Request, Value
from streaming.canvas import Box, Canvas, Pixels, check_fit
from streaming.errors import BadEdit, NothingToUndo
from streaming.history import Content, History, Patch
from streaming.limits import Limits
from streaming.protocol import Accepted, Clear, HistoryInfo, Params, Redo, State, Undo

REMEMBERED = 32
"""Answers kept for each client name, for edits that are sent again after a lost connection."""


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A decoded canvas, or (`tile`) a part of it at x, y. `pixels`: uint8, (height, width, 3)."""

    id: int
    group: int
    x: int
    y: int
    tile: bool
    pixels: Pixels


Edit = Params | Clear | Undo | Redo | Painted
Answer = int | tuple[type[BadEdit], str, str]


class _Ledger:
    """The answers that one client name was given."""

    __slots__ = ("answers", "last")

    def __init__(self) -> None:
        self.last = 0
        self.answers: OrderedDict[int, Answer] = OrderedDict()

    def note(self, id: int, answer: Answer) -> None:
        self.last = max(self.last, id)
        self.answers[id] = answer
        if len(self.answers) > REMEMBERED:
            self.answers.popitem(last=False)


class Session:
    """One person's work. `spec` says what may be set; errors are `BadEdit` and its kinds."""

    def __init__(self, id: str, secret: str, spec: ModelSpec, limits: Limits) -> None:
        self.id = id
        self.secret = secret
        self.spec = spec
        self.revision = 0
        self._jobs = 0
        self._content = Content(spec.defaults(), None)
        self._asked = self._content.params  # of the model: with what passes on top
        self._history = History(limits.history_bytes)
        self._ledgers: OrderedDict[str, _Ledger] = OrderedDict()
        self._max_clients = limits.max_clients

    @property
    def params(self) -> dict[str, Value]:
        """A copy of every parameter's value, without what passes."""
        return dict(self._content.params)

    @property
    def passing(self) -> bool:
        """Whether something passes now: the next request is the client's doing, not a hand's."""
        return self._asked != self._content.params

    @property
    def canvas(self) -> Canvas | None:
        """The canvas, or None: the model decides."""
        return self._content.canvas

    @property
    def history(self) -> HistoryInfo:
        """How much can be undone and redone."""
        history = self._history
        return HistoryInfo(history.undoable, history.redoable, history.truncated)

    @property
    def history_bytes(self) -> int:
        """What the history holds."""
        return self._history.nbytes

    def trim_history(self, limit: int) -> None:
        """Let the oldest gestures go until at most `limit` bytes are held."""
        if self.history_bytes > limit:
            self._history.settle(self._content)
            self._history.trim(limit)

    def canvas_spec(self) -> InputSpec:
        """What a canvas must be; raises `BadEdit` for a model that takes none."""
        try:
            return self.spec.input("canvas")
        except InvalidParameter as error:
            raise BadEdit(str(error)) from None

    def last_edit(self, client: str) -> int:
        """The newest edit id of `client` that was answered, 0 for none."""
        ledger = self._ledgers.get(client)
        return ledger.last if ledger else 0

    def state(self) -> State:
        """The session as a client is told it."""
        return State(self.revision, self.params, self.canvas is not None, self.history)

    def snapshot(self) -> Request:
        """The next job's request at the present revision; cheap, it shares what it holds."""
        self._jobs += 1
        canvas = self._content.canvas
        inputs = {} if canvas is None else {"canvas": canvas.pixels}
        return Request(self.id, self.spec.name, self._jobs, self.revision, self._asked, inputs)

    def settle(self) -> list[Patch]:
        """Nobody edits now: the newest gesture is over. Returns the patches that are worth
        compressing: `packed()` of each, in any thread, belongs into `hold`."""
        self._history.settle(self._content)
        return self._history.raw()

    def hold(self, raw: Patch, packed: Patch) -> None:
        """Keep `packed` in place of `raw`. On the session's own thread: others only compute the one
        from the other, neither of which ever changes. Whatever was edited or undone meanwhile, a
        patch that is still held leads to the same content, and one that isn't is not put back."""
        self._history.packed(raw, packed)

    def rest(self) -> None:
        """Compress the canvas. Any thread: its pixels never change, and whoever takes them either
        has the array already or unpacks his own."""
        if (canvas := self._content.canvas) is not None:
            canvas.rest()

    def apply(self, edit: Edit, client: str = "") -> Accepted:
        """Apply one edit; raises `BadEdit`, also again for one that was refused before."""
        ledger = self._ledger(client)
        if edit.id <= ledger.last:
            return self._again(ledger, edit.id)
        try:
            self._change(edit, client)
        except BadEdit as error:
            self.refuse(edit.id, error, client)
            raise
        ledger.note(edit.id, self.revision)
        return self._accepted(edit.id, self.revision)

    def answered(self, id: int, client: str) -> Accepted | None:
        """The answer that edit `id` got before (raised if it was an error); None: it is new."""
        ledger = self._ledger(client)
        return self._again(ledger, id) if id <= ledger.last else None

    def refuse(self, id: int, error: BadEdit, client: str = "") -> None:
        """Note that edit `id` was refused: it is used up."""
        self._ledger(client).note(id, (type(error), error.message, error.remedy))

    def _ledger(self, client: str) -> _Ledger:
        ledger = self._ledgers.setdefault(client, _Ledger())
        self._ledgers.move_to_end(client)
        if len(self._ledgers) > self._max_clients:
            self._ledgers.popitem(last=False)
        return ledger

    def _again(self, ledger: _Ledger, id: int) -> Accepted:
        answer = ledger.answers.get(id, self.revision)
        if isinstance(answer, int):
            return self._accepted(id, answer)
        kind, message, remedy = answer
        raise kind(message, remedy=remedy)

    def _accepted(self, id: int, revision: int) -> Accepted:
        return Accepted(id, revision, self._history.undoable, self._history.redoable)

    def _change(self, edit: Edit, client: str) -> None:
        if isinstance(edit, Params) and edit.passing:
            self._pass(edit)
            return
        if isinstance(edit, Undo | Redo):
            after = self._travel(edit)
        else:
            after = self._edited(edit)
            if after is self._content:
                return
            key = (client, edit.group) if edit.group else None
            self._history.record(self._content, after, key, _painted_box(edit))
        self._content, self._asked = after, after.params
        self.revision += 1

    def _pass(self, edit: Params) -> None:
        """Ask for these values until the next edit; they take the place of what passed before."""
        asked = self._with(edit)
        if asked != self._asked:
            self._asked = asked
            self.revision += 1

    def _travel(self, edit: Undo | Redo) -> Content:
        undo = isinstance(edit, Undo)
        content = self._history.undo(self._content) if undo else self._history.redo(self._content)
        if content is None:
            raise NothingToUndo(f"there is nothing to {'undo' if undo else 'redo'}")
        return content

    def _edited(self, edit: Params | Clear | Painted) -> Content:
        """What `edit` makes of the content: the same object where it changes nothing."""
        now = self._content
        if isinstance(edit, Params):
            params = self._with(edit)
            return now if params == now.params else Content(params, now.canvas)
        canvas = None if isinstance(edit, Clear) else self._painted(edit)
        return now if canvas is now.canvas else Content(now.params, canvas)

    def _with(self, edit: Params) -> Mapping[str, Value]:
        """The content's parameters with these values."""
        try:
            return {**self._content.params, **self.spec.check(edit.params)}
        except InvalidParameter as error:
            raise BadEdit(str(error)) from None

    def _painted(self, edit: Painted) -> Canvas:
        spec = self.canvas_spec()
        height, width = edit.pixels.shape[:2]
        check_fit(spec, width, height, edit.x, edit.y, edit.tile)
        now = self._content.canvas
        if not edit.tile:
            same = now is not None and bool((now.pixels == edit.pixels).all())
            return now if same and now is not None else Canvas(edit.pixels)
        return self._tiled(now or Canvas.blank(spec), edit)

    def _tiled(self, canvas: Canvas, edit: Painted) -> Canvas:
        height, width = edit.pixels.shape[:2]
        there = canvas.pixels[edit.y : edit.y + height, edit.x : edit.x + width]
        if canvas is self._content.canvas and bool((there == edit.pixels).all()):
            return canvas
        return canvas.painted(edit.x, edit.y, edit.pixels)


def _painted_box(edit: Edit) -> Box | None:
    """Where a tile lies; None where more may have changed."""
    if not isinstance(edit, Painted) or not edit.tile:
        return None
    height, width = edit.pixels.shape[:2]
    return edit.y, edit.y + height, edit.x, edit.x + width
