"""Wrong values given to the client: refused at once, never a wait for ever, and nothing lasting."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from streaming import connection
from streaming.client import connect
from streaming.client_inputs import checked, corner, gesture
from streaming.errors import BadEdit, BadMessage, BadPicture, WrongSize
from streaming.protocol import Error, ParamValue, encode_text
from tests.place import a_place
from tests.scripted import picture, until


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "finite"),
        (np.float32("inf"), "finite"),
        (None, "NoneType"),
        ([1], "list"),
        ((1,), "tuple"),
        ({}, "dict"),
        (b"text", "bytes"),
        (1j, "complex"),
        (np.array([1, 2]), "ndarray"),
        (np.datetime64("2020-01-01"), "datetime64"),
        (2**64, "64 bits"),
        (-(2**63) - 1, "64 bits"),
        ("\ud800", "surrogate"),
    ],
    ids=repr,
)
def test_what_cannot_go_on_the_wire_is_refused_by_name(value: Any, says: str) -> None:
    with pytest.raises(BadEdit, match=f"strength: .*{says}"):
        checked({"seed": 1, "strength": value})


def test_scalars_of_numpy_are_plain_values() -> None:
    given: dict[str, ParamValue | np.generic] = {
        "a": np.int64(3), "b": np.uint8(4), "c": np.float32(0.5), "d": np.bool_(True),
        "e": np.str_("hill"), "f": np.float64(0.25), "g": 2**64 - 1,
    }  # fmt: skip
    plain = checked(given)
    assert plain == {"a": 3, "b": 4, "c": 0.5, "d": True, "e": "hill", "f": 0.25, "g": 2**64 - 1}
    assert {type(value) for value in plain.values()} == {int, float, bool, str}
    assert corner(np.int64(3), np.uint8(4)) == (3, 4)  # type: ignore[arg-type]
    assert gesture(np.int32(5)) == 5  # type: ignore[arg-type]


async def test_a_wrong_value_is_refused_before_anything_is_sent() -> None:
    async with a_place() as place, connect(place.url) as session:
        black = np.zeros((4, 4, 3), np.uint8)
        wrong: list[tuple[type[Exception], dict[str, Any]]] = [
            (BadEdit, {"strength": float("nan")}),
            (BadEdit, {"prompt": None}),
            (WrongSize, {"tile": (-1, 0, black)}),
            (WrongSize, {"tile": (0, 65536, black)}),
            (TypeError, {"tile": (0.5, 0, black)}),
            (BadPicture, {"canvas": b""}),
            (BadEdit, {"group": -1, "seed": 1}),
            (BadEdit, {"group": 2**32, "seed": 1}),
        ]
        for kind, values in wrong:
            with pytest.raises(kind):
                await session.edit(**{"canvas": picture(), **values})
        with pytest.raises(BadEdit):
            await session.clear(group=-1)
        assert place.engine.requests == []
        place.cut()
        await until(lambda: not session.connected)
        assert await session.edit(seed=np.int64(3), strength=np.float32(0.5)) == 1
        assert session.params["seed"] == 3


async def test_an_edit_that_cannot_be_written_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the checks let through: it would be in the way at each new connection."""
    monkeypatch.setattr("streaming.client.checked", dict)
    async with a_place() as place, connect(place.url) as session:
        with pytest.raises(TypeError):
            await session.edit(canvas=picture(), seed=object())  # type: ignore[arg-type]
        assert not session._memory.pending
        place.cut()
        await until(lambda: not session.connected)
        assert await session.edit(seed=3) == 1


@pytest.mark.parametrize("named", [True, False])
async def test_a_refusal_ends_the_waiting_with_and_without_an_id(
    monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    if not named:
        monkeypatch.setattr(connection, "edit_id", lambda _: None)
    async with a_place() as place, connect(place.url) as session:
        first = asyncio.create_task(session.edit(seed=1))
        too_long: dict[str, Any] = {"x" * 65: 1}
        wrong = asyncio.create_task(session.edit(**too_long))
        last = asyncio.create_task(session.edit(seed=2))
        with pytest.raises(BadMessage):
            await wrong
        assert (await first, await last) == (1, 2)
        assert session.params["seed"] == 2


async def test_a_refusal_of_long_ago_is_not_why_a_connection_is_closed() -> None:
    async with a_place() as place, connect(place.url) as session:
        await place.sockets[0].send(encode_text(Error("bad_message", "of something")))
        await until(lambda: session._told)
        assert await session.edit(seed=1) == 1
        await place.sockets[0].close(1013)
        await until(lambda: not session.connected)
        assert await session.edit(seed=2) == 2
