r"""Both ends of a symmetric matrix's spectrum from products alone, each eigenvalue with its residual.

Lanczos with full reorthogonalisation, restarted with the Ritz vectors that are wanted when memory for the basis is used
up (thick restart [1]_). A pair :math:`(\theta, y)` has the residual :math:`|A y - \theta y|`, and some eigenvalue of A
lies within it of :math:`\theta` ([2]_, theorem 4.5.1). That none was missed, no run can show: a random start has a part
in each eigenvector, however small.

References
----------
.. [1] Wu and Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J. Matrix Anal. 2000.
.. [2] Parlett, "The Symmetric Eigenvalue Problem", SIAM 1998.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from landscape.curvature.rows import Rows
from landscape.surface.grid import Floats

Multiply = Callable[[Tensor], Tensor]
# Below this share of what it was, a vector that was made orthogonal to others is rounding.
_EXHAUSTED = 1e-10


@dataclass(frozen=True)
class Eigenpairs:
    """Ritz values, descending: the greatest, then the least."""

    values: Floats  # (pairs,)
    residuals: Floats  # (pairs,)
    vectors: Rows  # of n numbers, one for each pair, of length 1
    products: int
    greatest: int  # how many of the pairs are from the upper end

    def converged(self, tolerance: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Return which residuals are within ``tolerance`` of their eigenvalues, shape (pairs,)."""
        return self.residuals <= tolerance * np.abs(self.values)


def extreme_eigenpairs(
    multiply: Multiply,
    start: Tensor,
    *,
    greatest: int = 5,
    least: int = 5,
    tolerance: float = 0.01,
    most: int = 200,
    basis: int = 60,
    rows: Rows | None = None,
    rounding: float = 0.0,
) -> Eigenpairs:
    """Return the greatest and the least eigenvalues of a symmetric matrix.

    Parameters
    ----------
    multiply : callable
        The product with a vector of shape (n,), a tensor of its own: it is written to.
    start : Tensor, shape (n,)
        Not zero; its type is that of the basis. Random, or a combination of what eigenvectors are thought to be.
    greatest, least : int
        How many of each end; together no more than n.
    tolerance : float
        Stop when each residual is within so much of its eigenvalue's size.
    most : int
        Stop after so many products.
    basis : int
        Vectors that are kept, at least ``greatest + least + 2`` where n allows.
    rows : Rows, optional
        Where they are kept, one more than ``basis``, which is then no matter.
    rounding : float
        What products are exact to, of the greatest eigenvalue's size: no residual that is returned is below it, however
        small the recurrence says it is.

    Raises
    ------
    ValueError
        More pairs than n, or none.
    """
    size = len(start)
    wanted = greatest + least
    if not 0 < wanted <= size:
        raise ValueError(f"{greatest} greatest and {least} least eigenvalues of {size} were asked for")
    basis = min(max(basis if rows is None else len(rows) - 1, wanted + 2), size)
    vectors = Rows(basis + 1, start) if rows is None or len(rows) <= basis else rows
    projected = np.zeros((basis, basis))
    vectors[0] = start / torch.linalg.vector_norm(start, dtype=torch.float64)
    column, products = 0, 0
    while True:
        image = multiply(vectors[column]).to(torch.float64)
        products += 1
        size_before = float(image.norm())
        along = vectors.orthogonalise(image, column + 1)
        projected[: column + 1, column] = projected[column, : column + 1] = along
        beta = float(image.norm())
        # The start has no part in what is left.
        ended = beta <= _EXHAUSTED * max(size_before, float(np.abs(projected).max()))
        values, mixes = np.linalg.eigh(projected[: column + 1, : column + 1])
        residuals = (0.0 if ended else beta) * np.abs(mixes[-1])
        picked = _ends(len(values), greatest, least)
        sure = len(values) >= wanted and bool((residuals[picked] <= tolerance * np.abs(values[picked])).all())
        if sure or products >= most or column + 1 == size:
            chosen = picked[::-1]  # descending
            vectors.mix(mixes[:, chosen])
            found = vectors.first(len(chosen))
            sure_to = np.hypot(residuals[chosen], rounding * float(np.abs(values).max()))
            return Eigenpairs(values[chosen], sure_to, found, products, min(greatest, len(chosen)))
        if ended:
            image = _fresh(vectors, column + 1, products)
        if column + 1 == basis:
            kept = _ends(len(values), min(greatest + 2, basis - least - 2), least + 2 if basis > wanted + 4 else least)
            vectors.mix(mixes[:, kept])
            projected[:] = 0.0
            projected[np.arange(len(kept)), np.arange(len(kept))] = values[kept]
            column = len(kept) - 1
        column += 1
        vectors[column] = image.div_(image.norm())


def _ends(number: int, greatest: int, least: int) -> list[int]:
    """Return the positions of the least and of the greatest of ascending values, each once, ascending."""
    low = list(range(min(least, number)))
    return [*low, *(k for k in range(max(0, number - greatest), number) if k not in low)]


def _fresh(vectors: Rows, count: int, seed: int) -> Tensor:
    """Return a random vector orthogonal to the first ones, to go on with where a start had no part in what is left."""
    # Not a stream that a caller may have drawn the start from.
    draw = torch.from_numpy(np.random.Generator(np.random.PCG64([2718, seed])).standard_normal(vectors.size))
    draw = draw.to(vectors.device)
    vectors.orthogonalise(draw, count)
    return draw


@dataclass(frozen=True)
class Quadrature:
    """Gauss quadrature of the spectrum as one start sees it: nodes and weights that sum to 1."""

    nodes: Floats  # (steps,)
    weights: Floats  # (steps,)
    image: Tensor  # (n,): the product with the start, of length 1


def lanczos_quadrature(multiply: Multiply, start: Tensor, steps: int, *, rows: Rows | None = None) -> Quadrature:
    """Return where and with what weight the spectrum lies, as the moments of one start tell it (Golub and Welsch 1969).

    Parameters
    ----------
    multiply : callable
        The product with a vector of shape (n,), a tensor of its own: it is written to.
    start : Tensor, shape (n,)
        Of the probes over which quadratures are averaged.
    steps : int
        Products; the first 2 steps - 1 moments come out exactly.
    rows : Rows, optional
        Where the vectors are kept, as many as steps.
    """
    steps = min(steps, len(start))
    vectors = Rows(steps, start) if rows is None else rows
    projected = np.zeros((steps, steps))
    vectors[0] = start / torch.linalg.vector_norm(start, dtype=torch.float64)
    first = None
    for column in range(steps):
        image = multiply(vectors[column]).to(torch.float64)
        size_before = float(image.norm())
        if first is None:
            first = image if steps == 1 else image.clone()
        if column + 1 == steps:  # nothing comes behind it
            along = vectors.inner_products(image, column + 1).cpu().numpy()
            projected[: column + 1, column] = projected[column, : column + 1] = along
            break
        along = vectors.orthogonalise(image, column + 1)
        projected[: column + 1, column] = projected[column, : column + 1] = along
        beta = float(image.norm())
        if beta <= _EXHAUSTED * max(size_before, float(np.abs(projected).max())):
            projected = projected[: column + 1, : column + 1]
            break
        vectors[column + 1] = image.div_(beta)
    nodes, mixes = np.linalg.eigh(projected)
    assert first is not None
    return Quadrature(nodes, mixes[0] ** 2, first)
