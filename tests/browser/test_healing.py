"""A lost line shows and heals; who looks at nothing costs nothing."""

from __future__ import annotations

import signal

import numpy as np
from playwright.sync_api import Browser, WebSocketRoute

from tests.browser.conftest import Open
from tests.browser.driver import around, difference, new_tab
from tests.conftest import Serve
from tests.serving import Served


def engine_rows(house: Served) -> float:
    """Rows that the engine ever stepped."""
    lines = house.get("/metrics").text.splitlines()
    sums = [line for line in lines if line.startswith("riverrun_step_rows_sum")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in sums)


def test_a_killed_server_comes_back_and_the_canvas_is_still_there(
    open_page: Open, serve: Serve
) -> None:
    first = serve()
    draw = open_page(first.address)
    draw.begin()
    before, paper = draw.look(), draw.look("paper")
    first.signal(signal.SIGKILL)
    first.wait()
    draw.wait("() => riverrun.stats().state === 'reconnecting'")
    assert draw.page.get_by_test_id("status").inner_text() == "Reconnecting"
    draw.stroke([(0.3, 0.3), (0.4, 0.3)])  # one draws on meanwhile
    serve("--port", str(first.port))
    draw.wait("() => riverrun.stats().state === 'live'")
    draw.settle()
    healed = draw.look("paper")
    assert difference(healed, paper)[around((0.8, 0.2))].max() == 0
    assert difference(healed, paper)[around((0.35, 0.3), 1)].mean() > 8
    assert difference(draw.look(), before)[around((0.85, 0.15))].mean() < 12


def test_a_reload_resumes_the_session(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    revision, paper = draw.stats()["revision"], draw.look("paper")
    draw.page.reload()
    draw.wait("() => window.riverrun && riverrun.stats().state === 'live'")
    draw.wait(f"() => riverrun.stats().shownRevision === {revision}")
    assert np.array_equal(draw.look("paper"), paper)


def test_a_reload_after_the_server_forgot_keeps_the_drawing(open_page: Open, serve: Serve) -> None:
    first = serve()
    draw = open_page(first.address)
    draw.begin()
    paper = draw.look("paper")
    first.signal(signal.SIGKILL)
    first.wait()
    serve("--port", str(first.port))
    draw.page.reload()
    draw.wait("() => window.riverrun && riverrun.stats().state === 'live'")
    draw.settle()
    assert np.array_equal(draw.look("paper"), paper)


def test_a_reload_without_room_on_the_server_shows_the_drawing(open_page: Open) -> None:
    draw = open_page()
    draw.begin()
    draw.page.get_by_test_id("prompt").fill("night, winter")
    draw.settle()
    paper, materials = draw.look("paper"), draw.page.locator(".swatch").all_inner_texts()
    full = True

    def answer(socket: WebSocketRoute) -> None:
        if full:
            socket.close(code=1013)
        else:
            socket.connect_to_server()

    draw.page.route_web_socket("**/v1/session", answer)
    draw.page.reload()
    draw.wait("() => window.riverrun && riverrun.stats().state === 'busy'")
    assert draw.page.locator("#paper").is_visible()
    assert np.array_equal(draw.look("paper"), paper)
    assert draw.page.locator(".swatch").all_inner_texts() == materials
    assert draw.page.get_by_test_id("prompt").input_value() == "night, winter"
    full = False
    draw.settle()
    assert not draw.page.locator("#paper").is_visible()
    assert np.array_equal(draw.look("paper"), paper)


def test_a_model_that_warms_up_says_how_far_it_is(chromium: Browser, serve: Serve) -> None:
    served = serve("--model-option", "load_ms=5000", ready=False)
    context, draw = new_tab(chromium)
    draw.page.goto(served.address)
    draw.wait(
        "() => document.getElementById('status').textContent === 'Warming up'"
        " && /^[0-9]+ %/.test(document.getElementById('figures').textContent)"
    )
    draw.stroke([(0.3, 0.5), (0.7, 0.5)])  # what is drawn already is painted then
    draw.settle()
    draw.wait("() => document.getElementById('status').textContent === 'Live'")
    context.close()


def test_a_model_that_failed_says_what_failed(chromium: Browser, serve: Serve) -> None:
    served = serve("--model-option", "odd=1", ready=False)
    served.wait_log("no such option: odd")
    context, draw = new_tab(chromium)
    draw.page.goto(served.address)
    draw.wait("() => document.getElementById('status').textContent === 'Model failed'")
    draw.page.locator("#capsule-button").click()
    body = draw.page.locator("#capsule-body")
    body.get_by_text("no such option: odd").wait_for()
    said = draw.listen("status")
    with draw.page.expect_websocket() as again:
        body.get_by_role("button", name="Try now").click()
    again.value.is_closed() or again.value.wait_for_event("close")
    draw.frames(2)
    assert set(said()) <= {"Model failed"}
    body.get_by_text("no such option: odd").wait_for()
    context.close()


def test_a_token_is_asked_for_and_kept(chromium: Browser, serve: Serve) -> None:
    served = serve("--token", "sesame")
    context, draw = new_tab(chromium)
    draw.page.goto(served.address)
    draw.wait("() => window.riverrun && riverrun.stats().state === 'unauthorized'")
    draw.page.locator("#capsule-button").click()
    token, said = draw.page.get_by_label("Token", exact=True), draw.page.locator(".advice")
    assert said.inner_text().startswith("This server asks for a token.")
    token.fill("oyster")
    draw.page.keyboard.press("Enter")
    draw.page.get_by_text("The token is wrong.").wait_for()
    token.fill("sesame")
    draw.page.keyboard.press("Enter")
    draw.wait("() => riverrun.stats().state === 'live'")
    draw.page.reload()
    draw.wait("() => window.riverrun && riverrun.stats().state === 'live'")
    context.close()


def test_a_page_from_this_machine_needs_no_public_address(open_page: Open, serve: Serve) -> None:
    served = serve("--public-url", "https://draw.invalid")
    draw = open_page(served.address)
    draw.begin()
    draw.quiet()


def test_a_goodbye_of_the_server_has_its_own_words(open_page: Open, serve: Serve) -> None:
    served = serve()
    draw = open_page(served.address)
    draw.begin()
    said = draw.listen("status")
    served.signal(signal.SIGTERM)
    assert served.wait() == 0
    draw.wait("() => riverrun.stats().state === 'reconnecting'")  # it came back too early
    assert said()[-2:] == ["Server restarting", "Reconnecting"]
    serve("--port", str(served.port))
    draw.wait("() => document.getElementById('status').textContent === 'Live'")


def test_an_untouched_page_costs_the_engine_nothing(open_page: Open, house: Served) -> None:
    before = engine_rows(house)
    draw = open_page()
    draw.frames(60)
    assert engine_rows(house) == before
    assert not draw.stats()["touched"]
    draw.stroke([(0.4, 0.4), (0.6, 0.6)])
    draw.settle()
    assert engine_rows(house) > before


def test_a_hidden_tab_costs_the_engine_nothing(open_page: Open, house: Served) -> None:
    draw = open_page()
    draw.begin()
    draw.page.evaluate(
        """() => {
          Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    draw.frames(10)
    before = engine_rows(house)
    revision = draw.stats()["revision"]
    draw.page.get_by_test_id("prompt").fill("a word from behind")
    draw.wait(f"() => riverrun.stats().revision > {revision}")
    draw.frames(20)
    assert engine_rows(house) == before
    draw.page.evaluate(
        """() => {
          delete document.hidden;
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    draw.settle()
    assert engine_rows(house) > before


def test_the_page_lives_without_a_server(chromium: Browser, serve: Serve) -> None:
    served = serve()
    context, draw = new_tab(chromium)
    context.route("**/v1/**", lambda route: route.abort())
    draw.page.goto(served.address)
    draw.wait("() => window.riverrun && riverrun.stats().state === 'reconnecting'")
    draw.stroke([(0.4, 0.4), (0.6, 0.6)])
    assert draw.look("paper").min() < 255
    context.close()
