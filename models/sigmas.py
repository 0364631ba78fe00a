"""Noise levels and step arithmetic for few-step sampling, row by row.

Role: what a diffusers scheduler knows, without its state: its tables are read once, and a step is
arithmetic on tensors in which every row has its own level. Flow matching (x = (1−σ)·clean +
σ·noise), the Euler family (x = clean + σ·noise; the network predicts noise or velocity) and latent
consistency (x = √α·clean + √(1−α)·noise). A run of n steps at strength s goes from s down to 0 in n
equal parts of time ("trailing" spacing), which is diffusers' own table at s = 1, and its
picture-to-picture table of n/s steps otherwise.

Invariant: one step of a batch equals the steps of its rows alone. Knows nothing of networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from models.base import CannotLoad

Shift = Callable[[int], float]
"""Of a run of so many steps."""
Prediction = Literal["flow", "epsilon", "v_prediction"]
SIGMA_DATA = 0.5  # of the boundary condition, as in LCMScheduler
PREDICTIONS = ("epsilon", "v_prediction")


@dataclass(frozen=True)
class Levels:
    """One row's way: `sigmas` (steps + 1, the last 0) and what the network is told (`times`)."""

    sigmas: tuple[float, ...]
    times: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """One step of some rows: where each is, where it goes and what the network was told, (n, 1, 1,
    1) each; `noise` (n, c, h, w) is fresh, None for a schedule that draws none."""

    sigma: Tensor
    then: Tensor
    time: Tensor
    noise: Tensor | None = None


class Schedule(Protocol):
    """Arithmetic of one kind of scheduler. Tensors (n, c, h, w); sigma (n, 1, 1, 1)."""

    def levels(self, steps: int, strength: float) -> Levels: ...
    def draws(self, steps: int) -> int:
        """How often fresh noise is drawn after the first, one step after another from the first."""

    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor: ...
    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor: ...
    def advance(self, latents: Tensor, output: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        """The latents at `step.then` and the estimate of the clean ones."""


@dataclass(frozen=True)
class Empirical:
    """FLUX.2's shift for pictures of so many `tokens`: e to the μ of its pipelines'
    `compute_empirical_mu`, which lies on a line between what was found best at 10 and at 200
    steps."""

    tokens: int

    def __call__(self, steps: int) -> float:
        at_200 = 0.00016927 * self.tokens + 0.45666666
        if self.tokens > 4300:
            return math.exp(at_200)
        at_10 = 8.73809524e-05 * self.tokens + 1.89833333
        return math.exp(at_200 + (steps - 200) * (at_200 - at_10) / 190)


@dataclass(frozen=True)
class Flow:
    """Flow matching; `shift` as in FlowMatchEulerDiscreteScheduler: one for every run, or (its
    dynamic shifting, where it is e to the μ) one that follows from the run's steps."""

    shift: float | Shift = 1.0
    train_steps: int = 1000

    def levels(self, steps: int, strength: float) -> Levels:
        even = _parts(steps, strength)
        shift = self.shift(steps) if callable(self.shift) else self.shift
        sigmas = shift * even / (1 + (shift - 1) * even)
        times = sigmas * self.train_steps
        return Levels((*sigmas.tolist(), 0.0), tuple(times.tolist()))

    def draws(self, steps: int) -> int:
        return 0

    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor:
        return noise if picture is None else (1 - sigma) * picture + sigma * noise

    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor:
        return latents

    def advance(self, latents: Tensor, output: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        return latents + (step.then - step.sigma) * output, latents - step.sigma * output


@dataclass(frozen=True)
class Euler:
    """Variance-exploding Euler steps (EulerDiscreteScheduler, Karras et al. 2022, algorithm 1
    without churn). `table` holds σ for every trained timestep. `ancestral`: noise is drawn anew
    after every step, as much as a sample of the way down has (EulerAncestralDiscreteScheduler)."""

    table: tuple[float, ...]
    prediction: Prediction = "epsilon"
    ancestral: bool = False

    def levels(self, steps: int, strength: float) -> Levels:
        count = len(self.table)
        times = np.clip(np.round(count * _parts(steps, strength)) - 1, 0, count - 1)
        sigmas = np.interp(times, np.arange(count), self.table)
        return Levels((*sigmas.tolist(), 0.0), tuple(times.tolist()))

    def draws(self, steps: int) -> int:
        return steps if self.ancestral else 0

    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor:
        return noise * sigma if picture is None else picture + noise * sigma

    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor:
        return latents / (sigma.square() + 1).sqrt()

    def advance(self, latents: Tensor, output: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        clean = self._clean(latents, output, step.sigma)
        direction = (latents - clean) / step.sigma
        if step.noise is None:
            return latents + direction * (step.then - step.sigma), clean
        now, then = step.sigma.square(), step.then.square()
        up = then * (now - then) / now
        down = (then - up).sqrt()
        return latents + direction * (down - step.sigma) + step.noise * up.sqrt(), clean

    def _clean(self, latents: Tensor, output: Tensor, sigma: Tensor) -> Tensor:
        if self.prediction == "epsilon":
            return latents - sigma * output
        spread = sigma.square() + 1
        return latents / spread - output * sigma / spread.sqrt()


@dataclass(frozen=True)
class Consistency:
    """Latent consistency (LCMScheduler; Luo et al. 2023): every step answers the clean latents and
    mixes them with fresh noise. `table` holds σ = √((1−α)/α) for every trained timestep, `origin`
    the steps of the way that was distilled, `scaling` its timesteps' scale (equation 9)."""

    table: tuple[float, ...]
    prediction: Prediction = "epsilon"
    origin: int = 50
    scaling: float = 10.0

    def levels(self, steps: int, strength: float) -> Levels:
        stride = len(self.table) // self.origin
        # the distilled way's own timesteps; rounding errors mustn't choose the one before
        passed = np.floor(self.origin * (1 - _parts(steps, strength)) + 1e-6).astype(int)
        times = (self.origin - np.minimum(passed, self.origin - 1)) * stride - 1
        sigmas = np.asarray(self.table)[times]
        return Levels((*sigmas.tolist(), 0.0), tuple(float(time) for time in times))

    def draws(self, steps: int) -> int:
        return steps - 1

    def start(self, noise: Tensor, picture: Tensor | None, sigma: float) -> Tensor:
        if picture is None:
            return noise
        return (picture + sigma * noise) / float(np.sqrt(sigma * sigma + 1))

    def scale(self, latents: Tensor, sigma: Tensor) -> Tensor:
        return latents

    def advance(self, latents: Tensor, output: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        spread = (step.sigma.square() + 1).sqrt()
        if self.prediction == "epsilon":
            found = latents * spread - step.sigma * output
        else:
            found = (latents - step.sigma * output) / spread
        time = step.time * self.scaling
        far = (time.square() + SIGMA_DATA**2).sqrt()
        clean = time / far * found + (SIGMA_DATA / far).square() * latents
        noise = 0.0 if step.noise is None else step.noise * step.then
        return (clean + noise) / (step.then.square() + 1).sqrt(), clean


def _parts(steps: int, strength: float) -> np.ndarray:
    """How much of the whole way is left at each of the steps."""
    even: np.ndarray = strength * (1 - np.arange(steps) / steps)
    return even


KINDS = {
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "lcm": "LCMScheduler",
}
"""Names by which another arithmetic is asked for, on the noise levels that the checkpoint knows."""
REMEDY = f"--model-option scheduler={'|'.join(KINDS)} chooses one"


STRANGE = ("clip_sample", "thresholding", "use_karras_sigmas", "use_exponential_sigmas",
           "use_beta_sigmas", "use_dynamic_shifting", "shift_terminal", "invert_sigmas",
           "stochastic_sampling")  # fmt: skip
"""Options of schedulers that change their arithmetic, and that nothing here does."""
USUAL = {"final_sigmas_type": "zero", "interpolation_type": "linear", "timestep_type": "discrete"}
"""Others that do, unless they are set so."""
LEAST = 2.0**-24
"""Of signal, where a checkpoint was taught from none at all: the library's Euler begins there."""


def flow_of(scheduler: object, shift: Shift) -> Flow:
    """The arithmetic for a loaded FlowMatchEulerDiscreteScheduler: its own shift, or `shift` where
    it is set to shift dynamically. Raises `CannotLoad` for what isn't done."""
    config = scheduler.config  # type: ignore[attr-defined]
    dynamic = bool(config.use_dynamic_shifting)
    strange = [name for name in _strange(config) if name != "use_dynamic_shifting"]
    if dynamic and config.time_shift_type != "exponential":
        strange.append(f"time_shift_type {config.time_shift_type}")
    if strange:
        raise CannotLoad(f"no step arithmetic for its scheduler with {', '.join(strange)}")
    return Flow(shift if dynamic else float(config.shift), int(config.num_train_timesteps))


def schedule_of(scheduler: object, wanted: str = "") -> Schedule:
    """The arithmetic for a loaded diffusers scheduler, or (`wanted`, of `KINDS`) another one over
    the same noise levels; raises `CannotLoad` for what isn't known."""
    config = scheduler.config  # type: ignore[attr-defined]
    kind = KINDS.get(wanted, wanted) or type(scheduler).__name__
    if not wanted:
        _refuse_strange(kind, config)
    if kind == "FlowMatchEulerDiscreteScheduler" and not wanted:
        return Flow(float(config.shift), int(config.num_train_timesteps))
    prediction = config.get("prediction_type", "epsilon")
    cumulative = getattr(scheduler, "alphas_cumprod", None)
    if cumulative is None or prediction not in PREDICTIONS or kind not in KINDS.values():
        raise CannotLoad(
            f"no step arithmetic for {kind} ({prediction}): there is that of "
            f"FlowMatchEulerDiscreteScheduler, and for epsilon and v_prediction that of "
            f"{', '.join(KINDS.values())} ({REMEDY})"
        )
    cumulative = cumulative.clamp(min=LEAST)
    table = tuple(((1 - cumulative) / cumulative).sqrt().to(torch.float64).tolist())
    if kind == KINDS["lcm"]:
        origin = int(config.get("original_inference_steps", Consistency.origin))
        scaling = float(config.get("timestep_scaling", Consistency.scaling))
        return Consistency(table, prediction, origin, scaling)
    return Euler(table, prediction, ancestral=kind == KINDS["euler-ancestral"])


def _refuse_strange(kind: str, config: Mapping[str, Any]) -> None:
    """Say so where a scheduler is set to what wouldn't be done."""
    strange = _strange(config)
    spacing = config.get("timestep_spacing", "trailing")
    if kind in (KINDS["euler"], KINDS["euler-ancestral"]) and spacing != "trailing":
        strange.append(f"timestep_spacing {spacing}")
    if strange:
        raise CannotLoad(f"no step arithmetic for {kind} with {', '.join(strange)} ({REMEDY})")


def _strange(config: Mapping[str, Any]) -> list[str]:
    changed = [
        f"{name} {config[name]}"
        for name, usual in USUAL.items()
        if config.get(name, usual) != usual
    ]
    return [name for name in STRANGE if config.get(name)] + changed
