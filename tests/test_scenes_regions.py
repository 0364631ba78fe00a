"""What is painted follows from what was drawn: regions, what stands in them, the light."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from models.scenes.chance import TILES
from models.scenes.foliage import parts_of
from models.scenes.plan import Labels
from models.scenes.regions import (
    CELLS,
    HOUSE,
    MEADOW,
    MOUNTAIN,
    PATH,
    SKY,
    SUN,
    TREE,
    WATER,
    behind,
    clean,
    horizon_of,
    regions,
    resized,
    sun_of,
)  # fmt: skip
from models.scenes.repaint import repaint
from models.scenes.things import standing

SIZE = 128
PLAIN = {"time": "day", "season": "summer", "weather": "clear", "style": "clean"}
WHITE, FAR = 40, 32


def field() -> Labels:
    """Sky over meadow."""
    labels = np.full((SIZE, SIZE), SKY, np.uint8)
    labels[SIZE // 2 :] = MEADOW
    return labels


def box(labels: Labels, material: int, where: tuple[int, int, int, int]) -> Labels:
    """The map with a box (left, upper, right, lower) of a material."""
    left, upper, right, lower = where
    changed = labels.copy()
    changed[upper:lower, left:right] = material
    return changed


def painted(labels: Labels, number: int = 0, size: int = SIZE, **words: str) -> np.ndarray:
    return repaint(labels, PLAIN | words, number, size).astype(int)


def test_what_map_and_words_leave_open_is_one_of_the_tiles() -> None:
    labels = box(field(), WATER, (10, 80, 90, 110))
    pictures = [painted(labels, number) for number in range(2 * TILES)]
    for number in range(TILES):
        assert np.array_equal(pictures[number], pictures[number + TILES])
    for number in range(1, TILES):
        assert np.abs(pictures[0] - pictures[number]).mean() > 1


def test_a_change_of_the_map_changes_little_far_from_it() -> None:
    before = field()
    after = box(before, HOUSE, (90, 80, 114, 104))
    apart = np.abs(painted(before) - painted(after)).max(-1)
    assert apart[80:104, 90:114].mean() > 20
    assert apart[:, : 90 - FAR].mean() < 1


def test_boxes_of_houses_keep_to_the_networks_grid() -> None:
    for shift in range(8):
        (found,) = standing(box(field(), HOUSE, (20 + shift, 70, 51 + shift, 97)))
        assert all((value * CELLS).is_integer() for value in found)
        assert np.abs(np.array(found) * SIZE - (20 + shift, 70, 51 + shift, 97)).max() <= 2


def test_a_small_house_is_still_two_cells_each_way() -> None:
    ((left, upper, right, lower),) = standing(box(field(), HOUSE, (60, 90, 65, 95)))
    assert (right - left, lower - upper) == (2 / CELLS, 2 / CELLS)


def test_specks_stand_for_nothing() -> None:
    assert standing(box(field(), HOUSE, (60, 90, 62, 92))) == []
    speckled = field()
    speckled[5:-5:9, 5:-5:9] = HOUSE
    assert np.array_equal(clean(speckled), field())


def triangle(labels: Labels, points: list[tuple[int, int]], material: int = TREE) -> Labels:
    changed = labels.copy()
    cv2.fillPoly(changed, [np.array(points, np.int32)], material)
    return changed


def crown_and_stem() -> Labels:
    labels = field()
    cv2.circle(labels, (64, 50), 24, TREE, -1)
    labels[70:100, 62:66] = TREE
    return labels


def test_a_thin_part_under_a_crown_is_a_trunk() -> None:
    leaves, stem = parts_of(crown_and_stem() == TREE)
    assert stem[80:98, 62:66].all()
    assert leaves[40:60, 50:78].all()
    assert not stem[:60].any()
    alone, none = parts_of(box(field(), TREE, (62, 40, 66, 70)) == TREE)
    assert alone.any()
    assert not none.any(), "what hangs under no crown is no trunk"


def test_leaves_are_the_same_wherever_they_are_seen() -> None:
    one, other = (
        painted(box(field(), TREE, where)) for where in ((0, 30, 90, 90), (30, 20, SIZE, 80))
    )
    both = (slice(45, 65), slice(50, 70))
    another = painted(box(field(), TREE, (0, 30, 90, 90)), 1)
    assert one[both].std() > 8, "clump by clump"
    same = np.abs(one[both] - other[both]).mean()
    assert np.abs(one[both] - another[both]).mean() > 3 * same + 2


def test_a_crown_is_lit_from_above() -> None:
    labels = box(field(), TREE, (20, 30, 108, 110))
    light = np.mean([painted(labels, number).sum(-1) for number in range(TILES)], 0)
    assert light[34:44, 40:90].mean() > light[96:106, 40:90].mean() + 20


def test_snow_lies_under_the_skyline() -> None:
    peak = triangle(field(), [(10, 64), (64, 8), (118, 64)], MOUNTAIN)
    winter, spring, summer = (
        np.mean([painted(peak, number, season=season).min(-1) for number in range(TILES)], 0)
        for season in ("winter", "spring", "summer")
    )
    middle, high = (slice(38, 48), slice(50, 80)), (slice(20, 30), slice(58, 70))
    assert winter[middle].mean() > summer[middle].mean() + 5
    assert spring[high].mean() > summer[high].mean() + 3


def test_a_slender_house_is_a_lighthouse() -> None:
    cottage = painted(box(field(), HOUSE, (50, 70, 80, 100)))
    tower = painted(box(field(), HOUSE, (60, 40, 72, 100)))
    light = tower[40:100, 60:72].sum(-1)
    bands = np.abs(np.diff((light.max(1) > 600).astype(int))).sum()
    assert bands >= 2, "red and white"
    assert (cottage[70:100, 50:80].max(-1) > 200).any()


def test_behind_things_is_what_is_broad_and_near() -> None:
    labels = box(field(), TREE, (40, 30, 80, 100))
    ground = behind(box(labels, SUN, (5, 5, 15, 15)))
    assert set(np.unique(ground)) == {SKY, MEADOW}
    assert ground[40, 60] == SKY
    assert ground[90, 60] == MEADOW
    assert (behind(np.full((SIZE, SIZE), PATH, np.uint8)) == MEADOW).all()


def test_the_sun_shines_where_it_was_drawn() -> None:
    labels = field()
    cv2.circle(labels, (100, 24), 8, SUN, -1)
    sun = sun_of(labels)
    assert sun is not None
    assert sun[:2] == pytest.approx((100 / SIZE, 24 / SIZE), abs=1 / CELLS)
    assert sun[2] == pytest.approx(8 / SIZE, abs=0.01)
    assert sun_of(field()) is None
    picture = painted(labels).sum(-1)
    assert picture[24, 100] > picture[24, 20] + WHITE


def test_the_horizon_is_where_land_begins() -> None:
    assert horizon_of(field()) == pytest.approx(0.5)
    assert 0.2 < horizon_of(np.full((SIZE, SIZE), SKY, np.uint8)) < 0.8
    assert horizon_of(np.full((SIZE, SIZE), WATER, np.uint8)) == 0.25


def test_water_mirrors_what_stands_at_it() -> None:
    lake = box(field(), WATER, (0, 64, SIZE, SIZE))
    mountain = triangle(lake, [(30, 64), (60, 20), (90, 64)], MOUNTAIN)
    apart = np.abs(painted(lake) - painted(mountain)).mean(-1)
    assert apart[66:84, 50:70].mean() > 2 * apart[66:84, :20].mean() + 1


@pytest.mark.parametrize("size", [64, 256])
def test_a_map_at_another_size_is_the_same_map(size: int) -> None:
    labels = box(field(), HOUSE, (40, 60, 80, 100))
    there = resized(labels, size)
    back = cv2.resize(there, (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
    assert (back == labels).mean() > 0.98
    assert len(regions(there, HOUSE)) == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 11), *[st.integers(0, 64) for _ in range(4)]), max_size=12),
    st.sampled_from(["clear", "fog", "rain", "storm"]),
    st.sampled_from(["clean", "watercolour", "oil", "ink", "pixel art"]),
)
def test_any_map_can_be_painted(boxes: list[tuple[int, ...]], weather: str, style: str) -> None:
    labels = np.zeros((64, 64), np.uint8)
    for material, x0, y0, x1, y1 in boxes:
        labels[min(y0, y1) : max(y0, y1), min(x0, x1) : max(x0, x1)] = material
    words = {"time": "night", "season": "winter", "weather": weather, "style": style}
    picture = repaint(labels, words, 0, 64)
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
