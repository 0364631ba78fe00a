"""What a prompt says of light, season, weather and style, and what is painted where it is silent.

Role: the network is always told a word of every group, for what isn't said could only be guessed;
who says less gets a plain, clear picture whose hour and season come from the seed. Words are found
as whole words, whatever their case, in any of their wordings. Imports no networks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from models.scenes.palette import VOCABULARY

USUAL: dict[str, dict[str, float]] = {
    "time": {"day": 0.4, "sunset": 0.25, "dawn": 0.2, "night": 0.15},
    "season": {"summer": 0.35, "spring": 0.25, "autumn": 0.25, "winter": 0.15},
    "weather": {"clear": 1.0},
    "style": {"clean": 1.0},
}
"""Group → word → how often it is painted where the prompt names none of the group."""


@lru_cache(maxsize=64)
def _pattern(group: str) -> re.Pattern[str]:
    wordings = sorted((w for many in VOCABULARY[group].values() for w in many), key=len)
    return re.compile(rf"\b({'|'.join(map(re.escape, reversed(wordings)))})\b", re.IGNORECASE)


def unsaid(prompt: str) -> list[str]:
    """The groups of which the prompt names no word."""
    return [group for group in VOCABULARY if not _pattern(group).search(prompt)]


def with_words(prompt: str, words: Mapping[str, str]) -> str:
    """Of every group that a prompt leaves out the word in `words` (group → word), and the prompt:
    what a text encoder has no room for is cut from the end."""
    return ", ".join(filter(None, [*(words[group] for group in unsaid(prompt)), prompt]))


def completed(prompt: str, seed: int) -> str:
    """A usual word of every group that a prompt leaves out, chosen by the seed, and the prompt."""
    rng = np.random.default_rng([seed, 17])
    chosen = {
        group: str(rng.choice(list(odds), p=list(odds.values()))) for group, odds in USUAL.items()
    }
    return with_words(prompt, chosen)
