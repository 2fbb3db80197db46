"""What a spectrum states of its matrix, against matrices that are known."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from landscape.surface.reports.curvature import Curvature
from landscape.surface.reports.matrix_spectrum import Spectrum

CASES, PROBES = 400, 8
NOTHING = np.zeros(PROBES)
SPECTRUM = Spectrum(
    60,
    np.array([3.0, -1.0]),
    np.zeros(2),
    np.zeros(2),
    1,
    0.01,
    NOTHING,
    0.0,
    NOTHING,
    NOTHING,
    np.zeros((PROBES, 1)),
    np.ones((PROBES, 1)),
    1,
)
REPORT = Curvature("train", 256, 1.0, 0.1, 1.0, 0.1, 0.1, SPECTRUM, SPECTRUM, batches=8)


def spectra(rest: np.ndarray, seed: int = 2) -> list[Spectrum]:
    """Return what probes tell of a matrix of the eigenvalues 3, -1, which are known, and those in ``rest``."""
    draws = np.random.default_rng(seed).standard_normal((CASES, PROBES, len(rest)))
    return [dataclasses.replace(SPECTRUM, squares=each) for each in 10.0 + draws**2 @ rest**2]


@pytest.mark.parametrize("decay", [0.7, 0.8, 0.9])
def test_intervals_of_the_frobenius_norm_hold_as_often_as_stated_and_wrong_ones_do_not(decay):
    rest = decay ** np.arange(1, 60)
    truth = math.sqrt(10.0 + float(rest @ rest))
    found = spectra(rest)
    low, high = np.array([each.frobenius_interval for each in found]).T
    value = np.array([each.frobenius for each in found])
    assert (low < value).all()
    assert (value < high).all()
    assert 0.92 <= np.mean((low <= truth) & (truth <= high)) <= 0.985
    for wrong in (0.6, 1.8):
        inside = (value - wrong * (value - low) <= truth) & (truth <= value + wrong * (high - value))
        assert not 0.92 <= np.mean(inside) <= 0.985


def test_of_a_matrix_that_its_eigenvectors_make_up_the_norm_is_known():
    (found, *_) = spectra(np.zeros(3))
    assert found.frobenius_interval == (math.sqrt(10), math.sqrt(10))
    few = dataclasses.replace(found, squares=np.array([10.0 + 1e-9, 1e200]))
    assert few.frobenius_interval == (pytest.approx(math.sqrt(10)), math.inf)
    assert math.isnan(dataclasses.replace(found, squares=np.array([11.0])).frobenius_interval[0])


def test_intervals_of_the_frobenius_norm_miss_about_as_often_on_either_side():
    rest = 0.8 ** np.arange(1, 60)
    truth = math.sqrt(10.0 + float(rest @ rest))
    low, high = np.array([each.frobenius_interval for seed in range(25) for each in spectra(rest, seed)]).T
    assert np.mean(high < truth) <= 0.044  # 0.048 with both sides as wide in the logarithm
    assert np.mean(low > truth) <= 0.02
