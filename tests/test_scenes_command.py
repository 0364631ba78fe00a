"""The command that trains: every stage from nothing, what each lacks, what doesn't fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.scenes.model import SPEC
from models.scenes.nets import open_weights
from models.scenes.train import main
from tests.tiny_scenes import TINY

SHAPE = replace(TINY, edge=32)  # of pictures at the painter's own size


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: SHAPE)


def test_one_command_trains_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (
        f"--out {tmp_path} --weights {tmp_path}/weights --scenes 3 --fine 2 --steps 2 --batch 2"
    )
    main(["all", *options.split()])
    kept = {path.name for path in (tmp_path / "weights").iterdir()}
    assert kept >= {
        "unet", "vae", "text_encoder", "tokenizer", "layout", "canvas.json",
        "constants.safetensors", "model_index.json",
    }  # fmt: skip
    stamp = (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns
    capsys.readouterr()
    for stage in ("painter", "finish"):  # all done: nothing is painted or trained anew
        main([stage, *options.split()])
    assert (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns == stamp
    told = capsys.readouterr().out
    assert "painter: step 2, 100.0 %" in told
    assert "finish: step 2, 100.0 %" in told
    _, painter, _ = open_weights(tmp_path / "weights")
    assert painter.unet.config.sample_size * 8 == SPEC.tracks[0].width


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        ("sharpen", "autoencoder"),
        ("painter", "autoencoder"),
        ("layout", "painter"),
        ("finish", "painter"),
    ],
)
def test_a_stage_says_which_one_it_lacks(tmp_path: Path, stage: str, missing: str) -> None:
    where = f"--out {tmp_path} --weights {tmp_path}/weights"
    with pytest.raises(SystemExit, match=f"run `{missing}` first"):
        main([stage, *f"{where} --scenes 2 --fine 1 --steps 1 --batch 2".split()])


def test_weights_are_not_trained_on_from_below_other_ones(tmp_path: Path) -> None:
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
        main(["painter", *wrong.split()])
    assert wrong.split()[0] in capsys.readouterr().err
