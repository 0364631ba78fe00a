"""A model's spec as the wire tells it.

Role: the one crossing from `models.base` types to the protocol's, which knows no models.
Invariants: field names are equal on both sides, so nothing is translated by hand.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from models.base import ModelSpec
from streaming.protocol import ModelInfo


@lru_cache(maxsize=64)
def model_info(spec: ModelSpec) -> ModelInfo:
    """What a client may know of a model."""
    return msgspec.convert(msgspec.to_builtins(spec), ModelInfo)
