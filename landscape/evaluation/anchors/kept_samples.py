"""Samples of points that a run under way leaves to its file: which of them fit, as rows of one array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from landscape.surface.grid import Floats


def longest_rows(counts: Mapping[int, int], room: int) -> tuple[list[int], int]:
    """Return which points are kept, and how long their rows are.

    What has most samples is dearest to measure again, but makes the rows of all others as long.

    Parameters
    ----------
    counts : mapping
        Point -> how many samples it has.
    room : int
        How many samples there is room for.

    Examples
    --------
    >>> longest_rows({0: 256, 1: 512, 2: 256}, 10_000)
    ([1, 0, 2], 512)
    >>> longest_rows({0: 256, 1: 512, 2: 256}, 600)  # one row of 512, or two of 256
    ([0, 2], 256)
    """
    best, length = 0, 1
    for number in sorted(set(counts.values())):
        fitting = min(room // number, sum(count <= number for count in counts.values()))
        if fitting >= best:
            best, length = fitting, number
    points = sorted((point for point, count in counts.items() if count <= length), key=lambda point: -counts[point])
    return points[:best], length


def padded(rows: Sequence[Floats], length: int) -> Floats:
    """Return rows as one array of so many columns, NaN behind each.

    Examples
    --------
    >>> padded([np.array([1.0, 2.0]), np.array([3.0])], 2)
    array([[ 1.,  2.],
           [ 3., nan]])
    """
    found = np.full((len(rows), length), np.nan)
    for whole, row in zip(found, rows, strict=True):
        whole[: len(row)] = row
    return found
