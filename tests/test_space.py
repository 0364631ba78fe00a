"""Weights that don't fit are refused before they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import EulerDiscreteScheduler

from models import space
from models.base import CannotLoad
from models.networks import Place
from models.parts import open_parts, read_index
from models.scenes.nets import WEIGHTS
from models.unet import KINDS
from tests.tiny_turbo import BETAS, make_turbo

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    return make_turbo(tmp_path_factory.mktemp("turbo"), "sd", scheduler)


def files(folder: Path) -> list[Path]:
    return [path for part in KINDS for path in (folder / part).glob("*.safetensors")]


def test_weights_are_counted_as_torch_counts_them(folder: Path) -> None:
    parts = open_parts(folder, read_index(folder), KINDS, lambda *_: None, Place(CPU))
    networks = [part for part in parts.values() if isinstance(part, torch.nn.Module)]
    held = sum(each.numel() for network in networks for each in network.state_dict().values())
    assert sum(map(space.weights_in, files(folder))) == held


@pytest.mark.parametrize("content", [b"", b"\xff" * 16, b"\x02" + bytes(7) + b"[]"])
def test_a_file_without_a_header_counts_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.safetensors").write_bytes(content)
    assert space.weights_in(tmp_path / "odd.safetensors") == 0


def test_too_little_memory_is_told_before_anything_is_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need = 4 * sum(map(space.weights_in, files(folder)))
    memory = tmp_path / "meminfo"
    monkeypatch.setattr(space, "MEMORY", memory)
    told: list[str] = []

    def opened(free: int) -> None:
        memory.write_text(f"MemTotal: 9 kB\nMemAvailable:   {free // 1024} kB\n")
        open_parts(folder, read_index(folder), KINDS, lambda *_: told.append("read"), Place(CPU))

    with pytest.raises(CannotLoad, match=r"the computer has 0\.0 GB free: serve fewer models"):
        opened(need - 2048)
    assert not told
    opened(need + 2048)


STAT = "anon 100\nactive_file 20\ninactive_file 30\nslab 9\n"
OLDER = STAT + "total_active_file 200\ntotal_inactive_file 300\n"


@pytest.mark.parametrize(
    ("limit", "used", "stat", "left"),
    [
        ("2000", "500", STAT, 1550), ("2000", "500", OLDER, 2000), ("max", "500", STAT, None),
        ("2000", "3000", STAT, 1), ("", "", STAT, None), ("2000", "500", "", 1500),
    ],
)  # fmt: skip
def test_a_containers_limit_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    used: str,
    stat: str,
    left: int | None,
) -> None:
    for name, text in (("max", limit), ("current", used), ("memory.stat", stat)):
        (tmp_path / name).write_text(text)
    nothing = (tmp_path / "nothing", "max", "current")
    monkeypatch.setattr(space, "GROUPS", (nothing, (tmp_path, "max", "current")))
    monkeypatch.setattr(space, "MEMORY", tmp_path / "nothing")
    assert space._free() == left
    if left:
        with pytest.raises(CannotLoad, match="the computer has"):
            space.check_room(WEIGHTS, ("unet",), Place(CPU))


def test_a_gpu_is_asked_what_it_has(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1024, 2048))
    with pytest.raises(CannotLoad, match=r"the GPU has 0\.0 GB free"):
        space.check_room(folder, KINDS, Place(torch.device("cuda"), torch.bfloat16))


def test_for_a_gpu_files_are_opened_in_its_format(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1 << 30, 1 << 31))
    gpu = Place(torch.device("cuda"), torch.bfloat16)
    parts = open_parts(folder, read_index(folder), KINDS, lambda *_: None, gpu)
    assert (parts["unet"].dtype, parts["text_encoder"].dtype) == (torch.bfloat16,) * 2
    assert parts["vae"].dtype == torch.float32
    assert Place(CPU, torch.bfloat16).opened == Place(CPU, None).opened == torch.float32
