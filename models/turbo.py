"""Any checkpoint of the families that are known as a model that can be served.

Role: what is said of a diffusers folder or hub id before its weights are opened: its size (from its
configs), and the parameters of its kind. What is known of it by name comes from the table of
presets. Knows nothing of tensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import sana, unet
from models.base import CannotLoad, InputSpec, ModelSpec, Parameter, Track
from models.folders import local
from models.latent import OWN, LatentModel
from models.networks import Opener
from models.parts import read_index
from models.presets import PARTS, Preset, preset as known_by


@dataclass(frozen=True)
class Family:
    """What is said of a family beside its networks: `opener` of a folder, another scheduler and a
    tiny autoencoder; which part paints (its `network`); `guidance` of a checkpoint that isn't in
    the table, and whether the network is told it (`embeds`)."""

    opener: Callable[[str, str, str], Opener]
    network: str
    guidance: float = 0.0
    embeds: bool = False


FAMILIES = {
    "StableDiffusion": Family(unet.opener, "unet"),
    "StableDiffusionXL": Family(unet.opener, "unet"),
    "SanaSprint": Family(sana.opener, "transformer", sana.GUIDANCE, embeds=True),
}
"""Pipelines whose parts are opened; each has kinds of its own (Img2Img, Inpaint)."""
BATCH = {"cuda": 8, "cpu": 2}
WORDS = 2000


def build(
    name: str,
    device: str = "cpu",
    dtype: str = "auto",
    checkpoint: str = "",
    scheduler: str = "",
    tiny: str = "",
    steps: int = 0,
    max_batch: int = 0,
) -> LatentModel:
    """An unloaded model called `name`, of a preset or of the `checkpoint` (a folder or hub id).
    `scheduler` and `tiny` (an autoencoder's id or folder, "none": the checkpoint's own) replace the
    preset's, `steps` what a request has that doesn't say. Raises `CannotLoad`."""
    found = known_by(name) or known_by(checkpoint)
    own = local(checkpoint or (found.checkpoint if found else ""), PARTS)
    family = _family(own)
    found = found or Preset(name, name, checkpoint, guidance=family.guidance)
    if steps and not 0 < steps <= found.most_steps:
        raise CannotLoad(f"{name}: steps={steps}: there may be 1 to {found.most_steps}")
    rows = max_batch or BATCH["cpu" if device == "cpu" else "cuda"]
    quick = "" if tiny == "none" else tiny or found.tiny
    opened = family.opener(str(own), scheduler or found.scheduler, quick)
    parameters = tuple(_parameters(found, steps or found.steps, bool(quick), family.embeds))
    spec = spec_of(name, found, size_of(own, family.network), parameters, rows)
    return LatentModel(opened, spec, device, dtype)


def spec_of(
    name: str, found: Preset, size: int, parameters: tuple[Parameter, ...], rows: int
) -> ModelSpec:
    """What the rest of the house knows of a checkpoint that paints `size` pixels each way."""
    return ModelSpec(
        name, found.title, (Track("picture", "picture", size, size),), parameters,
        (InputSpec("canvas", size, size),), rows, description=found.summary, licence=found.licence,
    )  # fmt: skip


def _parameters(found: Preset, steps: int, quick: bool, embeds: bool) -> Iterator[Parameter]:
    text: Mapping[str, Any] = {"type": "string", "default": "", "max_length": WORDS}
    yield Parameter("prompt", title="Prompt", **text)
    yield Parameter("seed", "integer", 0, "Seed", minimum=0, maximum=2**32 - 1, step=1)
    yield Parameter("steps", "integer", steps, "Steps", minimum=1, maximum=found.most_steps, step=1)
    yield Parameter(
        "strength", "number", found.strength, "Strength", minimum=0.1, maximum=1.0, step=0.05,
        description="How far a picture may go from what was drawn.",
    )  # fmt: skip
    if found.guidance is not None:
        cost = "it costs nothing" if embeds else "above 1 a step costs twice"
        yield Parameter(
            "guidance", "number", found.guidance, "Guidance", minimum=0.0, maximum=20.0, step=0.5,
            description=f"How much more than the prompt alone would; {cost}.",
        )  # fmt: skip
        if not embeds:
            yield Parameter("negative", title="Without", **text)
    if quick:
        yield Parameter(
            OWN, "boolean", False, "Full decoder",
            description="The finished picture by the model's own decoder: finer, and slower.",
        )  # fmt: skip


def _family(folder: Path) -> Family:
    """The one that the folder's pipeline is of. Raises `CannotLoad`."""
    kind = str(read_index(folder).get("_class_name", ""))
    name = kind.replace("Img2Img", "").replace("Inpaint", "").removesuffix("Pipeline")
    if name not in FAMILIES or not kind.endswith("Pipeline"):
        served = ", ".join(each + "Pipeline" for each in FAMILIES)
        raise CannotLoad(
            f"{folder} is a {kind or 'folder without a class'}: served are {served} "
            f"(`riverrun models` lists those that are known by name)"
        )
    return FAMILIES[name]


def size_of(folder: Path, network: str) -> int:
    """Pixels each way that the `network` was taught to paint. Raises `CannotLoad`."""
    taught, vae = (_config(folder / part / "config.json") for part in (network, "vae"))
    blocks = vae.get("block_out_channels") or vae.get("encoder_block_out_channels")
    edge = taught.get("sample_size")
    if not isinstance(blocks, list) or not isinstance(edge, int):
        raise CannotLoad(
            f"{folder}: the configs of its {network} and vae don't tell its picture's size"
        )
    return int(edge << (len(blocks) - 1))


def _config(path: Path) -> dict[str, Any]:
    try:
        found: object = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CannotLoad(f"{path} can't be read: {error}") from error
    return found if isinstance(found, dict) else {}
