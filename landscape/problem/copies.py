"""A second network like the first, whatever its modules keep beside their parameters.

A pruned layer (``torch.nn.utils.prune``) and one of the older ``weight_norm`` keep, in an attribute, the weight that
they computed for the last forward pass. It is no leaf of the graph, and ``copy.deepcopy`` refuses such a tensor.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn

from landscape.problem.batches import tensors_in


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
            if name != "_modules" and isinstance(kept, (Tensor, list, tuple, dict)):
                for tensor in tensors_in(kept):
                    if isinstance(tensor, Tensor) and not tensor.is_leaf:
                        memo[id(tensor)] = tensor.detach().clone()
    return copy.deepcopy(model, memo)
