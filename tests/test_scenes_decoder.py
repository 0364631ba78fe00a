"""The decoder's schools: sharper pictures of the same latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from models import patches
from models.scenes.autoencoder import start_linear, to_tensor
from models.scenes.finish import Answers, finish
from models.scenes.loop import Plan
from models.scenes.nets import make_autoencoder
from models.scenes.sharpen import detail, sharpen
from tests.tiny_scenes import TINY, painted, same


def plan(folder: Path, **changes: object) -> Plan:
    settings: dict[str, object] = {"rate": 1e-3, "steps": 4, "save_seconds": 1e9} | changes
    return Plan(folder / "net.pt", **settings)  # type: ignore[arg-type]


def test_sharpening_leaves_the_encoder_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = painted(64)
    vae = make_autoencoder(TINY).eval()
    start_linear(vae, data)
    sharp = sharpen(vae, [data], plan(tmp_path), batch=2, crop=32)
    assert all(same(sharp.encoder, vae.encoder))
    assert not all(same(sharp.decoder, vae.decoder))


def test_the_last_school_brings_detail_back_and_keeps_the_light(tmp_path: Path) -> None:
    """A student's smooth latents: the finished decoder draws as much detail of them as paintings
    have, where the one before drew less; colours and the encoder stay."""
    torch.manual_seed(0)
    data = painted(64)
    vae = make_autoencoder(TINY).eval()
    start_linear(vae, data)
    pictures = to_tensor(np.array(data.paintings))
    with torch.inference_mode():
        smooth = patches.encode(vae, F.avg_pool2d(pictures, 5, 1, 2))
    made = Answers(smooth.clone(), tuple(range(len(data))))
    course = plan(tmp_path, steps=60, rate=3e-3, average=0.9)
    finished = finish(vae, [data], made, course, batch=4, crop=32)

    def energy(which: AutoencoderTiny) -> Tensor:
        with torch.inference_mode():
            return detail(patches.decode(which, made.latents)).mean()

    wanted = detail(pictures).mean()
    assert energy(vae) < 0.7 * wanted
    assert abs(energy(finished) - wanted) < 0.5 * abs(energy(vae) - wanted)
    assert all(same(finished.encoder, vae.encoder))
    with torch.inference_mode():
        before, after = (patches.decode(each, made.latents) for each in (vae, finished))
    assert (F.avg_pool2d(before, 16) - F.avg_pool2d(after, 16)).abs().mean() < 0.05


def test_detail_counts_lines_wherever_they_run() -> None:
    lines = torch.full((1, 3, 66, 66), -1.0)
    lines[..., ::4] = 1
    there, moved = detail(lines), detail(lines.roll(1, 3))
    assert torch.allclose(there, moved, rtol=1e-3)
    assert (detail(F.avg_pool2d(lines, 3, 1, 1)) < 0.6 * there).all()
