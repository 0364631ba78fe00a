"""The page without a mouse, without eyes, on a phone: names, contrast, keys, sizes, motion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.browser.conftest import Open
from tests.browser.driver import Draw
from tests.serving import Served, serving

CONTROLS = "button, input, textarea, select, [tabindex='0'], [role=application]"

_NAMELESS = """(selector) => [...document.querySelectorAll(selector)]
  .filter((node) => node.checkVisibility())
  .filter((node) => {
    const label = node.labels?.[0]?.textContent ?? '';
    const by = document.getElementById(node.getAttribute('aria-labelledby'))?.textContent ?? '';
    return !(node.getAttribute('aria-label') || by || label || node.textContent).trim();
  }).map((node) => node.outerHTML.slice(0, 120))"""

# Contrast as WCAG 2.1 defines it, of every visible text against what really lies behind it:
# panels are opaque, so the nearest opaque ancestor is its ground.
_FAINT = """() => {
  const parts = (color) => {
    const canvas = document.createElement('canvas').getContext('2d');
    canvas.canvas.width = canvas.canvas.height = 1;
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) =>
    [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = ([r, g, b]) => [r, g, b].reduce((sum, c, i) => {
    const s = c / 255;
    const linear = s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    return sum + [0.2126, 0.7152, 0.0722][i] * linear;
  }, 0);
  const ground = (node) => {
    const layers = [];
    for (let at = node; at !== null; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below));
  };
  const own = (node) => [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim() !== '');
  return [...document.body.querySelectorAll('*')]
    .filter((node) => node.checkVisibility({ opacityProperty: true }) && own(node))
    .filter((node) => !node.closest('.marks, .unseen, .hint, .drop, :disabled, script'))
    .map((node) => {
      const below = ground(node);
      const text = luminance(over(parts(getComputedStyle(node).color), below));
      const back = luminance(below);
      return [(Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05), node];
    })
    .filter(([ratio]) => ratio < 4.5)
    .map(([ratio, node]) => `${ratio.toFixed(2)} ${node.className} ${node.textContent}`);
}"""

_SMALL = """() => [...document.querySelectorAll('button, input, select, textarea')]
  .filter((node) => node.checkVisibility())
  .map((node) => {
    const box = node.getBoundingClientRect();
    const after = getComputedStyle(node, '::after');
    const grown = after.content === 'none' ? 0 : -2 * (parseFloat(after.top) || 0);
    return [Math.round(box.height + grown), node];
  })
  .filter(([height]) => height < 36)
  .map(([height, node]) => `${height} ${node.id || node.className}`)"""


@pytest.fixture(scope="module")
def house() -> Iterator[Served]:
    """A server whose pictures cost nothing: what paints doesn't matter here."""
    with serving("--model", "fake") as served:
        yield served


def unfold(draw: Draw) -> None:
    """Open everything that is folded away."""
    draw.page.locator("#more").click()
    draw.page.locator("#capsule-button").click()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_control_has_a_name_and_every_text_contrast(open_page: Open, scheme: str) -> None:
    draw = open_page(color_scheme=scheme)
    draw.begin()
    unfold(draw)
    assert draw.page.evaluate(_NAMELESS, CONTROLS) == []
    assert draw.page.evaluate(_FAINT) == []
    draw.quiet()


def test_tab_reaches_every_control_and_shows_where_it_is(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    draw.page.locator("#more").click()
    draw.page.locator("body").click(position={"x": 2, "y": 2})
    expected = draw.page.evaluate(
        """(selector) => {
          const all = [...document.querySelectorAll(selector)];
          return all.filter((n) => n.checkVisibility() && !n.disabled && n.tabIndex >= 0).length;
        }""",
        CONTROLS,
    )
    seen: set[str] = set()
    for _ in range(expected + 3):
        draw.page.keyboard.press("Tab")
        seen.add(
            draw.page.evaluate(
                """() => {
                  const node = document.activeElement;
                  const style = getComputedStyle(node);
                  const line = getComputedStyle(node.parentElement, '::after').content !== 'none';
                  const shown = style.outlineStyle !== 'none' || line;
                  const all = [...document.querySelectorAll('*')];
                  return node === document.body ? '' : shown ? `${all.indexOf(node)}` : 'unseen';
                }"""
            )
        )
    assert "unseen" not in seen
    assert len(seen - {""}) >= expected


def test_the_keyboard_alone_draws_and_undoes(open_page: Open) -> None:
    draw = open_page()
    keys = draw.page.keyboard
    draw.page.locator("body").press("2")
    draw.page.get_by_test_id("canvas").focus()
    keys.press("Enter")
    draw.settle()
    dab = draw.look("paper")
    assert dab.min() < 255
    keys.down("Shift")
    for _ in range(4):
        keys.press("ArrowRight")
    keys.up("Shift")
    draw.settle()
    assert not np.array_equal(draw.look("paper"), dab)
    keys.press("Control+z")
    draw.wait("() => !document.querySelector('[data-testid=redo]').disabled")
    draw.settle()
    assert np.array_equal(draw.look("paper"), dab)
    keys.press("Control+Shift+z")
    draw.wait("() => document.querySelector('[data-testid=redo]').disabled")
    keys.press("Delete")
    draw.settle()
    assert draw.look("paper").min() == 255


def test_keys_choose_tools_and_views_but_are_letters_while_writing(open_page: Open) -> None:
    draw = open_page()
    body = draw.page.locator("body")
    for key, tool in (("e", "eraser"), ("g", "fill"), ("i", "picker"), ("b", "brush")):
        body.press(key)
        chosen = draw.page.locator("#tools [aria-checked=true]").get_attribute("data-tool")
        assert chosen == tool
    size = draw.page.locator("#size-range")
    before = int(size.input_value())
    body.press("]")
    assert int(size.input_value()) > before
    draw.page.keyboard.down(" ")
    assert draw.page.locator("#stage").get_attribute("data-peek") == "true"
    draw.page.keyboard.up(" ")
    assert draw.page.locator("#stage").get_attribute("data-peek") == "false"
    body.press("v")
    assert draw.page.locator("#stage").get_attribute("data-view") == "side"
    body.press("?")
    assert draw.page.get_by_role("dialog").is_visible()
    assert "New seed" in draw.page.get_by_role("dialog").inner_text()
    draw.page.keyboard.press("Escape")
    assert not draw.page.get_by_role("dialog").is_visible()
    prompt = draw.page.get_by_test_id("prompt")
    prompt.fill("")
    prompt.press_sequentially("be a seagull")
    assert prompt.input_value() == "be a seagull"
    assert draw.page.locator("#tools [aria-checked=true]").get_attribute("data-tool") == "brush"


def test_the_layout_holds_on_a_phone(open_page: Open) -> None:
    draw = open_page(width=390, height=844, has_touch=True, is_mobile=True)
    wide = draw.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    box = draw.page.get_by_test_id("picture").bounding_box()
    assert box is not None
    assert box["width"] >= 380
    capsule = draw.page.locator("#capsule").bounding_box()
    assert capsule is not None
    assert capsule["y"] >= 0
    assert capsule["y"] + capsule["height"] <= box["y"]
    assert draw.page.evaluate(_SMALL) == []
    draw.page.touchscreen.tap(*draw.place((0.5, 0.5)))
    draw.settle()
    assert draw.look("paper").min() < 255
    draw.page.locator("#capsule-button").tap()
    assert draw.page.get_by_test_id("picture").bounding_box() == box
    draw.quiet()


def test_help_says_on_a_phone_what_fingers_can_do(open_page: Open) -> None:
    draw = open_page(width=390, height=844, has_touch=True, is_mobile=True)
    draw.page.get_by_role("button", name="Help").tap()
    touches = draw.page.locator(".touches")
    assert touches.is_visible()
    assert "second finger" in touches.inner_text()
    assert draw.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_help_lists_every_key_for_who_has_no_touch(open_page: Open) -> None:
    draw = open_page()
    draw.page.locator("body").press("?")
    assert not draw.page.locator(".touches").is_visible()
    listed = draw.page.locator("dialog kbd").all_inner_texts()
    assert {*"BEGIRVOS[]10-=?/", "Enter", "Delete", "Space", "Shift", "Arrows"} <= set(listed)


def test_who_wants_no_motion_gets_none(open_page: Open) -> None:
    draw = open_page(reduced_motion="reduce")
    draw.wait("() => /^[^S]/.test(document.getElementById('prompt').placeholder)")
    first = draw.look()
    draw.frames(30)
    assert np.array_equal(draw.look(), first)
    assert first.std() > 5
