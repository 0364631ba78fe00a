"""The simulated device: what it costs, what it shows, and how it breaks when asked to."""

from __future__ import annotations

import time

import numpy as np
import pytest

from models.base import BadOutput, Encoded, OutOfMemory, Picture, Request, State
from models.fake import FakeModel, FakeOptions, Fatal, build


def loaded(**options: object) -> FakeModel:
    model = build(**options)  # type: ignore[arg-type]
    model.load(lambda stage, fraction: None)
    return model


def ask(model: FakeModel, canvas: object = None, **params: object) -> Request:
    values = {**model.spec.defaults(), **model.spec.check(params)}
    inputs = {} if canvas is None else {"canvas": np.broadcast_to(canvas, (256, 256, 3))}  # type: ignore[call-overload]
    return Request("s", "fake", 1, 1, values, inputs)


def picture(
    model: FakeModel, request: Request, steps: int = 1
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    (state,) = model.begin([request], [None])
    for _ in range(steps):
        model.step([state])
    (payload,) = model.decode([state])
    state.close()
    assert isinstance(payload, Picture)
    return payload.pixels


def test_options_come_by_name_and_unknown_ones_are_refused() -> None:
    model = build("cpu", "fp32", width=512, step_ms="3", faults="true")
    assert model.options == FakeOptions(width=512, step_ms=3.0, faults=True)
    with pytest.raises(ValueError, match="no such option: stepms"):
        build(stepms=3)


@pytest.mark.parametrize(
    "options", [{"width": 100}, {"height": 0}, {"encoded_bytes": 3}, {"finer": 0}]
)
def test_sizes_that_cant_be_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 16|at least"):
        build(**options)  # type: ignore[arg-type]


def test_the_canvas_shows_where_it_was_painted() -> None:
    model = loaded(width=512, height=256)
    canvas = np.full((256, 256, 3), 255, np.uint8)
    canvas[128:, 128:] = (0, 0, 255)
    plain = picture(model, ask(model, np.full((256, 256, 3), 255, np.uint8), strength=0))
    shown = picture(model, ask(model, canvas, strength=0)).astype(int)
    assert (shown[128:, 256:, 2] > shown[128:, 256:, 0]).all()
    np.testing.assert_array_equal(shown[:128], plain[:128])
    np.testing.assert_array_equal(shown[:, :256], plain[:, :256])


def test_each_step_shows_how_far_it_is() -> None:
    model = loaded()
    shown = [picture(model, ask(model, steps=4), step) for step in (1, 2, 3, 4)]
    bars = [int((p[0] == 255).all(axis=1).sum()) for p in shown]
    assert bars == [64, 128, 192, 256]
    assert not np.array_equal(shown[0][8:], shown[3][8:])


@pytest.mark.parametrize("change", [{"prompt": "night"}, {"seed": 1}, {"strength": 1.0}])
def test_each_parameter_shows(change: dict[str, object]) -> None:
    model = loaded()
    usual, changed = picture(model, ask(model, 100)), picture(model, ask(model, 100, **change))
    assert (usual != changed).mean() > 0.5


def test_no_colour_overflows() -> None:
    """White paint under the strongest pattern stays light: an overflow would be nearly black."""
    model = loaded()
    assert picture(model, ask(model, 250, strength=0))[8:].min() > 100


@pytest.mark.parametrize("size", [16, 60_000])
def test_encoded_payloads_have_exactly_so_many_bytes(size: int) -> None:
    model = loaded(encoded_bytes=size)
    (state,) = model.begin([ask(model)], [None])
    model.step([state])
    (one,) = model.decode([state])
    model.step([state])
    (other,) = model.decode([state])
    assert isinstance(one, Encoded)
    assert isinstance(other, Encoded)
    assert len(one.data) == len(other.data) == size
    assert one.data != other.data


@pytest.mark.parametrize(
    ("options", "rows", "least"),
    [({"step_ms": 20}, 1, 20), ({"step_ms": 5, "per_row_ms": 5}, 3, 20)],
)
def test_a_step_takes_its_time(options: dict[str, int], rows: int, least: int) -> None:
    model = loaded(**options)
    states = model.begin([ask(model)] * rows, [None] * rows)
    started = time.perf_counter()
    model.step(states)
    assert 1000 * (time.perf_counter() - started) >= least


FAULTS = {"begin!": RuntimeError, "oom!": OutOfMemory}
LATER = {"raise!": RuntimeError, "fatal!": Fatal, "crowd!": OutOfMemory}


@pytest.mark.parametrize("word", FAULTS)
def test_faults_of_begin_leave_nothing_open(word: str) -> None:
    model = loaded(faults=True)
    with pytest.raises(FAULTS[word]):
        model.begin([ask(model), ask(model, prompt=word)], [None, None])
    assert model.open_states == 0


@pytest.mark.parametrize("word", LATER)
def test_faults_of_a_step_leave_every_row_as_it_was(word: str) -> None:
    model = loaded(faults=True)
    states = model.begin([ask(model), ask(model, prompt=word)], [None, None])
    with pytest.raises(LATER[word]):
        model.step(states)
    assert [state.step for state in states] == [0, 0]


def test_faults_of_a_decode() -> None:
    model = loaded(faults=True)
    states: list[State] = model.begin([ask(model, prompt="nan!")], [None])
    model.step(states)
    with pytest.raises(BadOutput):
        model.decode(states)


def test_without_faults_the_words_are_only_words() -> None:
    model = loaded()
    picture(model, ask(model, prompt="begin! raise! nan! oom! fatal! wide!"))


def test_closing_twice_is_an_assertion() -> None:
    model = loaded()
    (state,) = model.begin([ask(model)], [None])
    state.close()
    with pytest.raises(AssertionError, match="closed twice"):
        state.close()
    assert model.open_states == 0


def test_unpainted_canvas_is_as_none() -> None:
    model = loaded()
    np.testing.assert_array_equal(picture(model, ask(model, 255)), picture(model, ask(model)))


def test_a_larger_size_is_the_same_picture_with_more_in_it() -> None:
    model = loaded(width=64, height=32, finer=2)
    assert model.spec.sizes() == (64, 128)
    small = picture(model, ask(model, 100, seed=3))
    large = picture(model, ask(model, 100, seed=3, size=128))
    assert (small.shape, large.shape) == ((32, 64, 3), (64, 128, 3))
    np.testing.assert_array_equal(large[1::2, 1::2], small)
    assert (large[::2, ::2] != small).all()


def test_a_larger_size_costs_as_many_times_more_as_it_has_pixels() -> None:
    model = loaded(finer=2, step_ms=10)
    states = model.begin([ask(model), ask(model, size=512)], [None, None])
    assert states[0].key != states[1].key
    started = time.perf_counter()
    model.step(states[1:])
    assert 1000 * (time.perf_counter() - started) >= 40


def test_encoded_payloads_tell_their_size() -> None:
    model = loaded(finer=2, encoded_bytes=100)
    (state,) = model.begin([ask(model, size=512)], [None])
    model.step([state])
    (payload,) = model.decode([state])
    assert isinstance(payload, Encoded)
    assert (payload.width, payload.height) == (512, 512)
