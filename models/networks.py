"""What a family of latent diffusion models brings: its networks, and what they do to tensors.

Role: the seam between the way that every picture takes (`models.latent`) and the families
(`models.unet`, …), each of which opens a folder and answers these verbs. Latents are normalised, of
the usual size 1. Invariant: latents and pictures are fp32, whatever format the networks run in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.adapters import Adapters
from models.base import Progress
from models.constants import Constants
from models.fold import Fold
from models.layout import Layout
from models.sigmas import Schedule
from models.texts import Words

Pixels = NDArray[np.uint8]


class Networks(Protocol):
    """One opened checkpoint. It keeps nothing of any person."""

    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def modules(self) -> Sequence[nn.Module]:
        """The networks whose format is chosen."""

    @property
    def schedule(self) -> Schedule: ...
    @property
    def channels(self) -> int:
        """Of latents."""

    @property
    def edge(self) -> int:
        """Of latents, at the size that the networks were taught."""

    @property
    def size(self) -> int:
        """Of pictures, in pixels, at that size."""

    @property
    def beside(self) -> int:
        """Channels of what the network sees of a canvas; 0: it sees none, and a run starts from the
        canvas instead."""

    @property
    def optional(self) -> bool:
        """Whether the network also goes without a canvas that it could see; another one is shown
        blank paper then."""

    @property
    def sampled(self) -> bool:
        """Whether a run starts from a sample of what the canvas may be encoded as, drawn before the
        noise; `see` gives mean and standard deviation then."""

    @property
    def embeds_guidance(self) -> bool:
        """Whether the network is told how strongly it is guided: the last of `Words` is that, (n,),
        and guidance costs no second call."""

    @property
    def adapters(self) -> Adapters | None:
        """What may be added to the networks' weights; None where nothing may."""

    @property
    def fold(self) -> Fold | None:
        """How a canvas is folded to latent size; None: it is encoded."""

    @property
    def layout(self) -> Layout | None:
        """What bare paper shows; None: it stays bare."""

    @property
    def constants(self) -> Constants | None:
        """What the network knows by heart and is given beside the canvas; None: nothing."""

    def to(self, dtype: torch.dtype) -> None:
        """Run the networks in `dtype` from now on."""

    def encode_words(self, prompts: list[str], against: bool = False) -> Words:
        """Embeddings of prompts, or (`against`) of what guidance leads away from."""

    def encode_pictures(self, pictures: Pixels) -> Tensor:
        """Latents (n, c, h, w) of pictures (n, H, W, 3)."""

    def see(self, pictures: Pixels, edge: int) -> Tensor:
        """What the network sees of canvases (n, H, W, 3), or what a run starts from, at latents of
        `edge`: (n, k, edge, edge)."""

    def predict(
        self, latents: Tensor, canvas: Tensor | None, times: Tensor, words: Words
    ) -> Tensor:
        """The network's output (n, c, h, w) at `times` (n,), one a row."""

    def encode(self, pictures: Tensor) -> Tensor:
        """Latents (n, c, h, w) of pictures −1–1 (n, 3, H, W)."""

    def decode(self, latents: Tensor, own: bool = False) -> Tensor:
        """Pictures −1–1 (n, 3, H, W) of latents (n, c, h, w); `own`: by the checkpoint's own
        decoder, where there is a quicker one."""


@dataclass(frozen=True)
class Place:
    """Where networks run, and in which number format; None: the faster one, by trial."""

    device: torch.device
    dtype: torch.dtype | None = torch.float32

    @property
    def opened(self) -> torch.dtype:
        """The format that files are read in: for a GPU that which they run in, so that opening
        takes no more memory than running; on a CPU fp32, in which weights are put together."""
        return torch.float32 if self.device.type == "cpu" else self.dtype or torch.float32


Opener = Callable[[Place, Progress], Networks]
"""Opens a checkpoint, and tells how far it is. Raises `CannotLoad`."""


def alone(values: Tensor) -> tuple[Tensor, ...]:
    """Rows (1, …) of a batch, each in memory of its own: one view that is kept would keep all."""
    return tuple(row.clone() for row in torch.split(values, 1))


def to_values(pictures: Pixels, device: torch.device) -> Tensor:
    """uint8 (n, h, w, 3) to −1–1 (n, 3, h, w) fp32."""
    values = torch.from_numpy(np.array(pictures)).to(device).permute(0, 3, 1, 2)
    return values.float() / 127.5 - 1


def to_pixels(pictures: Tensor) -> Pixels:
    """−1–1 (n, 3, h, w) to uint8 (n, h, w, 3)."""
    values = pictures.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(values.permute(0, 2, 3, 1).cpu().numpy())
