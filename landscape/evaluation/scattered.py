r"""Interpolation from points that lie anywhere: polyharmonic splines through the nearest of them.

The value at a point is that of :math:`\sum_i c_i |x - x_i|^3 + p(x)`, p a polynomial of second degree, through the
nearest points that are known [1]_; along a line that is a cubic spline. Each point has a small system of equations of
its own, so the cost is linear in their number.

References
----------
.. [1] Fornberg and Flyer, "Solving PDEs with radial basis functions", Acta Numerica 24, 2015, 215-258, Section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats

# From how many known points a value is made, by the number of axes: about twice the terms of a polynomial of degree 3.
# With 50 instead of 24 in a plane errors were the same, and the time fourfold.
NEIGHBOURS = {1: 8, 2: 24, 3: 50}
# Numbers in all systems solved at once: what of them is needed again stays in the cache of a core.
BLOCK = 20_000
# Keeps a system solvable whose points lie on a line, as they do where one axis is much finer than the other.
RIDGE = 1e-9


def nearest(nodes: Floats, points: Floats, number: int, *, others: bool = False) -> tuple[Floats, NDArray[np.intp]]:
    """Return the distances and the numbers of the nearest nodes, nearest first, shape (m, number) each.

    Parameters
    ----------
    nodes : ndarray, shape (n, axes)
    points : ndarray, shape (m, axes)
    number : int
        Fewer where there are not so many nodes.
    others : bool
        The points are the nodes themselves, and a node is not its own neighbour.
    """
    from scipy.spatial import KDTree  # needed only here

    own = int(others)
    number = max(min(number, len(nodes) - own), 1 - own)
    distances, found = KDTree(nodes).query(points, k=range(1 + own, number + own + 1))
    return np.asarray(distances, dtype=np.float64), np.asarray(found, dtype=np.intp)


def interpolate(nodes: Floats, values: Floats, points: Floats) -> Floats:
    """Return values at points, through what is known at others.

    Parameters
    ----------
    nodes : ndarray, shape (n, axes)
        Different points, in units in which the axes are alike.
    values : ndarray, shape (n, columns)
        What is known there. Finite.
    points : ndarray, shape (m, axes)

    Returns
    -------
    ndarray, shape (m, columns)

    Examples
    --------
    >>> x = np.linspace(0, 1, 5)[:, None]
    >>> interpolate(x, x**2, np.array([[0.3]])).round(6)
    array([[0.088857]])
    """
    return _solve(nodes, values, points, nearest(nodes, points, NEIGHBOURS[nodes.shape[1]])[1])


def predict_each(nodes: Floats, values: Floats) -> Floats:
    """Return what would be interpolated at each of the known points if it were not known, shape (n, columns)."""
    if len(nodes) == 1:
        return np.zeros_like(values)
    return _solve(nodes, values, nodes, nearest(nodes, nodes, NEIGHBOURS[nodes.shape[1]], others=True)[1])


def _solve(nodes: Floats, values: Floats, points: Floats, chosen: NDArray[np.intp]) -> Floats:
    """Return values at points, each through the nodes chosen for it."""
    axes, size = nodes.shape[1], chosen.shape[1]
    # A polynomial needs more points than it has terms, or it runs away between them.
    degree = 2 if size >= (axes + 1) * (axes + 2) else min(1, size - 1)
    result = np.empty((len(points), values.shape[1]))
    step = max(BLOCK // size**2, 1)
    for start in range(0, len(points), step):
        part = slice(start, start + step)
        offsets = nodes[chosen[part]] - points[part, None]
        scale = np.abs(offsets).max(axis=(1, 2), keepdims=True)
        offsets = offsets / np.where(scale > 0, scale, 1.0)
        columns = [np.ascontiguousarray(offsets[..., axis]) for axis in range(axes)]
        monomials = _monomials(columns, degree)
        terms = monomials.shape[-1]
        system = np.zeros((len(offsets), size + terms, size + terms))
        system[:, :size, :size] = _cubed_lengths([each[:, :, None] - each[:, None] for each in columns])
        system[:, :size, size:] = monomials
        system[:, size:, :size] = np.swapaxes(monomials, 1, 2)
        system[:, size:, size:] = -RIDGE * np.eye(terms)
        # The system is symmetric, so solving it for the basis at the point, which is the origin here, gives the
        # weight that each known value has there, whatever the values.
        basis = np.zeros((len(offsets), size + terms, 1))
        basis[:, :size, 0] = _cubed_lengths(columns)
        basis[:, size, 0] = 1.0
        weights = np.linalg.solve(system, basis)[:, :size, 0]
        result[part] = np.einsum("mk,mkc->mc", weights, values[chosen[part]])
    return result


def _cubed_lengths(columns: Sequence[Floats]) -> Floats:
    """Return |v|^3 of vectors given by their coordinates, none of them longer than 2."""
    squares = np.square(columns[0])
    for each in columns[1:]:
        squares += np.square(each)
    # Not a power: that takes longer than all the rest of a system.
    return np.asarray(squares * np.sqrt(squares))


def _monomials(columns: Sequence[Floats], degree: int) -> Floats:
    """Return all products of at most ``degree`` coordinates, shape (..., terms), the constant first."""
    terms = [
        np.prod([columns[axis] for axis in factors], axis=0) if factors else np.ones_like(columns[0])
        for power in range(degree + 1)
        for factors in combinations_with_replacement(range(len(columns)), power)
    ]
    return np.stack(terms, axis=-1)
