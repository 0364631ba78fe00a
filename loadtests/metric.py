"""A figure: rounds in, one value with its range, its goal and a verdict out.

Role: the arithmetic that every figure shares, and what of it goes into `bench.json`.
Invariants: the verdict compares every round with the goal: `True` if all reach it, `False` if none
does, else "straddles"; without a goal there is no verdict.
It does not know: how anything was measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

Verdict = bool | Literal["straddles"] | None
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Goal:
    """`sign` and `limit`: what every round is to reach. `why` explains a limit that was made of
    other figures."""

    sign: Literal["≥", "≤"]
    limit: float
    why: str = ""

    def reached(self, value: float) -> bool:
        """Whether one round is good enough."""
        return value >= self.limit if self.sign == "≥" else value <= self.limit

    def text(self) -> str:
        """As a person reads it."""
        return f"{self.sign} {short(self.limit)}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table. `detail`: the parts that it was made of, for the report."""

    name: str
    unit: str
    value: float
    least: float
    greatest: float
    goal: Goal | None
    met: Verdict
    detail: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The entry of `bench.json`."""
        return {
            "value": rounded(self.value),
            "range": [rounded(self.least), rounded(self.greatest)],
            "unit": self.unit,
            "goal": self.goal.text() if self.goal else None,
            "met": self.met,
            "detail": {key: _plain(value) for key, value in self.detail.items()},
        }


def metric(
    name: str,
    unit: str,
    rounds: Sequence[float],
    goal: Goal | None = None,
    *,
    reached: Sequence[bool] | None = None,
    **detail: Any,
) -> Metric:
    """The metric of these rounds; `reached` overrides the goal's comparison round by round, for
    goals that each round makes for itself."""
    assert rounds, f"{name}: no rounds"
    value = statistics.median(rounds)
    if reached is None and goal is not None:
        reached = [goal.reached(each) for each in rounds]
    met = verdict(reached) if reached is not None else None
    return Metric(name, unit, value, min(rounds), max(rounds), goal, met, detail)


def verdict(reached: Sequence[bool]) -> Verdict:
    """True, False or "straddles"."""
    return all(reached) if all(reached) or not any(reached) else "straddles"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, `share` in 0..1; raises `ValueError` for no values."""
    if not values:
        raise ValueError("a percentile of nothing: no edit was answered in this round")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


async def interleave(
    rounds: int,
    first: Callable[[], Awaitable[A]],
    second: Callable[[], Awaitable[B]],
    say: Callable[[str], None],
) -> list[tuple[A, B]]:
    """Both in each round, one right after the other, every other round in the opposite order, so
    that a drift of the machine falls on both."""
    found: list[tuple[A, B]] = []
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        if number % 2:
            b = await second()
            found.append((await first(), b))
        else:
            a = await first()
            found.append((a, await second()))
    return found


def rounded(value: float) -> float:
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def short(value: float) -> str:
    """Three significant digits, without an exponent up to a million."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _plain(value: Any) -> Any:
    """A detail as JSON keeps it: floats rounded, also inside lists and mappings."""
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
