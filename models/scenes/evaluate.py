"""How good `scenes` is: `python -m models.scenes.evaluate` writes docs/scenes.md's figures.

Role: samples of the shipped weights on held-out scenes, judged by `models.scenes.judge`, and a
contact sheet for the eye. Uses the run folder's data set only to train its judges. Text outside
the markers of docs/scenes.md is kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from models.scenes.autoencoder import psnr, reconstruct, to_bytes, to_tensor
from models.scenes.dataset import Bytes, held_out, prepare
from models.scenes.flow import sample
from models.scenes.judge import Classifier, region_error, sharpness, spread, train_classifiers
from models.scenes.loop import half_precision
from models.scenes.nets import WEIGHTS, open_weights, tokenize
from models.scenes.painter import Scene, paint_scene, redraw
from models.scenes.palette import UNPAINTED

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
Figures = list[tuple[str, str, str]]
ROWS = 8


@dataclass
class Studio:
    """The trained networks as one function: canvases, prompts and seeds in, pictures out."""

    folder: Path = WEIGHTS

    def __post_init__(self) -> None:
        self.vae, self.painter, self.tokenizer = open_weights(self.folder)

    @torch.inference_mode()
    def paint(
        self, canvases: Bytes, prompts: Sequence[str], seeds: Sequence[int], steps: int
    ) -> Bytes:
        """Pictures uint8 (n, 256, 256, 3)."""
        parts = [
            self._some(canvases[i : i + ROWS], prompts[i : i + ROWS], seeds[i : i + ROWS], steps)
            for i in range(0, len(canvases), ROWS)
        ]
        return np.concatenate(parts)

    def _some(
        self, canvases: Bytes, prompts: Sequence[str], seeds: Sequence[int], steps: int
    ) -> Bytes:
        config = self.vae.config
        with half_precision(torch.device("cpu")):
            raw = self.vae.encode(to_tensor(canvases)).latents.float()
            canvas = (raw - config.shift_factor) * config.scaling_factor
            shape = canvas.shape[1:]
            noise = [torch.randn(shape, generator=_seeded(seed)) for seed in seeds]
            tokens = tokenize(self.tokenizer, list(prompts))
            clean = sample(self.painter, canvas, tokens, torch.stack(noise), steps)
            return to_bytes(
                self.vae.decode(clean / config.scaling_factor + config.shift_factor).sample
            )


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator("cpu").manual_seed(seed)


def plain_prompt(words: dict[str, str]) -> str:
    """Just the words that matter."""
    return ", ".join(word for word in words.values() if word != "clear")


def measure(studio: Studio, judges: dict[str, Classifier], scenes: list[Scene]) -> Figures:
    truths = np.stack([scene.painting for scene in scenes])
    whole = np.stack([redraw(s, i, "whole").canvas for i, s in enumerate(scenes)])
    words = [scene.words for scene in scenes]
    prompts = [plain_prompt(w) for w in words]
    seeds = list(range(len(scenes)))
    figures = _autoencoder_figures(studio, truths, whole)
    samples = {steps: studio.paint(whole, prompts, seeds, steps) for steps in (1, 2, 4)}
    for steps, pictures in samples.items():
        ratio = sharpness(pictures) / sharpness(truths)
        figures.append((f"sharpness, {steps} step(s)", f"{ratio:.2f}", "of the painter's"))
    labels = [scene.labels for scene in scenes]
    kept = region_error(samples[4], truths, labels)
    lost = region_error(np.roll(samples[4], 1, 0), truths, labels)
    figures.append(("canvas kept", f"{kept:.1f}", f"colour error; other canvas: {lost:.1f}"))
    for group, judge in judges.items():
        ours, painter = judge.accuracy(samples[4], words), judge.accuracy(truths, words)
        told = f"4 steps; the judge names {painter:.0%} of held-out paintings"
        figures.append((f"{group} obeyed", f"{ours:.0%}", told))
    return [*figures, *_variety(studio), *_stability(studio, scenes)]


def _autoencoder_figures(studio: Studio, truths: Bytes, canvases: Bytes) -> Figures:
    rows: Figures = []
    for name, pictures in (("paintings", truths), ("canvases", canvases)):
        back = reconstruct(studio.vae, pictures)
        value = np.mean([psnr(a, b) for a, b in zip(pictures, back, strict=True)])
        rows.append((f"autoencoder, {name}", f"{value:.1f} dB", f"{len(pictures)} held out"))
    return rows


def _variety(studio: Studio, count: int = 16) -> Figures:
    words = {"time": "day", "season": "summer", "weather": "clear"}
    blank = np.full((count, 256, 256, 3), UNPAINTED, np.uint8)
    ours = studio.paint(blank, [plain_prompt(words)] * count, list(range(count)), 4)
    own = np.stack([paint_scene(20_000_000 + i, 256, words).painting for i in range(count)])
    ratio = spread(ours) / spread(own)
    return [("variety by seed", f"{ratio:.2f}", f"of the painter's, {count} empty canvases")]


def _stability(studio: Studio, scenes: list[Scene], count: int = 16) -> Figures:
    """Paint a square of another material over 5 % of the canvas; look far from it."""
    before = np.stack([redraw(s, i, "whole").canvas for i, s in enumerate(scenes[:count])])
    after = before.copy()
    after[:, 100:157, 100:157] = (30, 90, 50)
    prompts, seeds = ["day, summer"] * len(before), [3] * len(before)
    first, second = (studio.paint(c, prompts, seeds, 4).astype(np.float32) for c in (before, after))
    far = np.ones((256, 256), bool)
    far[68:189, 68:189] = False
    change = float(np.abs(first - second)[:, far].mean() / 255)
    return [("stability", f"{change:.1%}", "mean change > 32 px from an edit of 5 %")]


def contact_sheet(studio: Studio, scenes: list[Scene], edge: int = 160) -> Image.Image:
    """Rows: canvas; painter; 1, 2, 4 steps; another time; another season; empty canvases."""
    canvases = np.stack([scene.canvas for scene in scenes])
    said, seeds = [plain_prompt(s.words) for s in scenes], list(range(len(scenes)))
    times, seasons = ("dawn", "day", "sunset", "night"), ("winter", "spring", "autumn", "summer")
    other = [f"{times[i % 4]}, {seasons[i // 4 % 4]}" for i in range(len(scenes))]
    blank = np.full_like(canvases, UNPAINTED[0])
    rows = [canvases, np.stack([scene.painting for scene in scenes])]
    rows += [studio.paint(canvases, said, seeds, steps) for steps in (1, 2, 4)]
    rows += [studio.paint(canvases, other, seeds, 4), studio.paint(blank, other, seeds, 4)]
    rows += [studio.paint(blank, ["sunset, summer"] * len(seeds), seeds, steps) for steps in (1, 4)]
    sheet = Image.fromarray(np.concatenate([np.concatenate(list(row), 1) for row in rows]))
    return sheet.resize((edge * len(scenes), edge * len(rows)), Image.Resampling.LANCZOS)


def write_figures(page: Path, figures: Figures) -> None:
    """Replace the table between the markers of a Markdown page."""
    table = ["| figure | value | of what |", "|---|---|---|"]
    table += [f"| {name} | {value} | {note} |" for name, value, note in figures]
    text = page.read_text() if page.exists() else f"# scenes\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text("\n".join([f"{head}{BEGIN}", *table, f"{END}{tail}"]))


def main(arguments: Sequence[str] | None = None) -> None:
    top = argparse.ArgumentParser(prog="python -m models.scenes.evaluate", description=__doc__)
    top.add_argument("--weights", type=Path, default=WEIGHTS)
    top.add_argument("--run", type=Path, default=Path("runs/scenes"), help="the training's folder")
    top.add_argument("--docs", type=Path, default=Path("docs"))
    top.add_argument("--scenes", type=int, default=64, help="held-out scenes to judge")
    top.add_argument("--sheet-only", action="store_true")
    options = top.parse_args(arguments)
    studio = Studio(options.weights)
    scenes = list(held_out(max(options.scenes, ROWS)))
    (options.docs / "images").mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(studio, scenes[:ROWS])
    sheet.save(options.docs / "images" / "scenes-contact.png", optimize=True)
    if not options.sheet_only:
        judges = train_classifiers(prepare(options.run / "data", 10000))
        figures = measure(studio, judges, scenes)
        print("\n".join(f"{name}: {value} ({note})" for name, value, note in figures))
        write_figures(options.docs / "scenes.md", figures)


if __name__ == "__main__":
    main()
