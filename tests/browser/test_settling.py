"""The pen rests and the painting settles: the same, but finer, and gone with the next stroke."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from streaming.protocol import (
    Accepted,
    PictureFrame,
    ServerFrame,
    decode_server_binary,
    decode_server_text,
)
from tests.browser.conftest import Open
from tests.browser.driver import SECONDS, Draw
from tests.serving import Served, serving

FINER = """() => {
  const { shownWidth, shownRevision, revision, fading } = riverrun.stats();
  return shownWidth === 512 && !fading && shownRevision === revision && revision >= %d;
}"""
FIGURES = ("pictures", "editToEyeP50", "editToEyeP95", "drops")

_RECORD = """() => {
  window.seen = [];
  const next = () => {
    const coming = document.getElementById('coming').dataset.on === 'true';
    const small = document.createElement('canvas');
    small.width = small.height = 8;
    const context = small.getContext('2d', { willReadFrequently: true });
    context.imageSmoothingQuality = 'high';
    context.drawImage(document.getElementById('picture'), 0, 0, 8, 8);
    const look = [...context.getImageData(0, 0, 8, 8).data];
    window.seen.push({ ...riverrun.stats(), coming, look });
    requestAnimationFrame(next);
  };
  next();
}"""


@pytest.fixture(scope="module")
def house() -> Iterator[Served]:
    """A model that paints at two sizes: 80 ms a picture, and four times that."""
    with serving("--model", "fake", *options(step_ms=20, finer=2)) as served:
        yield served


def options(**given: int) -> list[str]:
    return [word for name, n in given.items() for word in ("--model-option", f"{name}={n}")]


class Line:
    """What goes over the page's socket, in order, but for acknowledgements and pings."""

    def __init__(self, draw: Draw) -> None:
        self.sent: list[dict[str, Any]] = []
        self.came: list[ServerFrame] = []
        draw.page.on("websocket", self._listen)

    def _listen(self, socket: Any) -> None:
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._came)

    def _sent(self, frame: str | bytes) -> None:
        message = json.loads(frame) if isinstance(frame, str) else {"type": "picture"}
        if message["type"] not in ("ack", "ping"):
            self.sent.append(message)

    def _came(self, frame: str | bytes) -> None:
        text = isinstance(frame, str)
        self.came.append(decode_server_text(frame) if text else decode_server_binary(frame))  # type: ignore[arg-type]

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests for a finer picture."""
        return [message for message in self.sent if message.get("passing")]

    def accepted(self, after: int) -> list[tuple[int, Accepted]]:
        """The answers to edits after the edit `after`, and their places in `came`."""
        answers = [(n, one) for n, one in enumerate(self.came) if isinstance(one, Accepted)]
        return [(n, one) for n, one in answers if one.id > after]


def until(draw: Draw, that: Callable[[], object]) -> None:
    """Let frames be shown until `that` holds."""
    deadline = time.monotonic() + SECONDS
    while not that():
        assert time.monotonic() < deadline
        draw.frames(1)


def listening(open_page: Open, address: str | None = None, **given: Any) -> tuple[Draw, Line]:
    """A page with a finer picture at rest, and its line from the first message on."""
    draw = open_page(address, finer=True, **given)
    line = Line(draw)
    draw.page.reload()
    draw.wait("() => window.riverrun && riverrun.stats().state === 'live'")
    return draw, line


def places(draw: Draw) -> list[Any]:
    return [draw.page.locator(f"#{id}").bounding_box() for id in ("picture", "canvas", "deck")]


def settled(draw: Draw, act: Callable[[], object] | None = None) -> None:
    """Do something, and wait for the finer picture of it: of an edit's revision and its own."""
    revision = draw.stats()["revision"] + 2 if act else 1
    if act:
        act()
    draw.wait(FINER % revision)


def stroke(draw: Draw) -> None:
    """A stroke that can be seen."""
    draw.material(1)
    draw.stroke([(0.3, 0.3), (0.7, 0.3)])


def test_the_painting_settles_when_the_pen_rests(open_page: Open, tmp_path: Path) -> None:
    draw, line = listening(open_page)
    boxes = places(draw)
    draw.page.evaluate(_RECORD)
    draw.begin()
    settled(draw)
    assert line.asked[-1]["params"] == {"size": 512}
    assert draw.page.evaluate("document.getElementById('picture').width") == 512
    seen = draw.page.evaluate("window.seen")
    last = max(n for n, frame in enumerate(seen) if frame["shownWidth"] == 256)
    small, rest = seen[last], seen[last + 1 :]
    assert small["coming"]
    assert any(frame["fading"] for frame in rest)
    assert not rest[-1]["coming"]
    assert all(frame[figure] == small[figure] for frame in rest for figure in FIGURES)
    looks = np.array([frame["look"] for frame in rest], float)
    assert np.abs(looks - small["look"]).max() < 12  # no flash, no other picture, in any frame
    assert places(draw) == boxes
    with draw.page.expect_download() as saving:
        draw.page.get_by_test_id("save").click()
    saving.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as image:
        image.load()
        recipe = json.loads(image.text["riverrun"])  # type: ignore[attr-defined]
        assert (image.size, recipe["params"]["size"]) == ((512, 512), 512)
    draw.quiet()


def test_the_strip_has_it_once_and_finer(open_page: Open) -> None:
    draw, _ = listening(open_page)
    draw.begin()
    settled(draw)
    thumbs = draw.page.locator(".thumb")
    newest = "() => document.querySelector('.thumb:last-child img')?.naturalWidth === 512"
    draw.wait(newest)
    count, paper = thumbs.count(), draw.look("paper")
    settled(draw, lambda: stroke(draw))
    draw.wait(newest)
    assert thumbs.count() == count + 1
    settled(draw, thumbs.nth(count - 1).click)
    assert np.array_equal(draw.look("paper"), paper)
    draw.wait(f"() => document.querySelectorAll('.thumb')[{count - 1}].ariaCurrent === 'true'")
    assert thumbs.count() == count + 1


def test_undo_and_redo_never_meet_it(open_page: Open) -> None:
    draw, _ = listening(open_page)
    draw.begin()
    settled(draw)
    paper = draw.look("paper")
    settled(draw, lambda: stroke(draw))
    drawn = draw.look("paper")
    assert not np.array_equal(drawn, paper)
    for button, expected in (("undo", paper), ("redo", drawn), ("undo", paper), ("redo", drawn)):
        settled(draw, draw.page.get_by_test_id(button).click)
        assert np.array_equal(draw.look("paper"), expected)
    draw.quiet()


def test_a_stroke_meanwhile_brings_the_small_ones_back_at_once(open_page: Open) -> None:
    """It waits for the larger picture's first preview, as for any; for none of its other steps.
    Nothing is sent for it but the stroke, and nothing of the larger picture is shown."""
    with serving("--model", "fake", *options(step_ms=100, steps=8, finer=2)) as served:
        draw, line = listening(open_page, served.address)
        draw.stroke([(0.2, 0.2), (0.4, 0.2)])
        until(draw, lambda: line.asked)
        sent, asked = len(line.sent), line.asked[0]["id"]
        draw.page.evaluate(_RECORD)
        draw.stroke([(0.3, 0.7), (0.6, 0.7)])
        until(draw, lambda: line.accepted(asked))
        place, answer = line.accepted(asked)[0]
        draw.settle(answer.revision)
        assert line.sent[sent]["type"] == "picture"
        pictures = [one for one in line.came[place:] if isinstance(one, PictureFrame)]
        assert len([one for one in pictures if one.revision < answer.revision]) <= 1
        seen = draw.page.evaluate("window.seen")
        assert all(
            frame["shownRevision"] > answer.revision
            for frame in seen
            if frame["shownWidth"] == 512 or frame["fading"]
        )


def test_nothing_moves_where_nothing_may(open_page: Open) -> None:
    draw, _ = listening(open_page, reduced_motion="reduce")
    draw.page.evaluate(_RECORD)
    draw.begin()
    settled(draw)
    seen = draw.page.evaluate("window.seen")
    assert not any(frame["fading"] for frame in seen)
    assert {256, 512} <= {frame["shownWidth"] for frame in seen}


def test_the_switch_lets_it_or_not_and_is_remembered(open_page: Open) -> None:
    draw, line = listening(open_page)
    draw.page.locator("#more").click()
    assert draw.page.get_by_test_id("size").count() == 0
    switch = draw.page.get_by_label("Finer when the pen rests")
    assert switch.is_checked()
    switch.uncheck()
    draw.begin()
    draw.page.locator(".thumb").first.wait_for()  # which takes longer than a rest
    draw.page.reload()
    draw.wait("() => window.riverrun && riverrun.stats().state === 'live'")
    draw.page.locator("#more").click()
    assert not switch.is_checked()
    stroke(draw)
    draw.page.locator(".thumb").first.wait_for()
    assert (line.asked, draw.stats()["shownWidth"]) == ([], 256)
    switch.check()
    settled(draw)
    assert len(line.asked) == 1
    draw.quiet()


def test_a_reload_finds_the_finer_picture_again(open_page: Open) -> None:
    draw, line = listening(open_page)
    draw.begin()
    settled(draw)
    asked = len(line.asked)
    draw.page.reload()
    draw.wait("() => window.riverrun && riverrun.stats().state === 'live'")
    settled(draw)
    assert draw.stats()["pictures"] == 0
    settled(draw, lambda: stroke(draw))
    assert draw.stats()["pictures"] > 0
    assert len(line.asked) == asked + 1


def test_an_edit_that_changes_nothing_leaves_it_as_it_is(open_page: Open) -> None:
    draw, line = listening(open_page)
    draw.begin()
    settled(draw)
    before, sent = draw.stats(), len(line.sent)
    draw.material(0)
    draw.stroke([(0.4, 0.1), (0.6, 0.1)])
    until(draw, lambda: len(line.sent) > sent)
    settled(draw)
    assert draw.stats()["revision"] == before["revision"]
    assert draw.stats()["pictures"] == before["pictures"]
