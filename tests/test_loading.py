"""Building and loading: what is told, in which order, and how much is left."""

from __future__ import annotations

import pytest

from models.base import Progress
from models.fake import FakeModel, FakeOptions
from streaming.loading import Halted, Loading
from streaming.messages import FromEngine, Loaded, Warming


class Clocked(FakeModel):
    """Takes ten seconds of a clock that tests turn."""

    def __init__(self, name: str, now: list[float]) -> None:
        super().__init__(FakeOptions(name=name))
        self.now = now

    def load(self, progress: Progress) -> None:
        progress("weights", 0.0)
        self.now[0] += 10
        progress("warm-up", 1.0)


def test_says_what_there_is_and_then_how_much_is_left() -> None:
    now, said = [100.0], list[FromEngine]()
    loading = Loading(said.append, lambda: now[0], lambda: False)
    models = loading.build({"a": lambda: Clocked("a", now), "b": lambda: Clocked("b", now)})
    assert list(models) == ["a", "b"]
    loading.load(models)
    assert said == [
        Loaded((models["a"].spec, models["b"].spec)),
        Warming("weights", 0.0, None),
        Warming("warm-up", 0.5, 10.0),
        Warming("weights", 0.5, 10.0),
        Warming("warm-up", 1.0, 0.0),
    ]


@pytest.mark.parametrize("claimed", [-1.0, 7.0])
def test_a_model_that_miscounts_stays_between_nothing_and_all(claimed: float) -> None:
    class Boastful(FakeModel):
        def load(self, progress: Progress) -> None:
            progress("nearly", claimed)

    said: list[FromEngine] = []
    Loading(said.append, lambda: 0.0, lambda: False).load({"fake": Boastful()})
    (warming,) = said
    assert isinstance(warming, Warming)
    assert 0 <= warming.fraction <= 1


def test_a_stop_ends_the_building() -> None:
    said: list[FromEngine] = []
    with pytest.raises(Halted):
        Loading(said.append, lambda: 0.0, lambda: True).build({"fake": FakeModel})
    assert not said
