"""What a machine with little memory is told."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from models.scenes import train
from models.scenes.room import BASE, FEWEST, GB, ROW, SCENE, Room, advice

PLENTY, SCENES = 64 * GB, 16000


def test_where_there_is_room_nothing_is_said() -> None:
    assert advice(Room(PLENTY), 16, SCENES) is None
    assert advice(Room(PLENTY, gpu=PLENTY), 128, SCENES) is None


def test_a_smaller_batch_is_named_that_fits() -> None:
    room = Room(BASE + SCENES * SCENE + 10.5 * ROW)
    assert "--batch 10 instead of 16" in (advice(room, 16, SCENES) or "")
    assert advice(room, 10, SCENES) is None
    assert "--batch 5 instead of 10" in (advice(room, 10, SCENES, half_precision=False) or "")


def test_fewer_scenes_are_named_where_no_batch_would_do() -> None:
    room = Room(BASE + 1000.5 * SCENE + FEWEST * ROW)
    assert f"--batch {FEWEST} and --scenes 1000" in (advice(room, 16, SCENES) or "")
    assert advice(room, FEWEST, 1000) is None


def test_a_gpu_holds_the_rows_and_the_machine_the_scenes() -> None:
    small = Room(PLENTY, gpu=BASE + 20.5 * ROW)
    assert "--batch 20 instead of 128" in (advice(small, 128, SCENES) or "")
    short = Room(BASE + 500.5 * SCENE, gpu=PLENTY)
    assert "--scenes 500" in (advice(short, 128, SCENES) or "")


def test_a_machine_that_is_far_too_small_is_told_so() -> None:
    assert "too little" in (advice(Room(0.5 * GB), 16, SCENES) or "")


@given(
    memory=st.floats(0, 40 * GB),
    gpu=st.none() | st.floats(0, 40 * GB),
    rows=st.integers(1, 256),
    scenes=st.integers(100, 50000),
    half=st.booleans(),
)
def test_whoever_follows_the_advice_is_told_nothing_more(
    memory: float, gpu: float | None, rows: int, scenes: int, half: bool
) -> None:
    room = Room(memory, gpu)
    said = advice(room, rows, scenes, half)
    if said is None or "too little" in said:
        return
    batch, fewer = re.search(r"--batch (\d+)", said), re.search(r"--scenes (\d+)", said)
    assert batch
    assert advice(room, int(batch[1]), int(fewer[1]) if fewer else scenes, half) is None


def test_the_command_ends_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "here", classmethod(lambda cls: Room(3 * GB)))
    monkeypatch.setattr(train, "_data", lambda options: pytest.fail("it began"))
    with pytest.raises(SystemExit, match="--batch"):
        train.main(["all"])
