"""Adapters of a tiny checkpoint, in every layout of files, and the checkpoint with them in its
weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.base import Request
from models.latent import LatentModel
from models.turbo import build
from tests import parity
from tests.parity import Floats

RANK, ALPHA = 3, 6.0
LAYERS = {
    "unet": (
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q",
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
        "up_blocks.1.resnets.0.conv1",
        "conv_in",
    ),
    "text_encoder": ("encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1"),
}
FILES = {"unet": "diffusion_pytorch_model.safetensors", "text_encoder": "model.safetensors"}
Pair = tuple[Tensor, Tensor]
Halves = dict[tuple[str, str], Pair]
Save = Callable[[Halves, Path], float]


def weights_of(folder: Path, network: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_file(folder / network / FILES[network])
    return found


def named(weights: dict[str, Tensor], layer: str) -> str:
    """A layer's weight in a file, whose text encoder may have a level more."""
    (found,) = (key for key in weights if key.endswith(f"{layer}.weight"))
    return found


def pairs(folder: Path, seed: int) -> Halves:
    """Random halves for each layer, clearly to be seen."""
    chance, found = torch.Generator().manual_seed(seed), {}
    for network, layers in LAYERS.items():
        weights = weights_of(folder, network)
        for layer in layers:
            weight = weights[named(weights, layer)]
            down = torch.randn((RANK, *weight.shape[1:]), generator=chance)
            up = torch.randn((len(weight), RANK, *[1] * (weight.ndim - 2)), generator=chance)
            found[network, layer] = 0.5 * down, 0.5 * up
    return found


def merged(folder: Path, to: Path, *added: tuple[Halves, float]) -> Path:
    """The checkpoint with adapters in its weights: each pair's product, so many times."""
    shutil.copytree(folder, to)
    for network, layers in LAYERS.items():
        weights = weights_of(folder, network)
        for layer in layers:
            name = named(weights, layer)
            for halves, by in added:
                down, up = halves[network, layer]
                change = up.flatten(1) @ down.flatten(1)
                weights[name] = weights[name] + by * change.view_as(weights[name])
        save_file(weights, to / network / FILES[network], metadata={"format": "pt"})
    return to


def peft(halves: Halves, to: Path) -> float:
    """As diffusers saves adapters now; answers α ÷ rank."""
    tensors = {}
    for (network, layer), (down, up) in halves.items():
        tensors[f"{network}.{layer}.lora_A.weight"] = down
        tensors[f"{network}.{layer}.lora_B.weight"] = up
    settings = {"unet.lora_alpha": ALPHA, "text_encoder.lora_alpha": ALPHA, "unet.use_dora": False}
    save_file(tensors, to, metadata={"lora_adapter_metadata": json.dumps(settings)})
    return ALPHA / RANK


def older(halves: Halves, to: Path) -> float:
    """As diffusers saved them before."""
    tensors = {}
    for (network, layer), (down, up) in halves.items():
        where = f"{network}.{layer}."
        where = where.replace("encoder.layers", "text_model.encoder.layers")
        where += "lora_linear_layer." if network == "text_encoder" else "lora."
        for last in ("to_q", "to_out.0"):
            new = f"processor.{last.removesuffix('.0')}_lora."
            where = where.replace(f"{last}.lora.", new)
        tensors[f"{where}down.weight"], tensors[f"{where}up.weight"] = down, up
    save_file(tensors, to)
    return 1.0


def kohya(halves: Halves, to: Path) -> float:
    """As kohya's scripts save them."""
    tensors = {}
    for (network, layer), (down, up) in halves.items():
        prefix = "lora_unet_" if network == "unet" else "lora_te_text_model_"
        where = prefix + layer.replace(".", "_")
        tensors[f"{where}.lora_down.weight"], tensors[f"{where}.lora_up.weight"] = down, up
        tensors[f"{where}.alpha"] = torch.tensor(ALPHA)
    save_file(tensors, to)
    return ALPHA / RANK


def opened(folder: Path, adapters: Path | None = None) -> LatentModel:
    model = build(
        "tiny", "cpu", "fp32", str(folder), tiny="none", max_batch=3, lora=str(adapters or "")
    )
    model.load(lambda stage, share: None)
    return model


def ask(model: LatentModel, canvas: NDArray[np.uint8] | None = None, **params: object) -> Request:
    return parity.ask(model, canvas, **({"prompt": "sunset", "seed": 3, "steps": 2} | params))


def ours(model: LatentModel, **params: object) -> Floats:
    return parity.ours(model, ask(model, None, **params))
