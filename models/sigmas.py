"""Noise levels and step arithmetic for few-step sampling, row by row.

Role: what a diffusers scheduler knows, without its state: its tables are read once, and a step is
arithmetic on tensors in which every row has its own level. Flow matching (x = (1−σ)·clean +
σ·noise) and the Euler family (x = clean + σ·noise; network predicts noise or velocity). A run of n
steps at strength s goes from s down to 0 in n equal parts of time ("trailing" spacing), which is
diffusers' own table at s = 1, and its picture-to-picture table of n/s steps otherwise.

Invariant: one step of a batch equals the steps of its rows alone. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from models.base import CannotLoad

Prediction = Literal["flow", "epsilon", "v_prediction"]


@dataclass(frozen=True)
class Levels:
    """One row's way: `sigmas` (steps + 1, the last 0) and what the network is told (`times`)."""

    sigmas: tuple[float, ...]
    times: tuple[float, ...]


class Schedule(Protocol):
    """Arithmetic of one kind of scheduler. Tensors (n, c, h, w); sigma (n, 1, 1, 1)."""

    def levels(self, steps: int, strength: float) -> Levels: ...
    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor: ...
    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor: ...
    def advance(
        self, latents: Tensor, output: Tensor, sigma: Tensor, then: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The latents at `then` and the estimate of the clean ones."""


@dataclass(frozen=True)
class Flow:
    """Flow matching; `shift` as in FlowMatchEulerDiscreteScheduler (static shift only)."""

    shift: float = 1.0
    train_steps: int = 1000

    def levels(self, steps: int, strength: float) -> Levels:
        even = strength * (1 - np.arange(steps) / steps)
        sigmas = self.shift * even / (1 + (self.shift - 1) * even)
        times = sigmas * self.train_steps
        return Levels((*sigmas.tolist(), 0.0), tuple(times.tolist()))

    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor:
        return noise if picture is None else (1 - sigma) * picture + sigma * noise

    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor:
        return latents

    def advance(
        self, latents: Tensor, output: Tensor, sigma: Tensor, then: Tensor
    ) -> tuple[Tensor, Tensor]:
        return latents + (then - sigma) * output, latents - sigma * output


@dataclass(frozen=True)
class Euler:
    """Variance-exploding Euler steps (EulerDiscreteScheduler, Karras et al. 2022, algorithm 1
    without churn). `table` holds σ for every trained timestep."""

    table: tuple[float, ...]
    prediction: Prediction = "epsilon"

    def levels(self, steps: int, strength: float) -> Levels:
        count = len(self.table)
        times = np.round(strength * count * (1 - np.arange(steps) / steps)) - 1
        times = np.clip(times, 0, count - 1)
        sigmas = np.interp(times, np.arange(count), self.table)
        return Levels((*sigmas.tolist(), 0.0), tuple(times.tolist()))

    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor:
        return noise * sigma if picture is None else picture + noise * sigma

    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor:
        return latents / (sigma.square() + 1).sqrt()

    def advance(
        self, latents: Tensor, output: Tensor, sigma: Tensor, then: Tensor
    ) -> tuple[Tensor, Tensor]:
        clean = self._clean(latents, output, sigma)
        return latents + (latents - clean) / sigma * (then - sigma), clean

    def _clean(self, latents: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        if self.prediction == "epsilon":
            return latents - sigma * output
        spread = sigma.square() + 1
        return latents / spread - output * sigma / spread.sqrt()


def schedule_of(scheduler: object) -> Schedule:
    """The arithmetic for a loaded diffusers scheduler; raises `CannotLoad` for what isn't known."""
    config = scheduler.config  # type: ignore[attr-defined]
    if type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler":
        return Flow(float(config.shift), int(config.num_train_timesteps))
    prediction = config.get("prediction_type", "epsilon")
    cumulative = getattr(scheduler, "alphas_cumprod", None)
    if cumulative is None or prediction not in ("epsilon", "v_prediction"):
        raise CannotLoad(
            f"no step arithmetic for {type(scheduler).__name__} ({prediction}): there is that of "
            f"FlowMatchEulerDiscreteScheduler, and of Euler's for epsilon and v_prediction"
        )
    table = ((1 - cumulative) / cumulative).sqrt().to(torch.float64)
    return Euler(tuple(table.tolist()), prediction)
