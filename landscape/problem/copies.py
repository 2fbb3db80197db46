"""A second network like the first, whatever its modules keep beside their parameters.

A pruned layer (``torch.nn.utils.prune``) and one of the older ``weight_norm`` keep, in an attribute, the weight that
they computed for the last forward pass. It is no leaf of the graph, and ``copy.deepcopy`` refuses such a tensor.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

from landscape.problem.attributes import Attributes


def copy_of(model: nn.Module) -> nn.Module:
    """Return a deep copy of a network; what its modules have computed from weights is copied by value.

    Raises
    ------
    Exception
        Whatever a module's own way to be copied raises.
    """
    computed = (tensor for tensor in Attributes(model).tensors if not tensor.is_leaf)
    memo: dict[int, Any] = {id(tensor): tensor.detach().clone() for tensor in computed}
    return copy.deepcopy(model, memo)
