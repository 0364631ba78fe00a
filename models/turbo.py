"""Any checkpoint of the families that are known as a model that can be served.

Role: what is said of a diffusers folder or hub id before its weights are opened: its family (by its
pipeline's class), its size, and the parameters of its kind. What is known of it by name comes from
the table of presets. Knows nothing of tensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import autoencoders, klein, sana, unet, zimage
from models.adapters import PARAMETER
from models.base import CannotLoad, InputSpec, ModelSpec, Parameter, Track
from models.devices import choose_place
from models.folders import described
from models.latent import OWN, LatentModel
from models.networks import Opener
from models.parts import read_index
from models.presets import Preset, preset as known_by

KLEIN_GUIDANCE = 4.0
"""The pipeline's, of a checkpoint that isn't distilled."""
BATCH = {"cpu": 2}  # rows of a call, where nobody says
GPU_BATCH = 8
WORDS = 2000
MOST = 8192  # of any option that is a number


def build(
    name: str,
    device: str = "cpu",
    dtype: str = "auto",
    checkpoint: str = "",
    scheduler: str = "",
    tiny: str = "",
    steps: int = 0,
    max_batch: int = 0,
    size: int = 0,
    lora: str = "",
) -> LatentModel:
    """An unloaded model called `name`, of a preset or of the `checkpoint` (a folder or hub id).
    `scheduler` and `tiny` (an autoencoder's id or folder, "none": the checkpoint's own) replace the
    preset's, `steps` what a request has that doesn't say, `size` the pixels each way;
    `lora`: a folder of adapters that requests may choose from. Raises `CannotLoad`."""
    for option, number in (("steps", steps), ("max_batch", max_batch), ("size", size)):
        if type(number) is not int or not 0 <= number <= MOST:
            raise CannotLoad(f"{name}: {option}={number}: it is a whole number of at most {MOST}")
    for option, text in (("scheduler", scheduler), ("tiny", tiny), ("lora", lora)):
        if not isinstance(text, str):
            raise CannotLoad(f"{name}: {option}={text}: it is a name")
    found = known_by(name) or known_by(checkpoint) or Preset(name, name)
    if steps > found.most_steps:
        raise CannotLoad(f"{name}: steps={steps}: there may be 1 to {found.most_steps}")
    asked = replace(
        found, checkpoint=checkpoint or found.checkpoint, scheduler=scheduler or found.scheduler,
        steps=steps or found.steps, size=size or found.size,
        tiny="" if tiny == "none" else tiny or found.tiny, lora=lora,
    )  # fmt: skip
    own = described(asked.checkpoint)
    family = _family(own, found)
    if lora and family is not _unet:
        raise CannotLoad(f"{name}: lora={lora}: only checkpoints with a UNet take adapters")
    settled, opened = family(own, asked)
    rows = max_batch or BATCH.get(choose_place(device, dtype).device.type, GPU_BATCH)
    return LatentModel(opened, spec_of(name, settled, rows), device, dtype)


def spec_of(name: str, found: Preset, rows: int) -> ModelSpec:
    """What the rest of the house knows of a checkpoint that is run as `found`."""
    size = found.size
    return ModelSpec(
        name, found.title, (Track("picture", "picture", size, size),), tuple(_parameters(found)),
        (InputSpec("canvas", size, size),), rows, description=found.summary, licence=found.licence,
    )  # fmt: skip


def _parameters(found: Preset) -> Iterator[Parameter]:
    text: Mapping[str, Any] = {"type": "string", "default": "", "max_length": WORDS}
    yield Parameter("prompt", title="Prompt", **text)
    yield Parameter("seed", "integer", 0, "Seed", minimum=0, maximum=2**32 - 1, step=1)
    most = found.most_steps
    yield Parameter("steps", "integer", found.steps, "Steps", minimum=1, maximum=most, step=1)
    if found.strength is not None:
        yield Parameter(
            "strength", "number", found.strength, "Strength", minimum=0.1, maximum=1.0, step=0.05,
            description="How far a picture may go from what was drawn.",
        )  # fmt: skip
    if found.guidance is not None:
        cost = "it costs nothing" if found.embeds else "above 1 a step costs twice"
        yield Parameter(
            "guidance", "number", found.guidance, "Guidance", minimum=0.0, maximum=20.0, step=0.5,
            description=f"How much more than the prompt alone would; {cost}.",
        )  # fmt: skip
        if not found.embeds:
            yield Parameter("negative", title="Without", **text)
    if found.lora:
        yield Parameter(
            PARAMETER, "string", "", "Adapters", max_length=WORDS,
            description="By name, with a weight or without: ink:0.8, paper.",
        )  # fmt: skip
    if found.tiny:
        yield Parameter(
            OWN, "boolean", False, "Full decoder",
            description="The finished picture by the model's own decoder: finer, and slower.",
        )  # fmt: skip


def _unet(folder: Path, asked: Preset) -> tuple[Preset, Opener]:
    opened = unet.opener(asked.checkpoint, asked.scheduler, asked.tiny, asked.lora)
    return _sized(folder, asked, "unet"), opened


def _sana(folder: Path, asked: Preset) -> tuple[Preset, Opener]:
    """Its network is told the guidance."""
    opened = sana.opener(asked.checkpoint, asked.scheduler, asked.tiny)
    settled = replace(asked, guidance=asked.guidance or sana.GUIDANCE, embeds=True)
    return _sized(folder, settled, "transformer"), opened


def _sized(folder: Path, asked: Preset, network: str) -> Preset:
    """As asked, at the one size that the network was taught."""
    size = size_of(folder, network)
    if asked.size not in (0, size):
        raise CannotLoad(f"{folder}: size={asked.size}: its {network} was taught to paint {size}")
    return replace(asked, size=size)


def _klein(folder: Path, asked: Preset) -> tuple[Preset, Opener]:
    """Its canvas is a reference beside the picture, at which no run starts."""
    for option, value in (("scheduler", asked.scheduler), ("tiny", asked.tiny)):
        if value:
            raise CannotLoad(f"{folder}: {option}={value}: it takes none but its own")
    size = asked.size or klein.SIZE
    distilled = bool(read_index(folder).get("is_distilled"))
    guidance = None if distilled else asked.guidance or KLEIN_GUIDANCE
    settled = replace(asked, size=size, strength=None, guidance=guidance)
    _check_size(folder, size, klein.LEAST, klein.MOST)
    return settled, klein.opener(asked.checkpoint, size)


def _zimage(folder: Path, asked: Preset) -> tuple[Preset, Opener]:
    """It is distilled: guidance means nothing to it."""
    if asked.scheduler:
        raise CannotLoad(f"{folder}: scheduler={asked.scheduler}: it takes none but its own")
    size = asked.size or zimage.SIZE
    _check_size(folder, size, zimage.LEAST, zimage.MOST)
    settled = replace(asked, size=size, guidance=None)
    return settled, zimage.opener(asked.checkpoint, size, asked.tiny)


def _check_size(folder: Path, size: int, least: int, most: int) -> None:
    """Whether networks that leave it open can paint so large, before they are read."""
    vae = _config(folder / "vae/config.json")
    if not isinstance(vae.get("block_out_channels"), list):
        raise CannotLoad(f"{folder}: the config of its vae doesn't tell how many blocks it has")
    autoencoders.check_size(folder, size, autoencoders.factor_in_patches(vae), least, most)


Family = Callable[[Path, Preset], tuple[Preset, Opener]]
"""How a folder is run that was asked to be run so, and what opens it. Raises `CannotLoad`."""
FAMILIES: Mapping[str, Family] = {
    "StableDiffusionPipeline": _unet,
    "StableDiffusionXLPipeline": _unet,
    "Flux2KleinPipeline": _klein,
    "SanaSprintPipeline": _sana,
    "ZImagePipeline": _zimage,
}
"""By the pipelines whose parts are opened; each has kinds of its own (Img2Img, Inpaint)."""


def _family(folder: Path, known: Preset) -> Family:
    """That of the folder's pipeline, which is to be the one that is known of its name."""
    kind = str(read_index(folder).get("_class_name", ""))
    plain = kind.replace("Img2Img", "").replace("Inpaint", "")
    if known.pipeline not in ("", plain):
        raise CannotLoad(
            f"{folder} is a {kind or 'folder without a class'}, not {known.title}: a folder called "
            f"{known.name} is run as that is; call it otherwise"
        )
    family = FAMILIES.get(plain)
    if family is None:
        raise CannotLoad(
            f"{folder} is a {kind or 'folder without a class'}: served are {', '.join(FAMILIES)} "
            f"(`riverrun models` lists those that are known by name)"
        )
    return family


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
