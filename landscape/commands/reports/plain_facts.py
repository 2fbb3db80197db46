"""Facts of reports as JSON has them: plain numbers, and what every report says of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def numbers(value: Any) -> Any:
    """Return values as JSON has them: arrays and tuples as lists, what is not finite as None.

    Examples
    --------
    >>> numbers({"loss": (0.5, float("nan"))})
    {'loss': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: numbers(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [numbers(each) for each in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None


def about(found: Any, origin: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return how a report was made; ``origin`` where that is no field of its own."""
    return {
        "problem": dict(found.problem),
        "settings": dict(found.settings),
        "origin": dict(found.origin if origin is None else origin),
        "software": found.software,
        "created": found.created,
        "command": found.command,
    }


def made(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Return when and by what it was made, as a pair to print."""
    return "made", " by ".join(part for part in (facts["created"], facts["software"]) if part)
