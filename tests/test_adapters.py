"""Adapters beside a checkpoint's weights, chosen and weighted by whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diffusers import EulerDiscreteScheduler

from models.adapters import KEPT, chosen_in
from models.base import CannotLoad, InvalidParameter
from models.row import Row
from models.turbo import build
from streaming.protocol import Error
from tests.parity import NEAR, apart, in_flight
from tests.pen import drawing
from tests.serving import serving
from tests.tiny_klein import make_klein
from tests.tiny_lora import (
    ask,
    kohya,
    merged,
    opened,
    ours,
    pairs,
    peft,
)
from tests.tiny_turbo import BETAS, make_turbo
from tests.tiny_unet import canvas_of, finish, shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    return make_turbo(tmp_path_factory.mktemp("turbo") / "tiny", "sd", scheduler)


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    where = tmp_path / "adapters"
    where.mkdir()
    return where


def test_several_add_up_and_none_leaves_no_trace(
    folder: Path, adapters: Path, tmp_path: Path
) -> None:
    one, two = pairs(folder, 1), pairs(folder, 2)
    scale = kohya(one, adapters / "ink.safetensors")
    peft(two, adapters / "wet paper.safetensors")
    model, plain = opened(folder, adapters), opened(folder)
    both = merged(folder, tmp_path / "both", (one, 0.5 * scale), (two, -0.25 * scale))
    expected = ours(opened(both), guidance=3.0, negative="fog")
    asked: dict[str, Any] = {"guidance": 3.0, "negative": "fog"}
    for text in ("ink:0.5, wet paper:-0.25", " wet paper : -.25,ink:0.5,"):
        assert apart(ours(model, lora=text, **asked), expected) < NEAR
    assert np.array_equal(ours(model, lora="ink:0", **asked), ours(plain, **asked))
    assert np.array_equal(ours(model, **asked), ours(plain, **asked))


def test_rows_of_other_adapters_are_as_they_are_alone(folder: Path, adapters: Path) -> None:
    for number, name in enumerate(("ink", "paper")):
        kohya(pairs(folder, number), adapters / f"{name}.safetensors")
    model, other = (opened(folder, adapters) for _ in range(2))  # which remember prompts
    asked = [
        ask(model, canvas_of(1), lora="ink:0.5", steps=4),
        ask(model, lora="paper:0.5", seed=2, steps=3),
        ask(model, lora="ink:0.5", seed=5, steps=3),
        ask(model, seed=7, steps=2),
    ]
    alone = [shown(other, finish(other, [each])[0]) for each in asked]
    rows = in_flight(model, asked)
    assert rows[0].key == rows[2].key, "the same adapters share a call"
    assert len({row.key for row in rows}) == 3
    for one, row in zip(alone, rows, strict=True):
        assert apart(one, shown(model, row)) < 1e-5


def test_files_come_change_and_go_while_it_serves(
    folder: Path, adapters: Path, tmp_path: Path
) -> None:
    model = opened(folder, adapters)
    with pytest.raises(InvalidParameter, match="no adapter ink: there are none here"):
        model.begin([ask(model, lora="ink")], [None])
    first, second = pairs(folder, 1), pairs(folder, 2)
    scale = kohya(first, adapters / "ink.safetensors")
    before = ours(model, lora="ink:0.5")
    kohya(second, tmp_path / "fresh.safetensors")
    (tmp_path / "fresh.safetensors").replace(adapters / "ink.safetensors")
    expected = ours(opened(merged(folder, tmp_path / "merged", (second, 0.5 * scale))))
    assert apart(ours(model, lora="ink:0.5"), expected) < NEAR
    assert apart(before, expected) > 100 * NEAR
    (adapters / "ink.safetensors").unlink()
    with pytest.raises(InvalidParameter, match="no adapter ink"):
        model.begin([ask(model, lora="ink:0.5")], [None])


def test_a_picture_in_the_making_keeps_its_adapters(
    folder: Path, adapters: Path, tmp_path: Path
) -> None:
    """Whatever becomes of the file, and however many others are asked for."""
    halves = pairs(folder, 1)
    scale = kohya(halves, adapters / "ink.safetensors")
    expected = ours(opened(merged(folder, tmp_path / "merged", (halves, 0.5 * scale))))
    model = opened(folder, adapters)
    (row,) = [r for r in model.begin([ask(model, lora="ink:0.5")], [None]) if isinstance(r, Row)]
    model.step([row])
    with (adapters / "ink.safetensors").open("r+b") as file:  # written over, not renamed
        file.truncate(0)
    for number in range(KEPT + 1):
        kohya(pairs(folder, number), adapters / f"{number}.safetensors")
        ours(model, lora=f"{number}")
    model.step([row])
    assert apart(shown(model, row), expected) < NEAR
    kohya(pairs(folder, 2), adapters / "ink.safetensors")
    other = merged(folder, tmp_path / "other", (pairs(folder, 2), 0.5 * scale))
    assert apart(ours(model, lora="ink:0.5"), ours(opened(other))) < NEAR, "prompts are read anew"


def test_an_adapter_that_was_let_go_of_is_read_again(folder: Path, adapters: Path) -> None:
    for number in range(KEPT + 2):
        kohya(pairs(folder, number), adapters / f"{number}.safetensors")
    model = opened(folder, adapters)
    first = ours(model, lora="0:0.5")
    for start in range(1, KEPT + 2, 3):
        names = ",".join(str(start + each) for each in range(3))
        with pytest.raises(InvalidParameter, match="there is no adapter"):
            model.begin([ask(model, lora=f"{names},none")], [None])
    for _ in range(2):
        assert np.array_equal(ours(model, lora="0:0.5"), first)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ink:much", "ink by much: a weight is -4 to 4"), ("ink:nan", "ink by nan: a weight is"),
        ("ink:5", "ink by 5: a weight is"), ("ink:1:2", "isn't a name"), (":1", "isn't a name"),
        ("a,b,c,d,e", "5 adapters, where there may be 4"),
        ("../ink", "there is no adapter ../ink"), ("./paper", "there is no adapter ./paper"),
        ("ink\0", "there is no adapter"),
    ],
)  # fmt: skip
def test_choices_that_are_none_are_refused(
    folder: Path, adapters: Path, text: str, told: str
) -> None:
    for where in (adapters.parent / "ink.safetensors", adapters / "paper.safetensors"):
        kohya(pairs(folder, 1), where)
    model = opened(folder, adapters)
    for each in (text, str(adapters / "paper")):
        with pytest.raises(InvalidParameter, match=told if each == text else "no adapter"):
            model.begin([ask(model, lora=each)], [None])


def test_choices_are_one_whatever_their_order() -> None:
    assert chosen_in("b, a:0.5") == chosen_in(" a :.5 ,b:1,") == (("a", 0.5), ("b", 1.0))
    assert chosen_in("") == chosen_in(" , ") == chosen_in("a:0") == ()


def test_who_takes_none_says_so(folder: Path, tmp_path: Path) -> None:
    assert "lora" not in opened(folder).spec.defaults()
    klein = make_klein(tmp_path / "klein")
    with pytest.raises(CannotLoad, match="only checkpoints with a UNet take adapters"):
        build("mine", checkpoint=str(klein), lora=str(tmp_path))
    with pytest.raises(CannotLoad, match="there is no such folder"):
        opened(folder, tmp_path / "nowhere")


async def test_an_unknown_adapter_costs_one_edit(folder: Path, adapters: Path) -> None:
    kohya(pairs(folder, 1), adapters / "ink.safetensors")
    given = ("--model-option", f"lora={adapters}", "--dtype", "fp32")
    with serving("--model", str(folder), *given) as served:
        async with drawing(served.socket_url) as pen:
            await pen.params(prompt="a red house", steps=1, lora="oil")
            error = await pen.wait_for(Error)
            assert "there is no adapter oil: there are ink" in error.message
            answer = await pen.accepted(await pen.params(lora="ink:0.5"))
            assert (await pen.final(answer.revision)).revision == answer.revision
