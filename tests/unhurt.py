"""What the tests of bad input share: one real server a module, and that nobody on it is hurt.

Role: three fixtures, which a test module takes by assigning all of them, and `still_works`. A
witness draws along the whole time on a connection of its own; after every test it must get a new
picture, and the server must still be there, without an error in its log.

It does not know: what the bad thing was.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pen import Pen
from tests.serving import Served, serving
from tests.witness import Witness


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(
        *("--model-option", "faults=true", "--model-option", "step_ms=3"),
        *("--keep-seconds", "1"),
    ) as served:
        yield served


@pytest.fixture(scope="module")
def witness(server: Served) -> Iterator[Witness]:
    drawing_along = Witness(server.socket_url)
    yield drawing_along
    drawing_along.stop()


@pytest.fixture(autouse=True)
def nobody_is_hurt(server: Served, witness: Witness) -> Iterator[None]:
    """After each bad thing the witness gets pictures, and the log has no error."""
    logged = len(server.lines)
    yield
    witness.check()
    assert server.process.poll() is None
    errors = [line for line in server.lines[logged:] if "Traceback" in line or " error " in line]
    assert not [line for line in errors[:1] if "a model's call failed" not in line], errors


async def still_works(pen: Pen) -> None:
    """The connection that sent the bad thing goes on."""
    pen._ids += 10
    answer = await pen.accepted(await pen.params(seed=pen._ids))
    await pen.final(answer.revision)
