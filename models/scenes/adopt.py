"""Training that goes on from finished weights, where the run that made them is gone.

Role: puts a folder of weights where a run's first stages would have left theirs: autoencoder,
tokenizer and layout network are kept (the latents' scale is measured anew), the painter network is
where teacher and student begin. Invariant: a run folder belongs to the weights that it began from;
no other run's is touched.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from models.layout import open_layout, save_layout
from models.scenes.latents import fingerprint
from models.scenes.nets import Painter, open_weights

MARK = "begun-from"
"""The file that says which weights a run began from."""


def adopt(weights: Path, out: Path) -> None:
    """Begin the run folder `out` from a folder of weights, or see that it did. Ends the program
    where either folder is another's."""
    if not (weights / "model_index.json").exists():
        raise SystemExit(f"{weights} holds no weights: no model_index.json")
    layout, (vae, painter, _) = open_layout(weights), open_weights(weights)
    if layout is None:
        raise SystemExit(f"{weights} has no layout network: it can't be gone on from")
    mark = f"{fingerprint(vae)}-{fingerprint(painter)}"
    if (out / MARK).exists() and (out / MARK).read_text() == mark:
        return
    if (out / "autoencoder.pt").exists():
        raise SystemExit(f"{out} is another run's, not begun from {weights}: give another --out")
    save_layout(layout, out / "teacher")
    shutil.copytree(weights / "tokenizer", out / "tokenizer", dirs_exist_ok=True)
    (out / MARK).write_text(mark)
    torch.save({"average": vae.state_dict(), "rests": ""}, out / "autoencoder.part")
    (out / "autoencoder.part").replace(out / "autoencoder.pt")


def adopted(out: Path) -> bool:
    """Whether a run began from finished weights."""
    return (out / MARK).exists()


def opened_painter(weights: Path) -> Painter:
    """The painter of a folder of weights, its words as they are: the layout network knows them."""
    _, painter, _ = open_weights(weights)
    painter.text.requires_grad_(False)
    return painter
