"""From a recorded forward pass to one that runs faster, with the same results.

Layers take the place of the chains that `landscape.engine.fusion` finds. In low precision every other tensor of the
network gets a copy of that type, so that nothing is cast on the way; batch norms alone read their own float32
tensors. The network itself is never changed, and its tensors are where each point's weights come from.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from landscape.engine.fusion import Chain, allow_overwriting, has_tensors, keep_head_precise, match_chains
from landscape.engine.kernels import (
    BatchNorm,
    Convolution,
    Guard,
    Kernel,
    Linear,
    PlainConvolution,
    Weights,
    onednn_fuses,
    scales_and_shifts,
)
from landscape.engine.tracing import module_of, new_module, tidy, trace


@dataclass
class Program:
    """A forward pass with layers replaced; call `refresh` after the network's tensors changed."""

    run: fx.GraphModule
    dtype: torch.dtype
    weights: list[Weights]
    guard: Guard
    hides_nan: bool  # whether NaN may come out as a number, or a number as NaN: then weights are watched
    layers: dict[str, int]  # what became one layer, and how often
    fused: bool  # whether oneDNN's fused operators run
    precise_head: bool
    copies: list[Tensor] = field(default_factory=list)  # of tensors no kernel holds, in low precision
    originals: list[Tensor] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """ "fused", "folded" or "cast": the most that was done."""
        if self.fused:
            return "fused"
        return "folded" if any("norm" in title for title in self.layers) else "cast"

    @property
    def bytes(self) -> int:
        """Memory it holds beside the network."""
        return sum(each.bytes for each in self.weights) + sum(each.nbytes for each in self.copies)

    @torch.no_grad()
    def refresh(self) -> None:
        """Make weights again from the network's tensors as they are now."""
        norms = {each.norm: None for each in self.weights if each.norm is not None}
        folded = dict(zip(norms, scales_and_shifts(list(norms)), strict=True))
        for each in self.weights:
            each.refresh(None if each.norm is None else folded[each.norm], self.hides_nan)
        if self.copies:
            torch._foreach_copy_(self.copies, self.originals)

    def longest_weight(self) -> float:
        """Return the length of the longest weight or bias, NaN where one is; waits for the device."""
        lengths = [length.float() for each in self.weights for length in each.lengths]
        return float(torch.stack(lengths).amax()) if lengths else 0.0


@torch.no_grad()
def lower(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    dtype: torch.dtype,
    fold: bool = True,
    fuse: bool = True,
) -> Program:
    """Record a network's forward pass for these arguments and replace what can be replaced.

    Parameters
    ----------
    model : Module
        In eval mode; not changed.
    args, kwargs
        What it is called with: few samples will do.
    dtype : torch.dtype
        In which to compute.
    fold, fuse : bool
        Whether to fold batch norms into weights, and to let oneDNN add and activate where it is there.

    Raises
    ------
    NotTraceable
        The forward pass cannot be recorded.
    """
    traced = trace(model, args, kwargs)
    clean = tidy(traced)
    graph = traced.graph
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    fuse = fuse and onednn_fuses(dtype, device)
    low = dtype in (torch.bfloat16, torch.float16)
    chains = match_chains(graph, dtype, fold=fold, fuse=fuse, move=clean)
    precise_head = low and keep_head_precise(graph, chains)
    replacement = _Replacement(traced, dtype, device, fuse)
    for chain in chains:
        replacement.replace(chain)
    if clean:
        allow_overwriting(graph)
    copies, originals = _copy_rest(traced, dtype) if low else ([], [])
    graph.lint()
    traced.recompile()
    r = replacement
    weights = list(r.weights.values())
    program = Program(traced, dtype, weights, r.guard, r.hides_nan, r.layers, r.fused, precise_head, copies, originals)
    program.refresh()
    return program


@dataclass
class _Replacement:
    """Puts kernels into a graph."""

    traced: fx.GraphModule
    dtype: torch.dtype  # of the inputs, and of all layers but a precise head
    device: torch.device
    fuse: bool
    guard: Guard = field(default_factory=Guard)
    weights: dict[tuple[Any, ...], Weights] = field(default_factory=dict)
    layers: dict[str, int] = field(default_factory=dict)
    hides_nan: bool = False
    fused: bool = False

    def replace(self, chain: Chain) -> None:
        """Put a kernel in the place of a chain, where it gains something."""
        kernel = self._kernel(chain)
        if kernel is None:
            return
        kernel.activation = chain.kind
        # Folded, an infinite weight makes NaN of sums in which the network itself has it times 1.
        self.hides_nan |= kernel.hides_nan or chain.norm is not None
        self.fused |= isinstance(kernel, Convolution) or chain.kind is not None
        self.layers[chain.title] = self.layers.get(chain.title, 0) + 1
        first, tail = chain.nodes[0], chain.nodes[-1]
        inputs = [first.args[0]]
        if chain.add is not None:
            inputs += [each for each in chain.add.args if each not in chain.nodes]
        # At the addition what is added exists; elsewhere the layer's own place is as good as any.
        with self.traced.graph.inserting_before(chain.add or first):
            node = self.traced.graph.call_module(new_module(self.traced, kernel, str(first.target)), tuple(inputs))
        node.meta["shape"] = tail.meta["shape"]
        tail.replace_all_uses_with(node)
        for each in reversed(chain.nodes):
            self.traced.graph.erase_node(each)

    def _kernel(self, chain: Chain) -> Kernel | None:
        layer, norm = chain.layer_module, chain.norm_module
        shape = chain.source.meta["shape"]
        if isinstance(layer, nn.Linear):
            as_it_is = norm is None and chain.kind is None and layer.weight.dtype == chain.dtype == self.dtype
            return None if as_it_is else Linear(self._weights(chain), self.guard)
        if self.fuse and chain.in_two_dimensions():
            if layer is None:
                settings: list[Any] = [[0, 0], [1, 1], [1, 1], norm.num_features]  # type: ignore[union-attr]
            else:
                settings = [*(list(getattr(layer, each)) for each in ("padding", "stride", "dilation")), layer.groups]
            reorder = partial(_reordered, settings=settings, shape=list(shape))
            weights = self._weights(chain, reorder=reorder, precise_bias=chain.add is None)
            return Convolution(weights, self.guard, settings)
        assert layer is not None
        on_gpu = self.device.type == "cuda" and len(shape) == 4
        if norm is None and layer.weight.dtype == chain.dtype and not on_gpu:
            return None
        return PlainConvolution(self._weights(chain, channels_last=on_gpu), self.guard, layer)

    def _weights(self, chain: Chain, **layout: Any) -> Weights:
        """Return the chain's weights: made once for a layer that is called several times in the same way."""
        targets = [None if node is None else node.target for node in (chain.layer, chain.norm)]
        key = (*targets, chain.dtype, chain.add is None, chain.source.meta["shape"][1:])
        if key not in self.weights:
            self.weights[key] = Weights(chain.layer_module, chain.norm_module, chain.dtype, **layout)
        return self.weights[key]


def _reordered(weight: Tensor, settings: Sequence[Any], shape: list[int]) -> Tensor:
    """Return a weight in oneDNN's layout for inputs of about this shape; others work as well."""
    reordered: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *settings, shape)
    return reordered


def _copy_rest(traced: fx.GraphModule, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    """Give every tensor of the graph that no kernel holds a copy in low precision; return copies and originals."""
    copies: list[Tensor] = []
    originals: list[Tensor] = []
    made: dict[str, str] = {}
    for node in traced.graph.nodes:
        target = str(node.target)
        if node.op == "get_attr":
            found = operator.attrgetter(target)(traced)
            if not isinstance(found, Tensor) or not found.is_floating_point():
                continue
            if target not in made:
                low = found.detach().to(dtype, copy=True)
                made[target] = new_module(traced, holder := nn.Module(), target) + ".value"
                holder.register_buffer("value", low)
                copies.append(low)
                originals.append(found.detach())
            node.target = made[target]
        elif node.op == "call_module":
            module = module_of(node)
            if not has_tensors(module) or isinstance(module, Kernel | BatchNorm):
                continue
            assert module is not None
            if target not in made:
                twin = copy.deepcopy(module).to(dtype).requires_grad_(False)
                made[target] = new_module(traced, twin, target)
                copies += _floating(twin)
                originals += _floating(module)
            node.target = made[target]
    return copies, originals


def _floating(module: nn.Module) -> list[Tensor]:
    return [each.detach() for each in (*module.parameters(), *module.buffers()) if each.is_floating_point()]
