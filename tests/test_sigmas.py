"""Step arithmetic: levels, single steps, and which schedulers are driven at all (whole pictures:
the tests of parity)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from models.base import CannotLoad
from models.sigmas import Consistency, Euler, Flow, Step, schedule_of


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_flow_steps_equal_the_scheduler(shift: float) -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    levels = schedule_of(scheduler).levels(4, 1.0)
    scheduler.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25])
    assert np.allclose(levels.sigmas, scheduler.sigmas, atol=1e-6)
    assert np.allclose(levels.times, scheduler.timesteps, atol=1e-3)
    x, out = torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2)
    theirs = scheduler.step(out, scheduler.timesteps[0], x).prev_sample
    told = [*levels.sigmas[:2], levels.times[0]]
    step = Step(*(torch.full((1, 1, 1, 1), value) for value in told))
    assert torch.allclose(schedule_of(scheduler).advance(x, out, step)[0], theirs, atol=1e-5)


def test_strength_shortens_the_way() -> None:
    assert Flow().levels(2, 0.5).sigmas == (0.5, 0.25, 0.0)
    table = tuple(float(i) for i in range(1000))
    assert Euler(table).levels(2, 0.5).times == (499.0, 249.0)
    assert Euler(table).levels(4, 1.0).times == (999.0, 749.0, 499.0, 249.0)


def test_unknown_schedulers_are_refused() -> None:
    with pytest.raises(CannotLoad, match="no step arithmetic"):
        schedule_of(EulerDiscreteScheduler(prediction_type="sample"))
    with pytest.raises(CannotLoad, match=r"DDIMScheduler.*scheduler=euler\|euler-ancestral\|lcm"):
        schedule_of(DDIMScheduler())
    assert isinstance(schedule_of(DDIMScheduler(), "lcm"), Consistency)
    leading = EulerDiscreteScheduler(timestep_spacing="leading", use_karras_sigmas=True)
    with pytest.raises(CannotLoad, match=r"with use_karras_sigmas, timestep_spacing leading"):
        schedule_of(leading)
    assert isinstance(schedule_of(leading, "euler"), Euler)
    with pytest.raises(CannotLoad, match="no step arithmetic for euler-like"):
        schedule_of(DDIMScheduler(), "euler-like")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("final_sigmas_type", "sigma_min"), ("interpolation_type", "log_linear"),
        ("timestep_type", "continuous"),
    ],
)  # fmt: skip
def test_schedulers_that_are_set_otherwise_are_refused(option: str, value: str) -> None:
    told: dict[str, Any] = {"timestep_spacing": "trailing"}
    assert isinstance(schedule_of(EulerDiscreteScheduler(**told)), Euler)
    with pytest.raises(CannotLoad, match=f"with {option} {value}"):
        schedule_of(EulerDiscreteScheduler(**told, **{option: value}))


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_a_checkpoint_that_was_taught_from_no_signal_begins_where_diffusers_does() -> None:
    told: dict[str, Any] = {
        "rescale_betas_zero_snr": True, "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
    }  # fmt: skip
    theirs = EulerDiscreteScheduler(**told)
    theirs.set_timesteps(4)
    for scheduler, wanted in ((theirs, ""), (DDIMScheduler(**told), "euler")):
        sigmas = schedule_of(scheduler, wanted).levels(4, 1.0).sigmas
        assert np.allclose(sigmas, theirs.sigmas.numpy(), rtol=1e-4)
