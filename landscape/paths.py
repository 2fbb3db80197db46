"""What a projected run says about its picture: how far off the plane it is, and what the plane shows below it.

Plain NumPy on a Surface and its Trajectory, for the command line and for every renderer. Also how high the barrier on
a line between two networks is.

References
----------
.. [1] Antognini, Sohl-Dickstein, "PCA of high dimensional random walks with comparison to neural network training",
       NeurIPS 2018.
.. [2] Goodfellow, Vinyals, Saxe, "Qualitatively Characterizing Neural Network Optimization Problems", ICLR 2015.
.. [3] Frankle, Dziugaite, Roy, Carbin, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", ICML 2020,
       section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from landscape.grid import Floats
from landscape.surface import COMPUTED, NOT_COMPUTED, Surface, Trajectory


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


def plane_runs(surface: Surface) -> tuple[list[str], list[str]]:
    """Return the names of the runs whose principal components the axes are, and of those put onto their plane later.

    Shares of variance are of the former alone. Both are empty where the axes are no principal components.
    """
    if any(axis.source != "pca" for axis in surface.directions):
        return [], []
    own = [name for name, run in surface.trajectories.items() if "explained_variance" in run.attributes]
    return own, [name for name in surface.trajectories if name not in own]


def component_label(label: str, recipe: Mapping[str, Any]) -> str:
    """Return a principal component's label with the names of its runs.

    Examples
    --------
    >>> component_label("PC 1 (61.2 % of variance)", {"source": "pca", "runs": [{"name": "sgd"}]})
    'PC 1 (61.2 % of the variance of sgd)'
    """
    names = ", ".join(str(run.get("name", "")) for run in recipe.get("runs", []))
    return label.replace("% of variance)", f"% of the variance of {names})") if names else label


def above_chord(surface: Surface, name: str) -> tuple[Floats, Floats, Floats] | None:
    """Return x from 0 to 1, the values there, and the straight line between the values at both ends, shape (n,) each.

    None unless it is a line towards another checkpoint, with points at 0 and at 1 and finite values all the way.
    """
    axis = surface.axes[0]
    if len(surface.axes) != 1 or axis.source != "checkpoint":
        return None
    inside = (axis.values > -1e-9) & (axis.values < 1 + 1e-9)
    x, values = axis.values[inside], surface[name][inside]
    known = np.isfinite(values) & (surface.state[inside] != NOT_COMPUTED)
    if len(x) < 3 or abs(x[0]) > 1e-9 or abs(x[-1] - 1) > 1e-9 or not known.all():
        return None
    return x, values, values[0] + (values[-1] - values[0]) * x


def barrier(surface: Surface, name: str) -> tuple[float, float] | None:
    """Return how far the values rise above the straight line from 0 to 1, and where, on a line between two networks.

    The height over the chord between both ends, as the interpolation of [2]_ shows it; for ends of one loss it is the
    instability of [3]_, which is measured from their mean. 0, at 0, where nothing rises. Of points that were measured:
    where others are interpolated the highest of them may be a little higher. None where it is not known, see
    `above_chord`.
    """
    found = above_chord(surface, name)
    if found is None:
        return None
    x, values, chord = found
    axis = surface.axes[0].values
    measured = surface.state[(axis > -1e-9) & (axis < 1 + 1e-9)] == COMPUTED
    k = int(np.argmax(np.where(measured, values - chord, -np.inf)))
    height = float(values[k] - chord[k])
    return (height, float(x[k])) if height > 0 else (0.0, 0.0)


def random_walk_shares(number: int) -> Floats:
    r"""Return the shares of variance that the principal components of a random walk have in very many dimensions [1]_.

    What a run has to be compared with: most of a walk that goes nowhere lies in its first two components as well.

    .. math:: \lambda_k \propto \frac{1}{1 - \cos(\pi k / n)}, \quad k = 1, \ldots, n - 1

    since the centred inner products of n points of a walk are the inverse of the Laplacian of a path.

    Parameters
    ----------
    number : int
        How many points the walk has, its start included.

    Returns
    -------
    ndarray, shape (number - 1,)

    Examples
    --------
    >>> random_walk_shares(11)[:2].round(3)
    array([0.617, 0.157])
    """
    k = np.arange(1, number)
    variance = 1 / (1 - np.cos(np.pi * k / number))
    shares: Floats = variance / variance.sum()
    return shares


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
