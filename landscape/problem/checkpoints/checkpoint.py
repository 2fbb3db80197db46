"""A checkpoint's path turned into named tensors, and those put into a network.

A file may hold bare tensors by name or keep them deeper, beside an optimizer and a learning rate, and may hold
several networks. Which one was taken is said in ``description``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from landscape.errors import CheckpointError
from landscape.files.atomic import printable
from landscape.problem.checkpoints.checkpoint_files import own_copies, read_contents
from landscape.problem.checkpoints.fitting import fit_tensors
from landscape.problem.params import digest

log = logging.getLogger(__name__)

# Names under which training scripts keep the network, and what marks a second set of its weights.
_USUAL = frozenset(
    ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "params", "module", "weights")
)
_AVERAGES = ("ema", "average", "averaged", "swa", "teacher", "momentum_encoder", "target_network")
# Under these names lie tensors that are not a network's.
_OTHERS = (
    "optim",
    "scheduler",
    "scaler",
    "rng",
    "callbacks",
    "loops",
    "sampler",
    "history",
    "metrics",
    "hyper_parameters",
    "_extra_state",
)

# How deep and how wide a file is searched: any real one is done far below, and a hostile one gets no further.
_DEPTH, _PLACES = 6, 10_000
_LIST = 16  # members of a list that are looked at
_METADATA = 64


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Named tensors from a file, on the CPU, that no longer depend on the file."""

    tensors: Mapping[str, Tensor]
    path: str
    sha256: str  # of names, types, shapes and bytes of the tensors
    description: str = ""  # where in the file they lay, and what else was there to choose
    candidates: tuple[str, ...] = ()  # the keys of all networks in the file
    metadata: Mapping[str, Any] = field(default_factory=dict)  # numbers and short texts in it: epoch, step, ...
    states: Mapping[str, Any] = field(default_factory=dict)  # what modules saved of their own (`get_extra_state`)


def path_of(source: str | os.PathLike[str]) -> Path:
    """Return where a checkpoint is; of an empty name, as a variable that is not set gives, not the folder here."""
    if not os.fspath(source):
        raise CheckpointError("a checkpoint's name is empty: is a variable not set?")
    return Path(os.path.expanduser(source))


def load_checkpoint(path: str | os.PathLike[str], *, key: str | None = None, trust: bool = False) -> Checkpoint:
    """Read the tensors of a network from a file.

    Parameters
    ----------
    path : path
        What ``torch.save`` wrote, a Lightning checkpoint, safetensors, or the index of one in several files; or a
        folder that ``save_pretrained`` or torch.distributed.checkpoint wrote.
    key : str, optional
        Which network, where there are several: the names that lead to it, joined by dots, as in ``ema.model``; or
        the start of the tensors' names, as in ``generator``. By default the one that plainly is the network, its
        own weights rather than an average of them.
    trust : bool
        Run code that comes with the file. Without it such a file is refused.

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        The file is missing, damaged, of another kind, or holds code; or it is not clear which network is meant.

    Examples
    --------
    >>> load_checkpoint("net.pt").metadata    # doctest: +SKIP
    {'epoch': 10}
    """
    path = path_of(path)
    contents = read_contents(path, trust=trust)
    found = _networks(contents)
    chosen, place = _choose(found, key, path)
    tensors = own_copies({name: value for name, value in chosen.items() if isinstance(value, Tensor)}, path)
    if not any(tensor.is_floating_point() or tensor.is_complex() for tensor in tensors.values()):
        raise CheckpointError(f"{path} holds no weights: none of its {len(tensors)} tensors is of floating point")
    others = [name for name in found if name != place]
    description = f"{len(tensors)} tensors{f' under {place!r}' if place else ''}"
    if others:
        description += f" (also there: {', '.join(map(printable, others[:5]))})"
    states = {
        name: each for name, each in chosen.items() if name.endswith("_extra_state") and not isinstance(each, Tensor)
    }
    metadata = _metadata(_members(contents))
    return Checkpoint(tensors, str(path), digest(tensors), description, tuple(found), metadata, states)


def open_checkpoint(
    path: str | os.PathLike[str], *, key: str | None = None, trust: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a network's tensors as they lie in a file, and the file's metadata, found as `load_checkpoint` finds them.

    Tensors in a file of today's torch.save are mapped: they take memory only while they are read, and need the file.
    """
    path = path_of(path)
    contents = read_contents(path, trust=trust)
    chosen, _ = _choose(dict(_networks(contents)), key, path)
    metadata = _metadata(_members(contents))
    return {name: value for name, value in chosen.items() if isinstance(value, Tensor)}, metadata


def apply_checkpoint(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Put a checkpoint's tensors into a network, in place; the network takes the checkpoint's precision.

    Prefixes that wrappers leave in names (``module.``, ``_orig_mod.``, ``model.``) are taken off or put on as needed.

    Raises
    ------
    CheckpointError
        Names or shapes do not fit; the message lists the first few. The network is then as it was.
    """
    fit_tensors(model, checkpoint.tensors, checkpoint.path, checkpoint.states)


def _networks(contents: Any) -> dict[str, Mapping[str, Any]]:
    """Return everything in a file that can be a network, by the names that lead to it, outermost first.

    By its number an epoch's network may be kept; where there is one by name, what has a number is none, but statistics
    of a class, say.
    """
    return _networks_in(contents, _members) or _networks_in(contents, _numbered_members)


def _networks_in(contents: Any, members: Callable[[Any], Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    loose: dict[str, Mapping[str, Any]] = {}  # tensors beside something deeper: a network only if that is none
    scalars: dict[str, Mapping[str, Any]] = {}  # no weights are all scalars, unless there is nothing else
    waiting: list[tuple[tuple[str, ...], Any, frozenset[int]]] = [((), contents, frozenset())]
    for place, value, around in waiting:
        if id(value) in around:  # it holds itself
            continue
        names = members(value)
        if members is _numbered_members and names.keys() >= {"state", "param_groups"}:
            continue  # an optimizer, which numbers what it keeps of weights
        inner = [
            ((*place, name), each, around | {id(value)})
            for name, each in names.items()
            if isinstance(each, (Mapping, nn.Module, list, tuple)) and not any(word in name.lower() for word in _OTHERS)
        ]
        if _is_network(names):
            plain = not inner or any("." in name for name, each in names.items() if isinstance(each, Tensor))
            (found if plain else loose)[".".join(place)] = names
        elif not inner and names and all(isinstance(each, Tensor) for each in names.values()):
            scalars[".".join(place)] = names
        if len(place) < _DEPTH and len(waiting) < _PLACES:
            waiting.extend(inner[:_PLACES])
    return found or loose or scalars


def _members(value: Any) -> Mapping[str, Any]:
    if isinstance(value, nn.Module):
        return value.state_dict()
    if isinstance(value, (list, tuple)):
        return {str(number): each for number, each in enumerate(value[:_LIST]) if not isinstance(each, Tensor)}
    if isinstance(value, Mapping):
        return {name: each for name, each in value.items() if isinstance(name, str)}
    return {}


def _numbered_members(value: Any) -> Mapping[str, Any]:
    """Return members by number as well; a tensor is nobody's weight there, and a text a class's name."""
    found: dict[str, Any] = {}
    for name, each in value.items() if isinstance(value, Mapping) else ():
        if type(name) is int and isinstance(each, (Mapping, nn.Module)):
            found[str(name)] = each
    return {**found, **_members(value)}


def _is_network(names: Mapping[str, Any]) -> bool:
    # A log of numbers beside the weights may be tensors too, but no weights are all scalars.
    return any(isinstance(each, Tensor) and each.ndim and each.numel() for each in names.values())


def _choose(found: Mapping[str, Mapping[str, Any]], key: str | None, path: Path) -> tuple[Mapping[str, Any], str]:
    if not found:
        raise CheckpointError(f"{path} holds no network: there are no tensors by name in it")
    if key is not None:
        return _choose_by_key(found, key, path)
    place = next(iter(found))
    if all(_same_members(each, found[place]) for each in found.values()):  # one network, under one name or several
        return found[place], place
    own = [place for place in found if not _is_average(place)]
    usual = [place for place in own if place.rpartition(".")[2] in _USUAL or place.partition(".")[0] in _USUAL]
    for likely in (usual, own):
        if len(likely) == 1:
            return found[likely[0]], likely[0]
    raise CheckpointError(
        f"{path} holds several networks: {', '.join(map(printable, list(found)[:10]))}; "
        "choose one with --checkpoint-key (key=...)"
    )


def _same_members(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(first[name] is second[name] for name in first)


def _is_average(place: str) -> bool:
    words = place.lower().replace(".", "_").split("_")
    return any(average in words or average in place.lower().split(".") for average in _AVERAGES)


def _choose_by_key(found: Mapping[str, Mapping[str, Any]], key: str, path: Path) -> tuple[Mapping[str, Any], str]:
    if key in found:
        return found[key], key
    below = [place for place in found if place.startswith(key + ".")]
    if len(below) == 1:
        return found[below[0]], below[0]
    for place, names in found.items():
        prefix = key.removeprefix(place + ".") + "." if place else key + "."
        part = {name.removeprefix(prefix): each for name, each in names.items() if name.startswith(prefix)}
        if part:
            return part, key
    raise CheckpointError(
        f"{path} has nothing under {key!r}; it holds {', '.join(repr(place) for place in list(found)[:10])}"
    )


def _metadata(contents: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers and short texts of the outer two levels of a file, but nothing out of a network."""
    metadata: dict[str, Any] = {}
    for prefix, level in (("", contents), *_deeper(contents)):
        weights = any("." in name for name, each in level.items() if isinstance(each, Tensor))
        for name, each in level.items():
            if isinstance(each, Tensor) and each.ndim == 0 and not weights and not each.is_meta:
                each = each.item()
            short = isinstance(each, (bool, int, float)) or (isinstance(each, str) and len(each) <= 200)
            if short and len(metadata) < _METADATA:
                metadata[prefix + name] = each
    return metadata


def _deeper(contents: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, each in contents.items():
        if isinstance(each, Mapping) and not any(word in name.lower() for word in _OTHERS):
            yield f"{name}.", _members(each)
