"""What a parameter takes, and that anything else is an `InvalidParameter`, whatever it is."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, strategies as st

from models.base import LARGEST, InvalidParameter, Parameter, ParameterType, Value

INTEGER = Parameter("n", "integer", 0)
NUMBER = Parameter("x", "number", 0.0)
SEED = Parameter("seed", "integer", 0, minimum=0, maximum=2**32 - 1)
STRENGTH = Parameter("strength", "number", 0.5, minimum=0, maximum=1)
PROMPT = Parameter("prompt", "string", "", max_length=5)
STYLE = Parameter("style", "string", "oil", choices=("oil", "ink"))
SHINY = Parameter("shiny", "boolean", False)
ALL = (INTEGER, NUMBER, SEED, STRENGTH, PROMPT, STYLE, SHINY)

TAKEN: list[tuple[Parameter, object, Value]] = [
    (SEED, 2**32 - 1, 2**32 - 1),
    (SEED, 7.0, 7),
    (INTEGER, LARGEST, LARGEST),
    (INTEGER, -LARGEST, -LARGEST),
    (NUMBER, 3, 3.0),
    (NUMBER, -1e308, -1e308),
    (NUMBER, 10**300, 1e300),
    (STRENGTH, 1, 1.0),
    (PROMPT, "hills", "hills"),
    (STYLE, "ink", "ink"),
    (SHINY, True, True),
]


@pytest.mark.parametrize(("parameter", "value", "checked"), TAKEN)
def test_what_is_taken(parameter: Parameter, value: object, checked: Value) -> None:
    found = parameter.check(value)
    assert found == checked
    assert type(found) is type(checked)


REFUSED: list[tuple[Parameter, object, str]] = [
    *((p, value, "must be finite") for p in (INTEGER, SEED, NUMBER, STRENGTH)
      for value in (10**400, -(10**400), math.inf, -math.inf, math.nan)),
    *((p, 1e308, "must be finite, and at most") for p in (INTEGER, SEED)),
    (INTEGER, 2**63, "at most 9.22337e"),
    (STRENGTH, 1e308, "the most is 1"),
    (SEED, 2**32, "the most is"),
    (SEED, -1, "the least is 0"),
    (SEED, 1.5, "whole number"),
    (SEED, True, "must be an integer"),
    (NUMBER, "1", "must be a number"),
    (PROMPT, "mountains", "9 characters long, at most 5"),
    (PROMPT, 1, "must be a string"),
    (STYLE, "pen", "must be one of 'oil', 'ink'"),
    (SHINY, 1, "must be true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("parameter", "value", "told"), REFUSED, ids=lambda v: str(v)[:40])
def test_what_is_refused(parameter: Parameter, value: object, told: str) -> None:
    with pytest.raises(InvalidParameter, match=told) as refusal:
        parameter.check(value)
    assert refusal.value.name == parameter.name
    assert len(str(refusal.value)) < 200


PYTHON: dict[ParameterType, type] = {
    "string": str, "integer": int, "number": float, "boolean": bool
}  # fmt: skip


@given(st.sampled_from(ALL), st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()),
    st.integers(0, 5000).map(lambda digits: 10**digits),
))  # fmt: skip
@example(NUMBER, 10**309)
def test_a_value_is_of_the_type_or_refused_and_nothing_else(
    parameter: Parameter, value: object
) -> None:
    try:
        checked = parameter.check(value)
    except InvalidParameter:
        return
    assert type(checked) is PYTHON[parameter.type]
