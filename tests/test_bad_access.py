"""Who isn't let in: wrong hellos, sessions that aren't theirs or expired, foreign Origin or Host.

Each gets a typed error and its close code or status; the session that it was after goes on.
"""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from streaming.protocol import VERSION, Hello
from tests import unhurt
from tests.pen import Pen, drawing
from tests.raw import hello_text, raw_answer, upgrade_request
from tests.serving import Served
from tests.unhurt import still_works

server, witness, nobody_is_hurt = unhurt.server, unhurt.witness, unhurt.nobody_is_hurt


async def test_an_unknown_model(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.tell(Hello(VERSION, model="nope"))
        error = await pen.error()
        assert (error.code, error.retryable) == ("unknown_model", False)
        assert "fake" in error.message + error.remedy
        assert (await pen.closed())[0] == 4404


@pytest.mark.parametrize("secret", [None, "", "wrong", "ü" * 100])
async def test_a_wrong_secret(server: Served, secret: str | None) -> None:
    async with drawing(server.socket_url) as owner, Pen(server.socket_url) as pen:
        await pen.tell(Hello(VERSION, session=owner.welcome.session, secret=secret))
        assert (await pen.error()).code == "wrong_secret"
        assert (await pen.closed())[0] == 4403
        await still_works(owner)


async def test_an_expired_session(server: Served) -> None:
    async with drawing(server.socket_url) as pen:
        await still_works(pen)
        welcome = pen.welcome
    server.wait_log(f"session end session={welcome.session} reason=expired")
    async with Pen(server.socket_url) as pen:
        await pen.tell(Hello(VERSION, session=welcome.session, secret=welcome.secret))
        error = await pen.error()
        assert error.code == "unknown_session"
        assert error.remedy
        assert (await pen.closed())[0] == 4404


async def test_another_version(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.tell(Hello(99))
        assert (await pen.error()).code == "unsupported_version"
        assert (await pen.closed())[0] == 4400


async def test_anything_before_hello(server: Served) -> None:
    async with Pen(server.socket_url) as pen:
        await pen.params(seed=1)
        assert (await pen.error()).code == "hello_expected"
        assert (await pen.closed())[0] == 4400


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Origin": "http://localhost:1"}, "foreign_origin"),
    ],
)
async def test_a_foreign_origin_is_403(server: Served, headers: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.socket_url, additional_headers=headers, proxy=None):
            pass
    assert refused.value.response.status_code == 403
    assert code.encode() in refused.value.response.body
    for path in ("/v1/models", "/v1/generate"):
        answer = server.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, code)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.1.2.3"])
def test_a_foreign_host_is_403(server: Served, host: str) -> None:
    for path in ("/", "/v1/models", "/healthz"):
        answer = server.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")
    raw = raw_answer(server, upgrade_request(host))
    assert b" 403 " in raw.splitlines()[0]


async def test_the_own_origin_is_let_in(server: Served) -> None:
    async with connect(server.socket_url, origin=server.address, proxy=None) as socket:  # type: ignore[arg-type]
        await socket.send(hello_text())
        assert '"welcome"' in str(await socket.recv())
