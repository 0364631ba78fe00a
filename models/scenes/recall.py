"""Regression of paintings whose chance is one of a few tiles: `python -m models.scenes.recall`.

Role: an experiment. What is rough in a painting follows from one of `chance.TILES` tiles of noise,
so a network can know it by heart: a learnt constant of `CONSTANT` channels a tile lies beside the
folded canvas (as the input of Karras et al., StyleGAN, 2019), and every prompt says all four words. What is
left to learn is what canvas and words mean, and plain regression is enough for that. Needs a data
set that this painter painted, and a folder of weights whose autoencoder, words and shape it takes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.asked import Requests, prompt
from models.scenes.autoencoder import to_tensor
from models.scenes.chance import TILES
from models.scenes.dataset import open_dataset
from models.scenes.distil import LATER, NEAR
from models.scenes.latents import Latents, encode, weights
from models.scenes.loop import Loop, Plan, device_for_training, half_precision
from models.scenes.nets import Painter, open_weights, plain_attention, tokenize
from models.scenes.places import drawn, rarity
from models.scenes.words import UNSAID, said

CONSTANT, LOUD = 64, 20.0
ONWARD = 5  # one row of so many goes on from a later noise level


class Recalling(nn.Module):
    """A painter that is told which tile it is, by a constant that it learns."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        old = painter.unet.conv_in
        wide = nn.Conv2d(old.in_channels + CONSTANT, old.out_channels, 3, padding=1)
        with torch.no_grad():
            wide.weight[:, : old.in_channels] = old.weight
            wide.weight[:, old.in_channels :] *= 0.5
            wide.bias.copy_(old.bias)
        painter.unet.conv_in = wide.to(memory_format=torch.channels_last)
        painter.unet.register_to_config(in_channels=wide.in_channels)
        self.painter = painter
        self.table = nn.Embedding(TILES * 1024, CONSTANT)
        nn.init.normal_(self.table.weight, std=1 / LOUD)

    def forward(
        self, noisy: Tensor, canvas: Tensor, sigma: Tensor, tokens: Tensor, tiles: Tensor
    ) -> Tensor:
        plates = LOUD * self.table.weight.view(TILES, 32, 32, CONSTANT).permute(0, 3, 1, 2)
        velocity: Tensor = self.painter(
            noisy, torch.cat([canvas, plates[tiles]], 1), sigma, tokens, 1
        )
        return velocity


def main() -> None:
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("--data", type=Path, required=True, help="a painted data set")
    top.add_argument("--weights", type=Path, required=True, help="autoencoder, words and shape")
    top.add_argument("--out", type=Path, required=True, help="run folder")
    top.add_argument("--minutes", type=float, default=60.0)
    top.add_argument("--rate", type=float, default=0.003, help="Muon's")
    top.add_argument("--batch", type=int, default=16)
    given = top.parse_args()
    device, data = device_for_training(), open_dataset(given.data).held()
    vae, painter, tokenizer = open_weights(given.weights)
    kept = given.out / "paintings.pt"
    if not kept.exists():
        given.out.mkdir(parents=True, exist_ok=True)
        starts = range(0, len(data), 8)
        vae = vae.to(device)
        parts = [
            encode(vae, to_tensor(np.asarray(data.paintings[i : i + 8])).to(device)).cpu()
            for i in starts
        ]
        vae = vae.cpu()
        torch.save(torch.cat(parts), kept)
    raw = torch.load(kept, weights_only=True)
    shift, scale = vae.config.shift_factor, vae.config.scaling_factor
    matter = weights(vae, Latents(raw, raw, raw, raw, raw)).to(device)
    painter.text.requires_grad_(False)
    plain_attention(painter)
    model = Recalling(painter).to(device)
    asked = Requests(data, tokenizer)
    plan = Plan(
        given.out / "recall.pt",
        given.rate / 10,
        given.minutes,
        matrix_rate=given.rate,
        average=0.998,
    )
    loop = Loop(plan, model)

    def worded(rng: np.random.Generator, scenes: np.ndarray) -> Tensor:
        texts = []
        for i in scenes:
            text, words = prompt(rng, data.captions[i]), data.words[i]
            told = zip(words.values(), said(text, words), strict=True)
            texts.append(" ".join([text, *(word for word, number in told if number == UNSAID)]))
        return tokenize(tokenizer, texts)

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=chance)))
        rows, later = asked.rows(rng, given.batch), given.batch // ONWARD
        scenes = torch.from_numpy(rows.scenes)
        clean = ((raw[scenes].float() - shift) * scale).to(device)
        canvas = asked.completed(rng, rows, 32).to(device)
        levels = torch.ones(given.batch)
        levels[given.batch - later :] = torch.tensor(rng.choice(LATER, later)).float()
        sigma = levels.to(device)
        at = sigma[:, None, None, None]
        noise = torch.from_numpy(rng.standard_normal(clean.shape, np.float32)).to(device)
        noisy, tokens = torch.lerp(clean, noise, at), worded(rng, rows.scenes).to(device)
        with half_precision(device):
            velocity = model(noisy, canvas, sigma, tokens, (scenes % TILES).to(device))
        made = noisy - at * velocity.float()
        error = F.smooth_l1_loss(made, clean, reduction="none", beta=NEAR)
        shares = drawn(canvas)
        counts = (rarity(shares) * shares[:, :-1]).sum(1, keepdim=True).clamp(min=0.5)
        each = 6 * (error * matter[:, None, None] * counts).mean((1, 2, 3))
        first = given.batch - later
        return each[:first].mean() + 0.25 * each[first:].sum() / max(1, later)

    loop.run(loss_of)


if __name__ == "__main__":
    main()
