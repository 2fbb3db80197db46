"""Which layers of a recorded forward pass become one: a small pattern matcher.

Matched are chains in which nothing but the next link sees a result:

    convolution or linear layer [-> batch norm] [-> addition of something of the same shape] [-> activation]
    batch norm -> activation                                     (networks that normalise before they convolve)

which covers ResNets of either kind, VGG and DenseNet. Norms go into weights anywhere; additions and activations
only where oneDNN can do them while it writes a result. `landscape.engine.lowering` puts layers in the place of chains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import fx, nn

from landscape.engine.kernels import HIDES_NAN, Activation, BatchNorm, Kernel
from landscape.engine.tracing import activation_of, is_add, is_fresh, module_of

# Share of all multiplications that the last layer may have and still be computed in float32.
HEAD_SHARE = 0.02

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(eq=False)
class Chain:
    """A layer and what follows it; nodes of the graph."""

    layer: fx.Node | None  # None where a norm comes first
    norm: fx.Node | None = None
    add: fx.Node | None = None
    activation: fx.Node | None = None
    kind: Activation | None = None
    dtype: torch.dtype = torch.float32  # in which to compute

    @property
    def nodes(self) -> list[fx.Node]:
        """The links in order."""
        return [node for node in (self.layer, self.norm, self.add, self.activation) if node is not None]

    @property
    def source(self) -> fx.Node:
        """The node whose result goes in."""
        node = self.nodes[0].args[0]
        assert isinstance(node, fx.Node)
        return node

    @property
    def layer_module(self) -> nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear | None:
        """The layer itself."""
        return None if self.layer is None else module_of(self.layer)  # type: ignore[return-value]

    @property
    def norm_module(self) -> BatchNorm | None:
        """The norm itself."""
        return None if self.norm is None else module_of(self.norm)  # type: ignore[return-value]

    @property
    def title(self) -> str:
        """What it is made of: ``"convolution + norm + relu"``."""
        first = "linear" if isinstance(self.layer_module, nn.Linear) else "convolution"
        parts = [
            first if self.layer is not None else "",
            "norm" if self.norm is not None else "",
            "addition" if self.add is not None else "",
            "" if self.kind is None else self.kind.name,
        ]
        return " + ".join(part for part in parts if part)

    def in_two_dimensions(self) -> bool:
        """Return whether oneDNN's fused convolution can run it, the precision apart."""
        if self.layer is None:
            return True
        module = self.layer_module
        return isinstance(module, nn.Conv2d) and not isinstance(module.padding, str) and self.dtype != torch.float64


def match_chains(graph: fx.Graph, dtype: torch.dtype, *, fold: bool, fuse: bool, move: bool) -> list[Chain]:
    """Find the chains of a tidied graph.

    Parameters
    ----------
    graph : Graph
        As `landscape.engine.tracing.tidy` left it; nodes know their shapes.
    dtype : torch.dtype
        In which to compute.
    fold : bool
        Whether norms may join.
    fuse : bool
        Whether oneDNN's fused operators are to be used: additions and activations may join.
    move : bool
        Whether a layer may run later than it did, which takes a graph that overwrites nothing.

    Returns
    -------
    list of Chain
        In the order of the graph. No node is in two of them.
    """
    chains = []
    for node in graph.nodes:
        if _is_layer(node):
            follower = only_user(node)
            norm = follower if fold and follower is not None and _folds_into(node, follower) else None
            chains.append(Chain(node, norm=norm, dtype=dtype))
    if fuse and move:
        _match_additions(graph, chains)
    if fuse:
        _match_activations(chains)
        chains += _norms_first(graph, chains, dtype)
    return chains


def only_user(node: fx.Node) -> fx.Node | None:
    """Return the one node that takes a result as its first input or as a term, None where there are others."""
    if len(node.users) != 1:
        return None
    user = next(iter(node.users))
    return user if user.op != "output" else None


def _is_layer(node: fx.Node) -> bool:
    module = module_of(node)
    if len(node.args) != 1 or node.kwargs or "shape" not in node.meta:
        return False
    if isinstance(module, nn.Linear):
        return type(module).forward is nn.Linear.forward
    for kind in _CONVOLUTIONS:
        if isinstance(module, kind):
            # A subclass with a forward of its own is something else; one whose weight is computed is not.
            own = type(module).forward is not kind.forward or type(module)._conv_forward is not kind._conv_forward
            batched = len(node.meta["shape"]) == len(module.kernel_size) + 2
            return not own and batched and module.padding_mode == "zeros"
    return False


def _is_fixed_norm(node: fx.Node) -> bool:
    """Return whether a node is a batch norm by running statistics."""
    module = module_of(node)
    if not isinstance(module, _NORMS) or len(node.args) != 1 or node.kwargs:
        return False
    plain = any(type(module).forward is kind.forward for kind in _NORMS)
    return plain and not module.training and module.running_mean is not None


def _folds_into(layer: fx.Node, norm: fx.Node) -> bool:
    if not _is_fixed_norm(norm) or norm.args[0] is not layer:
        return False
    module, channels = module_of(layer), module_of(norm).num_features  # type: ignore[union-attr]
    if isinstance(module, nn.Linear):
        # Of a sequence a norm takes dimension 1 for the channels, which is not the layer's output.
        return len(layer.meta["shape"]) == 2 and module.out_features == channels
    return module.out_channels == channels  # type: ignore[union-attr]


def _match_additions(graph: fx.Graph, chains: list[Chain]) -> None:
    depending = _depending(graph, lambda node: node.op == "placeholder")
    order = {node: number for number, node in enumerate(graph.nodes)}
    by_tail = {chain.nodes[-1]: chain for chain in chains if chain.in_two_dimensions()}
    for node in graph.nodes:
        terms = [each for each in node.args if isinstance(each, fx.Node)] if is_add(node) else []
        if len(set(terms)) != 2 or not set(terms) <= depending:
            continue  # a constant might have to be repeated for each sample
        if terms[0].meta["shape"] != terms[1].meta["shape"]:
            continue
        # The later one first: what it is added to is there already.
        for term in sorted(terms, key=order.__getitem__, reverse=True):
            if term in by_tail and only_user(term) is node:
                by_tail[term].add = node
                break


def _match_activations(chains: list[Chain]) -> None:
    for chain in chains:
        follower = only_user(chain.nodes[-1])
        kind = None if follower is None else activation_of(follower)
        if kind is None or (chain.add is not None and kind.name != "relu"):
            continue  # oneDNN follows a sum with ReLU alone
        # A ReLU costs a linear layer next to nothing, less than it costs to see to it that no NaN is hidden.
        linear = isinstance(chain.layer_module, nn.Linear) and kind.name not in HIDES_NAN
        if chain.in_two_dimensions() or linear:
            chain.activation, chain.kind = follower, kind


def _norms_first(graph: fx.Graph, chains: list[Chain], dtype: torch.dtype) -> list[Chain]:
    taken = {node for chain in chains for node in chain.nodes}
    found = []
    for node in graph.nodes:
        follower = only_user(node)
        if node in taken or follower is None or not _is_fixed_norm(node) or len(node.meta.get("shape", ())) != 4:
            continue
        kind = activation_of(follower)
        if kind is not None:
            found.append(Chain(None, norm=node, activation=follower, kind=kind, dtype=dtype))
    return found


def keep_head_precise(graph: fx.Graph, chains: list[Chain]) -> bool:
    """Compute the last linear layer in float32, where nothing with weights follows it and it costs next to nothing.

    Rounding logits to bfloat16 is a fifth of what bfloat16 does to a loss: of ResNet-20 at 25 points, its median
    error was 0.15 % without this and 0.12 % with it.

    Returns
    -------
    bool
        Whether there was such a layer.
    """
    work = [_multiplications(chain) for chain in chains]
    for chain, own in reversed(list(zip(chains, work, strict=True))):
        if isinstance(chain.layer_module, nn.Linear):
            tail = chain.nodes[-1]
            behind = _depending(graph, lambda node, tail=tail: node is tail) - {tail}  # type: ignore[misc]
            weighted = any(node.op == "get_attr" or has_tensors(module_of(node)) for node in behind)
            ends = any(node.op == "output" for node in behind)
            if ends and not weighted and own <= HEAD_SHARE * sum(work):
                chain.dtype = torch.float32
                return True
            return False
    return False


def _multiplications(chain: Chain) -> float:
    first = chain.nodes[0]
    results = float(math.prod(first.meta["shape"]))
    module = chain.layer_module
    return results if module is None else results * module.weight[0].numel()


def has_tensors(module: nn.Module | None) -> bool:
    """Return whether a module has parameters or buffers."""
    return module is not None and any(True for _ in (*module.parameters(), *module.buffers()))


def _depending(graph: fx.Graph, starts: Callable[[fx.Node], bool]) -> set[fx.Node]:
    """Return the nodes that need the result of some nodes, with these."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        if starts(node) or not found.isdisjoint(node.all_input_nodes):
            found.add(node)
    return found


def allow_overwriting(graph: fx.Graph) -> None:
    """Let kernels that add write their result over what they add, wherever nobody needs that any more."""
    order = {node: number for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        kernel = module_of(node)
        if not isinstance(kernel, Kernel) or len(node.args) != 2:
            continue
        source, other = node.args
        assert isinstance(other, fx.Node)
        earlier = [user for user in other.users if user is not node]
        last = all(order[user] < order[node] for user in earlier)
        # Every reader before must have made something new: a view of it would change.
        kernel.in_place = source is not other and last and is_fresh(other) and all(map(is_fresh, earlier))
