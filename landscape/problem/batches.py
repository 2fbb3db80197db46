"""What a batch is made of, whatever its shape: tensors in tuples, dicts, dataclasses, or objects of a user's own.

A batch's first dimension counts samples. Functions here return new batches and leave their inputs alone.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.errors import ProblemError
from landscape.problem.tensor_layouts import bytes_of, dense, is_sparse, join_rows, rows_in, sides_of, slice_rows

Batch = Any

# Under which name a batch that is a mapping holds what is to be predicted, the likeliest first.
TARGET_NAMES = ("labels", "label", "targets", "target", "y")


def map_tensors(change: Callable[[Any], Any], batch: Batch) -> Batch:
    """Return a batch of the same structure with ``change`` applied to every tensor or array in it."""
    return _map_leaves(lambda leaf: change(leaf) if isinstance(leaf, (Tensor, np.ndarray)) else leaf, batch)


def _map_leaves(change: Callable[[Any], Any], batch: Batch) -> Batch:
    inside = _take_apart(batch)
    return change(batch) if inside is None else inside.build([_map_leaves(change, part) for part in inside.parts])


@dataclasses.dataclass(frozen=True)
class _Inside:
    """What a batch is put together of, and what puts such parts together again."""

    parts: list[Any]
    build: Callable[[list[Any]], Batch]


# Not torch.utils._pytree, to which mappings of a user's own and dataclasses are leaves unless somebody registers them.
def _take_apart(batch: Batch) -> _Inside | None:
    """Return the parts of a tuple, list, mapping or dataclass; None for anything else, which is a leaf."""
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return _Inside(list(batch), lambda parts: type(batch)(*parts))
    if isinstance(batch, (tuple, list)):
        return _Inside(list(batch), type(batch))
    if isinstance(batch, Mapping):
        keys = list(batch)
        return _Inside(
            [batch[key] for key in keys], lambda parts: _mapping_like(batch, dict(zip(keys, parts, strict=True)))
        )
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        names = [field.name for field in dataclasses.fields(batch) if field.init]
        return _Inside(
            [getattr(batch, name) for name in names],
            lambda parts: dataclasses.replace(batch, **dict(zip(names, parts, strict=True))),
        )
    return None


def tensors_in(batch: Batch) -> Iterator[Tensor | np.ndarray[Any, Any]]:
    """Yield every tensor or array of a batch, in a fixed order."""
    inside = _take_apart(batch)
    if inside is not None:
        for part in inside.parts:
            yield from tensors_in(part)
    elif isinstance(batch, (Tensor, np.ndarray)):
        yield batch


def batch_size_of(batch: Batch) -> int:
    """Return how many samples a batch holds: the first dimension its tensors agree on.

    Where they do not, as with images of several sizes in a list or tensors that all samples share, a target's first
    dimension counts, or the length of the lists.

    Raises
    ------
    ProblemError
        None of these tells.
    """
    lists = _lengths_of_lists(batch)
    if lists is not None:
        return lists
    sizes = {rows_in(tensor) for tensor in tensors_in(batch) if tensor.ndim}
    if len(sizes) == 1:
        return int(sizes.pop())
    for name in ("batch_size", "num_graphs"):
        number = getattr(batch, name, None)
        if isinstance(number, int):
            return number
    target = _target_of(batch)
    if isinstance(target, (Tensor, np.ndarray)) and target.ndim:
        return rows_in(target)
    if not sizes and hasattr(batch, "__len__") and not isinstance(batch, (Mapping, Tensor, np.ndarray)):
        return len(batch)
    raise ProblemError(
        f"cannot tell how many samples a batch holds: {describe_batch(batch)}; the first dimension of each tensor has "
        "to count samples, unless a DataLoader over a data set makes the batches, which tells"
    )


def _lengths_of_lists(batch: Batch) -> int | None:
    """Return the length of a pair of equally long lists of samples, as object detection has them: images, dicts."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        return None
    first, second = batch
    if not isinstance(first, (tuple, list)) or not isinstance(second, (tuple, list)) or len(first) != len(second):
        return None
    return len(first) if any(isinstance(item, Mapping) for item in second) else None


def _target_of(batch: Batch) -> Any:
    try:
        return split_inputs_targets(batch)[1]
    except ProblemError:
        return None


def batch_bytes(batch: Batch) -> int:
    """Return the memory of a batch's tensors in bytes."""
    return sum(
        int(tensor.nbytes) if isinstance(tensor, np.ndarray) else bytes_of(tensor) for tensor in tensors_in(batch)
    )


def to_device(batch: Batch, device: torch.device | str) -> Batch:
    """Return a batch with every tensor on ``device``; arrays become tensors.

    To a GPU copies are only begun: what runs there later waits for them, what reads the next batch does not.

    An object of a user's own is moved by its ``to`` method where it has one, else left as it is.
    """

    def move(leaf: Any) -> Any:
        if not isinstance(leaf, (Tensor, np.ndarray)):
            return leaf.to(device) if callable(getattr(leaf, "to", None)) else leaf
        tensor = torch.as_tensor(leaf)
        if torch.device(device).type != "cuda" or tensor.device.type != "cpu":
            return tensor.to(device)
        # Only from memory that stays where it is can a GPU copy while the processor goes on.
        return tensor.pin_memory().to(device, non_blocking=True)

    return _map_leaves(move, batch)


def slice_batch(batch: Batch, start: int, stop: int) -> Batch:
    """Return samples ``start`` to ``stop`` of a batch, as views where possible; scalars are kept as they are."""
    if is_opaque(batch):
        return batch[start:stop]
    return _slice_parts(batch, start, stop)


def _slice_parts(batch: Batch, start: int, stop: int) -> Batch:
    if _is_list_of_samples(batch):
        return batch[start:stop]
    inside = _take_apart(batch)
    if inside is not None:
        return inside.build([_slice_parts(part, start, stop) for part in inside.parts])
    if not isinstance(batch, (Tensor, np.ndarray)) or not batch.ndim:
        return batch
    return slice_rows(batch, start, stop) if isinstance(batch, Tensor) else batch[start:stop]


def _is_list_of_samples(batch: Batch) -> bool:
    """Whether a part of a batch is a list without tensors: texts, say, one a sample."""
    return isinstance(batch, list) and not any(True for _ in tensors_in(batch))


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Return one batch holding the samples of several of the same structure, in order.

    Raises
    ------
    ProblemError
        Their structures or shapes differ beyond the first dimension, or they are of a kind we cannot join.
    """
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    if any(type(each) is not type(first) for each in batches):
        raise ProblemError(f"batches of different kinds cannot be joined: {describe_batch(first)}, then others")
    try:
        return _join(batches)
    except (RuntimeError, ValueError, KeyError) as error:
        raise ProblemError(f"batches such as {describe_batch(first)} cannot be joined: {error}") from error


def _join(batches: Sequence[Batch]) -> Batch:
    first = batches[0]
    if isinstance(first, Tensor):
        return join_rows(batches) if first.ndim else first
    if isinstance(first, np.ndarray):
        return np.concatenate(batches) if first.ndim else first
    if _is_list_of_samples(first):
        return [item for each in batches for item in each]
    if isinstance(first, Mapping):
        return _mapping_like(first, {key: _join([each[key] for each in batches]) for key in first})
    insides = [inside for each in batches if (inside := _take_apart(each)) is not None]
    if not insides:
        return first
    return insides[0].build([_join(parts) for parts in zip(*(each.parts for each in insides), strict=True)])


def split_inputs_targets(batch: Batch) -> tuple[Any, Any]:
    """Split a batch into what the network is given and what it should answer.

    A pair is (inputs, target); a mapping or dataclass has its target under one of ``TARGET_NAMES``. An object of a
    class of its own, a batch of graphs, say, has it in such an attribute, and is given to the network whole.

    Raises
    ------
    ProblemError
        It is neither, so that only a loss of the user's own can say what is what.
    """
    own = "write a loss of your own, loss(model, batch), in a file and pass it as --loss file.py:loss"
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        batch = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    if isinstance(batch, Mapping):
        for name in TARGET_NAMES:
            if name in batch:
                return _mapping_like(batch, {key: part for key, part in batch.items() if key != name}), batch[name]
        raise ProblemError(
            f"a batch has no target: it holds {', '.join(map(str, batch))}, none of {', '.join(TARGET_NAMES)}; {own}"
        )
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    if is_opaque(batch):
        for name in TARGET_NAMES:
            if isinstance(getattr(batch, name, None), Tensor):
                return batch, getattr(batch, name)
    raise ProblemError(f"a built-in loss needs batches of (inputs, target), this one is {describe_batch(batch)}; {own}")


def call_model(model: Callable[..., Any], inputs: Any) -> Any:
    """Call a network on the inputs of a batch.

    A mapping is passed as keywords where the network's ``forward`` takes these, a tuple as positional arguments
    where it takes that many, an object by those of its attributes that ``forward`` asks for, where these are several;
    otherwise, and anything else, whole.
    """
    if isinstance(inputs, Mapping):
        if _binds(_forward_of(model), 0, tuple(str(key) for key in inputs)):
            return model(**inputs)
    elif isinstance(inputs, (tuple, list)) and _binds(_forward_of(model), len(inputs), ()):
        return model(*inputs)
    elif is_opaque(inputs):
        asked = _required(_forward_of(model))
        if len(asked) > 1 and all(hasattr(inputs, name) for name in asked):
            return model(*(getattr(inputs, name) for name in asked))
    return model(inputs)


def fit_precision(inputs: Any, model: Callable[..., Any]) -> Any:
    """Return the inputs with floating tensors in the precision of the network's first parameter.

    A network in half precision takes no float32 images, nor one in float32 NumPy's float64.
    """
    if not isinstance(model, nn.Module):
        return inputs
    wanted = next((each.dtype for each in model.parameters() if each.is_floating_point()), None)
    if wanted is None:
        return inputs

    def fit(leaf: Any) -> Any:
        floating = isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.dtype != wanted
        return leaf.to(wanted) if floating else leaf

    return map_tensors(fit, inputs)


def output_logits(output: Any) -> Tensor:
    """Return the tensor of a network's output: itself, its ``logits``, or the first of a tuple.

    Raises
    ------
    ProblemError
        There is none.
    """
    found: list[Any] = [output, getattr(output, "logits", None)]
    if isinstance(output, Mapping):
        found += [output.get("logits"), output.get("out")]  # torchvision's segmentation networks say "out"
    if isinstance(output, (tuple, list)):
        found += output[:1]
    for each in found:
        if isinstance(each, Tensor):
            return dense(each)
    raise ProblemError(
        f"a built-in loss needs a network that returns a tensor, or something with logits; this one returned "
        f"{describe_batch(output)}; write a loss of your own and pass it as --loss file.py:loss"
    )


def describe_batch(batch: Batch, depth: int = 2) -> str:
    """Say what a batch is made of, briefly: ``(float32 8 x 3 x 32 x 32, int64 8)``."""
    if isinstance(batch, (Tensor, np.ndarray)):
        sides = " x ".join("ragged" if side is None else str(side) for side in sides_of(batch)) or "scalar"
        kind = " sparse" if isinstance(batch, Tensor) and is_sparse(batch) else ""
        return f"{str(batch.dtype).removeprefix('torch.')} {sides}{kind}"
    if depth and isinstance(batch, (tuple, list)):
        shown = ", ".join(describe_batch(part, depth - 1) for part in batch[:4])
        return f"({shown}{', ...' if len(batch) > 4 else ''})"
    if depth and isinstance(batch, Mapping):
        shown = ", ".join(f"{key}: {describe_batch(part, depth - 1)}" for key, part in list(batch.items())[:6])
        return f"{{{shown}}}"
    return f"a {type(batch).__name__}"


def is_opaque(batch: Batch) -> bool:
    """Return whether a batch is of a class of the user's own: no tensor, nor anything tensors are looked for in."""
    return not isinstance(batch, (Tensor, np.ndarray, tuple, list, Mapping)) and not dataclasses.is_dataclass(batch)


def _mapping_like(original: Mapping[Any, Any], parts: dict[Any, Any]) -> Any:
    if type(original) is dict:
        return parts
    try:
        return type(original)(parts)  # type: ignore[call-arg]
    except Exception:  # a mapping with a constructor of its own: its contents are what counts
        return parts


def _forward_of(model: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function whose signature counts: what wraps a network says (*args, **kwargs)."""
    for name in ("_orig_mod", "module", "__wrapped__"):
        inner = getattr(model, name, None)
        wraps = name == "_orig_mod" or not isinstance(model, nn.Module) or _passes_all(model)
        if isinstance(inner, nn.Module) and wraps:
            model = inner
    return model.forward if isinstance(model, nn.Module) else model


def _passes_all(model: nn.Module) -> bool:
    kinds = [parameter.kind for parameter in inspect.signature(type(model).forward).parameters.values()]
    return inspect.Parameter.VAR_POSITIONAL in kinds and inspect.Parameter.VAR_KEYWORD in kinds


def _binds(forward: Callable[..., Any], positional: int, keywords: tuple[str, ...]) -> bool:
    """Return whether a bound function takes so many positional arguments and these keywords."""
    signature = _signature(forward)
    if signature is None:
        return False
    try:
        signature.bind(*([None] * positional), **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True


def _required(forward: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a bound function cannot do without."""
    signature = _signature(forward)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return (
        []
        if signature is None
        else [name for name, each in signature.parameters.items() if each.kind in kinds and each.default is each.empty]
    )


@lru_cache(maxsize=16)
def _signature(forward: Callable[..., Any]) -> inspect.Signature | None:
    # Of the bound method, which leaves out the first parameter whatever its name. Few are kept: each keeps its network.
    try:
        return inspect.signature(forward)
    except (TypeError, ValueError):
        return None
