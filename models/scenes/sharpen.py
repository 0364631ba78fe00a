"""The last training: a decoder that draws what the latents leave open, instead of blurring it.

Role: sixteen numbers for eight by eight pixels leave the finest detail open, and a decoder that
only minimises distance answers its mean, which is soft. Here a critic sees pictures (as squares of
pixels) beside their latents. Invariant: only the decoder changes, so that all latents keep their
meaning. Knows nothing of the painter network.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from models.patches import decode, encode
from models.scenes.autoencoder import NOISE, SPREAD, crops, picture_loss, to_tensor
from models.scenes.critic import Asked, Critic, criticised
from models.scenes.dataset import Dataset
from models.scenes.loop import Loop, Plan, half_precision

SQUARE = 4  # pixels of the critic's squares
WIDTH = (96, 128, 160)
WORDS = 8  # the critic's words: there are none
CRITIC = 0.1


class Eye(nn.Module):
    """A critic of pictures beside latents: the latents' critic over squares of pixels."""

    def __init__(self, latents: int, width: tuple[int, int, int] = WIDTH) -> None:
        super().__init__()
        self.critic = Critic(3 * SQUARE**2, latents, WORDS, 1, width)

    def forward(self, pictures: Tensor, latents: Tensor, words: Tensor, scale: int) -> Tensor:
        squares = F.pixel_unshuffle(pictures, SQUARE)
        beside = F.interpolate(latents, size=squares.shape[2:])
        opinions: Tensor = self.critic(squares, beside, words, scale)
        return opinions


def sharpen(
    vae: AutoencoderTiny,
    data: Sequence[Dataset],
    plan: Plan,
    batch: int = 8,
    crop: int = 128,
    width: tuple[int, int, int] = WIDTH,
) -> AutoencoderTiny:
    """Answers a copy with the averaged decoder."""
    result = copy.deepcopy(vae).requires_grad_(False)
    decoder = result.decoder.requires_grad_(True)
    device = next(vae.parameters()).device
    eye = Eye(int(vae.config.latent_channels), width).to(device)
    judge = torch.optim.AdamW(eye.parameters(), 1e-3, (0.5, 0.99), weight_decay=0.0)
    loop = Loop(plan, decoder, {"eye": eye, "judge": judge})

    def loss_of(step: int, chance: torch.Generator) -> Tensor:
        pictures = to_tensor(crops(data, chance, batch, crop)).to(device)
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=chance)))
        with torch.no_grad(), half_precision(device):
            latents = encode(result, pictures).float()
            latents = latents + NOISE * SPREAD * torch.randn_like(latents)
        with half_precision(device):
            made = decode(result, latents)
        asked = Asked(latents, torch.zeros(len(pictures), WORDS, device=device), 0)
        loss = criticised(eye, judge, [pictures], [made.float()], asked)
        return picture_loss(made.float(), pictures) + CRITIC * loss

    loop.run(loss_of)
    decoder.load_state_dict(loop.average.state_dict())
    return result
