"""Painted regions folded to a network's grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from models.fold import Fold, open_fold

COLOURS = ((110, 175, 235), (30, 90, 50), (190, 75, 60), (255, 255, 255))
FOLD = Fold(COLOURS)
LABELS = arrays.arrays(np.uint8, (16, 16), elements=st.integers(0, len(COLOURS) - 1))


@given(LABELS, st.integers(0, 2**31))
def test_colours_a_little_off_are_still_their_material(labels: np.ndarray, seed: int) -> None:
    off = np.random.default_rng(seed).integers(-12, 13, (len(COLOURS), 3))
    table = np.clip(np.array(COLOURS) + off, 0, 255).astype(np.uint8)
    assert np.array_equal(FOLD.labels(table[labels]), labels)


@given(LABELS)
def test_shares_are_shares(labels: np.ndarray) -> None:
    shares = FOLD.shares(labels, 4)
    assert shares.shape == (FOLD.channels, 4, 4)
    assert np.allclose(shares.reshape(4, len(COLOURS), 4, 4).sum(1), 1)
    for number in range(len(COLOURS)):
        whole = shares.reshape(4, len(COLOURS), 4, 4)[:, number].mean()
        assert whole == pytest.approx(float((labels == number).mean()), abs=1e-6)


@given(LABELS)
def test_twice_the_size_is_the_same(labels: np.ndarray) -> None:
    large = labels.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(FOLD.shares(labels, 4), FOLD.shares(large, 4))
    assert np.array_equal(FOLD.shares(labels, 16), FOLD.shares(large, 16))


def test_parts_of_a_cell_are_told_apart() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[0, 4] = 2  # a pixel in the upper left part of the second cell of the first row
    parts = FOLD.shares(labels, 2).reshape(2, 2, len(COLOURS), 2, 2)
    assert parts[0, 0, 2, 0, 1] == 1 / 4
    assert parts[:, :, 2].sum() == 1 / 4
    assert parts[0, 0, 0, 0, 1] == 3 / 4


def test_a_fold_is_kept_in_its_folder(tmp_path: Path) -> None:
    assert open_fold(tmp_path) is None
    FOLD.save(tmp_path)
    assert open_fold(tmp_path) == FOLD
