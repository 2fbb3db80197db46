r"""The Hessian as a linear operator of SciPy, for whatever takes one: ``eigsh``, ``svds``, ``expm_multiply``, solvers.

>>> import scipy.sparse.linalg
>>> H = landscape.hessian(model, data, samples=1000)                               # doctest: +SKIP
>>> values, vectors = scipy.sparse.linalg.eigsh(H, k=5, which="LA")                # doctest: +SKIP

Everything else holds as in the report (`landscape.curvature.analysis`): the same samples, each of the same weight, eval
mode, kernels that have second derivatives, graphs kept between products as memory allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator
from torch import Tensor, nn

from landscape.arguments import require_network
from landscape.curvature.differentiable import differentiable
from landscape.curvature.point import at_weights
from landscape.curvature.products import Product
from landscape.errors import UsageError
from landscape.problem.copies import copy_of
from landscape.problem.losses.losses import Loss
from landscape.surface.grid import Floats


class CurvatureOperator(LinearOperator):  # type: ignore[misc]
    """A symmetric matrix of n rows by its products with vectors; see `hessian`.

    It is of a copy of the network, with the weights that it had then: whatever becomes of the network changes nothing.

    Attributes
    ----------
    shape : tuple of int
        (n, n), a row for each weight.
    dtype : dtype
        float64; products are computed in the precision of the weights, and summed over batches in float64.
    names : tuple of str
        Of the tensors whose numbers, in this order, a vector holds.
    """

    def __init__(self, model: nn.Module, data: Any, *, kind: str, normalised: bool, **options: Any) -> None:
        require_network(model)
        try:
            self._model = copy_of(model)
        except Exception as error:  # a deep copy runs the network's own code
            raise UsageError(
                f"the network cannot be copied ({type(error).__name__}: {error}), which an operator that outlives it "
                "needs; landscape.curvature measures without a copy"
            ) from error
        self._model.eval()
        with at_weights(self._model, data, **options) as point:
            self._products = point.products(kind)
            self._point = point
        self._scale = point.flat_scale() if normalised else None
        if self._scale is not None and not bool(self._scale.any()):
            raise UsageError("none of these weights moves in a random direction: D H D is zero; choose others")
        self.names = self._products.names
        super().__init__(np.dtype(np.float64), (self._products.size,) * 2)

    @property
    def products(self) -> int:
        """How many products were made."""
        return self._products.made

    def product(self, vector: Tensor) -> Product:
        """Return the product with a vector of shape (n,) on the network's device, and each batch's own form."""
        scale = 1.0 if self._scale is None else self._scale.to(vector.dtype)
        with differentiable(self._model, self._point.tensors, leaves=self._point.leaves):
            found = self._products(vector * scale)
        return Product(found.vector * scale, found.forms)

    def named(self, vector: ArrayLike) -> dict[str, Floats]:
        """Return a vector of shape (n,) as arrays shaped like the weights, by name."""
        found = self._products.named(torch.from_numpy(np.array(vector, dtype=np.float64)))
        return {name: each.numpy() for name, each in found.items()}

    def flattened(self, tree: Mapping[str, Any]) -> Floats:
        """Return arrays or tensors by name as a vector of shape (n,), 0 for those that are not there.

        Raises
        ------
        UsageError
            One is not 0 and not among the weights of this operator.
        """
        found = self._products.flattened({name: torch.as_tensor(each) for name, each in tree.items()})
        flat: Floats = found.cpu().numpy()
        return flat

    def _matvec(self, vector: Floats) -> Floats:
        flat = torch.from_numpy(np.array(vector, dtype=np.float64).reshape(-1)).to(self._products.device)
        result: Floats = self.product(flat).vector.cpu().numpy()
        return result

    def _rmatvec(self, vector: Floats) -> Floats:
        return self._matvec(vector)

    def _adjoint(self) -> CurvatureOperator:
        return self

    _transpose = _adjoint


def hessian(
    model: nn.Module,
    data: Any,
    *,
    kind: str = "hessian",
    normalised: bool = False,
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int | None = None,
    include: str | None = None,
    exclude: str | None = None,
    ignore: str = "none",
) -> CurvatureOperator:
    """Return the Hessian of a mean loss as a `scipy.sparse.linalg.LinearOperator`.

    Parameters
    ----------
    model : Module
        It is copied, and left alone.
    data
        One data set, as `landscape.evaluate` takes it.
    kind : {"hessian", "gauss_newton"}
        The Gauss-Newton matrix is that of the loss's own second derivative by the network's output.
    normalised : bool
        D H D instead, D being the length that filter normalisation gives each weight.
    loss, samples, sample_seed, batch_size, include, exclude, ignore
        See `landscape.curvature`.

    Returns
    -------
    CurvatureOperator
        float64, of shape (n, n), with ``named`` and ``flattened`` between vectors and weights by name.

    Raises
    ------
    UsageError
        A setting makes no sense, nothing is left to be moved, or the network cannot be copied.
    EvaluationError
        The loss or a product is not finite, depends on random numbers, or has no second derivative.

    Examples
    --------
    >>> import torch, landscape
    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    >>> H = landscape.hessian(net, (x, torch.zeros(2, 1)), loss="mse")  # the mean of (x w)^2
    >>> (H @ [1.0, 1.0]).tolist()
    [1.0, 9.0]
    """
    return CurvatureOperator(
        model,
        data,
        kind=kind,
        normalised=normalised,
        loss=loss,
        samples=samples,
        sample_seed=sample_seed,
        batch_size=batch_size,
        include=include,
        exclude=exclude,
        ignore=ignore,
    )
