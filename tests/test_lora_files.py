"""Files of adapters: of any layout as if they had been added to the weights, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import EulerDiscreteScheduler
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.base import InvalidParameter
from models.lora_files import _modern
from tests.parity import NEAR, apart
from tests.tiny_lora import (
    ALPHA,
    LAYERS,
    RANK,
    Save,
    ask,
    kohya,
    merged,
    older,
    opened,
    ours,
    pairs,
    peft,
)
from tests.tiny_turbo import BETAS, make_turbo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    return make_turbo(tmp_path_factory.mktemp("turbo") / "tiny", "sd", scheduler)


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    where = tmp_path / "adapters"
    where.mkdir()
    return where


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
