"""The exams: what is painted for every figure, and how it is counted.

Role: from a studio, a judge and held-out scenes to figures. What each figure asks stands here,
beside how it is measured and the fault planted against it. Every exam yields its figures as they
come. Knows the networks only as `Paints`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from models.scenes import measures
from models.scenes.board import on_grid
from models.scenes.dataset import HELD_OUT, Bytes
from models.scenes.distance import patch_distance
from models.scenes.drawing import recorded
from models.scenes.judges import Reads, agreement
from models.scenes.painter import Scene, paint_scene
from models.scenes.palette import MATERIALS, STRANGERS, UNPAINTED
from models.scenes.plan import Labels
from models.scenes.report import Fault, Figure
from models.scenes.sketch import colour
from models.scenes.studio import Paints
from models.scenes.words import with_words

MANY_STEPS = 32
RATIOS = {4: 1.15, 2: 1.3, 1: 1.6}
OBEYED = {"time": 0.95, "season": 0.90, "weather": 0.85, "style": 0.90}
CLEAR_SHARE = 0.75  # of a place; without it the place lies on an edge and isn't counted
LEAST_SHARE = 0.002  # of all places; rarer materials are left out of the mean
SOFT = 1.5  # pixels, the planted blur
PLAIN = {"time": "day", "season": "summer", "weather": "clear", "style": "clean"}
UNKNOWN = 4  # unknown words in a prompt
EDIT = 0.05  # of the canvas
ANOTHER = 77_000  # added to a seed: another picture, where the same one was asked


@dataclass(frozen=True)
class Exam:
    """The held-out scenes, as arrays, and what is asked for them. Scene i is `HELD_OUT + i`."""

    scenes: list[Scene]
    truths: Bytes = field(init=False)
    canvases: Bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "truths", np.stack([s.painting for s in self.scenes]))
        object.__setattr__(self, "canvases", np.stack([s.canvas for s in self.scenes]))

    @property
    def seeds(self) -> list[int]:
        return list(range(len(self.scenes)))

    @property
    def prompts(self) -> list[str]:
        """Captions with the words that they leave out."""
        return [with_words(scene.caption, scene.words) for scene in self.scenes]

    @property
    def words(self) -> list[dict[str, str]]:
        return [scene.words for scene in self.scenes]


def full_prompt(words: dict[str, str]) -> str:
    """A word of every group, and nothing else."""
    return ", ".join(words.values())


def autoencoder(studio: Paints, exam: Exam) -> Iterator[Figure]:
    back, of = studio.reconstruct(exam.truths), f"{len(exam.scenes)} held-out paintings"
    soft = measures.blurred(back, SOFT)
    blur = Fault("blurred", measures.psnr(soft, exam.truths))
    value = measures.psnr(back, exam.truths)
    yield Figure("autoencoder, PSNR", value, "{:.1f} dB", 31, note=of, fault=blur)
    yield _sharp("autoencoder, high frequencies", back, exam.truths, 0.8, "of the paintings'")


def _sharp(name: str, ours: Bytes, truths: Bytes, asked: float | None, note: str) -> Figure:
    whole = measures.sharpness(truths)
    soft = measures.sharpness(measures.blurred(ours, SOFT)) / whole
    fault = None if asked is None else Fault("blurred", soft)
    return Figure(name, measures.sharpness(ours) / whole, asked=asked, note=note, fault=fault)


def few_steps(studio: Paints, exam: Exam, others: Bytes) -> Iterator[Figure]:
    """Patch distances of 4, 2 and 1 steps to the paintings, that of many steps, the floor;
    sharpness."""
    asked = exam.canvases, exam.prompts, exam.seeds
    floor = patch_distance(others, exam.truths)
    yield Figure("patch distance, other paintings", floor, "{:.0f}", note="the floor")
    base = patch_distance(studio.paint(*asked, MANY_STEPS), exam.truths)
    yield Figure(f"patch distance, {MANY_STEPS} steps", base, "{:.0f}", note="the whole way")
    for steps, most in RATIOS.items():
        pictures = studio.paint(*asked, steps)
        yield _distance(steps, pictures, exam.truths, base, most)
        least = 0.7 if steps == 1 else None
        yield _sharp(
            f"sharpness, {_steps(steps)}", pictures, exam.truths, least, "of the painter's"
        )


def _steps(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def _distance(steps: int, pictures: Bytes, truths: Bytes, base: float, most: float) -> Figure:
    """The ratio to the distance of many steps."""
    name, far = f"patch distance, {_steps(steps)}", patch_distance(pictures, truths)
    soft = patch_distance(measures.blurred(pictures, SOFT), truths)
    note = f"of {MANY_STEPS} steps'; itself {far:.0f}"
    return Figure(name, far / base, "{:.2f}", most, True, note, Fault("blurred", soft / base))


def obedience(studio: Paints, judge: Reads, exam: Exam) -> Iterator[Figure]:
    """The words of 4-step samples whose prompt names every group, on the scenes' own canvases."""
    prompts = [full_prompt(words) for words in exam.words]
    ours = judge.read(studio.paint(exam.canvases, prompts, exam.seeds, 4))
    told = agreement(ours.words, exam.words)
    alone = agreement(judge.read(exam.truths).words, exam.words)
    mixed = agreement(ours.words, exam.words[1:] + exam.words[:1])
    for group, least in OBEYED.items():
        note = f"4 steps; of the painter's own: {alone[group]:.0%}"
        fault = Fault("another scene's words", mixed[group])
        yield Figure(f"{group} as asked", told[group], "{:.0%}", least, note=note, fault=fault)
    yield _unharmed(studio, judge, exam, told)


def _unharmed(studio: Paints, judge: Reads, exam: Exam, told: dict[str, float]) -> Figure:
    """The same prompts with unknown words strewn between the known ones."""

    def share(prompts: list[str]) -> float:
        pictures = studio.paint(exam.canvases, prompts, exam.seeds, 4)
        return _mean(agreement(judge.read(pictures).words, exam.words)) / _mean(told)

    strange = [strewn(words, number) for number, words in enumerate(exam.words)]
    fault = Fault("unknown words alone", share([strewn({}, n) for n in exam.seeds]))
    note = f"of as asked without them; {UNKNOWN} unknown words, such as: {strange[0]}"
    return Figure("unharmed by unknown words", share(strange), asked=0.97, note=note, fault=fault)


def strewn(words: dict[str, str], number: int) -> str:
    """A word of every group with `UNKNOWN` others between: some that captions carried, and some
    that nobody ever said."""
    rng = np.random.default_rng([number, 31])
    parts = list(words.values())
    for _ in range(UNKNOWN):
        invented = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(3, 9)))
        stranger = str(rng.choice(STRANGERS)) if rng.random() < 0.5 else invented
        parts.insert(int(rng.integers(len(parts) + 1)), stranger)
    return ", ".join(parts)


def whole_canvases(scenes: Sequence[Scene]) -> Bytes:
    """The scenes' label maps in plain colours, nothing bare: every place says what it is."""
    return np.stack([colour(scene.labels) for scene in scenes])


def uncovered(exam: Exam) -> list[Scene]:
    """The scenes again where nothing hides what things are: in clear weather, and not in winter
    (a meadow under snow can't be told from snow, nor clouds from an overcast sky)."""
    again = []
    for number, words in enumerate(exam.words):
        season = "summer" if words["season"] == "winter" else words["season"]
        bared = words | {"weather": "clear", "season": season}
        again.append(paint_scene(HELD_OUT + number, 256, bared))
    return again


def regions(studio: Paints, judge: Reads, exam: Exam) -> Iterator[Figure]:
    """Whether 4-step samples show each place of a whole canvas as its material."""
    scenes = uncovered(exam)
    wanted = np.stack([on_grid(scene.labels, CLEAR_SHARE) for scene in scenes])
    prompts = [full_prompt(scene.words) for scene in scenes]
    pictures = studio.paint(whole_canvases(scenes), prompts, exam.seeds, 4)
    ours = judge.read(pictures).regions
    painter = judge.read(np.stack([scene.painting for scene in scenes])).regions
    share, missed = _overlap(ours, wanted), _overlap(np.roll(ours, 1, 0), wanted)
    note = f"4 steps; of the painter's own: {_mean(_overlap(painter, wanted)):.2f}; lowest: "
    note += _lowest(share)
    left = [name for name in MATERIALS if name not in share]
    note += f"; too rare: {', '.join(left)}" if left else ""
    fault = Fault("another scene's canvas", _mean(missed))
    yield Figure("regions as painted, mIoU", _mean(share), asked=0.75, note=note, fault=fault)


def _overlap(named: Labels, truth: Labels) -> dict[str, float]:
    return measures.overlaps(measures.confusion(named, truth), LEAST_SHARE)


def _mean(shares: dict[str, float]) -> float:
    return float(np.mean(list(shares.values())))


def _lowest(shares: dict[str, float], count: int = 3) -> str:
    named = sorted(shares.items(), key=lambda pair: pair[1])[:count]
    return ", ".join(f"{name} {share:.2f}" for name, share in named)


def blank(count: int, size: int = 256) -> Bytes:
    """Empty canvases."""
    return np.full((count, size, size, 3), UNPAINTED, np.uint8)


def variety(studio: Paints, count: int = 64) -> Iterator[Figure]:
    """Seeds of one prompt on an empty canvas, against paintings with the same words."""
    prompts, seeds = [full_prompt(PLAIN)] * count, list(range(count))
    own = np.stack([paint_scene(2 * HELD_OUT + i, 256, PLAIN).painting for i in range(count)])
    whole = measures.spread(own)
    for steps, least in ((4, 0.8), (1, None)):
        ours = studio.paint(blank(count), prompts, seeds, steps)
        note = f"{count} empty canvases, of the painter's"
        fault = None if least is None else Fault("one seed", measures.spread(ours[[0] * count]))
        value = measures.spread(ours) / whole
        yield Figure(f"variety, {_steps(steps)}", value, asked=least, note=note, fault=fault)


def originality(studio: Paints, exam: Exam, paintings: Bytes) -> Iterator[Figure]:
    """How near samples come to a picture of the training set, on empty canvases."""
    count = min(128, len(exam.scenes))
    training = measures.thumbnails(paintings)
    prompts = [full_prompt(words) for words in exam.words[:count]]
    ours = studio.paint(blank(count), prompts, exam.seeds[:count], 4)
    learnt = np.array(paintings[:: max(1, len(paintings) // count)][:count])
    mean, copies = {}, {}
    for name, pictures in (("ours", ours), ("held out", exam.truths), ("learnt", learnt)):
        apart, copied = measures.nearest(pictures, training)
        mean[name], copies[name] = float(np.median(apart)), float(copied.mean())
    note = f"of held-out paintings'; among {len(paintings)}"
    copy = Fault("training pictures", mean["learnt"] / mean["held out"])
    ratio = mean["ours"] / mean["held out"]
    yield Figure("distance to the nearest learnt", ratio, asked=0.7, note=note, fault=copy)
    note = f"of {count}; of held-out paintings {copies['held out']:.1%}"
    copy = Fault("training pictures", copies["learnt"])
    yield Figure("copies", copies["ours"], "{:.1%}", 0.0, True, note, copy)


def stability(studio: Paints, exam: Exam, count: int = 32) -> Iterator[Figure]:
    """Touch 5 % of whole canvases; look at the pixels more than 32 away from what was touched."""
    scenes = exam.scenes[:count]
    before = whole_canvases(scenes)
    pairs = [edited(canvas, number) for number, canvas in enumerate(before)]
    after, far = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    prompts, seeds = exam.prompts[: len(scenes)], exam.seeds[: len(scenes)]
    other = [seed + ANOTHER for seed in seeds]
    for steps in (4, 1):
        first = studio.paint(before, prompts, seeds, steps)
        moved = measures.change(first, studio.paint(after, prompts, seeds, steps), far)
        shaken = measures.change(first, studio.paint(after, prompts, other, steps), far)
        yield Figure(
            f"stability, {_steps(steps)}", moved, "{:.1%}", 0.02, True,
            "mean change > 32 px from an edit of 5 %", Fault("another seed", shaken),
        )  # fmt: skip


def edited(canvas: Bytes, number: int) -> tuple[Bytes, np.ndarray]:
    """A canvas with a disc of another material on it, and the pixels far from the disc (h, w)."""
    rng, size = np.random.default_rng([number, 21]), canvas.shape[0]
    radius = size * np.sqrt(EDIT / np.pi)
    y, x = rng.uniform(radius, size - radius, 2)
    rows, columns = np.mgrid[:size, :size]
    disc = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
    paint = colour(np.arange(len(MATERIALS), dtype=np.uint8)[None])[0]
    there = canvas[disc].mean(0)
    apart = np.abs(paint - there).sum(1)
    after = canvas.copy()
    after[disc] = paint[rng.choice(np.flatnonzero(apart > np.median(apart)))]
    return after, measures.far_from(disc)


def flicker(studio: Paints, exam: Exam, edits: int = 300) -> Iterator[Figure]:
    """A recorded drawing: how much moves far from each edit, from one picture to the next."""
    scene = exam.scenes[0]
    canvases = np.stack([colour(state) for state in recorded(scene.labels, edits)])
    moved = [(a != b).any(-1) for a, b in pairwise(canvases)]
    far = [measures.far_from(mask) for mask in moved]
    prompts = [full_prompt(scene.words)] * edits
    for steps in (4, 1):
        pictures = studio.paint(canvases, prompts, [7] * edits, steps)
        shaken = studio.paint(canvases[:16], prompts[:16], list(range(16)), steps)
        changes = _changes(pictures, far)
        yield Figure(
            f"flicker, {_steps(steps)}", float(np.mean(changes)), "{:.1%}", 0.02, True,
            f"mean over a drawing of {edits} edits; 95 of 100 below "
            f"{np.percentile(changes, 95):.1%}",
            Fault("a new seed each time", float(np.mean(_changes(shaken, far)))),
        )  # fmt: skip


def _changes(pictures: Bytes, far: list[np.ndarray]) -> list[float]:
    pairs = zip(pictures, pictures[1:], far, strict=False)
    return [measures.change(a, b, where) for a, b, where in pairs]
