"""Interpolation along one axis of a grid, by SciPy's splines."""

from __future__ import annotations

import numpy as np

from landscape.grid import Floats


def spline_along(axis: int, points: Floats, values: Floats, at: Floats) -> Floats:
    """Return values at other points of one axis, by a cubic spline through the known ones.

    Parameters
    ----------
    axis : int
    points : ndarray, shape (n,)
        Increasing.
    values : ndarray
        n values along ``axis``. Finite.
    at : ndarray, shape (m,)

    Returns
    -------
    ndarray
        m values along ``axis``.
    """
    from scipy.interpolate import make_interp_spline  # needed only here

    if len(points) == 1:
        return np.repeat(values, len(at), axis=axis)
    spline = make_interp_spline(points, values, k=min(3, len(points) - 1), axis=axis)
    return np.asarray(spline(at), dtype=np.float64)
