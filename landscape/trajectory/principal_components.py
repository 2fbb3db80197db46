r"""Principal components of a training run, and where its steps lie in a plane: streamed, in double precision.

The recorded weights are the rows of a matrix that rarely fits into memory: 200 steps of ten million parameters are
16 GB. Its principal components need only the inner products of the rows, so the matrix is read piece by piece, a
stretch of one tensor of all steps at a time: once for the inner products, once for the directions.

.. math::
    d_i = \theta_i - \theta_*, \quad G_{ij} = \langle d_i, d_j \rangle, \quad
    H G H \, v_k = \lambda_k v_k, \quad u_k = \lambda_k^{-1/2} \sum_i (H v_k)_i \, d_i, \quad H = 1 - \tfrac1n 1 1^T

Differences are taken in float64 before anything is multiplied, since weights differ little over a run.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 7.
.. [2] Turk and Pentland, "Eigenfaces for Recognition", J. Cognitive Neuroscience 3 (1991), section 2: components of
       few long vectors from the small matrix of their inner products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from landscape.errors import CheckpointError, DirectionError
from landscape.problem.chunks import real_numbers
from landscape.problem.params import Tree, work_dtype
from landscape.surface.grid import Floats

# Numbers in memory at a time, over all steps: 128 MiB in float64.
PIECE = 1 << 24


@dataclass(frozen=True, eq=False)
class Components:
    """The principal components of some points in weight space, about their mean."""

    directions: tuple[dict[str, Tensor], ...]  # unit length, the one with the largest variance first
    coordinates: Floats  # (points, directions): of theta_i - theta*, so theta* and not the mean is at 0
    variance: Floats  # (points - 1,): of every component, divided by points - 1, largest first
    total: float  # the sum of them and of what the tensors left out vary

    @property
    def ratio(self) -> Floats:
        """The share of each component in the whole variance; the sum is below 1 where tensors were left out."""
        return self.variance / self.total


def pieces(tree: Tree, rows: int, numbers: int = PIECE) -> Iterator[tuple[str, slice]]:
    """Yield names and stretches of the flattened tensors, such that ``rows`` of them hold ``numbers`` numbers.

    Complex numbers are two each.
    """
    size = max(1, numbers // max(1, rows))
    for name, tensor in tree.items():
        numbers_there = real_numbers(tensor).numel()
        for start in range(0, numbers_there, size):
            yield name, slice(start, min(start + size, numbers_there))


def differences(points: Sequence[Tree], origin: Tree, name: str, part: slice) -> Floats:
    """Return a stretch of theta_i - theta* of every point, shape (points, length of the stretch)."""
    rows = torch.empty(len(points), part.stop - part.start, dtype=torch.float64)
    for row, tree in zip(rows, points, strict=True):
        row.copy_(real_numbers(tree[name]).detach().reshape(-1)[part])
    rows -= real_numbers(origin[name]).detach().reshape(-1)[part].double()
    array: Floats = rows.numpy()
    return array


def not_finite(rows: Floats, name: str, labels: Sequence[str]) -> str:
    """Say which point, or theta*, is not finite in a stretch of differences."""
    bad = ~np.isfinite(rows).all(axis=1)
    # theta* is subtracted from all of them.
    which = "theta*, the end of the run" if bad.all() else labels[int(bad.argmax())]
    return (
        f"{which}: {name} holds values that are not finite, so it has no place in a plane; "
        "leave out the steps from there on"
    )


def principal_components(
    points: Sequence[Tree],
    origin: Tree,
    *,
    components: int = 2,
    ignored: Callable[[str], bool] = lambda name: False,
    labels: Sequence[str] | None = None,
    numbers: int = PIECE,
) -> Components:
    r"""Find the directions along which points in weight space vary most [1]_ [2]_.

    Parameters
    ----------
    points : sequence of trees
        Tensors of the names and shapes of ``origin``, more are no harm. Each is read twice, piece by piece: trees
        that are mapped from files take no memory to speak of.
    origin : tree
        theta*, where coordinates are 0; its names are what counts. The directions do not depend on its values.
    components : int
        How many directions; their variances are returned for all.
    ignored : function of a name, optional
        Tensors that the directions leave alone. What they vary still counts in the total.
    labels : sequence of str, optional
        What error messages call the points.
    numbers : int
        How many numbers are in memory at a time.

    Returns
    -------
    Components
        Of unit length. The sign is such that the point farthest from theta* along a component is on its positive side.

    Raises
    ------
    CheckpointError
        A weight is not finite.
    DirectionError
        Too few points, points that are all the same, or that span fewer directions than asked for.

    Examples
    --------
    >>> points = [{"w": torch.tensor(w)} for w in ([2.0, 0.1], [1.0, -0.2], [0.0, 0.0])]
    >>> found = principal_components(points, points[-1])
    >>> found.ratio.round(4)
    array([0.9797, 0.0203])
    """
    count = len(points)
    labels = labels or [f"point {number}" for number in range(count)]
    if count < 2:
        raise DirectionError(f"principal components need at least two different points of a run, got {count}")
    if not 1 <= components < count:
        raise DirectionError(
            f"{components} principal components were asked for; {count} points have at most {count - 1}: "
            "ask for fewer, or draw a line"
        )
    kept = {name: tensor for name, tensor in origin.items() if not ignored(name)}
    gram, outside = _inner_products(points, origin, kept, labels, numbers)
    centred = gram - gram.mean(axis=0)
    centred -= centred.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh((centred + centred.T) / 2)
    # The mean takes one dimension, so one eigenvalue is 0 but for rounding.
    values, vectors = np.clip(values[::-1], 0.0, None)[:-1], vectors[:, ::-1]
    # Rounding of the inner products leaves about this much where there is nothing.
    rank = int((values > 10 * count * np.finfo(np.float64).eps * gram.diagonal().max()).sum())
    if rank == 0:
        why = "only in tensors that are left out" if outside > 0 else "nowhere"
        raise DirectionError(f"the {count} points of the run differ {why}: there is no plane through them")
    if rank < components:
        raise DirectionError(
            f"{components} principal components were asked for, but the {count} points span only {rank}; "
            "ask for fewer, or draw a line"
        )
    # Centred, so that rounding of an eigenvector's mean is not multiplied with the long way from theta* to the mean.
    weights = vectors[:, :components] - vectors[:, :components].mean(axis=0)
    weights /= np.sqrt(values[:components])
    coordinates = gram @ weights
    farthest = coordinates[np.abs(coordinates).argmax(axis=0), np.arange(components)]
    signs = np.where(farthest < 0, -1.0, 1.0)
    directions = _combinations(points, origin, kept, weights * signs, numbers)
    variance = values / (count - 1)
    return Components(directions, coordinates * signs, variance, float(values.sum() + outside) / (count - 1))


def _inner_products(
    points: Sequence[Tree], origin: Tree, kept: Tree, labels: Sequence[str], numbers: int
) -> tuple[Floats, float]:
    """Return the inner products of the differences over what is kept, and the squares about the mean of the rest."""
    gram = np.zeros((len(points), len(points)))
    outside = 0.0
    for name, part in pieces(origin, len(points), numbers):
        rows = differences(points, origin, name, part)
        if not np.isfinite(rows).all():
            raise CheckpointError(not_finite(rows, name, labels))
        if name in kept:
            # A matrix times its own transpose: NumPy computes half of it and mirrors the rest.
            gram += rows @ rows.T
        else:
            outside += float(((rows - rows.mean(axis=0)) ** 2).sum())
    return gram, outside


def _combinations(
    points: Sequence[Tree], origin: Tree, kept: Tree, weights: Floats, numbers: int
) -> tuple[dict[str, Tensor], ...]:
    """Return sums of the differences with given weights, shape (points, sums), in the precision of moves."""
    found: tuple[dict[str, Tensor], ...] = tuple(
        {name: torch.zeros(tensor.shape, dtype=work_dtype(tensor)) for name, tensor in origin.items()}
        for _ in range(weights.shape[1])
    )
    for name, part in pieces(kept, len(points), numbers):
        sums = weights.T @ differences(points, origin, name, part)
        for tree, values in zip(found, sums, strict=True):
            real_numbers(tree[name]).view(-1)[part] = torch.from_numpy(values)
    return found
