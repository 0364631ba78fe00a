"""The judge of places: names what each place of a picture shows, or says that it isn't painted.

Role: beside the critic, which judges pictures by what was asked, it sees the latents alone. On true
ones it learns the material that was drawn at each place, on made ones to call every place made; the
student wants each place named as drawn (a discriminator that segments: Sushko et al., You Only Need
Adversarial Supervision for Semantic Image Synthesis, OASIS, 2021). Knows nothing of words and noise
levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.scenes.critic import NEARBY, SMOOTH, frozen, learn
from models.scenes.loop import half_precision
from models.scenes.nets import FOLD

WIDTH, GROUPS = 64, 8
LIKE = 5.0  # weight of noticing the same, beside that of naming it as drawn
KINDS = len(FOLD.colours)
"""Materials, and at the last number what is made up."""


class Places(nn.Module):
    """Logits (n, KINDS, h, w) of latents (n, c, h, w) and `features` of them at h, h / 2 and
    h / 4: down to a quarter of the size and up again."""

    def __init__(self, latents: int, features: Sequence[int], width: int = WIDTH) -> None:
        super().__init__()
        self.first = nn.Conv2d(latents, width, 3, padding=1)
        self.looks = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in features)
        self.down = nn.ModuleList(block(width) for _ in features)
        self.up = nn.ModuleList(block(width) for _ in features)
        self.last = nn.Conv2d(width, KINDS, 1)

    def forward(self, seen: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Also what it noticed on the way, at each size."""
        latents, *features = seen
        x, passed = self.first(latents), list[Tensor]()
        for look, layers, feature in zip(self.looks, self.down, features, strict=True):
            if passed:
                x = F.avg_pool2d(x, 2)
            x = x + look(feature)
            x = x + layers(x)
            passed.append(x)
        for layers, beside in zip(self.up, reversed(passed), strict=True):
            x = beside if x.shape == beside.shape else beside + F.interpolate(x, scale_factor=2.0)
            x = x + layers(x)
        logits: Tensor = self.last(F.silu(x)).float()
        return logits, passed


def block(width: int) -> nn.Sequential:
    """Two normalised 3 × 3 convolutions, to add to what they read."""
    layers = (
        nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
        for _ in range(2)
    )
    return nn.Sequential(*layers)


def drawn(canvas: Tensor) -> Tensor:
    """Shares (n, KINDS, h, w) of each material in each place of folded canvases; paper last."""
    count, _, height, width = canvas.shape
    return canvas.float().view(count, -1, KINDS, height, width).mean(1)


def located(
    places: Places,
    optimizer: torch.optim.Optimizer,
    true: list[Tensor],
    made: list[Tensor],
    shares: Tensor,
    smooth: float = 0.0,
) -> Tensor:
    """The loss of who made `made`; the judge of places takes a step of its own before. Both are
    what is seen of latents, `shares` what was drawn."""
    with half_precision(shares.device):
        unmade = [part.detach() for part in made]
        judged = [places(true)[0], places(unmade)[0]]
        loss = named(judged[0], shares) - F.log_softmax(judged[1], 1)[:, -1].mean()
        if smooth:
            for each, opinion in zip((true, unmade), judged, strict=True):
                near = [part + NEARBY * torch.randn_like(part) for part in each]
                loss = loss + smooth * SMOOTH * (places(near)[0] - opinion).square().mean()
    learn(optimizer, loss)
    with frozen(places), half_precision(shares.device):
        with torch.no_grad():
            _, wanted = places(true)
        logits, noticed = places(made)
        return named(logits, shares) + LIKE * unlike(noticed, wanted)


def unlike(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """How far features are from the painter's, at every size."""
    losses = [
        F.l1_loss(F.group_norm(ours, GROUPS).float(), F.group_norm(theirs, GROUPS).float())
        for ours, theirs in zip(made, true, strict=True)
    ]
    return torch.stack(losses).mean()


def named(logits: Tensor, shares: Tensor) -> Tensor:
    """Lower when each place is named as drawn; what is rare counts more."""
    chance = F.log_softmax(logits, 1)[:, :-1]
    return -(rarity(shares) * shares[:, :-1] * chance).sum(1).mean()


def rarity(shares: Tensor) -> Tensor:
    """What each material counts (kinds − 1, 1, 1): more by the root of how rare it is among these
    rows, 1 on average over their places."""
    common = shares[:, :-1].mean((0, 2, 3)).clamp(min=1e-4)
    return (common.rsqrt() / (common.sqrt().sum() / common.sum()))[:, None, None]
