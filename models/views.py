"""What a network sees of people's canvases: encoded, or folded and its bare paper completed.

Role: from requests' canvases to tensors, only for what is new since the same session's last row.
Where the folder has a layout network (`models.layout`), what bare paper shows follows from canvas,
prompt and seed, so that a seed is the same scene at any number of steps and at any size; where it
has constants (`models.constants`), the seed's lie beside the canvas. Invariant: a row's view
doesn't depend on the rows beside it. Knows nothing of steps and latents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.layout import complete, enlarged, planned
from models.networks import Networks, alone
from models.texts import Words

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """`canvas` (1, k, h, w), none for a network that sees none; `layout` (1, m, H, W) is what its
    bare paper shows, if a layout network was asked; `seed` what its constants are chosen by;
    `digest` what all follow from."""

    digest: bytes
    canvas: Tensor | None = None
    layout: Tensor | None = None
    seed: int = 0

    @property
    def nbytes(self) -> int:
        return sum(each.nbytes for each in (self.canvas, self.layout) if each is not None)


@dataclass(frozen=True)
class Looked:
    """What a view follows from: a canvas uint8 (h, w, 3), a prompt, its embeddings, a seed, and
    what tells the adapters that the prompt was read with."""

    picture: Pixels | None
    prompt: str
    words: Words
    seed: int
    adapters: Hashable = ()

    def digest(self, parts: Networks) -> bytes:
        """16 bytes of what this network's view follows from, none without a picture. 0.2 ms at
        256²."""
        if self.picture is None:
            return b""
        code = hashlib.blake2b(np.ascontiguousarray(self.picture).data, digest_size=16)
        if parts.constants is not None or parts.layout is not None:
            code.update(f"{self.seed} ".encode())
        if parts.layout is not None:
            code.update(f"{self.adapters} {self.prompt}".encode())
        return code.digest()


def views(parts: Networks, asked: Sequence[Looked], before: Iterable[View]) -> list[View]:
    """A view each: one of those `before` where it is the same, or new ones, encoded in one call."""
    digests = [each.digest(parts) for each in asked]
    known = {b"": View(b"")} | {view.digest: view for view in before}
    fresh = {d: each for d, each in zip(digests, asked, strict=True) if d not in known}
    if fresh:
        pictures = np.stack([each.picture for each in fresh.values() if each.picture is not None])
        seen = alone(parts.see(pictures, parts.edge))
        for (digest, each), canvas in zip(fresh.items(), seen, strict=True):
            known[digest] = _completed(parts, digest, each, canvas)
    return [known[digest] for digest in digests]


def _completed(parts: Networks, digest: bytes, asked: Looked, canvas: Tensor) -> View:
    layout = None
    if parts.layout is not None:
        layout = planned(parts.layout, canvas, asked.words[0], asked.seed)
    seen = _filled(parts, canvas, layout)
    return View(digest, _known(parts, seen, asked.seed), layout, asked.seed)


def finer_view(parts: Networks, view: View, picture: Pixels, edge: int) -> Tensor:
    """The same canvas as `view` for latents of `edge`: (1, k, edge, edge)."""
    return _known(parts, _filled(parts, parts.see(picture[None], edge), view.layout), view.seed)


def _filled(parts: Networks, canvas: Tensor, layout: Tensor | None) -> Tensor:
    """A canvas whose bare paper shows a layout."""
    if layout is None or parts.layout is None:
        return canvas
    cells = parts.layout.shape.cells
    wanted = canvas.shape[-1] * cells
    return complete(canvas, enlarged(layout, wanted), cells)


def _known(parts: Networks, canvas: Tensor, seed: int) -> Tensor:
    return canvas if parts.constants is None else parts.constants.beside(canvas, seed)
