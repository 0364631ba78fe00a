"""Training that goes on from finished weights, where the run that made them is gone.

Role: puts a folder of weights where a run's first stages would have left theirs: the autoencoder,
the tokenizer and the layout network are kept as they are, the painter network is where teacher and
student begin. Invariant: a run that has an autoencoder of its own is left alone. Knows nothing of
training.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from models.layout import open_layout, save_layout
from models.scenes.nets import Painter, open_weights

GENTLE = 0.3
"""Share of the usual rate at which a painter that can paint learns to be a teacher again."""


def adopt(weights: Path, out: Path) -> None:
    """Begin the run folder `out` from a folder of weights."""
    if (out / "autoencoder.pt").exists():
        return
    layout = open_layout(weights)
    if layout is None:
        raise SystemExit(f"{weights} has no layout network: it can't be gone on from")
    out.mkdir(parents=True, exist_ok=True)
    save_layout(layout, out / "teacher")
    shutil.copytree(weights / "tokenizer", out / "tokenizer", dirs_exist_ok=True)
    vae, _, _ = open_weights(weights)
    torch.save({"average": vae.state_dict(), "rests": ""}, out / "autoencoder.part")
    (out / "autoencoder.part").replace(out / "autoencoder.pt")


def begun(weights: Path) -> Painter:
    """The painter of a folder of weights, its words as they are: the layout network knows them."""
    _, painter, _ = open_weights(weights)
    painter.text.requires_grad_(False)
    return painter
