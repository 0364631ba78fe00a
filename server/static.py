"""The page: files that Vite built into `server/static`, with the right headers.

Role: `index.html` is asked for anew each time, what lies under `assets/` has its hash in its name
and is kept for ever. Where nothing was built, a plain page says how to.

It does not know: what the page does.
"""

from __future__ import annotations

import os
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from server.security import PAGE_POLICY

FOLDER = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"

HINT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Riverrun</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto">
<h1>Riverrun is running; its page isn't built yet</h1>
<p>In the checkout, <code>make page</code> builds it (<code>make serve</code> does so by itself).
Then load this page again.</p>
<p>The server itself works: <a href="/v1/models">models</a>, <a href="/readyz">readiness</a>,
<a href="/metrics">metrics</a>, <a href="/openapi.json">the HTTP interface</a>.</p>
"""


class _Files(StaticFiles):
    """Files with their cache headers; none where nothing was built."""

    async def check_config(self) -> None:
        try:
            await super().check_config()
        except RuntimeError:  # the folder isn't there
            raise HTTPException(404) from None

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        hashed = Path(full_path).parent.name == "assets"
        response.headers["Cache-Control"] = FOR_EVER if hashed else ASK_AGAIN
        return response


def page_routes(folder: Path = FOLDER) -> list[BaseRoute]:
    """`/` and every file of the page; must come after all other routes."""

    async def index(request: Request) -> Response:
        headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": ASK_AGAIN}
        file = folder / "index.html"
        if file.is_file():
            return FileResponse(file, headers=headers, media_type="text/html")
        return HTMLResponse(HINT, headers=headers)

    files = _Files(directory=folder, check_dir=False)
    return [Route("/", index), Route("/index.html", index), Mount("/", files)]
