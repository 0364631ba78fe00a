"""What the teacher sees in latents: the features that its critic judges by.

Role: a network that learnt to tell noise from pictures knows what is in them. Its encoder, frozen,
looks at latents with a little noise mixed in, as at a picture on bare paper without a word, and
what it finds at each size goes to the critics (Sauer et al., LADD, 2024; the encoder of a diffusion
network as the critic's: Yin et al., DMD2, 2024). Knows nothing of losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.scenes.nets import Painter, bare_paper

MOST_NOISE = 0.06
GROUPS = 8


@dataclass(frozen=True)
class Glance:
    """Noise levels (n,) and noise (n, c, h, w) to look through, and the pictures' size."""

    sigma: Tensor
    noise: Tensor
    scale: int


class Sight:
    """A frozen painter network as eyes. `silence` (1, t, w) is its text of no words; `channels` of
    features at the full size, half and a quarter of it."""

    def __init__(self, teacher: Painter, silence: Tensor) -> None:
        self.unet: Any = teacher.unet
        self.silence = silence
        one, two, three = self.unet.config.block_out_channels
        self.channels = (int(one), int(two), 2 * int(three))

    def __call__(self, latents: Tensor, glance: Glance) -> list[Tensor]:
        """Noisy latents (n, c, h, w), and features at h, h / 2 and h / 4."""
        at = glance.sigma[:, None, None, None]
        noisy = (1 - at) * latents + at * glance.noise
        x = torch.cat([noisy, bare_paper(latents)], 1).contiguous(memory_format=torch.channels_last)
        text = self.silence.expand(len(x), -1, -1)
        mood, found = self._mood(x, glance, text), []
        x = self.unet.conv_in(x)
        for block in self.unet.down_blocks:
            x, parts = self._through(block, x, mood, text)
            found.append(parts[self.unet.config.layers_per_block - 1])
        middle = self.unet.mid_block(x, mood, encoder_hidden_states=text)
        found[-1] = torch.cat([found[-1], middle], 1)
        return [noisy, *(F.group_norm(each, GROUPS) for each in found)]

    def _mood(self, x: Tensor, glance: Glance, text: Tensor) -> Tensor:
        """The time, size and words that join every block."""
        unet = self.unet
        scales = torch.full((len(x),), glance.scale, device=x.device)
        mood = unet.time_embedding(unet.get_time_embed(sample=x, timestep=glance.sigma * 1000))
        mood = mood + unet.get_class_embed(sample=x, class_labels=scales)
        added: Tensor = mood + unet.get_aug_embed(
            emb=mood, encoder_hidden_states=text, added_cond_kwargs={}
        )
        return added

    @staticmethod
    def _through(block: Any, x: Tensor, mood: Tensor, text: Tensor) -> Any:
        if getattr(block, "has_cross_attention", False):
            return block(hidden_states=x, temb=mood, encoder_hidden_states=text)
        return block(hidden_states=x, temb=mood)


def glances(count: int, device: torch.device) -> Tensor:
    """Noise levels (n,) that a sight looks through: mostly little noise, which shows detail."""
    return MOST_NOISE * torch.rand(count, device=device).square()
