"""What must not be shown is withheld from who asked for it, and from nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from models.base import Encoded, OutputCheck, Payload, Picture, Request
from server.registry import output_check
from server.settings import Settings
from streaming.attempt import Attempts, Failure
from streaming.checking import WITHHELD, Checks
from streaming.messages import Broken, Failed, Outputs
from tests.refusing import NoSecrets
from tests.rig import Rig, Watched
from tests.serving import serving


def picture(value: int = 9) -> Picture:
    return Picture(np.full((32, 32, 3), value, np.uint8))


def asked(prompt: str = "") -> Request:
    return Request("s", "m", 1, 1, {"prompt": prompt})


class Noted:
    """Passes all, and notes what it was shown; answers with `answer` where it is given one."""

    def __init__(self, answer: object = None) -> None:
        self.seen: list[int] = []
        self.answer = answer

    def check(
        self, payloads: Sequence[Payload], requests: Sequence[Request]
    ) -> Sequence[str | None]:
        assert len(payloads) == len(requests)
        self.seen.append(len(payloads))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, list) else [None] * len(payloads)


def passed(check: OutputCheck | None, *results: Payload | Failure) -> list[Payload | Failure]:
    return Checks(Attempts(), check).passed([asked()] * len(results), results)


def test_a_black_picture_is_withheld_and_a_dark_one_is_not() -> None:
    dark = picture(0)
    dark.pixels[31, 31, 2] = 1
    black, kept = passed(None, picture(0), dark)
    assert isinstance(black, Failure)
    assert (black.code, black.retryable) == ("bad_output", True)
    assert kept is dark


def test_a_check_sees_all_of_a_call_at_once_and_no_failures() -> None:
    check, before = Noted(), Failure("model_error", "no", False)
    jpeg = Encoded(b"x", "jpeg", 1, 1)
    found = passed(check, picture(), before, picture(0), jpeg)
    assert check.seen == [2], "one call, for what may still be shown"
    assert isinstance(found[0], Picture)
    assert found[1] is before
    assert isinstance(found[2], Failure)
    assert found[3] is jpeg


@pytest.mark.parametrize("answer", [RuntimeError("boom"), [], [None, None, None]])
def test_a_check_that_fails_lets_nothing_pass(
    answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    found = passed(Noted(answer), picture(), picture())
    assert [f.code for f in found if isinstance(f, Failure)] == [WITHHELD] * 2
    assert "boom" not in repr(found), "what went wrong is the log's"
    if isinstance(answer, Exception):
        assert "boom" in caplog.text


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(Watched(), check=NoSecrets).start()
    yield rig
    rig.stop()


def test_only_who_asked_for_it_goes_without(rig: Rig) -> None:
    rig.want("good", "bad")
    rig.submit("bad", prompt="a secret", steps=2)
    rig.submit("good", steps=2)
    failed = rig.hear(Failed)
    assert (failed.session, failed.code, failed.message) == ("bad", WITHHELD, "it shows a secret")
    assert not failed.retryable
    rig.final("good")
    assert rig.outputs("bad") == [], "not even a preview"
    rig.submit("bad", prompt="a house", revision=2, steps=2)
    assert rig.final("bad").revision == 2, "the session goes on"


def test_a_check_that_cannot_be_built_ends_the_engine_in_a_line() -> None:
    build = output_check(Settings(output_check="tests.refusing:broken"))
    rig = Rig(Watched(), check=build).start()
    reason = rig.hear(Broken).reason
    assert "--output-check tests.refusing:broken" in reason
    assert "its weights aren't there" in reason


@pytest.mark.parametrize("name", ["tests.refusing:nothing", "no_such_module:build"])
def test_a_check_that_is_not_there_is_named(name: str) -> None:
    rig = Rig(Watched(), check=output_check(Settings(output_check=name))).start()
    assert name in rig.hear(Broken).reason


def test_no_check_is_built_where_none_is_named() -> None:
    assert output_check(Settings()) is None


def test_a_server_withholds_by_its_operators_check_and_counts_it() -> None:
    with serving("--output-check", "tests.refusing:build") as server:
        shown = server.post("/v1/generate", json={"prompt": "a house"})
        assert shown.status_code == 200, shown.text
        withheld = server.post("/v1/generate", json={"prompt": "a secret"})
        assert (withheld.status_code, withheld.json()["code"]) == (422, WITHHELD)
        assert "it shows a secret" in withheld.text
        assert 'riverrun_jobs_failed_total{code="withheld"} 1.0' in server.get("/metrics").text


def test_previews_are_checked_too(rig: Rig) -> None:
    rig.want("s")
    rig.submit("s", steps=4)
    rig.final("s")
    assert len([m for m in rig.heard if isinstance(m, Outputs)]) == 4
