"""Command line of the training: `python -m models.scenes.train autoencoder|unet|all`.

Role: the composition root of training: paints the data, trains the autoencoder, then the painter
network, and writes `weights/`. Resumes by itself from `--out`; uses a GPU with larger batches if
there is one. On two CPU cores `all` takes an hour and a half with the default minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from transformers import CLIPTokenizer

from models.scenes.autoencoder import train_autoencoder
from models.scenes.captions import THINGS
from models.scenes.dataset import Dataset, prepare
from models.scenes.flow import Latents, encode_all, train_painter
from models.scenes.loop import Plan, device_for_training
from models.scenes.nets import (
    WEIGHTS,
    Shape,
    make_autoencoder,
    make_painter,
    make_tokenizer,
    save_weights,
)
from models.scenes.palette import STRANGERS, VOCABULARY


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m models.scenes.train", description=__doc__)
    top.add_argument("stage", choices=("autoencoder", "unet", "all", "save"))
    top.add_argument("--out", type=Path, default=Path("runs/scenes"), help="run folder")
    top.add_argument("--weights", type=Path, default=WEIGHTS, help="where the result goes")
    top.add_argument("--scenes", type=int, default=10000, help="scenes to paint")
    top.add_argument("--minutes", type=float, help="length of a stage by the clock")
    top.add_argument("--steps", type=int, help="length of a stage by count, instead")
    top.add_argument("--batch", type=int, help="rows a step; lower it where memory is short")
    top.add_argument("--seed", type=int, default=0)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    torch.manual_seed(options.seed)
    data = prepare(options.out / "data", options.scenes)
    if options.stage in ("autoencoder", "all"):
        vae = make_autoencoder(Shape()).to(device_for_training())
        plan = _plan(options, "autoencoder", 1.5e-3, 25.0)
        train_autoencoder(vae, data, plan, options.batch or _batch(16))
    if options.stage in ("unet", "all"):
        _train_unet(options, data)
    if options.stage in ("unet", "all", "save"):
        _save(options, data)


def _plan(options: argparse.Namespace, name: str, rate: float, minutes: float) -> Plan:
    by_clock = None if options.steps else options.minutes or minutes
    where = options.out / f"{name}.pt"
    return Plan(where, rate, by_clock, options.steps, seed=options.seed)


def _batch(on_cpu: int) -> int:
    return on_cpu * 8 if torch.cuda.is_available() else on_cpu


def _train_unet(options: argparse.Namespace, data: Dataset) -> None:
    device = device_for_training()
    vae = trained_autoencoder(options.out).to(device)
    latents = calibrated(vae, encode_all(vae, data, options.out / "latents.pt"), options.out)
    tokenizer = tokenizer_for(options.out, data)
    painter = make_painter(Shape(), len(tokenizer)).to(device)
    plan = _plan(options, "unet", 6e-4, 60.0)
    train_painter(painter, tokenizer, data, latents, plan, options.batch or _batch(16))


def trained_autoencoder(out: Path, shape: Shape | None = None) -> AutoencoderTiny:
    """The averaged weights of the first stage, frozen."""
    vae = make_autoencoder(shape or Shape())
    state = torch.load(out / "autoencoder.pt", map_location="cpu", weights_only=True)
    vae.load_state_dict(state["average"])
    return vae.eval().requires_grad_(False)


def calibrated(vae: AutoencoderTiny, raw: Latents, out: Path) -> Latents:
    """Write the latents' mean and spread into the config, and answer them normalised."""
    some = raw.paintings[:: max(1, len(raw.paintings) // 500)].float()
    shift, scale = float(some.mean()), 1 / float(some.std())
    vae.register_to_config(shift_factor=shift, scaling_factor=scale)
    torch.save({"shift": shift, "scale": scale}, out / "latents-scale.pt")
    for values in (raw.paintings, raw.canvases):
        values.sub_(shift).mul_(scale)
    return raw


def tokenizer_for(out: Path, data: Dataset) -> CLIPTokenizer:
    """The run's tokenizer, learnt once from the captions and all known words."""
    folder = out / "tokenizer"
    if (folder / "vocab.json").exists():
        return CLIPTokenizer.from_pretrained(str(folder))
    known = [word for group in VOCABULARY.values() for many in group.values() for word in many]
    known += [word for many in THINGS.values() for word in many] + list(STRANGERS)
    return make_tokenizer(folder, [*(c for many in data.captions for c in many), *known * 20])


def _save(options: argparse.Namespace, data: Dataset) -> None:
    vae = trained_autoencoder(options.out)
    numbers = torch.load(options.out / "latents-scale.pt", weights_only=True)
    vae.register_to_config(shift_factor=numbers["shift"], scaling_factor=numbers["scale"])
    tokenizer = tokenizer_for(options.out, data)
    painter = make_painter(Shape(), len(tokenizer))
    state = torch.load(options.out / "unet.pt", map_location="cpu", weights_only=True)
    painter.load_state_dict(state["average"])
    save_weights(options.weights, vae, painter, tokenizer)


if __name__ == "__main__":
    main()
