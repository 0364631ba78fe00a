"""The palette of materials and the words that `scenes` understands: plain tables.

Role: the one place that names the twelve materials with their canvas colours, the colour of
unpainted canvas, and the prompt's vocabulary. The page, the model's spec, the painter and the
training all read it. Invariants: names and colours are stable (weights were trained on them);
a material's number is its place in `PALETTE`. Imports nothing, so that any process may read it.
"""

from __future__ import annotations

RGB = tuple[int, int, int]

PALETTE: dict[str, RGB] = {
    "sky": (110, 175, 235),
    "cloud": (214, 212, 224),
    "sun": (255, 215, 70),
    "mountain": (125, 116, 128),
    "water": (45, 105, 185),
    "meadow": (105, 175, 75),
    "tree": (30, 90, 50),
    "sand": (230, 205, 140),
    "snow": (180, 232, 242),
    "house": (190, 75, 60),
    "path": (165, 125, 90),
    "flower": (235, 105, 170),
}
"""Material → its flat colour on the canvas, sRGB 0–255. The order is the page's order."""

UNPAINTED: RGB = (255, 255, 255)
"""Bare paper: the colour of a blank canvas and of the eraser. It means 'the model decides'."""

MATERIALS: tuple[str, ...] = tuple(PALETTE)

VOCABULARY: dict[str, dict[str, tuple[str, ...]]] = {
    "time": {
        "dawn": ("dawn", "sunrise", "early morning", "daybreak"),
        "day": ("day", "daylight", "noon", "midday", "bright day"),
        "sunset": ("sunset", "dusk", "evening", "golden hour"),
        "night": ("night", "midnight", "moonlight", "starry night"),
    },
    "season": {
        "spring": ("spring", "blossom", "springtime"),
        "summer": ("summer", "midsummer", "summertime"),
        "autumn": ("autumn", "fall", "october"),
        "winter": ("winter", "snowy", "frost", "december"),
    },
    "weather": {
        "clear": ("clear", "clear sky", "fine weather"),
        "fog": ("fog", "mist", "foggy", "misty", "haze"),
        "rain": ("rain", "rainy", "drizzle", "downpour", "wet day"),
        "storm": ("storm", "stormy", "thunderstorm", "tempest", "lightning"),
    },
    "style": {
        "clean": ("clean", "flat colours", "graphic", "poster", "vector"),
        "watercolour": ("watercolour", "watercolor", "aquarelle", "watercolour wash"),
        "oil": ("oil", "oil painting", "impasto", "oil on canvas", "brush strokes"),
        "ink": ("ink", "ink drawing", "pen and ink", "etching"),
        "pixel art": ("pixel art", "pixels", "8-bit", "retro game"),
    },
}
"""Group → word → the wordings that mean it (the first is the chip's)."""

STRANGERS: tuple[str, ...] = (
    "a", "the", "of", "in", "beautiful", "landscape", "painting", "picture", "my", "quiet",
    "lovely", "scene", "view", "dream", "masterpiece", "detailed", "4k", "dragon", "castle",
    "grandma", "please", "holiday", "epic", "cat", "somewhere", "with", "and", "at", "by", "soft",
)  # fmt: skip
"""Words that mean nothing here; captions carry them so that unknown words do no harm."""
