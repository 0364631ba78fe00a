"""The first minute: an example until one touches it, then one's own drawing and words, for good."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import Open
from tests.serving import Served, serving


@pytest.fixture(scope="module")
def house(house: Served, model: str) -> Iterator[Served]:
    """A server with the example's materials and words; what it paints doesn't matter here."""
    if model == "scenes":
        yield house
        return
    with serving("--model", "scenes") as served:
        yield served


def test_the_first_words_take_the_place_of_the_examples(open_page: Open) -> None:
    draw = open_page(reduced_motion="reduce")
    draw.page.locator("#marks mark").first.wait_for()
    prompt = draw.page.get_by_test_id("prompt")
    assert prompt.get_attribute("placeholder") == "autumn, dawn"
    prompt.click()
    draw.page.keyboard.type("sunset, winter")
    assert prompt.input_value() == "sunset, winter"
    pressed = draw.page.locator(".chip[aria-pressed=true]").all_inner_texts()
    assert pressed == ["sunset", "winter"]
    draw.settle()
    prompt.fill("")
    assert prompt.get_attribute("placeholder") == "Say what it should be, e.g. night, winter"
    draw.quiet()


def test_a_chip_goes_on_from_the_examples_words(open_page: Open) -> None:
    draw = open_page(reduced_motion="reduce")
    draw.page.locator("#marks mark").first.wait_for()
    draw.page.locator(".chip[data-word=winter]").click()
    assert draw.page.get_by_test_id("prompt").input_value() == "dawn, winter"


def test_looking_around_with_tab_begins_nothing(open_page: Open) -> None:
    draw = open_page()
    reached: set[str] = set()
    for _ in range(40):
        draw.page.keyboard.press("Tab")
        reached.add(draw.page.evaluate("document.activeElement.id"))
    assert {"canvas", "prompt", "seed", "size-range"} <= reached
    assert not draw.stats()["touched"]
    assert draw.page.get_by_test_id("status").inner_text() == "Example"
