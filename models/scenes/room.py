"""Whether a training fits into this machine's memory, and what to lower where it doesn't.

Role: a kernel that runs out of memory ends a process without a word, hours in; so what a training
will take is estimated at its start, and a machine that has less is told which option to lower.
The numbers are measured, and rounded up. Knows nothing of what is trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

GB = 1e9
BASE = 1.2 * GB  # torch, the networks, their averages and what the optimizers keep
SCENE = 0.0001 * GB  # a scene's latents, at every size
ROW = 0.05 * GB  # a row at 256² on its way through a network and back, in bf16
FEWEST = 4  # rows a step that are still worth training with
LEAST_SCENES = 100


@dataclass(frozen=True)
class Room:
    """Bytes that are free for scenes and, where they go through a GPU, for rows."""

    memory: float
    gpu: float | None = None

    @classmethod
    def here(cls) -> Room:
        """This machine's, now."""
        gpu = float(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else None
        return cls(float(psutil.virtual_memory().available), gpu)

    def rows(self, scenes: int, row: float) -> int:
        """How many rows a step fit beside so many scenes."""
        left = self.memory - BASE - scenes * SCENE
        if self.gpu is not None:
            left = 0.0 if left < 0 else self.gpu - BASE
        return int(max(0.0, left) // row)

    def scenes(self, row: float) -> int:
        """How many scenes fit beside the fewest rows."""
        rows = FEWEST * row if self.gpu is None else 0.0
        return int(max(0.0, self.memory - BASE - rows) // SCENE)


def advice(room: Room, rows: int, scenes: int, half_precision: bool = True) -> str | None:
    """What to lower so that it fits; None where it does."""
    row = ROW if half_precision else 2 * ROW
    fit = room.rows(scenes, row)
    if rows <= fit:
        return None
    needs = BASE + scenes * SCENE + (rows * row if room.gpu is None else 0.0)
    said = f"this needs about {needs / GB:.1f} GB of memory, and {room.memory / GB:.1f} GB are free"
    if room.gpu is not None:
        said += f" (of the GPU's {(BASE + rows * row) / GB:.1f} and {room.gpu / GB:.1f})"
    if fit >= FEWEST:
        return f"{said}: give --batch {fit} instead of {rows}"
    few = min(rows, FEWEST)
    fewer = min(scenes, room.scenes(row))
    if fewer >= LEAST_SCENES and room.rows(fewer, row) >= few:
        return f"{said}: give --batch {few} and --scenes {fewer}"
    return f"{said}: too little to train here"
