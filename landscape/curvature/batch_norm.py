r"""Batch norm with fixed statistics as part of the convolution before it: the same function, its derivatives cheaper.

.. math:: \gamma\,(W * x + b - \mu) / \sqrt{v + \epsilon} + \beta = (s W) * x + (b - \mu)\,s + \beta,
          \qquad s = \gamma / \sqrt{v + \epsilon}

with the scale computed from the leaves, so that nothing of any derivative is lost. Without a convolution right before
it a batch norm becomes a multiplication and an addition. PyTorch differentiates its own batch norm a second time step
by step and in float32: on a ResNet-20 a product takes less time this way and is more exact, by how much
``python -m tests.benchmarks.hessian_products`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)


class FoldedBatchNorm(TorchFunctionMode):
    """While this is active, batch norm with fixed statistics is computed as above, wherever it is called."""

    def __init__(self) -> None:
        super().__init__()
        # Output of a convolution -> its arguments, and which change of the output in place it has seen.
        self._convolved: Any = WeakTensorKeyDictionary()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what stands in for it."""
        kwargs = kwargs or {}  # of every operation of a network and of its derivatives: to copy it takes time
        if func is functional.batch_norm:
            return self._normalized(*args, **kwargs)
        result = func(*args, **kwargs)
        if func in _CONVOLUTIONS and isinstance(result, Tensor):
            self._convolved[result] = (args, kwargs, result._version)
        return result

    def _normalized(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if training or running_mean is None or running_var is None:
            return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
        scale = torch.rsqrt(running_var + eps)
        if weight is not None:
            scale = weight * scale
        shift = -running_mean * scale
        if bias is not None:
            shift = bias + shift
        found = self._convolved.get(input)
        if found is not None and found[2] == input._version:
            convolved = _folded(input, found[0], found[1], scale, shift)
            if convolved is not None:
                return convolved
        wide = [1, -1, *[1] * (input.ndim - 2)]
        return input * scale.view(wide) + shift.view(wide)


def _folded(
    output: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any], scale: Tensor, shift: Tensor
) -> Tensor | None:
    """Return the convolution of which ``output`` came with scale and shift in it; None where it was of no batch."""
    names = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    kernel, bias = given["weight"], given.get("bias")
    if output.ndim != kernel.ndim:  # a single sample without a batch: its channels stand elsewhere
        return None
    given["weight"] = kernel * scale.view(-1, *[1] * (kernel.ndim - 1))
    given["bias"] = shift if bias is None else shift + bias * scale
    call = _CONVOLUTIONS[kernel.ndim - 3]
    result: Tensor = call(**given)
    return result
