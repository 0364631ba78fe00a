"""The shelf of finished rows, and the look at what a model made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from models.base import BadOutput, Encoded, Picture, Request
from streaming.messages import Submit
from streaming.rows import Row, Shelf, checked


@dataclass
class Kept:
    nbytes: int
    closed: int = 0
    key: str = ""
    step: int = 1
    steps: int = 1

    def close(self) -> None:
        self.closed += 1


def run(act: Callable[[], None]) -> None:
    act()


def test_a_row_is_kept_for_its_session_and_its_model_alone() -> None:
    shelf, row = Shelf(100, run), Kept(10)
    shelf.put("s", "m", row)
    assert shelf.peek("s", "m") is row
    assert shelf.peek("s", "other") is None
    assert shelf.peek("t", "m") is None
    assert (shelf.nbytes, row.closed) == (10, 0)


def test_dropping_closes_once() -> None:
    shelf, row = Shelf(100, run), Kept(10)
    shelf.put("s", "m", row)
    shelf.drop("s")
    shelf.drop("s")
    assert (shelf.nbytes, row.closed) == (0, 1)
    assert shelf.peek("s", "m") is None


def test_over_the_limit_the_oldest_go() -> None:
    shelf, rows = Shelf(25, run), [Kept(10), Kept(10), Kept(10)]
    for number, row in enumerate(rows):
        shelf.put(str(number), "m", row)
    assert [row.closed for row in rows] == [1, 0, 0]
    assert shelf.nbytes == 20


def test_a_row_larger_than_the_shelf_isnt_kept() -> None:
    shelf, row = Shelf(25, run), Kept(26)
    shelf.put("s", "m", row)
    assert (row.closed, shelf.nbytes) == (1, 0)


def test_pts_counts_from_the_first_submit_and_is_never_negative() -> None:
    row, request = Row("s"), Request("s", "m", 1, 1, {})
    row.submit(Submit(request, 2.0))
    row.submit(Submit(request, 3.0))
    assert row.pts(3.5) == 1_500_000
    assert row.pts(1.0) == 0


GOOD = [np.zeros((1, 1, 3), np.uint8), np.zeros((8, 4, 3), np.uint8)[::2]]
BAD = [
    np.zeros((8, 8, 3), np.float32),
    np.zeros((8, 8), np.uint8),
    np.zeros((8, 8, 4), np.uint8),
    np.zeros((3, 8, 8), np.uint8),
    np.zeros((0, 8, 3), np.uint8),
]


@pytest.mark.parametrize("pixels", GOOD)
def test_good_pictures_pass(pixels: NDArray[np.uint8]) -> None:
    picture = Picture(pixels)
    assert checked(picture) is picture


@pytest.mark.parametrize("pixels", BAD)
def test_what_isnt_a_picture_doesnt(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(BadOutput, match="and shape"):
        checked(Picture(pixels))


def test_encoded_payloads_pass() -> None:
    payload = Encoded(b"x", "jpeg", 1, 1)
    assert checked(payload) is payload
