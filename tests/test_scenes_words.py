"""Words of a prompt: found in any wording, completed by a scene's or by the seed's."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from models.scenes.palette import VOCABULARY
from models.scenes.words import USUAL, completed, unsaid, with_words

SCENE = {"time": "dawn", "season": "autumn", "weather": "clear", "style": "ink"}


def test_a_prompt_says_the_words_that_it_names_in_any_wording() -> None:
    assert unsaid("etching of a lake, OCTOBER") == ["time", "weather"]
    assert unsaid("") == list(VOCABULARY)
    assert unsaid("golden hour, frost, misty, 8-bit") == []
    assert unsaid("holiday, inkling") == list(VOCABULARY), "a word is a whole word"


def test_what_a_prompt_leaves_out_is_the_scenes() -> None:
    assert with_words("a lake, night", SCENE) == "autumn, clear, ink, a lake, night"
    assert with_words("", SCENE) == "dawn, autumn, clear, ink"
    full = "dusk, winter, storm, oil"
    assert with_words(full, SCENE) == full


def test_what_is_said_is_never_changed_by_a_seed() -> None:
    for seed in range(20):
        assert completed("night in winter", seed) == "clear, clean, night in winter"


def test_a_seed_is_one_hour_and_seeds_are_many() -> None:
    assert completed("a house", 7) == completed("a house", 7)
    told = Counter(completed("", seed) for seed in range(400))
    assert len(told) == 16, "four hours, four seasons, always clear and clean"
    for word, odds in USUAL["time"].items():
        share = sum(n for text, n in told.items() if word in text.split(", ")) / 400
        assert share == pytest.approx(odds, abs=0.08)


@given(st.text(max_size=80), st.integers(0, 2**32 - 1))
def test_a_completed_prompt_names_every_group(prompt: str, seed: int) -> None:
    text = completed(prompt, seed)
    assert unsaid(text) == []
    assert text.endswith(prompt)
    assert completed(text, seed + 1) == text
