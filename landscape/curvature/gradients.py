r"""The gradient over some samples, and how far it is from that over endless data, from its batches' inner products.

With :math:`K_{ab} = g_a \cdot g_b` of the batches' gradients and weights w that sum to 1, the squared length of the
mean is :math:`w^\top K w`. On average it is too long by the squared length of its own noise; what is left without that
is a U-statistic, unbiased, of variance :math:`4 |g|^2 \sigma^2 + \delta`: :math:`\sigma` the standard error of the
length, :math:`\delta = 2 \operatorname{tr} \Sigma^2 \sum_{ab} M_{ab}^2 / w_a w_b` with :math:`\Sigma / w_a` the
covariance of a batch's gradient and M the matrix of the U-statistic, which is all there is where the gradient vanishes
(normal batches; of equal ones M has no diagonal, and their law does not matter). :math:`\operatorname{tr} \Sigma^2` is
what the products of different batches leave when what is added by each batch, :math:`K_{ab} = r_a + r_b`, is fitted
away by weighted least squares: they are uncorrelated, of variance :math:`\operatorname{tr} \Sigma^2 / w_a w_b`, so
that it is unbiased. Of equal batches that is the double-centred form of Szekely and Rizzo [1]_.

References
----------
.. [1] Szekely, Rizzo, "Partial distance correlation with methods for dissimilarities", Annals of Statistics 42, 2014.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from landscape.curvature.products import Products
from landscape.surface.grid import Floats

# B (B - 1) / 2 products less B that are fitted: of three batches none is left, of four two would tell.
_LEAST_CENTRED = 5


@dataclass(frozen=True)
class GradientLength:
    """Of the mean over batches."""

    norm: float
    norm_stderr: float  # from which samples were taken; NaN for one batch
    noise: float  # root mean square length of its own sampling error
    null_stderr: float  # of norm^2 - noise^2 where the gradient over endless data is 0; NaN where that is not told


def gradient_length(products: Products, held: int = 1) -> GradientLength:
    """Measure the gradient of the mean loss and its error from sampling.

    Parameters
    ----------
    products : Products
    held : int
        How many gradients there is memory for, beside two in float64; with fewer than there are batches they are
        computed again for each so many.
    """
    shares = products.loss.shares
    number = len(shares)
    mean = torch.zeros(products.size, dtype=torch.float64, device=products.device)
    gram = np.zeros((number, number))
    for first in range(0, number, max(held, 1)):
        rows: list[Tensor] = []
        for k, row in enumerate(products.gradients(first, check=not first), start=first):
            if not first:
                mean.add_(row, alpha=float(shares[k]))
            if k < first + max(held, 1):
                rows.append(row.to(products.dtype))
            for place, each in enumerate(rows):
                gram[first + place, k] = gram[k, first + place] = float(each.double() @ row)
    return gradient_statistics(gram, shares, float(mean.norm()))


def gradient_statistics(gram: Floats, shares: Floats, length: float | None = None) -> GradientLength:
    """Return what the inner products of batches' gradients say.

    Parameters
    ----------
    gram : ndarray, shape (batches, batches)
    shares : ndarray, shape (batches,)
        Of all samples, which each batch has; they sum to 1.
    length : float, optional
        Of the mean, where it is known with more digits than inner products give.
    """
    number = len(shares)
    if length is None:
        length = math.sqrt(max(float(shares @ gram @ shares), 0.0))
    if number < 2:
        return GradientLength(length, math.nan, math.nan, math.nan)
    inner = gram @ shares / length if length else np.zeros(number)
    along = shares**2 @ (inner - shares @ inner) ** 2 * number / (number - 1)
    noise = _noise(gram, shares)
    return GradientLength(length, math.sqrt(along), math.sqrt(max(noise, 0.0)), _null_error(gram, shares))


def _noise(gram: Floats, shares: Floats) -> float:
    """Return the mean square length of the sampling error of the mean."""
    mean = gram @ shares
    squares = np.diagonal(gram) - 2 * mean + shares @ mean
    # Unbiased where a batch's gradient varies as one over its samples; of equal batches it is 1 - 1 / B.
    return float(shares**2 @ squares) / (1 - float(shares @ shares))


def _null_error(gram: Floats, shares: Floats) -> float:
    number = len(gram)
    if number < _LEAST_CENTRED:
        return math.nan
    weights = np.outer(shares, shares)
    np.fill_diagonal(weights, 0.0)
    added = np.linalg.solve(weights + np.diag(weights.sum(1)), (weights * gram).sum(1))
    left = float((weights * (gram - added[:, None] - added[None, :]) ** 2).sum()) / (number * (number - 3))
    without_mean = np.eye(number) - shares[None, :]
    matrix = np.outer(shares, shares) - without_mean.T @ (shares[:, None] ** 2 * without_mean) / (1 - shares @ shares)
    return math.sqrt(2 * left * float((matrix**2 / np.outer(shares, shares)).sum()))
