"""Directions taken from a file: a surface of ours, or a direction file of the 2018 tool.

The 2018 tool's files hold bare arrays in the order of ``parameters()`` or of ``state_dict().values()``, without
names; files made under PyTorch 0.4.0 lack the ``num_batches_tracked`` entries of the latter. They are matched by
number and shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.directions import Direction, Plane, checkpoint_plane, rebuild_plane
from landscape.errors import DirectionError
from landscape.grid import Axis
from landscape.original import read_original_directions
from landscape.params import moved_tensors, require_same_shapes, work_dtype
from landscape.paths import component_label
from landscape.store import is_surface, read_directions, read_surface

Array = np.ndarray[Any, Any]


def read_direction_file(
    model: nn.Module,
    path: str | Path,
    *,
    trust: bool = False,
) -> Plane:
    """See `landscape.directions.read_plane`."""
    if not is_surface(path):
        return _original_plane(model, path)
    stored = read_directions(path)
    axes = read_surface(path).directions
    if not axes:
        raise DirectionError(f"{path} has no directions")
    if stored:
        return _stored_plane(model, path, axes, stored)
    return _followed_plane(model, path, axes, trust)


def _stored_plane(
    model: nn.Module, path: str | Path, axes: Sequence[Axis], stored: Sequence[Mapping[str, Array]]
) -> Plane:
    move = str(axes[0].recipe.get("move", "weights"))
    names = list(stored[0])
    live = {name: t for name, t in moved_tensors(model, move=move).items() if name in names}
    directions = []
    for number, (axis, arrays) in enumerate(zip(axes, stored, strict=True)):
        tree = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        require_same_shapes(tree, live, f"direction {number + 1} of {path}")
        # Whoever is drawn on it now: shares of variance are of the runs it was made from.
        label = component_label(axis.label, axis.recipe) if axis.source == "pca" else axis.label
        directions.append(_file_direction(tree, live, path, number, move, label))
    return _restricted(Plane.of(directions, move), list(live), model, move)


def _followed_plane(model: nn.Module, path: str | Path, axes: Sequence[Axis], trust: bool) -> Plane:
    sources = {axis.source for axis in axes}
    recipes = [axis.recipe for axis in axes]
    if sources == {"random"}:
        plane = rebuild_plane(model, recipes)
    elif sources == {"checkpoint"}:
        plane = checkpoint_plane(
            model,
            [f"{recipe['path']}:{recipe['key']}" if recipe.get("key") else recipe["path"] for recipe in recipes],
            move=recipes[0].get("move"),
            include=recipes[0].get("include"),
            exclude=recipes[0].get("exclude"),
            trust=trust,
        )
    elif sources == {"file"}:
        plane = _plane_of_files(model, path, recipes, trust)
    else:
        raise DirectionError(
            f"{path} names directions of the kind {', '.join(sorted(sources))} but does not hold them; "
            "make it again with --save-directions"
        )
    for axis, direction in zip(axes, plane.directions, strict=True):
        if axis.sha256 and axis.sha256 != direction.sha256:
            raise DirectionError(
                f"{axis.label or 'a direction'} of {path} cannot be built again for this network: its SHA-256 is "
                f"{direction.sha256[:12]}, {axis.sha256[:12]} is recorded; other weights, other names, or another "
                "release of NumPy; make the file again with --save-directions"
            )
    return plane


def _plane_of_files(model: nn.Module, path: str | Path, recipes: Sequence[Mapping[str, Any]], trust: bool) -> Plane:
    """Take directions from the file that a surface's were taken from."""
    sources = {str(recipe.get("path", "")) for recipe in recipes}
    (source,) = sources if len(sources) == 1 else ("",)
    if not Path(source).is_file() or Path(source).resolve() == Path(path).resolve():
        raise DirectionError(
            f"{path} does not hold its directions, and {source or 'the file'} that they were taken from is not there; "
            "name a file that holds them, or make it again with --save-directions"
        )
    plane = read_direction_file(model, source, trust=trust)
    return plane.first(len(recipes))


def _original_plane(model: nn.Module, path: str | Path) -> Plane:
    axes = read_original_directions(path)
    move, live, positions = _match(model, axes[0], path)
    directions = []
    for number, arrays in enumerate(axes):
        if len(arrays) != len(axes[0]):
            raise DirectionError(f"{path}: its directions have {len(axes[0])} and {len(arrays)} tensors")
        tree = {
            name: torch.stack([torch.from_numpy(np.asarray(arrays[p], dtype=np.float64)) for p in places])
            .sum(0)
            .reshape(live[name].shape)
            for name, places in positions.items()
        }
        directions.append(_file_direction(tree, live, path, number, move, ""))
    return Plane.of(directions, move)


def _file_direction(
    tree: Mapping[str, Tensor], live: Mapping[str, Tensor], path: str | Path, number: int, move: str, label: str
) -> Direction:
    recipe = {"source": "file", "path": str(path), "axis": number, "move": move}
    tensors = {name: tensor.to(work_dtype(live[name])) for name, tensor in tree.items()}
    return Direction.of(tensors, recipe, label or f"direction {number + 1} of {Path(path).name}")


def _match(
    model: nn.Module, arrays: Sequence[Array], path: str | Path
) -> tuple[str, dict[str, Tensor], dict[str, list[int]]]:
    """Find out which tensors of the network a bare list of arrays is for: their names and places in the list.

    A tied tensor stands in a state dict under each of its names, and the 2018 tool adds all of them to it.
    """
    states = dict(model.state_dict(keep_vars=True))
    parameters = dict(model.named_parameters())
    tried = {
        "parameters": ("weights", parameters),
        "states": ("states", states),
        "states without num_batches_tracked": (
            "states",
            {name: t for name, t in states.items() if not name.endswith("num_batches_tracked")},
        ),
    }
    for move, named in tried.values():
        if len(named) == len(arrays) and all(
            tuple(array.shape) == tuple(tensor.shape) for array, tensor in zip(arrays, named.values(), strict=True)
        ):
            live = moved_tensors(model, move=move)
            first_names = {id(tensor): name for name, tensor in live.items()}
            places: dict[str, list[int]] = {}
            for place, tensor in enumerate(named.values()):
                if id(tensor) in first_names:
                    places.setdefault(first_names[id(tensor)], []).append(place)
            return move, {name: live[name] for name in places}, places
    raise DirectionError(f"{path} does not fit the network: {_first_difference(arrays, tried)}")


def _first_difference(arrays: Sequence[Array], tried: Mapping[str, tuple[str, Mapping[str, Tensor]]]) -> str:
    said = []
    for what, (_, named) in tried.items():
        for place, (array, (name, tensor)) in enumerate(zip(arrays, named.items(), strict=False)):
            if tuple(array.shape) != tuple(tensor.shape):
                said.append(f"as {what}, tensor {place} is {tuple(array.shape)} there, {tuple(tensor.shape)} in {name}")
                break
        else:
            said.append(f"as {what}, it has {len(arrays)} tensors, the network {len(named)}")
    return "; ".join(said)


def _restricted(plane: Plane, names: Sequence[str], model: nn.Module, move: str) -> Plane:
    """Let a plane move just the tensors it has values for."""
    everything = moved_tensors(model, move=move)
    if len(names) == len(everything):
        return plane
    import re

    pattern = "^(" + "|".join(re.escape(name) for name in names) + ")$"
    return Plane(plane.directions, move, pattern, None, plane.cosines)
