"""The page: the files that Vite built into `server/static`, held in memory, with the right headers.

Role: `index.html` is asked for anew each time, what lies under `assets/` has its hash in its name
and is kept for ever. Where nothing was built, a plain page says how to.

Invariants: answers never wait for a thread or a disk; while the engine's thread imports torch, each
change of threads can take a tenth of a second, and the page must be there within the first second.
Only files that were found in the folder are served, whatever a path says.

It does not know: what the page does.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.security import PAGE_POLICY

FOLDER = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
INDEX = "index.html"

HINT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Riverrun</title>
<h1>Riverrun is running; its page isn't built yet</h1>
<p>In the checkout, <code>make page</code> builds it (<code>make serve</code> does so by itself).
Then load this page again.</p>
<p>The server itself works: <a href="/v1/models">models</a>, <a href="/readyz">readiness</a>,
<a href="/metrics">metrics</a>, <a href="/openapi.json">the HTTP interface</a>.</p>
"""


@dataclass(frozen=True, slots=True)
class File:
    """One file of the page, ready to be sent."""

    data: bytes
    media_type: str
    etag: str
    cache: str


class Page:
    """The page's files by their path. Reads them again when `index.html` was built anew."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._built = 0
        self._files: dict[str, File] = {}

    def find(self, path: str) -> File | None:
        """The file at `path` (without the leading slash; "" is the index), or None."""
        built = self._build_time()
        if built != self._built:
            self._built, self._files = built, self._read()
        return self._files.get(path or INDEX)

    async def answer(self, request: Request) -> Response:
        """The file that is asked for, 304 where the browser has it, or 404."""
        path = request.path_params.get("path", "")
        file = self.find(path)
        if file is None and path in ("", INDEX):
            file = _file(INDEX, HINT)
        if file is None:
            raise HTTPException(404)
        headers = {"Cache-Control": file.cache, "ETag": file.etag}
        if file.media_type.startswith("text/html"):
            headers["Content-Security-Policy"] = PAGE_POLICY
        if request.headers.get("if-none-match") == file.etag:
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers=headers, media_type=file.media_type)

    def _build_time(self) -> int:
        try:
            return (self._folder / INDEX).stat().st_mtime_ns
        except OSError:
            return 0

    def _read(self) -> dict[str, File]:
        """Every file of the folder; none where nothing was built."""
        paths = [path for path in self._folder.rglob("*") if path.is_file()]
        names = [path.relative_to(self._folder).as_posix() for path in paths]
        return {n: _file(n, p.read_bytes()) for n, p in zip(names, paths, strict=True)}


def _file(name: str, data: bytes) -> File:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    etag = '"' + hashlib.sha256(data).hexdigest()[:20] + '"'
    return File(data, media_type, etag, FOR_EVER if name.startswith("assets/") else ASK_AGAIN)


def page_routes(page: Page) -> list[BaseRoute]:
    """`/` and every file of the page; must come after all other routes."""
    return [Route("/", page.answer), Route("/{path:path}", page.answer)]
