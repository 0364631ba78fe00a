"""The training: resumes as if it had never stopped, and learns."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

from models import patches
from models.networks import to_pixels
from models.scenes.asked import prompt
from models.scenes.autoencoder import picture_loss, start_linear, to_tensor, train_autoencoder
from models.scenes.captions import caption
from models.scenes.chance import TILES
from models.scenes.dataset import HELD_OUT, Bytes, Dataset, held_out, open_dataset, prepare
from models.scenes.latents import calibrate, encode_all, normalised, weights
from models.scenes.loop import Loop, Plan, halves, multiplies_halves
from models.scenes.measures import psnr
from models.scenes.muon import orthogonal
from models.scenes.nets import (
    FOLD,
    make_autoencoder,
    make_painter,
    make_tokenizer,
    open_weights,
    save_weights,
    tokenize,
)
from models.scenes.painter import paint_scene
from models.scenes.painting import Feed, rarity, train_painter
from models.scenes.palette import STRANGERS, VOCABULARY
from models.scenes.words import unsaid
from tests.tiny_scenes import TINY, painted


@pytest.fixture(scope="module")
def data() -> Dataset:
    return painted(64)


@pytest.fixture(scope="module")
def fine() -> Dataset:
    return painted(128)


def plan(folder: Path, **changes: object) -> Plan:
    settings: dict[str, object] = {"rate": 2e-3, "steps": 4, "save_seconds": 1e9} | changes
    return Plan(folder / "net.pt", **settings)  # type: ignore[arg-type]


def train_tiny(data: Dataset, plan: Plan) -> Loop:
    torch.manual_seed(0)
    return train_autoencoder(make_autoencoder(TINY), [data], plan, batch=3, crop=32)


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    data: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    whole = train_tiny(data, plan(tmp_path / "a"))
    first = train_tiny(data, plan(tmp_path / "b", stop_after=2))
    assert first.step == 2
    second = train_tiny(data, plan(tmp_path / "b"))
    assert second.step == whole.step == 4
    pairs = zip(whole.average.parameters(), second.average.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_resuming_gives_the_same_losses(tmp_path: Path) -> None:
    def run(folder: Path, **changes: object) -> list[float]:
        torch.manual_seed(0)
        net = torch.nn.Linear(4, 4)
        loop = Loop(plan(folder, steps=6, **changes), net)

        def loss_of(step: int, chance: torch.Generator) -> torch.Tensor:
            result: torch.Tensor = net(torch.randn(8, 4, generator=chance))
            return (result - 1).square().mean()

        return loop.run(loss_of)

    whole = run(tmp_path / "whole")
    parts = run(tmp_path / "parts", stop_after=3) + run(tmp_path / "parts")
    assert len(whole) == 6
    assert parts == whole
    assert run(tmp_path / "parts") == []  # finished: nothing more to do


def test_a_resumed_training_keeps_both_optimizers(tmp_path: Path) -> None:
    def run(folder: Path, **changes: object) -> torch.nn.Module:
        torch.manual_seed(0)
        net = torch.nn.Linear(4, 4)
        loop = Loop(plan(folder, steps=6, matrix_rate=0.02, **changes), net)
        assert len(loop.optimizers) == 2

        def loss_of(step: int, chance: torch.Generator) -> torch.Tensor:
            result: torch.Tensor = net(torch.randn(8, 4, generator=chance))
            return (result - 1).square().mean()

        loop.run(loss_of)
        return net

    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", stop_after=3)
    parts = run(tmp_path / "parts")
    pairs = zip(whole.parameters(), parts.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_steps_of_matrices_are_about_orthogonal(shape: tuple[int, int]) -> None:
    chance = torch.Generator().manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(2, *shape, generator=chance) * 30))
    assert float(values.max()) < 1.35
    assert float(values.min()) > 0.3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_step_and_saves(tmp_path: Path, number: signal.Signals) -> None:
    net = torch.nn.Linear(1, 1)
    loop = Loop(plan(tmp_path), net)

    def loss_of(step: int, chance: torch.Generator) -> torch.Tensor:
        if step == 2:
            os.kill(os.getpid(), number)
        return net(torch.ones(1, 1)).square().mean()  # type: ignore[no-any-return]

    before = signal.getsignal(number)
    with pytest.raises(SystemExit, match="goes on"):
        loop.run(loss_of)
    assert signal.getsignal(number) is before
    assert Loop(plan(tmp_path), torch.nn.Linear(1, 1)).step == 3, "the step that had begun is done"


def test_a_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    def loss_of(step: int, chance: torch.Generator) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("gone on")

    with pytest.raises(KeyboardInterrupt):
        Loop(plan(tmp_path), torch.nn.Linear(1, 1)).run(loss_of)
    assert not (tmp_path / "net.pt").exists()


def test_a_training_isn_t_gone_on_with_other_weights_below_it(tmp_path: Path) -> None:
    Loop(plan(tmp_path, rests="one"), torch.nn.Linear(1, 1)).save()
    assert Loop(plan(tmp_path, rests="one"), torch.nn.Linear(1, 1)).step == 0
    with pytest.raises(SystemExit, match="move it away"):
        Loop(plan(tmp_path, rests="another"), torch.nn.Linear(1, 1))


def reconstruct(vae: AutoencoderTiny, pictures: Bytes) -> Bytes:
    with torch.inference_mode():
        return to_pixels(patches.decode(vae, patches.encode(vae, to_tensor(pictures))))


def test_the_autoencoder_starts_as_good_as_principal_components(data: Dataset) -> None:
    torch.manual_seed(0)
    vae = make_autoencoder(TINY).eval()
    noise = psnr(reconstruct(vae, data.paintings), data.paintings)
    start_linear(vae, data)
    back = reconstruct(vae, data.paintings)
    squares = data.paintings.reshape(4, 8, 8, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 192)
    middle = squares.mean(0)
    _, _, basis = np.linalg.svd(squares - middle, full_matrices=False)
    best = (squares - middle) @ basis[:6].T @ basis[:6] + middle
    errors = [np.square(each).mean() for each in np.split(squares - best, 4)]
    bound = np.mean(10 * np.log10(255**2 / np.array(errors)))
    ours = psnr(back, data.paintings)
    assert noise < 15
    assert bound - 0.7 < ours < bound + 0.1  # a little less: the decoder bends large latents


def test_latents_are_kept_with_their_autoencoder(
    data: Dataset, fine: Dataset, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    vae = make_autoencoder(TINY).eval()
    latents = encode_all(vae, data, fine, tmp_path)
    assert latents.paintings.shape == (4, 6, 8, 8)
    assert latents.canvases.shape == (4, 6, 8, 8)
    assert latents.fine.shape == latents.enlarged.shape == (4, 6, 16, 16)
    assert torch.equal(encode_all(vae, data, fine, tmp_path).paintings, latents.paintings)
    other = encode_all(make_autoencoder(TINY).eval(), data, fine, tmp_path)
    assert not torch.equal(other.paintings, latents.paintings), "another autoencoder's own"
    calibrate(vae, latents)
    normal = normalised(vae, latents).paintings.float()
    assert abs(float(normal.mean())) < 0.02
    assert abs(float(normal.std()) - 1) < 0.02


def test_channels_matter_by_what_they_do_to_a_picture(
    data: Dataset, fine: Dataset, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    vae = make_autoencoder(TINY).eval()
    start_linear(vae, data)  # the first component is light, the last a detail
    matter = weights(vae, encode_all(vae, data, fine, tmp_path))
    assert float(matter.mean()) == pytest.approx(1)
    assert float(matter[0]) > 2 * float(matter[-1]) > 0


@pytest.fixture
def feed(data: Dataset, fine: Dataset, tmp_path: Path) -> Feed:
    torch.manual_seed(0)
    vae = make_autoencoder(TINY).eval()
    latents = encode_all(vae, data, fine, tmp_path)
    known = [w for group in VOCABULARY.values() for many in group.values() for w in many]
    tokenizer = make_tokenizer(tmp_path / "tokenizer", known * 20)
    return Feed(data, latents, tokenizer, weights(vae, latents))


def test_batches_show_the_canvas_of_their_painting(feed: Feed) -> None:
    rng = np.random.default_rng(0)
    for batch, edge, scale in ((feed.plain(rng, 40), 8, 1), (feed.fine(rng, 8), 16, 2)):
        count = len(batch.clean)
        assert batch.clean.shape == batch.start.shape == (count, 6, edge, edge)
        assert batch.canvas.shape == (count, FOLD.channels, edge, edge)
        assert batch.tokens.shape == (count, 32)
        assert batch.scale == scale
        assert float(batch.sigma.min()) > 0
        assert float(batch.sigma.max()) <= 1
    batch = feed.plain(rng, 40)
    for clean, canvas in zip(batch.clean, batch.canvas, strict=True):
        rows = [torch.equal(known.float(), clean) for known in feed.latents.paintings]
        shown = FOLD.shares(feed.asked.data.canvases[rows.index(True)], 8)
        assert float(np.abs(shown - canvas.numpy()).mean()) < 0.06  # colours and edges may be off


def test_a_batch_is_of_its_scenes_tiles_and_words(feed: Feed) -> None:
    batch = feed.plain(np.random.default_rng(1), 16)
    for clean, tile, tokens in zip(batch.clean, batch.tiles.tolist(), batch.tokens, strict=True):
        known = [torch.equal(each.float(), clean) for each in feed.latents.paintings]
        scene = known.index(True)
        assert tile == scene % TILES
        said = feed.asked.tokenizer.decode(tokens).replace(" - ", "-")
        assert unsaid(said) == [], said
        for group, word in feed.asked.data.words[scene].items():
            assert any(wording in said for wording in VOCABULARY[group][word])
    assert (batch.sigma[:14] == 1).all()
    assert (batch.sigma[14:] < 1).all()


def test_what_is_rare_counts_more() -> None:
    labels = np.zeros((16, 16), np.uint8)
    labels[:2, :2] = 9
    counts = rarity(torch.from_numpy(FOLD.shares(labels, 8))[None])
    assert counts.shape == (1, 1, 8, 8)
    assert float(counts[0, 0, 0, 0]) > 3 * float(counts[0, 0, 4, 4]) > 0


def test_the_painter_network_trains(feed: Feed, tmp_path: Path) -> None:
    painter = make_painter(TINY, len(feed.asked.tokenizer))
    before = {name: p.detach().clone() for name, p in painter.named_parameters()}
    average = train_painter(painter, feed, plan(tmp_path, rate=1e-3, steps=12), batch=2)
    after = dict(painter.named_parameters())
    moved = [name for name, p in after.items() if not torch.equal(p, before[name])]
    assert len(moved) > len(before) * 0.9
    assert {"tables.1.weight", "tables.2.weight"} <= set(moved), "both sizes' constants"
    assert not any(torch.equal(p, before[name]) for name, p in [*average.named_parameters()][:3])


def test_known_words_are_one_token_and_any_text_can_be_spelt(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path, ["sunset, winter", "winter night"] * 20)
    assert tokenizer.tokenize("Sunset WINTER") == ["sunset</w>", "winter</w>"]
    strange = tokenize(tokenizer, ["żółw ☂ 東京 xyzzy", "", "word " * 200])
    assert strange.shape == (3, 32)
    inside = strange[0][1:10]
    assert (inside != tokenizer.eos_token_id).all()


def test_prompts_are_at_times_empty_and_at_times_strange() -> None:
    rng = np.random.default_rng(0)
    texts = [prompt(rng, ["sunset, winter"]) for _ in range(300)]
    assert 5 < texts.count("") < 60
    strange = [text for text in texts if text not in ("", "sunset, winter")]
    assert 30 < len(strange) < 110
    assert all("sunset," in text.split() for text in strange)


def test_prepare_paints_once_and_differs_from_held_out(tmp_path: Path) -> None:
    made = prepare(tmp_path, 3, 32, jobs=1)
    stamp = (tmp_path / "paintings.npy").stat().st_mtime_ns
    again = prepare(tmp_path, 3, 32, jobs=1)
    assert (tmp_path / "paintings.npy").stat().st_mtime_ns == stamp
    assert np.array_equal(again.paintings, made.paintings)
    assert np.array_equal(made.paintings[1], paint_scene(1, 32).painting)
    assert len(open_dataset(tmp_path).captions[0]) == 4
    assert np.array_equal(next(held_out(1, 32)).painting, paint_scene(HELD_OUT, 32).painting)


def test_losses_and_conversions() -> None:
    picture = paint_scene(1, 32).painting[None]
    tensor = to_tensor(picture)
    assert np.array_equal(to_pixels(tensor), picture)
    assert float(picture_loss(tensor, tensor)) == 0
    soft = torch.nn.functional.avg_pool2d(tensor, 3, 1, 1)
    assert float(picture_loss(soft, tensor)) > 0.01


def test_captions_without_words_say_nothing() -> None:
    for seed in range(40):
        text = caption(np.random.default_rng(seed), {}, [])
        assert not set(re.split("[, ]+", text)) - {"", *STRANGERS}


@pytest.mark.parametrize(
    ("flags", "fast"),
    [("fma avx512_bf16 amx_tile amx_bf16", True), ("avx512f avx512_bf16", True), ("avx2", False),
     (None, False)],
)  # fmt: skip
def test_halves_are_used_where_a_processor_multiplies_them(
    flags: str | None, fast: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "cpuinfo"
    if flags is not None:
        told.write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr("models.scenes.loop.CPUINFO", told)
    multiplies_halves.cache_clear()
    assert halves(torch.device("cpu")) is fast
    assert halves(torch.device("cuda"))
    monkeypatch.undo()
    multiplies_halves.cache_clear()


def test_the_network_never_sees_bare_paper(feed: Feed) -> None:
    rng, kinds = np.random.default_rng(0), len(FOLD.colours)
    for batch in (feed.plain(rng, 8), feed.fine(rng, 4)):
        assert batch.canvas.shape[1] == FOLD.channels
        assert batch.canvas[:, kinds - 1 :: kinds].abs().max() == 0
        parts = batch.canvas.view(len(batch.canvas), FOLD.cells**2, kinds, -1)
        assert torch.allclose(parts.sum(2), torch.ones(1), atol=1e-4)


def test_constants_go_to_a_folder_and_back(feed: Feed, tmp_path: Path) -> None:
    torch.manual_seed(0)
    painter, tokenizer = make_painter(TINY, len(feed.asked.tokenizer)), feed.asked.tokenizer
    known = painter.known()
    save_weights(tmp_path, make_autoencoder(TINY), painter, tokenizer)
    _, again, _ = open_weights(tmp_path)
    for edge, table in again.known().tables.items():
        assert torch.allclose(table, known.tables[edge], atol=2e-3)
    assert set(known.tables) == {8, 16}
