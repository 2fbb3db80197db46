"""What a surface states of its error in all, worked out by hand from errors that are given."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import norm

from landscape.surface.derived.intervals import half_widths
from landscape.surface.derived.stated_error import StatedError, share_out, shifted, stated_error, stated_words
from landscape.surface.grid import Axis
from landscape.surface.heights import suitable_eps
from landscape.surface.surface import COMPUTED, INTERPOLATED, Surface

NAME, N = "train/loss", 41


def surface(**quality) -> Surface:
    """Return a line of 41 points, the last of them interpolated; losses and their errors grow to the right."""
    state = np.full(N, COMPUTED, np.uint8)
    state[-1] = INTERPOLATED
    errors = 0.01 * np.arange(1.0, N + 1)
    return Surface(
        (Axis(np.linspace(0, 1, N)),),
        {NAME: np.linspace(1.0, 3.0, N)},
        state,
        stderr={NAME: np.where(state == COMPUTED, errors, np.nan)},
        counts={"train": np.full(N, 100)},
        problem={"data": {"train": {"size": 400, "samples": 100}}},
        quality=quality,
    )


def shares(found: Surface, eps: float) -> np.ndarray:
    """Return the 40 measured points' errors in their order, as shares of loss + eps."""
    return (half_widths(found, NAME) / (np.abs(found[NAME]) + eps))[:-1]


def test_each_part_bounds_19_of_20_measured_points_relative_to_loss_and_eps():
    found = surface(standard_error={"target": 0.1, "eps": {"train": 0.5, "test": 9.0}}, interpolation_error=0.0)
    each = shares(found, 0.5)
    np.testing.assert_allclose(each, 1.959964 * math.sqrt(0.75) * found.stderr[NAME][:-1] / (found[NAME][:-1] + 0.5))
    assert (np.diff(each) > 0).all()
    stated = stated_error(found, NAME)
    assert stated == StatedError(pytest.approx(each[38]), 0.0, 0.0, None)  # the quantile lies between the 38th and it
    assert stated.total == stated.samples
    # A file without an eps has that of its picture, of what was measured.
    bare = stated_error(surface(), NAME)
    assert bare.samples == pytest.approx(shares(surface(), suitable_eps(found[NAME][:-1], "log"))[38])
    # Of one unknown error the largest of the others bounds as many; with a second one nothing does.
    for number, known in ((1, True), (2, False)):
        error = found.stderr[NAME].copy()
        error[:number] = np.nan
        lost = stated_error(dataclasses.replace(found, stderr={NAME: error}), NAME)
        assert lost.samples == (pytest.approx(each[39]) if known else pytest.approx(math.nan, nan_ok=True))
    assert stated_error(dataclasses.replace(found, stderr={}), NAME) is None
    none = dataclasses.replace(found, state=np.full(N, INTERPOLATED, np.uint8))
    assert stated_error(none, NAME) is None


def test_what_is_stated_of_one_data_set_is_its_own():
    quality = {"standard_error": {"eps": {"train": 0.5, "test": 9.0}}, "interpolation": {"errors": {}}}
    quality["interpolation"]["errors"] = {NAME: {"bound": 0.03}, "test/loss": {"bound": 0.07}}
    found, other = surface(**quality), "test/loss"
    both = dataclasses.replace(
        found,
        values={NAME: found[NAME], other: 2 * found[NAME]},
        stderr={NAME: found.stderr[NAME], other: 3 * found.stderr[NAME]},
        counts={"train": found.counts["train"], "test": np.full(N, 300)},
        problem={"data": {"train": {"size": 400}, "test": {"size": 1200}}},
    )
    assert stated_error(both, NAME) == stated_error(found, NAME)
    each = (3 * half_widths(found, NAME) / (2 * np.abs(found[NAME]) + 9.0))[:-1]
    assert stated_error(both, other) == StatedError(pytest.approx(np.sort(each)[38]), 0.07, 0.0, None)


@pytest.mark.parametrize("bound", [0.02, 3.0])
@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.3, 1.0, 4.0])
def test_95_percent_of_normal_errors_that_are_shifted_are_below_what_is_stated(bound, ratio):
    scale, shift = bound / norm.isf(0.025), ratio * bound
    found = shifted(bound, shift)
    assert norm.cdf((found - shift) / scale) - norm.cdf((-found - shift) / scale) == pytest.approx(0.95, abs=1e-6)
    # Between adding them as if they were independent of each other and as if both were at their worst.
    low, high = math.hypot(bound, shift), bound + shift
    assert low < found < high if ratio else found == bound
    for wrong in (low, high) if ratio in (0.3, 1.0) else ():
        held = norm.cdf((wrong - shift) / scale) - norm.cdf((-wrong - shift) / scale)
        assert not 0.945 < held < 0.955
    assert shifted(0.0, shift) == shift
    assert math.isnan(shifted(math.nan, shift))
    assert math.isnan(shifted(bound, math.nan))


def test_parts_add_up_as_independent_ones_but_for_precision_and_are_said_in_words():
    errors = {NAME: {"median": 0.001, "largest": 0.03}, "train/accuracy": {"largest": 0.5}}
    found = stated_error(surface(interpolation={"errors": errors}, precision_error=0.004, error=0.05), NAME)
    assert (found.interpolation, found.precision, found.asked) == (0.03, 0.004, 0.05)
    assert found.total == shifted(math.sqrt(found.samples**2 + 0.03**2), 0.004)
    # Interpolation may be off to one side, the one that precision shifts to.
    assert StatedError(0.001, 0.03, 0.004).total == 0.034 > shifted(0.0301, 0.004)
    assert math.isnan(stated_error(surface(interpolation={"errors": {NAME: {"largest": None}}}), NAME).interpolation)
    # Files that say it of the worst loss alone, or not at all, though points are interpolated.
    assert stated_error(surface(interpolation_error=0.3), NAME).interpolation == 0.3
    assert math.isnan(stated_error(surface(), NAME).interpolation)
    measured = dataclasses.replace(surface(), state=np.full(N, COMPUTED, np.uint8))
    assert stated_error(measured, NAME).interpolation == 0
    # Where the largest of many points is left out of what bounds 95 % of them.
    but_one = {NAME: {"largest": 0.03, "bound": 0.02}}
    assert stated_error(surface(interpolation={"errors": but_one}), NAME).interpolation == 0.02
    assert math.isnan(stated_error(surface(precision_error=None), NAME).precision)
    said = StatedError(0.04, 0.03, 0.004, 0.05)
    assert stated_words(said) == (
        "5.1 % of loss + eps at 95 % of points (5 % asked for): samples 4 %, interpolation 3 %, precision 0.4 %"
    )
    assert stated_words(StatedError(math.nan, 0.0, 0.01)) == (
        "an unknown share of loss + eps at 95 % of points: samples not known, precision 1 %"
    )
    assert stated_words(StatedError(0.0, 0.0, 0.0)) == "0 % of loss + eps at 95 % of points"


@pytest.mark.parametrize("error", [0.02, 0.3])
def test_what_is_asked_for_is_shared_out_by_what_the_parts_cost(error):
    each = share_out(error)
    assert each.precision_tolerance == pytest.approx(0.15 * error)
    whole = StatedError(1.959964 * each.standard_error, each.tolerance, each.precision_tolerance)
    assert whole.total == pytest.approx(error, rel=1e-6)
    # What precision does not take is for the others; by its name one may take more, which they do not make up for.
    for spent, taken in [(math.nan, 0.15), (0.0, 0.0), (0.1, 0.1), (0.15, 0.15), (0.7, 0.15)]:
        rest = share_out(error, spent * error)
        assert rest.precision_tolerance == each.precision_tolerance
        samples = 1.959964 * rest.standard_error
        together = math.hypot(samples, rest.tolerance)
        assert samples == pytest.approx(0.75 * together, rel=1e-6)
        assert shifted(together, taken * error) == pytest.approx(error, rel=1e-6)
        assert (1 - taken) * error <= together <= error
