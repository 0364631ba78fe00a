"""A session without a socket: what edits do, what they are answered, what goes to the model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from models.base import InputSpec, ModelSpec, Parameter
from streaming.errors import BadEdit, BadPicture, NothingToUndo, WrongSize
from streaming.history import Patch
from streaming.limits import Limits
from streaming.protocol import Accepted, Clear, Params, Redo, Undo
from streaming.session import REMEMBERED, Edit, Painted, Session
from tests.house import as_they_are

PAPER = (200, 210, 220)
SPEC = ModelSpec(
    "toy",
    "Toy",
    (),
    (
        Parameter("prompt", "string", "", max_length=20),
        Parameter("seed", "integer", 0, minimum=0, maximum=9),
    ),
    (InputSpec("canvas", 6, 4, PAPER),),
)


def a_session(limits: Limits | None = None, spec: ModelSpec = SPEC) -> Session:
    return Session("id", "secret", spec, limits or Limits())


def canvas(id: int, color: int = 1, group: int = 0) -> Painted:
    return Painted(id, group, 0, 0, False, np.full((4, 6, 3), color, np.uint8))


def tile(id: int, x: int, y: int, color: int = 9, size: int = 2, group: int = 0) -> Painted:
    return Painted(id, group, x, y, True, np.full((size, size, 3), color, np.uint8))


def test_an_edit_makes_the_next_revision() -> None:
    session = a_session()
    assert session.apply(Params(1, {"seed": 3})) == Accepted(1, 1, 1, 0)
    assert session.apply(Params(2, {"prompt": "a hill"})) == Accepted(2, 2, 2, 0)
    assert session.params == {"prompt": "a hill", "seed": 3}


def test_what_changes_nothing_makes_no_revision() -> None:
    session = a_session()
    session.apply(canvas(1))
    for edit in (Params(2, {"seed": 0}), canvas(3), tile(4, 0, 0, color=1), Params(5, {})):
        assert session.apply(edit).revision == 1
    assert session.history.undo == 1
    assert a_session().apply(Clear(1)).revision == 0


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (Params(1, {"seed": 99}), BadEdit),
        (Params(1, {"seed": float("nan")}), BadEdit),
        (Params(1, {"seed": True}), BadEdit),
        (Params(1, {"hue": 1}), BadEdit),
        (Params(1, {"prompt": "x" * 21}), BadEdit),
        (Undo(1), NothingToUndo),
        (Redo(1), NothingToUndo),
        (Painted(1, 0, 0, 0, False, np.zeros((4, 4, 3), np.uint8)), WrongSize),
        (tile(1, 5, 0), WrongSize),
        (tile(1, 0, 3), WrongSize),
    ],
)
def test_a_refused_edit_changes_nothing_but_uses_up_its_id(
    edit: Edit, error: type[BadEdit]
) -> None:
    session = a_session()
    with pytest.raises(error) as first:
        session.apply(edit)
    assert (session.revision, session.params) == (0, SPEC.defaults())
    assert (session.canvas, session.history.undo) == (None, 0)
    with pytest.raises(error) as again:
        session.apply(Params(1, {"seed": 1}))
    assert again.value.message == first.value.message
    assert session.apply(Params(2, {"seed": 1})).revision == 1


def test_a_bad_value_beside_a_good_one_refuses_both() -> None:
    session = a_session()
    with pytest.raises(BadEdit):
        session.apply(Params(1, {"prompt": "a hill", "seed": 99}))
    assert session.params == SPEC.defaults()


def test_an_edit_that_is_sent_again_is_accepted_again_and_not_applied() -> None:
    session = a_session()
    session.apply(Params(1, {"seed": 1}))
    session.apply(Params(2, {"seed": 2}))
    assert session.apply(Params(1, {"seed": 1})) == Accepted(1, 1, 2, 0)
    assert session.params["seed"] == 2
    assert session.revision == 2
    assert session.last_edit("") == 2


def test_an_answer_that_was_forgotten_is_the_present_revision() -> None:
    session = a_session()
    for id in range(1, REMEMBERED + 10):
        session.apply(Params(id, {"seed": id % 10}))
    assert session.apply(Params(1, {"seed": 7})).revision == session.revision


def test_clients_count_their_edits_on_their_own() -> None:
    session = a_session(Limits(max_clients=2))
    session.apply(Params(5, {"seed": 1}), "one")
    assert session.apply(Params(1, {"seed": 2}), "two").revision == 2
    session.apply(Params(6, {"seed": 3}), "one")
    session.apply(Params(1, {"seed": 4}), "three")
    assert session.last_edit("two") == 0  # the one that was silent longest is forgotten
    assert session.last_edit("one") == 6


def test_answers_to_pictures_that_were_never_decoded_are_kept_as_well() -> None:
    session = a_session()
    assert session.answered(1, "") is None
    session.refuse(1, BadPicture("it is damaged"))
    with pytest.raises(BadPicture, match="damaged"):
        session.answered(1, "")


def test_a_tile_without_a_canvas_lies_on_the_background() -> None:
    session = a_session()
    session.apply(tile(1, 4, 2))
    pixels = session.snapshot().inputs["canvas"]
    assert pixels[3, 5].tolist() == [9, 9, 9]
    assert pixels[0, 0].tolist() == list(PAPER)
    session.apply(Undo(2))
    assert session.canvas is None


def test_clear_takes_the_canvas_away() -> None:
    session = a_session()
    session.apply(canvas(1))
    session.apply(Clear(2))
    assert session.snapshot().inputs == {}
    session.apply(Undo(3))
    assert session.snapshot().inputs["canvas"][0, 0].tolist() == [1, 1, 1]


def test_a_gesture_is_undone_as_one() -> None:
    session = a_session()
    session.apply(canvas(1, 1))
    session.apply(tile(2, 0, 0, group=7))
    session.apply(tile(3, 2, 0, group=7))
    session.apply(Params(4, {"seed": 1}, group=7))
    assert session.history.undo == 2
    assert session.apply(Undo(5)) == Accepted(5, 5, 1, 1)
    assert session.params["seed"] == 0
    assert (session.snapshot().inputs["canvas"] == 1).all()
    assert session.apply(Redo(6)).revision == 6
    assert session.snapshot().inputs["canvas"][0, 0].tolist() == [9, 9, 9]


def test_gestures_of_two_clients_with_one_number_are_two() -> None:
    session = a_session()
    session.apply(Params(1, {"seed": 1}, group=3), "one")
    session.apply(Params(1, {"seed": 2}, group=3), "two")
    assert session.history.undo == 2


def test_a_snapshot_shares_and_is_never_written_to() -> None:
    session = a_session()
    session.apply(canvas(1, 1))
    first = session.snapshot()
    assert session.snapshot().inputs["canvas"] is first.inputs["canvas"]
    with pytest.raises(ValueError, match="read-only"):
        first.inputs["canvas"][0, 0] = 5
    session.apply(tile(2, 0, 0))
    session.apply(Params(3, {"seed": 4}))
    assert (first.inputs["canvas"] == 1).all()
    assert first.params["seed"] == 0
    second = session.snapshot()
    assert (second.revision, second.job) == (3, first.job + 2)


def test_a_model_without_a_canvas_refuses_one() -> None:
    session = a_session(spec=ModelSpec("mute", "Mute", (), SPEC.parameters))
    with pytest.raises(BadEdit, match="no such input"):
        session.apply(canvas(1))


def rested(session: Session) -> list[tuple[Patch, Patch]]:
    """All that another thread does for a session that rests; the results are for `hold`."""
    packed = [(patch, patch.packed()) for patch in session.settle()]
    session.rest()
    return packed


def test_a_resting_session_is_the_same() -> None:
    session = a_session()
    session.apply(canvas(1, 5))
    rested(session)
    assert session.canvas is not None
    assert session.canvas.resting
    session.apply(tile(2, 0, 0))
    rested(session)
    session.apply(Undo(3))
    assert (session.snapshot().inputs["canvas"] == 5).all()


# --- against a model of a session ---------------------------------------------------------------


Whole = tuple[dict[str, object], bytes | None]


def start() -> Whole:
    return {**SPEC.defaults()}, None


@dataclass
class Plain:
    """What a session should be: whole contents on two stacks."""

    now: Whole = field(default_factory=start)
    undo: list[tuple[int, Whole]] = field(default_factory=list)
    redo: list[Whole] = field(default_factory=list)
    revision: int = 0

    def set(self, now: Whole, group: int) -> None:
        if now == self.now:
            return
        if not (group and self.undo and self.undo[-1][0] == group):
            self.undo.append((group, self.now))
        self.redo.clear()
        self.now = now
        self.revision += 1

    def travel(self, undo: bool) -> bool:
        if not (self.undo if undo else self.redo):
            return False
        before = self.now
        if undo:
            self.now = self.undo.pop()[1]
            self.redo.append(before)
        else:
            self.now = self.redo.pop()
            self.undo.append((0, before))
        # what an undo uncovers may still be joined; what a redo put back may not
        self.revision += 1
        return True


groups = st.integers(0, 2)
deeds = st.one_of(
    st.tuples(st.just("seed"), groups, st.integers(-1, 10)),
    st.tuples(st.just("canvas"), groups, st.integers(0, 3)),
    st.tuples(st.just("tile"), groups, st.tuples(*[st.integers(0, 5)] * 2, st.integers(0, 3))),
    st.tuples(st.sampled_from(["clear", "undo", "redo", "again"]), groups, st.none()),
)


def perform(session: Session, plain: Plain, id: int, deed: tuple[str, int, object]) -> None:
    name, group, value = deed
    params, pixels = plain.now
    edit: Edit
    match name, value:
        case "seed", int(seed):
            edit = Params(id, {"seed": seed}, group)
            if 0 <= seed <= 9:
                plain.set(({**params, "seed": seed}, pixels), group)
        case "canvas", int(color):
            edit = canvas(id, color, group)
            plain.set((params, edit.pixels.tobytes()), group)
        case "tile", (int(x), int(y), int(color)):
            edit = tile(id, x, y, color, group=group)
            if x <= 4 and y <= 2:
                before = pixels or np.full((4, 6, 3), PAPER, np.uint8).tobytes()
                array = np.frombuffer(before, np.uint8).reshape(4, 6, 3).copy()
                array[y : y + 2, x : x + 2] = color
                plain.set((params, array.tobytes()), group)
        case "clear", _:
            edit = Clear(id, group)
            plain.set((params, None), group)
        case "again", _:
            if not session.last_edit(""):
                return
            edit = Clear(session.last_edit(""))
        case _:
            edit = Undo(id) if name == "undo" else Redo(id)
            plain.travel(name == "undo")
    with suppress(BadEdit):
        session.apply(edit)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(deeds, st.sampled_from(["works", "rests", "rested"])), max_size=40),
    st.booleans(),
)
def test_a_session_is_its_plain_model(
    steps: list[tuple[tuple[str, int, object], str]], flat: bool
) -> None:
    """Also where it is worked on while it is being compressed."""
    with as_they_are(not flat):
        check_against_the_plain_model(steps)


def check_against_the_plain_model(steps: list[tuple[tuple[str, int, object], str]]) -> None:
    session, plain = a_session(), Plain()
    packed: list[tuple[Patch, Patch]] = []
    for id, (deed, then) in enumerate(steps, 1):
        perform(session, plain, id, deed)
        if then == "rests":
            packed += rested(session)
        elif then == "rested":
            for raw, smaller in packed:
                session.hold(raw, smaller)
        pixels = session.canvas.pixels.tobytes() if session.canvas else None
        assert (session.params, pixels) == plain.now
        assert session.revision == plain.revision
        assert session.history.undo == len(plain.undo)
        assert session.history.redo == len(plain.redo)


# --- what passes --------------------------------------------------------------------------------


def asked(session: Session) -> int | None:
    """The seed that the model is asked for."""
    return session.snapshot().params["seed"]  # type: ignore[return-value]


def test_what_passes_is_asked_of_the_model_and_is_no_gesture() -> None:
    session = a_session()
    session.apply(Params(1, {"prompt": "a hill"}))
    session.apply(Undo(2))
    assert session.apply(Params(3, {"seed": 7}, passing=True)) == Accepted(3, 3, 0, 1)
    assert (asked(session), session.params["seed"], session.state().params["seed"]) == (7, 0, 0)
    session.apply(Redo(4))
    assert (asked(session), session.params["prompt"]) == (0, "a hill")


@pytest.mark.parametrize(
    "edit", [tile(4, 0, 0), canvas(4, 2), Clear(4), Undo(4), Params(4, {"prompt": "fog"})]
)
def test_the_next_edit_ends_what_passes_in_its_own_revision(edit: Edit) -> None:
    session = a_session()
    session.apply(canvas(1))
    session.apply(Params(2, {"prompt": "a hill"}))
    session.apply(Params(3, {"seed": 7}, passing=True))
    assert session.passing
    assert session.apply(edit).revision == 4
    assert (asked(session), session.passing) == (0, False)


def test_undo_never_meets_what_passed_between_the_edits_of_one_gesture() -> None:
    session = a_session()
    session.apply(canvas(1))
    session.apply(Params(2, {"seed": 1}, group=7))
    session.apply(Params(3, {"seed": 9}, passing=True))
    session.apply(tile(4, 0, 0, group=7))
    assert session.history.undo == 2
    session.apply(Undo(5))
    assert (asked(session), session.history.undo, session.history.redo) == (0, 1, 1)
    session.apply(Params(6, {"seed": 9}, passing=True))
    session.apply(Redo(7))
    assert (asked(session), session.snapshot().inputs["canvas"][0, 0, 0]) == (1, 9)


def test_an_edit_that_changes_nothing_ends_nothing() -> None:
    session = a_session()
    session.apply(canvas(1))
    session.apply(Params(2, {"seed": 7}, passing=True))
    for edit in (canvas(3), Params(4, {"seed": 0}), Params(5, {"seed": 7}, passing=True)):
        assert session.apply(edit).revision == 2
    with pytest.raises(NothingToUndo):
        session.apply(Redo(6))
    with pytest.raises(BadEdit):
        session.apply(Params(7, {"seed": 99}, passing=True))
    assert (session.revision, asked(session)) == (2, 7)


def test_what_passes_takes_the_place_of_what_passed_before() -> None:
    session = a_session()
    session.apply(Params(1, {"seed": 7}, passing=True))
    session.apply(Params(2, {"prompt": "fog"}, passing=True))
    assert session.snapshot().params == {"seed": 0, "prompt": "fog"}
    assert session.passing
    assert session.apply(Params(3, {}, passing=True)).revision == 3
    assert session.snapshot().params == SPEC.defaults()
    assert not session.passing
