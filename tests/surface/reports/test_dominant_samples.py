"""Dominant samples: which ones they are, and what two layers share against chance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from landscape.surface.reports.dominant_samples import most_dominant, overlap_of, overlaps
from tests.helpers.similarities import called_twice, similarity


def test_shared_samples_are_counted_whatever_their_order_and_a_layer_without_a_component_is_a_hole():
    found = overlaps(np.array([[1, 2, 3, 4], [4, 9, 8, 1], [5, 6, 7, 0], [-1, -1, -1, -1], [-1, -1, -1, -1]]))
    np.testing.assert_array_equal(found[:3, :3], [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 4]).all()


def test_sets_drawn_at_random_share_what_chance_gives_and_none_is_called_above_it():
    rng = np.random.default_rng(0)
    found = similarity()
    rows, means, above = len(found.cka), [], 0
    for _ in range(60):
        dominant = np.stack([rng.permutation(found.samples)[:30] for _ in range(rows)])
        said = overlap_of(dataclasses.replace(found, dominant=dominant), 0, 1)
        means.append(said.mean)
        above += said.above > 0
    assert said.chance == pytest.approx(0.1)
    assert np.mean(means) == pytest.approx(said.chance, abs=0.01)
    assert above <= 6  # one family in 20


def test_a_layer_that_shares_more_than_chance_is_counted_after_correction_for_all_layers():
    found = similarity()
    rows = len(found.cka)
    half = rows // 2
    dominant = np.arange(rows * 4).reshape(rows, 4) % 300
    dominant[half + 1] = dominant[1]  # all of 4 of 300: a chance of 1 in 3 * 10^8
    dominant[half + 2, :1] = dominant[2, :1]  # one of 4: in 1 of 19 cases
    found = dataclasses.replace(found, networks=tuple(map(called_twice, found.networks)), dominant=dominant)
    said = overlap_of(found, 0, 1)
    assert (said.layers, said.above) == (half, 1)
    assert said.mean == pytest.approx((1 + 0.25) / half)


def test_a_network_is_dominated_by_who_makes_up_most_of_the_components_that_have_variance():
    scores = np.zeros((3, 6), np.float32)
    scores[0] = [9, 0, 0, 0, 1, 0]  # 81 of 82 of a component that has 10 % of the variance
    scores[1] = [0, 3, -4, 0, 0, 0]  # 9 and 16 of 25, of 90 %
    scores[2] = [0, 0, 0, 7, 0, 0]  # a layer without a share
    np.testing.assert_array_equal(most_dominant(scores, np.array([0.1, 0.9, np.nan]), 4), [2, 1, 0, 4])
