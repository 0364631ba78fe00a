"""The one owner of the device: receive → schedule → begin → step → decode what is wanted → deliver.

Role: builds and loads the models, runs the loop on whatever thread calls `run`, and speaks with the
rest of the house in the messages of `streaming.messages` alone. `EngineThread` is a thread for it,
where it has no process of its own.

Invariants: an idle engine waits for its mailbox and uses no CPU. Messages are read between ticks
only, so what a tick decided holds until its end. A row that fails costs its session a `Failed` and
nobody else anything; a model or device that can't go on ends the loop with `Broken`. Every state is
closed exactly once, whatever happens.

It does not know: sockets, asyncio, torch, which models there are. `deliver` is called on the
engine's thread and must neither block nor raise.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

from models.base import CannotLoad, Model, ModelError, Payload, Request, State
from streaming.attempt import Attempts, Failure
from streaming.checking import Builder as CheckBuilder, Checks
from streaming.clock import Clock, monotonic
from streaming.loading import Builder, Halted, Loading
from streaming.mailbox import Mailbox
from streaming.messages import (
    Broken,
    Failed,
    Forget,
    FromEngine,
    Outputs,
    Ready,
    Stop,
    Stopped,
    Submit,
    Ticked,
    ToEngine,
    Want,
)
from streaming.pulse import Pulse
from streaming.rows import Job, Row, Shelf, checked
from streaming.scheduler import Scheduler, Tick

__all__ = ["Builder", "Engine", "EngineThread"]

log = logging.getLogger(__name__)

KEEP_BYTES = 512 * 2**20
"""How much the rows of finished jobs may hold, over all sessions."""


class _Lost(Exception):
    """A model said that it can't go on."""


class Engine:
    """See the module. `builders`: by name; the specs are told with `default` (the first) first.
    `check` builds what looks at every payload before it is delivered."""

    def __init__(
        self,
        builders: Mapping[str, Builder],
        deliver: Callable[[FromEngine], None],
        *,
        clock: Clock = monotonic,
        default: str | None = None,
        mailbox: Mailbox | None = None,
        keep_bytes: int = KEEP_BYTES,
        pulse: Pulse | None = None,
        check: CheckBuilder | None = None,
    ) -> None:
        first = default or next(iter(builders))
        self._builders = {first: builders[first], **builders}
        self._deliver = deliver
        self._clock = clock
        self._mailbox = mailbox or Mailbox()
        self._pulse = pulse or Pulse()
        self._attempts = Attempts()
        self._check = check
        self._checks = Checks(self._attempts)
        self._models: dict[str, Model] = {}
        self._scheduler = Scheduler({})
        self._rows: dict[str, Row] = {}
        self._shelf = Shelf(keep_bytes, self._attempts.close)
        self._begin_ms = 0.0

    def post(self, message: ToEngine) -> None:
        """Tell the engine something. Any thread; never blocks; newer replaces unread older."""
        self._mailbox.post(message)

    def run(self) -> None:
        """Load, serve, and return after `Stop` or when broken. Raises nothing."""
        ending: FromEngine = Stopped()
        try:
            self._load()
            self._serve()
        except Halted:
            pass
        except _Lost as error:
            ending = Broken(str(error))
        except CannotLoad as error:  # the operator's to change: a traceback says nothing more
            log.error("%s", error)
            ending = Broken(str(error))
        except Exception as error:
            log.exception("the engine broke")
            ending = Broken(f"{type(error).__name__}: {error}")
        finally:
            self._close_all()
        self._deliver(ending)

    def _load(self) -> None:
        if self._check is not None:
            self._checks = Checks(self._attempts, self._check())
        loading = Loading(self._deliver, self._clock, lambda: self._mailbox.stopping)
        self._models = loading.build(self._builders)
        self._scheduler = Scheduler({n: m.spec.max_batch for n, m in self._models.items()})
        loading.load(self._models)
        self._deliver(Ready())

    # --- receive ---

    def _serve(self) -> None:
        while True:
            for message in self._mailbox.receive(block=not self._scheduler.busy):
                if isinstance(message, Stop):
                    return
                self._take(message)
            self._tick()

    def _take(self, message: ToEngine) -> None:
        match message:
            case Submit():
                self._submit(message)
            case Want():
                row = self._row(message.session)
                row.granted, row.previews = message.pictures, message.previews
                self._scheduler.want(message.session, row.wanted)
            case Forget():
                self._forget(message.session)

    def _submit(self, submit: Submit) -> None:
        request = submit.request
        if request.model not in self._models:
            reason = f"this server has no model {request.model}"
            self._fail(request, Failure("unknown_model", reason, False))
            return
        self._row(request.session).submit(submit)
        self._scheduler.submit(request.session, request.model, submit.passing)

    def _row(self, session: str) -> Row:
        row = self._rows.get(session)
        if row is None:
            row = self._rows[session] = Row(session)
        return row

    def _forget(self, session: str) -> None:
        self._scheduler.forget(session)
        row = self._rows.pop(session, None)
        if row:
            self._release(row)

    # --- one tick ---

    def _tick(self) -> None:
        tick = self._scheduler.schedule()
        if tick and tick.begin:
            self._begin(tick)
            tick = self._scheduler.schedule()
        if tick and tick.step:
            self._step(tick)

    def _begin(self, tick: Tick) -> None:
        model = self._models[tick.model]
        rows = [self._rows[session] for session in tick.begin]

        def act(batch: Sequence[Row]) -> list[State]:
            previous = [self._previous(row, tick.model) for row in batch]
            with self._pulse.call((tick.model, "begin", len(batch))):
                return model.begin([row.submitted.request for row in batch], previous)

        started = self._clock()
        results = self._attempts.call(act, rows)
        took = 1000 * (self._clock() - started)
        self._begin_ms += took
        requests = [self._install(*pair, started, took) for pair in zip(rows, results, strict=True)]
        for row, request, result in zip(rows, requests, results, strict=True):
            if isinstance(result, Failure):
                self._scheduler.refused(row.session)
                self._fail(request, result)
            else:
                self._scheduler.begun(row.session, result.key)

    def _previous(self, row: Row, model: str) -> State | None:
        if row.job:
            return row.job.state if row.job.request.model == model else None
        return self._shelf.peek(row.session, model)

    def _install(self, row: Row, result: State | Failure, started: float, took: float) -> Request:
        """Put the new row in the place of the last, which was needed until here. Comes before any
        failure is told: a fatal one ends the loop, and every row must have its holder by then."""
        submit = row.submitted
        row.pending = None
        self._release(row)
        if not isinstance(result, Failure):
            queue_ms = max(0.0, 1000 * (started - submit.received))
            row.job = Job.of(submit.request, result, queue_ms, took)
        return submit.request

    def _step(self, tick: Tick) -> None:
        model = self._models[tick.model]
        waiting = self._scheduler.waiting - len(tick.step)
        self._scheduler.served(tick.step)
        started = self._clock()
        stepped = self._advance(model, [self._rows[session] for session in tick.step])
        step_ms = 1000 * (self._clock() - started)
        for row in stepped:
            row.running.step_ms += step_ms
        decode_ms = self._show(model, [r for r in stepped if r.previews or r.running.final])
        begin_ms, self._begin_ms = self._begin_ms, 0.0
        self._deliver(Ticked(tick.model, len(tick.step), begin_ms, step_ms, decode_ms, waiting))

    def _advance(self, model: Model, rows: Sequence[Row]) -> list[Row]:
        """One step of every row; the rows that made it."""

        def act(batch: Sequence[Row]) -> list[int]:
            states = [row.running.state for row in batch]
            with self._pulse.call((model.spec.name, "step", len(states), states[0].key)):
                model.step(states)
            return [state.step for state in states]

        due = [row.running.state.step + 1 for row in rows]
        stepped = []
        for row, step, result in zip(rows, due, self._attempts.call(act, rows), strict=True):
            if isinstance(result, Failure):
                self._fail_job(row, result)
            elif result != step:  # or it would be stepped for ever
                reason = f"the model is at step {result} instead of {step}"
                self._fail_job(row, Failure(ModelError.code, reason, False))
            else:
                stepped.append(row)
        return stepped

    def _show(self, model: Model, rows: Sequence[Row]) -> float:
        """Decode these rows and deliver what may be shown; milliseconds that this took."""
        if not rows:
            return 0.0

        def act(batch: Sequence[Row]) -> list[Payload]:
            states = [row.running.state for row in batch]
            with self._pulse.call((model.spec.name, "decode", len(states), states[0].key)):
                payloads = model.decode(states)
            return [checked(p) for p in payloads]

        started = self._clock()
        made = self._attempts.call(act, rows)
        with self._pulse.call((model.spec.name, "check", len(rows))):
            results = self._checks.passed([row.running.request for row in rows], made)
        now = self._clock()
        took = 1000 * (now - started)
        shown = list(zip(rows, results, strict=True))
        outputs = [
            row.running.output(payload, row.pts(now), took)
            for row, payload in shown
            if not isinstance(payload, Failure)
        ]
        if outputs:
            self._deliver(Outputs(tuple(outputs)))
        for row, result in shown:
            self._shown(row, result)
        return took

    def _shown(self, row: Row, result: Payload | Failure) -> None:
        if isinstance(result, Failure):
            self._fail_job(row, result)
            return
        row.made += 1
        if not row.wanted:
            self._scheduler.want(row.session, False)
        if row.running.final:
            job = row.running
            row.job = None
            self._shelf.put(row.session, job.request.model, job.state)
            self._scheduler.ended(row.session)
        else:
            self._scheduler.shown(row.session)

    # --- failing and closing ---

    def _fail_job(self, row: Row, failure: Failure) -> None:
        request = row.running.request
        self._release(row)
        self._scheduler.ended(row.session)
        self._fail(request, failure)

    def _fail(self, request: Request, failure: Failure) -> None:
        about = (request.session, request.job, request.revision)
        self._deliver(Failed(*about, failure.code, failure.message, failure.retryable))
        if failure.fatal:
            raise _Lost(failure.message)

    def _release(self, row: Row) -> None:
        """Close what the session holds: its running job's row, or its finished one's."""
        job, row.job = row.job, None
        if job:
            self._attempts.close(job.state.close)
        self._shelf.drop(row.session)

    def _close_all(self) -> None:
        for row in self._rows.values():
            self._release(row)
        self._rows.clear()


class EngineThread:
    """A thread that an engine runs on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = threading.Thread(target=engine.run, name="engine", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> bool:
        """Ask the loop to end and wait for it, in seconds; whether it did. A thread that hangs in a
        device call is a daemon: it doesn't keep the process."""
        self._engine.post(Stop())
        self._thread.join(timeout)
        return not self.alive
