"""Log lines: one line an event, in both formats, that a client's text can't forge."""

from __future__ import annotations

import json
import logging

import pytest

from server.logs import Line, event


def line(kind: str, caplog: pytest.LogCaptureFixture) -> str:
    return Line(kind).format(caplog.records[-1])


def test_text_is_key_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        event(logging.getLogger("t"), "session end", session="ab12", seconds=1.25, pictures=3)
    told = line("text", caplog)
    assert told.endswith("Z info    session end session=ab12 seconds=1.25 pictures=3")


def test_json_is_one_object(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        event(logging.getLogger("t"), "ready", models="scenes")
    told = json.loads(line("json", caplog))
    assert told.pop("time").endswith("Z")
    assert told == {"level": "info", "event": "ready", "models": "scenes"}


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_clients_text_stays_on_its_line(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        event(logging.getLogger("t"), "refused", why='a\n2026 info session start x="1"\x1b[31m')
    told = line(kind, caplog)
    assert len(told.splitlines()) == 1
    assert "\x1b" not in told


@pytest.mark.parametrize("kind", ["text", "json"])
def test_a_traceback_is_told_once_and_whole(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        try:
            raise ValueError("weights")
        except ValueError:
            logging.getLogger("t").exception("the engine broke")
    told = line(kind, caplog)
    assert told.count("ValueError: weights") == 1
    assert "test_server_logs.py" in told
