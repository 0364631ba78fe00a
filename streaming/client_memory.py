"""What a client knows of its session: enough to come back, and to begin again where it must.

Role: parameters, canvas and unanswered edits, kept current by what the server says. No socket.

Invariants: an edit stays pending until it is answered, and is sent again with the same id after a
resume; in a new session the state goes first and pending edits follow with new ids.
It does not know: connections, pictures that come back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from streaming.client_inputs import with_tile
from streaming.errors import RiverrunError
from streaming.protocol import (
    Accepted,
    CanvasState,
    Clear,
    HistoryInfo,
    ModelInfo,
    Params,
    ParamValue,
    PictureEdit,
    Redo,
    State,
    Undo,
    Welcome,
    encode_picture_edit,
    encode_text,
)

Edit = Params | Clear | Undo | Redo | PictureEdit
TILES = 32
"""Accepted tiles that are kept apart before they are laid on the canvas."""


@dataclass(slots=True)
class Pending:
    """An edit without an answer yet; `revision` is what the caller waits for."""

    edit: Edit
    revision: asyncio.Future[int] | None


def wire(edit: Edit) -> str | bytes:
    """An edit as one frame."""
    return encode_picture_edit(edit) if isinstance(edit, PictureEdit) else encode_text(edit)


class Memory:
    """`session` and `secret` are None until the first welcome, and after `forget`."""

    def __init__(self, session: str | None, secret: str | None) -> None:
        self.session = session
        self.secret = secret
        self.model: ModelInfo | None = None
        self.params: dict[str, ParamValue] = {}
        self.history = HistoryInfo(0, 0)
        self.revision = 0
        self.pending: dict[int, Pending] = {}
        self._canvas: bytes | None = None
        self._tiles: list[PictureEdit] = []
        self._last = 0

    @property
    def canvas(self) -> bytes | None:
        """The canvas as the server has it, encoded, or None."""
        for tile in self._tiles:
            self._canvas = with_tile(self._canvas, self._size(), tile.x, tile.y, tile.data)
        self._tiles.clear()
        return self._canvas

    def next_id(self) -> int:
        """An edit id that wasn't used."""
        self._last += 1
        return self._last

    def add(self, edit: Edit, revision: asyncio.Future[int] | None) -> None:
        """`edit` is to be sent."""
        self.pending[edit.id] = Pending(edit, revision)

    def unanswered(self) -> list[str | bytes]:
        """The frames of all pending edits, in order."""
        return [wire(p.edit) for p in self.pending.values()]

    # --- what the server says -------------------------------------------------------------------

    def welcome(self, message: Welcome) -> None:
        """The session is this one. A new one, where another was known, is given its state."""
        again = self.session is None and self.model is not None
        self._last = max(self._last, message.last_edit)
        if again:
            self._begin_again()
        else:
            self.params, self.history = dict(message.params), message.history
            if not message.canvas:
                self._canvas, self._tiles = None, []
        self.session, self.secret, self.model = message.session, message.secret, message.model
        self.revision = message.revision

    def accepted(self, message: Accepted) -> None:
        """An edit is part of the session."""
        self.revision = max(self.revision, message.revision)
        self.history = HistoryInfo(message.undo, message.redo, self.history.truncated)
        pending = self.pending.pop(message.id, None)
        if pending is None:
            return
        self._apply(pending.edit)
        if pending.revision is not None and not pending.revision.done():
            pending.revision.set_result(message.revision)

    def refused(self, id: int, error: RiverrunError) -> None:
        """An edit was refused: nothing changed."""
        pending = self.pending.pop(id, None)
        if pending is not None and pending.revision is not None and not pending.revision.done():
            pending.revision.set_exception(error)

    def state(self, message: State) -> None:
        """The session is so, after undo, redo, or another's edit; its canvas may follow."""
        self.revision, self.history = message.revision, message.history
        self.params = dict(message.params)
        if not message.canvas:
            self._canvas, self._tiles = None, []

    def canvas_state(self, message: CanvasState) -> None:
        """The session's canvas is this."""
        self._canvas, self._tiles = message.data, []

    def forget(self) -> None:
        """The server has forgotten the session."""
        self.session = self.secret = None

    def fail(self, error: BaseException) -> None:
        """Nothing will be answered any more."""
        for pending in self.pending.values():
            if pending.revision is not None and not pending.revision.done():
                pending.revision.set_exception(error)
        self.pending.clear()

    def _apply(self, edit: Edit) -> None:
        if isinstance(edit, Params):
            self.params.update(edit.params)
        elif isinstance(edit, Clear):
            self._canvas, self._tiles = None, []
        elif isinstance(edit, PictureEdit):
            if not edit.tile:
                self._canvas, self._tiles = edit.data, []
                return
            self._tiles.append(edit)
            if len(self._tiles) > TILES:
                _ = self.canvas

    def _begin_again(self) -> None:
        """State first, then what was pending, all with new ids: the new session knows none."""
        pending, canvas = list(self.pending.values()), self.canvas
        self.pending.clear()
        self.history = HistoryInfo(0, 0)
        self.add(Params(self.next_id(), dict(self.params)), None)
        if canvas is not None:
            self.add(PictureEdit(self.next_id(), 0, 0, 0, False, canvas), None)
        for p in pending:
            self.add(msgspec.structs.replace(p.edit, id=self.next_id()), p.revision)

    def _size(self) -> tuple[int, int]:
        inputs = self.model.inputs if self.model else ()
        return (inputs[0].width, inputs[0].height) if inputs else (1, 1)
