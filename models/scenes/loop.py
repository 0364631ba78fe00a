"""The training loop: resumable, on a clock or a count, with averaged weights.

Role: everything the trainings share: the plan, the rate's schedule, checkpoints, progress.
Invariants: step k draws its chance from (seed, k) alone and an interrupt waits for the step that
has begun, so a run that was interrupted and resumed gives the same losses as one that wasn't; a
checkpoint is written whole or not at all. On a clock (`minutes`), elapsed time is kept in the
checkpoint. Knows nothing of pictures.
"""

from __future__ import annotations

import copy
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from models.scenes.muon import Muon

Loss = Callable[[int, torch.Generator], Tensor]
WARM_STEPS = 100
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Plan:
    """How long, how fast, where. `minutes` bounds by the clock, `steps` by count; give one."""

    checkpoint: Path
    rate: float
    minutes: float | None = None
    steps: int | None = None
    seed: int = 0
    decay: float = 0.01
    matrix_rate: float | None = None  # Muon for matrices and convolutions, at this rate
    average: float = 0.999  # share of the averaged weights that a step keeps
    momentum: float = 0.9
    save_seconds: float = 60.0
    rests: str = ""  # fingerprint of the weights that the training rests on
    stop_after: int | None = None  # end this sitting early; a later one goes on


def device_for_training() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """bf16 where it is fast."""
    return torch.autocast(device.type, torch.bfloat16, enabled=halves(device))


def halves(device: torch.device) -> bool:
    """Whether bf16 is fast: on GPUs, and on CPUs that multiply it (on others it is slow)."""
    return device.type == "cuda" or multiplies_halves()


@cache
def multiplies_halves() -> bool:
    """AMX is several times faster than fp32, AVX-512's instructions one and a half times."""
    flags = CPUINFO.read_text().split() if CPUINFO.exists() else []
    return "amx_bf16" in flags or "avx512_bf16" in flags


def _optimizers(plan: Plan, module: nn.Module) -> list[tuple[torch.optim.Optimizer, float]]:
    """Optimizers with their full rates: AdamW, and Muon for what has two dimensions or more, but
    for embeddings, whose rows are no directions of a map."""
    weights = list(module.parameters())
    tables = [m.weight for m in module.modules() if isinstance(m, nn.Embedding)]
    spared = {id(w) for w in tables} if plan.matrix_rate else {id(w) for w in weights}
    matrices = [w for w in weights if w.ndim > 1 and id(w) not in spared]
    chosen = {id(w) for w in matrices}
    rest = [w for w in weights if id(w) not in chosen]
    betas = (plan.momentum, 0.99)
    adam = torch.optim.AdamW(rest, plan.rate, betas, weight_decay=plan.decay)
    pairs: list[tuple[torch.optim.Optimizer, float]] = [(adam, plan.rate)]
    if plan.matrix_rate:
        pairs.append((Muon(matrices, plan.matrix_rate), plan.matrix_rate))
    return pairs


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM, for an end between two steps: within one, judges have learnt
    already and who they judge hasn't. A second signal ends at once, with nothing saved."""
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        if came:
            raise KeyboardInterrupt
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def opened(checkpoint: Path, rests: str) -> dict[str, Any]:
    """What a training kept. Ends the program where it rests on other weights than `rests`."""
    state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["rests"] != rests:
        raise SystemExit(
            f"{checkpoint} was trained on other weights than those that are here now: move it away "
            f"to train anew, or put the ones before it back"
        )
    return state


class Kept(Protocol):
    """What else a checkpoint holds: another network, its optimizer."""

    def state_dict(self) -> Any: ...
    def load_state_dict(self, state: Any, /) -> Any: ...


class Loop:
    """One training of one module. `average` holds the averaged weights; `beside` is kept in the
    checkpoint too, for a loss that trains something of its own."""

    def __init__(
        self, plan: Plan, module: nn.Module, beside: Mapping[str, Kept] | None = None
    ) -> None:
        self.plan, self.module, self.beside = plan, module, dict(beside or {})
        self.average = copy.deepcopy(module).requires_grad_(False)
        self.optimizers = _optimizers(plan, module)
        self.step, self.elapsed, self.smooth = 0, 0.0, 0.0
        if plan.checkpoint.exists():
            self._restore()

    @property
    def progress(self) -> float:
        """How far the plan is, 0–1."""
        if self.plan.steps is not None:
            return min(1.0, self.step / self.plan.steps)
        return min(1.0, self.elapsed / (60 * (self.plan.minutes or 1.0)))

    def run(self, loss_of: Loss) -> list[float]:
        """Train until the plan is done; answers this sitting's losses. Raises SystemExit after
        an interrupt. For the main thread."""
        losses: list[float] = []
        told = saved = tick = time.monotonic()
        with _interrupts() as came:
            while not came and self.progress < 1.0 and len(losses) != self.plan.stop_after:
                now = time.monotonic()
                self.elapsed, tick = self.elapsed + now - tick, now
                losses.append(self._advance(loss_of))
                if now - told > 15:
                    told = now
                    self._tell()
                if now - saved > self.plan.save_seconds:
                    saved = now
                    self.save()
        self.save()
        if came:
            raise SystemExit("interrupted; the same command goes on from here")
        self._tell()
        return losses

    def _advance(self, loss_of: Loss) -> float:
        chance = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + self.step)
        warm = min(1.0, (self.step + 1) / WARM_STEPS)
        factor = warm * (0.5 + 0.5 * math.cos(math.pi * self.progress))
        for optimizer, rate in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        loss = loss_of(self.step, chance)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        for optimizer, _ in self.optimizers:
            optimizer.step()
        self.module.zero_grad(set_to_none=True)
        self.step += 1
        self._follow()
        value = float(loss.detach())
        self.smooth = value if self.step == 1 else 0.98 * self.smooth + 0.02 * value
        return value

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights; faster at the beginning."""
        keep = min(self.plan.average, (1 + self.step) / (10 + self.step))
        ours = [p.detach() for p in self.module.parameters()]
        torch._foreach_lerp_(list(self.average.parameters()), ours, 1 - keep)

    def _tell(self) -> None:
        spent, share = self.elapsed, max(self.progress, 1e-6)
        left = spent / share * (1 - share)
        name = self.plan.checkpoint.stem
        print(
            f"{name}: step {self.step}, {100 * share:.1f} %, loss {self.smooth:.4f}, "
            f"{1000 * spent / max(1, self.step):.0f} ms a step, {left / 60:.1f} min left",
            flush=True,
        )

    def save(self) -> None:
        """Write the checkpoint."""
        self.plan.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "module": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
            "beside": {name: kept.state_dict() for name, kept in self.beside.items()},
            "counters": (self.step, self.elapsed, self.smooth),
            "rests": self.plan.rests,
        }
        fresh = self.plan.checkpoint.with_suffix(".part")
        torch.save(state, fresh)
        fresh.replace(self.plan.checkpoint)

    def _restore(self) -> None:
        state = opened(self.plan.checkpoint, self.plan.rests)
        self.module.load_state_dict(state["module"])
        self.average.load_state_dict(state["average"])
        for (optimizer, _), saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for name, kept in self.beside.items():
            kept.load_state_dict(state["beside"][name])
        self.step, self.elapsed, self.smooth = state["counters"]
