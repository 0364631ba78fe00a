"""Where a checkpoint runs, and in which number format.

Role: turns what an operator said (`auto`, `cuda:1`, `bf16`) into what torch takes, by trying where
that is the only way to know. Knows nothing of requests.
"""

from __future__ import annotations

import time

import torch

from models.base import CannotLoad
from models.networks import Networks

TIMED_CALLS = 3


def choose_device(wanted: str) -> torch.device:
    """The named device, or with `auto` the best that this machine has; raises `CannotLoad`."""
    missing = {"cuda": not torch.cuda.is_available(), "mps": not torch.backends.mps.is_available()}
    if missing.get(wanted.partition(":")[0]):
        raise CannotLoad(f"--device {wanted}: torch finds none here; auto takes what there is")
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(checkpoint: Networks, wanted: str) -> None:
    """Set the number format: the named one, or with `auto` what is fastest here.

    On a CPU bf16 is a few times faster than fp32 with AMX and many times slower without, so both
    are timed; a GPU gets fp16 (bf16 where the GPU has it).
    """
    named = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    named |= {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if wanted != "auto":
        if wanted not in named:
            raise CannotLoad(f"--dtype {wanted}: there are auto, {', '.join(named)}")
        checkpoint.to(named[wanted])
    elif checkpoint.device.type == "cpu":
        times = {dtype: _time_call(checkpoint, dtype) for dtype in (torch.bfloat16, torch.float32)}
        checkpoint.to(min(times, key=lambda dtype: times[dtype]))
    else:
        modern = checkpoint.device.type == "cuda" and torch.cuda.is_bf16_supported()
        checkpoint.to(torch.bfloat16 if modern else torch.float16)


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
