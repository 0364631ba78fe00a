"""The plain measures: nothing wrong costs nothing, and every planted fault is seen."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.scenes import measures
from models.scenes.board import VAGUE
from models.scenes.dataset import HELD_OUT
from models.scenes.distance import patch_distance
from models.scenes.drawing import recorded
from models.scenes.painter import Scene, paint_scene
from models.scenes.palette import MATERIALS
from models.scenes.plan import Labels
from models.scenes.sketch import BARE

Pictures = NDArray[np.uint8]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [paint_scene(HELD_OUT + i, 128) for i in range(12)]


@pytest.fixture(scope="module")
def paintings(scenes: list[Scene]) -> Pictures:
    return np.stack([scene.painting for scene in scenes])


def noisy(pictures: Pictures, spread: float = 12, seed: int = 0) -> Pictures:
    noise = np.random.default_rng(seed).normal(0, spread, pictures.shape)
    return np.clip(pictures + noise, 0, 255).astype(np.uint8)


def test_signal_to_noise_falls_with_noise(paintings: Pictures) -> None:
    assert measures.psnr(paintings, paintings) > 100
    assert 25 < measures.psnr(noisy(paintings, 12), paintings) < 28
    assert measures.psnr(np.roll(paintings, 1, 0), paintings) < 20
    flat = np.full((1, 8, 8, 3), 100, np.uint8)
    assert measures.psnr(flat, flat + 16) == pytest.approx(20 * np.log10(255 / 16), abs=1e-3)


def test_a_blurred_picture_is_less_sharp(paintings: Pictures) -> None:
    whole = measures.sharpness(paintings)
    assert measures.sharpness(measures.blurred(paintings, 0.7)) < 0.7 * whole
    assert measures.sharpness(measures.blurred(paintings, 1.5)) < 0.2 * whole


def test_a_set_has_no_patch_distance_to_itself(paintings: Pictures) -> None:
    assert patch_distance(paintings, paintings) == 0


def test_patch_distance_grows_with_blur(paintings: Pictures) -> None:
    blurs = [measures.blurred(paintings, sigma) for sigma in (0.6, 1.2, 2.5)]
    far = [patch_distance(blurred, paintings) for blurred in blurs]
    assert 20 < far[0] < far[1] < far[2]


@pytest.mark.parametrize("fault", ["noise", "dark", "grey"])
def test_patch_distance_sees_what_isnt_a_painting(paintings: Pictures, fault: str) -> None:
    wrong = {
        "noise": noisy(paintings, 10),
        "dark": paintings // 3,
        "grey": np.repeat(paintings.mean(-1, keepdims=True), 3, -1).astype(np.uint8),
    }[fault]
    assert patch_distance(wrong, paintings) > 50


def test_sets_of_different_number_are_refused(paintings: Pictures) -> None:
    with pytest.raises(ValueError, match="compared"):
        patch_distance(paintings[:4], paintings)


def test_one_picture_many_times_has_no_spread(paintings: Pictures) -> None:
    assert measures.spread(paintings[[3] * 8]) < 0.2
    alike = noisy(paintings[[3] * 8], 3)
    assert measures.spread(alike) < 0.1 * measures.spread(paintings)
    values = np.array([0, 100, 200], np.uint8)
    flat = np.broadcast_to(values[:, None, None, None], (3, 64, 64, 3)).copy()
    assert measures.spread(flat) == pytest.approx(400 / 3, abs=0.1)


def test_copies_of_training_pictures_are_named(paintings: Pictures) -> None:
    learnt = np.stack([paint_scene(seed, 64).painting for seed in range(80)])
    training = measures.thumbnails(learnt)
    apart, copied = measures.nearest(paintings, training, 10)
    assert not copied.any()
    assert apart.min() > 5
    shown = np.stack([learnt[4], learnt[9][:, ::-1], noisy(learnt[7:8], 20)[0]])
    apart, copied = measures.nearest(shown, training, 10)
    assert copied.all()
    assert apart[:2].max() < 0.5


def test_a_plain_picture_near_to_many_is_no_copy() -> None:
    fog = (
        np.full((60, 32, 32, 3), 180, np.uint8) + np.arange(60, dtype=np.uint8)[:, None, None, None]
    )
    _, copied = measures.nearest(fog[30:31] - 1, noisy(fog, 4), 10)
    assert not copied.any()


def halves(upper: str, lower: str) -> Labels:
    labels = np.full((1, 8, 8), MATERIALS.index(upper), np.uint8)
    labels[:, 4:] = MATERIALS.index(lower)
    return labels


def test_overlap_is_one_where_all_is_right_and_counts_both_ways() -> None:
    truth = halves("sky", "water")
    assert measures.overlaps(measures.confusion(truth, truth), 0) == {"sky": 1, "water": 1}
    named = truth.copy()
    named[:, 2:4] = MATERIALS.index("water")  # half of the sky is called water
    shares = measures.overlaps(measures.confusion(named, truth), 0)
    assert shares == {"sky": pytest.approx(0.5), "water": pytest.approx(4 / 6)}
    named[:, 0, 0] = MATERIALS.index(
        "house"
    )  # named, but nowhere in the truth: no class of its own
    assert set(measures.overlaps(measures.confusion(named, truth), 0)) == {"sky", "water"}


def test_vague_places_count_neither_way() -> None:
    truth, named = halves("sky", "water"), halves("sky", "water")
    truth[:, :2], named[:, :2] = VAGUE, MATERIALS.index("house")
    counts = measures.confusion(named, truth)
    assert measures.overlaps(counts, 0) == {"sky": 1, "water": 1}
    assert counts.sum() == 48


def test_rare_materials_are_left_out_of_the_overlap() -> None:
    truth = halves("sky", "water")
    truth[0, 0, 0] = MATERIALS.index("flower")
    counts = measures.confusion(truth, truth)
    assert set(measures.overlaps(counts, 0.02)) == {"sky", "water"}
    assert set(measures.overlaps(counts, 0.01)) == {"sky", "water", "flower"}


def test_shuffled_label_maps_miss(scenes: list[Scene]) -> None:
    labels = np.stack([scene.labels for scene in scenes])
    shares = measures.overlaps(measures.confusion(np.roll(labels, 1, 0), labels), 0.002)
    assert np.mean(list(shares.values())) < 0.3


def test_only_what_is_far_from_an_edit_counts(paintings: Pictures) -> None:
    touched = np.zeros((128, 128), bool)
    touched[40:60, 40:60] = True
    far = measures.far_from(touched, 32)
    assert not far[72:91, 40:60].any()
    assert far[93:, 40:60].all()
    before = paintings[0]
    near, everywhere = before.copy(), noisy(before, 30)
    near[~far] = everywhere[~far]
    assert measures.change(before, near, far) == 0
    assert measures.change(before, everywhere, far) > 0.05
    assert measures.far_from(np.zeros((4, 4), bool)).all()


def test_change_is_a_share_of_full_scale() -> None:
    before, where = np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), bool)
    after = before.copy()
    after[:2] = 255
    assert measures.change(before, after, where) == pytest.approx(0.5)
    assert measures.change(after, before, where) == pytest.approx(0.5)
    assert measures.change(before, after, ~where) == 0


def test_a_drawing_grows_stroke_by_stroke_into_its_scene(scenes: list[Scene]) -> None:
    labels = scenes[2].labels
    states = recorded(labels, 60)
    painted = [(state != BARE).mean() for state in states]
    assert painted == sorted(painted)
    assert painted[0] < 0.1
    assert painted[-1] > 0.95
    assert (states[-1] == labels).mean() > 0.85
    touched = [(a != b).mean() for a, b in pairwise(states)]
    assert max(touched) < 0.12
    assert np.mean(np.array(touched) > 0) > 0.9
    assert np.array_equal(states, recorded(labels, 60))


def test_a_drawing_of_a_small_thing_is_a_dab() -> None:
    labels = np.full((64, 64), MATERIALS.index("sky"), np.uint8)
    cv2.circle(labels, (30, 20), 3, MATERIALS.index("sun"), -1)
    last = recorded(labels, 10)[-1]
    assert (last == MATERIALS.index("sun")).sum() > 8
