"""What a network knows by heart: learnt constants that lie beside the canvas.

Role: a network that paints what it once saw (grass, waves, rain) needs to know where it is; it is
given numbers of its own for every place (the input of Karras et al., StyleGAN, 2019), one set of
them for each kind of chance that it learnt, chosen by the seed. Invariant: the same seed gives the
same constants at every size. Knows nothing of pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

FILE = "constants.safetensors"


@dataclass(frozen=True)
class Constants:
    """`tables`: by the edge of latents, (kinds, c, edge, edge)."""

    tables: dict[int, Tensor]

    @property
    def channels(self) -> int:
        return next(iter(self.tables.values())).shape[1]

    def to(self, device: torch.device) -> Constants:
        return Constants({edge: table.to(device) for edge, table in self.tables.items()})

    def beside(self, canvas: Tensor, seed: int) -> Tensor:
        """A canvas (1, k, edge, edge) with the seed's constants: (1, k + c, edge, edge)."""
        table = self.tables[canvas.shape[-1]]
        which = seed % len(table)
        return torch.cat([canvas, table[which : which + 1].to(canvas.dtype)], 1)


def save_constants(constants: Constants, folder: Path) -> None:
    """In half precision."""
    halves = {str(edge): t.detach().half().contiguous() for edge, t in constants.tables.items()}
    save_file(halves, folder / FILE)


def open_constants(folder: Path) -> Constants | None:
    """Those of a folder; none where it has none."""
    path = folder / FILE
    if not path.exists():
        return None
    return Constants({int(edge): table.float() for edge, table in load_file(path).items()})
