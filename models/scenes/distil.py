"""The third training: the network that flow matching taught becomes good in one to four steps.

Role: the student starts as the teacher and answers the clean latents at once, from the noise levels
that 1, 2, 3 and 4 steps use. Two things pull it. A critic asks that its answers look painted
(adversarial distillation in latent space: Sauer et al., LADD, 2024), which is what makes few steps
sharp. And for known noise it is to answer what the teacher arrives at from it in many steps (as in
Kang et al., Diffusion2GAN, 2024), which keeps seeds different from each other and a seed the same
picture in any number of steps. The text encoder stays as it is: the critic reads its words.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.critic import Asked, Critic, critic_loss, maker_loss
from models.scenes.flow import Batch, Feed, Numbers, sample
from models.scenes.loop import Loop, Plan, half_precision
from models.scenes.nets import FOLD, SCALES, Painter, plain_attention

SERVED = (1.0, 1.0, 1.0, 1.0, 0.75, 0.75, 2 / 3, 0.5, 0.5, 1 / 3, 0.25, 0.25)
FINE_SERVED = (0.5, 0.5, 0.25)
FINE_EVERY = 6
TEACHER_STEPS = 12
ROWS = 32
WIDTH = (96, 128, 160)
FOLLOW = 1.0
"""Weight of what the teacher says (or, where the noise was mixed with it, the painting itself)."""


@dataclass(frozen=True)
class Ways:
    """Where the teacher arrives. `rows`, `turned`: whose canvas; `seeds`: of everything drawn for a
    way, by `Feed.asked`; `ends` (n, c, h, w) fp16."""

    rows: Numbers
    turned: Numbers
    seeds: Numbers
    ends: Tensor

    def __len__(self) -> int:
        return len(self.rows)


def travel(teacher: Painter, feed: Feed, count: int, path: Path) -> Ways:
    """The first `count` ways, from `path` as far as they are there."""
    # a table, drawn row by row: the first ways are the same ones, however many are wanted
    drawn = np.random.default_rng(5).integers(2**62, size=(count, 3))
    rows, turned, seeds = drawn[:, 0] % len(feed.latents), drawn[:, 1] % 2 == 1, drawn[:, 2]
    ends = torch.load(path, weights_only=True) if path.exists() else feed.latents.paintings[:0, 0]
    device = _device(teacher)
    while len(ends) < count:
        these = slice(len(ends), min(len(ends) + ROWS, count))
        asked = feed.asked(rows[these], turned[these], seeds[these])
        canvas, tokens, noise = (part.to(device) for part in asked)
        made = sample(teacher, canvas, tokens, noise, TEACHER_STEPS)
        ends = torch.cat([ends, made.half().cpu()])
        if len(ends) % (8 * ROWS) == 0 or len(ends) == count:
            torch.save(ends, path.with_suffix(".part"))
            path.with_suffix(".part").replace(path)
            print(f"travelled {len(ends)}/{count}", flush=True)
    return Ways(rows, turned, seeds, ends[:count])


@dataclass(frozen=True)
class Lesson:
    """A batch, the noise in it, the true paintings (n, c, h, w), and for which rows (n,) `clean` is
    more than one of many answers."""

    batch: Batch
    noise: Tensor
    true: Tensor
    known: Tensor

    def to(self, device: torch.device) -> Lesson:
        parts = (self.noise.to(device), self.true.to(device), self.known.to(device))
        return Lesson(self.batch.to(device), *parts)


class Lessons:
    """Draws what the student learns from."""

    def __init__(self, feed: Feed, ways: Ways) -> None:
        self.feed, self.ways = feed, ways

    def plain(self, rng: np.random.Generator, count: int) -> Lesson:
        """Half of the rows follow the teacher from known noise, half start at paintings."""
        known = rng.integers(0, len(self.ways), count // 2)
        rows, turned, seeds = self.ways.rows[known], self.ways.turned[known], self.ways.seeds[known]
        canvas, tokens, noise = self.feed.asked(rows, turned, seeds)
        ends, true = self.ways.ends[torch.from_numpy(known)].float(), self.feed.true(rows, turned)
        own = self.feed.plain(rng, count - count // 2)
        other = torch.from_numpy(rng.standard_normal(own.clean.shape, np.float32))
        sigma = torch.from_numpy(rng.choice(SERVED, count)).float()
        batch = Batch(
            torch.cat([ends, own.clean]),
            torch.cat([ends, own.start]),
            torch.cat([canvas, own.canvas]),
            torch.cat([tokens, own.tokens]),
            sigma,
            1,
        )
        follows = (torch.arange(count) < len(ends)) | (sigma < 1)
        return Lesson(batch, torch.cat([noise, other]), torch.cat([true, own.clean]), follows)

    def fine(self, rng: np.random.Generator, count: int) -> Lesson:
        batch = self.feed.fine(rng, count)
        sigma = torch.from_numpy(rng.choice(FINE_SERVED, count)).float()
        noise = torch.from_numpy(rng.standard_normal(batch.clean.shape, np.float32))
        parts = (batch.clean, batch.start, batch.canvas, batch.tokens)
        known = torch.ones(count, dtype=torch.bool)
        return Lesson(Batch(*parts, sigma, batch.scale), noise, batch.clean, known)


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
    words, channels = teacher.text.config.hidden_size, lessons.ways.ends.shape[1]
    critic = Critic(channels, FOLD.channels, words, SCALES, width)
    critic.to(_device(teacher)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    judge = torch.optim.AdamW(critic.parameters(), 3 * plan.rate, (0.0, 0.99), weight_decay=0.0)
    loop = Loop(plan, student, {"critic": critic, "judge": judge})
    device = _device(student)
    weights = lessons.feed.weights.to(device)

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        torch.manual_seed(int(rng.integers(2**62)))
        fine = step % FINE_EVERY == FINE_EVERY - 1
        lesson = lessons.fine(rng, max(1, batch // 4)) if fine else lessons.plain(rng, batch)
        return taught(student, critic, judge, lesson.to(device), weights)

    loop.run(loss_of)
    return cast(Painter, loop.average)


def taught(
    student: Painter,
    critic: Critic,
    judge: torch.optim.Optimizer,
    lesson: Lesson,
    weights: Tensor,
) -> Tensor:
    """The student's loss; the critic takes its own step on the way. weights (c,)."""
    rows, device = lesson.batch, _device(student)
    at = rows.sigma[:, None, None, None]
    noisy = (1 - at) * rows.start + at * lesson.noise
    with half_precision(device):
        velocity = student(noisy, rows.canvas, rows.sigma, rows.tokens, rows.scale)
        words = student.text(rows.tokens).last_hidden_state.mean(1).detach()
    made = noisy - at * velocity.float()
    asked = Asked(rows.canvas, words, rows.scale)
    with half_precision(device):
        judged = critic_loss(critic, lesson.true, made.detach(), asked)
    judge.zero_grad(set_to_none=True)
    judged.backward()  # type: ignore[no-untyped-call]
    judge.step()
    critic.requires_grad_(False)
    with half_precision(device):
        loss = maker_loss(critic, lesson.true, made, asked)
    critic.requires_grad_(True)
    error = F.smooth_l1_loss(made, rows.clean, reduction="none") * weights[:, None, None]
    error = error.mean((1, 2, 3))
    return loss + FOLLOW * (error * lesson.known).mean()


def _device(painter: Painter) -> torch.device:
    return next(painter.parameters()).device
