"""Which rows share the next model call. Pure: plain facts in, a `Tick` out.

Role: knows of every session whether it is wanted, whether a request waits, whether a job runs and
under which key, whether that job has shown anything yet, and when it was served last. The three
calls of a tick are `schedule`, the model's, and the updates (`begun`, `served`, `shown`, …).

Invariants:
- A row without demand is in no tick.
- A newer request replaces one that hasn't begun at once, and a running one only after the running
  one's first output: pictures are shown under any flood of edits (always pre-empting showed none,
  running to the end made an edit wait for 62 ms instead of 34). A running job that nobody's hand
  asked for (`passing`) makes way at once for one that somebody's did, never for another of its
  kind: a stroke doesn't wait for a picture four times as large that it makes worthless.
- The least recently served row leads every tick, so among n rows none waits for more than n steps
  once it is ready. The rest of the batch are rows of the same model and key, least recent first.
- All transitions of a row are in `TRANSITIONS`; any other raises `IllegalTransition`.

It does not know: requests, states, models, threads, or the time. Least recent is a matter of order,
so services are counted and no clock is needed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto


class Phase(Enum):
    """Where a session's row stands. `…_NEXT`: a newer request waits behind the running job."""

    IDLE = auto()
    WAITING = auto()
    FRESH = auto()  # running, nothing shown yet: can't be replaced
    FRESH_NEXT = auto()
    SHOWN = auto()  # running, its first output was delivered (or it yielded): may be replaced
    SHOWN_NEXT = auto()

    __hash__ = object.__hash__  # an enum's own is Python code: a tenth of a tick of eight rows


class Event(Enum):
    """What happens to a row. `REFUSE`: the waiting request couldn't begin; `END`: the running job
    is over, whether finished or failed; `SHOW`: an output was delivered that doesn't end it;
    `YIELD`: the running job is passing, the waiting one isn't."""

    SUBMIT = auto()
    BEGIN = auto()
    REFUSE = auto()
    SHOW = auto()
    YIELD = auto()
    END = auto()

    __hash__ = object.__hash__


TRANSITIONS: Mapping[tuple[Phase, Event], Phase] = {
    (Phase.IDLE, Event.SUBMIT): Phase.WAITING,
    (Phase.WAITING, Event.SUBMIT): Phase.WAITING,
    (Phase.FRESH, Event.SUBMIT): Phase.FRESH_NEXT,
    (Phase.FRESH_NEXT, Event.SUBMIT): Phase.FRESH_NEXT,
    (Phase.SHOWN, Event.SUBMIT): Phase.SHOWN_NEXT,
    (Phase.SHOWN_NEXT, Event.SUBMIT): Phase.SHOWN_NEXT,
    (Phase.WAITING, Event.BEGIN): Phase.FRESH,
    (Phase.SHOWN_NEXT, Event.BEGIN): Phase.FRESH,
    # The older job goes too: the person has moved on, and what was short may have been memory.
    (Phase.WAITING, Event.REFUSE): Phase.IDLE,
    (Phase.SHOWN_NEXT, Event.REFUSE): Phase.IDLE,
    (Phase.FRESH, Event.SHOW): Phase.SHOWN,
    (Phase.FRESH_NEXT, Event.SHOW): Phase.SHOWN_NEXT,
    (Phase.SHOWN, Event.SHOW): Phase.SHOWN,
    (Phase.FRESH_NEXT, Event.YIELD): Phase.SHOWN_NEXT,
    (Phase.FRESH, Event.END): Phase.IDLE,
    (Phase.FRESH_NEXT, Event.END): Phase.WAITING,
    (Phase.SHOWN, Event.END): Phase.IDLE,
}

BEGINNABLE = frozenset({Phase.WAITING, Phase.SHOWN_NEXT})
STEPPABLE = frozenset({Phase.FRESH, Phase.FRESH_NEXT, Phase.SHOWN})


class IllegalTransition(RuntimeError):
    """An update that the row's phase doesn't allow: the engine's fault, never a client's."""

    def __init__(self, session: str, phase: Phase, event: Event) -> None:
        super().__init__(f"{event.name} in phase {phase.name} of session {session}")


@dataclass(frozen=True, slots=True)
class Tick:
    """The next model call: rows to begin, or else rows to step; all of one model, steps of one key.
    Exactly one of the two isn't empty."""

    model: str
    begin: tuple[str, ...] = ()
    step: tuple[str, ...] = ()


@dataclass(slots=True)
class _Row:
    """The facts of one session. `asked`, `asked_passing`: of the waiting request; `model`, `key`,
    `passing`: of the running job; `turn`: when it was served last (or made), as a place in the
    order of services."""

    session: str
    turn: int
    phase: Phase = Phase.IDLE
    wanted: bool = False
    asked: str = ""
    asked_passing: bool = False
    model: str = ""
    key: Hashable = None
    passing: bool = False

    @property
    def ready(self) -> bool:
        return self.wanted and self.phase is not Phase.IDLE

    @property
    def next_model(self) -> str:
        return self.asked if self.phase in BEGINNABLE else self.model


class Scheduler:
    """See the module. `max_batch`: rows that one call takes, by the model's name."""

    def __init__(self, max_batch: Mapping[str, int]) -> None:
        self._max_batch = dict(max_batch)
        self._rows: dict[str, _Row] = {}
        self._ready: dict[str, _Row] = {}  # what a tick looks at: idle sessions cost nothing
        self._turn = 0

    # --- facts from the clients ---

    def submit(self, session: str, model: str, passing: bool = False) -> None:
        """A newer request of a session, for a known model. `passing`: nobody's hand asked for it,
        and it makes way for what does."""
        assert model in self._max_batch, f"unknown model {model}"
        row = self._row(session)
        row.asked, row.asked_passing = model, passing
        self._move(session, Event.SUBMIT)
        if row.phase is Phase.FRESH_NEXT and row.passing and not passing:
            self._move(session, Event.YIELD)

    def want(self, session: str, wanted: bool) -> None:
        """Whether anybody would take a picture of the session now. Nobody does at first."""
        row = self._row(session)
        if row.wanted != wanted:
            row.wanted = wanted
            self._settle(row)

    def forget(self, session: str) -> None:
        """The session is over, whatever its phase. Unknown sessions are no error."""
        self._rows.pop(session, None)
        self._ready.pop(session, None)

    # --- schedule ---

    @property
    def busy(self) -> bool:
        """Whether there is a tick to run."""
        return bool(self._ready)

    @property
    def waiting(self) -> int:
        """Rows with demand and work, those of the tick that was just served included."""
        return len(self._ready)

    def phase(self, session: str) -> Phase:
        """Where a known session's row stands."""
        return self._rows[session].phase

    def schedule(self) -> Tick | None:
        """The next call, or None where nothing is to be done. Changes nothing.

        Rows to begin go first if they are among those that a full batch would take: they then
        join its steps. Each row steps after it began, so beginning can't go on for ever.
        """
        if not self._ready:
            return None
        queue = sorted(self._ready.values(), key=lambda row: row.turn)
        model = queue[0].next_model
        size = self._max_batch[model]
        same = [row for row in queue if row.next_model == model]
        begin = [row.session for row in same[:size] if row.phase in BEGINNABLE]
        if begin:
            return Tick(model, begin=tuple(begin))
        running = [row for row in same if row.phase in STEPPABLE and row.key == queue[0].key]
        return Tick(model, step=tuple(row.session for row in running[:size]))

    # --- update ---

    def begun(self, session: str, key: Hashable) -> None:
        """The waiting request runs now; rows of equal `key` may share its calls."""
        row = self._rows[session]
        row.model, row.key, row.passing = row.asked, key, row.asked_passing
        self._move(session, Event.BEGIN)

    def refused(self, session: str) -> None:
        """The waiting request couldn't begin. The row is idle until the next one. It had its turn:
        requests that always fail mustn't lead every tick."""
        self._rows[session].turn = self._next_turn()
        self._move(session, Event.REFUSE)

    def served(self, sessions: Iterable[str]) -> None:
        """These rows were in a step call, whatever came of it: they are the most recent now."""
        for session in sessions:
            row = self._rows[session]
            assert row.wanted, f"{session} was stepped without demand"
            assert row.phase in STEPPABLE, f"{session} was stepped in phase {row.phase.name}"
            row.turn = self._next_turn()

    def shown(self, session: str) -> None:
        """An output of the running job was delivered, more will follow."""
        self._move(session, Event.SHOW)

    def ended(self, session: str) -> None:
        """The running job is over: its final was delivered, or it failed."""
        self._move(session, Event.END)

    def _row(self, session: str) -> _Row:
        row = self._rows.get(session)
        if row is None:
            # A newcomer queues behind those who are here: arrivals without end starve nobody.
            row = self._rows[session] = _Row(session, self._next_turn())
        return row

    def _next_turn(self) -> int:
        self._turn += 1
        return self._turn

    def _move(self, session: str, event: Event) -> None:
        row = self._rows[session]
        phase = TRANSITIONS.get((row.phase, event))
        if phase is None:
            raise IllegalTransition(session, row.phase, event)
        if row.phase is not phase:
            row.phase = phase
            self._settle(row)

    def _settle(self, row: _Row) -> None:
        if row.ready:
            self._ready[row.session] = row
        else:
            self._ready.pop(row.session, None)
