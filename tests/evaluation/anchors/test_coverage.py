"""How often stated intervals hold on networks trained here, of six kinds; and that wrong errors would be noticed."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.surface.derived.intervals import FEWEST
from tests.benchmarks.coverage import HOLDS, accuracy_held, held, losses, right_around, trained

KINDS = ("perceptron", "noisy labels", "transformer", "convolutions", "not trained", "no shortcuts")
RINGS = {"theta*": slice(0, 1), "near": slice(1, 9), "far": slice(9, 17)}


@pytest.fixture(scope="module")
def networks():
    return {kind: losses(kind) for kind in KINDS}


def by_ring(shares, kind):
    """Return how often intervals hold at theta*, near and far, at points whose interval is to be relied on."""
    there = (shares["carried by"] >= FEWEST) & np.isfinite(shares[kind])
    return {ring: shares[kind][part][there[part]].mean() for ring, part in RINGS.items() if there[part].any()}


def test_stated_intervals_hold_at_the_minimum_near_it_and_far_away(networks):
    at_start, bare = 0, []
    for kind, values in networks.items():
        for anchors in ([], [0]):
            shares = held(values, anchors, samples=250, draws=200)
            found = by_ring(shares, "stated")
            assert all(HOLDS[0] <= each <= HOLDS[1] for each in found.values()), (kind, anchors, found)
            at_start += "theta*" in found
            if anchors:
                bare += list(by_ring(shares, "no leverages").values())
    assert at_start >= 4  # of a transformer's minimum three samples carry the loss, which is said
    assert min(bare) < HOLDS[0], "without degrees of freedom intervals would hold as well"


@pytest.mark.parametrize("anchors", [[], [0], [0, 6, 9]])
def test_intervals_of_accuracies_near_one_hold_also_where_all_of_a_subset_are_right(nearly_right, anchors):
    found = accuracy_held(nearly_right, anchors, samples=250, draws=400)
    near = found["truth"] >= 0.99
    assert near.sum() >= 5
    # More often than 98.5 % where the few that are wrong are counted: three of a thousand, or four.
    assert found["stated"][near].min() >= HOLDS[0], found
    assert found["Student's"][near].min() < 0.7, "an error of 0 would hold as well"


@pytest.fixture(scope="module")
def nearly_right():
    return right_around(*trained("shortcuts"))


def test_without_the_factor_of_a_finite_population_intervals_would_be_too_wide(networks):
    shares = held(networks["perceptron"], [0], samples=700, draws=400)
    assert max(by_ring(shares, "stated").values()) < HOLDS[1] < min(by_ring(shares, "no population").values())
