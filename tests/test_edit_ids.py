"""An edit that is refused is named by its id, even where it isn't a message or comes too early."""

from __future__ import annotations

import pytest

from streaming.limits import Limits
from streaming.messages import Loaded
from streaming.protocol import (
    Accepted,
    Error,
    Hello,
    Params,
    PictureEdit,
    Undo,
    Welcome,
    encode_picture_edit,
)
from tests.house import a_house
from tests.scripted import SPEC, picture

pytestmark = pytest.mark.usefixtures("both_wires")


@pytest.mark.parametrize(
    "bad",
    [
        '{"type":"params","id":7,"params":{"seed":NaN}}',
        '{"type":"params","id":7,"params":{"prompt":["a"]}}',
        '{"type":"undo","id":7,"more":1}',
        encode_picture_edit(PictureEdit(7, 0, 0, 0, False, b"")),
    ],
)
async def test_a_malformed_edit_is_refused_by_its_id(bad: str | bytes) -> None:
    async with a_house() as house:
        wire, _ = await house.enter()
        wire.say(bad)
        error = await wire.expect(Error)
        assert (error.code, error.id) == ("bad_message", 7)


async def test_an_edit_before_the_welcome_is_refused_by_its_id_however_many_there_are() -> None:
    async with a_house(Limits(bad_messages=2), started=False) as house:
        wire = house.connect()
        house.engine.hub = house.hub
        wire.say(Hello(1))
        for edit in (Params(1, {"seed": 1}), PictureEdit(2, 0, 0, 0, False, picture()), Undo(3)):
            wire.say(edit)
            error = await wire.expect(Error)
            assert (error.code, error.id, error.retryable) == ("not_ready", edit.id, True)
            assert "welcome" in error.message
        house.engine.say(Loaded((SPEC,)))
        await wire.expect(Welcome)
        wire.say(Params(1, {"seed": 1}))
        assert (await wire.expect(Accepted)).revision == 1
