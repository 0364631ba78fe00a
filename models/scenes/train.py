"""Command line of the training: `python -m models.scenes.train all`, or one of its stages.

Role: the composition root of training: paints the data, then trains in five stages, each from what
the ones before left in `--out`: `autoencoder`; `sharpen`, its decoder; `painter`, which writes
`weights/`; `layout`, what bare paper shows, and `finish`, the decoder once more, which change them.
Resumes by itself; uses a GPU with larger batches if there is one. On two CPU cores `all` takes ten
hours with the default minutes.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from torch import Tensor
from transformers import CLIPTokenizer

from models.layout import Layout, LayoutShape, save_layout
from models.scenes.asked import Requests
from models.scenes.autoencoder import start_linear, train_autoencoder
from models.scenes.captions import THINGS
from models.scenes.completion import train_layout
from models.scenes.dataset import Dataset, prepare
from models.scenes.finish import answers, finish
from models.scenes.latents import calibrate, encode_all, fingerprint, normalised, weights
from models.scenes.loop import Plan, device_for_training, halves, opened
from models.scenes.model import build
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
from models.scenes.painting import Feed, train_painter
from models.scenes.palette import STRANGERS, VOCABULARY
from models.scenes.room import Room, advice
from models.scenes.sharpen import sharpen

STAGES = ("autoencoder", "sharpen", "painter", "layout", "finish")
ANSWERS = 1000  # of the student, that the decoder sees in its last training


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m models.scenes.train", description=__doc__)
    top.add_argument("stage", choices=(*STAGES, "all"))
    top.add_argument("--out", type=Path, default=Path("runs/scenes"), help="run folder")
    top.add_argument("--weights", type=Path, default=WEIGHTS, help="where the result goes")
    top.add_argument("--scenes", type=_count, default=16000, help="scenes to paint")
    top.add_argument("--fine", type=_count, default=2000, help="of these, painted at 512² as well")
    length = top.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=_minutes, help="length of a stage by the clock")
    length.add_argument("--steps", type=_count, help="length of a stage by count, instead")
    top.add_argument("--batch", type=_count, help="rows a step; lower it where memory is short")
    top.add_argument("--seed", type=int, default=0)
    return top


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def _minutes(text: str) -> float:
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError(f"{text} is no length of time")
    return value


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    if lack := advice(Room.here(), _batch(options), options.scenes, halves(device_for_training())):
        raise SystemExit(lack)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that who paints the data ends too
    try:
        run(options)
    except torch.OutOfMemoryError:
        raise SystemExit(
            f"the GPU has too little memory: the same command with --batch "
            f"{max(1, _batch(options) // 2)} goes on from the last checkpoint"
        ) from None


def _data(options: argparse.Namespace) -> tuple[Dataset, Dataset]:
    """The scenes, and the first of them at twice the size."""
    return (
        prepare(options.out / "data", options.scenes, 256),
        prepare(options.out / "data512", min(options.fine, options.scenes), 512),
    )


def run(options: argparse.Namespace) -> None:
    """The stages asked for."""
    data, fine = _data(options)
    for stage in STAGES if options.stage == "all" else (options.stage,):
        torch.manual_seed(options.seed)
        {
            "autoencoder": _autoencoder,
            "sharpen": _sharpen,
            "painter": _painter,
            "layout": _layout,
            "finish": _finish,
        }[stage](options, data, fine)


def _autoencoder(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    vae = make_autoencoder(Shape()).to(device_for_training())
    plan = replace(_plan(options, "autoencoder", 1e-3, 30.0), matrix_rate=0.005, average=0.998)
    if not plan.checkpoint.exists():
        start_linear(vae, data)
    train_autoencoder(vae, [data, fine], plan, max(1, _batch(options) // 2))


def _sharpen(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    vae = trained_autoencoder(options.out).to(device_for_training())
    plan = replace(_plan(options, "decoder", 3e-4, 10.0), rests=fingerprint(vae))
    sharpen(vae, [data, fine], plan, max(1, _batch(options) // 2))


def _painter(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    """What was finished before of the folder (its layout network) stays."""
    vae = trained_autoencoder(options.out).to(device_for_training())
    data, latents = data.held(), encode_all(vae, data, fine, options.out)
    calibrate(vae, latents)
    tokenizer = tokenizer_for(options.out, data)
    feed = Feed(data, normalised(vae, latents), tokenizer, weights(vae, latents))
    painter = make_painter(Shape(), len(tokenizer)).to(device_for_training()).train()
    plan = replace(_plan(options, "painter", 1e-3, 500.0), matrix_rate=0.01, average=0.998)
    plan = replace(plan, rests=fingerprint(vae))
    trained = train_painter(painter, feed, plan, _batch(options))
    if (options.out / "decoder.pt").exists():
        sharp = opened(options.out / "decoder.pt", fingerprint(vae))["average"]
        vae.decoder.load_state_dict(sharp)
    save_weights(options.weights, vae.cpu(), trained.cpu(), tokenizer)


def _layout(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    """Its words are the painter's, so it is kept beside them."""
    _, painter, tokenizer = _written(options)
    text = painter.text.to(device_for_training())

    @torch.no_grad()
    def say(tokens: Tensor) -> Tensor:
        words: Tensor = text(tokens.to(text.device)).last_hidden_state.mean(1)
        return words

    layout = Layout(LayoutShape(len(FOLD.colours), FOLD.cells, text.config.hidden_size))
    plan = replace(_plan(options, "layout", 1e-3, 40.0), momentum=0.5, average=0.998)
    plan = replace(plan, rests=fingerprint(text))
    asked = Requests(data.held(), tokenizer)
    trained = train_layout(layout.to(text.device), asked, say, plan, _batch(options))
    save_layout(trained.cpu(), options.weights)


def _finish(options: argparse.Namespace, data: Dataset, fine: Dataset) -> None:
    """On the weights as they are: only their decoder changes, so that it can go on from them."""
    vae, painter, tokenizer = _written(options)
    model = build(dtype="float32", weights=str(options.weights))
    model.load(lambda stage, share: None)
    made = answers(model, data, min(ANSWERS, len(data)))
    plan = replace(_plan(options, "finish", 3e-4, 15.0), average=0.998)
    plan = replace(plan, rests=f"{fingerprint(vae.encoder)}-{fingerprint(painter)}")
    vae = vae.to(device_for_training())
    finished = finish(vae, [data, fine], made, plan, max(1, _batch(options) // 2))
    save_weights(options.weights, finished.cpu(), painter, tokenizer)


def _written(options: argparse.Namespace) -> tuple[AutoencoderTiny, Painter, CLIPTokenizer]:
    if not (options.weights / "model_index.json").exists():
        raise SystemExit(f"{options.weights} isn't there: run `painter` first")
    return open_weights(options.weights)


def _plan(options: argparse.Namespace, name: str, rate: float, minutes: float) -> Plan:
    by_clock = None if options.steps else options.minutes or minutes
    where = options.out / f"{name}.pt"
    return Plan(where, rate, by_clock, options.steps, seed=options.seed)


def _batch(options: argparse.Namespace) -> int:
    """Rows a step."""
    return int(options.batch or (128 if torch.cuda.is_available() else 16))


def trained_autoencoder(out: Path) -> AutoencoderTiny:
    """The averaged weights of the first stage, frozen."""
    if not (out / "autoencoder.pt").exists():
        raise SystemExit(f"{out / 'autoencoder.pt'} isn't there: run `autoencoder` first")
    vae = make_autoencoder(Shape())
    vae.load_state_dict(opened(out / "autoencoder.pt", "")["average"])
    return vae.eval().requires_grad_(False)


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
