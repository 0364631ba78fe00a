"""What CONTRIBUTING.md tells those who work on the page does what it says."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.browser.conftest import Open
from tests.conftest import Serve
from tests.serving import ROOT

PORT = "5173"


def free_port() -> str:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def documented(pattern: str) -> str:
    """What CONTRIBUTING.md says in the place of the pattern's group."""
    found = re.search(pattern, (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    assert found, f"CONTRIBUTING.md has no {pattern}"
    return found[1]


@contextmanager
def running(command: str, server: str) -> Iterator[None]:
    """Run `command` in the repository's root until Vite says where it serves; end it afterwards."""
    process = subprocess.Popen(
        command, shell=True, cwd=ROOT, env={**os.environ, "RIVERRUN_URL": server, "NO_COLOR": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Local:" in line:
                break
        else:
            raise AssertionError("it didn't start:\n" + "".join(said))
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()


def test_the_page_that_vite_serves_reaches_the_server(open_page: Open, serve: Serve) -> None:
    port = free_port()
    options = documented(r'^make serve ARGS="(.*)"$').replace(PORT, port)
    command = documented(r"^(cd web && .*npm\.sh run dev)$")
    served = serve(*shlex.split(options))
    with running(f"{command} -- --port {port}", served.address):
        draw = open_page(f"http://localhost:{port}")
        draw.begin()
        draw.quiet()


def test_vite_serves_on_the_port_that_the_server_is_told_of() -> None:
    config = (ROOT / "web" / "vite.config.ts").read_text()
    assert f"port: {PORT}," in config
    assert "strictPort: true" in config
    assert documented(r"--allow-origin (\S+)\"") == f"http://localhost:{PORT}"
