"""Captions for painted scenes: the words that matter, in many wordings, among words that don't.

Role: turn a scene's words and materials into a prompt as people type it, leaving things out at
random so that a missing word means 'as you like'. Invariant: a caption never says what the scene
isn't. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from models.scenes.palette import STRANGERS, VOCABULARY

THINGS: dict[str, tuple[str, ...]] = {
    "cloud": ("clouds", "cloudy sky"),
    "mountain": ("mountains", "a mountain", "alps", "peaks"),
    "water": ("a lake", "water", "the sea", "a river"),
    "meadow": ("a meadow", "hills", "fields", "grass"),
    "tree": ("trees", "a forest", "woods", "a tree"),
    "sand": ("a beach", "sand", "dunes"),
    "snow": ("snow", "a snowfield"),
    "house": ("a house", "a village", "cottage"),
    "path": ("a path", "a road"),
    "flower": ("flowers", "wildflowers"),
}
KEEP = {"clear": 0.2, "clean": 0.35}
"""Words that people leave out, and how often they are said; what a caption doesn't say is these."""
KEEP_STYLE = 0.94
"""A style that isn't the plain one is nearly always named, or an unnamed style would be any."""


def caption(
    rng: np.random.Generator, words: Mapping[str, str], materials: Iterable[str], keep: float = 0.8
) -> str:
    """A prompt for a scene. `words`: group → word; `keep`: chance that each group is named."""
    parts: list[str] = []
    for group, word in words.items():
        if rng.random() < KEEP.get(word, KEEP_STYLE if group == "style" else keep):
            wordings = VOCABULARY[group][word]
            parts.append(wordings[0] if rng.random() < 0.6 else str(rng.choice(wordings)))
    for material in materials:
        if material in THINGS and rng.random() < 0.3:
            parts.append(str(rng.choice(THINGS[material])))
    for _ in range(int(rng.choice([0, 1, 2, 4], p=[0.5, 0.25, 0.15, 0.1]))):
        parts.append(str(rng.choice(STRANGERS)))
    order = rng.permutation(len(parts))
    return (", " if rng.random() < 0.6 else " ").join(parts[i] for i in order)
