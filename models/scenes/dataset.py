"""The data set: many painted scenes in files that training can map into memory.

Role: paint scenes in worker processes, once, and open them. Layout of a folder: `paintings.npy`
(n, size, size, 3) uint8; `canvases.npy` (n, size, size) uint8 labels with `BARE`;
`maps.npy` (n, 64, 64) uint8, the true labels in large; `captions.json` n lists of wordings;
`words.json` n dicts; `done.json` last, so that a folder without it is unfinished. Invariant: scene
i is the painter's seed i; held-out scenes are seeds from `HELD_OUT` up and never painted here.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray

from models.scenes.board import GRID, on_grid
from models.scenes.captions import caption
from models.scenes.painter import Scene, paint_scene
from models.scenes.plan import Labels
from models.scenes.sketch import colour

HELD_OUT = 10_000_000
SAMPLES = 16  # pictures that a data set's fingerprint looks at
SAME = 2.0  # mean difference, 0–255, of a picture and itself painted again
WORDINGS = 4
Bytes = NDArray[np.uint8]
Row = tuple[int, Bytes, Bytes, list[str], dict[str, str], Labels]


class StrangeDataset(Exception):
    """The data set's pictures aren't this painter's."""


@dataclass(frozen=True)
class Dataset:
    """An opened data set; paintings and canvases are memory maps, unless canvases were `held`."""

    paintings: Bytes
    canvases: Bytes
    captions: list[list[str]]
    words: list[dict[str, str]]
    maps: Labels

    def __len__(self) -> int:
        return len(self.paintings)

    def canvas(self, index: int, rng: np.random.Generator | None = None) -> Bytes:
        """A canvas (size, size, 3) uint8; with `rng` its colours may be a little off."""
        return colour(self.canvases[index], rng)

    def check(self) -> None:
        """Raises `StrangeDataset` unless the last picture, painted again, is the one held."""
        index = len(self) - 1
        again = paint_scene(index, self.paintings.shape[1]).painting.astype(int)
        if np.abs(again - self.paintings[index]).mean() > SAME:
            raise StrangeDataset("the data set was painted by another version of the painter")

    def fingerprint(self) -> str:
        """Eight characters that change with the pictures or their words."""
        code = zlib.crc32(repr((self.paintings.shape, self.words)).encode())
        for index in np.linspace(0, len(self) - 1, SAMPLES).astype(int):
            code = zlib.crc32(self.paintings[index].tobytes(), code)
        return f"{code:08x}"

    def held(self) -> Dataset:
        """The same with its canvases read into memory, if they fit twice into what is free.

        The kernel may take mapped pages back however much is free; then every step of a training
        waits for the disk."""
        if 2 * self.canvases.nbytes > psutil.virtual_memory().available:
            return self
        return replace(self, canvases=np.array(self.canvases))


def held_out(count: int, size: int = 256) -> Iterator[Scene]:
    """Scenes that no training has seen."""
    for index in range(count):
        yield paint_scene(HELD_OUT + index, size)


def prepare(folder: Path, count: int, size: int = 256, jobs: int = 0) -> Dataset:
    """Open the data set in `folder`; paint it first if it isn't there whole."""
    plan = {"count": count, "size": size}
    done = folder / "done.json"
    if not done.exists() or json.loads(done.read_text()) != plan:
        folder.mkdir(parents=True, exist_ok=True)
        done.unlink(missing_ok=True)  # what another plan left is not whole from here on
        _paint_all(folder, plan, jobs or os.cpu_count() or 1)
        done.write_text(json.dumps(plan))
    return open_dataset(folder)


def open_dataset(folder: Path) -> Dataset:
    return Dataset(
        np.load(folder / "paintings.npy", mmap_mode="r"),
        np.load(folder / "canvases.npy", mmap_mode="r"),
        json.loads((folder / "captions.json").read_text()),
        json.loads((folder / "words.json").read_text()),
        np.load(folder / "maps.npy"),
    )


def _paint_all(folder: Path, plan: dict[str, int], jobs: int) -> None:
    count, size = plan["count"], plan["size"]
    open_memmap = np.lib.format.open_memmap
    paintings = open_memmap(folder / "paintings.npy", "w+", np.uint8, (count, size, size, 3))
    canvases = open_memmap(folder / "canvases.npy", "w+", np.uint8, (count, size, size))
    maps = open_memmap(folder / "maps.npy", "w+", np.uint8, (count, GRID, GRID))
    captions: list[list[str]] = [[] for _ in range(count)]
    words: list[dict[str, str]] = [{} for _ in range(count)]
    began = time.monotonic()
    tasks = ((index, size) for index in range(count))
    with multiprocessing.get_context("spawn").Pool(jobs, _alone) as pool:
        for done, row in enumerate(pool.imap_unordered(_row, tasks, chunksize=8), 1):
            index, paintings[index], canvases[index], captions[index], words[index], maps[index] = (
                row
            )
            if done % 500 == 0 or done == count:
                left = (time.monotonic() - began) / done * (count - done)
                print(f"painted {done}/{count}, {left:.0f} s left", flush=True)
    (folder / "captions.json").write_text(json.dumps(captions))
    (folder / "words.json").write_text(json.dumps(words))


def _alone() -> None:
    cv2.setNumThreads(1)  # one process a core; OpenCV's own threads would only fight over them


def _row(task: tuple[int, int]) -> Row:
    index, size = task
    scene = paint_scene(index, size)
    rng = np.random.default_rng([index, 11])
    captions = [caption(rng, scene.words, scene.materials) for _ in range(WORDINGS)]
    canvas = cv2.resize(scene.drawn, (size, size), interpolation=cv2.INTER_NEAREST)
    words = scene.words, on_grid(scene.labels)
    return index, scene.painting, np.asarray(canvas, np.uint8), captions, *words
