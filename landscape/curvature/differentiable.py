"""A network that computes with leaves of which second derivatives exist, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape.curvature.batch_norm import FoldedBatchNorm
from landscape.errors import UsageError
from landscape.problem.params import can_move, work_dtype


def require_real(tensors: Mapping[str, Tensor]) -> None:
    """Raise UsageError where a tensor is complex."""
    unreal = next((name for name, tensor in tensors.items() if tensor.is_complex()), None)
    if unreal is not None:
        raise UsageError(f"{unreal} is complex; curvature is computed for real weights only, leave it out with exclude")


@contextmanager
def differentiable(
    model: nn.Module, tensors: Mapping[str, Tensor], *, leaves: Mapping[str, Tensor] | None = None
) -> Iterator[dict[str, Tensor]]:
    """Let a network compute with leaves in the place of some of its tensors; everything is put back at the end.

    Half-precision weights and buffers take part as float32. The network's own parameters, their flags and gradients
    are not touched: they lie aside. Kernels without a second derivative, fused attention and oneDNN's and cuDNN's
    recurrent layers, give way to ones that have it.

    Parameters
    ----------
    model : Module
    tensors : mapping of str to Tensor
        Live parameters (`landscape.problem.params.moved_tensors`); a tied one appears once.
    leaves : mapping of str to Tensor, optional
        Those that an earlier call yielded, to go on with.

    Yields
    ------
    dict of str to Tensor
        The leaves, of the same names and shapes, float32 or float64, on the tensors' devices.

    Raises
    ------
    UsageError
        A tensor is complex.
    """
    require_real(tensors)
    if leaves is None:
        leaves = {name: tensor.detach().to(work_dtype(tensor)).requires_grad_() for name, tensor in tensors.items()}
    by_memory = {tensor.data_ptr(): leaves[name] for name, tensor in tensors.items() if tensor.data_ptr()}
    by_object = {id(tensor): leaves[name] for name, tensor in tensors.items()}

    def stand_in(tensor: Tensor) -> Tensor:
        if id(tensor) in by_object:
            return by_object[id(tensor)]
        leaf = by_memory.get(tensor.data_ptr()) if tensor.data_ptr() else None
        if leaf is not None:  # tied by memory: the same numbers in another shape, such as a head that is transposed
            return leaf.as_strided(tensor.size(), tensor.stride())
        return tensor.detach().to(work_dtype(tensor)) if can_move(tensor) else tensor

    with ExitStack() as stack:
        for module in model.modules():
            for held in (module._parameters, module._buffers):
                members: dict[str, Any] = held  # a plain tensor in a parameter's place is what a module computes with
                stack.callback(members.update, dict(members))
                members.update({name: None if each is None else stand_in(each) for name, each in members.items()})
        stack.enter_context(FoldedBatchNorm())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(torch.enable_grad())
        yield dict(leaves)
