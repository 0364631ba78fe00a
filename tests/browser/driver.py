"""The page as a person uses it: strokes, words, looks; and headless Chromium to show it in.

Role: finds and starts the machine's Chromium, and wraps one tab as a `Draw` with verbs in canvas
units (0..1 of the stage). Waits are always for a thing itself: a figure of the page's own
`riverrun.stats()`, an element, a picture.

It does not know: which model paints. What it compares are means over areas of the painting.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, ViewportSize

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # containers run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SECONDS = 120.0
GRID = 32
Point = tuple[float, float]

_LOOK = """(id) => {
  const small = document.createElement('canvas');
  small.width = small.height = GRID;
  const context = small.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.drawImage(document.getElementById(id), 0, 0, small.width, small.height);
  return [...context.getImageData(0, 0, small.width, small.height).data];
}""".replace("GRID", str(GRID))

_SETTLED = """() => {
  const s = riverrun.stats();
  const busy = s.awaiting || s.unsent || s.adopting || s.unaccepted > 0;
  return s.state === 'live' && s.pictures > 0 && !busy
    && s.shownRevision === s.revision && s.revision >= %d;
}"""

_LISTEN = """(id) => {
  window.heard ??= {};
  const texts = (window.heard[id] = []);
  new MutationObserver((records) => records.forEach((record) =>
    record.addedNodes.forEach((node) => texts.push(node.textContent))
  )).observe(document.getElementById(id), { childList: true });
}"""

_COARSE = """
  try { sessionStorage['riverrun.finer'] ??= 'false'; } catch { /* a page without storage */ }
"""

_WATCH = """
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (event) =>
    window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


def executable() -> str:
    """The path of this machine's Chromium; raises `RuntimeError` where there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise RuntimeError("no Chromium: install one (Debian: apt install chromium)")
    return found


def launch(playwright: Playwright) -> Browser:
    """Headless Chromium that talks to nobody but the page's server."""
    return playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))


class Draw:
    """One tab with the page in it."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SECONDS * 1000)
        self.complaints: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.add_init_script(_WATCH)

    def open(self, address: str) -> Draw:
        """Load the page and wait for its session."""
        self.page.goto(address)
        self.wait("() => window.riverrun && riverrun.stats().state === 'live'")
        return self

    def stats(self) -> dict[str, Any]:
        """The page's own figures."""
        return cast(dict[str, Any], self.page.evaluate("riverrun.stats()"))

    def wait(self, condition: str) -> None:
        """Wait until the JavaScript function `condition` gives something true."""
        self.page.wait_for_function(condition, timeout=SECONDS * 1000)

    def settle(self, revision: int = 1) -> None:
        """Wait until every edit is answered by a finished picture that is on the screen."""
        self.wait(_SETTLED % revision)

    def after(self, revision: int) -> None:
        """Wait until something newer than `revision` is finished and on the screen."""
        self.settle(revision + 1)

    # --- the hand -------------------------------------------------------------------------------

    def place(self, at: Point) -> Point:
        """Where `at` (0..1 of the canvas) lies in the window."""
        box = self.page.get_by_test_id("canvas").bounding_box()
        assert box is not None
        return box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"]

    def stroke(self, points: Sequence[Point], steps: int = 4) -> None:
        """Pen down, along `points`, pen up."""
        mouse = self.page.mouse
        mouse.move(*self.place(points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.place(point), steps=steps)
        mouse.up()

    def material(self, index: int) -> str:
        """Choose the swatch number `index` (negative: from the end); its name."""
        swatches = self.page.locator(".swatch")
        swatch = swatches.nth(index if index >= 0 else swatches.count() + index)
        swatch.click()
        return swatch.inner_text()

    def fill(self, at: Point) -> None:
        """Fill at `at` with the chosen material, and take the brush again."""
        self.page.locator("[data-tool=fill]").click()
        self.page.mouse.click(*self.place(at))
        self.page.locator("[data-tool=brush]").click()

    def begin(self) -> None:
        """A drawing to start from: the upper half of one material, the lower of another."""
        self.material(0)
        self.fill((0.5, 0.5))
        self.material(1)
        self.page.locator("#size-range").fill("64")
        self.stroke([(0.0, 0.76), (1.0, 0.76)], steps=3)
        self.stroke([(1.0, 0.92), (0.0, 0.92)], steps=3)
        self.page.locator("#size-range").fill("28")
        self.settle()

    def undo(self) -> None:
        """One gesture back, by the button; waits for its picture."""
        revision = self.stats()["revision"]
        self.page.get_by_test_id("undo").click()
        self.after(revision)

    # --- the eye --------------------------------------------------------------------------------

    def look(self, what: str = "picture") -> NDArray[np.float64]:
        """The painting (or "paper", the bare canvas), averaged to (GRID, GRID, 3), 0..255."""
        data = self.page.evaluate(_LOOK, what)
        return np.asarray(data, dtype=np.float64).reshape(GRID, GRID, 4)[..., :3]

    def listen(self, id: str) -> Callable[[], list[str]]:
        """Note every text that the element shows from now on; gives what was noted so far."""
        self.page.evaluate(_LISTEN, id)
        return lambda: cast(list[str], self.page.evaluate("(id) => window.heard[id]", id))

    def quiet(self) -> None:
        """Nothing was logged as an error, nothing thrown, no policy violated."""
        violations = self.page.evaluate("window.violations")
        assert violations == []
        assert self.complaints == []

    def frames(self, count: int) -> None:
        """Let `count` frames be shown."""
        self.page.evaluate(
            "(n) => new Promise((done) => { const next = () => n-- > 0 ?"
            " requestAnimationFrame(next) : done(); next(); })",
            count,
        )

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


def new_tab(
    browser: Browser, *, width: int = 1280, height: int = 800, finer: bool = False, **options: Any
) -> tuple[BrowserContext, Draw]:
    """A window of its own: its own storage, and so its own session. `finer`: with a finer picture
    at rest, as people have it; without, the picture stays what it was however long a test takes."""
    size: ViewportSize = {"width": width, "height": height}
    context = browser.new_context(viewport=size, **options)
    if not finer:
        context.add_init_script(_COARSE)
    return context, Draw(context)


def difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean absolute difference of two looks, by place: (GRID, GRID), 0..255."""
    return np.asarray(np.abs(a - b).mean(axis=2))


def around(at: Point, reach: int = 2) -> tuple[slice, slice]:
    """The part of a look within `reach` cells of `at`."""
    x, y = int(at[0] * GRID), int(at[1] * GRID)
    return slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)
