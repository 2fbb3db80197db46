"""Layers as the engine runs them: batch norm folded in, weights cast and laid out once a point.

A convolution followed by batch norm with fixed statistics is a convolution with other weights,

    norm(conv(x)) = s * (W x + b - mean) + beta = (s W) x + (s (b - mean) + beta),    s = gamma / sqrt(var + eps),

so that a point costs one product of each weight with ``s`` instead of a pass over every activation. The products
are formed in float32 (float64 for float64 weights) and stored in the engine's precision.

On a CPU oneDNN adds and activates while it writes the result of a convolution. These are operators that torch's
own compiler emits (``torch.ops.mkldnn``); they are private, so they are used where they exist and are compared with
the plain network before anything relies on them. One thing they do differently: a ReLU fused this way turns NaN
into 0, and would make a network that has overflowed look healthy. `Guard` finds the points where it might.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BatchNorm = nn.modules.batchnorm._BatchNorm
Weighted = nn.modules.conv._ConvNd | nn.Linear

# So many samples of a batch are looked at.
CANARIES = 4
# By Cauchy and Schwarz no sum that a layer forms is larger than the length of its weights times that of its input.
# With 1e6 and 1e18 for these no sum exceeds 1e24, and float32 ends at 3e38: other samples of the same data may be
# 1e14 times as large before any of their sums overflows. float16 ends at 65,504, and there it is what is stored
# that overflows (sums are formed in float32): values are looked at instead of lengths, with room for 65 times more.
LIMITS = {torch.float64: 1e18, torch.float32: 1e18, torch.bfloat16: 1e18, torch.float16: 1000.0}
WEIGHT_LIMIT = 1e6


@dataclass(frozen=True)
class Activation:
    """What oneDNN calls an activation, with its numbers."""

    name: str
    scalars: tuple[float, ...] = ()
    algorithm: str = ""


# Found by trying (oneDNN 3.12): these clamp, and a clamp of NaN is one of its ends.
HIDES_NAN = frozenset({"relu", "hardtanh", "hardsigmoid"})


@dataclass
class Guard:
    """Tells points so far out that a fused activation might hide NaN; there the plain network has to run.

    NaN comes from weights that are not finite, from layers that are not fused, or from sums that overflow; and
    before sums overflow weights or inputs are large. So at each point the lengths of all weights are looked at,
    and, for a few samples, what goes into each fused layer.
    """

    watching: bool = False
    seen: list[Tensor] = field(default_factory=list)

    def look_at(self, given: Tensor) -> None:
        """Keep the length of what the first samples give a layer (in float16 the largest value)."""
        given = given[:CANARIES]
        half = given.dtype == torch.float16
        self.seen.append((given.abs().amax() if half else torch.linalg.vector_norm(given)).float())

    def alarmed(self, limit: float) -> bool:
        """Return whether what was seen went beyond the limit, or was not finite; and forget it."""
        seen, self.seen = self.seen, []
        return bool(seen) and not float(torch.stack(seen).amax()) <= limit


def onednn_fuses(dtype: torch.dtype, device: torch.device) -> bool:
    """Return whether oneDNN's fused operators are here, and worth using in this precision."""
    ops = torch.ops.mkldnn
    needed = ("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight", "_linear_pointwise")
    here = device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not here or not all(hasattr(ops, n) for n in needed):
        return False
    supported = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}
    if dtype in supported:
        return bool(getattr(ops, supported[dtype], lambda: False)())
    return dtype == torch.float32


def scales_and_shifts(norms: Sequence[BatchNorm]) -> list[tuple[Tensor, Tensor]]:
    """Return s and t of each norm, each (channels,), so that it is x -> s x + t by its running statistics.

    All at once: a deep network has some hundred norms of some ten channels, and a point should not cost a hundred
    times a handful of small operations.
    """
    if not norms:
        return []

    def joined(name: str, default: float) -> Tensor:
        parts = [getattr(norm, name) for norm in norms]
        filled = [filling(norm, default) if part is None else part for part, norm in zip(parts, norms, strict=True)]
        both = torch.cat(filled)
        return both if both.dtype == torch.float64 else both.float()

    def filling(norm: BatchNorm, value: float) -> Tensor:
        return norm.running_var.new_full((norm.num_features,), value)  # type: ignore[union-attr]

    sizes = [norm.num_features for norm in norms]
    variance = joined("running_var", 1.0)
    alike = len({norm.eps for norm in norms}) == 1
    variance = variance + (norms[0].eps if alike else torch.cat([filling(norm, norm.eps) for norm in norms]))
    scale = joined("weight", 1.0) * torch.rsqrt(variance)
    shift = torch.addcmul(joined("bias", 0.0), joined("running_mean", 0.0), scale, value=-1)
    return list(zip(scale.split_with_sizes(sizes), shift.split_with_sizes(sizes), strict=True))


class Weights:
    """Weight and bias of a layer as it runs, made again at each point from the network's own tensors.

    Parameters
    ----------
    layer : convolution or linear layer, optional
        Without it the norm alone, as the depthwise 1 x 1 convolution that it is: weight (channels, 1, 1, 1).
    norm : batch norm, optional
        Folded in.
    dtype : torch.dtype
        Of the weight.
    reorder : callable, optional
        Brings a weight into the layout that oneDNN's kernels read. Without it weight and bias lie in the same
        memory at each point, as recorded GPU work needs it.
    precise_bias : bool
        Keep the bias in float32, which oneDNN takes at no cost, but for sums that overwrite what is added.
    channels_last : bool
        Layout of the weight of a convolution in two dimensions, where it is not reordered.
    """

    def __init__(
        self,
        layer: Weighted | None,
        norm: BatchNorm | None,
        dtype: torch.dtype,
        *,
        reorder: Callable[[Tensor], Tensor] | None = None,
        precise_bias: bool = False,
        channels_last: bool = False,
    ) -> None:
        self.layer = layer
        self.norm = norm
        self.dtype = dtype
        self.lengths: list[Tensor] = []  # of weight and bias at the last refresh
        self.bias: Tensor | None = None
        self._reorder = reorder
        self._bias_dtype = torch.float32 if precise_bias else dtype
        if layer is not None:
            source = layer.weight.detach()
        else:
            assert norm is not None
            source = torch.empty((norm.num_features, 1, 1, 1), device=norm.running_var.device)  # type: ignore[union-attr]
        # Without norm, cast or layout there is nothing to make: the layer's own tensors serve.
        self.shared = norm is None and reorder is None and source.dtype == dtype and not channels_last
        # Reordering takes as much again, which the allocator does not give back (measured over 42 convolutions).
        copies = 1 if reorder is None else 2
        self.bytes = 0 if self.shared else copies * source.numel() * dtype.itemsize
        layout = torch.channels_last if channels_last and source.ndim == 4 else torch.contiguous_format
        self.weight = source if self.shared else torch.empty_like(source, dtype=dtype, memory_format=layout)

    def refresh(self, folded: tuple[Tensor, Tensor] | None, measure: bool) -> None:
        """Make weight and bias from what the layer holds now.

        Parameters
        ----------
        folded : pair of tensors, optional
            Scale and shift of the norm, where there is one.
        measure : bool
            Whether to keep their lengths.
        """
        weight, bias = (None, None) if self.layer is None else (self.layer.weight, self.layer.bias)
        if folded is not None:
            scale, shift = folded
            bias = shift if bias is None else torch.addcmul(shift, bias, scale)
            columns = scale.view(-1, *[1] * (3 if weight is None else weight.ndim - 1))
            weight = columns if weight is None else weight * columns
        assert weight is not None
        if measure:
            self.lengths = [torch.linalg.vector_norm(each) for each in (weight, bias) if each is not None]
        if self._reorder is not None:
            self.weight = self._reorder(weight.to(self.dtype))
            self.bias = None if bias is None else bias.to(self._bias_dtype)
        elif self.shared:
            self.weight, self.bias = weight, bias
        else:
            self.weight.copy_(weight)
            if bias is not None:
                self.bias = torch.empty_like(bias, dtype=self._bias_dtype) if self.bias is None else self.bias
                self.bias.copy_(bias)


class Kernel(nn.Module):
    """A layer of a traced network, replaced. ``other`` is added to its result before activating."""

    def __init__(self, weights: Weights, guard: Guard) -> None:
        super().__init__()
        self.weights = weights
        self.guard = guard
        self.activation: Activation | None = None
        self.in_place = False  # whether ``other`` is needed by nobody else, and may hold the result

    @property
    def hides_nan(self) -> bool:
        """Whether NaN would come out as a number."""
        return self.activation is not None and self.activation.name in HIDES_NAN


class PlainConvolution(Kernel):
    """torch's own convolution, of any dimension, with folded and cast weights."""

    def __init__(self, weights: Weights, guard: Guard, layer: nn.modules.conv._ConvNd) -> None:
        super().__init__(weights, guard)
        self.run: Callable[..., Tensor] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(layer.kernel_size)]
        self.settings = (layer.stride, layer.padding, layer.dilation, layer.groups)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        weights = self.weights
        return self.run(x.to(weights.dtype), weights.weight, weights.bias, *self.settings)


class Convolution(Kernel):
    """oneDNN's convolution in two dimensions, which may add and activate on the way."""

    def __init__(self, weights: Weights, guard: Guard, settings: Sequence[Any]) -> None:
        super().__init__(weights, guard)
        self.settings = settings  # padding, stride, dilation, groups

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """Convolve, add, activate."""
        weights, guard = self.weights, self.guard
        if x.dtype is not weights.dtype:
            x = x.to(weights.dtype)
        if guard.watching:
            guard.look_at(x)
        given = (weights.weight, weights.bias, *self.settings)
        ops = torch.ops.mkldnn
        if other is None:
            result: Tensor = ops._convolution_pointwise(x, *given, *_attributes(self.activation, "none"))
            return result
        if guard.watching:
            guard.look_at(other)
        other = other.to(weights.dtype).contiguous(memory_format=torch.channels_last)
        after = ("add", 1.0, *_attributes(self.activation, None))
        if self.in_place:
            result = ops._convolution_pointwise_.binary(other, x, *given, *after)
        else:
            result = ops._convolution_pointwise.binary(x, other, *given, *after)
        return result


class Linear(Kernel):
    """A linear layer with folded and cast weights, activated by oneDNN where asked for."""

    def forward(self, x: Tensor) -> Tensor:
        """Multiply, activate."""
        weights, guard = self.weights, self.guard
        if x.dtype is not weights.dtype:
            x = x.to(weights.dtype)
        if guard.watching:
            guard.look_at(x)
        if self.activation is None:
            return F.linear(x, weights.weight, weights.bias)
        after = _attributes(self.activation, "none")
        result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weights.weight, weights.bias, *after)
        return result


def _attributes(activation: Activation | None, none: str | None) -> tuple[str | None, list[float], str]:
    if activation is None:
        return none, [], ""
    return activation.name, list(activation.scalars), activation.algorithm
