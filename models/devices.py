"""Where a checkpoint runs, and in which number format.

Role: turns what an operator said (`auto`, `cuda:1`, `bf16`) into what torch takes, by trying where
that is the only way to know. Knows nothing of requests.
"""

from __future__ import annotations

import time

import torch

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
    modern = chosen.type == "cuda" and torch.cuda.is_bf16_supported()
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


def settle(checkpoint: Networks, place: Place) -> None:
    """Bring the networks to their place; try the formats where none was chosen."""
    if place.dtype is not None:
        return checkpoint.to(place.dtype)
    times = {dtype: _time_call(checkpoint, dtype) for dtype in (torch.bfloat16, torch.float32)}
    return checkpoint.to(min(times, key=lambda dtype: times[dtype]))


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
