"""How rough a slice is, and which share of it is not convex, where that is known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from landscape.studies.measures.slice_shape import nonconvex_shares, roughness, roughness_of
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface


def test_one_valley_is_smooth_and_bumps_count_by_their_height():
    x = np.linspace(-1, 1, 41)
    assert roughness(x**2) == pytest.approx(0)
    assert roughness(np.exp(3 * x)) == pytest.approx(0)
    bumps = [4.0, 1.0, 2.0, 0.0, 1.5, 0.5, 4.0]
    assert roughness(np.array(bumps)) == pytest.approx((3 + 1 + 2 + 1.5 + 1 + 3.5) / 8 - 1)
    assert math.isnan(roughness(np.array([1.0, math.nan, 1.0])))
    plane = Surface(
        (Axis(x), Axis(np.array([-1.0, 0.0, 1.0]))),
        {"train/loss": x[None, :] ** 2 + np.array([[1.0], [0.0], [1.0]])},
        np.ones((3, 41), np.uint8),
    )
    assert roughness_of(plane, "train/loss") == pytest.approx(0)


def test_the_share_that_is_not_convex_counts_what_residuals_leave_no_doubt_of():
    ends = {
        "eigenvalue_max": [1.0, 1.0, 1.0, -1.0, math.nan],
        "eigenvalue_min": [0.1, -0.5, -0.12, -2.0, -1.0],
        "eigenvalue_max_residual": [0.01, 0.01, 0.01, 0.01, 0.01],
        "eigenvalue_min_residual": [0.01, 0.01, 0.05, 0.01, 0.01],
    }
    surface = Surface(
        (Axis(np.arange(5.0)),), {f"train/{k}": np.array(v) for k, v in ends.items()}, np.ones(5, np.uint8)
    )
    share, undecided, ratio = nonconvex_shares(surface, "train", 0.1)
    assert (share, undecided) == (0.5, 0.25)
    assert ratio == pytest.approx((0.12 + 0.5) / 2)
    bowl = {**surface.values, "train/eigenvalue_min": np.full(5, 0.5)}
    assert nonconvex_shares(dataclasses.replace(surface, values=bowl), "train", 0.1) == (0.25, 0.0, 0.0)
