"""What bare paper is to show: a small network that completes a folded canvas.

Role: a person draws a few things, or nothing; before a canvas-conditioned network paints, this one
says for every bare place what material might be there, from what is drawn, the words and a code of
random numbers (the decoder of a conditional variational autoencoder: Sohn et al., 2015; with an
adversary: Zhu et al., BicycleGAN, 2017). Invariants: what was drawn stays; the same canvas, words
and code give the same layout; the last of a fold's materials is bare paper. Knows nothing of
pictures and of how it was trained.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FOLDER = "layout"
GROUPS, HEADS = 8, 4


@dataclass(frozen=True)
class LayoutShape:
    """`kinds` of material, bare paper among them; `cells` parts each way of a place of the grid,
    as in the fold; `words` numbers of a word's embedding; `code` random numbers, which `mood`
    numbers take everywhere and `spots` (channels, grid) to places of their own."""

    kinds: int
    cells: int = 2
    words: int = 128
    code: int = 48
    mood: int = 64
    spots: tuple[int, int] = (16, 8)
    widths: tuple[int, int, int] = (48, 80, 120)


class Layout(nn.Module):
    """A U-Net of depthwise blocks, attention at a quarter of the size."""

    def __init__(self, shape: LayoutShape) -> None:
        super().__init__()
        self.shape = shape
        one, two, three = shape.widths
        mood = shape.mood
        self.mood = nn.Sequential(
            nn.Linear(shape.code + shape.words, mood), nn.SiLU(), nn.Linear(mood, mood), nn.SiLU()
        )
        self.first = nn.Conv2d(shape.kinds * shape.cells**2, one, 1)
        self.down = nn.ModuleList([_Block(one, mood), _Block(two, mood), _Block(two, mood)])
        self.coarser = nn.ModuleList([nn.Conv2d(one, two, 1), nn.Conv2d(two, three, 1)])
        channels, grid = shape.spots
        self.spread = nn.Linear(shape.code, channels * grid**2)
        self.spotted = nn.Conv2d(channels, three, 1)
        self.middle = nn.ModuleList([_Block(three, mood), _Block(three, mood)])
        self.look = _Look(three)
        self.finer = nn.ModuleList([nn.Conv2d(three, two, 1), nn.Conv2d(two, one, 1)])
        self.up = nn.ModuleList(
            [_Block(two, mood), _Block(two, mood), _Block(one, mood), _Block(one, mood)]
        )
        self.last = nn.Conv2d(one, (shape.kinds - 1) * shape.cells**2, 1)

    def forward(self, canvas: Tensor, words: Tensor, code: Tensor) -> Tensor:
        """Logits (n, kinds − 1, h · cells, w · cells) of materials, from folded canvases (n, k, h,
        w), mean words (n, words) and codes (n, code), standard normal."""
        mood = self.mood(torch.cat([code, words], 1))
        fine = self.down[0](self.first(canvas.contiguous(memory_format=torch.channels_last)), mood)
        half = self.coarser[0](F.avg_pool2d(fine, 2))
        half = self.down[2](self.down[1](half, mood), mood)
        low = self.coarser[1](F.avg_pool2d(half, 2))
        low = self.middle[0](low + self._spots(code, low.shape[-1]), mood)
        low = self.middle[1](self.look(low), mood)
        half = half + F.interpolate(self.finer[0](low), scale_factor=2.0)
        half = self.up[1](self.up[0](half, mood), mood)
        fine = fine + F.interpolate(self.finer[1](half), scale_factor=2.0)
        fine = self.up[3](self.up[2](fine, mood), mood)
        return F.pixel_shuffle(self.last(F.silu(fine)), self.shape.cells)

    def _spots(self, code: Tensor, edge: int) -> Tensor:
        """What a code says of each place: without it, left would be as right."""
        channels, grid = self.shape.spots
        spots = self.spotted(self.spread(code).view(-1, channels, grid, grid))
        return spots if edge == grid else F.interpolate(spots, (edge, edge), mode="bilinear")


class _Block(nn.Module):
    """A wide look at each channel, then a mix of them, both by mood."""

    def __init__(self, width: int, mood: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.by = nn.Linear(mood, 2 * width)
        self.near = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.wide = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor, mood: Tensor) -> Tensor:
        gain, shift = self.by(mood)[:, :, None, None].chunk(2, 1)
        inner = self.near(self.norm(x) * (1 + gain) + shift)
        added: Tensor = self.narrow(F.silu(self.wide(inner)))
        return x + added


class _Look(nn.Module):
    """Every place looks at all others."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.ask = nn.Conv2d(width, 3 * width, 1)
        self.answer = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        count, width, height, across = x.shape
        asked = self.ask(self.norm(x)).view(count, 3, HEADS, width // HEADS, height * across)
        query, key, value = asked.transpose(3, 4).unbind(1)
        seen = F.scaled_dot_product_attention(query, key, value).transpose(2, 3)
        added: Tensor = self.answer(seen.reshape(count, width, height, across))
        return x + added


def planned(layout: Layout, canvas: Tensor, words: Tensor, seed: int) -> Tensor | None:
    """What a folded canvas (1, k, h, w) is to show where it is bare: shares of materials (1,
    kinds − 1, h · cells, w · cells) in the canvas's format; none where nothing is bare. words (1,
    tokens, width) embedded."""
    if not unfolded(canvas, layout.shape.cells)[:, -1].any():
        return None
    code = torch.randn((1, layout.shape.code), generator=torch.Generator().manual_seed(seed))
    logits = layout(canvas.float(), words.float().mean(1), code.to(canvas.device))
    likeliest = F.one_hot(logits.argmax(1), logits.shape[1])
    return likeliest.permute(0, 3, 1, 2).to(canvas.dtype)


def enlarged(shares: Tensor, edge: int) -> Tensor:
    """The same shares for a grid with `edge` parts each way."""
    return F.interpolate(shares, scale_factor=edge / shares.shape[-1], mode="nearest")


def complete(canvas: Tensor, shares: Tensor, cells: int) -> Tensor:
    """Folded canvases (n, k, h, w) whose bare paper shows `shares` of materials (n, kinds − 1,
    h · cells, w · cells), 0–1."""
    parts = unfolded(canvas, cells)
    paper = parts[:, -1:]
    filled = torch.cat([parts[:, :-1] + paper * shares, torch.zeros_like(paper)], 1)
    return folded(filled, cells)


def unfolded(canvas: Tensor, cells: int) -> Tensor:
    """Folded canvases (n, cells² · kinds, h, w) as (n, kinds, h · cells, w · cells)."""
    count, channels, height, width = canvas.shape
    parts = canvas.view(count, cells**2, channels // cells**2, height, width)
    return F.pixel_shuffle(parts.transpose(1, 2).reshape(canvas.shape), cells)


def folded(parts: Tensor, cells: int) -> Tensor:
    """The other way round."""
    kinds = parts.shape[1]
    apart = F.pixel_unshuffle(parts, cells)
    split = apart.view(len(parts), kinds, cells**2, *apart.shape[2:])
    return split.transpose(1, 2).reshape(apart.shape)


def save_layout(layout: Layout, folder: Path) -> None:
    """Shape and weights, in half precision."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    (folder / FOLDER / "config.json").write_text(json.dumps(asdict(layout.shape), indent=2) + "\n")
    weights = {k: v.detach().half().contiguous() for k, v in layout.state_dict().items()}
    save_file(weights, folder / FOLDER / "model.safetensors")


def open_layout(folder: Path) -> Layout | None:
    """The network of a folder, in fp32; none where the folder has none."""
    path = folder / FOLDER / "config.json"
    if not path.exists():
        return None
    values = json.loads(path.read_text())
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    layout = Layout(LayoutShape(**values | lists))
    weights = load_file(path.with_name("model.safetensors"))
    layout.load_state_dict({name: value.float() for name, value in weights.items()})
    return layout.eval().requires_grad_(False)
