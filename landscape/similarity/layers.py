"""Which layers of a network are compared, and how each one's output is one row a sample.

A network is called on two small batches of different size, and on the samples of one of them in another order: what
grows with the number of samples, and moves with them, tells where they are in an output, whatever else its shape is.
An output may be a tensor, or a tuple, mapping or dataclass that holds some: its first floating tensor with samples is
taken.
"""

from __future__ import annotations

import difflib
import re
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.problem.batches import batch_size_of, call_model, fit_precision, split_inputs_targets, tensors_in
from landscape.problem.model import misfit
from landscape.problem.repeated_passes import require_repeatable
from landscape.problem.tensor_layouts import dense
from landscape.similarity.module_calls import scripted_parts
from landscape.similarity.sample_rows import Rows, is_right, places_by_shape, rows_of

TOKENS = ("flatten", "mean")
BLOCKS = "blocks"
# Samples of the larger of two calls that show where samples are.
PROBE = 5
# Near names that an error lists, and names of modules that a note does.
_NEAR, _NAMED = 6, 4

# What a network that does not take some samples raises.
_FAILURES = (RuntimeError, ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True)
class Layer:
    """One call of one module, and where in its output the samples are."""

    name: str  # as named_modules() has it
    call: int  # 1 for the first one in a forward pass
    kind: str  # the class
    tensor: int  # which of the output's floating tensors
    axis: int  # of the samples
    fold: int  # rows of that axis which belong to one sample, as windows do
    # Whether these are as far apart as there are samples, as steps are, and do not follow each other.
    apart: bool = False

    @property
    def label(self) -> str:
        """A name that no other layer of the network has."""
        return self.name if self.call == 1 else f"{self.name} ({self.call})"


@dataclass(frozen=True)
class _Seen:
    name: str
    call: int
    module: nn.Module
    shapes: tuple[tuple[int, ...], ...]
    again: bool  # whether this is a tensor that another module has given, unchanged
    rows: tuple[tuple[Rows, ...], ...] = ()  # of each tensor


@dataclass(frozen=True)
class FoundLayers:
    """The layers of a network, and how it is called."""

    layers: list[Layer]
    calls: Mapping[str, int]  # how often each of their modules is called in a forward pass
    whole: bool  # whether the network is given a batch with its target: it does not run without
    left_out: tuple[str, ...]  # what else was asked for, and why it is no layer


def inputs_of(batch: Any, whole: bool = False) -> Any:
    """Return what a network is given of a batch: all but the target, where there is one, or ``whole``."""
    if whole or isinstance(batch, Tensor):
        return batch
    try:
        return split_inputs_targets(batch)[0]
    except ProblemError:
        return batch


def call(model: nn.Module, inputs: Any) -> Any:
    """Call a network without gradients, inputs in its own precision.

    Not under inference_mode, whose tensors do not tell that they were changed in place.
    """
    with torch.no_grad():
        return call_model(model, fit_precision(inputs, model))


def find_layers(
    model: nn.Module, batches: Sequence[Any], *, which: str | None = None, name: str = "network", data: str = "data"
) -> FoundLayers:
    """Find the layers of a network in the order in which they finish in a forward pass.

    A module that is called another number of times for other samples, as an adaptive solver does, has no layers: its
    third call is not the same step of all samples.

    Parameters
    ----------
    model : Module
        In the mode it is measured in.
    batches : sequence of three
        Batches on its device: of m samples, of m - 1, and of those of the first with its first one behind all others.
    which : str, optional
        A regular expression searched in modules' names, or "blocks": residual blocks, say, and what stands between
        them (see `block_names`). By default every module without others in it, and every other one whose output is a
        tensor that none before has given: a residual sum.
    name, data : str
        Of the network and of the data set, for errors.

    Raises
    ------
    UsageError
        Nothing is called so.
    ProblemError
        The network does not take the samples.
    EvaluationError
        It gives another output each time.
    """
    whole = _needs_target(model, batches[0])
    seen = [_observe(model, inputs_of(each, whole), name, data, rows=k != 1) for k, each in enumerate(batches)]
    sizes = [batch_size_of(each) for each in batches]
    names = {module: label for label, module in model.named_modules()}
    chosen = _chosen(model, which, names)
    second, turned = ({(each.name, each.call): each for each in half} for half in seen[1:])
    calls, others = (Counter(each.name for each in half) for half in seen[:2])
    layers: list[Layer] = []
    choosable: set[str] = set()
    without: dict[str, None] = {}
    uneven: dict[str, None] = {}
    loose: dict[str, None] = {}
    for each in seen[0]:
        asked = _is_default(each, model) if chosen is None else each.name in chosen
        if calls[each.name] != others[each.name]:
            if asked:
                uneven[each.name] = None
            continue
        places = places_by_shape(each.shapes, second[each.name, each.call].shapes, sizes)
        same = turned.get((each.name, each.call))
        place = next((p for p in places if same and is_right(p, each.rows, same.rows, sizes[0])), None)
        if place is not None:
            choosable.add(each.name)
            if asked:
                where = (place.tensor, place.axis, place.fold, place.apart)
                layers.append(Layer(each.name, each.call, type(each.module).__name__, *where))
        elif each.shapes and asked:
            (loose if places else without)[each.name] = None
    silent = dict.fromkeys(name for name in scripted_parts(model) if chosen is None or name in chosen or not layers)
    reasons = (
        (silent, "what {} gives cannot be listened to (TorchScript)"),
        (without, "no row a sample in what {} gives"),
        (loose, "rows of what {} gives do not go with the samples where these are given in another order"),
        (uneven, "how often {} is called depends on the samples"),
    )
    said = [words.format(listed(list(names))) for names, words in reasons if names]
    if not layers:
        raise UsageError(_nothing(which, sorted(choosable), said, name))
    left_out = tuple(f"{words}: left out" for words in said)
    return FoundLayers(layers, {each.name: calls[each.name] for each in layers}, whole, left_out)


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    named = [name or "the network" for name in names[:_NAMED]]
    more = len(names) - len(named)
    return f"{', '.join(named)}{f' and {more} more' if more > 0 else ''}"


def _needs_target(model: nn.Module, batch: Any) -> bool:
    """Whether a network runs on a mapping with its target in it only, as one whose decoder is fed with labels does."""
    inputs = inputs_of(batch)
    if not isinstance(batch, Mapping) or inputs is batch:
        return False
    for whole in (False, True):
        try:
            call(model, inputs_of(batch, whole))
        except _FAILURES:
            continue
        return whole
    return False


def _is_default(seen: _Seen, model: nn.Module) -> bool:
    leaf = next(iter(seen.module.children()), None) is None
    return leaf or (seen.module is not model and not seen.again)


def _chosen(model: nn.Module, which: str | None, names: Mapping[nn.Module, str]) -> set[str] | None:
    if which is None:
        return None
    if which == BLOCKS:
        return block_names(model)
    try:
        pattern = re.compile(which)
    except re.error as error:
        raise UsageError(f"--layers {which!r} is no regular expression: {error}") from None
    return {name for name in names.values() if pattern.search(name)}


def block_names(model: nn.Module) -> set[str]:
    """Return names of the parts that a network repeats, and of what stands beside them.

    A module is looked into as long as a sequence in it holds two or more modules of one class that have modules
    themselves, as stages hold residual blocks; what is not looked into is one part. A network without such a sequence
    has each of its own children as a part.
    """
    found: set[str] = set()

    def descend(module: nn.Module, prefix: str) -> None:
        for label, child in module.named_children():
            place = f"{prefix}{label}"
            if _repeats(child):
                descend(child, f"{place}.")
            else:
                found.add(place)

    descend(model, "")
    return found


def _repeats(module: nn.Module) -> bool:
    """Whether a sequence somewhere in a module repeats a class of modules that have modules."""
    for each in module.modules():
        if isinstance(each, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
            kinds = Counter(type(child) for child in each.children() if next(iter(child.children()), None) is not None)
            if kinds and max(kinds.values()) > 1:
                return True
    # A stage may have one block only: a sequence of one is still looked into, a block never is a sequence.
    return type(module) in (nn.Sequential, nn.ModuleList) and any(
        next(iter(child.children()), None) is not None for child in module.children()
    )


def _nothing(which: str | None, names: Sequence[str], reasons: Sequence[str], network: str) -> str:
    """Return why there is no layer, and which ones can be chosen."""
    named = [name for name in names if name]
    why = f" ({'; '.join(reasons)})" if reasons else ""
    if which is None:
        return f"no module of {network} gives one row a sample: there are no layers to compare{why}"
    near = difflib.get_close_matches(which, named, _NEAR, 0.3) or named[:_NEAR]
    there = f"{', '.join(near)}{', ...' if len(named) > len(near) else ''} ({len(named)} in all)"
    return (
        f"--layers {which!r} matches no layer of {network} that is called and gives one row a sample{why}; "
        f"there are {there if named else 'none'}"
    )


def _observe(model: nn.Module, inputs: Any, name: str, data: str, *, rows: bool) -> list[_Seen]:
    """Call a network and note what its modules give, with some numbers of their rows where asked to."""
    seen: list[_Seen] = []
    given: dict[tuple[int, int, int], list[weakref.ref[Tensor]]] = {}
    calls: Counter[str] = Counter()

    def look(label: str, module: nn.Module, output: Any) -> None:
        calls[label] += 1
        tensors = floating_tensors(output)
        keys = [(each.data_ptr(), each.numel(), each._version) for each in tensors]
        again = bool(keys) and any(reference() is not None for reference in given.get(keys[0], ()))
        for each, key in zip(tensors, keys, strict=True):
            given.setdefault(key, []).append(weakref.ref(each))
        shapes = tuple(tuple(each.shape) for each in tensors)
        some = tuple(rows_of(each.detach()) for each in tensors) if rows else ()
        seen.append(_Seen(label, calls[label], module, shapes, again, some))

    scripted = [part for each in scripted_parts(model).values() for part in each.modules()]
    modules = {label: each for label, each in model.named_modules() if each not in scripted}
    with listening(model, modules, look):
        try:
            call(model, inputs)
        except _FAILURES as error:
            said = misfit(model, inputs, data, error)
            if not said:
                raise
            raise ProblemError(f"{name}: {said}") from error
    give = lambda: floating_tensors(call(model, inputs))  # noqa: E731
    require_repeatable(model, give, name, "its layers cannot be compared")
    return seen


@contextmanager
def listening(
    model: nn.Module, modules: Mapping[str, nn.Module], heard: Callable[[str, nn.Module, Any], None]
) -> Iterator[None]:
    """Call ``heard(name, module, output)`` whenever one of some modules was called; no hook stays, come what may."""

    def hook_of(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            heard(name, module, output)

        return hook

    hooks = []
    try:
        for name, module in modules.items():
            hooks.append(module.register_forward_hook(hook_of(name)))
        yield
    finally:
        for hook in hooks:
            hook.remove()


def floating_tensors(output: Any) -> list[Tensor]:
    """Return the floating and complex tensors of an output, in their order; of sparse ones all that they stand for."""
    kinds = (dense(each) for each in tensors_in(output) if isinstance(each, Tensor))
    return [each for each in kinds if each.is_floating_point() or each.is_complex()]


def features_of(output: Any, layer: Layer, samples: int, tokens: str = "flatten") -> Tensor:
    """Return a layer's output as one row a sample, shape (n, p), float32, or float64 where the network is.

    Parameters
    ----------
    output
        What the module returned.
    layer : Layer
    samples : int
        n
    tokens : {"flatten", "mean"}
        Of an output of shape (n, tokens, p): all numbers, or their mean over tokens.

    Raises
    ------
    EvaluationError
        It has not as many rows as there are samples.
    """
    tensor = floating_tensors(output)[layer.tensor].detach()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    tensor = tensor if tensor.dtype == torch.float64 else tensor.float()
    tensor = tensor.movedim(layer.axis, 0)
    if tensor.shape[0] != layer.fold * samples:
        raise EvaluationError(
            f"layer {layer.label} gives {tensor.shape[0]} rows for {samples} samples, {layer.fold * samples} were "
            "expected: it does not treat samples alike; leave it out with --layers"
        )
    if layer.apart:
        tensor = tensor.reshape(layer.fold, samples, *tensor.shape[1:]).transpose(0, 1).flatten(0, 1)
    if tokens == "mean" and tensor.ndim == 3:
        return tensor.reshape(samples, -1, tensor.shape[2]).mean(1)
    return tensor.reshape(samples, -1)
