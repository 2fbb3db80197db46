"""A network's forward pass as a graph, in a form whose layers can be replaced.

``torch.fx`` records which layers and functions a forward pass calls. `trace` does so for the arguments that are
really given, `tidy` then rewrites the graph without changing what it computes: layers that do nothing in eval mode
go, and operations that overwrite their input become ones that do not, wherever the graph shows that nothing else
sees that memory. What cannot be followed is left as it is; the caller compares results anyway.
"""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Mapping, Sequence
from functools import partialmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from landscape.engine.kernels import Activation, Kernel
from landscape.problem.attributes import Attributes
from landscape.problem.batches import map_tensors

_POOLS = tuple(getattr(nn.modules.pooling, f"_{kind}PoolNd") for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg"))
_LAYERS = (nn.modules.conv._ConvNd, nn.Linear, nn.modules.batchnorm._BatchNorm, *_POOLS)
# What gives a tensor of its own, sharing memory with none of its inputs.
_FRESH_FUNCTIONS = {
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.matmul),
    *(torch.add, torch.sub, torch.mul, torch.div, torch.cat, torch.mean, torch.sum, torch.matmul),
    *(F.linear, F.conv1d, F.conv2d, F.conv3d, F.batch_norm, F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d),
    *(F.layer_norm, F.group_norm, F.softmax, F.log_softmax),
}
_FRESH_METHODS = {"add", "sub", "mul", "div", "mean", "sum", "matmul", "clone", "softmax"}

# oneDNN's names of activations; "" where torch does not pass them on.
_ACTIVATIONS = {
    **{name: name for name in ("relu", "leaky_relu", "gelu", "hardswish", "hardsigmoid", "sigmoid", "tanh")},
    "relu6": "hardtanh",
    "hardtanh": "hardtanh",
    "silu": "swish",
    "mish": "",
    "elu": "",
}
_MODULE_ACTIVATIONS = {
    kind: _ACTIVATIONS[name]
    for name in _ACTIVATIONS
    for kind in vars(nn.modules.activation).values()
    if isinstance(kind, type) and kind.__name__.lower() == name.replace("_", "")
}
_FUNCTION_ACTIVATIONS = {
    getattr(home, spelt): _ACTIVATIONS[name]
    for name in _ACTIVATIONS
    for home in (torch, F)
    for spelt in (name, f"{name}_")
    if hasattr(home, spelt)
}
_METHOD_ACTIVATIONS = {name + end: name for name in ("relu", "sigmoid", "tanh") for end in ("", "_")}
_WITHOUT_UNDERSCORE: dict[Any, Any] = {
    getattr(home, f"{name}_"): getattr(torch, name, None) or getattr(F, name)
    for name in _ACTIVATIONS
    for home in (torch, F)
    if hasattr(home, f"{name}_")
} | {operator.iadd: operator.add}


class NotTraceable(Exception):
    """A forward pass cannot be recorded; the message says why."""


class _Proxy(fx.Proxy):
    """Records `x += y` as what it is: fx takes it for `x = x + y`, which others who hold x would not see."""

    def record(self, operation: Any, other: Any) -> fx.Proxy:
        """Note that an operation is called."""
        return self.tracer.create_proxy("call_function", operation, (self, other), {})


_IN_PLACE_OPERATORS: dict[Any, Any] = {
    getattr(operator, f"i{name}".rstrip("_")): getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor")
}
for _operation in _IN_PLACE_OPERATORS:
    setattr(_Proxy, f"__{_operation.__name__}__", partialmethod(_Proxy.record, _operation))


class _Tracer(fx.Tracer):
    # Else a buffer read in forward would be a constant of the recording, and not move with the network.
    proxy_buffer_attributes = True

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)


def trace(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> fx.GraphModule:
    """Record the forward pass of a network for these arguments; others keep their defaults.

    Nodes know the shape of their result (``node.meta["shape"]``; absent for what is no tensor).

    Raises
    ------
    NotTraceable
        Its course depends on values, it takes any number of arguments, it has hooks, or it keeps something between
        calls: a recording would go on with what was there when it was made.
    """
    attributes = Attributes(model)
    try:
        traced = _trace(model, args, kwargs)
    finally:
        changed = attributes.restore()
    if changed:
        raise NotTraceable("its forward writes to attributes of its modules")
    return traced


def _trace(model: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> fx.GraphModule:
    if any(module._forward_hooks or module._forward_pre_hooks for module in model.modules()):
        raise NotTraceable("a module has forward hooks, which may change what it computes")
    signature = inspect.signature(model.forward)
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        raise NotTraceable("its forward takes any number of arguments")
    try:
        given = signature.bind(*args, **kwargs).arguments
        fixed = {name: each.default for name, each in signature.parameters.items() if name not in given}
        # Proxies are not None: without fixed arguments `if mask is None` would be recorded the wrong way round.
        own = set(vars(model))
        graph = _Tracer().trace(model, concrete_args=fixed or None)
        traced = fx.GraphModule(model, graph)
        for name in [name for name in vars(model) if name.startswith("_tensor_constant") and name not in own]:
            delattr(model, name)  # where fx puts tensors that forward makes; the recording has them
        values = [given.get(name, fixed.get(name)) for name in signature.parameters]
        _Shapes(traced).run(*(map_tensors(torch.clone, value) for value in values))
    except Exception as error:  # whatever a user's forward does with a proxy
        raise NotTraceable(f"{type(error).__name__}: {error}") from error
    return traced


class _Shapes(fx.Interpreter):
    """Runs a graph and notes the shapes of what comes out of each node."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            n.meta["shape"] = tuple(result.shape)
        return result


def module_of(node: fx.Node) -> nn.Module | None:
    """Return the module that a node calls, None where it calls none."""
    if node.op != "call_module":
        return None
    owner = node.graph.owning_module
    assert owner is not None
    return owner.get_submodule(str(node.target))


def new_module(traced: fx.GraphModule, module: nn.Module, name: str) -> str:
    """Add a module to a graph's under a free name like ``name``; return that."""
    stem = name.replace(".", "_")
    number = 0
    while hasattr(traced, f"{stem}_{number}"):
        number += 1
    traced.add_module(f"{stem}_{number}", module)
    return f"{stem}_{number}"


def activation_name(node: fx.Node) -> str | None:
    """Return oneDNN's name of the activation a node is, "" where oneDNN has none, None where it is no activation."""
    if node.op == "call_module":
        return _MODULE_ACTIVATIONS.get(type(module_of(node)))
    if node.op == "call_function":
        return _FUNCTION_ACTIVATIONS.get(node.target)
    return _METHOD_ACTIVATIONS.get(str(node.target)) if node.op == "call_method" else None


def activation_of(node: fx.Node) -> Activation | None:
    """Return the activation a node is, with its numbers, None where oneDNN has none such."""
    name = activation_name(node)
    if not name:
        return None
    module = module_of(node)

    def setting(position: int, key: str, default: Any) -> Any:
        if module is not None:
            return getattr(module, key, default)
        return node.args[position] if len(node.args) > position else node.kwargs.get(key, default)

    if name == "leaky_relu":
        scalars: tuple[Any, ...] = (setting(1, "negative_slope", 0.01),)
    elif node.target is F.relu6 or isinstance(module, nn.ReLU6):
        scalars = (0.0, 6.0)
    elif name == "hardtanh":
        scalars = (setting(1, "min_val", -1.0), setting(2, "max_val", 1.0))
    else:
        scalars = ()
    algorithm = setting(1, "approximate", "none") if name == "gelu" else ""
    if not all(isinstance(each, int | float) for each in scalars) or not isinstance(algorithm, str):
        return None  # computed in the graph
    return Activation(name, tuple(float(each) for each in scalars), algorithm)


def is_add(node: fx.Node) -> bool:
    """Return whether a node adds two results."""
    known = (node.op, node.target) in {
        ("call_function", operator.add),
        ("call_function", torch.add),
        ("call_method", "add"),
    }
    plain = known and not node.kwargs and len(node.args) == 2
    return plain and all(isinstance(each, fx.Node) and "shape" in each.meta for each in node.args)


def is_fresh(node: fx.Node) -> bool:
    """Return whether a node surely gives a tensor that shares memory with nothing before it."""
    if node.op == "call_module":
        module = module_of(node)
        if type(module) in _MODULE_ACTIVATIONS:
            return not getattr(module, "inplace", False)
        # A kernel may overwrite what it adds, but that is then read by nobody else.
        return isinstance(module, (*_LAYERS, Kernel))
    if node.op == "call_function":
        if node.target in _FUNCTION_ACTIVATIONS:
            return overwritten(node) is None
        return node.target in _FRESH_FUNCTIONS and "out" not in node.kwargs
    return node.op == "call_method" and node.target in {*_FRESH_METHODS, "relu", "sigmoid", "tanh"}


def overwritten(node: fx.Node) -> fx.Node | None:
    """Return the node whose result this one overwrites, as far as we can tell; None where it overwrites nothing."""
    first = node.args[0] if node.args else node.kwargs.get("input")
    if not isinstance(first, fx.Node) or "shape" not in first.meta:
        return None  # `n += 1` on a size is no change of a tensor
    if node.op == "call_module":
        return first if getattr(module_of(node), "inplace", False) is True else None
    if node.op not in ("call_function", "call_method"):
        return None
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if node.target in _IN_PLACE_OPERATORS or name in ("setitem", "__setitem__"):
        return first
    if (name.endswith("_") and not name.endswith("__")) or node.kwargs.get("out") is not None:
        return first
    if node.op == "call_function" and node.target in _FUNCTION_ACTIVATIONS:
        last = node.args[-1] if len(node.args) > 1 else False
        return first if node.kwargs.get("inplace") is True or last is True else None
    return first if node.kwargs.get("inplace") is True else None


def tidy(traced: fx.GraphModule) -> bool:
    """Rewrite a graph so that layers can be matched; return whether nothing in it overwrites a tensor any more."""
    for node in list(traced.graph.nodes):
        if _does_nothing(node):
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)
        elif node.target in _IN_PLACE_OPERATORS and overwritten(node) is None:
            node.target = _IN_PLACE_OPERATORS[node.target]  # of numbers, such as sizes
    order = {node: number for number, node in enumerate(traced.graph.nodes)}
    clean = True
    for node in list(traced.graph.nodes):
        target = overwritten(node)
        if target is None:
            continue
        known = activation_name(node) is not None or node.target in (operator.iadd, "add_")
        before = [user for user in target.users if order[user] < order[node]]
        if not known or not is_fresh(target) or not all(is_fresh(user) for user in before):
            clean = False
            continue
        for user in [user for user in target.users if order[user] > order[node]]:
            user.replace_input_with(target, node)
        _keep_input(traced, node)
    for node in traced.graph.nodes:
        keeps_type = not node.kwargs and not any(isinstance(each, torch.dtype) for each in node.args)
        if clean and node.op == "call_method" and node.target == "view" and keeps_type:
            node.target = "reshape"  # a view would refuse channels-last memory; where it is written to it has to be one
    traced.graph.lint()
    return clean


def _does_nothing(node: fx.Node) -> bool:
    module = module_of(node)
    if isinstance(module, nn.Identity):
        return len(node.args) == 1
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return not module.training and len(node.args) == 1
    dropouts = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)
    if node.op != "call_function" or node.target not in dropouts or not isinstance(node.args[0], fx.Node):
        return False
    return (node.args[2] if len(node.args) > 2 else node.kwargs.get("training", True)) is False


def _keep_input(traced: fx.GraphModule, node: fx.Node) -> None:
    """Let an activation, or an addition, that overwrites its input give a new tensor instead."""
    if node.op == "call_module":
        module = copy.copy(module_of(node))
        if module is not None and hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]
            node.target = new_module(traced, module, str(node.target))
    elif node.op == "call_method":
        node.target = str(node.target).rstrip("_")
    elif node.target in _WITHOUT_UNDERSCORE:
        node.target = _WITHOUT_UNDERSCORE[node.target]
    elif callable(node.target) and "inplace" in (names := [*inspect.signature(node.target).parameters]):
        settings = {**dict(zip(names[1:], node.args[1:], strict=False)), **node.kwargs, "inplace": False}
        node.args, node.kwargs = (node.args[0],), settings
