"""SANA-Sprint against diffusers' own pipelines, on a tiny random checkpoint: same seed, same
picture, for every step count, strength and guidance."""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import SanaSprintImg2ImgPipeline, SanaSprintPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from models.base import CannotLoad
from models.latent import LatentModel
from models.sana import INSTRUCTION, KINDS
from models.turbo import build
from tests.parity import BESIDE, NEAR, Floats, apart, ask, in_flight, ours
from tests.tiny_sana import make_sana, opened
from tests.tiny_unet import SIZE, canvas_of, shown

# numpy 2 asks what diffusers' schedulers do with tensors; only the pipelines compared with do it
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HEARD = 100 * NEAR


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sana(tmp_path_factory.mktemp("sana"))


@pytest.fixture(scope="module")
def model(folder: Path) -> LatentModel:
    return opened(folder)


def theirs(kind: Any, folder: Path, steps: int, seed: int, **asked: Any) -> Floats:
    """Their picture. Their default second timestep is for two steps only, and of the whole way."""
    pipe = kind.from_pretrained(folder, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    middle = {} if steps == 2 and "image" not in asked else {"intermediate_timesteps": None}
    generator = torch.Generator("cpu").manual_seed(seed)
    picture: Floats = pipe(
        generator=generator, output_type="np", num_inference_steps=steps, height=SIZE, width=SIZE,
        use_resolution_binning=False, **middle, **asked,
    ).images[0]  # fmt: skip
    return picture


def test_the_instruction_is_the_librarys() -> None:
    for kind in (SanaSprintPipeline, SanaSprintImg2ImgPipeline):
        said = inspect.signature(kind.__call__).parameters["complex_human_instruction"].default
        assert "\n".join(said) == INSTRUCTION


@pytest.mark.parametrize("guidance", [4.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 8])
def test_text_to_picture_equals_diffusers(
    folder: Path, model: LatentModel, steps: int, guidance: float
) -> None:
    expected = theirs(
        SanaSprintPipeline, folder, steps, 7, prompt="A red house ", guidance_scale=guidance
    )
    request = ask(model, prompt="A red house ", seed=7, steps=steps, guidance=guidance)
    assert np.abs(ours(model, request) - expected).max() < NEAR


@pytest.mark.parametrize("guidance", [4.5, 1.0])
@pytest.mark.parametrize(
    ("steps", "of"), [(1, 1), (1, 2), (1, 4), (2, 4), (3, 4), (4, 4), (4, 5), (4, 8), (8, 10)]
)
def test_picture_to_picture_equals_diffusers(
    folder: Path, model: LatentModel, steps: int, of: int, guidance: float
) -> None:
    canvas = canvas_of(4)
    expected = theirs(
        SanaSprintImg2ImgPipeline, folder, of, 5, prompt="sunset", image=Image.fromarray(canvas),
        strength=steps / of, guidance_scale=guidance,
    )  # fmt: skip
    asked = {"prompt": "sunset", "seed": 5, "steps": steps, "guidance": guidance}
    request = ask(model, canvas, strength=steps / of, **asked)
    assert np.abs(ours(model, request) - expected).max() < NEAR


def test_two_steps_of_the_whole_way_equal_diffusers_defaults(
    folder: Path, model: LatentModel
) -> None:
    canvas = canvas_of(4)
    pipe = SanaSprintImg2ImgPipeline.from_pretrained(folder, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    expected = pipe(
        prompt="sunset", image=Image.fromarray(canvas), strength=1.0, height=SIZE, width=SIZE,
        generator=torch.Generator("cpu").manual_seed(5), output_type="np",
        use_resolution_binning=False,
    ).images[0]  # fmt: skip
    request = ask(model, canvas, prompt="sunset", seed=5, steps=2, strength=1.0)
    assert np.abs(ours(model, request) - expected).max() < NEAR


def test_what_is_said_is_heard(model: LatentModel) -> None:
    """Else the comparisons would say little."""
    plain: dict[str, Any] = {"prompt": "a red house", "seed": 7, "steps": 2}
    base = ours(model, ask(model, **plain))
    changes = {"prompt": "sunset", "guidance": 1.0, "seed": 8, "steps": 1}
    for change in ({name: value} for name, value in changes.items()):
        assert np.abs(ours(model, ask(model, **plain | change)) - base).max() > HEARD, change


def test_strength_means_nothing_where_nothing_is_drawn(model: LatentModel) -> None:
    some, other = (ask(model, prompt="sunset", strength=by, steps=2) for by in (0.3, 1.0))
    assert np.array_equal(ours(model, some), ours(model, other))


def test_rows_in_flight_beside_others_equal_rows_alone(model: LatentModel) -> None:
    asked = [
        ask(model, canvas_of(1), prompt="sunset", seed=1, steps=4, strength=0.8),
        ask(model, prompt="a red house", guidance=1.5, seed=2, steps=3),
        ask(model, canvas_of(2), prompt="", seed=3, steps=2, guidance=9.0),
    ]
    alone = [ours(model, request) for request in asked]
    for one, row in zip(alone, in_flight(model, asked), strict=True):
        assert apart(one, shown(model, row)) < BESIDE


def test_it_is_served_as_what_it_is(folder: Path, tmp_path: Path) -> None:
    """By either of its classes, with embedded guidance and nothing to lead away from."""
    plain = make_sana(tmp_path, both=False)
    for each in (folder, plain):
        spec = build("mine", checkpoint=str(each)).spec
        assert (spec.tracks[0].width, spec.inputs[0].height) == (SIZE, SIZE)
        assert spec.defaults() == {
            "prompt": "", "seed": 0, "steps": 4, "strength": 0.7, "guidance": 4.5,
        }  # fmt: skip
    assert build("sana-sprint", checkpoint=str(plain)).spec.defaults()["steps"] == 2


@pytest.mark.parametrize("option", ["scheduler", "tiny"])
def test_another_arithmetic_or_autoencoder_is_refused(folder: Path, option: str) -> None:
    with pytest.raises(CannotLoad, match=f"{option}=lcm: SANA-Sprint runs with its own only"):
        build("mine", checkpoint=str(folder), **{option: "lcm"})  # type: ignore[arg-type]


@pytest.fixture
def spoilt(folder: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(folder, tmp_path / "folder"))


@pytest.mark.parametrize("part", KINDS)
def test_a_part_that_is_missing_is_named(spoilt: Path, part: str) -> None:
    config = (spoilt / part / "config.json").read_bytes() if part in ("transformer", "vae") else b""
    shutil.rmtree(spoilt / part)
    with pytest.raises(CannotLoad, match=part):
        opened(spoilt)
    if config:  # with what is read before the parts are opened
        (spoilt / part).mkdir()
        (spoilt / part / "config.json").write_bytes(config)
        with pytest.raises(CannotLoad, match=f"{part} can't be opened"):
            opened(spoilt)


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_tensors_that_do_not_fit_are_named(spoilt: Path, part: str) -> None:
    file = next((spoilt / part).glob("*.safetensors"))
    tensors = load_file(file)
    name = min(tensors)
    save_file(tensors | {name: torch.zeros(3)}, file, metadata={"format": "pt"})
    with pytest.raises(CannotLoad, match=f"{part}: its weights .* in another shape"):
        opened(spoilt)
    del tensors[name]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(CannotLoad, match=f"{part}: its weights .* they lack"):
        opened(spoilt)


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("transformer", {"guidance_embeds": False}, "its weights don't fit"),
        ("scheduler", {"prediction_type": "epsilon"}, "no step arithmetic for SCMScheduler"),
    ],
)
def test_configs_of_others_are_refused(
    spoilt: Path, part: str, change: dict[str, object], told: str
) -> None:
    path = next((spoilt / part).glob("*config.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CannotLoad, match=told):
        opened(spoilt)
