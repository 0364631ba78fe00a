"""Where a checkpoint's folder is: on this machine, or fetched from the hub by its id.

Role: a folder's path as it is, and of a hub id (`owner/name`) the files that are opened here, from
the hub's cache or, where that lacks them, from the hub. Invariant: nothing is fetched but named
parts in their plain number format, no pickles, no single-file checkpoints; what can't be had is a
`CannotLoad` that says what to do. Knows nothing of what is in the files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from models.base import CannotLoad

ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
INDEX = "model_index.json"
BESIDE = (INDEX, "canvas.json", "layout/*")
NEVER = ("*.bin", "*.ckpt", "*.pt", "*.pth", "*.msgpack", "*.onnx*", "*.fp16.*", "*.non_ema.*")


def local(checkpoint: str, parts: Sequence[str], needs: str = INDEX, bars: bool = False) -> Path:
    """The folder of a path or hub id that has these `parts`, or (`needs` "config.json") is one.
    `bars`: fetching draws its progress on stderr. Raises `CannotLoad`."""
    path = Path(checkpoint)
    if (path / needs).exists():
        return path
    if path.exists() or not ID.fullmatch(checkpoint):
        raise CannotLoad(f"{checkpoint} holds no weights: there is no {needs} in it")
    beside = BESIDE if needs == INDEX else (needs, "*.safetensors")
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    (enable_progress_bars if bars else disable_progress_bars)()  # only ids of a hub need it
    return _fetched(checkpoint, [*beside, *(f"{part}/*" for part in parts)], needs)


def _fetched(checkpoint: str, wanted: list[str], needs: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        folder = snapshot_download(checkpoint, allow_patterns=wanted, ignore_patterns=[*NEVER])
    except GatedRepoError:
        reason = "is behind a licence: accept it on the hub's page of it, then set HF_TOKEN"
    except RepositoryNotFoundError:
        reason = "isn't a folder here nor on the hub (one that is private needs your HF_TOKEN)"
    except LocalEntryNotFoundError:
        reason = (
            "isn't a folder here nor in the hub's cache, and the hub can't be reached: fetch it "
            "once where there is a network, or copy its folder here and give the path"
        )
    except (HfHubHTTPError, OSError) as error:
        reason = f"can't be fetched from the hub: {str(error).splitlines()[0]}"
    else:
        if (Path(folder) / needs).exists():
            return Path(folder)
        reason = f"is on the hub, but no diffusers checkpoint: it has no {needs}"
    raise CannotLoad(f"{checkpoint} {reason}")
