"""A training run projected onto a picture: how far off it each step is, and what the picture shows below the steps."""

from __future__ import annotations

import numpy as np

from landscape.surface.grid import Floats
from landscape.surface.surface import NOT_COMPUTED, Surface, Trajectory


def span_name(surface: Surface) -> str:
    """Return what a surface's directions span, onto which runs are projected: a line, a plane or a volume."""
    return ("line", "plane", "volume")[min(len(surface.directions), 3) - 1]


def distances(surface: Surface, run: Trajectory) -> Floats:
    """Return how far each step is from theta*, in weight space, shape (n,).

    From its coordinates, the lengths of the directions and the angles between them, and its distance off the plane.
    """
    axes = surface.directions[: run.coordinates.shape[1]]
    lengths = np.array([axis.length for axis in axes])
    cosines = np.eye(len(axes)) if surface.cosines is None else surface.cosines[: len(axes), : len(axes)]
    gram = cosines * np.outer(lengths, lengths)
    inside = np.einsum("ni,ij,nj->n", run.coordinates, gram, run.coordinates)
    distance: Floats = np.sqrt(np.clip(inside, 0.0, None) + run.residual**2)
    return distance


def shares_off_plane(surface: Surface, run: Trajectory) -> Floats:
    """Return the part of each step's distance from theta* that is off the plane: 0 in it, 1 straight away from it."""
    distance = distances(surface, run)
    return np.divide(run.residual, distance, out=np.zeros_like(distance), where=distance > 0)


def values_below(surface: Surface, run: Trajectory, name: str) -> Floats:
    """Return a surface's values at a run's coordinates, shape (n,), bilinear between the points of the grid.

    NaN outside the grid, and where one of the points around was not computed or is not finite. Shapes are those of
    a line or a plane; the last of further axes is at its first point.
    """
    values = surface[name]
    values = np.where((surface.state == NOT_COMPUTED) | ~np.isfinite(values), np.nan, values)
    axes = surface.directions[:2]
    while values.ndim > len(axes):
        values = values[0]
    found = np.zeros(len(run.coordinates))
    corners = [_neighbours(axis.values, run.coordinates[:, k]) for k, axis in enumerate(axes)]
    for chosen in np.ndindex(*(2,) * len(axes)):
        weight = np.ones_like(found)
        index = []
        for side, (low, share) in zip(chosen, corners, strict=True):
            weight = weight * (share if side else 1 - share)
            index.append(low + side)
        part = values[tuple(reversed(index))]
        # A point of no weight may be a hole; one of some weight makes a hole.
        found = found + np.where(weight == 0, 0.0, weight * part)
    return found


def _neighbours(values: Floats, at: Floats) -> tuple[np.ndarray, Floats]:
    """Return the grid point below each coordinate, and where it lies between that and the next; NaN outside."""
    if len(values) == 1:
        return np.zeros(len(at), dtype=np.intp) - 1, np.where(at == values[0], 1.0, np.nan)
    low = np.clip(np.searchsorted(values, at, side="right") - 1, 0, len(values) - 2)
    share = (at - values[low]) / (values[low + 1] - values[low])
    # A range that was chosen to end at a step may end a rounding error before it.
    share = np.where(np.abs(share - np.round(share)) < 1e-9, np.round(share), share)
    return low, np.where((share >= 0) & (share <= 1), share, np.nan)
