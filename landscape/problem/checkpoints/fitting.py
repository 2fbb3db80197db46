"""Putting a checkpoint's tensors into a network: names, prefixes, shapes, precision.

Wrappers leave their mark on names: ``module.`` (DataParallel), ``_orig_mod.`` (torch.compile), ``model.`` and ``net.``
(Lightning and others). They are taken off or put on where that makes the names fit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from landscape.errors import CheckpointError
from landscape.files.atomic import printable
from landscape.problem.copies import copy_of

log = logging.getLogger(__name__)

# What wrappers put into names: at any depth, since a part of a network may be wrapped; or at the start only, where a
# network is an attribute of something larger.
_WRAPPERS = frozenset(("module", "_module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
_HOLDERS = frozenset(("model", "net", "network"))

# How many names an error lists of each kind: enough to see what is going on, few enough for one line.
_LISTED = 3


def fit_tensors(
    model: nn.Module, tensors: Mapping[str, Tensor], source: str, states: Mapping[str, Any] | None = None
) -> None:
    """Give a network the tensors of a checkpoint, in the checkpoint's floating precision.

    Parameters
    ----------
    model : Module
        Changed in place. Tied tensors stay tied, frozen ones frozen.
    tensors : mapping of str to Tensor
        Integer buffers may be missing, as in files older than these; and a tied tensor under its other names.
    source : str
        What an error calls the checkpoint.
    states : mapping of str to object, optional
        What modules saved of their own (``get_extra_state``); where the file has none, a warning says that it stays.

    Raises
    ------
    CheckpointError
        Names or shapes differ; the network is as it was.
    """
    named = fit_names({**tensors, **(states or {})}, model)
    given = {name: named.pop(name) for name, each in list(named.items()) if not isinstance(each, Tensor)}
    misfits = _misfits(model, named)
    if any(misfits) and not _accepts(model, named):
        raise CheckpointError(_describe(source, tensors, model, *misfits))
    _check_ties(model, named, source)
    _prepare(model, named, source)
    try:
        with torch.no_grad():
            left = model.load_state_dict({**named, **given}, strict=False)
    except Exception as error:  # a module's own way of loading had something to say
        raise CheckpointError(
            f"{source} does not fit {type(model).__name__}: {' '.join(str(error).split())}"
        ) from error
    kept = [name for name in left.missing_keys if name.endswith("_extra_state")]
    if kept:
        log.warning("%s does not hold %s, which stays as the network was built with", source, printable(kept[0]))


def fit_names(tensors: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors under the network's own names, wrappers' prefixes taken off or put on where that helps."""
    own = list(model.state_dict(keep_vars=True))
    bare: dict[str, str] = {}
    for name in own:
        # Where two names differ by a prefix alone, prefixes mean something.
        if bare.setdefault(_bare(name), name) != name:
            return _without_shared_prefix(tensors, own)
    known = set(own)
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        target = name if name in known else bare.get(_bare(name), name)
        if target in renamed:
            return dict(tensors)
        renamed[target] = tensor
    return renamed


def _without_shared_prefix(tensors: Mapping[str, Tensor], own: Sequence[str]) -> dict[str, Tensor]:
    """Take off, or put on, what stands before all names alike."""
    named = dict(tensors)
    while named and not set(own) <= set(named):
        first = next(iter(named)).partition(".")[0]
        if first not in _WRAPPERS | _HOLDERS or not all(name.startswith(f"{first}.") for name in named):
            break
        named = {name.removeprefix(f"{first}."): tensor for name, tensor in named.items()}
    if set(own) <= set(named):
        return named
    first = own[0].partition(".")[0]
    added = {f"{first}.{name}": tensor for name, tensor in tensors.items()}
    return added if first in _WRAPPERS | _HOLDERS and set(own) <= set(added) else dict(tensors)


def _bare(name: str) -> str:
    parts = [part for part in name.split(".") if part not in _WRAPPERS]
    while len(parts) > 1 and parts[0] in _HOLDERS:
        parts = parts[1:]
    return ".".join(parts)


def _misfits(model: nn.Module, named: Mapping[str, Tensor]) -> tuple[list[str], list[str], list[str]]:
    """Return what is missing, what is unexpected, and what has another shape."""
    state = _tensors_of(model)
    held = {id(tensor) for name, tensor in state.items() if name in named}
    missing = [
        name
        for name, tensor in state.items()
        if name not in named and id(tensor) not in held and (is_lazy(tensor) or _is_inexact(tensor))
    ]
    unexpected = [name for name, tensor in named.items() if name not in state and _is_inexact(tensor)]
    shapes = [
        f"{printable(name)} {_sides(tensor)} in the file, {_sides(state[name])} in the network"
        for name, tensor in named.items()
        if name in state and not is_lazy(state[name]) and tensor.shape != state[name].shape
    ]
    return missing, unexpected, shapes


def _tensors_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: each for name, each in model.state_dict(keep_vars=True).items() if isinstance(each, Tensor)}


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _accepts(model: nn.Module, named: Mapping[str, Tensor]) -> bool:
    """Whether the network's own hooks, which may rename what older versions wrote, make it fit."""
    try:
        with torch.no_grad():
            left = copy_of(model).load_state_dict(dict(named), strict=False)
    except Exception:  # whatever a user's hook or copy raises: then it does not fit
        return False
    state = _tensors_of(model)
    missing = [name for name in left.missing_keys if name in state and _is_inexact(state[name])]
    unexpected = [name for name in left.unexpected_keys if name in named and _is_inexact(named[name])]
    return not missing and not unexpected


def _check_ties(model: nn.Module, named: Mapping[str, Tensor], source: str) -> None:
    first: dict[int, str] = {}
    for name, tensor in _tensors_of(model).items():
        if name not in named:
            continue
        other = first.setdefault(id(tensor), name)
        if other != name and not _same_bytes(named[other], named[name]):
            raise CheckpointError(
                f"{source}: {other} and {name} are one tensor in the network, but differ in the file; "
                "build the network without tying them"
            )


def _same_bytes(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are the same, NaN for NaN: a network that diverged holds some."""
    if first is second:
        return True
    if first.dtype != second.dtype or first.shape != second.shape:
        return False
    return torch.equal(first.reshape(-1).view(torch.uint8), second.reshape(-1).view(torch.uint8))


def _prepare(model: nn.Module, named: Mapping[str, Tensor], source: str) -> None:
    """Give the network's tensors the file's precision, and memory where they have none."""
    state = _tensors_of(model)
    # A buffer that is not stored goes with the rest, as in model.half(), unless it was different to begin with.
    before, after = _precision(state), _precision(named)
    common = None if before is None or after is None else (before, after)
    sources: dict[int, Tensor] = {}
    for name, own in state.items():
        if name in named:
            sources.setdefault(id(own), named[name])
    replaced: dict[int, Tensor] = {}
    for prefix, module in model.named_modules():
        for table in (module._parameters, module._buffers):
            for name, own in list(table.items()):
                if own is None:
                    continue
                if id(own) not in replaced:
                    replaced[id(own)] = _prepared(
                        own, sources.get(id(own)), common, f"{prefix}.{name}".lstrip("."), source
                    )
                table[name] = replaced[id(own)]


def _precision(tensors: Mapping[str, Tensor]) -> torch.dtype | None:
    """Return the one precision of all floating tensors, or None where there are several."""
    found = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    return found.pop() if len(found) == 1 else None


def _prepared(
    own: Tensor, given: Tensor | None, common: tuple[torch.dtype, torch.dtype] | None, name: str, source: str
) -> Tensor:
    if is_lazy(own):
        assert given is not None  # else it were missing
        own.materialize(given.shape, dtype=given.dtype)
        return own
    dtype = own.dtype
    if own.is_floating_point():
        if given is not None and given.is_floating_point():
            dtype = given.dtype
        elif given is None and common is not None and dtype == common[0]:
            dtype = common[1]
    if own.is_meta:
        if given is None:
            raise CheckpointError(
                f"{source}: the network's {name} is on the meta device and not in the file, so it has no values; "
                "build the network on the CPU"
            )
        empty = torch.empty(own.shape, dtype=dtype)
        return nn.Parameter(empty, own.requires_grad) if isinstance(own, nn.Parameter) else empty
    if dtype != own.dtype:
        own.data = own.data.to(dtype)
    return own


def _describe(
    source: str,
    tensors: Mapping[str, Tensor],
    model: nn.Module,
    missing: Sequence[str],
    unexpected: Sequence[str],
    shapes: Sequence[str],
) -> str:
    parts = [
        f"{len(names)} {what}: {'; '.join(map(printable, names[:_LISTED]))}{' ...' if len(names) > _LISTED else ''}"
        for what, names in (
            ("the file does not have", missing),
            ("the network does not have", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    return f"{source} does not fit {type(model).__name__}: {', '.join(parts)}{_hint(tensors, model)}"


def _hint(tensors: Mapping[str, Tensor], model: nn.Module) -> str:
    """Name the prefix under which the network lies in the file, or the file in the network, if there is one."""
    state = _tensors_of(model)
    inside = _common_prefix(state, tensors)
    if inside:
        return f"; all of it is there under {inside!r}: choose that part with --checkpoint-key {inside.rstrip('.')}"
    around = _common_prefix(tensors, state)
    if around:
        return f"; the file fits the part of the network called {around!r}: give a --model that builds that part alone"
    return "; is it the right network, with the right --model-args?"


def _common_prefix(part: Mapping[str, Tensor], whole: Mapping[str, Tensor]) -> str:
    """Return the prefix under which all of ``part`` is found in ``whole`` with its shapes, or an empty text."""
    needed = {name: tensor for name, tensor in part.items() if is_lazy(tensor) or _is_inexact(tensor)}
    if not needed:
        return ""
    first = next(iter(needed))
    for name in whole:
        prefix = name.removesuffix(first)
        if (
            prefix != name
            and prefix.endswith(".")
            and all(
                prefix + each in whole and (is_lazy(tensor) or whole[prefix + each].shape == tensor.shape)
                for each, tensor in needed.items()
            )
        ):
            return prefix
    return ""


def _sides(tensor: Any) -> str:
    return " x ".join(map(str, tensor.shape)) or "a scalar"
