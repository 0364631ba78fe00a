"""One picture in the making, of a latent diffusion family.

Role: all that belongs to one person's request between `begin` and the last `decode`: where it is on
its way, its latents, embeddings, view of the canvas and the noise that it will need. Invariant:
nothing here is shared with another row that isn't read-only. Knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from torch import Tensor

from models.adapters import NOTHING, Worn
from models.finer import Finer
from models.sigmas import Levels
from models.texts import Words
from models.views import View


@dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance (Ho and Salimans, 2022): away from the `words`, `scale` times as
    far as the prompt alone."""

    words: Words
    scale: float


@dataclass(eq=False)
class Row:
    """Tensors (1, c, h, w) on the model's device; a finished row keeps only what its last picture
    and the session's next row need. `noises` are what the schedule draws, one a step
    as far as they go. `recipe` is all that the picture follows from; `base` is it, finished at the
    model's own size; `own`: its last picture by the checkpoint's own decoder; `adapters`: what is
    added to the networks' weights."""

    levels: Levels
    latents: Tensor
    words: Words
    view: View
    recipe: tuple[Hashable, ...] = ()
    noises: tuple[Tensor, ...] = ()
    guidance: Guidance | None = None
    finer: Finer | None = None
    base: Tensor | None = None
    clean: Tensor | None = None
    own: bool = False
    adapters: Worn = NOTHING
    step: int = 0
    key: Hashable = field(default=())

    @property
    def steps(self) -> int:
        return len(self.levels.times) + (len(self.finer.levels.times) if self.finer else 0)

    @property
    def nbytes(self) -> int:
        kept = [self.latents, *self.words, *self.noises, self.clean, self.base]
        kept += [self.finer.noise, *self.finer.noises, self.finer.canvas] if self.finer else []
        kept += self.guidance.words if self.guidance else ()
        each = {value.data_ptr(): value.nbytes for value in kept if value is not None}
        return self.view.nbytes + sum(each.values())

    @property
    def stage(self) -> tuple[bool, bool]:
        """Whether its next step is at twice the size, and whether it is the first of those."""
        done = self.step - len(self.levels.times)
        return done >= 0, done == 0

    @property
    def edge(self) -> int:
        """Of the latents that it ends with."""
        return int((self.finer.noise if self.finer else self.latents).shape[-1])

    def level(self) -> tuple[float, float, float]:
        """σ now, σ then, and the time that the network is told, of the next step."""
        levels, _, at = self._stretch()
        return levels.sigmas[at], levels.sigmas[at + 1], levels.times[at]

    def noise(self) -> Tensor | None:
        """What is drawn for the next step, if anything is."""
        _, noises, at = self._stretch()
        return noises[at] if at < len(noises) else None

    def _stretch(self) -> tuple[Levels, tuple[Tensor, ...], int]:
        """The way that its next step is on, the noise for it, and how far it is there."""
        if self.finer is not None and self.stage[0]:
            return self.finer.levels, self.finer.noises, self.step - len(self.levels.times)
        return self.levels, self.noises, self.step

    def take(self, latents: Tensor, clean: Tensor) -> None:
        """One step further."""
        self.latents, self.clean, self.step = latents, clean, self.step + 1
        if self.step == len(self.levels.times):
            self.base = self.clean = clean.clone()  # to be kept without the rows beside it
        if self.step == self.steps:
            self._spare(self.clean)

    def _spare(self, clean: Tensor) -> None:
        """Let go of what only further steps would need."""
        if self.finer is not None:
            self.clean = clean = clean.clone()
            self.finer = replace(self.finer, noise=clean, canvas=None, noises=())
        self.latents, self.words, self.noises, self.guidance = clean, (), (), None
        self.adapters = NOTHING

    def close(self) -> None:
        """Let go of all that is large."""
        self.latents, self.view = self.latents.new_empty(0), View(b"")
        self.clean = self.base = self.finer = self.guidance = None
        self.words, self.noises, self.adapters = (), (), NOTHING
