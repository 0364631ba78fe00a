"""The student, its critic, and the sharpened decoder."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from torch import Tensor

from models import patches
from models.scenes.autoencoder import start_linear, to_tensor
from models.scenes.board import on_grid
from models.scenes.critic import Asked, Critic, critic_loss, criticised, maker_loss
from models.scenes.dataset import Dataset
from models.scenes.distil import Lessons, answered, distil
from models.scenes.finish import Answers, finish
from models.scenes.flow import Feed
from models.scenes.latents import encode_all, weights
from models.scenes.loop import Plan
from models.scenes.nets import (
    FOLD,
    Painter,
    Shape,
    bare_paper,
    make_autoencoder,
    make_painter,
    make_tokenizer,
)
from models.scenes.painter import paint_scene
from models.scenes.sharpen import detail, sharpen
from models.scenes.train import main

TINY = Shape(
    autoencoder=16, encoder_blocks=(1,), decoder_blocks=(1,), latents=6,
    channels=(8, 8, 16), text=16, text_layers=1,
)  # fmt: skip
WIDTH = (8, 8, 8)


def painted(size: int) -> Dataset:
    scenes = [paint_scene(i, size) for i in range(4)]
    return Dataset(
        np.stack([s.painting for s in scenes]),
        np.stack([s.labels for s in scenes])[:, None],
        [[s.caption] for s in scenes],
        [s.words for s in scenes],
        np.stack([on_grid(s.labels) for s in scenes]),
    )


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    torch.manual_seed(0)
    folder, data = tmp_path_factory.mktemp("feed"), painted(64)
    vae = make_autoencoder(TINY).eval()
    start_linear(vae, data)
    latents = encode_all(vae, data, painted(128), folder)
    tokenizer = make_tokenizer(folder / "tokenizer", ["sunset, winter", "day"] * 20)
    return Feed(data, latents, tokenizer, weights(vae, latents))


@pytest.fixture(scope="module")
def teacher(feed: Feed) -> Painter:
    torch.manual_seed(1)
    return make_painter(TINY, len(feed.asked.tokenizer)).eval()


def plan(folder: Path, **changes: object) -> Plan:
    settings: dict[str, object] = {"rate": 1e-3, "steps": 4, "save_seconds": 1e9} | changes
    return Plan(folder / "net.pt", **settings)  # type: ignore[arg-type]


def same(a: torch.nn.Module, b: torch.nn.Module) -> list[bool]:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return [torch.equal(x, y) for x, y in pairs]


def test_a_critic_learns_what_is_painted() -> None:
    torch.manual_seed(0)
    critic = Critic(4, 3, 5, 2, (16, 16, 16))
    optimizer = torch.optim.AdamW(critic.parameters(), 2e-3, (0.0, 0.99))
    asked = Asked(torch.rand(8, 3, 16, 16), torch.randn(8, 5), 1)

    def drawn(true: bool) -> Tensor:
        fine = torch.randn(8, 4, 16, 16)
        return fine if true else torch.nn.functional.avg_pool2d(fine, 3, 1, 1)  # too soft

    losses = []
    for _ in range(60):
        loss = critic_loss(critic, [drawn(True)], [drawn(False)], asked)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    with torch.no_grad():
        soft = maker_loss(critic, [drawn(True)], [drawn(False)], asked)
        crisp = maker_loss(critic, [drawn(True)], [drawn(True)], asked)
    assert float(soft) > 2 * float(crisp)


def test_a_critic_learns_what_belongs_to_a_canvas() -> None:
    torch.manual_seed(0)
    critic = Critic(4, 3, 5, 2, (16, 16, 16))
    judge = torch.optim.AdamW(critic.parameters(), 2e-3, (0.0, 0.99))

    def pair() -> tuple[Tensor, Asked]:
        canvas = torch.rand(8, 3, 1, 1).expand(8, 3, 16, 16).round().contiguous()
        return torch.cat([canvas, canvas[:, :1]], 1), Asked(canvas, torch.zeros(8, 5), 1)

    for _ in range(80):
        true, asked = pair()
        criticised(critic, judge, [true], [true.clone()], asked)  # made as well as painted
    true, asked = pair()
    elsewhere = asked.rolled()
    other = (elsewhere.canvas != asked.canvas).flatten(1).any(1)
    with torch.no_grad():
        right = critic(true, asked.canvas, asked.words, 1).mean(1)
        wrong = critic(true, elsewhere.canvas, elsewhere.words, 1).mean(1)
    assert (right - wrong)[other].min() > 0


def test_the_critic_reads_canvas_words_and_scale() -> None:
    torch.manual_seed(0)
    critic = Critic(4, 3, 5, 2, WIDTH)
    for level in critic.levels:
        torch.nn.init.normal_(level.words.weight)  # type: ignore[union-attr, arg-type]
    latents, canvas, words = torch.randn(1, 4, 16, 16), torch.rand(1, 3, 16, 16), torch.randn(1, 5)
    base = critic(latents, canvas, words, 0)
    assert base.shape == (1, 16 * 16 + 8 * 8 + 4 * 4)
    for other in (
        critic(latents, 1 - canvas, words, 0),
        critic(latents, canvas, -words, 0),
        critic(latents, canvas, words, 1),
    ):
        assert not torch.allclose(base, other, atol=1e-4)


def test_a_jumping_critic_pays() -> None:
    class Steep(torch.nn.Module):
        def forward(self, latents: Tensor, *_: object) -> Tensor:
            return latents.flatten(1) * 1000

    class Flat(torch.nn.Module):
        def forward(self, latents: Tensor, *_: object) -> Tensor:
            return latents.flatten(1) * 0

    asked = Asked(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1), 0)
    true, made = torch.randn(2, 1, 4, 4), torch.randn(2, 1, 4, 4)
    flat, steep = (float(critic_loss(c, [true], [made], asked)) for c in (Flat(), Steep()))
    assert flat == pytest.approx(np.log(2), abs=1e-4)
    assert steep > 1000
    assert float(critic_loss(Steep(), [true], [true], asked, smooth=0)) == pytest.approx(np.log(2))


class Eraser(torch.nn.Module):
    """Answers with the noise level, wherever it is asked; keeps what it saw."""

    def __init__(self, text: torch.nn.Module) -> None:
        super().__init__()
        self.text, self.seen = text, list[Tensor]()

    def forward(
        self, noisy: Tensor, canvas: Tensor, sigma: Tensor, tokens: Tensor, scale: int
    ) -> Tensor:
        self.seen.append(noisy)
        at = sigma[:, None, None, None]
        return (noisy - at) / at


def test_later_steps_go_on_as_a_run_of_so_many_steps_does(feed: Feed, teacher: Painter) -> None:
    for seed in range(6):
        lesson = Lessons(feed).plain(np.random.default_rng(seed), 16)
        assert lesson.begin is not None
        student = Eraser(teacher.text)
        answers = answered(student, lesson)  # type: ignore[arg-type]
        first, *between, last = student.seen
        assert torch.equal(first, lesson.noise[0]), "from noise alone"
        assert len(between) == len(lesson.levels) - 2
        x = lesson.noise[0][: lesson.onward]
        for now, then in pairwise(lesson.levels):
            x = now + then / now * (x - now)  # Euler's step, from an Eraser's answer
        assert torch.allclose(last[: lesson.onward], x, atol=1e-5)
        at = lesson.later.sigma[lesson.onward :, None, None, None]
        start, noise = lesson.later.start[lesson.onward :], lesson.noise[1][lesson.onward :]
        afresh = (1 - at) * start + at * noise
        assert torch.allclose(last[lesson.onward :], afresh, atol=1e-5)
        sigma = torch.cat([lesson.begin.sigma, lesson.later.sigma])[:, None, None, None]
        assert torch.allclose(answers.made, sigma, atol=1e-4)
        assert torch.equal(answers.true, torch.cat([lesson.begin.clean, lesson.later.clean]))
        begun = len(lesson.begin.sigma)
        same = answers.asked.canvas[begun : begun + lesson.onward]
        assert torch.equal(answers.asked.canvas[: lesson.onward], same)


def test_a_student_never_sees_bare_paper_and_its_teacher_does(feed: Feed) -> None:
    rng, kinds = np.random.default_rng(0), len(FOLD.colours)
    asked = feed.asked
    bare = Feed(asked.data, feed.latents, asked.tokenizer, feed.weights, bare=1.0).plain(rng, 4)
    assert torch.equal(bare.canvas, bare_paper(bare.clean))
    for batch in (feed.plain(rng, 8), feed.plain(rng, 8, half=True), feed.fine(rng, 4)):
        assert batch.canvas[:, kinds - 1 :: kinds].abs().max() == 0
        parts = batch.canvas.view(len(batch.canvas), FOLD.cells**2, kinds, -1)
        assert torch.allclose(parts.sum(2), torch.ones(1), atol=1e-4)


def test_an_interrupted_distillation_ends_where_an_uninterrupted_one_does(
    teacher: Painter, feed: Feed, tmp_path: Path
) -> None:
    lessons = Lessons(feed)

    def run(name: str, **changes: object) -> Painter:
        (tmp_path / name).mkdir(exist_ok=True)
        settings = plan(tmp_path / name, steps=8, momentum=0.0, **changes)
        torch.manual_seed(3)
        return distil(teacher, lessons, settings, batch=4, width=WIDTH)

    whole = run("whole")
    run("parts", stop_after=5)
    parts = run("parts")
    assert all(same(whole, parts))
    assert all(same(whole.text, teacher.text)), "the words keep their meaning"
    assert sum(same(whole.unet, teacher.unet)) < 0.1 * len(teacher.unet.state_dict())


def test_sharpening_leaves_the_encoder_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = painted(64)
    vae = make_autoencoder(TINY).eval()
    start_linear(vae, data)
    sharp = sharpen(vae, [data], plan(tmp_path), batch=2, crop=32)
    assert all(same(sharp.encoder, vae.encoder))
    assert not all(same(sharp.decoder, vae.decoder))


def test_the_last_school_brings_detail_back_and_keeps_the_light(tmp_path: Path) -> None:
    """A student's smooth latents: the finished decoder draws as much detail of them as paintings
    have, where the one before drew less; colours and the encoder stay."""
    torch.manual_seed(0)
    data = painted(64)
    vae = make_autoencoder(TINY).eval()
    start_linear(vae, data)
    pictures = to_tensor(np.array(data.paintings))
    with torch.inference_mode():
        smooth = patches.encode(vae, F.avg_pool2d(pictures, 5, 1, 2))
    made = Answers(smooth.clone(), tuple(range(len(data))))
    course = plan(tmp_path, steps=60, rate=3e-3, average=0.9)
    finished = finish(vae, [data], made, course, batch=4, crop=32)

    def energy(which: AutoencoderTiny) -> Tensor:
        with torch.inference_mode():
            return detail(patches.decode(which, made.latents)).mean()

    wanted = detail(pictures).mean()
    assert energy(vae) < 0.7 * wanted
    assert abs(energy(finished) - wanted) < 0.5 * abs(energy(vae) - wanted)
    assert all(same(finished.encoder, vae.encoder))
    with torch.inference_mode():
        before, after = (patches.decode(each, made.latents) for each in (vae, finished))
    assert (F.avg_pool2d(before, 16) - F.avg_pool2d(after, 16)).abs().mean() < 0.05


def test_detail_counts_lines_wherever_they_run() -> None:
    lines = torch.full((1, 3, 66, 66), -1.0)
    lines[..., ::4] = 1
    there, moved = detail(lines), detail(lines.roll(1, 3))
    assert torch.allclose(there, moved, rtol=1e-3)
    assert (detail(F.avg_pool2d(lines, 3, 1, 1)) < 0.6 * there).all()


def test_one_command_trains_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    options = (
        f"--out {tmp_path} --weights {tmp_path}/weights --scenes 3 --fine 2 --steps 2 --batch 2"
    )
    main(["all", *options.split()])
    kept = {path.name for path in (tmp_path / "weights").iterdir()}
    assert kept >= {
        "unet",
        "vae",
        "text_encoder",
        "tokenizer",
        "layout",
        "canvas.json",
        "model_index.json",
    }
    assert (tmp_path / "teacher" / "unet").exists()
    stamp = (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns
    capsys.readouterr()
    for stage in ("distil", "finish"):  # all done: nothing is painted or trained anew
        main([stage, *options.split()])
    assert (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns == stamp
    told = capsys.readouterr().out
    assert "student: step 2, 100.0 %" in told
    assert "finish: step 2, 100.0 %" in told


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        ("sharpen", "autoencoder"),
        ("layout", "unet"),
        ("distil", "autoencoder"),
        ("finish", "distil"),
    ],
)
def test_a_stage_says_which_one_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, missing: str
) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    where = f"--out {tmp_path} --weights {tmp_path}/weights"
    with pytest.raises(SystemExit, match=f"run `{missing}` first"):
        main([stage, *f"{where} --scenes 2 --fine 1 --steps 1 --batch 2".split()])


def test_weights_are_not_trained_on_from_below_other_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    options = f"--out {tmp_path} --scenes 2 --fine 1 --steps 1 --batch 2".split()
    main(["autoencoder", *options])
    main(["sharpen", *options])
    (tmp_path / "autoencoder.pt").unlink()
    main(["autoencoder", *options, "--seed", "5"])
    with pytest.raises(SystemExit, match="move it away"):
        main(["sharpen", *options])


@pytest.mark.parametrize(
    "wrong", ["--steps 0", "--batch 0", "--minutes 0", "--steps 1 --minutes 1"]
)
def test_lengths_that_are_none_are_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["unet", *wrong.split()])
    assert wrong.split()[0] in capsys.readouterr().err


def test_folded_canvases_have_the_networks_channels(feed: Feed) -> None:
    assert feed.plain(np.random.default_rng(0), 2).canvas.shape[1] == FOLD.channels
