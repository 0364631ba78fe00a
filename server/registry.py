"""Which models there are: names and `module:factory` strings, and nothing imported.

Role: turns a name into a `Builder`, which imports the model's module only when the engine calls it
on its own thread. Other distributions add models by the entry point group `riverrun.models`:

    [project.entry-points."riverrun.models"]
    mine = "my_package.my_model:build"

A factory is called as `build(device=..., dtype=..., **options)` and returns an unloaded `Model`.

It does not know: torch, the models themselves, HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server.settings import OptionValue, Settings, SettingsError

if TYPE_CHECKING:
    from models.base import Model, OutputCheck

GROUP = "riverrun.models"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that can be served: `factory` is "module:function"."""

    name: str
    factory: str
    summary: str
    origin: str = "built in"
    options: Mapping[str, OptionValue] = field(default_factory=dict)


BUILT_IN: tuple[Entry, ...] = (
    Entry(
        "scenes",
        "models.scenes.model:build",
        "landscapes from palette regions and words; small enough for two CPU cores",
    ),
    Entry(
        "fake",
        "models.fake:build",
        "no weights: patterns at a settable cost, to try clients and to measure the server",
    ),
)


CHECKPOINTS = "models.turbo:build"
"""The factory of whatever is a diffusers checkpoint."""


def presets() -> dict[str, Entry]:
    """The checkpoints that are known by name."""
    from models.presets import PRESETS, told

    return {
        each.name: Entry(each.name, CHECKPOINTS, told(each), each.checkpoint, {"name": each.name})
        for each in PRESETS
    }


def entries() -> dict[str, Entry]:
    """Every model by name; installed distributions add names but can't replace ours."""
    from importlib.metadata import entry_points  # 20 ms that a built-in model needn't wait for

    found = {entry.name: entry for entry in BUILT_IN} | presets()
    for point in entry_points(group=GROUP):
        origin = point.dist.name if point.dist is not None else "installed"
        found.setdefault(point.name, Entry(point.name, point.value, "", origin))
    return found


def find(name: str) -> Entry:
    """The entry of a name, or of the path or hub id of a checkpoint (it has a slash); raises
    `SettingsError` that lists what there is."""
    for entry in BUILT_IN:
        if entry.name == name:
            return entry
    if "/" in name:
        short = re.sub(r"[^a-z0-9.]+", "-", name.rstrip("/").rsplit("/", 1)[-1].lower())
        short = short.strip("-.") or "checkpoint"
        return Entry(short, CHECKPOINTS, "", name, {"name": short, "checkpoint": name})
    known = entries()
    if name not in known:
        raise SettingsError(
            f"--model {name}: no such model; there are {', '.join(known)}, and any diffusers "
            f"checkpoint by its path (./{name}) or hub id (owner/name)"
        )
    return known[name]


def pull(name: str) -> str:
    """Fetch what `name` needs, with progress on stderr; says what is there then. Raises
    `SettingsError` for no such model, `CannotLoad` where it can't be had."""
    from models.folders import pulled
    from models.presets import PARTS, preset

    entry = find(name)
    if entry.factory != CHECKPOINTS:
        return f"{name} is {entry.origin}: there is nothing to fetch"
    known = preset(entry.name) or preset(entry.origin)
    found = pulled(entry.origin, PARTS)
    if known is not None and known.tiny:
        pulled(known.tiny, (), needs="config.json")
    return f"{name} is in {found}"


def builders(settings: Settings) -> Mapping[str, Callable[[], Model]]:
    """A builder for each model that is to be served, the default first."""
    return {name: _builder(find(name), settings) for name in settings.model}


def _builder(entry: Entry, settings: Settings) -> Callable[[], Model]:
    options = {**entry.options, **settings.options_of(entry.name)}

    def build() -> Model:
        from models.base import CannotLoad

        _limit_threads(settings.threads)
        factory: Callable[..., Model] = _load(entry.factory)
        try:
            return factory(device=settings.device, dtype=settings.dtype, **options)
        except (TypeError, ValueError) as error:  # an option that it hasn't, or a wrong value
            raise CannotLoad(f"{entry.name}: {error}") from error

    return build


def output_check(settings: Settings) -> Callable[[], OutputCheck] | None:
    """A builder for the check that the operator plugged in, if any."""
    if not settings.output_check:
        return None

    def build() -> OutputCheck:
        from models.base import CannotLoad

        try:
            check: OutputCheck = _load(settings.output_check)()
            return check
        except Exception as error:
            told = f"--output-check {settings.output_check}: {type(error).__name__}: {error}"
            raise CannotLoad(told) from error

    return build


def _load(factory: str) -> Any:
    from importlib import import_module

    module, _, name = factory.partition(":")
    return getattr(import_module(module), name)


def _limit_threads(threads: int) -> None:
    """Bound torch's threads; its libraries read these when they are first imported.

    Threads that wait for each other sleep instead of spinning: the browser, the gateway and the
    model share a small machine's cores, and beside busy neighbours spinning took 1.7 times as long
    a picture of `scenes`. Whoever knows better sets the variable.
    """
    import os

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if threads:
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[variable] = str(threads)


__all__ = [
    "BUILT_IN", "CHECKPOINTS", "Entry", "OptionValue", "builders", "entries", "find",
    "output_check", "pull",
]  # fmt: skip
