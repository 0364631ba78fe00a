"""A painting is saved with its recipe; a picture that is dropped or pasted becomes the canvas."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import Open
from tests.browser.driver import Draw, difference
from tests.serving import Served, serving

_DROP = """([data, kind]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], 'picture.png', { type: 'image/png' }));
  const event = kind === 'paste'
    ? new ClipboardEvent('paste', { clipboardData: transfer, cancelable: true })
    : new DragEvent('drop', { dataTransfer: transfer, cancelable: true });
  window.dispatchEvent(event);
}"""


@pytest.fixture(scope="module")
def house() -> Iterator[Served]:
    """A server whose pictures cost nothing: what paints doesn't matter here."""
    with serving("--model", "fake") as served:
        yield served


def give(draw: Draw, png: bytes, kind: str = "drop") -> None:
    """Drop or paste a file on the page."""
    draw.page.evaluate(_DROP, [base64.b64encode(png).decode(), kind])


def test_a_saved_painting_knows_how_it_was_made_and_brings_it_back(
    open_page: Open, tmp_path: Path
) -> None:
    draw = open_page()
    draw.begin()
    draw.page.get_by_test_id("prompt").fill("night, winter")
    draw.page.get_by_test_id("seed").fill("77")
    draw.page.get_by_test_id("seed").blur()
    draw.settle()
    canvas, painting = draw.look("paper"), draw.look()
    with draw.page.expect_download() as saving:
        draw.page.get_by_test_id("save").click()
    file = tmp_path / saving.value.suggested_filename
    saving.value.save_as(file)
    with Image.open(file) as image:
        image.load()
        recipe = json.loads(image.text["riverrun"])  # type: ignore[attr-defined]
        assert image.size == (256, 256)
    assert file.name.startswith("riverrun-night-winter-")
    assert recipe["params"]["prompt"] == "night, winter"
    assert recipe["params"]["seed"] == 77
    other = open_page()
    give(other, file.read_bytes())
    other.settle()
    assert other.page.get_by_test_id("prompt").input_value() == "night, winter"
    assert other.page.get_by_test_id("seed").input_value() == "77"
    assert np.array_equal(other.look("paper"), canvas)
    assert difference(other.look(), painting).mean() < 2
    other.quiet()


def test_any_picture_becomes_a_canvas_of_materials(open_page: Open) -> None:
    draw = open_page()
    stripes = np.zeros((90, 160, 3), np.uint8)
    stripes[:45] = (30, 90, 200)
    stripes[45:] = (60, 180, 70)
    out = io.BytesIO()
    Image.fromarray(stripes).save(out, "PNG")
    give(draw, out.getvalue(), "paste")
    draw.settle()
    paper = draw.look("paper")
    assert np.ptp(paper[2].reshape(-1, 3), axis=0).max() == 0
    assert np.abs(paper[2, 5] - paper[-3, 5]).sum() > 60


def test_what_is_no_picture_is_said_to_be_none(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    paper = draw.look("paper")
    give(draw, b"this is a poem")
    draw.wait("() => document.getElementById('live').textContent.includes('can be read')")
    assert np.array_equal(draw.look("paper"), paper)
