"""The gateway's centre: sessions by their id, the engine's messages in and out, readiness, drain.

Role: opens, resumes, expires and ends sessions, hands each engine message to the session that it is
for, and knows every connection, so that it can tell them how the server is.

Invariants: lives on one event loop's thread; posting to the engine never blocks; a session that is
over is forgotten here and by the engine; whoever left never keeps a newcomer out; secrets are
compared in constant time.

It does not know: sockets, HTTP, how messages reach the engine.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager, suppress

from models.base import ModelSpec, Value
from streaming.clock import Clock, monotonic
from streaming.codecs import Encoder
from streaming.errors import (
    Busy,
    Draining,
    ModelFailed,
    NotReady,
    UnknownModel,
    UnknownSession,
    WrongSecret,
)
from streaming.hosting import Hosted, Post, Viewer
from streaming.limits import Limits
from streaming.memory import give_back
from streaming.messages import Failed, FromEngine, Loaded, Lost, Outputs, Ready, Ticked, Warming
from streaming.observe import Observer
from streaming.oneshot import generate
from streaming.protocol import Format, PictureFrame
from streaming.readiness import Readiness
from streaming.session import Session

log = logging.getLogger("riverrun.hub")

TIDY_SESSIONS, TIDY_SECONDS = 100, 10.0
"""After so many sessions were compressed, or so long after some were, freed memory is given back:
150 MB in 80 ms, in which nobody else gets memory, so neither for each session nor all at once."""


class Hub:
    """`post` takes a message to the engine, from this thread, without blocking."""

    def __init__(
        self,
        post: Post,
        *,
        limits: Limits | None = None,
        clock: Clock = monotonic,
        observer: Observer | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.clock = clock
        self.observer = observer or Observer()
        self.encoder = encoder or Encoder()
        self._post = post
        self._readiness = Readiness()
        self._specs: tuple[ModelSpec, ...] = ()
        self._loaded = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._sessions: dict[str, Hosted] = {}
        self._connections: set[Viewer] = set()
        self._told = self._tidied = -1e9
        self._untidy = 0

    # --- what the server is ---------------------------------------------------------------------

    @property
    def readiness(self) -> Readiness:
        """How the server is now."""
        return self._readiness

    @property
    def known_specs(self) -> tuple[ModelSpec, ...]:
        """The models, the default first; empty until the engine has said what it serves."""
        return self._specs

    async def specs(self) -> tuple[ModelSpec, ...]:
        """The models, as soon as they are known; raises `NotReady` where they never will be."""
        await self._loaded.wait()
        if not self._specs:
            raise ModelFailed(f"no model could be loaded: {self._readiness.message}")
        return self._specs

    def served(self) -> tuple[ModelSpec, ...]:
        """The models, as `known_specs`; raises `NotReady` where they aren't known."""
        if not self._specs:
            self._admit()
            raise NotReady("the models aren't loaded yet")
        return self._specs

    @property
    def session_count(self) -> int:
        """Sessions that are kept, watched or not."""
        return len(self._sessions)

    @property
    def connection_count(self) -> int:
        """Connections that said hello and haven't left."""
        return len(self._connections)

    # --- the engine's messages ------------------------------------------------------------------

    def receive(self, message: FromEngine) -> None:
        """One message from the engine, on the loop's thread, in order."""
        if isinstance(message, Outputs):
            self._deliver(message)
        elif isinstance(message, Ticked):
            self.observer.tick(message)
        elif isinstance(message, Failed):
            self.observer.failed(message.code)
            if message.session in self._sessions:
                self._sessions[message.session].fail(message)
        else:
            self._become(message)

    def _deliver(self, outputs: Outputs) -> None:
        for output in outputs.outputs:
            hosted = self._sessions.get(output.session)
            if hosted is None:
                self.observer.dropped("ended")
            else:
                hosted.deliver(output)

    def _become(self, message: FromEngine) -> None:
        if isinstance(message, Loaded):
            self._specs = message.specs
            self._loaded.set()
        if isinstance(message, Lost):
            for hosted in self._sessions.values():
                hosted.lost()
        former, self._readiness = self._readiness, self._readiness.after(message)
        if self._readiness.state == "failed":
            self._loaded.set()
        self._untidy += isinstance(message, Ready)  # loading leaves much to give back
        if self._readiness is not former:
            self._announce(soon=isinstance(message, Warming) and former.state == "warming")

    def _announce(self, soon: bool) -> None:
        """Tell every connection; progress (`soon`) not more often than the limit says."""
        now = self.clock()
        if soon and now - self._told < self.limits.status_seconds:
            return
        self._told = now
        status = self._readiness.status()
        for viewer in self._connections:
            viewer.status(status)

    # --- connections ----------------------------------------------------------------------------

    def join(self, viewer: Viewer) -> None:
        """A connection said hello; it is told how the server is, where that isn't "ready"."""
        self._connections.add(viewer)
        self._empty.clear()
        if self._readiness.state != "ready":
            viewer.status(self._readiness.status())

    def leave(self, viewer: Viewer) -> None:
        """A connection is gone."""
        self._connections.discard(viewer)
        if not self._connections:
            self._empty.set()

    def attach(self, session: Session, viewer: Viewer) -> Hosted:
        """`viewer` watches `session`; raises `Busy` for one too many, `UnknownSession` too late."""
        hosted = self.hosted(session.id)
        if len(hosted.viewers) >= self.limits.max_viewers:
            raise Busy(f"the session is watched by {len(hosted.viewers)} already")
        hosted.attach(viewer)
        return hosted

    # --- sessions -------------------------------------------------------------------------------

    def open(self, model: str | None = None) -> Session:
        """A new session; raises `UnknownModel`, `Busy`, `Draining` or `NotReady`. Where the house
        is full, the one that was left longest ago makes room."""
        self._admit()
        spec = self._spec(model)
        if len(self._sessions) >= self.limits.max_sessions:
            self._make_room()
        session = Session(secrets.token_urlsafe(12), secrets.token_urlsafe(24), spec, self.limits)
        self._sessions[session.id] = Hosted(
            session, self._post, self.clock, self.observer, self.encoder
        )
        self.observer.session_opened(session.id)
        return session

    def hosted(self, id: str) -> Hosted:
        """The session `id` with its viewers; raises `UnknownSession`."""
        hosted = self._sessions.get(id)
        if hosted is None:
            raise UnknownSession("no such session: it ended, expired, or never was")
        return hosted

    def resume(self, session: str, secret: str) -> Session:
        """The session that somebody comes back to; raises `UnknownSession`, `WrongSecret` or
        `Draining`. Takes as long for a wrong secret as for a right one."""
        if self._readiness.state == "draining":
            raise Draining("the server is going away")
        hosted = self.hosted(session)
        if not hmac.compare_digest(hosted.session.secret.encode(), secret.encode()):
            raise WrongSecret("this isn't the session's secret")
        return hosted.session

    def end(self, session: Session, reason: str) -> None:
        """The session is over: its viewers leave, nothing is kept. Harmless when it was already.

        Reasons: "ended" (its client said so), "deleted" (over HTTP), "generated" (its one picture
        was made), "expired", "displaced" (by a newcomer), "drained" (the server went away).
        """
        hosted = self._sessions.pop(session.id, None)
        if hosted is not None:
            hosted.end()
            seconds = self.clock() - hosted.opened
            self.observer.session_ended(session.id, reason, seconds, hosted.pictures)

    def generate(
        self,
        *,
        model: str | None = None,
        params: Mapping[str, Value] | None = None,
        canvas: bytes | None = None,
        format: Format = "png",
        quality: int = 90,
        previews: bool = False,
    ) -> AsyncGenerator[PictureFrame, None]:
        """One job without a socket: previews (if asked for) and then the final picture.

        Raises the typed error of whatever is wrong, at the first `anext`. Close the generator
        (`contextlib.aclosing`) to give up early: the job is then forgotten.
        """
        return generate(self, model, params or {}, canvas, format, quality, previews)

    async def drain(self, seconds: float) -> None:
        """Refuse what is new, send every connection away, wait until they left or `seconds`."""
        self._readiness = self._readiness.draining()
        for viewer in list(self._connections):
            viewer.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    def close(self) -> None:
        """The gateway ends: so does every session, and no more is encoded."""
        for hosted in list(self._sessions.values()):
            self.end(hosted.session, "drained")
        self.encoder.close()

    def expire(self) -> None:
        """End the sessions that nobody came back to."""
        now = self.clock()
        for hosted in self._unwatched():
            if now - hosted.touched > self._kept_seconds(hosted):
                self.end(hosted.session, "expired")

    def _kept_seconds(self, hosted: Hosted) -> float:
        limits = self.limits
        if not hosted.claimed:  # who opened it is on his way, however short what's left is kept
            return limits.unclaimed_seconds
        if not hosted.session.revision:
            return min(limits.keep_seconds, limits.unclaimed_seconds)
        return limits.keep_seconds

    def _unwatched(self) -> list[Hosted]:
        return [hosted for hosted in self._sessions.values() if not hosted.viewers]

    def _make_room(self) -> None:
        """End what is over by now, else what was left longest ago; raises `Busy` if nothing was."""
        self.expire()
        if len(self._sessions) < self.limits.max_sessions:
            return
        left = self._unwatched()
        if not left:
            raise Busy(f"{len(self._sessions)} sessions are open and watched, no more fit")
        self.end(min(left, key=lambda hosted: hosted.touched).session, "displaced")

    async def rest(self) -> None:
        """Compress the sessions that nobody works on, one after another; one that fails is logged
        and left as it is until somebody works on it again."""
        for hosted in list(self._sessions.values()):
            idle = self.clock() - hosted.touched
            if not hosted.resting and (not hosted.viewers or idle > self.limits.rest_seconds):
                with _logged(f"session {hosted.session.id} couldn't be compressed"):
                    await hosted.rest()
                self._untidy += 1
        waited = self.clock() - self._tidied > TIDY_SECONDS
        if self._untidy >= TIDY_SESSIONS or (self._untidy and waited):
            self._untidy, self._tidied = 0, self.clock()
            await self.encoder.run(give_back)

    def trim(self) -> None:
        """Cut the histories of those idle longest, where all together hold too much."""
        surplus = sum(h.session.history_bytes for h in self._sessions.values())
        surplus -= self.limits.all_history_bytes
        if surplus <= 0:
            return
        for hosted in sorted(self._sessions.values(), key=lambda h: h.touched):
            held = hosted.session.history_bytes
            hosted.session.trim_history(max(0, held - max(0, surplus)))
            surplus -= held - hosted.session.history_bytes

    async def run(self) -> None:
        """Expire, compress and trim for as long as the gateway lives: what fails is logged, and
        neither keeps the rest from its turn nor the next round from coming."""
        while True:
            await asyncio.sleep(min(1.0, self.limits.rest_seconds))
            with _logged("sessions couldn't be expired"):
                self.expire()
            with _logged("sessions couldn't be compressed"):
                await self.rest()
            with _logged("histories couldn't be trimmed"):  # after what became small
                self.trim()

    def _admit(self) -> None:
        state = self._readiness.state
        if state == "draining":
            raise Draining("the server is going away")
        if state == "failed":
            raise ModelFailed(f"the model failed: {self._readiness.message}")

    def _spec(self, model: str | None) -> ModelSpec:
        specs = self.served()
        for spec in specs:
            if model in (None, spec.name):
                return spec
        names = ", ".join(spec.name for spec in specs)
        raise UnknownModel(f"this server serves {names}, not {model!r}")


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log an error instead of raising it: nobody waits for the hub's own rounds."""
    try:
        yield
    except Exception as error:  # the top of the rounds: what it is can't be known
        log.error(what, exc_info=error)
