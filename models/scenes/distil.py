"""The third training: the network that flow matching taught becomes good in one to four steps.

Role: the student starts as the teacher and answers the clean latents at once, from the noise levels
that 1, 2, 3 and 4 steps use. A critic asks that its answers look painted (adversarial distillation
in latent space: Sauer et al., LADD, 2024), which is what makes few steps sharp, and a judge of
places that each shows what was drawn there. What the canvas and the noise leave no choice about is
to be what the painter made of it, and to look alike to the teacher's eyes (features matched as in
Wang et al., pix2pixHD, 2018; in latent space: Kang et al., Diffusion2GAN, 2024). On bare paper
noise stands for a layout (`codes.py`), which keeps seeds different; and later steps keep to what
the first chose. The text encoder stays as it is: the critic reads its words.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.codes import COARSE, Codes
from models.scenes.critic import Asked, Critic, criticised
from models.scenes.flow import Batch, Feed
from models.scenes.loop import Loop, Plan, half_precision
from models.scenes.nets import FOLD, SCALES, Painter, plain_attention, tokenize
from models.scenes.places import Places, drawn, located, unlike
from models.scenes.sight import Glance, Sight, glances

LATER = (0.75, 0.75, 2 / 3, 0.5, 0.5, 1 / 3, 0.25)
"""Noise levels at which runs of 2, 3 and 4 steps go on; each begins at 1."""
FINE_SERVED = (0.5, 0.5, 0.25)
FINE_EVERY = 6
SMOOTH_EVERY = 4  # steps: the critic's smoothness costs as much as all else of it
WIDTH = (48, 96, 160)
CRITIC_RATE = 2.5  # times the student's: judges that learn slowly ask for nothing but grain
PLACED = 1.0  # weight of what each place shows
LIKE = 10.0  # and of what the sight finds where the canvas is painted
FOLLOW, NEAR = 6.0, 0.25
"""Weight of what is known of an answer, and the error up to which it counts squared."""
PLAN = 2.0
"""Weight of the layout, in large, that noise stands for."""


@dataclass(frozen=True)
class Lesson:
    """Rows that begin, at σ = 1, the first `coded` of them with noise that stands for their layout;
    rows that go on, the first `onward` from the answers to as many of those. `noise` is theirs,
    (n, c, h, w) each. For a larger picture nothing begins."""

    begin: Batch | None
    later: Batch
    noise: tuple[Tensor, Tensor]
    coded: int
    onward: int

    def to(self, device: torch.device) -> Lesson:
        begin = self.begin and self.begin.to(device)
        noise = (self.noise[0].to(device), self.noise[1].to(device))
        return Lesson(begin, self.later.to(device), noise, self.coded, self.onward)


class Lessons:
    """Draws what the student learns from."""

    def __init__(self, feed: Feed, codes: Codes) -> None:
        self.feed, self.codes = feed, codes

    def plain(self, rng: np.random.Generator, count: int) -> Lesson:
        """Three in four rows begin: a quarter of all rows with noise that stands for their
        layout, the others with any. An eighth go on from the first, as many from paintings; at
        least one row is of each kind."""
        few = max(1, count // 8)
        coded, noise = self._coded(rng, 2 * few)
        free, other = self.feed.plain(rng, max(1, count - 4 * few)), self.feed.plain(rng, few)
        begin = _joined(coded, free, torch.ones(2 * few + len(free.clean)))
        at = torch.from_numpy(rng.choice(LATER, 2 * few)).float()
        later = _joined(coded.first(few), other, at)
        noises = torch.cat([noise, _noise(rng, free.clean)]), _noise(rng, later.clean)
        return Lesson(begin, later, noises, 2 * few, few)

    def _coded(self, rng: np.random.Generator, count: int) -> tuple[Batch, Tensor]:
        """Rows on their sparsest canvas, and noise that stands for their layout."""
        size = len(self.feed.latents)
        rows, turned = rng.integers(0, size, count), rng.random(count) < 0.5
        canvas, tokens = self.feed.sparsest(rng, rows, turned)
        true = self.feed.true(rows, turned)
        codes = self.codes.codes[torch.from_numpy(rows), torch.from_numpy(turned).long()]
        noise = self.codes.written(_noise(rng, true), codes)
        return Batch(true, true, canvas, tokens, torch.ones(count), 1), noise

    def fine(self, rng: np.random.Generator, count: int) -> Lesson:
        batch = self.feed.fine(rng, count)
        sigma = torch.from_numpy(rng.choice(FINE_SERVED, count)).float()
        later = Batch(batch.clean, batch.start, batch.canvas, batch.tokens, sigma, batch.scale)
        noise = _noise(rng, batch.clean)
        return Lesson(None, later, (noise[:0], noise), 0, 0)


def _noise(rng: np.random.Generator, like: Tensor) -> Tensor:
    return torch.from_numpy(rng.standard_normal(like.shape, np.float32))


def _joined(one: Batch, other: Batch, sigma: Tensor) -> Batch:
    """Both, one after the other, at other noise levels."""
    pairs = ((one.clean, other.clean), (one.start, other.start), (one.canvas, other.canvas))
    clean, start, canvas = (torch.cat(pair) for pair in pairs)
    return Batch(clean, start, canvas, torch.cat([one.tokens, other.tokens]), sigma, one.scale)


def distil(
    teacher: Painter,
    lessons: Lessons,
    plan: Plan,
    batch: int = 16,
    width: tuple[int, int, int] = WIDTH,
) -> Painter:
    """Answers the averaged student."""
    student = copy.deepcopy(teacher)
    student.text.requires_grad_(False)
    plain_attention(student)
    device = next(student.parameters()).device
    words, channels = teacher.text.config.hidden_size, lessons.feed.latents.paintings.shape[2]
    eyes = copy.deepcopy(student).requires_grad_(False)
    nothing = tokenize(lessons.feed.tokenizer, [""]).to(device)
    sight = Sight(eyes, eyes.text(nothing).last_hidden_state)
    critic = Critic(channels, FOLD.channels, words, SCALES, width, sight.channels)
    rivals = Rivals(sight, critic, Places(channels, sight.channels), CRITIC_RATE * plan.rate)
    rivals.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loop = Loop(plan, student, {"rivals": rivals, "judges": rivals.judge})
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
    """What a student made (n, c, h, w) of what was asked; what is known of it, `aim`, and how well
    at each place, `known` (n, 1, h, w) 0–1; `true` is what the painter made."""

    made: Tensor
    aim: Tensor
    known: Tensor
    true: Tensor
    asked: Asked


class Rivals(nn.Module):
    """Who judges the student: the critic and the judge of places, what they see by, and the
    optimizer of both, `judge`."""

    def __init__(self, sight: Sight, critic: Critic, places: Places, rate: float) -> None:
        super().__init__()
        self.sight, self.critic, self.places = sight, critic, places
        self.judge = torch.optim.AdamW(self.parameters(), rate, (0.5, 0.99), weight_decay=0.0)

    def loss(self, answers: Answers, smooth: float) -> Tensor:
        """How far from true they find the answers, after learning from them."""
        made, asked = answers.made, answers.asked
        glance = Glance(glances(len(made), made.device), torch.randn_like(made), asked.scale)
        with half_precision(made.device):
            with torch.no_grad():
                true = self.sight(answers.true, glance)
            seen = self.sight(made, glance)
        shares = drawn(asked.canvas)
        loss = criticised(self.critic, self.judge, true, seen, asked, smooth)
        loss = loss + PLACED * located(self.places, self.judge, true, seen, shares, smooth)
        return loss + LIKE * unlike(seen[1:], true[1:], 1 - shares[:, -1:])


def taught(
    student: Painter, rivals: Rivals, lesson: Lesson, weights: Tensor, smooth: float
) -> Tensor:
    """The student's loss; its rivals take their own steps on the way. weights (c,)."""
    answers, astray = answered(student, lesson, weights)
    loss = rivals.loss(answers, smooth)
    error = F.smooth_l1_loss(answers.made, answers.aim, reduction="none", beta=NEAR)
    follow = (error * weights[:, None, None] * answers.known).mean()
    return loss + FOLLOW * follow + PLAN * astray


def answered(student: Painter, lesson: Lesson, weights: Tensor) -> tuple[Answers, Tensor]:
    """Every row's answer, and how far the first are from their layouts (0 where nothing begins)."""
    later, noise = lesson.later, lesson.noise
    start, aim, known = later.start, later.clean, torch.ones_like(later.clean[:, :1])
    if lesson.begin is None:
        made = _clean(student, later, start, noise[1])
        return Answers(made, aim, known, later.clean, _asked(student, later)), made.sum() * 0
    begin, coded, onward = lesson.begin, lesson.coded, lesson.onward
    first = _clean(student, begin, begin.start, noise[0])
    bare = unpainted(begin.canvas)
    chosen = first[:onward].detach()
    start = torch.cat([chosen, start[onward:]])
    aim = torch.cat([torch.lerp(aim[:onward], chosen, bare[:onward]), aim[onward:]])
    noise_later = torch.cat([noise[0][:onward], noise[1][onward:]])
    second = _clean(student, later, start, noise_later)
    both = _joined(begin, later, torch.cat([begin.sigma, later.sigma]))
    answers = Answers(
        torch.cat([first, second]),
        torch.cat([begin.clean, aim]),
        torch.cat([1 - bare, known]),
        both.clean,
        _asked(student, both),
    )
    return answers, planned(first[:coded], begin.clean[:coded], bare[:coded], weights)


def _clean(student: Painter, rows: Batch, start: Tensor, noise: Tensor) -> Tensor:
    """The student's estimates of the clean latents, fp32."""
    at = rows.sigma[:, None, None, None]
    noisy = (1 - at) * start + at * noise
    with half_precision(noisy.device):
        velocity = student(noisy, rows.canvas, rows.sigma, rows.tokens, rows.scale)
    clean: Tensor = noisy - at * velocity.float()
    return clean


def _asked(student: Painter, rows: Batch) -> Asked:
    device = rows.clean.device
    with half_precision(device), torch.no_grad():
        text = student.text(rows.tokens).last_hidden_state
    return Asked(rows.canvas, text.mean(1), rows.scale)


def unpainted(canvas: Tensor) -> Tensor:
    """How bare each place of folded canvases is: (n, 1, h, w), 0–1."""
    return drawn(canvas)[:, -1:]


def planned(made: Tensor, true: Tensor, bare: Tensor, weights: Tensor) -> Tensor:
    """How far answers (n, c, h, w) are from paintings, in large, where paper is bare (n, 1, h,
    w)."""
    ours, theirs, free = (F.avg_pool2d(x, COARSE, 1) for x in (made, true, bare))
    error = F.smooth_l1_loss(ours, theirs, reduction="none", beta=NEAR)
    return (error * weights[:, None, None] * free).mean()
