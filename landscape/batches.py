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

Batch = Any

# Under which name a batch that is a mapping holds what is to be predicted, the likeliest first.
TARGET_NAMES = ("labels", "label", "targets", "target", "y")


def map_tensors(change: Callable[[Any], Any], batch: Batch) -> Batch:
    """Return a batch of the same structure with ``change`` applied to every tensor or array in it."""
    if isinstance(batch, (Tensor, np.ndarray)):
        return change(batch)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(map_tensors(change, part) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)([map_tensors(change, part) for part in batch])
    if isinstance(batch, Mapping):
        return _mapping_like(batch, {key: map_tensors(change, part) for key, part in batch.items()})
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        parts = {f.name: map_tensors(change, getattr(batch, f.name)) for f in dataclasses.fields(batch) if f.init}
        return dataclasses.replace(batch, **parts)
    return batch


def tensors_in(batch: Batch) -> Iterator[Tensor | np.ndarray[Any, Any]]:
    """Yield every tensor or array of a batch, in a fixed order."""
    if isinstance(batch, (Tensor, np.ndarray)):
        yield batch
    elif isinstance(batch, (tuple, list)):
        for part in batch:
            yield from tensors_in(part)
    elif isinstance(batch, Mapping):
        for part in batch.values():
            yield from tensors_in(part)
    elif dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        for field in dataclasses.fields(batch):
            yield from tensors_in(getattr(batch, field.name))


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
    sizes = {tensor.shape[0] for tensor in tensors_in(batch) if tensor.ndim}
    if len(sizes) == 1:
        return int(sizes.pop())
    target = _target_of(batch)
    if isinstance(target, (Tensor, np.ndarray)) and target.ndim:
        return int(target.shape[0])
    for name in ("batch_size", "num_graphs"):
        number = getattr(batch, name, None)
        if isinstance(number, int):
            return number
    if not sizes and hasattr(batch, "__len__") and not isinstance(batch, (Mapping, Tensor, np.ndarray)):
        return len(batch)
    raise ProblemError(
        f"cannot tell how many samples a batch holds: {describe_batch(batch)}; "
        "the first dimension of each tensor has to count samples"
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
        int(tensor.nbytes) if isinstance(tensor, np.ndarray) else tensor.numel() * tensor.element_size()
        for tensor in tensors_in(batch)
    )


def to_device(batch: Batch, device: torch.device | str) -> Batch:
    """Return a batch with every tensor on ``device``; arrays become tensors.

    To a GPU copies are only begun: what runs there later waits for them, what reads the next batch does not.

    An object of a user's own is moved by its ``to`` method where it has one, else left as it is.
    """
    if _is_opaque(batch) and callable(getattr(batch, "to", None)):
        return batch.to(device)

    def move(leaf: Any) -> Tensor:
        tensor = torch.as_tensor(leaf)
        if torch.device(device).type != "cuda" or tensor.device.type != "cpu":
            return tensor.to(device)
        # Only from memory that stays where it is can a GPU copy while the processor goes on.
        return tensor.pin_memory().to(device, non_blocking=True)

    return map_tensors(move, batch)


def slice_batch(batch: Batch, start: int, stop: int) -> Batch:
    """Return samples ``start`` to ``stop`` of a batch, as views where possible; scalars are kept as they are."""
    if _is_opaque(batch):
        return batch[start:stop]
    return _slice_parts(batch, start, stop)


def _slice_parts(batch: Batch, start: int, stop: int) -> Batch:
    if isinstance(batch, list) and not any(True for _ in tensors_in(batch)):
        return batch[start:stop]  # texts, say: one a sample
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_slice_parts(part, start, stop) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)([_slice_parts(part, start, stop) for part in batch])
    if isinstance(batch, Mapping):
        return _mapping_like(batch, {key: _slice_parts(part, start, stop) for key, part in batch.items()})
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        parts = {f.name: _slice_parts(getattr(batch, f.name), start, stop) for f in dataclasses.fields(batch) if f.init}
        return dataclasses.replace(batch, **parts)
    if isinstance(batch, (Tensor, np.ndarray)) and batch.ndim:
        return batch[start:stop]
    return batch


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
        return torch.cat(list(batches)) if first.ndim else first
    if isinstance(first, np.ndarray):
        return np.concatenate(batches) if first.ndim else first
    if isinstance(first, list) and not any(True for _ in tensors_in(first)):
        return [item for each in batches for item in each]
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(_join(parts) for parts in zip(*batches, strict=True)))
    if isinstance(first, (tuple, list)):
        return type(first)([_join(parts) for parts in zip(*batches, strict=True)])
    if isinstance(first, Mapping):
        return _mapping_like(first, {key: _join([each[key] for each in batches]) for key in first})
    if dataclasses.is_dataclass(first) and not isinstance(first, type):
        names = [f.name for f in dataclasses.fields(first) if f.init]
        return dataclasses.replace(first, **{n: _join([getattr(each, n) for each in batches]) for n in names})
    return first


def split_inputs_targets(batch: Batch) -> tuple[Any, Any]:
    """Split a batch into what the network is given and what it should answer.

    A pair is (inputs, target); a mapping or dataclass has its target under one of ``TARGET_NAMES``.

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
    raise ProblemError(f"a built-in loss needs batches of (inputs, target), this one is {describe_batch(batch)}; {own}")


def call_model(model: Callable[..., Any], inputs: Any) -> Any:
    """Call a network on the inputs of a batch.

    A mapping is passed as keywords where the network's ``forward`` takes these, a tuple as positional arguments
    where it takes that many; otherwise, and anything else, whole.
    """
    if isinstance(inputs, Mapping):
        if _binds(_forward_of(model), 0, tuple(str(key) for key in inputs)):
            return model(**inputs)
    elif isinstance(inputs, (tuple, list)) and _binds(_forward_of(model), len(inputs), ()):
        return model(*inputs)
    return model(inputs)


def output_logits(output: Any) -> Tensor:
    """Return the tensor of a network's output: itself, its ``logits``, or the first of a tuple.

    Raises
    ------
    ProblemError
        There is none.
    """
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        for name in ("logits", "out"):  # torchvision's segmentation networks say "out"
            found = output.get(name)
            if isinstance(found, Tensor):
                return found
    logits = getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    if isinstance(output, (tuple, list)) and output and isinstance(output[0], Tensor):
        return output[0]
    raise ProblemError(
        f"a built-in loss needs a network that returns a tensor, or something with logits; this one returned "
        f"{describe_batch(output)}; write a loss of your own and pass it as --loss file.py:loss"
    )


def describe_batch(batch: Batch, depth: int = 2) -> str:
    """Say what a batch is made of, briefly: ``(float32 8 x 3 x 32 x 32, int64 8)``."""
    if isinstance(batch, (Tensor, np.ndarray)):
        sides = " x ".join(map(str, batch.shape)) or "scalar"
        return f"{str(batch.dtype).removeprefix('torch.')} {sides}"
    if depth and isinstance(batch, (tuple, list)):
        shown = ", ".join(describe_batch(part, depth - 1) for part in batch[:4])
        return f"({shown}{', ...' if len(batch) > 4 else ''})"
    if depth and isinstance(batch, Mapping):
        shown = ", ".join(f"{key}: {describe_batch(part, depth - 1)}" for key, part in list(batch.items())[:6])
        return f"{{{shown}}}"
    return f"a {type(batch).__name__}"


def _is_opaque(batch: Batch) -> bool:
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


@lru_cache(maxsize=16)
def _signature(forward: Callable[..., Any]) -> inspect.Signature | None:
    # Of the bound method, which leaves out the first parameter whatever its name. Few are kept: each keeps its network.
    try:
        return inspect.signature(forward)
    except (TypeError, ValueError):
        return None
