r"""Where points in weight space lie in a plane, and how far off it, by least squares in the plane's own basis.

.. math:: c = \arg\min_c \lVert \theta_i - \theta_* - D c \rVert, \quad D = (d_x, d_y)

Right for directions of any length and at any angle: dividing an inner product by a length is right only for
orthogonal directions, and gives multiples of the direction only for those of length 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from landscape.errors import CheckpointError, DirectionError
from landscape.problem.chunks import real_numbers
from landscape.problem.params import Tree
from landscape.surface.grid import Floats
from landscape.trajectory.principal_components import PIECE, differences, not_finite, pieces

# Below this sine two directions are one line in float32, in which they are stored.
_PARALLEL = 1e-6


@dataclass(frozen=True, eq=False)
class Projection:
    """Points in a plane, and their distances from it."""

    coordinates: Floats  # (points, directions): multiples of the directions
    residual: Floats  # (points,): Euclidean distance from the plane


def project_points(
    points: Sequence[Tree],
    origin: Tree,
    directions: Sequence[Tree],
    *,
    labels: Sequence[str] | None = None,
    numbers: int = PIECE,
) -> Projection:
    """Project points in weight space onto a plane, or a line, or a volume.

    Parameters
    ----------
    points : sequence of trees
        Tensors of the names and shapes of ``origin``. Each is read twice, piece by piece.
    origin : tree
        theta*. Its names are what counts as weight space, for the distances too.
    directions : sequence of trees
        A name of ``origin`` that a direction lacks is one it does not move.
    labels : sequence of str, optional
        What error messages call the points.
    numbers : int
        How many numbers are in memory at a time.

    Raises
    ------
    CheckpointError
        A weight is not finite.
    DirectionError
        A direction is zero, or two of them are parallel.

    Examples
    --------
    >>> import torch
    >>> origin = {"w": torch.zeros(3)}
    >>> plane = [{"w": torch.tensor([2.0, 0.0, 0.0])}, {"w": torch.tensor([1.0, 1.0, 0.0])}]
    >>> found = project_points([{"w": torch.tensor([3.0, 1.0, 0.5])}], origin, plane)
    >>> found.coordinates, found.residual
    (array([[1., 1.]]), array([0.5]))
    """
    labels = labels or [f"point {number}" for number in range(len(points))]
    gram = np.zeros((len(directions), len(directions)))
    products = np.zeros((len(points), len(directions)))
    for name, part in pieces(origin, len(points) + len(directions), numbers):
        rows, basis = differences(points, origin, name, part), _stretch(directions, name, part)
        if not np.isfinite(rows).all():
            raise CheckpointError(not_finite(rows, name, labels))
        gram += basis @ basis.T
        products += rows @ basis.T
    lengths = np.sqrt(gram.diagonal())
    if not (lengths > 0).all():
        raise DirectionError(f"direction {int((lengths > 0).argmin()) + 1} is zero: nothing can be projected onto it")
    # For two directions the least is 1 - |cosine|, half the square of the sine between them when small.
    if np.linalg.eigvalsh(gram / np.outer(lengths, lengths))[0] < _PARALLEL**2 / 2:
        raise DirectionError("the directions are parallel, so coordinates along them are not defined; draw a line")

    def solve(right: Floats) -> Floats:
        # With directions of length 1, so that one that is far longer than another does not spoil the digits.
        solution: Floats = np.linalg.solve(gram / np.outer(lengths, lengths), (right / lengths).T).T / lengths
        return solution

    coordinates = solve(products)
    # What is left is measured, not got by subtracting squares, which would leave 1e-8 of the distance in the plane.
    left = np.zeros((len(points), len(directions)))
    residual = np.zeros(len(points))
    for name, part in pieces(origin, len(points) + len(directions), numbers):
        basis = _stretch(directions, name, part)
        rows = differences(points, origin, name, part) - coordinates @ basis
        left += rows @ basis.T
        residual += np.einsum("ij,ij->i", rows, rows)
    correction = solve(left)
    residual -= np.einsum("ij,ij->i", correction, left)
    return Projection(coordinates + correction, np.sqrt(np.clip(residual, 0.0, None)))


def _stretch(directions: Sequence[Tree], name: str, part: slice) -> Floats:
    rows = np.zeros((len(directions), part.stop - part.start))
    for row, tree in zip(rows, directions, strict=True):
        if name in tree:
            row[:] = real_numbers(tree[name]).detach().reshape(-1)[part].double().cpu().numpy()
    return rows
