"""Grids of grids: the points that bisecting index ranges reaches up to a level, and the cells between them.

A grid is a list of increasing indices along each axis, slowest axis first. Cells lie between neighbours; an axis of one
point has one cell. Masks of points and of cells have one place each, in the same order of axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from landscape.grid import Floats, axis_levels

Mask = NDArray[np.bool_]


def grid_up_to(coordinates: Sequence[Floats], level: int) -> list[NDArray[np.intp]]:
    """Return the indices along each axis up to a level, slowest axis first."""
    return [np.flatnonzero(axis_levels(len(each)) <= level) for each in reversed(coordinates)]


def parents(grid: NDArray[np.intp], finer: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return in which cell of a grid each cell of the finer one lies; an axis of one point is one cell."""
    if len(finer) == 1:
        return np.zeros(1, dtype=np.intp)
    return np.asarray(np.searchsorted(grid, finer[:-1], side="right") - 1, dtype=np.intp)


def places_in(grid: Sequence[NDArray[np.intp]], finer: Sequence[NDArray[np.intp]]) -> tuple[NDArray[np.intp], ...]:
    """Return the index of a grid's points among those of the finer one."""
    return np.ix_(*(np.searchsorted(new, old) for new, old in zip(finer, grid, strict=True)))


def corners_of(cells: Mask, points: Sequence[int]) -> Mask:
    """Return which points are a corner of one of the cells."""
    for axis, number in enumerate(points):
        if number > 1:
            before = np.insert(cells, cells.shape[axis], False, axis=axis)
            cells = before | np.insert(cells, 0, False, axis=axis)
    return cells


def cells_with(points: Mask, parents: Sequence[NDArray[np.intp]], shape: tuple[int, ...]) -> Mask:
    """Return which cells of the coarse grid have one of these points of the finer one, on their edge or inside."""
    for axis in range(points.ndim):
        if points.shape[axis] > 1:
            points = np.delete(points, -1, axis=axis) | np.delete(points, 0, axis=axis)
    cells = np.zeros(shape, dtype=np.bool_)
    np.logical_or.at(cells, np.ix_(*parents), points)
    return cells
