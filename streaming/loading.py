"""From builders to warm models, told as it goes.

Role: builds every model, says what they are (`Loaded`), loads one after another and says how far
that is (`Warming`). Invariants: a stop that was posted ends it at the next report of progress;
whatever a model raises passes through.

It does not know: requests, scheduling, which models there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from models.base import Model
from streaming.clock import Clock
from streaming.messages import FromEngine, Loaded, Warming

Builder = Callable[[], Model]
"""Imports what a model needs and returns it, unloaded. Runs on the engine's thread."""

FIRST_GUESS = 0.02
"""The part that must be done before the rest is estimated from it."""


class Halted(Exception):
    """A stop was asked for while models were loading."""


class Loading:
    """`stopping` is asked at every report of progress. Times are the clock's."""

    def __init__(
        self, deliver: Callable[[FromEngine], None], clock: Clock, stopping: Callable[[], bool]
    ) -> None:
        self._deliver = deliver
        self._clock = clock
        self._stopping = stopping

    def build(self, builders: Mapping[str, Builder]) -> dict[str, Model]:
        """The models by the name in their spec, in the builders' order; raises `ValueError` for
        two of one name."""
        models: dict[str, Model] = {}
        for build in builders.values():
            model = build()
            if model.spec.name in models:
                raise ValueError(f"two models are called {model.spec.name}")
            models[model.spec.name] = model
            self._check()
        self._deliver(Loaded(tuple(model.spec for model in models.values())))
        return models

    def load(self, models: Mapping[str, Model]) -> None:
        """Warm every model."""
        started = self._clock()
        for done, model in enumerate(models.values()):
            model.load(partial(self._progress, started, done, len(models)))

    def _progress(self, started: float, done: int, count: int, stage: str, part: float) -> None:
        self._check()
        fraction = min(1.0, max(0.0, (done + part) / count))
        spent = self._clock() - started
        left = spent * (1 - fraction) / fraction if fraction > FIRST_GUESS else None
        self._deliver(Warming(stage, fraction, left))

    def _check(self) -> None:
        if self._stopping():
            raise Halted
