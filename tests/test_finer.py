"""A model that paints at two sizes, served: each picture tells its own, whatever else is made."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from streaming.protocol import Params, PictureFrame, Undo
from tests.pen import Pen, picture
from tests.serving import Served, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving("--model-option", "finer=2", "--model-option", "step_ms=5") as served:
        yield served


def pixels(frame: PictureFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The picture, which is as large as its header says."""
    image = Image.open(io.BytesIO(frame.data))
    assert image.size == (frame.width, frame.height)
    return np.asarray(image)


async def finer(pen: Pen, id: int) -> PictureFrame:
    """Ask for the larger picture of what there is."""
    await pen.tell(Params(id, {"size": 512}, passing=True))
    return await pen.final((await pen.accepted(id)).revision)


async def test_the_larger_picture_comes_on_top_and_goes_with_the_next_edit(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.hello(format="png")
        await pen.params(prompt="hill")
        small = await pen.final()
        large = await finer(pen, 2)
        assert (small.width, small.height, large.width, large.height) == (256, 256, 512, 512)
        assert (pixels(large)[1::2, 1::2] == pixels(small)).all()
        await pen.tell(Undo(3))
        accepted = await pen.accepted(3)
        assert (accepted.revision, accepted.undo, accepted.redo) == (3, 0, 1)
        assert (await pen.final(3)).width == 256
    assert server.figure('riverrun_edits_total{kind="passing"}') >= 1


async def test_a_resumed_client_gets_the_larger_picture_again(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.hello()
        await pen.params(prompt="hill")
        await finer(pen, 2)
        key = {"session": pen.welcome.session, "secret": pen.welcome.secret}
    async with Pen(server.socket_url) as pen:
        assert (await pen.hello(**key)).params["size"] == 256
        frame = await pen.wait_for(PictureFrame)
        assert (frame.replay, frame.final, frame.revision) == (True, True, 2)
        assert pixels(frame).shape == (512, 512, 3)


async def test_sessions_of_both_sizes_are_made_beside_each_other(server: Served) -> None:
    """And the canvas is the model's own size, whatever the picture's is."""
    async with Pen(server.socket_url) as one, Pen(server.socket_url) as other:
        sizes = ((one, 256), (other, 512))
        for pen, size in sizes:
            await pen.hello()
            await pen.params(size=size)
        for color in ("red", "blue", "red"):
            edits = [await pen.canvas(picture(color=color)) for pen, _ in sizes]
            for (pen, size), edit in zip(sizes, edits, strict=True):
                frame = await pen.final((await pen.accepted(edit)).revision)
                assert pixels(frame).shape == (size, size, 3)
