"""Styles: one painted scene shown as another medium would show it.

Role: from a finished board to the picture, uint8 (size, size, 3). A style changes how things are
drawn, never where they are. Invariants: marks have places in picture widths, so that a larger
picture shows the same marks finer; chance comes from the generator given and is drawn alike at all
sizes. Knows nothing of composition.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.scenes import noise
from models.scenes.board import Board, jumps, smoothstep
from models.scenes.light import BLOOMS, CROWNS, Array, Light, mix, rgb
from models.scenes.oil import oil
from models.scenes.plan import Labels

PAPER = rgb((0.975, 0.955, 0.915))
SEPIA = rgb((0.13, 0.11, 0.13))
CLOUDY = 2  # labels below it are sky and cloud, whose edges are soft
CELLS = 64  # of pixel art, across
LYING = (0, 1, 4)  # sky, cloud and water are hatched level, land aslant
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32)


def render(board: Board, style: str) -> Labels:
    """The board's picture in `style`, a word of the vocabulary's group of that name."""
    image = np.clip(board.image, 0, 1)
    if style == "watercolour":
        image = watercolour(board, image)
    elif style == "oil":
        image = oil(board, image)
    elif style == "ink":
        image = ink(board, image)
    elif style == "pixel art":
        image = pixel_art(board, image)
    return np.asarray(np.clip(image, 0, 1) * 255 + 0.5, np.uint8)


def _blur(image: Array, reach: float) -> Array:
    """A Gaussian blur of `reach` picture widths, at half or quarter size where that is enough."""
    size = image.shape[0]
    if reach * size > 6:
        small = cv2.resize(image, (size // 4, size // 4), interpolation=cv2.INTER_AREA)
        small = cv2.GaussianBlur(small, (0, 0), reach * size / 4)
        return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.3, reach * size)))


def watercolour(board: Board, image: Array) -> Array:
    """Washes on paper: edges that wander, pigment pooled at them, blooms, grain, bare rims."""
    size = board.size
    shift, drift = board.chance.cloud(4), board.chance.cloud(6)
    step = np.float32(size * 0.0052)
    x, y = board.x * size - 0.5 + shift * step, board.y * size - 0.5 + drift * step
    x, y = x.astype(np.float32), y.astype(np.float32)
    light = np.clip(image, 0, 1) ** (0.62 + 0.38 * float(image.mean()))  # thin paint is never black
    wash = cv2.remap(light, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    wash = cv2.medianBlur((wash * 255).astype(np.uint8), 3 if size < 400 else 5) / np.float32(255)
    wet = smoothstep(0.5, 1.3, drift)[..., None]
    wash = wash + (_blur(wash, 0.012) - wash) * (0.12 + 0.75 * wet)
    forms = cv2.remap(board.forms, x, y, cv2.INTER_NEAREST, None, cv2.BORDER_REPLICATE)
    airy = cv2.remap(board.labels, x, y, cv2.INTER_NEAREST, None, cv2.BORDER_REPLICATE) < CLOUDY
    rim = _blur(jumps(forms) * np.where(airy, 0.25, 1.0).astype(np.float32), 0.0035) * np.float32(
        size * 0.0035
    )
    pooled = 0.36 * np.clip(rim * 1.9, 0, 1) * (1 - 0.8 * wet[..., 0]) * (0.7 + 0.4 * shift)
    dried = np.clip(_blur(wash, 0.03) - wash, -0.06, 0.20).mean(-1)
    grain = 0.030 * noise.window("grain", size, (0.1, 0.2), 0.55)
    flow = 0.07 * shift + 0.05 * drift
    amount = 0.80 + flow + grain + np.clip(pooled, 0, 0.4) + 1.3 * dried
    pigment = np.clip(1 - wash, 0, 1) * amount[..., None] * _inside(board, shift)[..., None]
    return np.asarray(PAPER * (1 - np.clip(pigment, 0, 0.96)))


def _inside(board: Board, torn: Array) -> Array:
    """1 where the brush went; a thin rim of bare paper stays along the sheet's edges."""
    rim = np.minimum(np.minimum(board.x, 1 - board.x), np.minimum(board.y, 1 - board.y))
    return smoothstep(0.012, 0.018, rim + 0.006 * torn)


def ink(board: Board, image: Array) -> Array:
    """Pen outlines of uneven weight, hatching in the shade, thin washes of colour."""
    grey = cv2.cvtColor(np.asarray(image, np.float32), cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(grey, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(thumb, (2, 98))
    tone = np.clip((grey - low) / max(0.36, float(high - low)), 0, 1)
    tone = 0.25 * tone + 0.75 * _blur(tone, 0.006)
    colour = image / np.maximum(grey[..., None], 0.06) * (0.40 + 0.60 * tone[..., None])
    tinted = mix(rgb((1.0, 1.0, 1.0)), np.clip(colour, 0, 1.15), 0.68)
    paper = PAPER * np.clip(_blur(tinted, 0.004) * (0.80 + 0.24 * tone[..., None]), 0, 1.02)
    wander = board.chance.field(8) * 0.0022
    lines = np.maximum(_hatching(board, tone, wander), _outlines(board, image))
    return mix(paper, SEPIA, lines[..., None] * np.float32(0.88))


def _hatching(board: Board, tone: Array, wander: Array) -> Array:
    """Strokes across each other, the more the darker; they swell with the shade."""
    lines = np.zeros_like(tone)
    level_lying = np.isin(board.labels, LYING)
    for slope, level, pitch in ((0.75, 0.40, 0.0175), (-0.60, 0.24, 0.0175), (0.30, 0.12, 0.015)):
        lean = np.where(level_lying, np.float32(slope * 0.12), np.float32(slope))
        across = (board.x * lean + board.y + wander) / np.float32(pitch)
        off = np.abs((across % 1) - 0.5)
        width = np.clip((level - tone) * 1.0, 0, 0.20)
        lines = np.maximum(
            lines, np.clip((width - off) * pitch * board.size * 0.9 + 0.5, 0, 1) * (width > 0.01)
        )
    return lines


def _outlines(board: Board, image: Array) -> Array:
    """Lines where one form ends or the colour jumps."""
    size = board.size
    jump = jumps(board.forms)
    small = cv2.resize(np.asarray(image, np.float32), (256, 256), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 0.77)
    gx, gy = cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1)
    steep = cv2.resize((np.abs(gx) + np.abs(gy)).max(-1), (size, size))
    contour = smoothstep(0.42, 0.85, steep) * np.where(board.labels == 0, 0.25, 1.0)
    weight = 0.85 + 0.35 * board.chance.field(12)
    reach = max(0.6, size * 0.0023)
    spread = cv2.GaussianBlur(jump, (0, 0), reach) * reach * 2.2
    return np.asarray(np.clip(np.maximum(spread * weight, contour * 0.85), 0, 1), np.float32)


def pixel_art(board: Board, image: Array) -> Array:
    """A coarse grid in the few colours of the hour and season, ordered dither between them."""
    size = image.shape[0]
    small = cv2.resize(np.asarray(image, np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    small = np.clip(small + (small - cv2.GaussianBlur(small, (0, 0), 1.2)) * 0.6, 0, 1)
    palette = _few_colours(board.light)
    dither = np.tile(BAYER / 16 - 0.47, (CELLS // 4, CELLS // 4))[..., None]
    wanted = (small + dither * 0.085).reshape(-1, 1, 3)
    weight = np.sqrt(rgb((0.30, 0.50, 0.20)))
    apart = (((wanted - palette[None]) * weight) ** 2).sum(-1)
    flat = palette[apart.argmin(1)].reshape(CELLS, CELLS, 3)
    return np.asarray(cv2.resize(flat, (size, size), interpolation=cv2.INTER_NEAREST))


def _few_colours(light: Light) -> Array:
    """What things are painted with in this light, (n, 3): sky, some tones of each material."""
    top, middle, low = light.sky
    found = [top, mix(top, middle, 0.5), middle, mix(middle, low, 0.5), low, light.haze]
    for material in ("meadow", "conifer", "rock"):
        found += [light.lit(material, tone, far) for tone, far in ((0.1, 0), (0.55, 0), (1.0, 0.1))]
    for crown in CROWNS[light.season][:3]:
        found += [light.lit(rgb(crown), tone) for tone in (0.25, 0.85)]
    for material in ("sand", "snow", "water", "path", "wall"):
        found += [light.lit(material, tone) for tone in (0.2, 0.9)]
    found += [light.lit("roof", 0.7), light.lit("trunk", 0.3)]
    found += [light.lit(rgb(bloom), 0.9) for bloom in BLOOMS[light.season]]
    found += [rgb((1.0, 0.98, 0.92)), rgb((1.0, 0.82, 0.38))]
    return np.asarray(np.clip(np.stack([rgb(each) for each in found]), 0, 1))
