"""How good `scenes` is: `python -m models.scenes.evaluate` writes docs/scenes.md's figures.

Role: the command line of evaluation: opens the weights, the judge and the held-out scenes, holds
the exams (`exams.py`) and writes the table and the sheets (`sheets.py`). The run folder's data set
is only read, to train the judge once; it is never painted from here. Text outside the markers of
docs/scenes.md is kept.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from models.scenes import exams, sheets
from models.scenes.dataset import HELD_OUT, Dataset, StrangeDataset, held_out, open_dataset
from models.scenes.judges import Judge, Reads
from models.scenes.lessons import trained_judge
from models.scenes.nets import WEIGHTS
from models.scenes.painter import paint_scene
from models.scenes.report import Figure, write_figures
from models.scenes.studio import Paints, Studio


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m models.scenes.evaluate", description=__doc__)
    top.add_argument("--weights", type=Path, default=WEIGHTS)
    top.add_argument("--run", type=Path, default=Path("runs/scenes"), help="the training's folder")
    top.add_argument("--docs", type=Path, default=Path("docs"))
    top.add_argument("--scenes", type=int, default=256, help="held-out scenes to judge")
    top.add_argument("--sheets", action="store_true", help="only the sheets")
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    studio = Studio(options.weights)
    if not options.sheets:
        data = opened(options.run)
        judge = _judge(data, options.run)
        figures = list(told(examine(studio, judge, data, options.scenes)))
        write_figures(options.docs / "scenes.md", figures, summary(figures, options.scenes))
    for path in sheets.write_all(studio, options.docs / "images"):
        print(path, flush=True)


def opened(run: Path) -> Dataset:
    """The run's finished data set. Ends the program where there is none."""
    if not (run / "data" / "done.json").exists():
        raise SystemExit(
            f"{run / 'data'} holds no finished data set; models.scenes.train makes one"
        )
    return open_dataset(run / "data")


def _judge(data: Dataset, run: Path) -> Judge:
    try:
        return trained_judge(data, run)
    except StrangeDataset as error:
        raise SystemExit(f"{run / 'data'}: {error}") from None


def examine(studio: Paints, judge: Reads, data: Dataset, count: int) -> Iterator[Figure]:
    """Every figure, as it is found."""
    exam = exams.Exam(list(held_out(count)))
    others = np.stack([paint_scene(HELD_OUT + count + i).painting for i in range(count)])
    yield from exams.autoencoder(studio, exam)
    yield from exams.few_steps(studio, exam, others)
    yield from exams.obedience(studio, judge, exam)
    yield from exams.regions(studio, judge, exam)
    yield from exams.variety(studio)
    yield from exams.originality(studio, exam, data.paintings)
    yield from exams.stability(studio, exam)
    yield from exams.flicker(studio, exam)


def told(figures: Iterator[Figure]) -> Iterator[Figure]:
    """The same figures, each printed with the time it took."""
    began = time.monotonic()
    for figure in figures:
        now = time.monotonic()
        print(f"{' | '.join(figure.cells())} ({now - began:.0f} s)", flush=True)
        began = now
        yield figure


def summary(figures: Sequence[Figure], scenes: int) -> str:
    """What stands under the table."""
    asked = [figure for figure in figures if figure.asked is not None]
    met = sum(figure.met for figure in asked)
    blind = [figure.name for figure in asked if not figure.watchful]
    text = f"{met} of {len(asked)} figures are as asked, on {scenes} held-out scenes."
    if blind:
        text += f" A planted fault wasn't seen by: {', '.join(blind)}."
    return text


if __name__ == "__main__":
    main()
