"""What a filter is: which part of a tensor produces one output, for layers of every kind.

Filters are scaled as wholes [1]_, so the rule that a tensor gets decides how long a step is. Rules, first that fits:

========================================  ======================================================================
tensor                                    a filter is
========================================  ======================================================================
fewer than two dimensions                 the tensor as a whole
convolution, linear layer, embedding      a slice along dimension 0: a row of a linear layer, of a fused query-key-
                                          value matrix, of either matrix of a LoRA pair, of an embedding (also where
                                          it is tied to the last layer)
transposed convolution                    a slice along dimension 1, within each group
(inputs, outputs), as GPT-2's ``Conv1D``  a column; known by the class, by ``fan_in_fan_out``, or by a bias that is as
or ``x @ W + b``                          long as the last dimension and not as the one before
stacked, (experts, outputs, inputs)       a row of one expert; a column where a bias shows (experts, inputs, outputs)
parametrised (weight norm, pruning, ...)  as that of the weight that is computed from it
anything else                             a slice along dimension 0
========================================  ======================================================================

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# Experts of transformers that hold (experts, inputs, outputs) and no bias to tell. By name: importing it costs seconds.
_INPUTS_FIRST = frozenset({"Llama4TextExperts", "GptOssExperts", "AriaGroupedExpertsGemm"})
# From whose own tensors `weight` is computed: torch's old weight norm, spectral norm and pruning.
_SPELLINGS = ("weight", "weight_v", "weight_g", "weight_orig")


@dataclass(frozen=True)
class Filters:
    """How a tensor falls into filters: what produces one output [1]_.

    Outputs are counted along some dimensions; with ``groups``, within each of so many blocks of dimension 0.
    """

    outputs: tuple[int, ...] = (0,)
    groups: int = 1

    @property
    def by_rows(self) -> bool:
        """Whether a slice along dimension 0 holds filters as wholes."""
        return 0 in self.outputs and self.groups == 1

    @property
    def rule(self) -> str:
        """What a filter is, in words."""
        if self.outputs == (0,):
            return "slices along dimension 0"
        inside = f", in each of {self.groups} groups" if self.groups > 1 else ""
        if len(self.outputs) == 1:
            return f"slices along dimension {self.outputs[0]}{inside}"
        return f"slices along dimensions {' and '.join(map(str, self.outputs))}{inside}"

    def rows(self, tensor: Tensor) -> Tensor:
        """Return the tensor as (filters, real numbers of a filter); a vector or scalar is one filter."""
        real = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
        if tensor.ndim < 2:
            return real.reshape(1, -1)
        blocks, order, count = self._blocks(real, tensor.shape)
        return blocks.permute(order).reshape(count, -1)

    def whole(self, rows: Tensor, like: Tensor) -> Tensor:
        """Return what `rows` made into rows in the shape of ``like``."""
        real = torch.view_as_real(like.resolve_conj()) if like.is_complex() else like
        if like.ndim >= 2:
            blocks, order, _ = self._blocks(real, like.shape)
            inverse = [order.index(dimension) for dimension in range(len(order))]
            rows = rows.reshape([blocks.shape[dimension] for dimension in order]).permute(inverse)
        rows = rows.reshape(real.shape)
        return torch.view_as_complex(rows.contiguous()) if like.is_complex() else rows

    def spread(self, factors: Tensor, shape: Sequence[int]) -> Tensor:
        """Return one factor a filter, shape (filters,), in a shape that multiplies a tensor of ``shape``."""
        if len(shape) < 2:
            return factors.reshape(())
        if self.groups == 1:
            return factors.reshape([size if number in self.outputs else 1 for number, size in enumerate(shape)])
        kept = [size if number in self.outputs else 1 for number, size in enumerate(shape[1:], 1)]
        blocks = factors.reshape(self.groups, 1, *kept).expand(-1, shape[0] // self.groups, *kept)
        return blocks.reshape(shape[0], *kept)

    def _blocks(self, real: Tensor, shape: Sequence[int]) -> tuple[Tensor, list[int], int]:
        """Return the tensor with groups as a dimension of their own, its dimensions outputs first, and their number."""
        outputs = list(self.outputs)
        if self.groups > 1:
            real = real.reshape(self.groups, shape[0] // self.groups, *real.shape[1:])
            outputs = [0, *(number + 1 for number in outputs)]
        rest = [number for number in range(real.ndim) if number not in outputs]
        return real, outputs + rest, math.prod(real.shape[number] for number in outputs)


_PLAIN = Filters()


def filters_of(model: nn.Module) -> dict[str, Filters]:
    """Return how each parameter and buffer of a model falls into filters, by the module's rules above."""
    found: dict[str, Filters] = {}
    owners = dict(model.named_modules())
    for prefix, module in owners.items():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                found[f"{prefix}.{name}" if prefix else name] = _filters(owners, prefix, module, name, tensor)
    names = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    return {name: found[name] for name in names}


def _filters(owners: dict[str, nn.Module], prefix: str, module: nn.Module, name: str, tensor: Tensor) -> Filters:
    if isinstance(module, ParametrizationList):
        # layer.parametrizations.weight.original: what a weight of the layer is computed from.
        path, _, name = prefix.rpartition(".")
        module = owners[path.removesuffix("parametrizations").removesuffix(".")]
    elif name in _SPELLINGS:
        name = "weight"
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        return _PLAIN
    if isinstance(module, _TRANSPOSED) and name == "weight":
        return Filters((1,), module.groups if shape[0] % module.groups == 0 else 1)
    if isinstance(module, (nn.modules.conv._ConvNd, nn.Bilinear, nn.RNNBase, nn.Embedding, nn.EmbeddingBag)):
        return _PLAIN
    if isinstance(module, nn.Linear) and len(shape) == 2:
        turned = getattr(module, "fan_in_fan_out", False) or _turned(module, shape)
        return Filters((1,)) if turned and name == "weight" else _PLAIN
    kind = type(module).__name__
    stack = tuple(range(len(shape) - 2))
    if (kind == "Conv1D" and len(shape) == 2) or (kind in _INPUTS_FIRST and len(shape) == 3):
        return Filters((*stack, len(shape) - 1))
    bias = _bias_of(module, name)
    inputs_first = bias in (shape[-1:], (*shape[:-2], shape[-1])) and shape[-1] != shape[-2]
    if inputs_first and len(shape) <= 3:
        return Filters((*stack, len(shape) - 1))
    convolves = hasattr(module, "kernel_size")
    if len(shape) == 3 and (not convolves or bias == shape[:2]):
        return Filters((0, 1))
    if len(shape) > 3 and (bias == shape[:2] or (not convolves and _experts(module) == shape[0])):
        return Filters((0, 1))
    return _PLAIN


def _turned(module: nn.Linear, shape: tuple[int, ...]) -> bool:
    """Return whether a linear layer's weight lies the other way round, as its sizes tell."""
    return shape == (module.in_features, module.out_features) != (module.out_features, module.in_features)


def _bias_of(module: nn.Module, name: str) -> tuple[int, ...] | None:
    """Return the shape of the bias that belongs to a weight by its name: ``w`` and ``b``, ``up`` and ``up_bias``."""
    names = [f"{name}_bias", f"{name}_b"]
    for weight, bias in (("weight", "bias"), ("kernel", "bias"), ("w", "b"), ("W", "b")):
        if name == weight or name.startswith(f"{weight}_"):
            names.append(bias + name[len(weight) :])
        elif name.endswith(f"_{weight}") or (weight in "wW" and name[:1] == weight and name[1:].isdigit()):
            names += [name.removesuffix(weight) + bias, bias + name[1:]]
    tensors = (getattr(module, each, None) for each in names)
    return next((tuple(each.shape) for each in tensors if isinstance(each, Tensor)), None)


def _experts(module: nn.Module) -> int | None:
    """Return how many experts a module says it has."""
    names = ("num_experts", "n_experts", "n_expert", "num_local_experts")
    return next((int(found) for each in names if isinstance(found := getattr(module, each, None), int)), None)
