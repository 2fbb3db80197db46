r"""Shape of a slice: how much more it goes up and down than one valley would, and how much of a map is not convex.

*Roughness* of a line: the sum of all its rises and falls over those of one valley with the same ends and the same
bottom, minus 1,

.. math:: \frac{\sum_i |L_{i+1} - L_i|}{(L_0 - L_{\min}) + (L_n - L_{\min})} - 1,

0 where the loss falls to one minimum and rises from it. Of a plane the median over its rows and columns.

*Share of area that is not convex*, of a map of both ends of the Hessian's spectrum (Li et al. [1]_, Section 6.2): where
:math:`-\lambda_{\min} / \lambda_{\max}` is above a threshold by more than its residuals. Where residuals leave it open,
a point counts as neither, and the share of those is told.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018.
"""

from __future__ import annotations

import math

import numpy as np

from landscape.surface.grid import Floats
from landscape.surface.surface import Surface


def roughness(line: Floats) -> float:
    """Return the roughness of a line of losses; NaN where one is not finite.

    Examples
    --------
    >>> roughness(np.array([4.0, 1.0, 0.0, 1.0, 4.0])), roughness(np.array([4.0, 0.0, 1.0, 0.0, 4.0]))
    (0.0, 0.25)
    """
    if len(line) < 3 or not np.isfinite(line).all():
        return math.nan
    valley = (line[0] - line.min()) + (line[-1] - line.min())
    return float(np.abs(np.diff(line)).sum() / valley - 1) if valley > 0 else math.nan


def roughness_of(surface: Surface, name: str) -> float:
    """Return the roughness of a line, the median over repeated ones, or over rows and columns of a plane."""
    values = np.asarray(surface[name])
    if len(surface.directions) == 1:
        lines = list(np.atleast_2d(values))
    else:
        planes = values[None] if values.ndim == 2 else values
        lines = [line for plane in planes for line in (*plane, *plane.T)]
    found = np.array([roughness(line) for line in lines])
    return float(np.median(found[np.isfinite(found)])) if np.isfinite(found).any() else math.nan


def nonconvex_shares(surface: Surface, data: str, threshold: float) -> tuple[float, float, float]:
    """Return which part of a map is not convex, which part is undecided, and the median of the ratio.

    Parameters
    ----------
    surface : Surface
        With the quantity "curvature" of `landscape.evaluate`.
    data : str
        "train".
    threshold : float
        Of -lambda_min / lambda_max; Li et al.'s pictures show what is well above 0.

    Returns
    -------
    tuple of float
        Shares of the points with finite curvature; NaN where there are none.
    """
    most, least = (np.asarray(surface[f"{data}/eigenvalue_{end}"]).ravel() for end in ("max", "min"))
    above, below = (np.asarray(surface[f"{data}/eigenvalue_{end}_residual"]).ravel() for end in ("max", "min"))
    spread = above + below
    known = np.isfinite(most) & np.isfinite(least) & np.isfinite(spread)
    if not known.any():
        return math.nan, math.nan, math.nan
    most, least, spread = most[known], least[known], spread[known]
    # -least > threshold * most, up to what the residuals leave open; where nothing curves upwards nothing is convex.
    over = np.where(most > 0, -least - threshold * most, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(most > 0, np.maximum(-least, 0) / most, np.inf)
    return float((over > spread).mean()), float((np.abs(over) <= spread).mean()), float(np.median(ratio))
