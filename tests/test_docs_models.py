"""The model that docs/models.md shows keeps the contract: what people copy works."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np

from models.base import Model, Picture, Request, State

PAGE = (Path(__file__).parent.parent / "docs/models.md").read_text()


def test_the_model_of_the_documentation_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    module = types.ModuleType("mist")
    sys.modules["mist"] = module  # where dataclasses look their types up
    exec(code, module.__dict__)
    model = module.build(device="cpu", dtype="auto")
    assert isinstance(model, Model)
    model.load(lambda stage, fraction: None)
    params = model.spec.defaults() | model.spec.check({"prompt": "sea", "steps": 2})
    rows = model.begin([Request("s", "mist", 1, 1, params)] * 2, [None, None])
    assert all(isinstance(row, State) for row in rows)
    shown = []
    for step in (1, 2):
        model.step(rows)
        assert [row.step for row in rows] == [step, step]
        picture, _ = model.decode(rows)
        assert isinstance(picture, Picture)
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.shape == (256, 256, 3)
        shown.append(picture.pixels.mean())
    assert shown[0] > shown[1]
