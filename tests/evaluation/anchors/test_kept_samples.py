"""Which samples a run under way leaves to its file."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.evaluation.anchors.kept_samples import longest_rows, padded


@pytest.mark.parametrize(
    ("counts", "room", "expected"),
    [
        ({0: 256, 1: 512}, 600, ([1], 512)),  # one row either way: of what is dearest to measure again
        ({0: 256, 1: 512, 2: 256}, 600, ([0, 2], 256)),
        ({0: 4, 1: 2, 2: 4, 3: 2}, 8, ([0, 2], 4)),
        ({0: 4, 1: 2, 2: 2, 3: 2}, 8, ([1, 2, 3], 2)),
        ({0: 256}, 100, ([], 256)),
        ({}, 100, ([], 1)),
    ],
)
def test_as_many_rows_as_there_is_room_for_and_of_as_many_the_longest(counts, room, expected):
    assert longest_rows(counts, room) == expected


def test_behind_a_row_that_is_shorter_there_is_nothing():
    np.testing.assert_array_equal(padded([np.array([1.0]), np.array([2.0, 3.0])], 2), [[1, np.nan], [2, 3]])
