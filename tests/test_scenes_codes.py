"""Codes of layouts, and noise that holds them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.codes import COARSE, Codes, find_codes

WORDS = [{"time": "day"}, {"time": "night"}] * 150


@pytest.fixture(scope="module")
def paintings() -> Tensor:
    """Two layouts that differ by a lot and a little, light that follows the word, and grain."""
    torch.manual_seed(0)
    x = 0.1 * torch.randn(300, 2, 3, 16, 16)
    x[:, :, 0, :8] += 5 * torch.rand(300, 2, 1, 1)
    x[:, :, 1, :, 8:] += 2 * torch.rand(300, 2, 1, 1)
    x[::2, :, 2] += 50
    return x


@pytest.fixture(scope="module")
def codes(paintings: Tensor) -> Codes:
    return find_codes(paintings, WORDS, torch.ones(3), 6)


def test_codes_are_standard_normal_and_directions_orthonormal(codes: Codes) -> None:
    flat = codes.directions.flatten(1)
    assert torch.allclose(flat @ flat.T, torch.eye(6), atol=1e-4)
    assert codes.codes.shape == (300, 2, 6)
    numbers = codes.codes.flatten(0, 1)
    assert torch.allclose(numbers.mean(0), torch.zeros(6), atol=1e-3)
    assert torch.allclose(numbers.std(0), torch.ones(6), atol=0.02)


def test_the_first_codes_are_the_largest_differences(paintings: Tensor, codes: Codes) -> None:
    large = F.avg_pool2d(paintings.flatten(0, 1), COARSE).view(300, 2, -1)
    upper, right = large[:, :, 0], large[:, :, 16 + 3]
    for code, value in ((codes.codes[..., 0], upper), (codes.codes[..., 1], right)):
        both = torch.stack([code.flatten(), value.flatten()])
        assert abs(float(torch.corrcoef(both)[0, 1])) > 0.9


def test_what_the_words_say_needs_no_code(codes: Codes) -> None:
    day, night = codes.codes[::2].flatten(0, 1), codes.codes[1::2].flatten(0, 1)
    assert float((day.mean(0) - night.mean(0)).abs().max()) < 0.25


def test_noise_holds_what_is_written_and_is_noise_otherwise(codes: Codes) -> None:
    torch.manual_seed(1)
    noise, wanted = torch.randn(40, 3, 16, 16), codes.codes[:40, 0]
    written = codes.written(noise, wanted)
    flat = codes.directions.flatten(1)
    assert torch.allclose(written.flatten(1) @ flat.T, wanted, atol=1e-4)
    own = noise.flatten(1) @ flat.T
    assert torch.allclose(codes.written(written, own), noise, atol=1e-4), "nothing else changed"
    assert 0.95 < float(written.std()) < 1.05


def test_a_channel_that_matters_less_has_fewer_codes(paintings: Tensor) -> None:
    weighed = find_codes(paintings, WORDS, torch.tensor([1e-4, 1.0, 1.0]), 1)
    energy = weighed.directions.square().sum((0, 2, 3))
    assert int(energy.argmax()) == 1
