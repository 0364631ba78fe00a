"""Host, Origin and token: who may talk to a server, decided without one running."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from server.security import ForeignHost, ForeignOrigin, Gate, bearer
from server.settings import Settings
from streaming.errors import Unauthorized

HERE = "127.0.0.1:8000"


def gate(**settings: object) -> Gate:
    return Gate(Settings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host", [HERE, "localhost:8000", "LOCALHOST", "localhost.", "[::1]:8000", "127.0.0.2:1"]
)
def test_loopback_names_are_this_server(host: str) -> None:
    gate().check_host(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "evil.example:8000", "localhost.evil.example", "10.0.0.1:8000",
     "127.0.0.1.evil.example", "evil.example:8000@localhost", "[::1", "a" * 5000],
)  # fmt: skip
def test_other_names_are_foreign(host: str | None) -> None:
    with pytest.raises(ForeignHost):
        gate().check_host(host)


def test_a_host_is_added_by_name_by_address_and_by_public_url() -> None:
    gate(allow_host=("box.local",)).check_host("Box.local:9000")
    gate(allow_host=("*",)).check_host("whatever.example")
    gate(public_url="https://draw.example.org").check_host("draw.example.org")
    gate(host="192.168.1.5", allow_anonymous=True).check_host("192.168.1.5:8000")


def test_a_server_for_all_answers_to_addresses_but_not_to_unknown_names() -> None:
    """A name can be made to point here by its owner, an address can't."""
    everywhere = gate(host="0.0.0.0", allow_anonymous=True)
    everywhere.check_host("192.168.1.5:8000")
    with pytest.raises(ForeignHost):
        everywhere.check_host("evil.example:8000")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, HERE),
        ("http://127.0.0.1:8000", HERE),
        ("http://localhost:8000", HERE),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://draw.example.org", "draw.example.org"),
        ("https://draw.example.org:8443", "draw.example.org:8443"),
    ],
)
def test_the_servers_own_pages_pass(origin: str | None, host: str) -> None:
    gate().check_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", HERE),
        ("null", HERE),
        ("", HERE),
        ("http://localhost:5173", HERE),
        ("http://127.0.0.1:8000.evil.example", HERE),
        ("http://evil.example:8000", HERE),
        ("file://", HERE),
        ("http://127.0.0.1:99999999", HERE),
        ("https://draw.example.org:8443", "draw.example.org"),
    ],
)
def test_foreign_pages_do_not(origin: str, host: str) -> None:
    with pytest.raises(ForeignOrigin):
        gate().check_origin(origin, host)


def test_an_origin_is_added_by_name_and_by_public_url() -> None:
    gate(allow_origin=("http://localhost:5173",)).check_origin("http://localhost:5173", HERE)
    gate(allow_origin=("*",)).check_origin("https://evil.example", HERE)
    behind = gate(public_url="https://draw.example.org")
    behind.check_origin("https://draw.example.org", HERE)
    with pytest.raises(ForeignOrigin):
        behind.check_origin("http://draw.example.org", HERE)


def test_the_token() -> None:
    gate().check_token(None)
    asked = gate(token="s3cret")
    asked.check_token("s3cret")
    for wrong in (None, "", "s3cre", "s3cret ", "ü" * 10, "\ud800"):
        with pytest.raises(Unauthorized):
            asked.check_token(wrong)


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", None), ("Bearer", None)],
)
def test_bearer(header: str, token: str | None) -> None:
    assert bearer(Headers({"Authorization": header})) == token
    assert bearer(Headers({})) is None
