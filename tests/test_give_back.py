"""Freed memory goes back to the system, and asking for it is harmless anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streaming import memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc keeps memory")
def test_holes_in_the_heap_are_given_back() -> None:
    pieces = [bytearray(b"x") * 60_000 for _ in range(2000)]  # small enough to come from the heap
    kept = pieces[::2]
    del pieces
    memory.give_back()
    assert resident_kb() < before_kb(kept) + 20_000


def before_kb(kept: list[bytearray]) -> float:
    """What is needed by what is kept, beside everything else in this process."""
    needed = sum(map(len, kept)) / 1024
    kept.clear()
    memory.give_back()
    return resident_kb() + needed


def resident_kb() -> float:
    return float(
        next(
            line.split()[1]
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith("VmRSS")
        )
    )


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    memory._trim.cache_clear()
    memory.give_back()
    assert memory._trim() is None
    memory._trim.cache_clear()
