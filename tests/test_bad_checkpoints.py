"""Folders that aren't what they should be: refused in a line that names the part and the remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.base import CannotLoad
from models.scenes.nets import WEIGHTS
from tests.serving import serving
from tests.tiny_unet import make_scenes, opened

NETWORKS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}
Tensors = dict[str, Tensor]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "folder"))


def rewrite(file: Path, change: Callable[[Tensors], object]) -> str:
    """Change a file's tensors; the name of the first."""
    tensors: Tensors = load_file(file)
    first: str = min(tensors)
    change(tensors)
    save_file(tensors, file, metadata={"format": "pt"})
    return first


def refusal(folder: Path) -> str:
    """Why a folder isn't opened: one line."""
    with pytest.raises(CannotLoad) as refused:
        opened(folder)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_whole_folder_is_opened(folder: Path) -> None:
    assert opened(folder).spec.name == "tiny"


@pytest.mark.parametrize("part", NETWORKS)
def test_tensors_that_do_not_fit_the_config_are_named(folder: Path, part: str) -> None:
    file = folder / part / NETWORKS[part]
    intact = file.read_bytes()
    first = rewrite(file, lambda tensors: tensors.pop(min(tensors)))
    assert f"{part}: its weights don't fit its config.json: they lack" in refusal(folder)
    assert first.removeprefix("text_model.") in refusal(folder)
    file.write_bytes(intact)
    rewrite(file, lambda tensors: tensors.update({"stray.weight": torch.zeros(2)}))
    assert "have too many stray.weight" in refusal(folder)
    file.write_bytes(intact)
    rewrite(file, lambda tensors: tensors.update({min(tensors): torch.zeros(3)}))
    assert "have in another shape" in refusal(folder)


def test_a_tensor_that_nothing_needs_harms_nothing(folder: Path) -> None:
    file = folder / "text_encoder" / NETWORKS["text_encoder"]
    ids = {"text_model.embeddings.position_ids": torch.arange(32)[None]}
    rewrite(file, lambda tensors: tensors.update(ids))
    assert opened(folder)


@pytest.mark.parametrize("part", NETWORKS)
def test_a_file_that_is_not_whole_is_to_be_fetched_again(folder: Path, part: str) -> None:
    file = folder / part / NETWORKS[part]
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert f"{part} can't be opened" in refusal(folder)
    assert "fetch it again" in refusal(folder)


@pytest.mark.parametrize("part", NETWORKS)
def test_pickles_are_never_opened(folder: Path, part: str, tmp_path: Path) -> None:
    touched = tmp_path / "touched"

    class Trap:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (touched,)

    file = folder / part / NETWORKS[part]
    pickled = "pytorch_model.bin" if part == "text_encoder" else "diffusion_pytorch_model.bin"
    torch.save({"weight": Trap()}, file.with_name(pickled))
    assert opened(folder), "beside safetensors it is left alone"
    file.unlink()
    assert f"pickled weights only ({pickled})" in refusal(folder)
    assert not touched.exists()


@pytest.mark.parametrize("part", [*NETWORKS, "tokenizer", "scheduler"])
def test_a_part_that_is_missing_is_named(folder: Path, part: str) -> None:
    shutil.rmtree(folder / part)
    assert f"{part} isn't there" in refusal(folder)


def test_a_tokenizer_that_is_another_ones_is_told(folder: Path) -> None:
    (folder / "tokenizer" / "tokenizer_config.json").unlink()
    assert "its tokenizer has" in refusal(folder)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (["diffusers", "SD3Transformer2DModel"], "its unet is a SD3Transformer2DModel; opened are"),
        (["os", "system"], "its unet comes from os, which isn't opened here"),
        (None, "names no unet"),
        ("UNet2DConditionModel", "names no unet"),
        ([1, 2, 3], "names no unet"),
    ],
)
def test_classes_that_the_family_does_not_know_are_refused(
    folder: Path, entry: object, told: str
) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"unet": entry}))
    assert told in refusal(folder)


def test_schedulers_that_are_not_there_or_not_known_are_refused(folder: Path) -> None:
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    for kind, told in (
        (["diffusers", "NoSuchScheduler"], "hasn't here"),
        (["diffusers", "DDPMWuerstchenScheduler"], "no step"),
        (["diffusers", "DiffusionPipeline"], "which is none"),
        (["transformers", "AutoModel"], "which is none"),
        (["diffusers", "logging"], "which is none"),
    ):
        path.write_text(json.dumps(index | {"scheduler": kind}))
        assert told in refusal(folder)


def test_another_checkpoints_layout_network_is_told(folder: Path) -> None:
    shutil.copytree(WEIGHTS / "layout", folder / "layout")
    assert "layout network is of another checkpoint" in refusal(folder)


def test_what_lies_beside_the_components_is_opened_as_carefully(folder: Path) -> None:
    shutil.copytree(WEIGHTS / "layout", folder / "layout")
    file = folder / "layout" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert "layout can't be opened" in refusal(folder)
    shutil.rmtree(folder / "layout")
    for text in ("{", "{}", "[]"):
        (folder / "canvas.json").write_text(text)
        assert "canvas.json can't be opened" in refusal(folder)


def set_config(config: Path, **values: object) -> None:
    config.write_text(json.dumps(json.loads(config.read_text()) | values))


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("vae/config.json", {"scaling_factor": None}),
        ("unet/config.json", {"attention_head_dim": 0}),
        ("text_encoder/config.json", {"num_attention_heads": 0}),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 0}),
    ],
)
def test_numbers_that_nothing_can_be_made_of_are_told(
    folder: Path, file: str, values: dict[str, object]
) -> None:
    set_config(folder / file, **values)
    assert f"/{file.partition('/')[0]} can't be opened" in refusal(folder)


@pytest.mark.parametrize("file", ["vocab.json", "merges.txt"])
@pytest.mark.parametrize("text", ["{", "a b c d"])
def test_a_tokenizer_of_the_older_layout_is_told(folder: Path, file: str, text: str) -> None:
    (folder / "tokenizer" / "tokenizer.json").unlink()
    assert opened(folder).spec.name == "tiny"
    (folder / "tokenizer" / file).write_text(text)
    assert "tokenizer can't be opened" in refusal(folder)


def test_an_index_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "model_index.json").unlink()
    (folder / "model_index.json").mkdir()
    assert "model_index.json can't be read" in refusal(folder)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_an_index_that_is_none_is_told(folder: Path, text: str) -> None:
    (folder / "model_index.json").write_text(text)
    assert "model_index.json is" in refusal(folder)


def test_a_config_that_is_none_is_told(folder: Path) -> None:
    for part in ("unet", "text_encoder"):
        config = folder / part / "config.json"
        before = config.read_text()
        config.write_text("{")
        assert f"{part} can't be opened" in refusal(folder)
        config.write_text(before)


def test_a_server_says_so_in_a_line(folder: Path) -> None:
    file = folder / "unet" / NETWORKS["unet"]
    file.write_bytes(file.read_bytes()[:-100])
    given = f"weights={folder}"
    with serving("--model", "scenes", "--model-option", given, ready=False) as served:
        served.wait_log("engine broken")
        body = served.get("/readyz").json()
    assert "fetch it again" in body["message"]
    assert not [line for line in served.lines if "Traceback" in line]
