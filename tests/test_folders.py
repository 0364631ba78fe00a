"""Checkpoints by hub id: from the cache, whole, or refused with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from unittest.mock import Mock

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.utils._paths import filter_repo_objects

from models.base import CannotLoad
from models.folders import local
from models.layout import Layout, LayoutShape, save_layout
from models.scenes.nets import FOLD
from tests.tiny_unet import SPEC, ask, canvas_of, finish, make_scenes, opened, pixels

COMMIT = "a" * 40
PARTS = ("tokenizer", "text_encoder", "unet", "vae", "scheduler")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, without a network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def cached(cache: Path, name: str) -> Path:
    """Where the cache holds a repository's one commit."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return repository / "snapshots" / COMMIT


def test_a_hub_id_is_opened_as_its_folder_is(cache: Path) -> None:
    folder = make_scenes(cached(cache, "somebody/tiny"))
    shape = LayoutShape(len(FOLD.colours), FOLD.cells, words=16, code=8, mood=16, widths=(16,) * 3)
    save_layout(Layout(shape), folder)
    request = ask(canvas_of(1), prompt="sunset", steps=2)
    by_id, by_path = opened(Path("somebody/tiny")), opened(folder)
    assert by_id.parts.fold is not None, "canvas.json came along"
    assert by_id.parts.layout is not None, "and the layout network"
    one, other = (pixels(model, finish(model, [request]))[0] for model in (by_id, by_path))
    assert np.array_equal(one, other)
    assert by_id.spec is SPEC


def test_without_a_network_it_says_what_to_do(cache: Path) -> None:
    with pytest.raises(CannotLoad, match=r"somebody/other isn't a folder here .* give the path"):
        local("somebody/other", PARTS)


def test_a_repository_of_something_else_is_told(cache: Path) -> None:
    cached(cache, "somebody/words").mkdir(parents=True)
    with pytest.raises(CannotLoad, match="no diffusers checkpoint"):
        local("somebody/words", PARTS)


@pytest.mark.parametrize(
    ("kind", "told"),
    [(GatedRepoError, "accept it on the hub's page"), (RepositoryNotFoundError, "HF_TOKEN")],
)
def test_what_is_closed_says_how_to_open_it(
    kind: type[RepositoryNotFoundError], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> NoReturn:
        raise kind("closed", response=Mock())

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(CannotLoad, match=told):
        local("somebody/closed", PARTS)


def test_only_what_is_opened_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, list[str]] = {}

    def fetch(name: str, **patterns: list[str]) -> str:
        asked.update(patterns)
        return str(make_scenes(tmp_path / "there"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert local("somebody/turbo", PARTS) == tmp_path / "there"
    files = (
        "model_index.json", "canvas.json", "layout/model.safetensors", "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors", "tokenizer/merges.txt",
        "sd_turbo.safetensors", "unet/diffusion_pytorch_model.bin", "safety_checker/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    )  # fmt: skip
    wanted, never = asked["allow_patterns"], asked["ignore_patterns"]
    kept = filter_repo_objects(files, allow_patterns=wanted, ignore_patterns=never)
    assert list(kept) == list(files[:6])


@pytest.mark.parametrize("name", ["nowhere", "/nowhere/here", "../nowhere", "a/b/c", "no where/x"])
def test_paths_are_not_taken_for_ids(name: str) -> None:
    with pytest.raises(CannotLoad, match="holds no weights"):
        local(name, PARTS)
