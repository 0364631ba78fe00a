"""One component of a diffusers folder, opened or refused with a reason.

Role: what stands between a folder that somebody downloaded and a network that runs: only classes
that the family knows, only safetensors (a pickle can run code), and every tensor where its config
says, because the libraries fill what is missing with random numbers and go on. Invariant: all that
can be wrong with a folder is a `CannotLoad` that names the part and what to do. Knows nothing of
what the networks do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from diffusers import SchedulerMixin
from safetensors import SafetensorError

from models.base import CannotLoad, Progress
from models.networks import Place
from models.space import check_room

Index = Mapping[str, Any]
LIBRARIES = ("diffusers", "transformers")
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
SPARE = ("position_ids",)
"""Tensors that old checkpoints hold and nothing needs."""
SHOWN = 3


def read_index(folder: Path) -> Index:
    """`model_index.json` of a folder."""
    path = folder / "model_index.json"
    try:
        index = json.loads(path.read_text())
    except OSError as error:
        raise CannotLoad(f"{path} can't be read: {error}") from None
    except ValueError as error:
        raise CannotLoad(f"{path} isn't JSON: {error}") from None
    if not isinstance(index, dict):
        raise CannotLoad(f"{path} isn't a diffusers folder's index")
    return index


def open_part(
    folder: Path,
    name: str,
    index: Index,
    known: Sequence[str],
    dtype: torch.dtype = torch.float32,
) -> Any:
    """The component `name`, of one of the classes `known` ("*": any scheduler), in `dtype`. Raises
    `CannotLoad`."""
    library, kind = _class_of(folder, name, index, known)
    part = _found(folder, name, library, kind)
    if not (folder / name).is_dir():  # a tokenizer would be empty
        raise CannotLoad(f"{folder}/{name} isn't there, though model_index.json names it")
    weighty = isinstance(part, type) and issubclass(part, torch.nn.Module)
    if weighty:
        _refuse_pickles(folder / name)
    with refusing(folder, name):
        if weighty:
            return _weighed(folder, name, part, library, dtype)
        return _plain(folder, name, part)


def open_whole(folder: Path, kind: type[Any]) -> Any:
    """A network of class `kind` that has a folder to itself, in fp32. Raises `CannotLoad`."""
    _refuse_pickles(folder)
    with refusing(folder, "."):
        return _weighed(folder, "", kind, "diffusers")


def open_parts(
    folder: Path,
    index: Index,
    kinds: Mapping[str, Sequence[str]],
    progress: Progress,
    place: Place,
) -> dict[str, Any]:
    """The components of these names and classes, on the CPU, in the format that the `place` opens
    files in (an autoencoder in fp32: its statistics are small numbers); networks only answer from
    then on. Raises `CannotLoad`, also where there is no room for them."""
    check_room(folder, kinds, place)
    parts: dict[str, Any] = {}
    for count, (name, known) in enumerate(kinds.items()):
        progress(f"loading {name}", count / len(kinds))
        number = torch.float32 if name == "vae" else place.opened
        parts[name] = open_part(folder, name, index, known, number)
        if isinstance(parts[name], torch.nn.Module):
            parts[name].eval().requires_grad_(False)
    return parts


@contextmanager
def refusing(folder: Path, name: str) -> Iterator[None]:
    """What opening a part raises, as a `CannotLoad`. Anything may be wrong with a file, and the
    libraries raise as many classes (a tokenizer's is plain `Exception`)."""
    try:
        yield
    except CannotLoad:
        raise
    except Exception as error:
        raise CannotLoad(_reason(folder, name, error)) from error


def _found(folder: Path, name: str, library: str, kind: str) -> Any:
    """The class; of any name only a scheduler, which has no weights."""
    try:
        part = getattr(import_module(library), kind, None)
    except ImportError as error:
        raise CannotLoad(_reason(folder, name, error)) from error
    if part is None:
        raise CannotLoad(f"{folder}: its {name} is a {kind}, which {library} hasn't here")
    if name == "scheduler" and not (isinstance(part, type) and issubclass(part, SchedulerMixin)):
        raise CannotLoad(f"{folder}: its scheduler is a {kind}, which is none")
    return part


def _class_of(folder: Path, name: str, index: Index, known: Sequence[str]) -> tuple[str, str]:
    match index.get(name):
        case [str(library), str(kind)] if library in LIBRARIES:
            if kind in known or "*" in known:
                return library, kind
            raise CannotLoad(f"{folder}: its {name} is a {kind}; opened are {', '.join(known)}")
        case [str(library), _]:
            raise CannotLoad(f"{folder}: its {name} comes from {library}, which isn't opened here")
        case _:
            raise CannotLoad(f"{folder}: its model_index.json names no {name}")


def _refuse_pickles(part: Path) -> None:
    """Say so where a folder has weights, but none that can be opened."""
    names = [path.name for path in part.iterdir()]
    pickles = [name for name in names if name.endswith(PICKLES)]
    if pickles and not any(name.endswith(".safetensors") for name in names):
        raise CannotLoad(
            f"{part} holds pickled weights only ({', '.join(sorted(pickles)[:SHOWN])}), which can "
            f"run code: save it anew with safe_serialization=True, or fetch its safetensors"
        )


def _plain(folder: Path, name: str, part: Any) -> Any:
    return part.from_pretrained(folder, subfolder=name)


def _weighed(
    folder: Path, name: str, part: Any, library: str, dtype: torch.dtype = torch.float32
) -> Any:
    """A network, all of whose tensors came from its file and all of whose file was taken."""
    number: dict[str, Any] = {"torch_dtype": dtype, "low_cpu_mem_usage": False}
    if library == "transformers":
        number = {"dtype": dtype}
    opened, told = part.from_pretrained(
        folder, subfolder=name, use_safetensors=True, output_loading_info=True,
        ignore_mismatched_sizes=True, **number,
    )  # fmt: skip
    wrong = {
        "lack": told["missing_keys"],
        "have too many": [k for k in told["unexpected_keys"] if not k.endswith(SPARE)],
        "have in another shape": told["mismatched_keys"],
    }
    if said := [f"{what} {_some(keys)}" for what, keys in wrong.items() if keys]:
        raise CannotLoad(
            f"{folder}/{name}: its weights don't fit its config.json: they {'; '.join(said)}"
        )
    return opened


def _some(keys: Sequence[Any]) -> str:
    names = sorted(key if isinstance(key, str) else str(key[0]) for key in keys)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _reason(folder: Path, name: str, error: Exception) -> str:
    """What is wrong, in a line, and what helps."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    whole = isinstance(error, SafetensorError) or "checkpoint file" in said
    remedy = ": the file isn't whole, fetch it again" if whole else ""
    return f"{folder}/{name} can't be opened: {said}{remedy}"
