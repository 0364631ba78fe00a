"""Which release this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The installed version, or that of a checkout."""
    try:
        return version("riverrun")
    except PackageNotFoundError:
        return "0.0.0"
