"""Where a checkpoint runs, and in which number format.

Role: turns what an operator said (`auto`, `cuda`, `bf16`) into what torch takes, by trying where
that is the only way to know, and brings networks there. Invariant: a trial leaves every weight as
it was. Knows nothing of requests.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.base import CannotLoad
from models.networks import Networks, Place

TIMED_CALLS = 3


DTYPES = {
    "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16,
    "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16,
}  # fmt: skip


def choose_place(device: str, dtype: str) -> Place:
    """What was named, or with `auto` the best device that this machine has, in fp16 on a GPU (bf16
    where it has that). On a CPU bf16 is a few times faster than fp32 with AMX and many times slower
    without, so that has to be tried. Raises `CannotLoad`."""
    chosen = _device(device)
    if dtype != "auto":
        if dtype not in DTYPES:
            raise CannotLoad(f"--dtype {dtype}: there are auto, {', '.join(DTYPES)}")
        return Place(chosen, DTYPES[dtype])
    if chosen.type == "cpu":
        return Place(chosen, None)
    modern = chosen.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return Place(chosen, torch.bfloat16 if modern else torch.float16)


def _device(wanted: str) -> torch.device:
    missing = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if missing.get(wanted.partition(":")[0]):
        raise CannotLoad(f"--device {wanted}: torch finds none here; auto takes what there is")
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def move(parts: Iterable[nn.Module], device: torch.device, dtype: torch.dtype) -> None:
    """Bring networks to a device and their weights to a format. What a network computed for itself
    (rotary frequencies) stays in the format that it computed it in, as in the library's loading:
    positions hang on its last bits."""
    for part in parts:
        computed = [
            (owner, name, buffer)
            for owner in part.modules()
            for name, buffer in owner.named_buffers(recurse=False)
            if name in owner._non_persistent_buffers_set
        ]
        # not the part's own `to`: diffusers' warns about casts, and these are all wanted
        nn.Module.to(part, device=device, dtype=dtype)
        for owner, name, buffer in computed:
            setattr(owner, name, buffer.to(device))


def settle(checkpoint: Networks, place: Place) -> None:
    """Bring the networks to their place; try the formats where none was chosen."""
    if place.dtype is not None:
        return checkpoint.to(place.dtype)
    plain = _time_call(checkpoint, torch.float32)
    kept = list(_weights(checkpoint.modules))
    if _time_call(checkpoint, torch.bfloat16) >= plain:
        checkpoint.to(torch.float32)
        for (holder, name), values in kept:  # cast back, they would be rounded
            holder[name].data = values
    return None


def _weights(parts: Iterable[nn.Module]) -> Iterable[tuple[tuple[dict[str, Tensor], str], Tensor]]:
    """Each tensor that a cast changes: where it is, and its values."""
    for part in parts:
        for owner in part.modules():
            for holder in (owner._parameters, owner._buffers):
                for name, held in holder.items():
                    if held is not None and held.is_floating_point():
                        yield (holder, name), held.data  # type: ignore[misc]


def _time_call(checkpoint: Networks, dtype: torch.dtype) -> float:
    """Seconds of the fastest of a few calls of network and decoder."""
    checkpoint.to(dtype)
    edge, channels = checkpoint.edge, checkpoint.channels
    latents = torch.zeros(1, channels, edge, edge, device=checkpoint.device)
    others = checkpoint.beside
    canvas = torch.zeros(1, others, edge, edge, device=checkpoint.device) if others else None
    spent = []
    with torch.inference_mode():
        words = checkpoint.encode_words([""])
        for _ in range(TIMED_CALLS):
            began = time.perf_counter()
            checkpoint.predict(latents, canvas, torch.ones(1, device=checkpoint.device), words)
            checkpoint.decode(latents)
            spent.append(time.perf_counter() - began)
    return min(spent)
