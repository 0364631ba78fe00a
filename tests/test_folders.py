"""Checkpoints by hub id: from the cache, whole, or refused with what to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import Mock

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils._paths import filter_repo_objects

from models.base import CannotLoad
from models.folders import described, local, pulled
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each look for files, whether the hub was asked."""
    found: list[bool] = []
    fetch = huggingface_hub.snapshot_download

    def counted(name: str, **how: Any) -> str:
        found.append(not how.get("local_files_only", False))
        return str(fetch(name, **how))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", counted)
    return found


def test_the_hub_is_not_asked_for_what_is_here(cache: Path, asked: list[bool]) -> None:
    here = make_scenes(cached(cache, "somebody/tiny"))
    assert local("somebody/tiny", PARTS) == described("somebody/tiny") == here
    assert asked == [False, False]
    assert pulled("somebody/tiny", PARTS) == here
    with pytest.raises(CannotLoad, match="can't be reached"):
        local("somebody/lacking", PARTS)
    assert asked == [False, False, True, False, True]


@pytest.mark.parametrize("lacking", ["unet/*", "unet/*.safetensors", "tokenizer/*"])
def test_what_somebody_fetched_a_part_of_is_not_taken_for_whole(
    cache: Path, asked: list[bool], lacking: str
) -> None:
    here = make_scenes(cached(cache, "somebody/tiny"))
    for path in here.glob(lacking):
        path.unlink()
    local("somebody/tiny", PARTS)  # what the library has without a network
    assert asked == [False, True]


@pytest.mark.parametrize(("lacking", "hub"), [("unet/config.json", True), ("unet/*.s*", False)])
def test_to_tell_what_a_checkpoint_is_its_configs_are_enough(
    cache: Path, asked: list[bool], lacking: str, hub: bool
) -> None:
    for path in make_scenes(cached(cache, "somebody/tiny")).glob(lacking):
        path.unlink()
    described("somebody/tiny")
    assert asked == [False, True][: 1 + hub]


@pytest.mark.parametrize("disabled", ["", "1"])
def test_a_download_says_how_much_of_it_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disabled: str
) -> None:
    monkeypatch.setenv("TQDM_DISABLE", disabled)
    told: list[str] = []

    def fetch(name: str, tqdm_class: Any = None, **how: Any) -> str:
        if tqdm_class is None:
            raise LocalEntryNotFoundError("not here")
        with tqdm_class(total=0, unit="B", unit_scale=True, desc="Bytes") as bar:
            for _ in range(9):
                bar.total += 30_000_000
                bar.update(30_000_000)
        for _ in tqdm_class(range(3), desc="Files"):
            pass
        return str(make_scenes(tmp_path / "there"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    local("somebody/large", PARTS, progress=lambda stage, share: told.append(stage))
    amounts = ("0.00", "0.06", "0.12", "0.18", "0.24")
    assert told == [f"fetching somebody/large, {each} GB so far" for each in amounts]


class Stopped(Exception):
    """What a server raises in a report of progress when it is to end."""


def test_a_stop_while_fetching_is_no_fault_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(name: str, tqdm_class: Any = None, **how: Any) -> str:
        if tqdm_class is None:
            raise LocalEntryNotFoundError("not here")
        return str(tqdm_class(total=0, unit="B"))

    def stop(stage: str, share: float) -> NoReturn:
        raise Stopped

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    with pytest.raises(Stopped):
        local("somebody/large", PARTS, progress=stop)


@pytest.mark.parametrize("name", ["stabilityai/sd-turbo.git", "a--b/c", "a/b..c"])
def test_ids_that_the_hub_has_not_are_refused(name: str, cache: Path) -> None:
    with pytest.raises(CannotLoad, match="can't be fetched from the hub"):
        local(name, PARTS)


@pytest.mark.parametrize("kind", ["ProxyError", "ReadError"])
def test_a_line_that_fails_is_told(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (transport, *_) = HfHubHTTPError.__bases__
    failure = getattr(sys.modules[transport.__module__.partition(".")[0]], kind)

    def fetch(name: str, **how: Any) -> NoReturn:
        raise failure("403 Forbidden")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    for way in (local, pulled):
        with pytest.raises(CannotLoad, match="can't be fetched from the hub: 403 Forbidden"):
            way("somebody/far", PARTS)


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

    def fetch(name: str, **patterns: Any) -> str:
        asked.update(patterns)
        return str(make_scenes(tmp_path / "there"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert local("somebody/turbo", PARTS) == tmp_path / "there"
    files = (
        "model_index.json", "canvas.json", "layout/model.safetensors", "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors", "tokenizer/merges.txt",
        "sd_turbo.safetensors", "unet/diffusion_pytorch_model.bin", "safety_checker/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder/tf_model.h5",
        "text_encoder/model.fp16-00001-of-00002.safetensors",
        "unet/diffusion_pytorch_model.bf16.safetensors", "vae/model.non_ema-00001.safetensors",
    )  # fmt: skip
    wanted, never = asked["allow_patterns"], asked["ignore_patterns"]
    kept = filter_repo_objects(files, allow_patterns=wanted, ignore_patterns=never)
    assert list(kept) == list(files[:6])


@pytest.mark.parametrize("name", ["nowhere", "/nowhere/here", "../nowhere", "a/b/c", "no where/x"])
def test_paths_are_not_taken_for_ids(name: str) -> None:
    with pytest.raises(CannotLoad, match="holds no weights"):
        local(name, PARTS)
