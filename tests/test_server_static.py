"""The page's files: what is served, how long it is kept, and what the browser may do with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from server.security import PAGE_POLICY
from server.static import Page, page_routes

Get = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = tmp_path / "static"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>first")
    (page / "assets" / "index-BY9AfG1H.js").write_text("1")
    (page / "icon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return page


@pytest.fixture
async def get(folder: Path) -> AsyncIterator[Get]:
    app = Starlette(routes=page_routes(Page(folder)))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client.get


async def test_the_index_is_asked_for_anew_and_bound_by_a_policy(get: Get) -> None:
    for path in ("/", "/index.html"):
        answer = await get(path)
        assert answer.text == "<!doctype html>first"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-security-policy"] == PAGE_POLICY
        again = await get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_assets_are_kept_for_ever_and_other_files_are_not(get: Get) -> None:
    script = await get("/assets/index-BY9AfG1H.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "immutable" in script.headers["cache-control"]
    icon = await get("/icon.svg")
    assert icon.headers["content-type"].startswith("image/svg+xml")
    assert icon.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/assets", "/assets/", "/x%00y"]
)
async def test_nothing_else_is_served(get: Get, path: str) -> None:
    assert (await get(path)).status_code == 404


async def test_a_page_that_is_built_while_the_server_runs_is_found(get: Get, folder: Path) -> None:
    index = folder / "index.html"
    index.unlink()
    hint = await get("/")
    assert hint.status_code == 200
    assert "make page" in hint.text
    (folder / "assets" / "new.js").write_text("2")
    index.write_text("second")
    assert (await get("/")).text == "second"
    assert (await get("/assets/new.js")).text == "2"


def test_the_policy_lets_pictures_and_sockets_through_and_no_foreign_script() -> None:
    rules = dict(rule.split(" ", 1) for rule in PAGE_POLICY.split("; "))
    assert rules["default-src"] == "'self'"
    assert "script-src" not in rules
    assert "unsafe" not in PAGE_POLICY
    assert {"blob:", "data:"} <= set(rules["img-src"].split())
    assert {"'self'", "ws:", "wss:"} <= set(rules["connect-src"].split())
    assert rules["frame-ancestors"] == "'none'"
