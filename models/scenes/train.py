"""Command line of the training: `python -m models.scenes.train all`, or one of its stages.

Role: the composition root of training: paints the data, then trains in five stages, each from what
the ones before left in `--out`: `autoencoder`; `sharpen`, its decoder; `unet`, the teacher;
`layout`, what bare paper shows; and `distil`, which writes `weights/`. Resumes by itself; uses a
GPU with larger batches if there is one. On two CPU cores `all` takes seven hours with the default
minutes.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from diffusers import AutoencoderTiny
from torch import Tensor
from torch.multiprocessing.spawn import spawn
from transformers import CLIPTokenizer

from models.layout import Layout, LayoutShape, open_layout, save_layout
from models.scenes.asked import Requests
from models.scenes.autoencoder import start_linear, train_autoencoder
from models.scenes.captions import THINGS
from models.scenes.completion import train_layout
from models.scenes.dataset import Dataset, prepare
from models.scenes.distil import Lessons, distil
from models.scenes.flow import Feed, train_painter
from models.scenes.latents import calibrate, encode_all, normalised, weights
from models.scenes.loop import Plan, device_for_training, halves, rank
from models.scenes.nets import (
    FOLD,
    WEIGHTS,
    Painter,
    Shape,
    make_autoencoder,
    make_painter,
    make_tokenizer,
    open_weights,
    save_weights,
)
from models.scenes.palette import STRANGERS, VOCABULARY
from models.scenes.room import Room, advice
from models.scenes.sharpen import sharpen

STAGES = ("autoencoder", "sharpen", "unet", "layout", "distil")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m models.scenes.train", description=__doc__)
    top.add_argument("stage", choices=(*STAGES, "all"))
    top.add_argument("--out", type=Path, default=Path("runs/scenes"), help="run folder")
    top.add_argument("--weights", type=Path, default=WEIGHTS, help="where the result goes")
    top.add_argument("--scenes", type=int, default=16000, help="scenes to paint")
    top.add_argument("--fine", type=int, default=2000, help="of these, painted at 512² as well")
    top.add_argument("--half-size", type=float, default=0.25, help="share of the unet at 128²")
    top.add_argument("--minutes", type=float, help="length of a stage by the clock")
    top.add_argument("--steps", type=int, help="length of a stage by count, instead")
    top.add_argument("--batch", type=int, help="rows a step; lower it where memory is short")
    top.add_argument("--seed", type=int, default=0)
    top.add_argument("--processes", type=int, default=1, help="train in so many, on a busy CPU")
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if lack := advice(Room.here(), _rows(options), options.scenes, halves(device_for_training())):
        raise SystemExit(lack)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes made end too
    _data(options)
    if options.processes == 1:
        try:
            run(options)
        except torch.OutOfMemoryError:
            raise SystemExit(
                f"the GPU has too little memory: the same command with --batch "
                f"{max(1, _rows(options) // 2)} goes on from the last checkpoint"
            ) from None
        return
    with tempfile.TemporaryDirectory() as meeting:
        address = f"file://{meeting}/meet"
        spawn(_together, (options, address), options.processes)  # type: ignore[no-untyped-call]


def _together(number: int, options: argparse.Namespace, address: str) -> None:
    """One of several processes, each with one thread: threads of one process wait for each other
    at every operation, processes once a step, which is far better on a busy machine."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", address, rank=number, world_size=options.processes)
    run(options)
    dist.destroy_process_group()


def _data(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    """The scenes, and the first of them at twice the size."""
    return (
        prepare(options.out / "data", options.scenes, 256, 3),
        prepare(options.out / "data512", min(options.fine, options.scenes), 512, 2),
    )


def run(options: argparse.Namespace) -> None:
    """The stages asked for, in this process."""
    data, fine = _data(options)
    for stage in STAGES if options.stage == "all" else (options.stage,):
        torch.manual_seed(options.seed)
        {
            "autoencoder": _autoencoder,
            "sharpen": _sharpen,
            "unet": _unet,
            "layout": _layout,
            "distil": _distil,
        }[stage](options, data, fine)


def _autoencoder(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    vae = make_autoencoder(Shape()).to(device_for_training())
    plan = replace(_plan(options, "autoencoder", 1e-3, 30.0), matrix_rate=0.005, average=0.998)
    if not plan.checkpoint.exists():
        start_linear(vae, data)
    train_autoencoder(vae, [data, fine], plan, max(1, _batch(options) // 2))


def _sharpen(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    vae = trained_autoencoder(options.out).to(device_for_training())
    plan = _plan(options, "decoder", 3e-4, 10.0)
    sharpen(vae, [data, fine], plan, max(1, _batch(options) // 2))


def _unet(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    feed, vae = _feed(options, data, fine)
    painter = make_painter(Shape(), len(feed.asked.tokenizer)).to(device_for_training()).train()
    plan = replace(_plan(options, "unet", 1e-3, 160.0), matrix_rate=0.01, average=0.998)
    batch = _batch(options)
    teacher = train_painter(painter, feed, plan, batch, options.half_size)
    _save(options, options.out / "teacher", vae, teacher, feed.asked.tokenizer)


def _layout(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    """Its words are the teacher's, so it is kept beside them."""
    folder = options.out / "teacher"
    _, teacher, tokenizer = open_weights(folder)
    text = teacher.text.to(device_for_training())

    @torch.no_grad()
    def say(tokens: Tensor) -> Tensor:
        words: Tensor = text(tokens.to(text.device)).last_hidden_state.mean(1)
        return words

    layout = Layout(LayoutShape(len(FOLD.colours), FOLD.cells, text.config.hidden_size))
    plan = replace(_plan(options, "layout", 1e-3, 40.0), momentum=0.5, average=0.998)
    asked = Requests(data.held(), tokenizer)
    trained = train_layout(layout.to(text.device), asked, say, plan, _batch(options))
    if rank() == 0:
        save_layout(trained.cpu(), folder)


def _distil(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    feed, vae = _feed(options, data, fine)
    folder = options.out / "teacher"
    _, teacher, _ = open_weights(folder)
    teacher = teacher.to(device_for_training())
    plan = replace(_plan(options, "student", 4e-4, 160.0), momentum=0.5, average=0.999)
    student = distil(teacher, Lessons(feed), plan, max(1, _batch(options) // 2))
    _save(options, options.weights, vae, student, feed.asked.tokenizer)
    if rank() == 0 and (layout := open_layout(folder)):
        save_layout(layout, options.weights)


def _feed(
    options: argparse.Namespace, data: Dataset, fine: Dataset
) -> tuple[Feed, AutoencoderTiny]:
    """What the painter networks learn from, and the autoencoder that it was encoded by."""
    vae = trained_autoencoder(options.out).to(device_for_training())
    data, latents = data.held(), encode_all(vae, data, fine, options.out)
    calibrate(vae, latents)
    tokenizer, matter = tokenizer_for(options.out, data), weights(vae, latents)
    return Feed(data, normalised(vae, latents), tokenizer, matter), vae


def _save(
    options: argparse.Namespace,
    folder: Path,
    vae: AutoencoderTiny,
    painter: Painter,
    tokenizer: CLIPTokenizer,
) -> None:
    """A whole folder, with the sharpened decoder where there is one."""
    if (options.out / "decoder.pt").exists():
        vae.decoder.load_state_dict(_average(options.out / "decoder.pt"))
    if rank() == 0:
        save_weights(folder, vae.cpu(), painter.cpu(), tokenizer)


def _plan(options: argparse.Namespace, name: str, rate: float, minutes: float) -> Plan:
    by_clock = None if options.steps else options.minutes or minutes
    where = options.out / f"{name}.pt"
    return Plan(where, rate, by_clock, options.steps, seed=options.seed)


def _rows(options: argparse.Namespace) -> int:
    """Rows a step of all processes."""
    return int(options.batch or (128 if torch.cuda.is_available() else 16))


def _batch(options: argparse.Namespace) -> int:
    """Rows a step of this process."""
    return max(1, _rows(options) // int(options.processes))


def trained_autoencoder(out: Path, shape: Shape | None = None) -> AutoencoderTiny:
    """The averaged weights of the first stage, frozen."""
    vae = make_autoencoder(shape or Shape())
    vae.load_state_dict(_average(out / "autoencoder.pt"))
    return vae.eval().requires_grad_(False)


def _average(checkpoint: Path) -> dict[str, Tensor]:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    average: dict[str, Tensor] = state["average"]
    return average


def tokenizer_for(out: Path, data: Dataset) -> CLIPTokenizer:
    """The run's tokenizer, learnt once from the captions and all known words."""
    folder = out / "tokenizer"
    if (folder / "vocab.json").exists():
        return CLIPTokenizer.from_pretrained(str(folder))
    known = [word for group in VOCABULARY.values() for many in group.values() for word in many]
    known += [word for many in THINGS.values() for word in many] + list(STRANGERS)
    return make_tokenizer(folder, [*(c for many in data.captions for c in many), *known * 20])


if __name__ == "__main__":
    main()
