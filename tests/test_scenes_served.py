"""What is shown is what the network made: with its weights shuffled, the scene is gone."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from models.scenes.dataset import HELD_OUT
from models.scenes.model import WEIGHTS
from models.scenes.painter import paint_scene
from tests.serving import serving

UNET = "unet/diffusion_pytorch_model.safetensors"


def served(weights: Path, canvas: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A picture of `canvas` by a server with these weights."""
    out = io.BytesIO()
    Image.fromarray(canvas).save(out, "PNG")
    code = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    with serving("--model", "scenes", "--model-option", f"weights={weights}") as server:
        answer = server.post("/v1/generate", json={"prompt": "day", "canvas": code, "seed": 1})
        assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("L")).astype(float)


def shuffle(weights: Path) -> None:
    """Put the numbers of each of the network's tensors in another order."""
    chance = torch.Generator().manual_seed(0)
    state = load_file(weights / UNET)
    for name, value in state.items():
        order = torch.randperm(value.numel(), generator=chance)
        state[name] = value.flatten()[order].view_as(value).contiguous()
    save_file(state, weights / UNET, {"format": "pt"})


def alike(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Correlation of two pictures, -1 to 1."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def test_shuffled_weights_serve_no_scene(tmp_path: Path) -> None:
    scene = paint_scene(HELD_OUT, 256, {"time": "day", "weather": "clear"})
    truth = np.asarray(Image.fromarray(scene.painting).convert("L")).astype(float)
    weights = tmp_path / "weights"
    shutil.copytree(WEIGHTS, weights)
    before = served(weights, scene.canvas)
    shuffle(weights)
    after = served(weights, scene.canvas)
    assert alike(before, truth) > 0.6
    assert abs(alike(after, truth)) < 0.2
