"""One Chromium and one server for all browser tests; a fresh window for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.driver import Draw, launch, new_tab
from tests.serving import Served, serving

Open = Callable[..., Draw]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Everything in this folder is a browser test."""
    item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def model() -> str:
    """The model that paints: the built-in one, or who asks for another gets that."""
    return os.environ.get("RIVERRUN_BROWSER_MODEL", "scenes")


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def house(model: str) -> Iterator[Served]:
    """A server that all tests share."""
    with serving("--model", model) as served:
        yield served


@pytest.fixture
def open_page(chromium: Browser, house: Served) -> Iterator[Open]:
    """Open the page in a window of its own; at the end no page may have complained."""
    opened: list[Draw] = []

    def open_(address: str | None = None, **options: object) -> Draw:
        _, draw = new_tab(chromium, **options)  # type: ignore[arg-type]
        opened.append(draw)
        return draw.open(address or house.address)

    yield open_
    for draw in opened:
        draw.context.close()
