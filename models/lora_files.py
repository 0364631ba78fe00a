"""Files of low-rank adapters, in the layouts that people share, as what is added to each layer.

Role: from a safetensors file to a pair of matrices a layer: the layouts of diffusers and PEFT
(`unet.….lora_A.weight`, `….lora.down.weight`, `….processor.to_q_lora.down.weight`) and of kohya's
scripts (`lora_unet_….lora_down.weight` beside `….alpha`, with the library's or with the original
block names). Invariant: every tensor of a file is for a layer of the checkpoint and of its shape,
or the file is refused. Knows nothing of requests.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

Tensors = dict[str, Tensor]
NETWORKS = {"lora_unet_": "unet", "lora_te_": "text_encoder", "lora_te1_": "text_encoder",
            "lora_te2_": "text_encoder_2"}  # fmt: skip
"""What kohya's scripts call networks."""
OLDER = {
    ".processor.": ".", "to_q_lora.": "to_q.lora.", "to_k_lora.": "to_k.lora.",
    "to_v_lora.": "to_v.lora.", "to_out_lora.": "to_out.0.lora.", ".lora_linear_layer.": ".lora.",
}  # fmt: skip
"""Spellings of diffusers that were, and what became of them."""
ENDS = {
    ".lora_A.weight": "down", ".lora_A.default.weight": "down", ".lora.down.weight": "down",
    ".lora_down.weight": "down", ".lora_B.weight": "up", ".lora_B.default.weight": "up",
    ".lora.up.weight": "up", ".lora_up.weight": "up", ".alpha": "alpha",
}  # fmt: skip
WRAPPED = "base_model.model."
"""What PEFT itself puts before a network's layers; it is the one that people teach."""
PLACES = {
    "_in_layers_2": "_conv1", "_out_layers_3": "_conv2", "_emb_layers_1": "_time_emb_proj",
    "_skip_connection": "_conv_shortcut", "_op": "_conv",
}  # fmt: skip
"""Layers of residual blocks, in the original UNet's words."""
ADAPTING = "lora_adapter_metadata"
"""The header of a file that PEFT's settings lie in."""
SHOWN = 3


class NotAnAdapter(Exception):
    """The file isn't an adapter for this checkpoint, and why, in a line."""


@dataclass(frozen=True)
class Part:
    """What is added to a layer: `scale` · up(down(x)). Matrices (rank, in) and (out, rank), or
    kernels (rank, in, k, k) and (out, rank, 1, 1), of the layer's device and format."""

    down: Tensor
    up: Tensor
    scale: float


def read_adapter(path: Path, layers: Mapping[str, nn.Module]) -> dict[str, Part]:
    """What a file adds to each of the checkpoint's `layers` (by network and path: `unet.conv_in`).
    Raises `NotAnAdapter`."""
    tensors, settings = _opened(path)
    spelt = _spellings(layers)
    found: dict[str, Tensors] = {}
    strange: list[str] = []
    for key, value in tensors.items():
        where, what = _place(key, spelt)
        if what is None:
            strange.append(key)
        elif what in found.setdefault(where, {}):
            raise NotAnAdapter(f"of {where} it has one half twice")
        else:
            found[where][what] = value
    if strange:
        more = f" and {len(strange) - SHOWN} more" if len(strange) > SHOWN else ""
        raise NotAnAdapter(
            f"it is for another checkpoint, or of a kind that isn't done here: this one has "
            f"nothing like {', '.join(strange[:SHOWN])}{more}"
        )
    if not found:
        raise NotAnAdapter("it holds nothing")
    try:
        return {where: _part(where, each, layers[where], settings) for where, each in found.items()}
    except (RuntimeError, TypeError, NotImplementedError) as error:  # numbers of a strange format
        raise NotAnAdapter(f"its numbers can't be used: {str(error).splitlines()[0]}") from None


def _opened(path: Path) -> tuple[Tensors, Mapping[str, object]]:
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        settings = json.loads(header.get(ADAPTING, "{}"))
    except (OSError, ValueError, SafetensorError) as error:
        raise NotAnAdapter(f"it can't be opened: {str(error).splitlines()[0]}") from None
    if not isinstance(settings, dict):
        raise NotAnAdapter("its settings can't be read")
    for name, value in settings.items():
        if value and name.endswith(("alpha_pattern", "rank_pattern", "use_dora", "lora_bias")):
            raise NotAnAdapter(f"its {name} isn't done here")
    return tensors, settings


def _spellings(layers: Mapping[str, nn.Module]) -> dict[str, str]:
    """Every name that a file may have for a layer, without what is behind it."""
    spelt: dict[str, str] = {}
    for where in layers:
        network, _, path = where.partition(".")
        paths = [path]
        if network.startswith("text_encoder"):  # the library has left a level out since
            paths = [path, f"text_model.{path}", path.removeprefix("text_model.")]
        for each in paths:
            spelt[f"{network}.{each}"] = where
            for prefix, name in NETWORKS.items():
                if name == network:
                    spelt[prefix + each.replace(".", "_")] = where
    return spelt


def _place(key: str, spelt: Mapping[str, str]) -> tuple[str, str | None]:
    """The layer that a tensor is for, and what of it; None for what has no place."""
    if key.startswith(WRAPPED):
        key = f"unet.{key.removeprefix(WRAPPED)}"
    for old, new in OLDER.items():
        key = key.replace(old, new)
    for end, what in ENDS.items():
        if key.endswith(end):
            name = key.removesuffix(end)
            where = spelt.get(name) or spelt.get(_modern(name))
            return (where, what) if where else (key, None)
    return key, None


def _modern(name: str) -> str:
    """Kohya's name of a layer with the original UNet's block numbers, by the library's: two layers
    a block on the way down and three on the way up (SDXL's and SD's layouts)."""
    if found := re.fullmatch(r"lora_unet_input_blocks_(\d+)_(\d+)_?(.*)", name):
        block, layer = divmod(int(found[1]) - 1, 3)
        if int(found[1]) == 0:
            return "lora_unet_conv_in"
        kind = _kind(found[3], found[2], "downsamplers_0" if layer == 2 else f"{{}}_{layer}")
        return _placed(f"lora_unet_down_blocks_{block}_{kind}")
    if found := re.fullmatch(r"lora_unet_middle_block_(\d)_(.*)", name):
        middle = {"0": "resnets_0", "1": "attentions_0", "2": "resnets_1"}
        return _placed(f"lora_unet_mid_block_{middle.get(found[1], '')}_{found[2]}")
    if found := re.fullmatch(r"lora_unet_output_blocks_(\d+)_(\d+)_?(.*)", name):
        block, layer = divmod(int(found[1]), 3)
        last = found[3].startswith("conv")
        kind = _kind(found[3], found[2], "upsamplers_0" if last else f"{{}}_{layer}")
        return _placed(f"lora_unet_up_blocks_{block}_{kind}")
    return name


def _kind(rest: str, number: str, where: str) -> str:
    return f"{where.format('resnets' if number == '0' else 'attentions')}_{rest}"


def _placed(name: str) -> str:
    for old, new in PLACES.items():
        name = re.sub(f"{old}$", new, name)
    return name


def _part(where: str, parts: Tensors, layer: nn.Module, settings: Mapping[str, object]) -> Part:
    down, up = parts.get("down"), parts.get("up")
    if down is None or up is None:
        raise NotAnAdapter(f"of {where} it has but one half")
    weight = layer.weight
    assert isinstance(weight, Tensor)
    down, up = _shaped(down, weight), _shaped(up, weight)
    rank = len(down) if down.ndim else 0
    halves = (rank, *weight.shape[1:]), (len(weight), rank, *[1] * (weight.ndim - 2))
    if not rank or (down.shape, up.shape) != halves:
        raise NotAnAdapter(
            f"of {where} it has {tuple(down.shape)} and {tuple(up.shape)}, where the checkpoint "
            f"has {tuple(weight.shape)}: it is for another one"
        )
    # copies: what was opened are views of the file, which may be written to
    scale = _scale(where, parts, settings, rank)
    part = Part(down.to(weight, copy=True), up.to(weight, copy=True), scale)
    numbers = torch.tensor(part.scale), part.down, part.up
    if not all(bool(torch.isfinite(each).all()) for each in numbers):
        raise NotAnAdapter(f"of {where} it has numbers that are none, or too large")
    return part


def _shaped(values: Tensor, like: Tensor) -> Tensor:
    """A matrix as a kernel of one place, or the other way round."""
    if like.ndim == 4 and values.ndim == 2:
        return values[:, :, None, None]
    if like.ndim == 2 and values.ndim == 4 and values.shape[2:] == (1, 1):
        return values[:, :, 0, 0]
    return values


def _scale(where: str, parts: Tensors, settings: Mapping[str, object], rank: int) -> float:
    """α ÷ rank, or by PEFT's setting ÷ its root (Kalajdzievski, rsLoRA, 2023). α is the file's, or
    of PEFT's settings, or the rank."""
    network, alpha = where.partition(".")[0], parts.get("alpha")
    if alpha is not None and alpha.numel() != 1:
        raise NotAnAdapter(f"of {where} its alpha isn't a number")

    def told(name: str) -> object:
        return settings.get(f"{network}.{name}", settings.get(name))

    value = told("lora_alpha") if alpha is None else alpha.item()
    number = float(value) if isinstance(value, int | float) else float(rank)
    return number / (math.sqrt(rank) if told("use_rslora") else rank)
