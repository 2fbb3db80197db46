"""A model's tensors by name: which of them are moved, what a filter is, lengths and digests.

A *tree* maps names to tensors. Sums are taken in float64. A tied tensor appears once, under its first name.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 4.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from landscape.errors import DirectionError, UsageError
from landscape.pieces import Tree as Tree
from landscape.pieces import bytes_of, digest_header, dot, together

MOVES = ("weights", "states")


@dataclass(frozen=True)
class Filters:
    """How a tensor falls into filters: what produces one output [1]_.

    The output dimension is dimension 0, or dimension 1 within each of ``groups`` blocks of dimension 0, as in a
    transposed convolution, whose weight is (inputs, outputs / groups, ...).
    """

    transposed: bool = False
    groups: int = 1

    def rows(self, tensor: Tensor) -> Tensor:
        """Return the tensor as (filters, elements of a filter); a vector or scalar is one filter."""
        if tensor.ndim < 2:
            return tensor.reshape(1, -1)
        if not self.transposed:
            return tensor.reshape(tensor.shape[0], -1)
        inputs, outputs = tensor.shape[:2]
        blocks = tensor.reshape(self.groups, inputs // self.groups, outputs, -1).transpose(1, 2)
        return blocks.reshape(self.groups * outputs, -1)

    def spread(self, factors: Tensor, shape: torch.Size) -> Tensor:
        """Return one factor a filter, shape (filters,), in a shape that multiplies a tensor of ``shape``."""
        if len(shape) < 2:
            return factors.reshape(())
        if not self.transposed:
            return factors.reshape(-1, *[1] * (len(shape) - 1))
        inputs, outputs = shape[:2]
        blocks = factors.reshape(self.groups, 1, outputs).expand(self.groups, inputs // self.groups, outputs)
        return blocks.reshape(inputs, outputs, *[1] * (len(shape) - 2))


_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_PLAIN = Filters()


def filters_of(model: nn.Module) -> dict[str, Filters]:
    """Return how each parameter and buffer of a model falls into filters.

    Convolutions along dimension 0, transposed ones along dimension 1 of each group; a row of a linear layer, of a
    fused query-key-value matrix or of an embedding; dimension 0 of any other tensor of two or more dimensions.
    GPT-2's linear layers, which transformers calls ``Conv1D``, hold (inputs, outputs): dimension 1.
    """
    transposed = {
        f"{prefix}.weight" if prefix else "weight": Filters(True, getattr(module, "groups", 1))
        for prefix, module in model.named_modules()
        if isinstance(module, _TRANSPOSED) or _is_transposed_linear(module)
    }
    names = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    return {name: transposed.get(name, _PLAIN) for name in names}


def _is_transposed_linear(module: nn.Module) -> bool:
    # By name: importing transformers for a comparison would cost seconds.
    return type(module).__name__ == "Conv1D" and type(module).__module__.startswith("transformers.")


def floating_buffers(model: nn.Module) -> dict[str, Tensor]:
    """Return the buffers of floating point that belong to a model's state: running means and variances, say."""
    saved = set(model.state_dict(keep_vars=True))
    return {name: b for name, b in model.named_buffers() if b.is_floating_point() and name in saved}


def moved_tensors(
    model: nn.Module, *, move: str = "weights", include: str | None = None, exclude: str | None = None
) -> dict[str, Tensor]:
    """Return the live tensors of a model that a direction moves, in the model's order.

    Parameters
    ----------
    model : Module
    move : "weights" or "states"
        Parameters alone, or also floating buffers. Integer buffers never move.
    include, exclude : str, optional
        Regular expressions searched in the names: only what ``include`` finds, without what ``exclude`` finds.

    Raises
    ------
    UsageError
        An unknown ``move``, a bad expression, or nothing left to move.
    """
    if move not in MOVES:
        raise UsageError(f"move is {move!r}, it has to be one of {', '.join(MOVES)}")
    tensors: dict[str, Tensor] = {
        name: parameter for name, parameter in model.named_parameters() if parameter.is_floating_point()
    }
    if move == "states":
        tensors |= floating_buffers(model)
    for name, tensor in tensors.items():
        if tensor.is_inference():
            raise UsageError(
                f"{name} was made under torch.inference_mode() and cannot be moved; build the network outside it"
            )
    kept = {name: tensor for name, tensor in tensors.items() if _chosen(name, include, exclude)}
    if not kept:
        raise UsageError(
            f"nothing to move: include={include!r}, exclude={exclude!r} leave none of {len(tensors)} tensors, "
            f"such as {', '.join(list(tensors)[:3]) or 'none at all'}"
        )
    return kept


def _chosen(name: str, include: str | None, exclude: str | None) -> bool:
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
    """Return the precision in which a tensor's moves are formed: float32, or float64 for a float64 tensor."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def drawn_dtype(tensor: Tensor) -> torch.dtype:
    """Return the precision in which a random direction of a tensor is kept: as wide as the tensor itself.

    In half precision it is bfloat16, whose range no direction leaves; a random number rounded is as good as another.
    """
    return torch.bfloat16 if tensor.dtype in (torch.bfloat16, torch.float16) else work_dtype(tensor)


def inner_product(first: Tree, second: Tree) -> float:
    """Return the inner product of two trees of the same names and shapes, summed in float64."""
    return sum(dot(a, b) for name in first for a, b in together([first, second], name))


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
        tensor = tensors[name].detach()
        total.update(digest_header(name, tensor.dtype, tensor.shape))
        for part in bytes_of(tensor):
            total.update(part)
    return total.hexdigest()
