"""Where a checkpoint's folder is: on this machine, or fetched from the hub by its id.

Role: a folder's path as it is, and of a hub id (`owner/name`) the files that are opened here, from
the hub's cache or, where that lacks them, from the hub. Invariants: nothing is fetched but named
parts in their plain number format, no pickles, no single-file checkpoints; the hub isn't asked for
what its cache has whole; what can't be had is a `CannotLoad` that says what to do. Knows nothing of
what is in the files.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.base import CannotLoad, Progress

ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
INDEX = "model_index.json"
BESIDE = (INDEX, "canvas.json", "constants.safetensors", "layout/*")
CONFIGS = ("*/config.json",)
SIZED = ("unet", "transformer", "vae")
"""Parts whose configs tell what a checkpoint paints."""
FORMATS = ("fp16", "bf16", "non_ema")
"""Other formats of the same weights, as file names have them (`.fp16.`, `.fp16-00001…`)."""
NEVER = (
    "*.bin", "*.ckpt", "*.pt", "*.pth", "*.msgpack", "*.h5", "*.onnx*",
    *(f"*.{kind}{end}" for kind in FORMATS for end in (".*", "-*")),
)  # fmt: skip
GIGABYTE = 1e9
OFTEN = 0.05  # GB between two tellings of a download
Fetch = Callable[..., str]


def local(
    checkpoint: str, parts: Sequence[str], needs: str = INDEX, progress: Progress | None = None
) -> Path:
    """The folder of a path or hub id that has these `parts`, or (`needs` "config.json") is one.
    What has to be fetched is told to `progress`. Raises `CannotLoad`."""
    return _here(checkpoint, needs) or _fetched(checkpoint, _wanted(parts, needs), needs, progress)


def described(checkpoint: str) -> Path:
    """The folder of a path or hub id with its index and configs; weights may be lacking yet. Raises
    `CannotLoad`."""
    return _here(checkpoint, INDEX) or _fetched(checkpoint, [*BESIDE, *CONFIGS], INDEX, None)


def pulled(checkpoint: str, parts: Sequence[str], needs: str = INDEX) -> Path:
    """As `local`, but the hub is asked whether it has newer files, and a bar is drawn on stderr."""
    from huggingface_hub import snapshot_download

    here = _here(checkpoint, needs)
    return here or _had(checkpoint, snapshot_download, _wanted(parts, needs), needs)


def _here(checkpoint: str, needs: str) -> Path | None:
    """A path's folder; None for a hub id."""
    path = Path(checkpoint)
    if (path / needs).exists():
        return path
    if path.exists() or not ID.fullmatch(checkpoint):
        raise CannotLoad(f"{checkpoint} holds no weights: there is no {needs} in it")
    return None


def _wanted(parts: Sequence[str], needs: str) -> list[str]:
    beside = BESIDE if needs == INDEX else (needs, "*.safetensors")
    return [*beside, *(f"{part}/*" for part in parts)]


def _fetched(checkpoint: str, wanted: list[str], needs: str, progress: Progress | None) -> Path:
    """From the cache if that has all of it."""
    from huggingface_hub import snapshot_download  # only ids of a hub need it
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fetch(name: str, **patterns: Any) -> str:
        try:
            found = str(snapshot_download(name, local_files_only=True, **patterns))
        except LocalEntryNotFoundError:
            found = ""
        if found and _whole(Path(found), wanted):
            return found
        bars = _told_to(name, progress)
        return str(snapshot_download(name, tqdm_class=bars, **patterns))

    return _had(checkpoint, fetch, wanted, needs)


def _whole(folder: Path, wanted: Sequence[str]) -> bool:
    """Whether a folder of the cache has what is wanted of it: the library can't tell where somebody
    fetched single files of a repository."""
    if INDEX not in wanted:
        return all(any(folder.glob(pattern)) for pattern in wanted)
    try:
        index = json.loads((folder / INDEX).read_text())
    except (OSError, ValueError):
        return False
    named = [part for part, kind in index.items() if isinstance(kind, list) and any(kind)]
    needed = [f"{part}/{_needed(part, wanted)}" for part in named if _needed(part, wanted)]
    return all(any(folder.glob(pattern)) for pattern in needed)


def _needed(part: str, wanted: Sequence[str]) -> str:
    """What of a part has to be there; nothing of one that isn't wanted."""
    if CONFIGS[0] in wanted:
        return "config.json" if part in SIZED else ""
    if f"{part}/*" not in wanted:
        return ""
    return "*" if part.startswith(("tokenizer", "scheduler")) else "*.safetensors"


def _had(checkpoint: str, fetch: Fetch, wanted: list[str], needs: str) -> Path:
    """What `fetch` has, or why it can't be had."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    # a proxy's refusal or a broken line is one of these alone
    transport: tuple[type[Any], ...] = HfHubHTTPError.__bases__
    try:
        folder = Path(fetch(checkpoint, allow_patterns=wanted, ignore_patterns=[*NEVER]))
    except GatedRepoError:
        reason = "is behind a licence: accept it on the hub's page of it, then set HF_TOKEN"
    except RepositoryNotFoundError:
        reason = "isn't a folder here nor on the hub (one that is private needs your HF_TOKEN)"
    except LocalEntryNotFoundError:
        reason = (
            "isn't a folder here nor in the hub's cache, and the hub can't be reached: fetch it "
            "once where there is a network, or copy its folder here and give the path"
        )
    except (*transport, OSError, ValueError) as error:  # type: ignore[misc]
        told = (str(error) or type(error).__name__).splitlines()[0]
        reason = f"can't be fetched from the hub: {told}"
    else:
        if (folder / needs).exists():
            return folder
        reason = f"is on the hub, but no diffusers checkpoint: it has no {needs}"
    raise CannotLoad(f"{checkpoint} {reason}")


def _told_to(name: str, progress: Progress | None) -> type[Any]:
    """A class of bars that draw nothing and tell `progress` how much of `name` there is; how much
    there will be grows while the library finds its files, so no share is told."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    lock, last = threading.Lock(), [-OFTEN]

    class Told(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            named.update(file=io.StringIO(), disable=False)  # whatever TQDM_DISABLE says
            super().__init__(*arguments, **named)
            self._tell()

        def update(self, n: float | None = 1) -> bool | None:
            shown: bool | None = super().update(n)
            self._tell()
            return shown

        def _tell(self) -> None:
            """From the threads that download, one at a time."""
            done = self.n / GIGABYTE
            with lock:
                if self.unit == "B" and progress is not None and done >= last[0] + OFTEN:
                    last[0] = done
                    progress(f"fetching {name}, {done:.2f} GB so far", 0.0)

    return Told
