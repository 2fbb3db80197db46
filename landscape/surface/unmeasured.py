"""Which values a computed point still lacks: a quantity beside the losses that a run has not come to yet.

A point counts as computed once its losses are known. Over how many samples another quantity is known there is one of
the values, ``DATA/QUANTITY_samples``, NaN where it is not: else NaN would look like a network that diverged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from landscape.surface.surface import COMPUTED, Surface

# The values of both ends of the spectrum, in the order in which they are measured at a point.
CURVATURE_VALUES = (
    "eigenvalue_max",
    "eigenvalue_min",
    "eigenvalue_max_residual",
    "eigenvalue_min_residual",
    "gradient_norm",
    "products",
)
# By quantity; the last two of curvature are what pictures call the ratio of both ends.
_VALUES = {"curvature": (*CURVATURE_VALUES, "convexity", "convexity_open")}


def not_measured_yet(surface: Surface, name: str) -> NDArray[np.bool_]:
    """Return at which computed points a value was not measured yet, of the surface's shape; of losses none."""
    data, _, metric = name.rpartition("/")
    for quantity, values in _VALUES.items():
        counts = surface.values.get(f"{data}/{quantity}_samples")
        if counts is not None and (metric in values or metric == f"{quantity}_samples"):
            found: NDArray[np.bool_] = (surface.state == COMPUTED) & ~(counts > 0)
            return found
    return np.zeros(surface.shape, dtype=bool)
