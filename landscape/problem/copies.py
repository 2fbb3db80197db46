"""A second network like the first, whatever its modules keep beside their parameters.

A pruned layer (``torch.nn.utils.prune``) and one of the older ``weight_norm`` keep, in an attribute, the weight that
they computed for the last forward pass. It is no leaf of the graph, and ``copy.deepcopy`` refuses such a tensor.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def copy_of(model: nn.Module) -> nn.Module:
    """Return a deep copy of a network; what its modules have computed from weights is copied by value.

    Raises
    ------
    Exception
        Whatever a module's own way to be copied raises.
    """
    memo: dict[int, Any] = {}
    for module in model.modules():
        for name, kept in vars(module).items():
            if name != "_modules":
                computed = (tensor for tensor in _tensors_in(kept, set()) if not tensor.is_leaf)
                memo |= {id(tensor): tensor.detach().clone() for tensor in computed}
    return copy.deepcopy(model, memo)


def _tensors_in(kept: Any, seen: set[int]) -> Iterator[Tensor]:
    """Yield the tensors in lists, tuples and dicts, read as what they are derived from.

    A class of a user's own may refuse to be counted or iterated over, and a list may hold itself.
    """
    if isinstance(kept, Tensor):
        yield kept
    if not isinstance(kept, (list, tuple, dict)) or id(kept) in seen:
        return
    seen.add(id(kept))
    base = next(each for each in (list, tuple, dict) if isinstance(kept, each))
    for part in dict.values(kept) if isinstance(kept, dict) else base.__iter__(kept):
        yield from _tensors_in(part, seen)
