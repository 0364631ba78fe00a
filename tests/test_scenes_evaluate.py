"""The exams: what is faultless meets every figure, and each planted fault misses its own."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.scenes import evaluate, exams, film, measures, sheets
from models.scenes.board import on_grid
from models.scenes.dataset import HELD_OUT
from models.scenes.exams import Exam
from models.scenes.judges import Reading
from models.scenes.painter import Scene, paint_scene
from models.scenes.report import BEGIN, END, Fault, Figure, table, write_figures

Pictures = NDArray[np.uint8]
COUNT = 6


@pytest.fixture(scope="module")
def exam() -> Exam:
    return Exam([paint_scene(HELD_OUT + i) for i in range(COUNT)])


@pytest.fixture(scope="module")
def others() -> Pictures:
    return np.stack([paint_scene(HELD_OUT + COUNT + i).painting for i in range(COUNT)])


def as_bytes(pictures: NDArray[np.floating]) -> Pictures:
    return np.asarray(np.clip(pictures, 0, 255), np.uint8)


@dataclass
class Original:
    """A studio that answers a scene's seed with the scene's own painting, whatever the canvas."""

    scenes: list[Scene]
    asked: list[tuple[str, int]] = field(default_factory=list)

    def paint(
        self,
        canvases: Pictures,
        prompts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        size: int = 256,
    ) -> Pictures:
        self.asked += zip(prompts, seeds, strict=True)
        return np.stack([self.one(seed) for seed in seeds])

    def one(self, seed: int) -> Pictures:
        return self.scenes[seed % len(self.scenes)].painting

    def reconstruct(self, pictures: Pictures) -> Pictures:
        return as_bytes(pictures + 2.0)


class Soft(Original):
    """The same, out of focus."""

    def one(self, seed: int) -> Pictures:
        return np.asarray(measures.blurred(super().one(seed)[None], 2.0)[0])

    def reconstruct(self, pictures: Pictures) -> Pictures:
        return measures.blurred(pictures, 2.0)


class Mixed(Original):
    """The same, each for another."""

    def one(self, seed: int) -> Pictures:
        return super().one(seed + 1)


class Listener(Original):
    """The same, if the prompt names every word of the scene; else another one's."""

    def paint(
        self,
        canvases: Pictures,
        prompts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        size: int = 256,
    ) -> Pictures:
        self.asked += zip(prompts, seeds, strict=True)
        both = zip(prompts, seeds, strict=True)
        return np.stack([self.one(seed + (not self.pleased(p, seed))) for p, seed in both])

    def pleased(self, prompt: str, seed: int) -> bool:
        return {*self.scenes[seed % len(self.scenes)].words.values()} <= {*prompt.split(", ")}


class Startled(Listener):
    """The same, put off by any other word."""

    def pleased(self, prompt: str, seed: int) -> bool:
        return super().pleased(prompt, seed) and len(prompt.split(", ")) == 4


class Copyist(Original):
    """A studio that shows the canvas itself, with grain by seed."""

    loud = 3.0

    def paint(
        self,
        canvases: Pictures,
        prompts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        size: int = 256,
    ) -> Pictures:
        grown = np.stack(
            [
                cv2.resize(canvas, (size, size), interpolation=cv2.INTER_NEAREST)
                for canvas in canvases
            ]
        ).astype(float)
        grain = [self.grain(c, s, size) for c, s in zip(canvases, seeds, strict=True)]
        return as_bytes(grown + np.stack(grain))

    def grain(self, canvas: Pictures, seed: int, size: int) -> NDArray[np.float64]:
        return np.random.default_rng(seed).normal(0, 25, (size, size, 3))


class Nervous(Copyist):
    """The same, its grain new wherever the canvas changes at all."""

    def grain(self, canvas: Pictures, seed: int, size: int) -> NDArray[np.float64]:
        return super().grain(canvas, seed + int(canvas.astype(np.int64).sum()), size)


@dataclass
class Oracle:
    """A judge that knows the scenes' paintings, and takes anything else for the first of them."""

    scenes: list[Scene]

    def read(self, pictures: Pictures) -> Reading:
        known = {scene.painting.tobytes(): scene for scene in self.scenes}
        seen = [known.get(picture.tobytes(), self.scenes[0]) for picture in pictures]
        return Reading([s.words for s in seen], np.stack([on_grid(s.labels) for s in seen]))


def by_name(figures: Iterable[Figure]) -> dict[str, Figure]:
    found = {figure.name: figure for figure in figures}
    assert all(figure.watchful for figure in found.values()), "a planted fault isn't seen"
    return found


def test_the_autoencoder_is_held_to_signal_and_sharpness(exam: Exam) -> None:
    good = by_name(exams.autoencoder(Original(exam.scenes), exam))
    bad = list(exams.autoencoder(Soft(exam.scenes), exam))
    assert all(figure.met for figure in good.values())
    assert not any(figure.met for figure in bad)


def test_few_steps_are_held_to_many(exam: Exam, others: Pictures) -> None:
    good = by_name(exams.few_steps(Slightly(exam.scenes), exam, others))
    assert good["patch distance, 4 steps"].value == pytest.approx(1)
    assert all(figure.met for figure in good.values())
    assert good["patch distance, other paintings"].value > good["patch distance, 32 steps"].value
    bad = {figure.name: figure for figure in exams.few_steps(Hasty(exam.scenes), exam, others)}
    asked = {name for name, figure in bad.items() if figure.asked is not None}
    assert asked == {name for name, figure in bad.items() if not figure.met}
    assert {"patch distance, 1 step", "sharpness, 1 step"} <= asked


class Slightly(Original):
    """The same, a little noisy, at any number of steps."""

    def one(self, seed: int) -> Pictures:
        grain = np.random.default_rng(seed).normal(0, 4, (256, 256, 3))
        return as_bytes(super().one(seed) + grain)


class Hasty(Slightly):
    """The same where it has many steps, and blurred where it has few."""

    def paint(
        self,
        canvases: Pictures,
        prompts: Sequence[str],
        seeds: Sequence[int],
        steps: int,
        size: int = 256,
    ) -> Pictures:
        sharp = super().paint(canvases, prompts, seeds, steps, size)
        return sharp if steps > 4 else measures.blurred(sharp, 3.0)


def test_words_are_held_to_the_prompt(exam: Exam) -> None:
    studio = Listener(exam.scenes)
    good = by_name(exams.obedience(studio, Oracle(exam.scenes), exam))
    assert all(figure.value == 1 and figure.met for figure in good.values())
    for (prompt, _), words in zip(studio.asked[:COUNT], exam.words, strict=True):
        assert prompt.split(", ") == list(words.values()), "every group is named"
    *bad, unharmed = exams.obedience(Mixed(exam.scenes), Oracle(exam.scenes), exam)
    assert not any(figure.met for figure in bad)
    assert unharmed.met, "no worse than without the unknown words"


def test_unknown_words_may_do_no_harm(exam: Exam) -> None:
    *words, unharmed = exams.obedience(Startled(exam.scenes), Oracle(exam.scenes), exam)
    assert all(figure.met for figure in words)
    assert not unharmed.met


def test_regions_are_held_to_the_canvas(exam: Exam) -> None:
    scenes = exams.uncovered(exam)
    for scene, hidden in zip(scenes, exam.scenes, strict=True):
        assert scene.words["weather"] == "clear"
        assert scene.words["season"] != "winter"
        assert scene.words["style"] == hidden.words["style"]
    (good,) = exams.regions(Original(scenes), Oracle(scenes), exam)
    assert good.met
    assert good.watchful
    (bad,) = exams.regions(Mixed(scenes), Oracle(scenes), exam)
    assert not bad.met


def test_one_picture_for_all_seeds_misses_variety() -> None:
    plain = [paint_scene(40 + i, 256, exams.PLAIN) for i in range(8)]
    good = by_name(exams.variety(Original(plain), 8))
    assert good["variety, 4 steps"].met
    bad = {figure.name: figure for figure in exams.variety(Original(plain[:1]), 8)}
    assert not bad["variety, 4 steps"].met


def test_training_pictures_are_named_as_copies(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "COPIED", 0.3)  # neighbours are far among so few
    learnt = [paint_scene(seed) for seed in range(24)]
    paintings = np.stack([scene.painting for scene in learnt])
    good = by_name(exams.originality(Original(exam.scenes), exam, paintings))
    assert all(figure.met for figure in good.values())
    bad = {f.name: f for f in exams.originality(Original(learnt), exam, paintings)}
    assert not any(figure.met for figure in bad.values())
    one_of_six = Original([*exam.scenes[:5], learnt[9]])
    some = {f.name: f for f in exams.originality(one_of_six, exam, paintings)}
    assert some["copies"].value == pytest.approx(1 / 6)
    assert not some["copies"].met


def test_noise_far_from_an_edit_misses_stability(exam: Exam) -> None:
    good = by_name(exams.stability(Copyist(exam.scenes), exam, 3))
    assert [figure.value for figure in good.values()] == [0, 0]
    assert not any(figure.met for figure in exams.stability(Nervous(exam.scenes), exam, 3))


def test_an_edit_touches_a_twentieth_of_the_canvas(exam: Exam) -> None:
    for number, canvas in enumerate(exam.canvases):
        after, far = exams.edited(canvas, number)
        touched = (after != canvas).any(-1)
        assert 0.02 < touched.mean() <= 0.051
        assert not (touched & far).any()
        assert 0.5 < far.mean() < 0.9


def test_a_picture_that_trembles_while_it_is_drawn_misses(exam: Exam) -> None:
    good = by_name(exams.flicker(Copyist(exam.scenes), exam, 24))
    assert all(figure.met and figure.value == 0 for figure in good.values())
    assert not any(figure.met for figure in exams.flicker(Nervous(exam.scenes), exam, 24))


def test_a_figure_says_what_is_asked_and_whether_the_fault_was_seen() -> None:
    met = Figure("share", 0.9, asked=0.8, fault=Fault("blurred", 0.2))
    missed = Figure("change", 0.05, "{:.1%}", 0.02, True, fault=Fault("another seed", 0.3))
    blind = Figure("share", 0.9, asked=0.8, fault=Fault("blurred", 0.85))
    assert met.cells() == ["share", "0.90", "≥ 0.80", "yes", "", "blurred: 0.20"]
    assert missed.cells()[1:4] == ["5.0%", "≤ 2.0%", "**no**"]
    assert (met.watchful, missed.watchful, blind.watchful) == (True, True, False)
    assert "not seen" in blind.cells()[-1]
    assert not Figure("share", float("nan"), asked=0.8).met
    said = evaluate.summary([met, missed, blind], 9)
    assert "2 of 3" in said
    assert "wasn't seen by: share" in said


def test_the_table_replaces_what_is_between_the_markers_only(tmp_path: Path) -> None:
    page = tmp_path / "scenes.md"
    page.write_text(f"# Title\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    figures = [Figure("sharpness", 0.5)]
    for _ in range(2):
        write_figures(page, figures, "all well")
        text = page.read_text()
        assert (
            text == f"# Title\n\nbefore\n\n{BEGIN}\n{table(figures)}\n\nall well\n{END}\n\nafter\n"
        )
    write_figures(tmp_path / "new.md", figures)
    assert "sharpness" in (tmp_path / "new.md").read_text()


def test_without_a_finished_data_set_nothing_is_painted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "paintings.npy").write_bytes(b"half")
    with pytest.raises(SystemExit, match="no finished data set"):
        evaluate.opened(tmp_path)
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["paintings.npy"]


@pytest.mark.parametrize("name", sheets.SHEETS)
def test_sheets_are_labelled_and_small(name: str) -> None:
    image = sheets.SHEETS[name](Copyist([])).image()
    data = sheets.jpeg(image)
    assert len(data) <= sheets.MOST
    assert Image.open(io.BytesIO(data)).size == image.size
    assert max(image.size) < 1700
    paper = np.asarray(image) == sheets.PAPER
    assert not paper.all(-1)[:20].all() or not paper.all(-1)[:, :90].all(), "no name is written"


def test_a_film_grows_and_ends_in_other_words(exam: Exam) -> None:
    frames = film.shots(Copyist(exam.scenes), HELD_OUT, 10, 1, 4)
    assert frames.shape == (10 + len(film.ENDINGS), 256, 512 + film.GAP, 3)
    shown = film.webp(frames, 10)
    assert len(shown) <= film.MOST
    moving = Image.open(io.BytesIO(shown))
    assert getattr(moving, "n_frames", 1) >= 10, "frames that are the same are one"
    bare = [(frame[:, :256] == 255).all(-1).mean() for frame in frames]
    assert bare[0] > 0.7
    assert bare[-1] < 0.1
