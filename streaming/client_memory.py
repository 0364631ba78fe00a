"""What a client knows of its session: enough to come back, and to begin again where it must.

Role: parameters, canvas and unanswered edits, kept current by what the server says. No socket.

Invariants:
- An edit stays pending until it is answered, and is sent again with the same id after a resume; in
  a new session the state goes first and pending edits follow with new ids.
- Nothing goes back: a snapshot that is older than another changes nothing, an edit accepted with a
  higher revision stays on top of it, one that it contains isn't applied again.

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
        self._tiles: list[tuple[int, PictureEdit]] = []  # and the revision that each made
        self._told = 0  # the revision of the newest snapshot of the parameters
        self._set: dict[str, int] = {}  # the revisions of the parameters that were set since
        self._painted = 0  # the revision of `_canvas`
        self._last = 0

    @property
    def canvas(self) -> bytes | None:
        """The canvas as the server has it, encoded, or None."""
        for revision, tile in self._tiles:
            self._canvas = with_tile(self._canvas, self._size(), tile.x, tile.y, tile.data)
            self._painted = revision
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
        self.revision = self._told = message.revision
        self._set.clear()
        self._painted = min(self._painted, message.revision)
        if not again:
            self.params, self.history = dict(message.params), message.history
            if not message.canvas:
                self._lay(None, message.revision)
        self.session, self.secret, self.model = message.session, message.secret, message.model

    def accepted(self, message: Accepted) -> None:
        """An edit is part of the session."""
        self.revision = max(self.revision, message.revision)
        self.history = HistoryInfo(message.undo, message.redo, self.history.truncated)
        pending = self.pending.pop(message.id, None)
        if pending is None:
            return
        self._apply(pending.edit, message.revision)
        if pending.revision is not None and not pending.revision.done():
            pending.revision.set_result(message.revision)

    def refused(self, id: int, error: RiverrunError) -> None:
        """An edit was refused: nothing changed."""
        pending = self.pending.pop(id, None)
        if pending is not None and pending.revision is not None and not pending.revision.done():
            pending.revision.set_exception(error)

    def oldest_refused(self, error: RiverrunError) -> None:
        """An edit was refused that the server couldn't name: edits are answered in order."""
        for id in list(self.pending)[:1]:
            self.refused(id, error)

    def state(self, message: State) -> None:
        """The session is so, after undo, redo, or another's edit; its canvas may follow."""
        revision = message.revision
        if revision < self._told:
            return
        if revision >= self.revision:
            self.revision, self.history = revision, message.history
        self._set = {name: at for name, at in self._set.items() if at > revision}
        self.params = {**message.params, **{name: self.params[name] for name in self._set}}
        self._told = revision
        if not message.canvas:
            self._lay(None, revision)

    def canvas_state(self, message: CanvasState) -> None:
        """The session's canvas is this."""
        self._lay(message.data, message.revision)

    def forget(self) -> None:
        """The server has forgotten the session."""
        self.session = self.secret = None

    def fail(self, error: BaseException) -> None:
        """Nothing will be answered any more."""
        for pending in self.pending.values():
            if pending.revision is not None and not pending.revision.done():
                pending.revision.set_exception(error)
        self.pending.clear()

    def _apply(self, edit: Edit, revision: int) -> None:
        if isinstance(edit, Params):
            if revision > self._told and not edit.passing:
                self.params.update(edit.params)
                self._set.update(dict.fromkeys(edit.params, revision))
        elif revision > self._painted:
            if isinstance(edit, Clear):
                self._lay(None, revision)
            elif isinstance(edit, PictureEdit):
                self._paint(edit, revision)

    def _paint(self, edit: PictureEdit, revision: int) -> None:
        if not edit.tile:
            self._lay(edit.data, revision)
            return
        self._tiles.append((revision, edit))
        if len(self._tiles) > TILES:
            _ = self.canvas

    def _lay(self, canvas: bytes | None, revision: int) -> None:
        """The canvas of `revision`, under the tiles that are newer; an old one changes nothing."""
        if revision >= self._painted:
            self._canvas, self._painted = canvas, revision
            self._tiles = [(at, tile) for at, tile in self._tiles if at > revision]

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
