r"""Scaling a direction against the weights, so that a step of 1 means the same in every network.

A network with ReLU and batch norm computes the same function when its filters are scaled, but a fixed step looks
small beside long filters and large beside short ones. Filter normalisation takes that out [1]_.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from landscape.directions.filters import Filters
from landscape.problem.chunks import dot
from landscape.problem.params import Tree, require_same_shapes, work_dtype

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
    they become the weights' absolute values with the direction's signs (phases of complex numbers) under ``filter``,
    ``layer`` and ``weight``, and are treated as the rest under the others. A zero filter gets a zero direction.

    Parameters
    ----------
    direction, weights : mapping of str to Tensor
        Same names, same shapes.
    filters : mapping of str to Filters
        How each tensor falls into filters (`landscape.directions.filters.filters_of`).

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
    placed = {name: direction[name].to(weight.device) for name, weight in weights.items()}
    theta = {name: weight.detach() for name, weight in weights.items()}
    factors: dict[str, float] = {}
    for name in theta:
        group = scaled_together(name, theta, norm=norm, ignore=ignore)
        if name in group and name not in factors:
            factor = common_factor([placed[each] for each in group], [theta[each] for each in group], norm=norm)
            factors |= dict.fromkeys(group, factor)
    return {
        name: scale(placed[name], weight, filters[name], norm=norm, ignore=ignore, factor=factors.get(name))
        for name, weight in theta.items()
    }


def scaled_together(name: str, weights: Tree, *, norm: str, ignore: str) -> list[str]:
    """Return the tensors that are multiplied by one number with this one; none where each filter or weight has its own.

    A tensor is drawn and scaled piece by piece, so a rule that looks at more than a filter has to say so here.
    """
    if norm == "model":
        # The weights that stay where they are do not count: the step is compared with what it moves.
        return [each for each, weight in weights.items() if not stays(weight, ignore)]
    if norm == "dlayer" or (norm == "layer" and weights[name].ndim >= 2):
        return [name]
    return []


def common_factor(drawn: Iterable[Tensor], weights: Iterable[Tensor], *, norm: str) -> float:
    """Return what multiplies all these tensors alike: ``drawn`` are their directions' pieces, in any number."""
    got = math.sqrt(sum(dot(each, each) for each in drawn))
    wanted = 1.0 if norm == "dlayer" else math.sqrt(sum(dot(each, each) for each in weights))
    return wanted / got if got > 0 else 0.0


def stays(weight: Tensor, ignore: str) -> bool:
    """Return whether a tensor is left where it is."""
    return weight.ndim < 2 and ignore == "biasbn"


def scale(
    drawn: Tensor, theta: Tensor, filters: Filters, *, norm: str, ignore: str, factor: float | None = None
) -> Tensor:
    """Scale the direction of one tensor, or of a piece of it that holds filters as a whole.

    Parameters
    ----------
    drawn, theta : Tensor
        The same shape.
    filters : Filters
    norm, ignore : str
        See `normalize_direction`.
    factor : float, optional
        What the tensor as a whole is multiplied by, where one number does it (`scaled_together`, `common_factor`).

    Returns
    -------
    Tensor
        In the precision in which weights are moved.
    """
    work = work_dtype(theta)
    if stays(theta, ignore):
        return torch.zeros_like(theta, dtype=work)
    if norm == "none":
        return drawn.to(work)
    if norm == "weight" and theta.ndim >= 2:
        return drawn.to(work) * theta.to(work)
    if theta.ndim < 2 and norm in ("filter", "layer", "weight"):
        signs = torch.sgn(drawn) if drawn.is_complex() else torch.where(drawn < 0, -1.0, 1.0)
        return signs.to(work) * theta.abs().to(work)
    if factor is not None:
        return (drawn.to(work if norm == "model" else _wide(drawn)) * factor).to(work)
    lengths, wanted = (torch.linalg.vector_norm(filters.rows(t), dim=1, dtype=torch.float64) for t in (drawn, theta))
    if norm == "dfilter":
        wanted = torch.ones_like(wanted)
    factors = torch.where(lengths > 0, wanted / lengths, torch.zeros_like(lengths))
    return (drawn.to(_wide(drawn)) * filters.spread(factors, drawn.shape)).to(work)


def _wide(tensor: Tensor) -> torch.dtype:
    return torch.complex128 if tensor.is_complex() else torch.float64


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
        result[name] = layout.whole(left, tensor).to(tensor.dtype)
    return result
