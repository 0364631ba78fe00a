"""What docs/models.md shows keeps the contract: what people copy works."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np

from models.base import Model, Picture, Request, State
from streaming.attempt import Attempts, Failure
from streaming.checking import Checks

PAGE = (Path(__file__).parent.parent / "docs/models.md").read_text()


def shown(place: int, name: str) -> types.ModuleType:
    """The page's block of Python with that number, as a module."""
    module = types.ModuleType(name)
    sys.modules[name] = module  # where dataclasses look their types up
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[place], module.__dict__)
    return module


def test_the_check_of_the_documentation_works() -> None:
    checks = Checks(Attempts(), shown(1, "safety").build())
    white, grey = (Picture(np.full((32, 32, 3), value, np.uint8)) for value in (255, 90))
    withheld, kept = checks.passed([Request("s", "m", 1, 1, {})] * 2, [white, grey])
    assert isinstance(withheld, Failure)
    assert "too bright" in withheld.message
    assert kept is grey


def test_the_model_of_the_documentation_works() -> None:
    model = shown(0, "mist").build(device="cpu", dtype="auto")
    assert isinstance(model, Model)
    model.load(lambda stage, fraction: None)
    params = model.spec.defaults() | model.spec.check({"prompt": "sea", "steps": 2})
    rows = model.begin([Request("s", "mist", 1, 1, params)] * 2, [None, None])
    assert all(isinstance(row, State) for row in rows)
    means = []
    for step in (1, 2):
        model.step(rows)
        assert [row.step for row in rows] == [step, step]
        picture, _ = model.decode(rows)
        assert isinstance(picture, Picture)
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape == (256, 256, 3)
        means.append(picture.pixels.mean())
    assert means[0] > means[1]
