"""Whether a checkpoint's weights fit into memory, known before any of them is read.

Role: counts the weights in the headers of a folder's files, and asks the computer and the GPU what
they have free: what doesn't fit is refused in a line, instead of ending the process or pushing what
runs already out of memory. Knows nothing of what the weights do.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable
from pathlib import Path

import torch

from models.base import CannotLoad
from models.folders import FORMATS
from models.networks import Place

MEMORY = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
GROUPS = (
    (CGROUP, "memory.max", "memory.current"),
    (CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
)
"""Where a container's limit and what is used of it stand: the newer layout and the older one."""
CACHED = re.compile(r"^(?:total_)?(?:in)?active_file (\d+)$", re.M)
GIGABYTE = 1e9
VARIANT = re.compile(rf"\.({'|'.join(FORMATS)})[.-]")
LARGEST_HEADER = 100 << 20  # of the format's own limit


def check_room(folder: Path, parts: Iterable[str], place: Place) -> None:
    """Raises `CannotLoad` where the `parts` of a folder take more memory than is free, on the
    computer or on the GPU that they are opened for."""
    files = [path for part in parts for path in (folder / part).glob("*.safetensors")]
    count = sum(weights_in(path) for path in files if not VARIANT.search(path.name))
    need = count * place.opened.itemsize / GIGABYTE
    for where, free in (("the computer", _free()), ("the GPU", _free_on(place.device))):
        if free is not None and need > free / GIGABYTE:
            raise CannotLoad(
                f"{folder}: its {count / GIGABYTE:.1f} billion weights take {need:.1f} GB, and "
                f"{where} has {free / GIGABYTE:.1f} GB free: serve fewer models, or a smaller one "
                f"(`riverrun models` tells sizes)"
            )


def weights_in(path: Path) -> int:
    """Numbers in a safetensors file, by its header; 0 where that can't be read (who opens the file
    says what is wrong with it)."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, LARGEST_HEADER)))
        return sum(math.prod(each["shape"]) for name, each in header.items() if name[:2] != "__")
    except (OSError, ValueError, struct.error, TypeError, KeyError, AttributeError):
        return 0


def _free() -> int | None:
    """Bytes that can be had without swapping, where the system tells: of the machine's, and of what
    a container was given."""
    told = [each for each in (_available(), *map(_left, GROUPS)) if each]
    return min(told, default=None)


def _left(group: tuple[Path, str, str]) -> int | None:
    """Of a limit; None where there is none ("max", or a number beyond all memory). Files that are
    merely kept in memory make room when it is needed."""
    folder, limit, used = group
    try:
        cached = _cached((folder / "memory.stat").read_text())
        return max(1, int((folder / limit).read_text()) - int((folder / used).read_text()) + cached)
    except (OSError, ValueError):
        return None


def _cached(text: str) -> int:
    """Of files, by memory.stat: with the groups below it, where that is told apart."""
    lines = [line for line in text.splitlines() if CACHED.match(line)]
    whole = [line for line in lines if line.startswith("total_")] or lines
    return sum(int(line.split()[1]) for line in whole)


def _available() -> int | None:
    if not MEMORY.exists():
        return None
    lines = dict(line.split(":") for line in MEMORY.read_text().splitlines() if ":" in line)
    told = lines.get("MemAvailable")
    return None if told is None else int(told.split()[0]) * 1024


def _free_on(device: torch.device) -> int | None:
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else None
