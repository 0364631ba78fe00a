"""What must not be shown, and isn't: black pictures, and what an operator's check refuses.

Role: looks at what one decode call made before anybody is told of it. A picture that is black from
edge to edge is a number format that overflowed, never somebody's wish. An operator may plug in a
check of their own (content safety, say), which is asked once for all pictures of a call.

Invariants: what is withheld fails its own job, with a reason; nobody else's waits for it twice. A
check that raises, or answers for fewer pictures than it was shown, lets nothing pass. The first
failure of each kind is logged, as a model's is.

It does not know: sessions, how a check looks at a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.base import BadOutput, OutputCheck, Payload, Picture, Request
from streaming.attempt import Attempts, Failure

WITHHELD = "withheld"
BLACK = Failure(BadOutput.code, "the picture is all black: try another --dtype", True)
Builder = Callable[[], OutputCheck]
"""Imports what a check needs and returns it. Runs on the engine's thread, before models load."""

Result = Payload | Failure


class Checks:
    """`check`: the operator's, or none."""

    def __init__(self, attempts: Attempts, check: OutputCheck | None = None) -> None:
        self._attempts = attempts
        self._check = check

    def passed(self, requests: Sequence[Request], results: Sequence[Result]) -> list[Result]:
        """The same results, a failure in the place of each that must not be shown."""
        found = [BLACK if _black(result) else result for result in results]
        if self._check is None:
            return found
        places = [at for at, result in enumerate(found) if not isinstance(result, Failure)]
        if not places:
            return found
        payloads = [result for result in found if not isinstance(result, Failure)]
        reasons = self._ask(payloads, [requests[at] for at in places])
        for at, reason in zip(places, reasons, strict=True):
            if reason is not None:
                found[at] = Failure(WITHHELD, reason, False)
        return found

    def _ask(self, payloads: list[Payload], requests: list[Request]) -> list[str | None]:
        """The check's answers; where it fails, that nothing may pass."""

        def act(_: Sequence[None]) -> list[list[str | None]]:
            assert self._check is not None
            told = list(self._check.check(payloads, requests))
            if len(told) != len(payloads):
                raise BadOutput(f"{len(told)} answers of the output check for {len(payloads)}")
            return [[None if reason is None else str(reason) for reason in told]]

        (answer,) = self._attempts.call(act, [None])
        if isinstance(answer, Failure):
            return ["the output check failed, so nothing is shown"] * len(payloads)
        return answer


def _black(result: Result) -> bool:
    if not isinstance(result, Picture):
        return False
    return not (result.pixels[::16, ::16].any() or result.pixels.any())  # a few tell it mostly
