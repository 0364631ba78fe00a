"""Light and colour of a scene: what time, season and weather do to every material.

Role: tables of base colours and the one formula that lights them. Colours are float RGB 0–1.
Invariant: everything here is a function of the words and the sun's place, never of chance, so
that a network can learn it from a canvas and a caption. Knows no geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32, or float64 on its way there
Triple = tuple[float, float, float]

SKY: dict[str, tuple[Triple, Triple, Triple]] = {  # top, middle, horizon
    "dawn": ((0.36, 0.46, 0.76), (0.80, 0.66, 0.80), (1.00, 0.84, 0.70)),
    "day": ((0.16, 0.46, 0.88), (0.46, 0.73, 0.97), (0.84, 0.94, 0.99)),
    "sunset": ((0.25, 0.18, 0.46), (0.82, 0.36, 0.44), (1.00, 0.70, 0.34)),
    "night": ((0.02, 0.04, 0.14), (0.06, 0.11, 0.29), (0.15, 0.23, 0.45)),
}
GLOW: dict[str, Triple] = {
    "dawn": (0.36, 0.24, 0.10),
    "day": (0.26, 0.22, 0.12),
    "sunset": (0.45, 0.28, 0.06),
    "night": (0.13, 0.16, 0.22),
}
DISC: dict[str, Triple] = {
    "dawn": (1.00, 0.93, 0.74),
    "day": (1.00, 0.97, 0.78),
    "sunset": (1.00, 0.84, 0.46),
    "night": (0.95, 0.95, 0.88),
}
AMBIENT: dict[str, Triple] = {
    "dawn": (0.62, 0.57, 0.70),
    "day": (0.66, 0.71, 0.80),
    "sunset": (0.50, 0.36, 0.46),
    "night": (0.15, 0.20, 0.37),
}
BEAM: dict[str, Triple] = {
    "dawn": (0.46, 0.36, 0.26),
    "day": (0.44, 0.40, 0.28),
    "sunset": (0.62, 0.36, 0.16),
    "night": (0.13, 0.17, 0.25),
}
MATERIAL: dict[str, dict[str, Triple]] = {
    "meadow": {
        "spring": (0.54, 0.80, 0.34),
        "summer": (0.36, 0.62, 0.22),
        "autumn": (0.80, 0.61, 0.25),
        "winter": (0.88, 0.92, 0.97),
    },
    "crown": {
        "spring": (0.97, 0.67, 0.76),
        "summer": (0.22, 0.50, 0.18),
        "autumn": (0.90, 0.43, 0.12),
        "winter": (0.76, 0.84, 0.92),
    },
    "conifer": {
        "spring": (0.22, 0.50, 0.30),
        "summer": (0.11, 0.36, 0.21),
        "autumn": (0.36, 0.36, 0.16),
        "winter": (0.58, 0.72, 0.78),
    },
    "rock": {
        "spring": (0.50, 0.50, 0.58),
        "summer": (0.53, 0.48, 0.50),
        "autumn": (0.58, 0.46, 0.43),
        "winter": (0.58, 0.65, 0.76),
    },
    "path": {
        "spring": (0.78, 0.66, 0.48),
        "summer": (0.78, 0.66, 0.46),
        "autumn": (0.68, 0.50, 0.34),
        "winter": (0.72, 0.70, 0.72),
    },
}
PLAIN: dict[str, Triple] = {
    "sand": (0.93, 0.81, 0.56),
    "snow": (0.94, 0.96, 1.00),
    "trunk": (0.36, 0.25, 0.18),
    "wall": (0.90, 0.84, 0.74),
    "roof": (0.70, 0.28, 0.20),
    "water": (0.13, 0.38, 0.54),
    "window": (0.25, 0.34, 0.45),
}
SNOWLINE = {"spring": 0.38, "summer": 0.20, "autumn": 0.28, "winter": 0.85}
"""How far down a mountain, as a share of its height, snow lies."""


def rgb(colour: Triple | Array) -> Array:
    return np.asarray(colour, np.float32)


def mix(a: Triple | Array, b: Triple | Array, share: float | Array) -> Array:
    """`a` where share is 0, `b` where it is 1."""
    return rgb(rgb(a) * (1 - np.asarray(share)) + rgb(b) * np.asarray(share))


@dataclass(frozen=True)
class Light:
    """The words of a scene and where its sun (or moon) stands, in picture widths."""

    time: str
    season: str
    weather: str
    sun_x: float
    sun_y: float

    @property
    def side(self) -> int:
        """The side that lit faces turn to: -1 left, +1 right."""
        return 1 if self.sun_x > 0.5 else -1

    @property
    def foggy(self) -> bool:
        return self.weather == "fog"

    @property
    def haze(self) -> Array:
        """What distance fades into."""
        _, middle, low = SKY[self.time]
        return mix(low, middle, 0.35) * (0.93 if self.foggy else 1.0)

    def base(self, material: str) -> Array:
        """The unlit colour of a material in this season."""
        table = MATERIAL.get(material)
        return rgb(table[self.season] if table else PLAIN[material])

    def lit(self, material: str | Array, amount: float | Array, distance: float = 0.0) -> Array:
        """A material's colour under this light.

        `amount` 0 (shade) to 1 (full light), a number or an array (…, 1); `distance` 0–1 fades
        into haze, more in fog. Result (…, 3) or (3,).
        """
        base = self.base(material) if isinstance(material, str) else material
        ray = rgb(AMBIENT[self.time]) + rgb(BEAM[self.time]) * np.asarray(amount, np.float32)
        veil = min(0.97, distance * 1.6 + 0.08) if self.foggy else distance
        return mix(base * ray, self.haze, veil)
