"""Anchors: points at which all data were measured, so that others are estimated for all data from a subset of it.

Beside the values of a surface, which are estimates then, a file keeps what they were made with: the subset's losses and
metrics at each anchor, one a sample, and their means over all data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats

# The number that theta* has among points: it need not lie on the grid.
AT_ORIGIN = -1


@dataclass(frozen=True, eq=False)
class Anchors:
    """What was measured at the anchors of one data set, in the order in which they were chosen."""

    points: NDArray[np.int64]  # (k,): their numbers in the order of the grid's arrays, -1 for theta*
    samples: Mapping[str, Floats]  # metric -> (k, n): the values of the samples that every point is measured on
    means: Mapping[str, Floats]  # metric -> (k,): the means over all data
    size: int  # how many samples all data are
    # metric -> (k,): of losses also the means of logarithms, see `landscape.evaluation.anchors.regression`
    log_means: Mapping[str, Floats] = field(default_factory=dict)
    # metric -> (points of the grid, columns): of the errors of estimates there, what differences between two networks
    # on the same samples need, see `landscape.surface.derived.differences`; NaN where there is none, 0 where nothing
    # is left
    sketches: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    # While a run is under way, of points that say which become anchors and of those between two looks at their errors:
    # their numbers (m,), and metric -> (m, n), NaN behind what a point has
    kept_points: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    kept: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.samples.items():
            means = self.means.get(name)
            if values.ndim != 2 or len(values) != len(self.points) or means is None or means.shape != values.shape[:1]:
                raise ValueError(f"anchors have values of {name} that do not go with {len(self.points)} points")
        for name, sketch in self.sketches.items():
            if sketch.ndim != 2:
                raise ValueError(f"anchors have sketches of {name} of shape {sketch.shape}, not of two dimensions")
        for name, values in self.kept.items():
            if values.ndim != 2 or len(values) != len(self.kept_points):
                raise ValueError(f"anchors keep values of {name} that do not go with {len(self.kept_points)} points")
        for name, logs in self.log_means.items():
            if logs.shape != self.points.shape:
                raise ValueError(f"anchors have logarithms of {name} that do not go with {len(self.points)} points")
