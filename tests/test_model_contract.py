"""What every registered model must keep, whatever it makes: see `models/base.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from diffusers import EulerDiscreteScheduler
from numpy.typing import NDArray

from models.base import Encoded, Model, Payload, Picture, Request, State, Value
from server.registry import CHECKPOINTS, builders, entries, find
from server.settings import Settings
from tests.tiny_sana import make_sana
from tests.tiny_turbo import BETAS, make_turbo
from tests.tiny_zimage import SIZE as ZIMAGE_SIZE, make_zimage


def make_sd(folder: Path) -> Path:
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    return make_turbo(folder, "sd", scheduler)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "sd": make_sd,
    "sana": make_sana,
    "zimage": make_zimage,
}
"""Of small checkpoints."""
OWN = [entry.name for entry in entries().values() if entry.factory != CHECKPOINTS]
MODELS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{name: (name, ()) for name in OWN},
    "fake of two sizes": ("fake", ("finer=2",)),
    "an SD": ("sd", ("tiny=none",)),
    "a SANA-Sprint": ("sana", ()),
    "a Z-Image": ("zimage", (f"size={ZIMAGE_SIZE}",)),
}
"""What is held to it: a model's name or a maker's, and its options."""

LEVELS_OFF = 2
"""Batched and alone may differ by rounding: so many of 255 levels, in single precision."""

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    name, options = MODELS[request.param]
    if name in MAKERS:
        name = str(MAKERS[name](tmp_path_factory.mktemp("checkpoint") / "tiny"))
    settings = Settings(model=(name,), device="cpu", dtype="fp32", model_option=options)
    model = builders(settings)[name]()
    assert model.spec.name == find(name).name
    fractions: list[float] = []
    model.load(lambda stage, fraction: fractions.append(fraction))
    assert fractions, "loading tells how far it is"
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    return model


def painted(model: Model, seed: int = 1) -> dict[str, Pixels]:
    """Inputs with a few large regions each, read-only as the engine's are."""
    rng, inputs = np.random.default_rng(seed), {}
    for spec in model.spec.inputs:
        colours = [s.color for s in model.spec.palette] or rng.integers(0, 256, (4, 3)).tolist()
        bands = rng.integers(0, len(colours), 8)[np.arange(spec.height) * 8 // spec.height]
        picture = np.array(colours, np.uint8)[bands][:, None].repeat(spec.width, axis=1)
        picture.flags.writeable = False
        inputs[spec.name] = picture
    return inputs


def unpainted(model: Model) -> dict[str, Pixels]:
    return {
        spec.name: np.full((spec.height, spec.width, 3), spec.background, np.uint8)
        for spec in model.spec.inputs
    }


def ask(model: Model, inputs: Mapping[str, Pixels] | None = None, **params: object) -> Request:
    values = {**model.spec.defaults(), **model.spec.check(params)}
    given = painted(model) if inputs is None else inputs
    return Request("s", model.spec.name, 1, 1, values, given)


def pixels(payload: Payload) -> NDArray[np.int16]:
    """A payload as something to compare."""
    if isinstance(payload, Encoded):
        return np.frombuffer(payload.data, np.uint8).astype(np.int16)
    assert isinstance(payload, Picture)
    return payload.pixels.astype(np.int16)


def make(model: Model, request: Request, previous: State | None = None) -> NDArray[np.int16]:
    """The final of a request, made alone."""
    (state,) = model.begin([request], [previous])
    try:
        while state.step < state.steps:
            model.step([state])
        return pixels(model.decode([state])[0])
    finally:
        state.close()


def difference(one: NDArray[np.int16], other: NDArray[np.int16]) -> int:
    """The largest, of 255 levels."""
    return int(np.abs(one - other).max())


def test_keeps_the_protocol(model: Model) -> None:
    assert isinstance(model, Model)
    (state,) = model.begin([ask(model)], [None])
    assert isinstance(state, State)
    state.close()


def test_the_spec_is_whole(model: Model) -> None:
    spec = model.spec
    assert spec.title
    assert spec.max_batch >= 1
    assert spec.tracks
    assert all(t.rate > 0 or (t.width > 0 and t.height > 0) for t in spec.tracks)
    assert all(s.width > 0 and s.height > 0 for s in spec.inputs)
    for names in (
        [p.name for p in spec.parameters],
        [i.name for i in spec.inputs],
        [t.name for t in spec.tracks],
        [s.name for s in spec.palette],
        [s.color for s in spec.palette],
        [w for group in spec.vocabulary for w in group.words],
    ):
        assert len(names) == len(set(names))
        assert all(names)
    assert all(0 <= part <= 255 for swatch in spec.palette for part in swatch.color)
    if sizes := spec.sizes():
        track = spec.tracks[0]
        assert spec.defaults()["size"] == sizes[0] == max(track.width, track.height)


def test_the_defaults_are_valid(model: Model) -> None:
    defaults = model.spec.defaults()
    assert model.spec.check(defaults) == defaults
    assert all(p.title for p in model.spec.parameters), "each has a name for people"


def test_a_row_goes_from_no_step_to_all_and_can_be_looked_at_after_each(model: Model) -> None:
    (state,) = model.begin([ask(model)], [None])
    assert (state.step, state.steps) == (0, model.spec.defaults().get("steps", state.steps))
    assert state.nbytes > 0
    hash(state.key)
    for step in range(1, state.steps + 1):
        model.step([state])
        assert state.step == step
        (payload,) = model.decode([state])
        assert_fits(model, payload)
    state.close()


def assert_fits(model: Model, payload: Payload, size: int = 1, smallest: int = 1) -> None:
    track = model.spec.tracks[0]
    width, height = track.width * size // smallest, track.height * size // smallest
    if isinstance(payload, Picture):
        assert payload.pixels.dtype == np.uint8
        assert payload.pixels.shape == (height, width, 3)
    else:
        assert isinstance(payload, Encoded)
        assert (payload.width, payload.height) == (width, height)


def test_every_size_is_made_beside_the_others(model: Model) -> None:
    """Rows of two sizes begin in one call; each has its size in every picture, previews too."""
    sizes = model.spec.sizes() or pytest.skip("it has but one")
    states = model.begin([ask(model, size=size) for size in sizes], [None] * len(sizes))
    assert len({state.key for state in states}) == len(sizes)
    for state, size in zip(states, sizes, strict=True):
        while state.step < state.steps:
            model.step([state])
            assert_fits(model, model.decode([state])[0], size, sizes[0])
        state.close()


def test_a_larger_size_is_the_same_picture_only_finer(model: Model) -> None:
    """Averaged to 16 × 16 areas it is nearer to the small one than another seed's picture is."""
    sizes = model.spec.sizes() or pytest.skip("it has but one")
    small, other = areas(make(model, ask(model))), areas(make(model, ask(model, seed=9)))
    for size in sizes[1:]:
        apart = np.abs(areas(make(model, ask(model, size=size))) - small).mean()
        assert apart < np.abs(other - small).mean()


def areas(picture: NDArray[np.int16]) -> NDArray[np.float64]:
    height, width = picture.shape[:2]
    parts = picture.reshape(16, height // 16, 16, width // 16, 3)
    return np.asarray(parts.mean(axis=(1, 3)))


def test_the_same_request_gives_the_same_picture(model: Model) -> None:
    assert difference(make(model, ask(model)), make(model, ask(model))) == 0


def test_another_seed_gives_another_picture(model: Model) -> None:
    assert difference(make(model, ask(model, seed=1)), make(model, ask(model, seed=2))) > 8


def test_the_canvas_and_the_prompt_are_followed(model: Model) -> None:
    usual = make(model, ask(model))
    assert difference(usual, make(model, ask(model, painted(model, 2)))) > 8
    word = model.spec.vocabulary[0].words[-1] if model.spec.vocabulary else "other"
    assert difference(usual, make(model, ask(model, prompt=word))) > 8


@pytest.mark.parametrize("given", ["absent", "unpainted"])
def test_an_absent_or_unpainted_canvas_leaves_it_to_the_model(model: Model, given: str) -> None:
    inputs = {} if given == "absent" else unpainted(model)
    picture = make(model, ask(model, inputs))
    assert difference(picture, picture[:1, :1]) > 8, "not one flat colour"


def test_looking_at_previews_changes_nothing(model: Model) -> None:
    (state,) = model.begin([ask(model)], [None])
    while state.step < state.steps:
        model.step([state])
        seen = pixels(model.decode([state])[0])
    state.close()
    assert difference(seen, make(model, ask(model))) == 0


def test_rows_in_one_call_are_as_they_are_alone(model: Model) -> None:
    """Rows with their own prompt, seed, canvas and number of steps, at different steps."""
    prompts = [word for group in model.spec.vocabulary for word in group.words] or ["a", "b"]
    most = int(next((p.maximum or 1 for p in model.spec.parameters if p.name == "steps"), 1))
    requests = [
        ask(model, painted(model, row), seed=row, steps=1 + row % most, prompt=prompts[row % 2])
        for row in range(model.spec.max_batch)
    ]
    states = model.begin(requests, [None] * len(requests))
    assert len({state.key for state in states}) == 1
    while running := [state for state in states if state.step < state.steps]:
        model.step(running)
    together = [pixels(payload) for payload in model.decode(states)]
    for state in states:
        state.close()
    for request, picture in zip(requests, together, strict=True):
        assert difference(picture, make(model, request)) <= LEVELS_OFF


def test_a_row_that_ends_leaves_the_others_alone(model: Model) -> None:
    states = model.begin([ask(model), ask(model, seed=9)], [None, None])
    model.step(states)
    states[1].close()
    while states[0].step < states[0].steps:
        model.step([states[0]])
    picture = pixels(model.decode([states[0]])[0])
    states[0].close()
    assert difference(picture, make(model, ask(model))) <= LEVELS_OFF


def test_the_last_row_may_help_but_doesnt_change_the_picture(model: Model) -> None:
    (last,) = model.begin([ask(model)], [None])
    model.step([last])
    picture = make(model, ask(model, painted(model, 2), seed=5), previous=last)
    last.close()
    assert difference(picture, make(model, ask(model, painted(model, 2), seed=5))) <= LEVELS_OFF


def test_inputs_and_pictures_are_nobodys_to_write_to(model: Model) -> None:
    request = ask(model)
    before = {name: array.copy() for name, array in request.inputs.items()}
    (state,) = model.begin([request], [None])
    model.step([state])
    first = pixels(model.decode([state])[0])
    (payload,) = model.decode([state])
    while state.step < state.steps:
        model.step([state])
    model.decode([state])
    state.close()
    np.testing.assert_array_equal(pixels(payload), first)
    for name, array in request.inputs.items():
        np.testing.assert_array_equal(array, before[name])


def test_every_parameter_takes_its_extremes(model: Model) -> None:
    for parameter in model.spec.parameters:
        values: list[Value | None] = [parameter.minimum, parameter.maximum, *parameter.choices]
        if parameter.type == "string":
            values += ["", "ä" * (parameter.max_length or 100), "\x00\U0001f308 \ud7ff"]
        if parameter.type == "boolean":
            values += [False, True]
        for value in values:
            if value is not None:
                make(model, ask(model, None, **{parameter.name: value}))
