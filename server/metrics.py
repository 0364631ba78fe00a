"""What the gateway does, as Prometheus figures under `/metrics`.

Role: an `Observer` that counts. Names follow Prometheus: base units (seconds, bytes), `_total` for
counters.

Invariants: labels come from small closed sets (stages, reasons, codes, models that are served),
never from a client's text; an own registry, so that two servers in one process don't mix.

It does not know: HTTP, sessions' contents.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.process_collector import ProcessCollector

from server.logs import event
from server.tally import Counts, Tallies, Tally
from streaming.messages import Ticked
from streaming.observe import Observer, PictureSent

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# fmt: off
BUCKETS = (
    .001, .0025, .005, .01, .02, .033, .05, .075, .1, .15, .2, .3, .5, .75, 1, 2, 5, 10,
)
# fmt: on
STAGES = ("total", "queue", "begin", "step", "decode", "wait", "encode")
ROWS = (1, 2, 4, 8, 16, 32, 64)

log = logging.getLogger("riverrun.session")


class Metrics(Observer):
    """All figures of one server."""

    def __init__(self) -> None:
        # They double the text and say what nobody asks.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._make_gateway_figures()
        self._make_engine_figures()

    def _make_gateway_figures(self) -> None:
        self.first_frame = self._times(
            "first_frame", "From a session's newest edit to its first picture."
        )
        self.edit_to_frame = self._times(
            "edit_to_frame", "From an edit to the socket: each stage, and the total.", "stage"
        )
        for stage in STAGES:
            self.edit_to_frame.labels(stage)
        self.interval = self._times("frame_interval", "Between pictures of one connection.")
        self.pictures = self._counts("pictures_sent", "Pictures sent.", "kind")
        self.bytes = self._counts("picture_bytes", "Bytes of pictures sent.")
        self.drops = self._counts("pictures_dropped", "Pictures made and not sent.", "reason")
        self.sessions = self._gauge("sessions", "Sessions that exist.")
        self.sessions_begun = self._count("sessions_opened", "Sessions begun.")
        self.sessions_over = self._count("sessions_ended", "Sessions over.", "reason")
        self.connections = self._gauge("connections", "Connections now.")
        self.left = self._count("connections_closed", "Connections over.", "reason")
        self.edits = self._counts("edits", "Edits accepted.", "kind")
        self.loop_delay = self._times("loop_delay", "How late the event loop comes to what is due.")
        self.refusals = self._count("refused", "Messages and requests refused.", "code")

    def _make_engine_figures(self) -> None:
        self.ready = self._gauge("ready", "1 while requests are served.")
        self.failures = self._count("jobs_failed", "Jobs that failed or were withheld.", "code")
        self.restarts = self._count("engine_restarts", "Times that the engine's process died.")
        self.queue = self._gauge("queue", "Sessions that wait for their turn.", "model")
        self.rows = Tallies(
            "riverrun_step_rows", "Rows of one model call.", "model", ROWS, self.registry
        )
        self.begin = self._times("begin", "One begin call of the model.", "model")
        self.step = self._times("step", "One step call of the model.", "model")
        self.decode = self._times("decode", "One decode call of the model.", "model")
        self._models: dict[str, tuple[Gauge, Tally, Tally, Tally, Tally]] = {}

    def _times(self, name: str, text: str, label: str = "") -> Tallies:
        return Tallies(f"riverrun_{name}_seconds", text, label, BUCKETS, self.registry)

    def _counts(self, name: str, text: str, label: str = "") -> Counts:
        return Counts(f"riverrun_{name}", text, label, self.registry)

    def _count(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"riverrun_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"riverrun_{name}", text, labels, registry=self.registry)

    def expect_models(self, names: Iterable[str]) -> None:
        """Show the figures of these models from the start, at zero."""
        for name in names:
            self._of(name)

    def engine_lost(self) -> None:
        """The engine died; another one is being started."""
        self.restarts.inc()
        self.ready.set(0)
        for queue, *_ in self._models.values():
            queue.set(0)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def loop_late(self, seconds: float) -> None:
        """The event loop came so much later than was due."""
        self.loop_delay.own.observe(seconds)

    # --- what the gateway tells -----------------------------------------------------------------

    def session_opened(self, session: str) -> None:
        self.sessions.inc()
        self.sessions_begun.inc()

    def session_ended(self, session: str, reason: str, seconds: float, pictures: int) -> None:
        self.sessions.dec()
        self.sessions_over.labels(reason).inc()

    def connected(self) -> None:
        self.connections.inc()

    def disconnected(self, reason: str) -> None:
        self.connections.dec()
        self.left.labels(reason).inc()

    def edit(self, kind: str) -> None:
        self.edits.add(kind)

    def refused(self, code: str) -> None:
        self.refusals.labels(code).inc()

    def failed(self, code: str) -> None:
        self.failures.labels(code).inc()

    def picture_sent(self, sent: PictureSent) -> None:
        self.pictures.add("final" if sent.final else "preview")
        self.bytes.add(count=sent.bytes)
        if sent.first:
            self.first_frame.own.observe(sent.edit_to_frame_ms / 1000)
        if sent.interval_ms is not None:
            self.interval.own.observe(sent.interval_ms / 1000)
        total, times = sent.edit_to_frame_ms, sent.times
        self.edit_to_frame.observe_each(
            (total, times.queue, times.begin, times.step, times.decode, times.wait, times.encode)
        )

    def dropped(self, reason: str, count: int = 1) -> None:
        self.drops.add(reason, count)

    def tick(self, ticked: Ticked) -> None:
        queue, rows, begin, step, decode = self._of(ticked.model)
        queue.set(ticked.waiting)
        if ticked.rows:
            rows.observe(ticked.rows)
            step.observe(ticked.step_ms / 1000)
        if ticked.begin_ms:
            begin.observe(ticked.begin_ms / 1000)
        if ticked.decode_ms:
            decode.observe(ticked.decode_ms / 1000)

    def _of(self, model: str) -> tuple[Gauge, Tally, Tally, Tally, Tally]:
        """A model's figures, looked up once."""
        found = self._models.get(model)
        if found is None:
            found = self._models[model] = (
                self.queue.labels(model), self.rows.labels(model), self.begin.labels(model),
                self.step.labels(model), self.decode.labels(model),
            )  # fmt: skip
        return found


class LoggedMetrics(Metrics):
    """The figures, and one line in the log at each session's start and end."""

    def session_opened(self, session: str) -> None:
        super().session_opened(session)
        event(log, "session start", session=session)

    def session_ended(self, session: str, reason: str, seconds: float, pictures: int) -> None:
        super().session_ended(session, reason, seconds, pictures)
        lived = round(seconds, 3)
        event(log, "session end", session=session, reason=reason, seconds=lived, pictures=pictures)
