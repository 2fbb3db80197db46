"""A model's tensors by name: which of them are moved, lengths and digests.

A *tree* maps names to tensors. Sums are taken in float64. A tied tensor appears once, under its first name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from landscape.arguments import require_network
from landscape.errors import DirectionError, UsageError
from landscape.problem.chunks import Tree as Tree
from landscape.problem.chunks import bytes_of, digest_header, dot, zip_chunks

MOVES = ("weights", "states")


def normalised_by_batch(model: nn.Module) -> list[str]:
    """Return the names of batch norms without running statistics, which normalise by each batch in eval mode, too."""
    norms = nn.modules.batchnorm._BatchNorm
    return [name for name, each in model.named_modules() if isinstance(each, norms) and each.running_mean is None]


def floating_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Return the buffers of real or complex numbers that belong to a model's state: running means, say."""
    require_network(model)
    saved = set(model.state_dict(keep_vars=True))
    return {name: b for name, b in model.named_buffers() if can_move(b) and name in saved}


def can_move(tensor: Tensor) -> bool:
    """Return whether a tensor holds real or complex numbers, which can be moved by any fraction of a step."""
    return tensor.is_floating_point() or tensor.is_complex()


def require_movable(model: nn.Module) -> None:
    """Raise UsageError for a network that has no weights to be moved yet, or any more; the message says what to do."""
    require_network(model)
    for name, module in model.named_modules():
        where = f"{name or 'it'} ({type(module).__name__})"
        if "quantized" in type(module).__module__.split("."):
            raise UsageError(
                f"the network is quantised: {where} holds integers that cannot be moved; give the network it was made "
                "from, in floating point"
            )
        if any(is_lazy(each) for each in (*module._parameters.values(), *module._buffers.values())):
            raise UsageError(
                f"the network is lazy: {where} has no weights before its first forward pass; give it a batch, or load "
                "a checkpoint into it, before it is measured"
            )
        if any(each.__name__ == "_StatefulGraphModule" for each in type(module).__mro__):
            raise UsageError(
                f"the network is a program of torch.export: {where} can be put into no mode; give the network it was "
                "exported from"
            )


def moved_tensors(
    model: nn.Module, *, move: str = "weights", include: str | None = None, exclude: str | None = None
) -> dict[str, Tensor]:
    """Return the live tensors of a model that a direction moves, in the model's order.

    Parameters
    ----------
    model : Module
    move : "weights" or "states"
        Parameters alone, or also floating buffers; complex ones too. Integer and boolean ones never move.
    include, exclude : str, optional
        Regular expressions searched in the names: only what ``include`` finds, without what ``exclude`` finds.

    Raises
    ------
    UsageError
        An unknown ``move``, a bad expression, or nothing left to move.
    """
    require_movable(model)
    if move not in MOVES:
        raise UsageError(f"move is {move!r}, it has to be one of {', '.join(MOVES)}")
    tensors: dict[str, Tensor] = {
        name: parameter for name, parameter in model.named_parameters() if can_move(parameter)
    }
    if move == "states":
        tensors |= floating_buffers(model)
    for name, tensor in tensors.items():
        if tensor.is_inference():
            raise UsageError(
                f"{name} was made under torch.inference_mode() and cannot be moved; build the network outside it"
            )
    for name, parameter in model.named_parameters():
        if not can_move(parameter) and is_chosen(name, include, exclude):
            raise UsageError(
                f"{name} holds weights of {parameter.dtype}, which cannot be moved by a part of a step; "
                "take the network as it was before it was quantised, or leave it behind with exclude"
            )
    kept = {name: tensor for name, tensor in _distinct(tensors).items() if is_chosen(name, include, exclude)}
    if not kept:
        raise UsageError(
            f"nothing to move: include={include!r}, exclude={exclude!r} leave none of {len(tensors)} tensors, "
            f"such as {', '.join(list(tensors)[:3]) or 'none at all'}"
        )
    return kept


def _distinct(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out tensors that are the memory of an earlier one, such as a head that is an embedding transposed.

    Raises
    ------
    UsageError
        Two tensors share a part of their memory: moving one would move some of the other.
    """
    distinct: dict[str, Tensor] = {}
    ends: list[tuple[int, int, str]] = []
    for name, tensor in tensors.items():
        start = tensor.data_ptr()
        if start and tensor.numel():  # 0 where there is no memory, as on the meta device
            last = sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True))
            end = start + (last + 1) * tensor.element_size()
            ends.append((start, end, name))
        distinct[name] = tensor
    position = {name: number for number, name in enumerate(tensors)}
    ends.sort(key=lambda each: (each[0], -each[1], position[each[2]]))
    for (start, end, name), (other_start, other_end, other) in pairwise(ends):
        if other_start >= end or tensors[name].device != tensors[other].device:
            continue
        dense = all(tensors[each].numel() * tensors[each].element_size() == end - start for each in (name, other))
        if (start, end) != (other_start, other_end) or not dense:
            raise UsageError(f"{name} and {other} share a part of their memory, so that neither can be moved alone")
        distinct.pop(other, None)
    return distinct


def is_chosen(name: str, include: str | None, exclude: str | None) -> bool:
    """Return whether a tensor of a name is in the subspace that two regular expressions select."""
    try:
        return (include is None or re.search(include, name) is not None) and (
            exclude is None or re.search(exclude, name) is None
        )
    except re.error as error:
        raise UsageError(f"not a regular expression: {error.pattern!r} ({error})") from error


def running_variances(model: nn.Module) -> set[str]:
    """Return the names of buffers that are running variances, which may not fall below 0."""
    return {
        f"{prefix}.running_var" if prefix else "running_var"
        for prefix, module in model.named_modules()
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.running_var is not None
    }


def work_dtype(tensor: Tensor) -> torch.dtype:
    """Return the precision in which a tensor's moves are formed: float32, or float64 for a float64 tensor.

    Complex numbers have two parts of these.
    """
    if tensor.is_complex():
        return torch.complex128 if tensor.dtype == torch.complex128 else torch.complex64
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def drawn_dtype(tensor: Tensor) -> torch.dtype:
    """Return the precision in which a random direction of a tensor is kept: as wide as the tensor itself.

    In half precision it is bfloat16, whose range no direction leaves; a random number rounded is as good as another.
    """
    return torch.bfloat16 if tensor.dtype in (torch.bfloat16, torch.float16) else work_dtype(tensor)


def inner_product(first: Tree, second: Tree) -> float:
    """Return the inner product of two trees of the same names and shapes, summed in float64."""
    return sum(dot(a, b) for name in first for a, b in zip_chunks([first, second], name))


def length(tree: Tree) -> float:
    """Return the Euclidean length of a tree, summed in float64."""
    return float(inner_product(tree, tree) ** 0.5)


def require_same_shapes(tree: Tree, like: Tree, what: str) -> None:
    """Raise DirectionError at the first name or shape in which ``tree`` differs from ``like``."""
    for name, tensor in like.items():
        if name not in tree:
            raise DirectionError(f"{what} does not fit the network: it has nothing for {name}")
        if tree[name].shape != tensor.shape:
            raise DirectionError(
                f"{what} does not fit the network: {name} is {tuple(tree[name].shape)} there, "
                f"{tuple(tensor.shape)} in the network"
            )
    for name in tree:
        if name not in like:
            raise DirectionError(f"{what} does not fit the network, which has no tensor {name} that moves")


def digest(tensors: Tree) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of tensors, whatever their order."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        if not isinstance(tensors[name], Tensor):  # a module's extra state, which is anything
            continue
        tensor = tensors[name].detach()
        total.update(digest_header(name, tensor.dtype, tensor.shape))
        for part in bytes_of(tensor):
            total.update(part)
    return total.hexdigest()
