"""Starts the real `riverrun serve` as a process of its own, for whoever tests against it.

Role: `Served` is a running server on a free port, with its log and its exit code. Nothing waits by
sleeping: the address comes from the line that the server prints, readiness from /readyz.

It does not know: pytest (fixtures are in conftest.py), what is being tested.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "server")
SECONDS = 180.0
"""How long anything may take on a busy machine before a test gives up."""


class Served:
    """A running server. `address` is http://host:port; `lines` is its log so far."""

    def __init__(self, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean_environ(), **(environ or {})},
        )
        self.lines: list[str] = []
        self._printed: queue.Queue[str | None] = queue.Queue()
        self._readers = [
            self._follow(self.process.stdout, self._printed.put),
            self._follow(self.process.stderr, self._log),
        ]
        self.address = self._wait_for_address()

    @property
    def socket_url(self) -> str:
        """The address of the session socket."""
        return "ws" + self.address.removeprefix("http") + "/v1/session"

    @property
    def port(self) -> int:
        """The port that was picked."""
        return int(self.address.rpartition(":")[2])

    def get(self, path: str, **options: object) -> httpx.Response:
        """GET `path`."""
        return httpx.get(self.address + path, timeout=SECONDS, **options)  # type: ignore[arg-type]

    def post(self, path: str, **options: object) -> httpx.Response:
        """POST to `path`."""
        return httpx.post(self.address + path, timeout=SECONDS, **options)  # type: ignore[arg-type]

    def delete(self, path: str, **options: object) -> httpx.Response:
        """DELETE `path`."""
        return httpx.delete(self.address + path, timeout=SECONDS, **options)  # type: ignore[arg-type]

    def wait_ready(self, seconds: float = SECONDS) -> None:
        """Wait until /readyz says 200; raises `TimeoutError` with its last answer."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.get("/readyz")
            if answer.status_code == 200:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"not ready: {answer.text}")
            time.sleep(0.02)

    def wait_log(self, text: str, seconds: float = SECONDS, times: int = 1) -> str:
        """Wait until `times` log lines contain `text`; the newest of them."""
        deadline = time.monotonic() + seconds
        while True:
            found = [line for line in list(self.lines) if text in line]
            if len(found) >= times:
                return found[-1]
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {text!r} in the log:\n" + "\n".join(self.lines))
            time.sleep(0.01)

    def figure(self, name: str) -> float:
        """A figure of /metrics, by its name and labels."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.M)
        assert found, f"no figure {name}"
        return float(found[1])

    def wait_figure(self, name: str, at_most: float, seconds: float = SECONDS) -> None:
        """Wait until a figure has come down to `at_most`."""
        deadline = time.monotonic() + seconds
        while (value := self.figure(name)) > at_most:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is still {value}")
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        """Send a signal to the server."""
        self.process.send_signal(number)

    def wait(self, seconds: float = SECONDS) -> int:
        """Wait for the server's end; its exit code."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        return code

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _log(self, line: str | None) -> None:
        if line is not None:
            self.lines.append(line)

    def _follow(self, pipe: IO[str] | None, put: object) -> threading.Thread:
        assert pipe is not None
        assert callable(put)

        def read() -> None:
            for line in pipe:
                put(line.rstrip("\n"))
            put(None)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def _wait_for_address(self) -> str:
        try:
            line = self._printed.get(timeout=SECONDS)
        except queue.Empty:
            line = None
        if line is None or not line.startswith("Riverrun is at "):
            self.stop()
            raise RuntimeError(f"the server didn't start: {line}\n" + "\n".join(self.lines))
        return line.removeprefix("Riverrun is at ")


def clean_environ() -> dict[str, str]:
    """This environment without settings of a server, and with the checkout importable."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RIVERRUN_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def serving(
    *arguments: str, ready: bool = True, environ: Mapping[str, str] | None = None
) -> Iterator[Served]:
    """A server with these options on a free port; the fake model unless they name one."""
    given = list(arguments)
    if "--model" not in given:
        given += ["--model", "fake"]
    if "--port" not in given:
        given += ["--port", "0"]
    served = Served(*given, environ=environ)
    try:
        if ready:
            served.wait_ready()
        yield served
    finally:
        served.stop()
