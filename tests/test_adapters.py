"""Adapters beside a checkpoint's weights: as if they had been added to them, for whoever asks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EulerDiscreteScheduler
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.adapters import KEPT, chosen_in
from models.base import CannotLoad, InvalidParameter, Request
from models.latent import LatentModel
from models.lora_files import _modern
from models.row import Row
from models.turbo import build
from streaming.protocol import Error
from tests.pen import drawing
from tests.serving import serving
from tests.tiny_klein import make_klein
from tests.tiny_turbo import BETAS, make_turbo
from tests.tiny_unet import canvas_of, finish, shown

NEAR = 1e-4
RANK, ALPHA = 3, 6.0
LAYERS = {
    "unet": (
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_q",
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
        "up_blocks.1.resnets.0.conv1",
        "conv_in",
    ),
    "text_encoder": ("encoder.layers.0.self_attn.q_proj", "encoder.layers.1.mlp.fc1"),
}
FILES = {"unet": "diffusion_pytorch_model.safetensors", "text_encoder": "model.safetensors"}
Pair = tuple[Tensor, Tensor]
Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    return make_turbo(tmp_path_factory.mktemp("turbo") / "tiny", "sd", scheduler)


def weights_of(folder: Path, network: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_file(folder / network / FILES[network])
    return found


def named(weights: dict[str, Tensor], layer: str) -> str:
    """A layer's weight in a file, whose text encoder may have a level more."""
    (found,) = (key for key in weights if key.endswith(f"{layer}.weight"))
    return found


def pairs(folder: Path, seed: int) -> dict[tuple[str, str], Pair]:
    """Random halves for each layer, clearly to be seen."""
    chance, found = torch.Generator().manual_seed(seed), {}
    for network, layers in LAYERS.items():
        weights = weights_of(folder, network)
        for layer in layers:
            weight = weights[named(weights, layer)]
            down = torch.randn((RANK, *weight.shape[1:]), generator=chance)
            up = torch.randn((len(weight), RANK, *[1] * (weight.ndim - 2)), generator=chance)
            found[network, layer] = 0.5 * down, 0.5 * up
    return found


def merged(folder: Path, to: Path, *added: tuple[dict[tuple[str, str], Pair], float]) -> Path:
    """The checkpoint with adapters in its weights: each pair's product, so many times."""
    shutil.copytree(folder, to)
    for network, layers in LAYERS.items():
        weights = weights_of(folder, network)
        for layer in layers:
            name = named(weights, layer)
            for halves, by in added:
                down, up = halves[network, layer]
                change = up.flatten(1) @ down.flatten(1)
                weights[name] = weights[name] + by * change.view_as(weights[name])
        save_file(weights, to / network / FILES[network], metadata={"format": "pt"})
    return to


def peft(halves: dict[tuple[str, str], Pair], to: Path) -> float:
    """As diffusers saves adapters now; answers α ÷ rank."""
    tensors = {}
    for (network, layer), (down, up) in halves.items():
        tensors[f"{network}.{layer}.lora_A.weight"] = down
        tensors[f"{network}.{layer}.lora_B.weight"] = up
    settings = {"unet.lora_alpha": ALPHA, "text_encoder.lora_alpha": ALPHA, "unet.use_dora": False}
    save_file(tensors, to, metadata={"lora_adapter_metadata": json.dumps(settings)})
    return ALPHA / RANK


def older(halves: dict[tuple[str, str], Pair], to: Path) -> float:
    """As diffusers saved them before."""
    tensors = {}
    for (network, layer), (down, up) in halves.items():
        where = f"{network}.{layer}."
        where = where.replace("encoder.layers", "text_model.encoder.layers")
        where += "lora_linear_layer." if network == "text_encoder" else "lora."
        for last in ("to_q", "to_out.0"):
            new = f"processor.{last.removesuffix('.0')}_lora."
            where = where.replace(f"{last}.lora.", new)
        tensors[f"{where}down.weight"], tensors[f"{where}up.weight"] = down, up
    save_file(tensors, to)
    return 1.0


def kohya(halves: dict[tuple[str, str], Pair], to: Path) -> float:
    """As kohya's scripts save them."""
    tensors = {}
    for (network, layer), (down, up) in halves.items():
        prefix = "lora_unet_" if network == "unet" else "lora_te_text_model_"
        where = prefix + layer.replace(".", "_")
        tensors[f"{where}.lora_down.weight"], tensors[f"{where}.lora_up.weight"] = down, up
        tensors[f"{where}.alpha"] = torch.tensor(ALPHA)
    save_file(tensors, to)
    return ALPHA / RANK


Save = Callable[[dict[tuple[str, str], Pair], Path], float]


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    where = tmp_path / "adapters"
    where.mkdir()
    return where


def opened(folder: Path, adapters: Path | None = None) -> LatentModel:
    model = build(
        "tiny", "cpu", "fp32", str(folder), tiny="none", max_batch=3, lora=str(adapters or "")
    )
    model.load(lambda stage, share: None)
    return model


def ask(model: LatentModel, canvas: NDArray[np.uint8] | None = None, **params: object) -> Request:
    spec, inputs = model.spec, {} if canvas is None else {"canvas": canvas}
    asked = {"prompt": "sunset", "seed": 3, "steps": 2} | params
    return Request("s", spec.name, 1, 1, spec.defaults() | spec.check(asked), inputs)


def ours(model: LatentModel, **params: object) -> Floats:
    (row,) = finish(model, [ask(model, **params)])  # type: ignore[arg-type]
    return shown(model, row)


def apart(one: Floats, other: Floats) -> float:
    return float(np.abs(one - other).max())


@pytest.mark.parametrize("save", [peft, older, kohya])
def test_a_file_of_any_layout_is_as_if_in_the_weights(
    folder: Path, adapters: Path, tmp_path: Path, save: Save
) -> None:
    halves = pairs(folder, 1)
    scale = save(halves, adapters / "ink.safetensors")
    model = opened(folder, adapters)
    expected = ours(opened(merged(folder, tmp_path / "merged", (halves, 0.5 * scale))))
    assert apart(ours(model, lora="ink:0.5"), expected) < NEAR
    assert apart(ours(model), expected) > 100 * NEAR
    assert apart(ours(model, lora="ink"), expected) > 100 * NEAR


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
    rows = [row for row in model.begin(asked, [None] * 4) if isinstance(row, Row)]
    assert rows[0].key == rows[2].key, "the same adapters share a call"
    assert len({row.key for row in rows}) == 3
    while live := [row for row in rows if row.step < row.steps]:
        for key in {row.key for row in live}:
            model.step([row for row in live if row.key == key])
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


@pytest.mark.parametrize(("root", "scale"), [(False, 2.0), (True, 6.0 / 3**0.5)])
def test_a_root_of_the_rank_is_kept_to(
    folder: Path, adapters: Path, tmp_path: Path, root: bool, scale: float
) -> None:
    halves, where = pairs(folder, 1), adapters / "ink.safetensors"
    peft(halves, where)
    settings = {f"{network}.lora_alpha": ALPHA for network in LAYERS}
    settings |= {f"{network}.use_rslora": root for network in LAYERS}
    save_file(load_file(where), where, metadata={"lora_adapter_metadata": json.dumps(settings)})
    model = opened(folder, adapters)
    expected = ours(opened(merged(folder, tmp_path / "merged", (halves, 0.25 * scale))))
    assert apart(ours(model, lora="ink:0.25"), expected) < NEAR


def test_what_peft_saves_by_itself_is_for_the_unet(
    folder: Path, adapters: Path, tmp_path: Path
) -> None:
    halves, where = pairs(folder, 1), adapters / "ink.safetensors"
    tensors = {}
    for (network, layer), (down, up) in halves.items():
        if network == "unet":
            tensors[f"base_model.model.{layer}.lora_A.weight"] = down
            tensors[f"base_model.model.{layer}.lora_B.weight"] = up
    save_file(tensors, where)
    none = {each: (0 * down, up) for each, (down, up) in halves.items() if each[0] != "unet"}
    expected = ours(opened(merged(folder, tmp_path / "merged", (halves | none, 0.5))))
    assert apart(ours(opened(folder, adapters), lora="ink:0.5"), expected) < NEAR


def test_a_half_in_two_spellings_is_refused(folder: Path, adapters: Path) -> None:
    where = adapters / "ink.safetensors"
    kohya(pairs(folder, 1), where)
    tensors = load_file(where)
    again = {"unet.conv_in.lora_A.weight": tensors["lora_unet_conv_in.lora_down.weight"].clone()}
    save_file(tensors | again, where)
    model = opened(folder, adapters)
    with pytest.raises(InvalidParameter, match=r"of unet.conv_in it has one half twice"):
        model.begin([ask(model, lora="ink")], [None])


def spoil(folder: Path, to: Path, **change: Tensor | None) -> None:
    kohya(pairs(folder, 1), to)
    tensors = load_file(to)
    for end, value in change.items():
        name = next(key for key in tensors if key.endswith(end.replace("__", ".")))
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value
    save_file(tensors, to)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lora_up__weight": None}, "it has but one half"),
        ({"lora_down__weight": torch.zeros(RANK, 5)}, "it is for another one"),
        ({"lora_down__weight": torch.zeros(0, 4)}, "it is for another one"),
        ({"lora_down__weight": torch.tensor(1.0)}, "it is for another one"),
        ({"alpha": torch.ones(2)}, "its alpha isn't a number"),
        ({"alpha": torch.tensor(float("inf"))}, "numbers that are none"),
        ({"lora_up__weight": torch.zeros(8, 3, dtype=torch.complex64)}, "for another one|be used"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    folder: Path, adapters: Path, change: dict[str, Tensor | None], told: str
) -> None:
    spoil(folder, adapters / "ink.safetensors", **change)
    model = opened(folder, adapters)
    with pytest.raises(InvalidParameter, match=f"lora: ink: .*{told}"):
        model.begin([ask(model, lora="ink")], [None])


def test_files_of_other_kinds_are_refused(folder: Path, adapters: Path) -> None:
    model, where = opened(folder, adapters), adapters / "ink.safetensors"
    kohya(pairs(folder, 1), where)
    good = load_file(where)
    name = next(key for key in good if key.endswith("lora_down.weight"))
    other = {key.replace("down_blocks", "double_blocks"): value for key, value in good.items()}
    wrong: dict[str, tuple[dict[str, Tensor], dict[str, str]]] = {
        "nothing like lora_unet_double_blocks": (other, {}),
        "nothing like .*dora_scale": (good | {"lora_unet_conv_in.dora_scale": torch.ones(4)}, {}),
        "numbers that are none": (good | {name: torch.full_like(good[name], float("nan"))}, {}),
        "it holds nothing": ({}, {}),
        "its unet.use_dora isn't done": (good, {"unet.use_dora": "true"}),
    }
    for told, (tensors, settings) in wrong.items():
        header = {"lora_adapter_metadata": json.dumps(dict.fromkeys(settings, True))}
        save_file(tensors, where, metadata=header)
        with pytest.raises(InvalidParameter, match=told):
            model.begin([ask(model, lora="ink")], [None])
    where.write_bytes(where.read_bytes()[:40])
    with pytest.raises(InvalidParameter, match="ink: it can't be opened"):
        model.begin([ask(model, lora="ink")], [None])
    torch.save(good, adapters / "pickled.safetensors")
    with pytest.raises(InvalidParameter, match="pickled: it can't be opened"):
        model.begin([ask(model, lora="pickled")], [None])
    assert ours(model).shape[2] == 3, "others go on"


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


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("input_blocks_0_0", "conv_in"),
        ("input_blocks_1_0_in_layers_2", "down_blocks_0_resnets_0_conv1"),
        ("input_blocks_3_0_op", "down_blocks_0_downsamplers_0_conv"),
        ("input_blocks_4_1_transformer_blocks_0_attn1_to_q",
         "down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"),
        ("input_blocks_8_1_proj_in", "down_blocks_2_attentions_1_proj_in"),
        ("middle_block_1_transformer_blocks_3_ff_net_2",
         "mid_block_attentions_0_transformer_blocks_3_ff_net_2"),
        ("middle_block_2_out_layers_3", "mid_block_resnets_1_conv2"),
        ("output_blocks_0_0_skip_connection", "up_blocks_0_resnets_0_conv_shortcut"),
        ("output_blocks_2_1_proj_out", "up_blocks_0_attentions_2_proj_out"),
        ("output_blocks_2_2_conv", "up_blocks_0_upsamplers_0_conv"),
        ("output_blocks_5_0_emb_layers_1", "up_blocks_1_resnets_2_time_emb_proj"),
    ],
)  # fmt: skip
def test_original_block_names_are_known(original: str, name: str) -> None:
    """Of the UNet that SDXL was taught as, as most adapters for it name its layers."""
    assert _modern(f"lora_unet_{original}") == f"lora_unet_{name}"


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
