"""Adapters beside a checkpoint's weights, chosen and weighted by each request while it serves.

Role: low-rank adapters (LoRA: Hu et al., 2021): a layer that answers W·x answers W·x + weight · α ÷
rank · up(down(x)). They are files in a folder of the operator's: one is read when it is first asked
for by its name, and again when its file has changed; a picture in the making keeps what it began
with. Invariants: only safetensors; the networks' own weights stay as they are, and with nothing
chosen they answer bit for bit what they did; a file that isn't this checkpoint's is refused whole.
Knows nothing of pictures.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from models.base import InvalidParameter
from models.lora_files import NotAnAdapter, Part, read_adapter

PARAMETER = "lora"
MOST, HEAVIEST = 4, 4.0
"""Adapters of one request, and the weight of one."""
KEPT = 8
"""Adapters that stay in memory: the last that were asked for."""
SHOWN = 20
ONE = re.compile(r"([^:,]+?)\s*(?::\s*([^:,]*))?")
Chosen = tuple[tuple[str, float], ...]


def chosen_in(text: str) -> Chosen:
    """Names and weights of "ink:0.8, paper" (a weight that isn't said is 1), in one order whatever
    the text's, without those that weigh nothing. Raises `InvalidParameter`."""
    found: dict[str, float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        known = ONE.fullmatch(part)
        if known is None:
            raise InvalidParameter(PARAMETER, f'"{part}" isn\'t a name, or a name:weight')
        found[known[1]] = _weight(known[1], known[2])
    if len(found) > MOST:
        raise InvalidParameter(PARAMETER, f"{len(found)} adapters, where there may be {MOST}")
    return tuple(sorted((name, weight) for name, weight in found.items() if weight))


def _weight(name: str, text: str | None) -> float:
    try:
        weight = 1.0 if text is None else float(text)
    except ValueError:
        weight = math.nan
    if not abs(weight) <= HEAVIEST:
        raise InvalidParameter(
            PARAMETER, f"{name} by {text}: a weight is -{HEAVIEST:g} to {HEAVIEST:g}"
        )
    return weight


@dataclass(frozen=True, eq=False)
class Adapter:
    """One file as it was when `stamp` was its time and size: what is added, by layer."""

    name: str
    stamp: tuple[int, int]
    parts: Mapping[str, Part]


@dataclass(frozen=True, eq=False)
class Worn:
    """Adapters as they were when a request began, with their weights. `label`: what tells them
    from others."""

    adapters: tuple[tuple[Adapter, float], ...] = ()

    @property
    def label(self) -> Hashable:
        return tuple((each.name, each.stamp, weight) for each, weight in self.adapters)


NOTHING = Worn()


class Adapters:
    """The adapters in `folder` for these `networks`, by the names that files have for them."""

    def __init__(self, folder: Path, networks: Mapping[str, nn.Module]) -> None:
        self.folder = folder
        self._layers = {
            f"{network}.{name}": layer
            for network, module in networks.items()
            for name, layer in module.named_modules()
            if isinstance(layer, nn.Linear | nn.Conv2d)
        }
        self._read: OrderedDict[str, Adapter] = OrderedDict()
        self._patched: dict[str, _Layer] = {}
        self._now: Hashable = NOTHING.label

    def names(self) -> list[str]:
        """What there is to choose now."""
        return sorted(path.stem for path in self.folder.glob("*.safetensors"))

    def chosen(self, chosen: Chosen) -> Worn:
        """What was chosen, as it is now. Raises `InvalidParameter` for what there isn't, or isn't
        for this checkpoint."""
        return Worn(tuple((self._adapter(name), weight) for name, weight in chosen))

    def use(self, worn: Worn) -> None:
        """From now on, until it is called again. Reads nothing."""
        if worn.label == self._now:
            return
        added: dict[str, list[Addition]] = {}
        for adapter, weight in worn.adapters:
            for where, part in adapter.parts.items():
                added.setdefault(where, []).append(Addition(part, weight))
        for where in added.keys() - self._patched.keys():
            self._patched[where] = _Layer(self._layers[where])
        for where, layer in self._patched.items():
            layer.added = added.get(where, ())
        self._now = worn.label

    def _adapter(self, name: str) -> Adapter:
        path = self.folder / f"{name}.safetensors"
        try:
            if path.name != f"{name}.safetensors":  # no way to another folder, nor another spelling
                raise FileNotFoundError
            stat = path.stat()
        except (OSError, ValueError):
            self._read.pop(name, None)
            raise InvalidParameter(PARAMETER, self._unknown(name)) from None
        stamp = stat.st_mtime_ns, stat.st_size
        known = self._read.get(name)
        if known is None or known.stamp != stamp:
            try:
                known = Adapter(name, stamp, read_adapter(path, self._layers))
            except NotAnAdapter as error:
                raise InvalidParameter(PARAMETER, f"{name}: {error}") from None
            self._read[name] = known
        self._read.move_to_end(name)
        while len(self._read) > KEPT:
            self._read.popitem(last=False)
        return known

    def _unknown(self, name: str) -> str:
        names = self.names()
        more = ", …" if len(names) > SHOWN else ""
        told = f"there are {', '.join(names[:SHOWN])}{more}" if names else "there are none here"
        return f"there is no adapter {name}: {told}"


@dataclass(frozen=True)
class Addition:
    """What an adapter adds to a layer's answer."""

    part: Part
    weight: float

    def __call__(self, layer: nn.Module, x: Tensor) -> Tensor:
        down, up = self.part.down, self.part.up
        if isinstance(layer, nn.Conv2d):
            low = F.conv2d(x, down, None, layer.stride, layer.padding, layer.dilation)
            return F.conv2d(low, up) * (self.weight * self.part.scale)
        return F.linear(F.linear(x, down), up) * (self.weight * self.part.scale)


class _Layer:
    """A layer's forward, and what is added to it now."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer, self.call = layer, layer.forward
        self.added: Sequence[Addition] = ()
        layer.forward = self

    def __call__(self, x: Tensor) -> Tensor:
        answer: Tensor = self.call(x)
        for each in self.added:
            answer = answer + each(self.layer, x)
        return answer
