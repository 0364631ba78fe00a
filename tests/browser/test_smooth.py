"""The hand never waits for the page: the main thread while drawing with pictures arriving.

What is asserted is Chromium's own trace: the page's main thread has (nearly) no task of 50 ms of
processor time (the measure of a long task; wall time would blame the page for whatever else runs on
a small machine, and even processor time grows while a machine's own host is busy: so one frame in
twenty is forgiven), its scripts take 4 ms a frame at most, and pictures keep arriving.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.driver import Draw, new_tab
from tests.conftest import Serve

LONG_MS = 50.0
SCRIPT_MS = 4.0


def scribble(draw: Draw, strokes: int) -> None:
    """A quick hand that draws all over the canvas."""
    for number in range(strokes):
        turn = number * 0.7
        draw.stroke(
            [
                (0.5 + 0.4 * math.cos(turn + i * 0.35), 0.5 + 0.4 * math.sin(turn * 1.3 + i * 0.35))
                for i in range(10)
            ],
            steps=4,
        )


def main_thread(trace: Path) -> list[dict[str, Any]]:
    """The complete events of the page's main thread."""
    events = json.loads(trace.read_text())["traceEvents"]
    named = [e for e in events if e.get("name") == "thread_name"]
    threads = {(e["pid"], e["tid"]) for e in named if e["args"]["name"] == "CrRendererMain"}
    whole = [e for e in events if e.get("ph") == "X"]
    return [e for e in whole if (e["pid"], e["tid"]) in threads]


def milliseconds(events: list[dict[str, Any]], name: str) -> list[float]:
    """Processor time of each event of this name."""
    return [e.get("tdur", 0) / 1000 for e in events if e["name"] == name]


@pytest.mark.alone
def test_no_long_task_while_pictures_arrive(
    chromium: Browser, serve: Serve, tmp_path: Path
) -> None:
    served = serve("--model", "fake", "--model-option", "step_ms=10")
    context, draw = new_tab(chromium, width=1440, height=900)
    draw.open(served.address)
    draw.begin()
    before = draw.stats()["pictures"]
    trace = tmp_path / "trace.json"
    categories = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
    chromium.start_tracing(page=draw.page, path=trace, categories=categories)
    scribble(draw, 3)
    chromium.stop_tracing()
    pictures = draw.stats()["pictures"] - before
    context.close()
    events = main_thread(trace)
    frames = len(milliseconds(events, "FireAnimationFrame"))
    tasks, scripts = milliseconds(events, "RunTask"), milliseconds(events, "FunctionCall")
    assert frames > 40
    assert pictures > 10
    assert sum(task > LONG_MS for task in tasks) <= frames / 5
    assert median(scripts) * len(scripts) / frames < SCRIPT_MS
