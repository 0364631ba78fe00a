"""Fixtures that several tests share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.serving import Served, serving

Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start real servers: `serve("--model-option", "step_ms=3")`; all are ended afterwards."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **options: object) -> Served:
            return stack.enter_context(serving(*arguments, **options))  # type: ignore[arg-type]

        yield start
