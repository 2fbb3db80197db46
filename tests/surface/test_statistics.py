"""Continuing sums with more samples gives what all samples at once give."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.surface.statistics import merge, moments_of, standard_error

numbers = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=40), st.data())
def test_two_parts_merge_to_the_whole(pairs, data):
    values, baseline = np.array(pairs).T
    cut = data.draw(st.integers(1, len(values) - 1))
    whole = moments_of(values, baseline)
    halves = (slice(None, cut), slice(cut, None))
    parts = merge(*(moments_of(values[half], baseline[half], keep=True) for half in halves))
    assert parts.samples.tolist() == values.tolist()  # in their order
    assert parts.baseline == pytest.approx(baseline.mean(), rel=1e-9, abs=1e-7)
    # Deviations of 1e6 leave 1e-16 * 1e6 absolute; errors are square roots of differences of such squares.
    assert parts.count == whole.count
    assert parts.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-7)
    assert parts.stderr == pytest.approx(whole.stderr, rel=1e-6, abs=1e-6)
    assert parts.paired_stderr == pytest.approx(whole.paired_stderr, rel=1e-6, abs=1e-6)


def test_the_standard_error_is_that_of_the_mean():
    assert standard_error(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(math.sqrt(5 / 3) / 2)
    assert math.isnan(standard_error(np.array([1.0])))


def test_infinite_losses_stay_infinite_when_merged():
    finite, infinite = moments_of(np.array([1.0, 2.0])), moments_of(np.array([math.inf, math.inf]))
    assert merge(finite, infinite).mean == math.inf
    assert merge(infinite, infinite).mean == math.inf
    assert merge(infinite, finite).mean == math.inf
    assert math.isnan(merge(infinite, moments_of(np.array([-math.inf]))).mean)
    assert math.isnan(merge(finite, moments_of(np.array([math.nan, 1.0]))).mean)


def test_batch_means_have_no_standard_error():
    got = moments_of(np.array([1.0, 1.0, 3.0]), per_sample=False)
    assert got.mean == pytest.approx(5 / 3)
    assert math.isnan(got.stderr)
    assert math.isnan(got.paired_stderr)
