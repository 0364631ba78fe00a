"""The fused autoencoder is the plain one, only faster."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from models import patches
from models.fused import _Block, fusable, fuse
from models.scenes.nets import Shape, make_autoencoder

CPU = torch.device("cpu")
NEAR = {torch.float32: 1e-5, torch.bfloat16: 0.03}


@torch.inference_mode()
def both_ways(vae: AutoencoderTiny, picture: Tensor) -> tuple[Tensor, Tensor]:
    latents = patches.encode(vae, picture)
    return latents, patches.decode(vae, latents)


@pytest.mark.parametrize("dtype", NEAR)
def test_it_gives_what_the_plain_one_gives(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Module.to(make_autoencoder(Shape(autoencoder=16)), dtype).eval()
    fused = copy.deepcopy(plain)
    fuse(fused)
    assert sum(isinstance(module, _Block) for module in fused.modules()) == 8
    assert not any(isinstance(m, torch.nn.ReLU) for m in fused.modules())
    picture = (torch.rand(2, 3, 64, 64) * 2 - 1).to(dtype, memory_format=torch.channels_last)
    for before, after in zip(both_ways(plain, picture), both_ways(fused, picture), strict=True):
        assert before.shape == after.shape
        assert (before - after).abs().max() <= NEAR[dtype] * before.abs().max()


def test_its_weights_are_the_plain_ones() -> None:
    vae = make_autoencoder(Shape(autoencoder=16)).eval()
    weights = {id(weight) for weight in vae.parameters()}
    fuse(vae)
    assert {id(weight) for weight in vae.parameters()} == weights
    assert sum(weight.numel() for weight in vae.parameters()) > 0


def test_what_it_does_not_know_is_left_alone() -> None:
    vae = make_autoencoder(Shape(autoencoder=16))
    assert fusable(vae, CPU)
    assert not fusable(vae, torch.device("cuda"))
    assert not fusable(torch.nn.Linear(1, 1), CPU)
