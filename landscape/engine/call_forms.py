"""How a network is called: with which arguments, in which form, and what it does to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from landscape.problem.batches import call_model, map_tensors, tensors_in


def arguments_of(model: nn.Module, inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what a network is called with for these inputs of a batch."""
    caught: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    class Catch:
        module = model

        def __call__(self, *args: Any, **kwargs: Any) -> None:
            caught.append((args, kwargs))

    call_model(Catch(), inputs)
    return caught[0]


def fitted(inputs: Any, device: torch.device, dtype: torch.dtype | None, layout: torch.memory_format | None) -> Any:
    """Return inputs on a device, floating ones in this type, those of four dimensions in this layout.

    What is so already is not copied.
    """

    def fit(leaf: Any) -> Tensor:
        tensor = torch.as_tensor(leaf)
        floating = tensor.is_floating_point() and dtype is not None
        tensor = tensor.to(device, dtype if floating else tensor.dtype, non_blocking=True)
        return tensor.contiguous(memory_format=layout) if layout is not None and tensor.ndim == 4 else tensor

    return map_tensors(fit, inputs)


def changes_input(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Return whether a network overwrites what it is given, so that data that stay have to be copied."""
    args, kwargs = map_tensors(torch.clone, tuple(args)), map_tensors(torch.clone, dict(kwargs))
    before = [tensor._version for tensor in tensors_in((args, kwargs)) if isinstance(tensor, Tensor)]
    with torch.no_grad():
        model(*args, **kwargs)
    return before != [tensor._version for tensor in tensors_in((args, kwargs)) if isinstance(tensor, Tensor)]
