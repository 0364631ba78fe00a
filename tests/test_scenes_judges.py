"""The judge: it learns what it is shown, and is kept for the pictures that it learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.scenes import lessons
from models.scenes.board import GRID, VAGUE, on_grid
from models.scenes.dataset import Dataset, StrangeDataset, prepare
from models.scenes.judges import NAMES, Judge, agreement, as_input
from models.scenes.lessons import (
    Course,
    region_loss,
    trained_judge,
    worn,
)
from models.scenes.painter import paint_scene
from models.scenes.palette import MATERIALS

TINY = Course(pictures=16, steps=60, batch=6, rate=4e-3, matrix_rate=0.02)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    prepare(folder / "data", 20, 128, jobs=1)
    return folder


@pytest.fixture(scope="module")
def data(run: Path) -> Dataset:
    return prepare(run / "data", 20, 128)


@pytest.fixture(scope="module")
def judge(data: Dataset, run: Path) -> Judge:
    return trained_judge(data, run, TINY)


def test_a_judge_names_what_it_has_learnt(judge: Judge, data: Dataset) -> None:
    read = judge.read(data.paintings[:16])
    untaught = Judge().read(data.paintings[:16])
    right, wrong = (agreement(r.words, data.words[:16]) for r in (read, untaught))
    assert np.mean(list(right.values())) > 0.85
    assert np.mean(list(wrong.values())) < 0.6
    truth = np.stack([on_grid(paint_scene(i, 128).labels) for i in range(16)])
    assert read.regions.shape == truth.shape == (16, GRID, GRID)
    seen, mixed = ((regions == truth).mean() for regions in (read.regions, truth[::-1]))
    assert seen > 0.5
    assert seen > mixed + 0.1, "no better than any scene's map"


def test_a_judge_reads_pictures_of_any_size(judge: Judge, data: Dataset) -> None:
    large = np.repeat(np.repeat(data.paintings[:3], 4, 1), 4, 2)
    small, grown = judge.read(data.paintings[:3]), judge.read(large)
    assert grown.regions.shape == small.regions.shape
    assert (grown.regions == small.regions).mean() > 0.8


def test_a_trained_judge_is_opened_not_trained_again(
    judge: Judge, data: Dataset, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("trained again")

    monkeypatch.setattr(lessons, "JudgeLoss", refuse)
    again = trained_judge(data, run, TINY)
    assert all(
        torch.equal(a, b) for a, b in zip(judge.parameters(), again.parameters(), strict=True)
    )
    with pytest.raises(AssertionError, match="again"):
        trained_judge(data, run, Course(pictures=16, steps=61))


def test_another_data_set_has_another_judge(data: Dataset) -> None:
    own = data.fingerprint()
    pictures = np.array(data.paintings)
    assert replace(data, paintings=pictures).fingerprint() == own
    pictures[0, 5, 5] ^= 1
    assert replace(data, paintings=pictures).fingerprint() != own
    words = [data.words[0] | {"time": "never"}, *data.words[1:]]
    assert replace(data, words=words).fingerprint() != own
    assert replace(TINY, steps=61).fingerprint() != TINY.fingerprint()
    assert replace(TINY).fingerprint() == TINY.fingerprint()


def test_another_painters_pictures_are_refused(data: Dataset, tmp_path: Path) -> None:
    strange = replace(data, paintings=data.paintings[:, ::-1])
    with pytest.raises(StrangeDataset):
        trained_judge(strange, tmp_path, TINY)


def test_the_data_set_is_left_as_it_was(judge: Judge, run: Path) -> None:
    stamps = {p.name: p.stat().st_mtime_ns for p in (run / "data").iterdir()}
    done = (run / "data" / "done.json").stat().st_mtime_ns
    assert set(stamps) == {
        "paintings.npy", "canvases.npy", "captions.json", "words.json", "maps.npy", "done.json",
    }  # fmt: skip
    assert max(stamps.values()) == done


def test_label_maps_are_the_scenes_own(data: Dataset) -> None:
    for index in range(3):
        assert np.array_equal(data.maps[index], on_grid(paint_scene(index, 128).labels))


def test_the_grid_holds_what_most_of_a_place_is() -> None:
    labels = np.zeros((256, 256), np.uint8)
    labels[:4, :3] = MATERIALS.index("house")  # most of the first place
    labels[8:10, 8:10] = MATERIALS.index("tree")  # a quarter of another
    grid = on_grid(labels)
    assert grid[0, 0] == MATERIALS.index("house")
    assert (grid != 0).sum() == 1
    clear = on_grid(labels, 0.8)
    assert clear[0, 0] == clear[2, 2] == VAGUE
    assert (clear != 0).sum() == 2


def test_the_loss_of_regions_falls_as_they_come_right() -> None:
    maps = torch.zeros(2, 8, 8, dtype=torch.long)
    maps[:, 4:] = 3
    right = torch.nn.functional.one_hot(maps, len(MATERIALS)).permute(0, 3, 1, 2).float()
    losses = [float(region_loss(right * sure, maps)) for sure in (-5, 0, 2, 10)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.01


def test_worn_pictures_are_the_same_pictures() -> None:
    pictures = as_input(np.stack([paint_scene(i, 256).painting for i in range(4)]))
    chance = torch.Generator().manual_seed(0)
    apart = [float((worn(pictures.clone(), chance) - pictures).abs().mean()) for _ in range(6)]
    assert 0 < max(apart) < 0.05


def test_agreement_counts_group_by_group() -> None:
    day = {"time": "day", "season": "summer", "weather": "clear", "style": "clean"}
    counted = agreement([day, day | {"time": "night"}], [day, day])
    assert counted == {"time": 0.5, "season": 1, "weather": 1, "style": 1}
    assert set(NAMES) == set(day)
