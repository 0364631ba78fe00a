"""Fixtures that several tests share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests import house
from tests.scripted import PromptWire, Wire
from tests.serving import Served, serving

Serve = Callable[..., Served]

if "PYTEST_XDIST_WORKER" in os.environ:
    # Beside other workers one thread each is calmest: torch's would wait for one another, spinning.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


class ByServers(LoadScopeScheduling):  # type: ignore[misc]
    """Which tests one worker runs: a module's, who share its servers; or a folder's, and so all
    that drive Chromium share one, and the server whose model is dear to load."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        folder = path.rpartition("/")[0]
        return path if folder == "tests" else folder


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers:
    """What pytest-xdist asks for with `-n`."""
    return ByServers(config, log)


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
