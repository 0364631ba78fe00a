"""The distillation: the network that flow matching taught becomes good in one to four steps.

Role: the student starts as the teacher, or as an earlier student, and answers the clean latents at
once, from the noise levels that 1, 2, 3 and 4 steps use. A critic asks that its answers look
painted (adversarial distillation in latent space: Sauer et al., LADD, 2024), which is what makes
few steps sharp, a judge of places that each shows what was drawn there, and a judge of words that
each is seen. What the canvas and the noise leave no choice about is to be what the painter made of
it, and to look alike to the teacher's eyes (features matched as in Wang et al., pix2pixHD, 2018; in
latent space: Kang et al., Diffusion2GAN, 2024). Later steps keep to what the first chose. The text
encoder stays as it is: the critic reads its words.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.critic import Asked, Critic, criticised
from models.scenes.flow import Batch, Feed, step_sigmas
from models.scenes.loop import Loop, Plan, half_precision
from models.scenes.nets import FOLD, SCALES, Painter, plain_attention, tokenize
from models.scenes.places import Places, drawn, located, rarity, unlike
from models.scenes.sight import Glance, Sight, glances
from models.scenes.words import WordJudge, worded

LATER = [level for steps in (2, 3, 4) for level in step_sigmas(steps)[1:-1]]
"""Noise levels at which runs of 2, 3 and 4 steps go on; each begins at 1."""
FINE_SERVED = (0.5, 0.5, 0.25)
FINE_EVERY = 6
SMOOTH_EVERY = 4  # steps: the critic's smoothness costs as much as all else of it
WIDTH = (48, 96, 160)
CRITIC_RATE = 2.5  # times the student's: judges that learn slowly ask for nothing but grain
PLACED = 2.0  # weight of what each place shows
WORDED = 4.0  # and of what the words said
LIKE = 10.0  # and of what the sight finds where the canvas is painted
FOLLOW, NEAR = 6.0, 0.25
"""Weight of being what the painter made of it, and the error up to which that counts squared."""
TONE, BROAD = 24.0, 4
"""And of being so on the average of so many latents each way: the light of an hour and a weather is
known to the last, whatever stands in it, and no judge of detail may trade it in."""


@dataclass(frozen=True)
class Lesson:
    """Rows that begin, at σ = 1, and rows that go on, the first `onward` of them from the answers
    to as many of those, through `levels`. `noise` is theirs, (n, c, h, w) each. For a larger
    picture nothing begins."""

    begin: Batch | None
    later: Batch
    noise: tuple[Tensor, Tensor]
    levels: Sequence[float] = ()
    onward: int = 0

    def to(self, device: torch.device) -> Lesson:
        begin = self.begin and self.begin.to(device)
        noise = (self.noise[0].to(device), self.noise[1].to(device))
        return replace(self, begin=begin, later=self.later.to(device), noise=noise)


class Lessons:
    """Draws what the student learns from."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def plain(self, rng: np.random.Generator, count: int) -> Lesson:
        """A quarter of the rows go on from an answer to one that begins, an eighth from paintings,
        the others begin; at least one row is of each kind."""
        gone, fresh = max(1, count // 4), max(1, count // 8)
        begin = self.feed.plain(rng, max(gone, count - gone - fresh))
        begin = replace(begin, sigma=torch.ones(len(begin.sigma)))
        steps = int(rng.integers(2, 5))
        levels = step_sigmas(steps)[: int(rng.integers(2, steps + 1))]
        at = [levels[-1]] * gone + rng.choice(LATER, fresh).tolist()
        later = joined(begin.first(gone), self.feed.plain(rng, fresh), torch.tensor(at))
        noise = _noise(rng, begin.clean), _noise(rng, later.clean)
        return Lesson(begin, later, noise, levels, gone)

    def fine(self, rng: np.random.Generator, count: int) -> Lesson:
        batch = self.feed.fine(rng, count)
        sigma = torch.from_numpy(rng.choice(FINE_SERVED, count)).float()
        noise = _noise(rng, batch.clean)
        return Lesson(None, replace(batch, sigma=sigma), (noise[:0], noise))


def _noise(rng: np.random.Generator, like: Tensor) -> Tensor:
    return torch.from_numpy(rng.standard_normal(like.shape, np.float32))


def joined(one: Batch, other: Batch, sigma: Tensor) -> Batch:
    """Both, one after the other, at other noise levels."""
    pairs = zip(one.parts, other.parts, strict=True)
    clean, start, canvas, tokens, said, _ = (torch.cat(pair) for pair in pairs)
    return Batch(clean, start, canvas, tokens, said, sigma, one.scale)


def distil(
    teacher: Painter,
    lessons: Lessons,
    plan: Plan,
    batch: int = 16,
    width: tuple[int, int, int] = WIDTH,
    first: Painter | None = None,
) -> Painter:
    """Answers the averaged student, which starts as `first`, or as the teacher."""
    device = next(teacher.parameters()).device
    student = copy.deepcopy(first or teacher).to(device)
    student.text.requires_grad_(False)
    plain_attention(student)
    rivals = _rivals(teacher, lessons.feed, CRITIC_RATE * plan.rate, width)
    loop = Loop(plan, student, {"rivals": rivals, "judges": rivals.optimizer})
    weights = lessons.feed.weights.to(device)

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        torch.manual_seed(int(rng.integers(2**62)))
        fine = step % FINE_EVERY == FINE_EVERY - 1
        lesson = lessons.fine(rng, max(1, batch // 4)) if fine else lessons.plain(rng, batch)
        smooth = SMOOTH_EVERY if step % SMOOTH_EVERY == SMOOTH_EVERY - 1 else 0
        return taught(student, rivals, lesson.to(device), weights, smooth)

    loop.run(loss_of)
    return cast(Painter, loop.average)


@dataclass(frozen=True)
class Answers:
    """What a student made (n, c, h, w) of what was asked, with the words `said` (n, groups), and
    what the painter made of it."""

    made: Tensor
    true: Tensor
    asked: Asked
    said: Tensor


class Rivals(nn.Module):
    """Who judges the student: the critic, the judges of places and of words, what they see by,
    and the optimizer of all three."""

    def __init__(
        self, sight: Sight, critic: Critic, places: Places, words: WordJudge, rate: float
    ) -> None:
        super().__init__()
        self.sight, self.critic, self.places, self.words = sight, critic, places, words
        self.optimizer = torch.optim.AdamW(self.parameters(), rate, (0.5, 0.99), weight_decay=0.0)

    def loss(self, answers: Answers, smooth: float) -> Tensor:
        """How far from true they find the answers, after learning from them."""
        made, asked = answers.made, answers.asked
        glance = Glance(glances(len(made), made.device), torch.randn_like(made), asked.scale)
        with half_precision(made.device):
            with torch.no_grad():
                true = self.sight(answers.true, glance)
            seen = self.sight(made, glance)
        shares = drawn(asked.canvas)
        loss = criticised(self.critic, self.optimizer, true, seen, asked, smooth)
        loss = loss + PLACED * located(self.places, self.optimizer, true, seen, shares, smooth)
        loss = loss + WORDED * worded(self.words, self.optimizer, true, seen, answers.said)
        return loss + LIKE * unlike(seen[1:], true[1:])


def _rivals(teacher: Painter, feed: Feed, rate: float, width: tuple[int, int, int]) -> Rivals:
    """Untaught judges that see by the teacher's eyes."""
    eyes = copy.deepcopy(teacher).requires_grad_(False)
    plain_attention(eyes)
    device, words = next(eyes.parameters()).device, eyes.text.config.hidden_size
    nothing = tokenize(feed.asked.tokenizer, [""]).to(device)
    sight = Sight(eyes, eyes.text(nothing).last_hidden_state)
    channels = feed.latents.paintings.shape[1]
    critic = Critic(channels, FOLD.channels, words, SCALES, width, sight.channels)
    judges = Places(channels, sight.channels), WordJudge(channels, sight.channels)
    rivals = Rivals(sight, critic, *judges, rate)
    rivals.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return rivals


def taught(
    student: Painter, rivals: Rivals, lesson: Lesson, weights: Tensor, smooth: float
) -> Tensor:
    """The student's loss; its rivals take their own steps on the way. weights (c,)."""
    answers = answered(student, lesson)
    loss = rivals.loss(answers, smooth)
    shares = drawn(answers.asked.canvas)
    counts = (rarity(shares) * shares[:, :-1]).sum(1, keepdim=True)
    close = missed(answers.made, answers.true, counts, weights)
    broad = [F.avg_pool2d(each, BROAD) for each in (answers.made, answers.true, counts)]
    return loss + FOLLOW * close + TONE * missed(*broad, weights)


def missed(made: Tensor, true: Tensor, counts: Tensor, weights: Tensor) -> Tensor:
    """How far latents (n, c, h, w) are from the true ones, where that `counts` (n, 1, h, w);
    weights (c,)."""
    error = F.smooth_l1_loss(made, true, reduction="none", beta=NEAR)
    return (error * weights[:, None, None] * counts).mean()


def answered(student: Painter, lesson: Lesson) -> Answers:
    """Every row's answer."""
    later, onward = lesson.later, lesson.onward
    at = later.sigma[:, None, None, None]
    noisy = torch.lerp(later.start, lesson.noise[1], at)
    if lesson.begin is None:
        made = _clean(student, later, noisy)
        return Answers(made, later.clean, _asked(student, later), later.said)
    begin, noise = lesson.begin, lesson.noise[0]
    first = _clean(student, begin, noise)
    gone = _gone_on(student, later.first(onward), (noise, first[:onward]), lesson.levels)
    second = _clean(student, later, torch.cat([gone, noisy[onward:]]))
    both = joined(begin, later, torch.cat([begin.sigma, later.sigma]))
    made = torch.cat([first, second])
    return Answers(made, both.clean, _asked(student, both), both.said)


@torch.no_grad()
def _gone_on(
    student: Painter, rows: Batch, first: tuple[Tensor, Tensor], levels: Sequence[float]
) -> Tensor:
    """Where a run through `levels` is when it comes to the last of them: latents (n, c, h, w).
    `first` is where it began, and the first answers."""
    noisy, clean = first[0][: len(first[1])], first[1]
    for now, then in pairwise(levels):
        noisy = torch.lerp(clean, noisy, then / now)
        if then != levels[-1]:
            at = replace(rows, sigma=torch.full_like(rows.sigma, then))
            clean = _clean(student, at, noisy)
    return noisy


def _clean(student: Painter, rows: Batch, noisy: Tensor) -> Tensor:
    """The student's estimates of the clean latents, fp32."""
    with half_precision(noisy.device):
        velocity = student(noisy, rows.canvas, rows.sigma, rows.tokens, rows.scale)
    clean: Tensor = noisy - rows.sigma[:, None, None, None] * velocity.float()
    return clean


def _asked(student: Painter, rows: Batch) -> Asked:
    device = rows.clean.device
    with half_precision(device), torch.no_grad():
        text = student.text(rows.tokens).last_hidden_state
    return Asked(rows.canvas, text.mean(1), rows.scale)
