"""The student, its critic, and the sharpened decoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from models.scenes.autoencoder import start_linear
from models.scenes.codes import Codes
from models.scenes.critic import Asked, Critic, critic_loss, criticised, maker_loss
from models.scenes.dataset import Dataset
from models.scenes.distil import Lessons, answered, distil, planned, unpainted
from models.scenes.flow import Feed
from models.scenes.latents import encode_all, weights
from models.scenes.loop import Plan
from models.scenes.nets import FOLD, Painter, Shape, make_autoencoder, make_painter, make_tokenizer
from models.scenes.painter import paint_scene
from models.scenes.palette import PALETTE
from models.scenes.sharpen import sharpen
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
    return make_painter(TINY, len(feed.tokenizer)).eval()


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


def test_later_steps_go_on_from_the_first_with_its_noise(feed: Feed, teacher: Painter) -> None:
    lesson = Lessons(feed, some_codes()).plain(np.random.default_rng(0), 16)
    assert lesson.begin is not None
    student = Eraser(teacher.text)
    answers, _ = answered(student, lesson, torch.ones(6))  # type: ignore[arg-type]
    first, second = student.seen
    assert torch.equal(first, lesson.noise[0]), "from noise alone"
    at = lesson.later.sigma[:, None, None, None]
    onward = (1 - at[:2]) * 1 + at[:2] * lesson.noise[0][:2]
    afresh = (1 - at[2:]) * lesson.later.start[2:] + at[2:] * lesson.noise[1][2:]
    assert torch.allclose(second, torch.cat([onward, afresh]), atol=1e-5)
    assert torch.equal(answers.true, torch.cat([lesson.begin.clean, lesson.later.clean]))
    assert torch.equal(answers.asked.canvas[:2], answers.asked.canvas[12:14])


def test_only_what_has_one_answer_is_followed(feed: Feed, teacher: Painter) -> None:
    lesson = Lessons(feed, some_codes()).plain(np.random.default_rng(0), 16)
    assert lesson.begin is not None
    bare, kinds = torch.zeros_like(lesson.begin.canvas), len(FOLD.colours)
    bare[:, kinds - 1 :: kinds, :, :4] = 1  # the left half is paper
    bare[:, ::kinds, :, 4:] = 1
    begin, later = (replace(rows, canvas=bare) for rows in (lesson.begin, lesson.later))
    asked = replace(lesson, begin=begin, later=later)
    answers, _ = answered(Eraser(teacher.text), asked, torch.ones(6))  # type: ignore[arg-type]
    assert (answers.known[:12, :, :, :4] == 0).all()
    assert (answers.known[:12, :, :, 4:] == 1).all()
    assert (answers.known[12:] == 1).all()
    assert torch.equal(answers.aim[12:14, :, :, 4:], later.clean[:2, :, :, 4:])
    assert torch.allclose(answers.aim[12:14, :, :, :4], torch.ones(1), atol=1e-5), "what it chose"
    assert torch.equal(answers.aim[14:], later.clean[2:])


def test_a_layout_is_followed_in_large_where_the_canvas_is_bare() -> None:
    true, empty, weights = torch.randn(2, 6, 16, 16), torch.ones(2, 1, 16, 16), torch.ones(6)
    assert float(planned(true, true, empty, weights)) == 0
    assert float(planned(true + 1, true, empty, weights)) > 0.5
    assert float(planned(true + 1, true, 0 * empty, weights)) == 0
    grain = true + 3 * torch.tensor([1.0, -1.0]).repeat(8)
    assert float(planned(grain, true, empty, weights)) < 1e-6, "grain is the critic's business"


def test_the_first_rows_begin_from_noise_that_stands_for_their_layout(feed: Feed) -> None:
    codes = some_codes()
    lesson = Lessons(feed, codes).plain(np.random.default_rng(0), 40)
    assert lesson.begin is not None
    assert (lesson.coded, lesson.onward) == (10, 5)
    held = lesson.noise[0].flatten(1) @ codes.directions.flatten(1).T
    for row, clean in zip(held[:10], lesson.begin.clean, strict=False):
        scene, turned = divmod(int((row[0] * 10).round()), 2)
        assert torch.equal(clean, feed.latents.paintings[scene, turned].float())
    assert not torch.allclose(held[10:, 0] * 10, (held[10:, 0] * 10).round(), atol=1e-3)


def some_codes() -> Codes:
    """One direction, along which each of four paintings has its number / 10."""
    direction = torch.zeros(1, 6, 8, 8)
    direction[0, 0, 0, 0] = 1
    return Codes(direction, torch.arange(8.0).view(4, 2, 1) / 10)


def test_bare_paper_is_known_from_the_fold() -> None:
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[:, 32:] = PALETTE["sky"]
    bare = unpainted(torch.from_numpy(FOLD(picture, 8))[None])
    assert torch.equal(bare, torch.tensor([1.0] * 4 + [0.0] * 4).expand(1, 1, 8, 8))


def test_an_interrupted_distillation_ends_where_an_uninterrupted_one_does(
    teacher: Painter, feed: Feed, tmp_path: Path
) -> None:
    lessons = Lessons(feed, some_codes())

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
    sharp = sharpen(vae, [data], plan(tmp_path), batch=2, crop=32, width=WIDTH)
    assert all(same(sharp.encoder, vae.encoder))
    assert not all(same(sharp.decoder, vae.decoder))


def test_one_command_trains_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.scenes.train.Shape", lambda: TINY)
    monkeypatch.setattr("models.scenes.distil.WIDTH", WIDTH)
    options = (
        f"--out {tmp_path} --weights {tmp_path}/weights --scenes 3 --fine 2 --steps 2 --batch 2"
    )
    main(["all", *options.split()])
    kept = {path.name for path in (tmp_path / "weights").iterdir()}
    assert kept >= {"unet", "vae", "text_encoder", "tokenizer", "canvas.json", "model_index.json"}
    assert (tmp_path / "teacher" / "unet").exists()
    stamp = (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns
    again = ["distil", *options.split()]
    main(again)  # all done: nothing is painted or trained anew
    assert (tmp_path / "data" / "paintings.npy").stat().st_mtime_ns == stamp
    assert "100.0 %" in capsys.readouterr().out


def test_folded_canvases_have_the_networks_channels(feed: Feed) -> None:
    assert feed.plain(np.random.default_rng(0), 2).canvas.shape[1] == FOLD.channels
