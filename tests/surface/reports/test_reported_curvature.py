"""Every number that follows from a curvature report and its spectra, worked out by hand from ones that are given."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from landscape.surface.reports.curvature import Curvature, CurvatureRun, SliceCurvature
from landscape.surface.reports.matrix_spectrum import Spectrum

# Of three probes; what it says of matrices need not belong to one that exists.
SPECTRUM = Spectrum(
    size=50,
    eigenvalues=np.array([4.0, 2.0, -3.0]),
    residuals=np.array([0.03, 0.01, 0.04]),
    samples_stderr=np.zeros(3),
    greatest=2,
    tolerance=0.01,
    traces=np.array([9.0, 12.0, 15.0]),
    trace_samples_stderr=0.5,
    squares=np.array([30.0, 36.0, 42.0]),
    forms=np.array([1.0, 2.0, 6.0]),
    nodes=np.array([[-1.0, 0.0, 3.0], [-2.0, 1.0, np.nan], [0.5, 1.0, 3.0]]),
    weights=np.array([[0.25, 0.25, 0.5], [0.5, 0.5, np.nan], [0.25, 0.5, 0.25]]),
    products=7,
)
OTHER = dataclasses.replace(
    SPECTRUM, size=40, eigenvalues=np.array([2.5, 1.0, -1.0]), forms=np.array([2.0, 3.0, 7.0]), products=5
)
REPORT = Curvature("train", 256, 1.0, 0.1, 3.0, 0.2, 2.0, SPECTRUM, OTHER, batches=8)


def of_one(spectrum: Spectrum) -> Spectrum:
    """Return what the first probe alone tells."""
    fields = ("traces", "squares", "forms", "nodes", "weights")
    return dataclasses.replace(spectrum, **{name: getattr(spectrum, name)[:1] for name in fields})


def test_numbers_of_a_spectrum_are_their_definitions():
    assert SPECTRUM.converged.tolist() == [True, True, False]
    assert (SPECTRUM.greatest_eigenvalue, SPECTRUM.least_eigenvalue) == (4.0, -3.0)
    assert SPECTRUM.trace == 12
    assert SPECTRUM.trace_stderr == pytest.approx(3 / math.sqrt(3))
    half = stats.t.ppf(0.975, 2 * 3 / 5) * SPECTRUM.trace_stderr  # of fewer than five probes fewer degrees of freedom
    assert SPECTRUM.trace_interval == pytest.approx((12 - half, 12 + half))
    assert SPECTRUM.frobenius == 6
    assert SPECTRUM.frobenius_stderr == pytest.approx(math.sqrt(12) / (2 * 6))  # of a square, by its derivative
    assert SPECTRUM.ratio == 4.0 / 2.0  # the last of the greatest, whatever is found at the other end
    assert SPECTRUM.least_condition == 4.0 / 2.0  # of those that have converged
    assert SPECTRUM.largest_size == 4.0


def test_participation_has_the_jackknifes_error():
    value, error = SPECTRUM.participation
    assert value == pytest.approx(12**2 / 36)
    without = np.array([13.5**2 / 39, 12**2 / 36, 10.5**2 / 33])
    assert error == pytest.approx(math.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum()))
    assert of_one(SPECTRUM).participation[0] == pytest.approx(81 / 30)


def test_a_matrix_of_zeros_has_a_trace_and_a_norm_of_0_and_no_ratios():
    names = ("eigenvalues", "residuals", "traces", "squares", "forms", "nodes")
    zero = dataclasses.replace(SPECTRUM, **{name: 0 * getattr(SPECTRUM, name) for name in names})
    assert (zero.trace, zero.frobenius, zero.largest_size) == (0.0, 0.0, 0.0)
    assert zero.frobenius_interval == (0.0, 0.0)
    assert (zero.ratio, zero.least_condition) == (math.inf, math.inf)
    assert all(map(math.isnan, (*zero.participation, *zero.negative_share(), zero.frobenius_stderr)))
    assert zero.effective_dimension(1.0) == (0.0, 0.0)
    assert zero.density().counts.sum() == 50


def test_what_lies_between_edges_is_the_weight_there_times_the_size():
    edges, counts, errors = SPECTRUM.density(np.array([-4.0, -0.5, 0.75, 4.0]))
    each = np.array([[0.25, 0.25, 0.5], [0.5, 0.0, 0.5], [0.0, 0.25, 0.75]])
    assert edges.tolist() == [-4.0, -0.5, 0.75, 4.0]
    np.testing.assert_allclose(counts, 50 * each.mean(0))
    np.testing.assert_allclose(errors, 50 * each.std(0, ddof=1) / math.sqrt(3))
    dimension, error = SPECTRUM.effective_dimension(2.0)
    each = 50 * np.array([0.5 * 3 / 5, 0.5 * 1 / 3, 0.25 * 0.5 / 2.5 + 0.5 * 1 / 3 + 0.25 * 3 / 5])
    assert dimension == pytest.approx(each.mean())
    assert error == pytest.approx(each.std(ddof=1) / math.sqrt(3))
    share, low, high = SPECTRUM.negative_share()
    assert share == pytest.approx(np.mean([0.25 / 1.75, 1 / 1.5, 0]))
    assert (low, high) == (0.0, 1.0)  # of three probes that tell so different things nothing is sure
    twins, triplets = (
        dataclasses.replace(SPECTRUM, nodes=SPECTRUM.nodes[[0] * n], weights=SPECTRUM.weights[[0] * n]) for n in (2, 3)
    )
    assert twins.negative_share() == pytest.approx(triplets.negative_share())  # two that agree are enough
    assert 0 < twins.negative_share()[2] < 1
    assert of_one(SPECTRUM).negative_share()[1:] == (0.0, 1.0)


def test_one_probe_has_a_mean_and_no_error():
    one = of_one(SPECTRUM)
    assert (one.trace, one.frobenius) == (9.0, math.sqrt(30))
    unknown = [one.trace_stderr, one.frobenius_stderr, one.participation[1], one.effective_dimension(1.0)[1]]
    unknown += [*one.trace_interval, *one.frobenius_interval, *one.density().errors]
    assert all(map(math.isnan, unknown))
    assert of_one(OTHER).forms.mean() == dataclasses.replace(REPORT, normalised=of_one(OTHER)).random_slice[0]
    assert math.isnan(dataclasses.replace(REPORT, normalised=of_one(OTHER)).random_slice[1])


def test_numbers_of_a_report_are_those_of_the_right_matrix():
    assert (REPORT.trace, REPORT.eigenvalues.tolist()) == (12.0, [4.0, 2.0, -3.0])
    assert REPORT.products == 7 + 5
    assert REPORT.random_slice == pytest.approx((4.0, math.sqrt(7)))
    assert REPORT.slice_bound == 40 * 2.5
    np.testing.assert_array_equal(REPORT.density().counts, SPECTRUM.density().counts)


def test_the_gradients_square_is_free_of_noise_and_its_interval_solves_for_the_length():
    # Without what a gradient of 0 would scatter by, all of the noise's square is taken for it.
    for null, of_null in ((math.nan, 4.0), (1.5, 1.5)):
        report = dataclasses.replace(REPORT, gradient_null_stderr=null)
        value, error = report.gradient_square
        assert value == 9 - 4
        assert error == pytest.approx(math.sqrt(4 * 5 * 0.2**2 + of_null**2))
        factor = stats.t.ppf(0.975, 7)
        for end in report.gradient_square_interval:
            assert end == 0 or (end - 5) ** 2 == pytest.approx(factor**2 * (4 * end * 0.2**2 + of_null**2))
        assert report.gradient_square_interval[1] > 5
    small = dataclasses.replace(REPORT, gradient_norm=1.0)
    assert small.gradient_square == (-3.0, 4.0)


def test_two_routes_agree_within_three_errors_and_a_twentieth_of_the_greatest_curvature():
    found = SliceCurvature(
        ("x", "y"),
        hessian=np.array([[1.0, 0.5], [0.5, -4.0]]),
        samples_stderr=np.zeros((2, 2)),
        fitted=np.array([[1.0, 0.5], [0.5, -4.0]]),
        fitted_error=np.zeros((2, 2)),
        rank=(0.5, 0.5),
    )
    np.testing.assert_allclose(found.eigenvalues, [-1.5 + math.sqrt(6.5), -1.5 - math.sqrt(6.5)])
    for error, off, agree in ((0.0, 0.19, True), (0.0, 0.21, False), (0.1, 0.49, True), (0.1, 0.51, False)):
        for sign in (1, -1):
            fitted = found.fitted + sign * np.array([[off, 0], [0, 0]])
            other = dataclasses.replace(found, fitted=fitted, fitted_error=np.full((2, 2), error))
            assert other.routes_agree == agree, (error, off)


def test_along_a_run_the_edge_of_stability_is_two_over_the_rate():
    run = CurvatureRun("sgd", "step", (1, 2, 3), (0.1, math.nan, 0.0), (REPORT,) * 3)
    np.testing.assert_array_equal(run.edge_of_stability, [20.0, math.nan, math.nan])
    assert run.over_steps(lambda report: report.trace).tolist() == [12.0] * 3
