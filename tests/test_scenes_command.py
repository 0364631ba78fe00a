"""The training's command line: all stages, one after the other, or from finished weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from models.layout import open_layout
from models.scenes.adopt import adopt
from models.scenes.nets import open_weights, save_weights
from models.scenes.train import main
from tests.tiny_scenes import TINY, same

SHORT = ["--scenes", "3", "--fine", "2", "--steps", "2", "--batch", "2"]


def test_one_command_trains_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    options = (
        f"--out {tmp_path} --weights {tmp_path}/weights --scenes 3 --fine 2 --steps 2 --batch 2"
    )
    main(["all", *options.split()])
    kept = {path.name for path in (tmp_path / "weights").iterdir()}
    assert kept >= {
        "unet",
        "vae",
        "text_encoder",
        "tokenizer",
        "layout",
        "canvas.json",
        "model_index.json",
    }
    assert (tmp_path / "teacher" / "unet").exists()
    stamp = (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns
    capsys.readouterr()
    main(["distil", *options.split()])  # all done: nothing is painted or trained anew
    assert (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns == stamp
    assert "student: step 2, 100.0 %" in capsys.readouterr().out


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a tiny training of all stages."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.scenes.train.Shape", lambda: TINY)
        main(["all", *SHORT, "--out", f"{folder}/run", "--weights", f"{folder}/weights"])
    return folder / "weights"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    return [*SHORT, "--out", f"{tmp_path}/run", "--weights", f"{tmp_path}/weights"]


def test_a_run_begins_from_finished_weights(
    finished: Path, short: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["all", *short, "--start", str(finished)])
    told = capsys.readouterr().out
    assert not any(name in told for name in ("autoencoder:", "decoder:", "layout:"))
    assert "unet: step 2, 100.0 %" in told
    assert "student: step 2, 100.0 %" in told
    (vae, painter, _), (old_vae, old, _) = (
        open_weights(tmp_path / "weights"),
        open_weights(finished),
    )
    _, teacher, _ = open_weights(tmp_path / "run" / "teacher")
    assert all(same(vae, old_vae))
    for network in (painter, teacher):
        assert all(same(network.text, old.text)), "the layout network knows its words"
        assert not all(same(network.unet, old.unet))
    layout, old_layout = open_layout(tmp_path / "weights"), open_layout(finished)
    assert layout is not None
    assert old_layout is not None
    assert all(same(layout, old_layout))


def test_a_run_is_gone_on_with_from_the_weights_that_it_began_from(
    finished: Path, short: list[str], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(finished, other)
    adopt(finished, tmp_path / "run")
    before = (tmp_path / "run" / "autoencoder.pt").stat().st_mtime_ns
    adopt(finished, tmp_path / "run")
    assert (tmp_path / "run" / "autoencoder.pt").stat().st_mtime_ns == before
    with pytest.raises(SystemExit, match="give --start"):
        main(["autoencoder", *short])
    vae, painter, tokenizer = open_weights(other)
    torch.nn.init.zeros_(painter.unet.conv_in.weight)
    save_weights(other, vae, painter, tokenizer)
    with pytest.raises(SystemExit, match="give another --out"):
        main(["unet", *short, "--start", str(other)])


def test_weights_that_can_t_be_gone_on_from_are_refused(
    finished: Path, short: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="holds no weights"):
        main(["all", *short, "--start", f"{tmp_path}/nowhere"])
    bare = tmp_path / "bare"
    shutil.copytree(finished, bare, ignore=shutil.ignore_patterns("layout"))
    with pytest.raises(SystemExit, match="no layout network"):
        main(["all", *short, "--start", str(bare)])
    with pytest.raises(SystemExit):
        main(["sharpen", *short, "--start", str(finished)])
    assert "not with sharpen" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_pictures_of_another_painter_are_not_learnt_from(short: list[str], tmp_path: Path) -> None:
    main(["autoencoder", *short])
    paintings = np.load(tmp_path / "run" / "data" / "paintings.npy", mmap_mode="r+")
    paintings[-1] = 255 - paintings[-1]
    paintings.flush()
    with pytest.raises(SystemExit, match="another version of the painter"):
        main(["autoencoder", *short])


@pytest.mark.parametrize(
    ("stage", "missing"),
    [("sharpen", "autoencoder"), ("layout", "unet"), ("distil", "autoencoder")],
)
def test_a_stage_says_which_one_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, missing: str
) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    with pytest.raises(SystemExit, match=f"run `{missing}` first"):
        main([stage, *f"--out {tmp_path} --scenes 2 --fine 1 --steps 1 --batch 2".split()])


def test_weights_are_not_trained_on_from_below_other_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    options = f"--out {tmp_path} --scenes 2 --fine 1 --steps 1 --batch 2".split()
    main(["autoencoder", *options])
    main(["sharpen", *options])
    (tmp_path / "autoencoder.pt").unlink()
    main(["autoencoder", *options, "--seed", "5"])
    with pytest.raises(SystemExit, match="move it away"):
        main(["sharpen", *options])


@pytest.mark.parametrize(
    "wrong", ["--steps 0", "--batch 0", "--minutes 0", "--steps 1 --minutes 1"]
)
def test_lengths_that_are_none_are_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["unet", *wrong.split()])
    assert wrong.split()[0] in capsys.readouterr().err
