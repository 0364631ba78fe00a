"""The factory of `scenes`: its `ModelSpec`, over the UNet family's code.

Role: names, swatches, words and parameters of the built-in picture model. Knows no arithmetic.
"""

from __future__ import annotations

from pathlib import Path

from models.base import (
    InputSpec,
    ModelSpec,
    Parameter,
    Swatch,
    Track,
    WordGroup,
)
from models.latent import LatentModel
from models.scenes.palette import PALETTE, UNPAINTED, VOCABULARY
from models.scenes.words import completed
from models.unet import opener

WEIGHTS = Path(__file__).parent / "weights"
SIZE = 256

SPEC = ModelSpec(
    name="scenes",
    title="Scenes",
    description="Landscapes from painted regions and a few words. Trained in this repository.",
    licence="Apache-2.0",
    tracks=(Track("picture", "picture", SIZE, SIZE),),
    inputs=(InputSpec("canvas", SIZE, SIZE, UNPAINTED),),
    max_batch=4,
    palette=tuple(Swatch(name, colour) for name, colour in PALETTE.items()),
    vocabulary=tuple(
        WordGroup(group, tuple(words), tuple(s for many in words.values() for s in many[1:]))
        for group, words in VOCABULARY.items()
        if words
    ),
    parameters=(
        Parameter("prompt", "string", "", "Prompt", max_length=2000),
        Parameter("seed", "integer", 0, "Seed", minimum=0, maximum=2**32 - 1, step=1),
        Parameter("steps", "integer", 2, "Steps", minimum=1, maximum=4, step=1),
        Parameter(
            "size", "integer", SIZE, "Size", choices=(SIZE, 2 * SIZE),
            description="The larger one is the same picture, finer: for when the pen rests.",
        ),
        Parameter(
            "strength", "number", 1.0, "Strength", minimum=0.1, maximum=1.0, step=0.05,
            description="Below 1 the canvas's own colours shine through.",
        ),
    ),
)  # fmt: skip


def build(device: str = "cpu", dtype: str = "auto", weights: str = str(WEIGHTS)) -> LatentModel:
    """An unloaded `scenes` model; `weights` is a folder of the same layout."""
    return LatentModel(opener(weights), SPEC, device, dtype, completed)
