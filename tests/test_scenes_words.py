"""The judge of words: what a prompt says, what the judge learns, and what it asks of a maker."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.palette import VOCABULARY
from models.scenes.words import COUNTS, UNSAID, WordJudge, said, spoken, worded

SCENE = {"time": "dawn", "season": "autumn", "weather": "clear", "style": "ink"}
SEASONS = list(VOCABULARY).index("season")


def seen(latents: Tensor) -> list[Tensor]:
    half = F.avg_pool2d(latents, 2)
    return [latents, latents, half, F.avg_pool2d(half, 2)]


def painted(numbers: Tensor) -> Tensor:
    """Latents whose brightness is the season, grainy as a painting is."""
    bright = numbers[:, SEASONS].float()[:, None, None] - 1.5
    grain = 0.5 * torch.randn(len(numbers), 8, 8)
    return torch.stack([bright + 0.2 * grain, grain], 1)


def smeared(numbers: Tensor) -> Tensor:
    return painted(numbers) * torch.tensor([1.0, 0.0])[:, None, None]


def asked(count: int) -> Tensor:
    numbers = torch.full((count, len(COUNTS)), UNSAID)
    numbers[:, SEASONS] = torch.arange(count) % 4
    return numbers


@pytest.fixture(scope="module")
def learnt() -> WordJudge:
    torch.manual_seed(0)
    words = WordJudge(2, (2, 2, 2), width=16)
    judge = torch.optim.AdamW(words.parameters(), 3e-3, (0.0, 0.99))
    for _ in range(150):
        numbers = asked(8)
        worded(words, judge, seen(painted(numbers)), seen(smeared(numbers)), numbers)
    return words


def test_a_prompt_says_the_words_that_it_names_in_any_wording() -> None:
    numbers = said("etching of a lake, october", SCENE)
    known = dict(zip(VOCABULARY, numbers, strict=True))
    assert known["season"] == list(VOCABULARY["season"]).index("autumn")
    assert known["style"] == list(VOCABULARY["style"]).index("ink")
    assert known["time"] == known["weather"] == UNSAID
    assert said("", SCENE) == [UNSAID] * len(VOCABULARY)
    assert said("spring", SCENE)[SEASONS] == UNSAID, "the picture shows another season"
    day = SCENE | {"time": "day"}
    assert said("holiday, 8-bit", day) == [UNSAID] * len(VOCABULARY), "a word is a whole word"


def test_it_learns_the_words_of_true_pictures_and_calls_made_ones_made_up(
    learnt: WordJudge,
) -> None:
    numbers = asked(64)
    true = learnt(seen(painted(numbers)))[SEASONS].argmax(1)
    made = learnt(seen(smeared(numbers)))[SEASONS].argmax(1)
    assert (true == numbers[:, SEASONS]).float().mean() > 0.9
    assert (made == COUNTS[SEASONS] - 1).float().mean() > 0.9


def test_another_season_than_said_costs_more(learnt: WordJudge) -> None:
    numbers = asked(64)
    other = numbers.clone()
    other[:, SEASONS] = (other[:, SEASONS] + 1) % 4
    logits = learnt(seen(painted(numbers)))
    assert spoken(logits, other) > spoken(logits, numbers) + 0.3


def test_where_no_word_was_said_nothing_is_asked(learnt: WordJudge) -> None:
    numbers = torch.full((8, len(COUNTS)), UNSAID)
    assert spoken(learnt(seen(painted(asked(8)))), numbers) == 0


def test_the_maker_learns_and_leaves_the_judge_as_it_is(learnt: WordJudge) -> None:
    numbers = asked(8)
    latents = smeared(numbers).requires_grad_(True)
    optimizer = torch.optim.SGD(learnt.parameters(), 1e-4)
    loss = worded(learnt, optimizer, seen(painted(numbers)), seen(latents), numbers)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    assert latents.grad is not None
    assert latents.grad.abs().max() > 0
    assert all(each.grad is None for each in learnt.parameters())
    assert all(each.requires_grad for each in learnt.parameters())
