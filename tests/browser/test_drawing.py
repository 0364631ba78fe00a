"""Draw, and watch it paint: strokes, words, undo, and two windows that don't mix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.browser.conftest import Open
from tests.browser.driver import Point, around, difference

HERE = (0.3, 0.3)
FAR = (0.85, 0.15)


def test_a_stroke_changes_the_painting_where_it_falls(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    before, revision = draw.look(), draw.stats()["revision"]
    draw.material(-1)
    draw.stroke([(0.24, 0.3), (0.36, 0.3)])
    draw.after(revision)
    changed = difference(before, draw.look())
    near, far = changed[around(HERE)].mean(), changed[around(FAR)].mean()
    assert near > 8
    assert near > 3 * far
    draw.quiet()


def test_the_ink_melts_into_the_painting(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    draw.material(-1)
    x, y = draw.place(HERE)
    draw.page.mouse.move(x, y)
    draw.page.mouse.down()
    draw.page.mouse.move(x + 20, y, steps=3)
    assert draw.look("canvas").max() > 0
    draw.page.mouse.up()
    draw.settle()
    draw.wait(
        "() => { const c = document.getElementById('canvas');"
        " return !c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean); }"
    )


def test_other_words_and_another_seed_make_another_painting(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    before, revision = draw.look(), draw.stats()["revision"]
    draw.page.get_by_test_id("prompt").fill("night, winter")
    draw.after(revision)
    assert difference(before, draw.look()).mean() > 4
    before, revision = draw.look(), draw.stats()["revision"]
    draw.page.keyboard.press("Escape")
    draw.page.get_by_role("button", name="New seed").click()
    draw.after(revision)
    assert difference(before, draw.look()).mean() > 0.2
    assert int(draw.page.get_by_test_id("seed").input_value()) != 0


def test_undo_redo_and_clear_take_whole_gestures(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    before, paper, revision = draw.look(), draw.look("paper"), draw.stats()["revision"]
    draw.material(-1)
    draw.stroke([(0.2, 0.2), (0.4, 0.4), (0.2, 0.4)], steps=20)
    draw.after(revision)
    after, drawn = draw.look(), draw.look("paper")
    draw.undo()
    assert np.array_equal(draw.look("paper"), paper)
    assert difference(draw.look(), before).mean() < 0.25 * difference(after, before).mean()
    draw.page.get_by_test_id("redo").click()
    draw.wait("() => document.querySelector('[data-testid=redo]').disabled")
    draw.settle()
    assert np.array_equal(draw.look("paper"), drawn)
    draw.page.get_by_test_id("clear").click()
    draw.settle()
    assert draw.look("paper").min() == 255
    draw.undo()
    assert np.array_equal(draw.look("paper"), drawn)


def test_the_strip_goes_back(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    thumbs = draw.page.locator(".thumb")
    thumbs.first.wait_for()
    paper, revision = draw.look("paper"), draw.stats()["revision"]
    draw.material(-1)
    draw.stroke([(0.3, 0.3), (0.7, 0.3)])
    draw.after(revision)
    thumbs.nth(1).wait_for()
    revision = draw.stats()["revision"]
    thumbs.first.click()
    draw.after(revision)
    assert np.array_equal(draw.look("paper"), paper)


def test_the_strip_has_each_picture_once_whatever_is_undone(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    thumbs = draw.page.locator(".thumb")
    thumbs.first.wait_for()
    current = draw.page.locator(".thumb[aria-current=true]")
    revision = draw.stats()["revision"]
    draw.material(-1)
    draw.stroke([(0.3, 0.3), (0.7, 0.3)])
    draw.after(revision)
    thumbs.nth(1).wait_for()
    for button, place in (("undo", 0), ("redo", 1), ("undo", 0)):
        draw.page.get_by_test_id(button).click()
        draw.wait(f"() => document.querySelectorAll('.thumb')[{place}].ariaCurrent === 'true'")
        assert current.count() == 1
        assert thumbs.count() == 2


def test_two_windows_are_two_sessions(open_page: Open) -> None:
    one, two = open_page(), open_page()
    one.begin()
    two.material(-1)
    two.fill((0.5, 0.5))
    two.settle()
    canvas, painting = two.look("paper"), two.look()
    one.page.get_by_test_id("clear").click()
    one.settle()
    two.frames(30)
    assert np.array_equal(two.look("paper"), canvas)
    assert np.array_equal(two.look(), painting)
    assert one.look("paper").min() == 255


def test_a_pen_presses_and_a_palm_or_a_second_finger_is_nothing(open_page: Open) -> None:
    draw = open_page(has_touch=True)
    draw.begin()
    draw.material(-1)
    hand = draw.context.new_cdp_session(draw.page)

    def pen(kind: str, at: Point, force: float) -> None:
        x, y = draw.place(at)
        place = {"x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
        event = {"type": kind, "pointerType": "pen", "force": force, **place}
        hand.send("Input.dispatchMouseEvent", event)

    def touch(kind: str, *places: Point, width: float = 5) -> None:
        points = [
            {"x": x, "y": y, "id": i, "radiusX": width, "radiusY": width}
            for i, (x, y) in enumerate(map(draw.place, places))
        ]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def drawn(act: Callable[[], None]) -> int:
        before = draw.look("paper")
        act()
        draw.settle()
        return int((difference(draw.look("paper"), before) > 0).sum())

    def press(x: float, force: float) -> None:
        pen("mousePressed", (x, 0.2), force)
        pen("mouseReleased", (x, 0.2), force)

    def palm() -> None:
        touch("touchStart", (0.3, 0.5), width=60)
        touch("touchEnd")

    def two_fingers() -> None:
        touch("touchStart", (0.3, 0.5))
        touch("touchMove", (0.5, 0.5))
        touch("touchStart", (0.5, 0.5), (0.7, 0.5))
        touch("touchEnd")

    assert drawn(palm) == 0
    assert drawn(two_fingers) == 0
    light, hard = drawn(lambda: press(0.2, 0.1)), drawn(lambda: press(0.6, 1.0))
    assert 0 < light < hard


def test_the_capsule_shows_one_pictures_life(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    draw.page.locator("#capsule-button").click()
    stages = draw.page.locator(".waterfall .name").all_inner_texts()
    assert stages[:4] == ["page", "uplink", "queue", "begin"]
    assert stages[-1] == "paint"
    stats = draw.stats()
    assert 0 < stats["editToEyeP50"] <= stats["editToEyeP95"]


def test_choosing_a_material_moves_none_of_them(open_page: Open) -> None:
    draw = open_page()
    swatches = draw.page.locator(".swatch")

    def places() -> list[float]:
        return [swatches.nth(i).bounding_box()["x"] for i in range(swatches.count())]  # type: ignore[index]

    before = places()
    for index in range(swatches.count()):
        draw.material(index)
        assert places() == before
