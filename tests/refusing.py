"""Output checks that an operator might plug in, for the tests."""

from __future__ import annotations

from collections.abc import Sequence

from models.base import OutputCheck, Payload, Request


class NoSecrets:
    """Withholds what was asked for with the word "secret"."""

    def check(
        self, payloads: Sequence[Payload], requests: Sequence[Request]
    ) -> Sequence[str | None]:
        told = [str(request.params.get("prompt", "")) for request in requests]
        return ["it shows a secret" if "secret" in prompt else None for prompt in told]


def build() -> OutputCheck:
    return NoSecrets()


def broken() -> OutputCheck:
    raise RuntimeError("its weights aren't there")
