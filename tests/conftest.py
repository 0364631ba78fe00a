"""Fixtures that several tests share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests import house
from tests.scripted import PromptWire, Wire
from tests.serving import Served, serving

Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start real servers: `serve("--model-option", "step_ms=3")`; all are ended afterwards."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, **options: object) -> Served:
            return stack.enter_context(serving(*arguments, **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture(params=[Wire, PromptWire], ids=["waiting", "prompt"])
def both_wires(request: pytest.FixtureRequest) -> Iterator[None]:
    """The gateway's tests over a transport that only waits, and over one that can send at once."""
    house.WIRES.append(request.param)
    yield
    house.WIRES.pop()
