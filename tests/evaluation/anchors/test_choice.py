"""How many points may be anchors, by what the full passes of all data sets cost."""

from __future__ import annotations

import pytest

from landscape.evaluation.anchors.choice import most_anchors

NUMBERS, SIZES = {"train": 640, "test": 320}, {"train": 6400, "test": 32_000}


@pytest.mark.parametrize(
    ("points", "asked", "most"),
    [
        (1000, "auto", 12),  # 480,000 images are half of what the points take, and a full pass is 37,440 beside
        (10_000, "auto", 40),  # a slope takes 8 of the 320 samples there are of one set
        (1000, 7, 7),
        (1000, 99, 40),
        (10, "auto", 1),  # the star at least
    ],
)
def test_full_passes_take_no_more_than_half_of_what_all_points_take(points, asked, most):
    assert most_anchors(points, NUMBERS, SIZES, asked) == most


def test_where_a_point_has_as_many_samples_as_it_needs_a_full_pass_costs_nothing_beforehand():
    assert most_anchors(10, SIZES, SIZES, "auto") == 800
