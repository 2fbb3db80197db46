"""Rows of tensors in any layout: strided, sparse in each of PyTorch's ways, nested with rows of several lengths.

Slicing, selecting, joining and ``shape`` are defined for strided tensors alone, and raise for some of the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)

Array = np.ndarray[Any, Any]


def is_sparse(tensor: Tensor) -> bool:
    """Return whether a tensor stores what is not zero alone."""
    return tensor.layout == torch.sparse_coo or tensor.layout in _COMPRESSED


def is_strided(tensor: Tensor) -> bool:
    """Return whether a tensor stores all its numbers, and rows of one length."""
    return tensor.layout == torch.strided and not tensor.is_nested


def dense(tensor: Tensor) -> Tensor:
    """Return a tensor with all its zeros; itself where it is not sparse."""
    return tensor.to_dense() if is_sparse(tensor) else tensor


def rows_in(tensor: Tensor | Array) -> int:
    """Return how many rows there are; a nested tensor of the strided layout has no ``shape``."""
    return tensor.size(0) if isinstance(tensor, Tensor) else len(tensor)


def sides_of(tensor: Tensor | Array) -> tuple[int | None, ...]:
    """Return the sizes of a tensor; None along which the rows of a nested one differ."""
    if not isinstance(tensor, Tensor) or not tensor.is_nested:
        return tuple(map(int, tensor.shape))
    rows = tensor.unbind()
    sides = [{row.shape[axis] for row in rows} for axis in range(tensor.ndim - 1)]
    return (len(rows), *(side.pop() if len(side) == 1 else None for side in sides))


def stored_in(tensor: Tensor) -> list[Tensor]:
    """Return the strided tensors that hold a tensor's numbers and their places."""
    if tensor.is_nested:
        return list(tensor.unbind())
    if tensor.layout == torch.sparse_coo:
        tensor = tensor.coalesce()
        return [tensor.indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor]


def bytes_of(tensor: Tensor) -> int:
    """Return the memory of what a tensor stores in bytes."""
    return sum(each.numel() * each.element_size() for each in stored_in(tensor))


def slice_rows(tensor: Tensor, start: int, stop: int) -> Tensor:
    """Return rows ``start`` to ``stop``, as a view of a strided tensor."""
    if is_strided(tensor):
        return tensor[start:stop]
    return select_rows(tensor, torch.arange(*slice(start, stop).indices(tensor.size(0))))


def select_rows(tensor: Tensor, rows: Tensor) -> Tensor:
    """Return some rows in the order asked for, in the tensor's own layout."""
    if tensor.is_nested:
        every = tensor.unbind()
        return torch.nested.as_nested_tensor([every[row] for row in rows.tolist()], layout=tensor.layout)
    if tensor.layout in _COMPRESSED:
        return _compressed(tensor.to_sparse().index_select(0, rows.to(tensor.device)), tensor)
    return tensor.index_select(0, rows.to(tensor.device))


def join_rows(tensors: Sequence[Tensor]) -> Tensor:
    """Return all rows of several tensors in the layout of the first."""
    first = tensors[0]
    if first.is_nested:
        return torch.nested.as_nested_tensor([row for each in tensors for row in each.unbind()], layout=first.layout)
    if first.layout in _COMPRESSED:
        return _compressed(torch.cat([each.to_sparse() for each in tensors]), first)
    return torch.cat(list(tensors))


def _compressed(tensor: Tensor, like: Tensor) -> Tensor:
    if like.layout not in (torch.sparse_bsr, torch.sparse_bsc):
        return tensor.to_sparse(layout=like.layout)
    high, wide = (int(each) for each in like.values().shape[1:3])
    # Blocks have to divide the rows: of a few of them they are lower.
    return tensor.to_sparse(layout=like.layout, blocksize=(math.gcd(high, tensor.shape[0]), wide))
