"""Calls of a model that may fail, and whose fault it was.

Role: one batched call over rows; where it raises, the rows are tried one by one (by contract a call
that raised changed nothing), so that only the guilty row fails. A batch that was too large for the
device's memory goes through in this way without anybody's noticing.

Invariants: the only place where whatever a model raises is caught. A failure that isn't a
`ModelError` is logged with its traceback, once for each kind and text: a broken model under a flood
of edits mustn't flood the log too.

It does not know: sessions, jobs, scheduling.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models.base import BadOutput, ModelError, OutOfMemory

log = logging.getLogger(__name__)

R = TypeVar("R")
T = TypeVar("T")

KINDS_LOGGED = 64


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row failed, as a client can be told; `fatal`: the model can't go on."""

    code: str
    message: str
    retryable: bool
    fatal: bool = False


class Attempts:
    """Runs models' calls; remembers which failures were logged."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def call(
        self, act: Callable[[Sequence[R]], Sequence[T]], rows: Sequence[R]
    ) -> list[T | Failure]:
        """`act(rows)`, or for each row what it gives or why it fails. `act` answers in order."""
        try:
            results = act(rows)
            if len(results) != len(rows):
                raise BadOutput(f"{len(results)} results for {len(rows)} rows")
            return list(results)
        except Exception as error:
            fatal = isinstance(error, ModelError) and error.fatal
            if len(rows) == 1 or fatal:
                return [self._failure(error)] * len(rows)
        return [self.call(act, [row])[0] for row in rows]

    def close(self, act: Callable[[], None]) -> None:
        """Run something that frees; that it fails concerns the log alone."""
        try:
            act()
        except Exception as error:
            self._log(error)

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, ModelError):
            text = str(error).encode(errors="replace").decode()  # it is told to clients
            return Failure(error.code, text, error.retryable, error.fatal)
        self._log(error)
        if isinstance(error, MemoryError):
            return Failure(OutOfMemory.code, "out of memory", OutOfMemory.retryable)
        # Only the kind: an unknown exception's text may hold paths or other people's data.
        return Failure(ModelError.code, f"the model raised {type(error).__name__}", False)

    def _log(self, error: Exception) -> None:
        kind = f"{type(error).__name__}: {error}"
        if kind in self._logged or len(self._logged) >= KINDS_LOGGED:
            return
        self._logged.add(kind)
        log.error("a model's call failed: %s", kind, exc_info=error)
