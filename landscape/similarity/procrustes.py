r"""The orthogonal Procrustes distance between layers: what no rotation of one's features brings onto the other's.

Of features A and B (n x p and n x q), centred and divided by their Frobenius norms, with the nuclear norm
:math:`\lVert \cdot \rVert_*`, the sum of singular values (Ding et al. [1]_, Section 2),

.. math:: d(A, B) = \min_Q \lVert A - B Q \rVert_F^2 = 2 - 2 \lVert A^\top B \rVert_*

between 0, the same but for rotation and scale, and 2. Only inner products of samples matter: a factor of the Gram
matrix (n x n) stands for features, however many there are. It is no unbiased estimate of anything: of the n samples of
a batch, features of which there are more than n come closer to each other than those of all samples would.

References
----------
.. [1] Ding, Denain, Steinhardt, "Grounding Representation Similarity with Statistical Testing", NeurIPS 2021.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from landscape.surface.grid import Floats

# Eigenvalues of a Gram matrix in float64 below this part of the largest are rounding.
_ROUNDING = 1e-14


def gram_factor(features: Tensor) -> Tensor | None:
    """Return F of shape (n, r) with F F^T the Gram matrix of features over its trace; None where that is 0.

    Parameters
    ----------
    features : Tensor, shape (n, p)
        Centred over samples.
    """
    wide = features.double()
    values, vectors = torch.linalg.eigh(wide @ wide.T)
    largest = float(values[-1])
    if largest <= 0:
        return None
    kept = values > _ROUNDING * len(values) * largest
    factor: Tensor = vectors[:, kept] * (values[kept] / values[kept].sum()).sqrt()
    return factor


def distances(factors: list[Tensor | None]) -> Floats:
    """Return the distance of all pairs, shape (rows, rows); NaN for a layer without a factor.

    Parameters
    ----------
    factors : list of Tensor or None
        As `gram_factor` gives them, of the same samples.
    """
    rows = len(factors)
    found = np.full((rows, rows), np.nan)
    for i, one in enumerate(factors):
        if one is None:
            continue
        found[i, i] = 0.0
        for j, other in enumerate(factors[:i]):
            if other is not None:
                found[i, j] = found[j, i] = 2 - 2 * float(torch.linalg.svdvals(one.T @ other).sum())
    return found
