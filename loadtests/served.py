"""The server under test: a real process on loopback, started and ended here.

Role: starts `python -m server serve` (or, for a planted fault, `loadtests.faults` around it),
waits until it is ready, asks its HTTP routes, reads its memory, and ends it.

Invariants: whatever happens, the process is gone afterwards; its output lies in a log file that an
error names.

It does not know: the protocol, figures.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from streaming.protocol import PATH

ROOT = Path(__file__).parent.parent
LOG = ROOT / "loadtests" / "results" / "server.log"
READY_SECONDS = 180.0


class NotServing(RuntimeError):
    """The server ended, or didn't become ready in time."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is served: a model with its options, and the fault planted into it, if any."""

    model: str
    options: tuple[str, ...] = ()
    fault: str = ""

    def command(self, port: int) -> list[str]:
        """The command line that serves it at `port`."""
        launcher = ["loadtests.faults", self.fault] if self.fault else ["server"]
        options = [part for option in self.options for part in ("--model-option", option)]
        return [
            sys.executable, "-m", *launcher, "serve", "--port", str(port),
            "--model", self.model, *options, "--log-level", "warning",
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: asyncio.subprocess.Process
    port: int
    started: float

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"ws://{self.address}{PATH}"

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET; status 0 where nobody listens."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return 0, ""
        request = f"GET {path} HTTP/1.1\r\nHost: {self.address}\r\nConnection: close\r\n\r\n"
        try:
            writer.write(request.encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        except ConnectionError:
            return 0, ""
        finally:
            writer.close()
        return int(head.split(b" ", 2)[1]) if head else 0, body.decode(errors="replace")

    async def until(self, path: str) -> None:
        """Wait until `path` answers 200; raises `NotServing`."""
        end = time.perf_counter() + READY_SECONDS
        while (await self.get(path))[0] != 200:
            if time.perf_counter() > end:
                raise NotServing(f"no {path} after {READY_SECONDS:g} s; see {LOG}")
            await self.pause(0.02)

    async def listening(self) -> None:
        """Wait until somebody listens, whatever is spoken there; raises `NotServing`."""
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            except OSError:
                await self.pause(0.02)

    async def pause(self, seconds: float) -> None:
        """Wait a little before trying again; raises `NotServing` if there is nobody to wait for."""
        if self.process.returncode is not None:
            raise NotServing(f"it ended with {self.process.returncode}; see {LOG}")
        await asyncio.sleep(seconds)

    async def counted(self, name: str) -> float:
        """The sum of a Prometheus counter's (or `_count`'s) samples in `/metrics`."""
        _, text = await self.get("/metrics")
        lines = [line for line in text.splitlines() if line.startswith((name + " ", name + "{"))]
        assert lines, f"/metrics has no {name}"
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def memory_kb(self) -> float:
        """Private memory of the server and its worker in kB of 1,024 bytes; the server's resident
        set where the system tells no more."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}")
        if (task / "children").exists():
            children = (task / "children").read_text().split()
            return sum(_private_kb(pid) for pid in (str(self.process.pid), *children))
        command = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return float(subprocess.run(command, capture_output=True, check=True).stdout)


def _private_kb(pid: str) -> float:
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return float(sum(int(line[1]) for line in lines if line[0].startswith("Private_")))


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def raise_file_limit() -> None:
    """Allow as many sockets as the system lets us: a thousand users need a thousand."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65536 if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def started(command: Sequence[str], port: int) -> AsyncIterator[Server]:
    """Run a command that serves at `port`; it is ended on leaving."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with LOG.open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield Server(process, port, began)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, ten seconds for the drain, SIGKILL."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(10.0):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@asynccontextmanager
async def serving(subject: Subject, *, ready: bool = True) -> AsyncIterator[Server]:
    """The server with this subject, ready for users unless told otherwise."""
    port = free_port()
    async with started(subject.command(port), port) as server:
        if ready:
            await server.until("/readyz")
        yield server
