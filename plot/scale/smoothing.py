"""Cubic curves through measured points: slopes for lighting, finer geometry for coarse grids.

A picture may draw a smooth surface through the points of a coarse grid, and then says so; the values themselves are
never changed. Nothing here looks across a value that is not finite: what was not measured stays a hole.
"""

from __future__ import annotations

import numpy as np

from landscape.surface.grid import Floats

# A grid of fewer points than this is drawn smoothed; of more, its own facets are small enough.
COARSE = 75 * 75
# Points along the longer axis that a smoothed grid gets: facets of some 5 pixels in a picture 1,400 wide.
FINE = 200


def slopes(values: Floats, x: Floats) -> Floats:
    """Return the derivative along the last axis, of second order on any spacing, from finite neighbours only.

    Inside, it is that of the parabola through a point and its two neighbours. At a border, or beside a hole, it is
    that of the parabola through the next two points on the finite side, or the chord where there is only one.

    Parameters
    ----------
    values : ndarray, shape (..., n)
        May hold NaN; infinities count as NaN.
    x : ndarray, shape (n,)
        Increasing.

    Returns
    -------
    ndarray, shape (..., n)
        0 where a finite point has no finite neighbour, NaN where the value is not finite.

    Examples
    --------
    >>> slopes(np.array([0.0, 1.0, 9.0]), np.array([0.0, 1.0, 3.0]))
    array([0., 2., 6.])
    """
    values = np.where(np.isfinite(values), values, np.nan)
    n = values.shape[-1]
    if n < 2:
        return values * 0.0
    steps = np.diff(x)
    chords = np.diff(values) / steps
    # Chord and width of the interval so many intervals to the left (-1, -2) or right (1, 2) of each point.
    chord = np.full((4, *values.shape), np.nan)
    width = np.full((4, n), np.nan)
    for slot, offset in enumerate((-2, -1, 1, 2)):
        shift = offset if offset < 0 else offset - 1
        here = slice(max(-shift, 0), min(n, n - 1 - shift))
        there = slice(here.start + shift, here.stop + shift)
        chord[slot, ..., here] = chords[..., there]
        width[slot, here] = steps[there]
    far_left, left, right, far_right = chord
    wide_far_left, wide_left, wide_right, wide_far_right = width
    result = (left * wide_right + right * wide_left) / (wide_left + wide_right)
    for near, far, near_width, far_width in (
        (right, far_right, wide_right, wide_far_right),
        (left, far_left, wide_left, wide_far_left),
    ):
        curved = near + (near - far) * near_width / (near_width + far_width)
        result = np.where(np.isnan(result), np.where(np.isnan(curved), near, curved), result)
    result = np.where(np.isnan(result), 0.0, result)
    return np.where(np.isnan(values), np.nan, result)


def refine(values: Floats, x: Floats, factor: int) -> tuple[Floats, Floats]:
    """Put ``factor - 1`` points between neighbours along the last axis, on cubic curves through the measured ones.

    Hermite's cubics with the slopes of :func:`slopes`, limited as Fritsch and Carlson (1980) do: between two
    neighbours the curve only rises or only falls, so that no value lies beyond theirs. A cliff gets no waves, a
    plateau stays level to the last bit, and no contour appears where straight lines between the points have none.

    Parameters
    ----------
    values : ndarray, shape (..., n)
        NaN where there is nothing; an interval with such an end stays empty.
    x : ndarray, shape (n,)
        Increasing.
    factor : int
        At least 1.

    Returns
    -------
    values : ndarray, shape (..., (n - 1) * factor + 1)
    x : ndarray, shape ((n - 1) * factor + 1,)
        The measured points keep their exact place and value, ``factor`` apart.
    """
    if factor == 1 or len(x) < 2:
        return values, x
    values = np.where(np.isfinite(values), values, np.nan)
    steps = np.diff(x)
    chords = np.diff(values) / steps
    slope = slopes(values, x)
    edge = np.full((*values.shape[:-1], 1), np.nan)
    left, right = np.concatenate([edge, chords], axis=-1), np.concatenate([chords, edge], axis=-1)
    least = np.fmin(np.abs(left), np.abs(right))
    turns = np.nan_to_num(left) * np.nan_to_num(right) < 0
    bound = np.where(turns, 0.0, 3.0) * np.nan_to_num(least)
    slope = np.clip(slope, -bound, bound)
    # A one-sided parabola at a border may point the wrong way.
    only = np.where(np.isnan(left), right, left)
    one_sided = np.isnan(left) | np.isnan(right)
    slope = np.where(one_sided & (slope * np.nan_to_num(only) < 0), 0.0, slope)

    t = (np.arange(1, factor) / factor)[:, None]
    start, end = values[..., None, :-1], values[..., None, 1:]
    rise, fall = slope[..., None, :-1] * steps, slope[..., None, 1:] * steps
    between = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * rise
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * fall
    )
    # What is left is rounding.
    between = np.clip(between, np.minimum(start, end), np.maximum(start, end))
    finer = np.empty((*values.shape[:-1], (len(x) - 1) * factor + 1))
    places = np.empty(finer.shape[-1])
    finer[..., ::factor], places[::factor] = values, x
    for k in range(1, factor):
        finer[..., k::factor] = between[..., k - 1, :]
        places[k::factor] = x[:-1] + steps * (k / factor)
    return finer, places


def snapped(heights: Floats, levels: Floats) -> Floats:
    """Return heights with those that differ from a level by rounding alone set to it.

    A plateau at a level (an accuracy of exactly 10 %) then lies on one side of its iso-line everywhere; scattered to
    both sides by rounding, it would be covered with scribbles.
    """
    finite = heights[np.isfinite(heights)]
    near = 1e-12 * max(float(np.abs(finite).max(initial=0.0)), 1e-300)
    for level in levels:
        heights = np.where(np.abs(heights - level) <= near, level, heights)
    return heights


def smooth_surface(values: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats, int]:
    """Return a coarse grid refined along both axes, and by what factor; a fine one as it is, with factor 1.

    Parameters
    ----------
    values : ndarray, shape (ny, nx)
    x, y : ndarray, shapes (nx,) and (ny,)

    Returns
    -------
    values : ndarray, shape (ny', nx')
    x, y : ndarray
    factor : int
    """
    if values.size >= COARSE or min(values.shape) < 2:
        return values, x, y, 1
    factor = max(1, round(FINE / (max(values.shape) - 1)))
    values, x = refine(values, x, factor)
    turned, y = refine(np.ascontiguousarray(values.T), y, factor)
    return np.ascontiguousarray(turned.T), x, y, factor
