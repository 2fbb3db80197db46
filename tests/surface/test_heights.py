"""Losses as heights and back, and the eps between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.surface.heights import PAPER_EPS, TINY, heights_of, scale_of_losses, suitable_eps, values_of

KINDS = pytest.mark.parametrize("kind", ["log", "asinh", "linear"])


@KINDS
@given(st.floats(1e-12, 1e12), st.floats(1e-6, 1e3))
def test_heights_go_there_and_back(kind, value, eps):
    assert values_of(heights_of(value, kind, eps), kind, eps) == pytest.approx(value, rel=1e-9)


def test_heights_are_their_formulas():
    losses = np.array([0.0, 0.3, 7.0])
    np.testing.assert_allclose(heights_of(losses, "log", 0.1), [math.log(x + 0.1) for x in losses], rtol=1e-14)
    np.testing.assert_allclose(heights_of(-losses, "asinh", 0.1), [-math.asinh(x / 0.1) for x in losses], rtol=1e-14)
    assert heights_of(losses, "linear", 0.1) is not losses
    assert math.isnan(heights_of(-0.2, "log", 0.1))
    # log(L + eps) itself would give 0 for a loss that eps swallows.
    assert values_of(heights_of(1e-20, "log", 1.0), "log", 1.0) == pytest.approx(1e-20, rel=1e-9, abs=0)


@pytest.mark.parametrize("kind", ["log", "asinh"])
@pytest.mark.parametrize("value", [1e-3, 5.0, 1e308])
def test_no_eps_or_level_is_too_small_or_too_large_for_a_height(kind, value):
    # Warnings are errors here. log(L + eps) and asinh(L / eps) of an eps that is nothing beside the loss.
    height = heights_of(value, kind, 1e-308)
    assert height == pytest.approx(math.log(value) + (0.0 if kind == "log" else math.log(2) - math.log(1e-308)))
    assert values_of(height, kind, 1e-308) == pytest.approx(value, rel=1e-9)
    assert heights_of(-value, "asinh", 1e-308) == -heights_of(value, "asinh", 1e-308)
    assert values_of(-heights_of(value, "asinh", 1e-308), "asinh", 1e-308) == pytest.approx(-value, rel=1e-9)
    assert values_of(1e6, kind, 1.0) == math.inf


def test_eps_is_a_twentieth_of_the_median_and_at_most_the_papers():
    assert suitable_eps(np.array([0.1, 0.2, 100.0]), "log") == 0.01
    assert suitable_eps(np.array([5.0, 9.0, 1e6]), "log") == PAPER_EPS == 0.1
    assert suitable_eps(np.array([-3.0, 4.0, 900.0]), "asinh") == 4.0
    assert suitable_eps(np.array([0.12345, 0.12345]), "log") == 0.0062  # two digits, as the formula shows


def test_where_half_of_the_values_are_zero_eps_is_still_a_height():
    assert suitable_eps(np.array([0.0, 0.0, 3.0]), "log") == PAPER_EPS
    assert suitable_eps(np.array([0.0, 0.0, 3.0]), "asinh") == 3.0
    assert suitable_eps(np.zeros(3), "asinh") == PAPER_EPS


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([0.0, 2.0, np.nan], ("log", 0.05)), ([-1.0, 3.0, np.inf], ("asinh", 2.0)), ([np.nan], ("log", PAPER_EPS))],
)
def test_losses_down_to_0_have_a_logarithm_and_those_that_are_not_finite_no_say(losses, expected):
    assert scale_of_losses(np.array(losses)) == expected


@KINDS
def test_no_values_are_too_small_or_too_large_for_eps(kind):
    for values in (np.array([1e-300, 3e-300]), np.array([0.0, 1e305]), np.array([5e-324])):
        eps = suitable_eps(values, kind)
        assert eps >= TINY
        assert np.isfinite(heights_of(values, kind, eps)).all()
