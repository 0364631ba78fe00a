"""Noise fields that the painter looks up instead of rolling: made once a process, from no seed.

Role: periodic tiles of a few characters and the sampling of them at any scale. Invariants: a tile
is float32 (512, 512), wraps around, has about unit variance ("ridged" is 0–1); a place of a tile
is given in tiles, so that the same place at two picture sizes is the same noise, only finer. Knows
nothing of what is painted with it.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from models.scenes.light import Array

TILE = 512


@lru_cache(maxsize=16)
def tile(kind: str) -> Array:
    """`soft` (blobs, eight across), `fbm` (cloud-like), `ridged` (creases), `grain` (paper)."""
    rng = np.random.default_rng([TILE, sum(kind.encode())])
    if kind == "soft":
        return _band(rng, 4, 10, 0.0)
    if kind == "fbm":
        return _band(rng, 2, 80, -2.0)
    if kind == "grain":
        return _band(rng, 50, 110, 0.0)
    return _ridged(rng)


def _band(rng: np.random.Generator, low: float, high: float, power: float) -> Array:
    """Noise whose waves are `low` to `high` a tile, amplitude falling with `power`."""
    axis = np.fft.fftfreq(TILE) * TILE
    waves = np.hypot(axis[:, None], axis[None])
    weight = np.where((waves >= low) & (waves <= high), np.maximum(waves, 1) ** power, 0)
    phases = np.fft.fft2(rng.standard_normal((TILE, TILE)))
    field = np.fft.ifft2(phases * weight).real
    return np.asarray(field / field.std(), np.float32)


def _ridged(rng: np.random.Generator) -> Array:
    """Sharp crests, soft valleys: 1 - |noise| in four octaves, fine where the last is high."""
    total, carry, gain = np.zeros((TILE, TILE)), np.ones((TILE, TILE)), 1.0
    for octave in range(4):
        waves = 3 * 2**octave
        crest = (1 - np.clip(np.abs(_band(rng, waves, waves * 1.9, -1.0)), 0, 2) / 2) ** 2
        total += gain * crest * carry
        carry, gain = np.clip(crest * 1.4, 0, 1), gain * 0.5
    total -= total.min()
    return np.asarray(total / total.max(), np.float32)


def at(kind: str, u: Array, v: Array) -> Array:
    """The tile at places `u`, `v` (arrays of one shape, in tiles, -60 to 60; it wraps)."""
    columns, rows = np.asarray(u * TILE, np.float32), np.asarray(v * TILE, np.float32)
    found = cv2.remap(tile(kind), columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
    return np.asarray(found)


def window(
    kind: str, size: int, place: tuple[float, float], across: float, down: float | None = None
) -> Array:
    """A (size, size) cut of a tile: `across` × `down` tiles from `place`; cheaper than `at`."""
    down = across if down is None else down
    step = (across * TILE / size, down * TILE / size)
    affine = np.array(
        [[step[0], 0, place[0] * TILE + step[0] / 2], [0, step[1], place[1] * TILE + step[1] / 2]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(tile(kind), affine, (size, size), None, flags, cv2.BORDER_WRAP)
    return np.asarray(cut)
