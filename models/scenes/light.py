"""Light and colour of a scene: what time, season and weather do to every material.

Role: tables of base colours and the one formula that lights them. Colours are float RGB 0–1.
Invariant: everything here is a function of the words and the sun's place. Knows
no geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # float32, or float64 on its way there
Triple = tuple[float, float, float]
MOOD = {"spring": 1, "summer": 0, "autumn": 1, "winter": 2}  # which of an hour's skies

SKY: dict[str, tuple[tuple[Triple, Triple, Triple], ...]] = {  # a mood: top, middle, horizon
    "dawn": (
        ((0.38, 0.47, 0.76), (0.85, 0.70, 0.80), (1.00, 0.87, 0.71)),
        ((0.33, 0.58, 0.70), (0.76, 0.83, 0.78), (1.00, 0.89, 0.72)),
        ((0.44, 0.40, 0.68), (0.83, 0.60, 0.74), (1.00, 0.78, 0.70)),
    ),
    "day": (
        ((0.14, 0.43, 0.82), (0.45, 0.72, 0.95), (0.86, 0.94, 0.96)),
        ((0.08, 0.50, 0.74), (0.40, 0.77, 0.87), (0.88, 0.96, 0.90)),
        ((0.32, 0.57, 0.85), (0.62, 0.81, 0.94), (0.97, 0.94, 0.85)),
    ),
    "sunset": (
        ((0.24, 0.17, 0.44), (0.80, 0.34, 0.43), (1.00, 0.69, 0.33)),
        ((0.36, 0.16, 0.36), (0.90, 0.40, 0.30), (1.00, 0.79, 0.40)),
        ((0.16, 0.29, 0.49), (0.74, 0.48, 0.56), (1.00, 0.76, 0.52)),
    ),
    "night": (
        ((0.02, 0.04, 0.15), (0.06, 0.12, 0.32), (0.16, 0.26, 0.48)),
        ((0.01, 0.07, 0.15), (0.04, 0.17, 0.28), (0.14, 0.35, 0.43)),
        ((0.05, 0.03, 0.17), (0.16, 0.10, 0.34), (0.38, 0.25, 0.47)),
    ),
}
GLOW: dict[str, Triple] = {
    "dawn": (0.42, 0.28, 0.12),
    "day": (0.24, 0.21, 0.12),
    "sunset": (0.48, 0.30, 0.06),
    "night": (0.13, 0.17, 0.22),
}
DISC: dict[str, Triple] = {
    "dawn": (1.00, 0.95, 0.78),
    "day": (1.00, 0.98, 0.82),
    "sunset": (1.00, 0.86, 0.50),
    "night": (0.96, 0.96, 0.89),
}
AMBIENT: dict[str, Triple] = {
    "dawn": (0.52, 0.49, 0.66),
    "day": (0.46, 0.56, 0.72),
    "sunset": (0.38, 0.31, 0.54),
    "night": (0.16, 0.23, 0.41),
}
BEAM: dict[str, Triple] = {
    "dawn": (0.60, 0.47, 0.29),
    "day": (0.64, 0.54, 0.33),
    "sunset": (0.72, 0.44, 0.20),
    "night": (0.22, 0.29, 0.36),
}
LEVEL = {"dawn": 0.84, "day": 1.0, "sunset": 0.60, "night": 0.24}
"""How bright a sky without colour (rain, storm) is at that time."""
BEAM_SHARE = {"clear": 1.0, "fog": 0.55, "rain": 0.36, "storm": 0.30}

MATERIAL: dict[str, dict[str, Triple]] = {
    "meadow": {
        "spring": (0.55, 0.78, 0.30),
        "summer": (0.40, 0.64, 0.22),
        "autumn": (0.72, 0.62, 0.30),
        "winter": (0.90, 0.94, 0.99),
    },
    "sand": {
        "spring": (0.97, 0.84, 0.62),
        "summer": (0.98, 0.82, 0.55),
        "autumn": (0.92, 0.72, 0.48),
        "winter": (0.90, 0.90, 0.91),
    },
    "wood": {  # a broad-leaved wood from afar
        "spring": (0.52, 0.70, 0.36),
        "summer": (0.22, 0.46, 0.20),
        "autumn": (0.80, 0.42, 0.16),
        "winter": (0.52, 0.50, 0.54),
    },
    "conifer": {
        "spring": (0.20, 0.48, 0.33),
        "summer": (0.12, 0.38, 0.26),
        "autumn": (0.24, 0.38, 0.22),
        "winter": (0.22, 0.38, 0.38),
    },
    "rock": {
        "spring": (0.52, 0.52, 0.60),
        "summer": (0.58, 0.51, 0.52),
        "autumn": (0.62, 0.49, 0.45),
        "winter": (0.54, 0.59, 0.70),
    },
    "path": {
        "spring": (0.78, 0.70, 0.55),
        "summer": (0.82, 0.73, 0.56),
        "autumn": (0.66, 0.55, 0.43),
        "winter": (0.74, 0.72, 0.76),
    },
}
CROWNS: dict[str, tuple[Triple, ...]] = {  # one for each of `sprites.BROAD`
    "spring": ((0.99, 0.70, 0.78), (0.99, 0.84, 0.87), (0.66, 0.82, 0.34), (0.95, 0.60, 0.70)),
    "summer": ((0.20, 0.44, 0.16), (0.26, 0.48, 0.18), (0.16, 0.40, 0.20), (0.34, 0.54, 0.16)),
    "autumn": ((0.93, 0.46, 0.13), (0.96, 0.66, 0.18), (0.80, 0.26, 0.16), (0.78, 0.55, 0.16)),
    "winter": ((0.80, 0.87, 0.98), (0.86, 0.90, 0.98), (0.74, 0.82, 0.95), (0.84, 0.84, 0.96)),
}
BLOOMS: dict[str, tuple[Triple, Triple]] = {  # most of a season's flowers, and some
    "spring": ((0.99, 0.98, 0.94), (1.00, 0.85, 0.25)),
    "summer": ((0.95, 0.25, 0.22), (1.00, 0.82, 0.22)),
    "autumn": ((0.80, 0.26, 0.42), (0.98, 0.66, 0.20)),
    "winter": ((0.80, 0.55, 0.72), (0.93, 0.90, 0.97)),
}
PLAIN: dict[str, Triple] = {
    "snow": (0.94, 0.96, 1.00),
    "trunk": (0.42, 0.30, 0.24),
    "wall": (0.97, 0.92, 0.82),
    "roof": (0.80, 0.28, 0.20),
    "water": (0.12, 0.40, 0.55),
    "window": (0.28, 0.36, 0.46),
}
GRADE: dict[str, Triple] = {  # what a season does to all light
    "spring": (0.99, 1.02, 1.00),
    "summer": (1.02, 1.00, 0.97),
    "autumn": (1.03, 0.98, 0.90),
    "winter": (0.94, 0.99, 1.06),
}
SNOWLINE = {"spring": 0.40, "summer": 0.24, "autumn": 0.32, "winter": 1.4}
"""How far down a mountain, as a share of its height, snow lies."""


def rgb(colour: Triple | Array) -> Array:
    return np.asarray(colour, np.float32)


def mix(a: Triple | Array, b: Triple | Array, share: float | Array) -> Array:
    """`a` where share is 0, `b` where it is 1."""
    first = rgb(a)
    return np.asarray(first + (rgb(b) - first) * np.asarray(share, np.float32), np.float32)


@dataclass(frozen=True)
class Light:
    """The words of a scene, and where its sun or moon stands, in picture
    widths; `seen` says whether the disc itself shows."""

    time: str
    season: str
    weather: str
    sun_x: float
    sun_y: float
    seen: bool = True

    @property
    def side(self) -> int:
        """The side that lit faces turn to: -1 left, +1 right."""
        return 1 if self.sun_x > 0.5 else -1

    @property
    def foggy(self) -> bool:
        return self.weather == "fog"

    @property
    def wet(self) -> bool:
        return self.weather in ("rain", "storm")

    @property
    def dark(self) -> bool:
        """Whether people light their lamps."""
        return self.time in ("sunset", "night") or self.weather == "storm"

    @cached_property
    def sky(self) -> Array:
        """Top, middle, horizon: (3, 3)."""
        stops = rgb(np.array(SKY[self.time][MOOD[self.season]])) * rgb(GRADE[self.season])
        if self.season == "winter":
            stops = mix(stops, stops.mean(-1, keepdims=True), 0.16)
        level = LEVEL[self.time]
        if self.weather == "rain":
            grey = rgb(np.array([(0.47, 0.54, 0.62), (0.60, 0.67, 0.73), (0.76, 0.80, 0.82)]))
            return mix(stops, grey * (0.12 + 0.88 * level), 0.72)
        if self.weather == "storm":
            grey = rgb(np.array([(0.18, 0.21, 0.28), (0.31, 0.36, 0.43), (0.62, 0.64, 0.62)]))
            return mix(stops, grey * (0.42 + 0.58 * level), 0.80)
        if self.foggy:
            pale = mix(stops[2], stops[1], 0.3)
            pale = mix(pale, pale.mean() * rgb((1.04, 1.0, 0.97)), 0.25)
            if self.time == "night":
                pale = mix(pale, (0.50, 0.58, 0.70), 0.28)
            return mix(stops, pale, 0.72)
        return stops

    @cached_property
    def haze(self) -> Array:
        """What distance fades into."""
        share = {"clear": 0.42, "fog": 0.25, "rain": 0.5, "storm": 0.75}[self.weather]
        return mix(self.sky[2], self.sky[1], share)

    @cached_property
    def ambient(self) -> Array:
        own = rgb(AMBIENT[self.time]) * rgb(GRADE[self.season])
        if self.weather == "clear":
            return own
        grey = mix(own, own.mean() * rgb((0.98, 1.03, 1.08)), 0.55)
        dim = {"fog": 1.08, "rain": 1.02, "storm": 0.76}[self.weather]
        return grey * (dim if self.time != "night" or self.foggy else 1.35)

    @cached_property
    def beam(self) -> Array:
        return rgb(BEAM[self.time]) * rgb(GRADE[self.season]) * BEAM_SHARE[self.weather]

    def base(self, material: str) -> Array:
        """The unlit colour of a material in this season."""
        table = MATERIAL.get(material)
        return rgb(table[self.season] if table else PLAIN[material])

    def veil(self, distance: float | Array) -> Array:
        """How much of the haze lies before something at `distance` 0–1."""
        if self.foggy:
            return np.asarray(np.clip(np.asarray(distance) * 1.5 + 0.10, 0, 0.96))
        return np.asarray(np.clip(np.asarray(distance) * (1.25 if self.wet else 1.0), 0, 0.96))

    def lit(
        self, material: str | Array, amount: float | Array, distance: float | Array = 0
    ) -> Array:
        """A material's colour under this light.

        `amount` 0 (shade) to 1 (full light), a number or an array (…, 1); `distance` 0–1 fades
        into haze, more in fog. Result (…, 3) or (3,).
        """
        base = self.base(material) if isinstance(material, str) else material
        ray = self.ambient + self.beam * np.asarray(amount, np.float32)
        return mix(base * ray, self.haze, self.veil(distance))

    def ramp(self, base: Array, distance: float, steps: int = 4) -> Array:
        """Colours (256, 3) from shade to light in `steps` flat tones with short transitions."""
        tone = np.linspace(0, steps, 256, dtype=np.float32)
        whole = np.floor(tone)
        soft = np.clip((tone - whole - 0.5) / 0.16 + 0.5, 0, 1)
        level = np.clip((whole + soft - 0.3) / (steps - 0.4), 0, 1.05)
        return self.lit(base, (level**1.15)[:, None], distance)
