"""TrigFlow, the way of continuous-time consistency models (sCM: Lu and Song 2024; SANA-Sprint).

Role: what SCMScheduler and the SANA-Sprint pipelines around it do, without state. Theirs is an
angle t from π/2 down to 0 with x = cos t·clean + sin t·noise; the networks are told the level of
flow matching, σ = sin t / (sin t + cos t), at which x / (sin t + cos t) = (1−σ)·clean + σ·noise.
All is kept in those coordinates here: there, σ_data falls away, the network answers flow matching's
velocity, and a step is its estimate of the clean latents, mixed with fresh noise.

A run of n steps at strength s goes down from s·π/2 in n equal parts of the angle, as theirs of n/s
steps do. Only where two steps go the whole way, the second is at a taught angle.

Invariant: one step of a batch equals the steps of its rows alone. Knows nothing of networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from models.base import CannotLoad
from models.sigmas import Levels, Step

MOST = 1.5708
"""`max_timesteps` of the pipelines; a bit past π/2, so σ begins a bit above 1."""
SECOND = 1.3
"""Their `intermediate_timesteps`."""


@dataclass(frozen=True)
class TrigFlow:
    """See the module; it is a `models.sigmas.Schedule`."""

    def levels(self, steps: int, strength: float) -> Levels:
        angles = np.linspace(MOST * strength, 0.0, steps + 1)[:-1]
        if steps == 2 and strength >= 1:
            angles[1] = SECOND
        sigmas = tuple((np.sin(angles) / (np.sin(angles) + np.cos(angles))).tolist())
        return Levels((*sigmas, 0.0), sigmas)

    def draws(self, steps: int) -> int:
        return steps - 1

    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor:
        if picture is None:
            return noise * float(np.hypot(1 - sigma, sigma))
        return (1 - sigma) * picture + sigma * noise

    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor:
        return latents

    def advance(self, latents: Tensor, output: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        clean = latents - step.sigma * output
        noise = 0.0 if step.noise is None else step.then * step.noise
        return (1 - step.then) * clean + noise, clean


def trigflow_of(scheduler: object) -> TrigFlow:
    """The arithmetic for a loaded SCMScheduler; raises `CannotLoad` for any other."""
    kind = type(scheduler).__name__
    prediction = scheduler.config.get("prediction_type")  # type: ignore[attr-defined]
    if kind != "SCMScheduler" or prediction != "trigflow":
        raise CannotLoad(
            f"no step arithmetic for {kind} ({prediction}) here: SANA-Sprint takes SCMScheduler's, "
            f"of trigflow"
        )
    return TrigFlow()
