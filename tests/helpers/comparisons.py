"""Comparing what was read with what was written, bit for bit."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np


def same(a: Any, b: Any) -> bool:
    """Compare values in which a NaN equals a NaN, and 1 is neither 1.0 nor True."""
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def assert_same(a: Any, b: Any) -> None:
    """Compare surfaces, axes or trajectories field by field, bit for bit but for NaNs."""
    assert type(a) is type(b)
    for field in dataclasses.fields(a):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name in ("title", "path", "digest"):
            continue
        if field.name == "axes":
            assert len(left) == len(right)
            for one, other in zip(left, right, strict=True):
                assert_same(one, other)
        elif isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
        elif field.name in ("values", "stderr", "paired_stderr", "counts"):
            assert set(left) == set(right)
            for name in left:
                assert left[name].dtype == right[name].dtype
                np.testing.assert_array_equal(left[name], right[name])
        elif field.name == "trajectories":
            assert list(left) == list(right)
            for name in left:
                assert_same(left[name], right[name])
        else:
            assert same(left, right), field.name
