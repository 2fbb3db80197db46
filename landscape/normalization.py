r"""Scaling a direction against the weights, so that a step of 1 means the same in every network.

A network with ReLU and batch norm computes the same function when its filters are scaled, but a fixed step looks
small beside long filters and large beside short ones. Filter normalisation takes that out [1]_.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from landscape.params import Filters, Tree, length, require_same_shapes, work_dtype

NORMALIZATIONS = ("filter", "layer", "weight", "dfilter", "dlayer", "model", "none")
IGNORES = ("biasbn", "none")

# What is left of a filter by taking another out of it, relative to its length, below which it is rounding alone.
_NOTHING_LEFT = 1e-10


def normalize_direction(
    direction: Tree,
    weights: Tree,
    filters: Mapping[str, Filters],
    *,
    norm: str = "filter",
    ignore: str = "biasbn",
) -> dict[str, Tensor]:
    r"""Scale a direction against the weights.

    ``filter`` gives every filter the length of the same filter of the weights [1]_, ``layer`` every tensor;
    ``weight`` multiplies elementwise; ``dfilter`` and ``dlayer`` give unit length; ``model`` gives the whole vector
    the length of all the weights; ``none`` leaves it.

    .. math:: d_{i,j} \leftarrow \lVert \theta_{i,j} \rVert \, d_{i,j} / \lVert d_{i,j} \rVert

    Tensors of fewer than two dimensions (biases, batch-norm scales) become zero with ``ignore="biasbn"``. Otherwise
    they become the weights' absolute values with the direction's signs under ``filter``, ``layer`` and ``weight``,
    and are treated as the rest under the others. A zero filter gets a zero direction.

    Parameters
    ----------
    direction, weights : mapping of str to Tensor
        Same names, same shapes.
    filters : mapping of str to Filters
        How each tensor falls into filters (`landscape.params.filters_of`).

    Returns
    -------
    dict of str to Tensor
        In the precision in which weights are moved: float32, or float64 for float64 weights.

    Raises
    ------
    DirectionError
        A name or a shape differs.

    Examples
    --------
    >>> theta = {"fc": torch.tensor([[3.0, 4.0], [0.0, 1.0]])}
    >>> drawn = {"fc": torch.tensor([[1.0, 0.0], [0.0, -2.0]])}
    >>> normalize_direction(drawn, theta, {"fc": Filters()})["fc"]
    tensor([[ 5.,  0.],
            [ 0., -1.]])
    """
    require_same_shapes(direction, weights, "the direction")
    scaled = {
        name: scale(direction[name].to(weight.device), weight.detach(), filters[name], norm=norm, ignore=ignore)
        for name, weight in weights.items()
    }
    if norm == "model":
        # The weights that stay where they are do not count: the step is compared with what it moves.
        moved = {n: w for n, w in weights.items() if w.ndim >= 2 or ignore != "biasbn"}
        factor = ratio(length(moved), length(scaled))
        scaled = {name: tensor * factor for name, tensor in scaled.items()}
    return scaled


def scale(
    drawn: Tensor, theta: Tensor, filters: Filters, *, norm: str, ignore: str, factor: float | None = None
) -> Tensor:
    """Scale the direction of one tensor, or of whole filters of it.

    Parameters
    ----------
    drawn, theta : Tensor
        The same shape.
    filters : Filters
    norm, ignore : str
        See `normalize_direction`.
    factor : float, optional
        For "layer", "dlayer" and "model": what the tensor as a whole is multiplied by. Without it, what is given
        counts as the whole, and "model" leaves it.

    Returns
    -------
    Tensor
        In the precision in which weights are moved.
    """
    work = work_dtype(theta)
    if theta.ndim < 2 and ignore == "biasbn":
        return torch.zeros_like(theta, dtype=work)
    if norm in ("none", "model"):
        return drawn.to(work) if factor is None else drawn.to(work) * factor
    if norm == "weight" and theta.ndim >= 2:
        return drawn.to(work) * theta.to(work)
    if theta.ndim < 2 and norm in ("filter", "layer", "weight"):
        return torch.where(drawn < 0, -1.0, 1.0).to(work) * theta.abs().to(work)
    if factor is not None:
        return (drawn.double() * factor).to(work)
    by_filter = norm in ("filter", "dfilter")
    mine, other = (filters.rows(t) if by_filter else t.reshape(1, -1) for t in (drawn, theta))
    lengths = torch.linalg.vector_norm(mine, dim=1, dtype=torch.float64)
    wanted = torch.linalg.vector_norm(other, dim=1, dtype=torch.float64)
    if norm in ("dfilter", "dlayer"):
        wanted = torch.ones_like(wanted)
    factors = torch.where(lengths > 0, wanted / lengths, torch.zeros_like(lengths))
    shaped = filters.spread(factors, drawn.shape) if by_filter else factors.reshape(())
    return (drawn.double() * shaped).to(work)


def ratio(wanted: float, got: float) -> float:
    """Return by how much to multiply something of a length so that it has another; nothing stays nothing."""
    return wanted / got if got > 0 else 0.0


def orthogonalize(direction: Tree, earlier: Sequence[Tree], filters: Mapping[str, Filters]) -> dict[str, Tensor]:
    """Take out of each filter what lies along the same filter of earlier directions; keep the filters' lengths.

    The earlier directions are orthogonal to each other, filter by filter, as this function makes them. A filter
    that is all along an earlier one, such as a single number, has nothing left and becomes zero.
    """
    result: dict[str, Tensor] = {}
    for name, tensor in direction.items():
        layout = filters[name]
        rows = layout.rows(tensor).double()
        lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        left = rows
        for tree in earlier:
            other = layout.rows(tree[name]).double()
            square = (other * other).sum(1, keepdim=True)
            along = torch.where(square > 0, (left * other).sum(1, keepdim=True) / square, torch.zeros_like(square))
            left = left - along * other
        rest = torch.linalg.vector_norm(left, dim=1, keepdim=True)
        kept = rest > _NOTHING_LEFT * lengths
        left = torch.where(kept, left * (lengths / rest.clamp(min=torch.finfo(torch.float64).tiny)), 0.0)
        result[name] = _unrows(left, tensor, layout).to(tensor.dtype)
    return result


def _unrows(rows: Tensor, like: Tensor, filters: Filters) -> Tensor:
    if like.ndim < 2 or not filters.transposed:
        return rows.reshape(like.shape)
    inputs, outputs = like.shape[:2]
    blocks = rows.reshape(filters.groups, outputs, inputs // filters.groups, -1).transpose(1, 2)
    return blocks.reshape(like.shape)
