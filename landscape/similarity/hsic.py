r"""The unbiased estimate of the Hilbert-Schmidt independence criterion (HSIC), for all pairs of layers at once.

A Gram matrix K (n x n) of a batch of n samples, its diagonal set to 0, is centred as Szekely and Rizzo [1]_ do
(their "U-centred" matrix, Definition 2): off the diagonal

.. math:: \tilde K_{ij} = K_{ij} - \frac{K_{i\cdot} + K_{\cdot j}}{n-2} + \frac{K_{\cdot\cdot}}{(n-1)(n-2)}

Then the estimate of Song et al. [2]_ (equation 5), HSIC1, is
:math:`\langle \tilde K, \tilde L \rangle / (n(n-3))`: an inner product, so that one product of a matrix with its own
transpose gives all pairs. What is constant over samples, or a sum of a row's and a column's number, is projected out.

References
----------
.. [1] Szekely, Rizzo, "Partial distance correlation with methods for dissimilarities", Annals of Statistics 42, 2014.
.. [2] Song et al., "Feature selection via dependence maximization", JMLR 13, 2012.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from landscape.surface.grid import Floats

# Fewer samples have no unbiased estimate: it divides by n - 3.
LEAST_BATCH = 4
# Columns that are multiplied at once: all of a usual batch.
_COLUMNS = 1 << 16
# Rows of a Gram matrix that are made at once on a processor: what is above the diagonal is copied from below it.
_BLOCK = 64


def centred_gram(gram: Tensor) -> Tensor:
    """Return a Gram matrix centred without bias, float64 of the same shape, zeros on the diagonal.

    Parameters
    ----------
    gram : Tensor, shape (n, n)
        Symmetric; n is 4 at least.
    """
    n = len(gram)
    centred = gram.double().clone().fill_diagonal_(0.0)
    rows = centred.sum(1)
    centred -= (rows[:, None] + rows[None, :]) / (n - 2) - rows.sum() / ((n - 1) * (n - 2))
    return centred.fill_diagonal_(0.0)


def is_rounding(centred: Tensor, size: float, dtype: torch.dtype) -> bool:
    """Whether nothing but rounding is left of a Gram matrix once it is centred.

    So it is where one sample alone differs from all others: of pairs of samples that says nothing, and a ratio of what
    rounding leaves would be any number.

    Parameters
    ----------
    centred : Tensor, shape (n, n)
        As `centred_gram` gives it.
    size : float
        The norm of the numbers that pairs of samples were rounded at: `lengths_of_pairs`, of a linear kernel.
    dtype : torch.dtype
        Of the features.
    """
    return float(centred.norm()) <= 16 * torch.finfo(dtype).eps * size


def lengths_of_pairs(gram: Tensor) -> float:
    """Return the norm of |x_i| |x_j| over pairs of different samples, from a linear Gram matrix."""
    squares = gram.diagonal().double()
    return math.sqrt(max(float(squares.sum() ** 2 - squares.square().sum()), 0.0))


def packed(centred: Tensor) -> Tensor:
    """Return the upper triangle of a centred Gram matrix, scaled: inner products of two such vectors are HSIC1."""
    n = len(centred)
    return centred.reshape(-1)[_upper(n, centred.device)] * math.sqrt(2 / (n * (n - 3)))


def all_pairs(vectors: Tensor, columns: int | None = None) -> Floats:
    """Return HSIC1 of all pairs of layers of one batch, shape (layers, layers), summed in float64.

    Parameters
    ----------
    vectors : Tensor, shape (layers, n (n - 1) / 2)
        Rows as `packed` gives them.
    columns : int, optional
        How many are read at once: few where vectors lie on disk.
    """
    found = torch.zeros(len(vectors), len(vectors), dtype=torch.float64)
    step = columns or _COLUMNS
    for first in range(0, max(vectors.shape[1], 1), step):
        wide = vectors[:, first : first + step].double()
        found += (wide @ wide.T).cpu()
    return found.numpy()


def linear_gram(features: Tensor) -> Tensor:
    """Return the inner products of samples, shape (n, n), float32 or as the features are.

    Parameters
    ----------
    features : Tensor, shape (n, p)
    """
    number = len(features)
    if features.device.type != "cpu" or number <= _BLOCK:
        return features @ features.T
    found = features.new_empty(number, number)
    for first in range(0, number, _BLOCK):
        last = min(first + _BLOCK, number)
        torch.mm(features[first:last], features[:last].T, out=found[first:last, :last])
        found[:first, first:last] = found[first:last, :first].T
    return found


def rbf_gram(features: Tensor, width: float) -> Tensor:
    """Return exp(-d^2 / (2 width^2)) of the distances d between samples, shape (n, n), float64."""
    return torch.exp(-squared_distances(features) / (2 * width**2))


def squared_distances(features: Tensor) -> Tensor:
    """Return squared distances between samples, shape (n, n), float64."""
    gram = linear_gram(features).double()
    squares = gram.diagonal()
    return (squares[:, None] + squares[None, :] - 2 * gram).clamp_(min=0.0)


def median_distance(features: Tensor) -> float:
    """Return the median distance between two different samples: what the width of an RBF kernel is a multiple of."""
    distances = squared_distances(features).reshape(-1)[_upper(len(features), features.device)]
    return math.sqrt(float(distances.median()))


@lru_cache(maxsize=8)
def _upper(n: int, device: torch.device) -> Tensor:
    rows, columns = np.triu_indices(n, 1)
    return torch.from_numpy(rows * n + columns).to(device)
