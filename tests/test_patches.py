"""Tiny autoencoders over squares of pixels."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import AutoencoderTiny

from models.fused import fuse
from models.patches import decode, encode, factor_of, patch_of
from models.scenes.nets import Shape, make_autoencoder


def test_three_channels_are_any_tiny_autoencoder() -> None:
    torch.manual_seed(0)
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4
    ).eval()
    picture = torch.rand(1, 3, 32, 32) * 2 - 1
    assert patch_of(vae) == 1
    assert factor_of(vae) == 8
    with torch.inference_mode():
        latents = encode(vae, picture)
        assert torch.equal(latents, vae.encode(picture).latents)
        assert torch.equal(decode(vae, latents), vae.decode(latents).sample)


@pytest.mark.parametrize("patch", [2, 4, 8])
def test_squares_of_pixels_come_back_where_they_were(patch: int) -> None:
    torch.manual_seed(0)
    levels = {2: (1, 1, 1), 4: (1, 1), 8: (1,)}[patch]
    shape = Shape(8, patch, levels, levels, 4)
    vae = make_autoencoder(shape).eval()
    assert patch_of(vae) == patch
    assert factor_of(vae) == 8
    picture = torch.zeros(1, 3, 128, 128)
    with torch.inference_mode():
        plain = decode(vae, encode(vae, picture))
        picture[:, :, 64:72, 64:72] = 1  # one square of the latents' grid, in the middle
        assert encode(vae, picture).shape == (1, 4, 16, 16)
        change = (decode(vae, encode(vae, picture)) - plain).abs().sum((0, 1))
    assert change.shape == (128, 128)
    rows, columns = (change.sum(axis) for axis in (1, 0))
    middle = float((rows * torch.arange(128)).sum() / rows.sum())
    assert abs(middle - 67.5) < 12
    assert abs(float((columns * torch.arange(128)).sum() / columns.sum()) - 67.5) < 12


def test_fused_it_is_the_same() -> None:
    torch.manual_seed(0)
    vae = make_autoencoder(Shape(8, 8, (2,), (2,), 4)).eval()
    fused = copy.deepcopy(vae)
    fuse(fused)
    picture = torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        ours, theirs = (decode(v, encode(v, picture)) for v in (fused, vae))
    assert torch.allclose(ours, theirs, atol=1e-5)
