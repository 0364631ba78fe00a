"""Checkpoints that are known by name: where they are and how they are best run.

Role: a table, for `riverrun models`, `riverrun pull` and `riverrun serve --model NAME`. Invariant:
plain data; nothing is imported or fetched here, so that the gateway may read it. Knows nothing of
networks.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_STEPS = 50
"""Of a checkpoint that isn't in the table: nobody said that it needs few."""

PARTS = (
    "tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2", "unet", "transformer", "vae",
    "scheduler",
)  # fmt: skip
"""Folders of a checkpoint that are opened, those that it has."""


@dataclass(frozen=True, slots=True)
class Preset:
    """How one checkpoint is run. `pipeline`: the library's class of it; `memory`: GB of weights in
    16 bits; `tiny`: the id of an autoencoder that is several times faster than its own; `guidance`
    is None where it means nothing to the network (`embeds`: it is told how much), `strength` where
    a run doesn't start from the canvas; `scheduler`: another than the folder's
    (`models.sigmas.KINDS`); `size`: pixels each way, where the networks leave that open; `lora`: a
    folder of adapters."""

    name: str
    title: str
    checkpoint: str = ""
    pipeline: str = ""
    summary: str = ""
    steps: int = 4
    most_steps: int = MOST_STEPS
    strength: float | None = 0.7
    guidance: float | None = 0.0
    embeds: bool = False
    scheduler: str = ""
    tiny: str = ""
    licence: str = ""
    memory: float = 0.0
    size: int = 0
    lora: str = ""


PRESETS: tuple[Preset, ...] = (
    Preset(
        "sd-turbo", "SD-Turbo", "stabilityai/sd-turbo",
        "StableDiffusionPipeline",
        "512²; the fastest of the large ones",
        steps=1, most_steps=4, guidance=None, tiny="madebyollin/taesd",
        licence="Stability AI Community", memory=2.6,
    ),
    Preset(
        "sdxl-turbo", "SDXL-Turbo", "stabilityai/sdxl-turbo",
        "StableDiffusionXLPipeline",
        "512²; more detail, twice the time",
        steps=1, most_steps=4, guidance=None, tiny="madebyollin/taesdxl",
        licence="Stability AI Non-Commercial", memory=7.0,
    ),
    Preset(
        "klein", "FLUX.2 Klein 4B", "black-forest-labs/FLUX.2-klein-4B",
        "Flux2KleinPipeline",
        "512² (size=1024: four times that); understands sentences, and what is drawn",
        steps=4, most_steps=8, guidance=None, strength=None, size=512,
        licence="Apache-2.0", memory=16.0,
    ),
    Preset(
        "z-image-turbo", "Z-Image-Turbo", "Tongyi-MAI/Z-Image-Turbo",
        "ZImagePipeline",
        "1024²; photographs, and text that can be read",
        steps=8, most_steps=9, guidance=None, tiny="madebyollin/taef1", size=1024,
        licence="Apache-2.0",
        memory=20.5,  # counted: 6.15 + 4.02 (Qwen3 4B) + 0.08 billion weights
    ),
    Preset(
        "sana-sprint", "SANA-Sprint", "Efficient-Large-Model/Sana_Sprint_0.6B_1024px_diffusers",
        "SanaSprintPipeline",
        "1024²; a language model reads the prompt",
        steps=2, most_steps=4, guidance=4.5,
        licence="NVIDIA (see its page)",
        memory=7.0,  # counted: 0.59 + 2.61 (Gemma 2) + 0.31 (DC-AE) billion weights
    ),
)  # fmt: skip
"""Recipes as their authors give them: Sauer et al., Adversarial Diffusion Distillation (2023);
Black Forest Labs' card of FLUX.2 [klein]; Chen et al., SANA-Sprint (2025). Memory is counted from
the networks' shapes."""


def told(each: Preset) -> str:
    """A preset in a line."""
    few = f"1 to {each.most_steps} steps, {each.memory:g} GB; its weights' licence: {each.licence}"
    return f"{each.summary}; {few}"


def preset(name: str) -> Preset | None:
    """The one that has this name or this hub id."""
    return next((each for each in PRESETS if name in (each.name, each.checkpoint)), None)
