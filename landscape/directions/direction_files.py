"""Directions taken from a file: a surface of ours, or a direction file of the 2018 tool.

The 2018 tool's files hold bare arrays in the order of ``parameters()`` or of ``state_dict().values()``, without
names; files made under PyTorch 0.4.0 lack the ``num_batches_tracked`` entries of the latter. They are matched by
number and shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.directions.construct import Direction, Plane, checkpoint_plane, rebuild_plane
from landscape.directions.orthonormal import network_sources, orthonormal_plane
from landscape.errors import DirectionError
from landscape.files.li2018 import read_original_directions
from landscape.files.store import is_surface, read_directions, read_surface
from landscape.problem.chunks import real_numbers
from landscape.problem.params import Tree, moved_tensors, require_same_shapes, work_dtype
from landscape.surface.derived.variance_shares import component_label
from landscape.surface.grid import Axis

Array = np.ndarray[Any, Any]


def read_plane(model: nn.Module, path: str | Path, *, trust: bool = False) -> Plane:
    """Take the directions of a file: a surface of ours, or a surface's or direction file of the 2018 tool.

    Stored tensors are used where there are some; else the recipes in the file are followed again, and a direction
    that comes out other than the one recorded is refused.

    Raises
    ------
    DirectionError
        The file holds no directions, or they do not fit the network.
    FormatError
        The file cannot be read.
    """
    if not is_surface(path):
        return _original_plane(model, path)
    stored = read_directions(path)
    axes = read_surface(path).directions
    if not axes:
        raise DirectionError(f"{path} has no directions")
    return _stored_plane(model, path, axes, stored) if stored else _followed_plane(model, path, axes, trust)


def stored_arrays(tree: Tree) -> dict[str, Array]:
    """Return the arrays as which a file keeps a direction: of complex numbers both parts, along one more dimension."""
    return {name: real_numbers(tensor.detach()).cpu().numpy() for name, tensor in tree.items()}


def _read_back(array: Array, live: Tensor | None) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    both = live is not None and live.is_complex() and tuple(array.shape) == (*live.shape, 2)
    return torch.view_as_complex(tensor) if both else tensor


def _stored_plane(
    model: nn.Module, path: str | Path, axes: Sequence[Axis], stored: Sequence[Mapping[str, Array]]
) -> Plane:
    if len(stored) != len(axes):
        raise DirectionError(f"{path} holds {len(stored)} of the directions of its {len(axes)} axes; it is damaged")
    move = str(axes[0].recipe.get("move", "weights"))
    names = list(stored[0])
    live = {name: t for name, t in moved_tensors(model, move=move).items() if name in names}
    directions = []
    for number, (axis, arrays) in enumerate(zip(axes, stored, strict=True)):
        tree = {name: _read_back(array, live.get(name)) for name, array in arrays.items()}
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
    elif sources <= {"random", "checkpoint"}:
        plane = Plane.of([_followed(model, recipe, trust) for recipe in recipes])
    elif sources == {"networks"}:
        chosen = {name: recipes[0].get(name) for name in ("move", "include", "exclude")}
        plane = orthonormal_plane(model, network_sources(recipes[0]), trust=trust, **chosen)
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


def _followed(model: nn.Module, recipe: Mapping[str, Any], trust: bool) -> Direction:
    """Follow the recipe of one direction, random or towards a checkpoint."""
    if recipe.get("source") == "random":
        return rebuild_plane(model, [recipe]).directions[0]
    source = f"{recipe['path']}:{recipe['key']}" if recipe.get("key") else str(recipe["path"])
    chosen = {name: recipe.get(name) for name in ("move", "include", "exclude")}
    return checkpoint_plane(model, [source], trust=trust, **chosen).directions[0]


def _plane_of_files(model: nn.Module, path: str | Path, recipes: Sequence[Mapping[str, Any]], trust: bool) -> Plane:
    """Take directions from the file that a surface's were taken from."""
    sources = {str(recipe.get("path", "")) for recipe in recipes}
    (source,) = sources if len(sources) == 1 else ("",)
    if not Path(source).is_file() or Path(source).resolve() == Path(path).resolve():
        raise DirectionError(
            f"{path} does not hold its directions, and {source or 'the file'} that they were taken from is not there; "
            "name a file that holds them, or make it again with --save-directions"
        )
    return read_plane(model, source, trust=trust).first(len(recipes))


def _original_plane(model: nn.Module, path: str | Path) -> Plane:
    axes = read_original_directions(path)
    move, live, found = _match(model, axes[0], path)
    directions = []
    for number, arrays in enumerate(axes):
        if len(arrays) != len(axes[0]):
            raise DirectionError(f"{path}: its directions have {len(axes[0])} and {len(arrays)} tensors")
        tree = {
            name: torch.stack([torch.from_numpy(np.asarray(arrays[n], dtype=np.float64)) for n in numbers])
            .sum(0)
            .reshape(live[name].shape)
            for name, numbers in found.items()
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
    """Find out which tensors of the network a bare list of arrays is for: their names and numbers in the list.

    A tied tensor stands in a state dict under each of its names, and the 2018 tool adds all of them to it.
    """
    states = dict(model.state_dict(keep_vars=True))
    tried = {
        "parameters": dict(model.named_parameters()),
        "states": states,
        "states without num_batches_tracked": {
            n: t for n, t in states.items() if not n.endswith("num_batches_tracked")
        },
    }
    differences = []
    for what, named in tried.items():
        difference = _first_difference(arrays, named)
        if difference is None:
            move = "weights" if what == "parameters" else "states"
            live = moved_tensors(model, move=move)
            first_names = {id(tensor): name for name, tensor in live.items()}
            numbers: dict[str, list[int]] = {}
            for number, tensor in enumerate(named.values()):
                if id(tensor) in first_names:
                    numbers.setdefault(first_names[id(tensor)], []).append(number)
            return move, {name: live[name] for name in numbers}, numbers
        differences.append(f"as {what}, {difference}")
    raise DirectionError(f"{path} does not fit the network: {'; '.join(differences)}")


def _first_difference(arrays: Sequence[Array], named: Mapping[str, Tensor]) -> str | None:
    for number, (array, (name, tensor)) in enumerate(zip(arrays, named.items(), strict=False)):
        if tuple(array.shape) != tuple(tensor.shape):
            return f"tensor {number} is {tuple(array.shape)} there, {tuple(tensor.shape)} in {name}"
    return None if len(arrays) == len(named) else f"it has {len(arrays)} tensors, the network {len(named)}"


def _restricted(plane: Plane, names: Sequence[str], model: nn.Module, move: str) -> Plane:
    """Let a plane move just the tensors it has values for."""
    everything = moved_tensors(model, move=move)
    if len(names) == len(everything):
        return plane
    pattern = "^(" + "|".join(re.escape(name) for name in names) + ")$"
    return Plane(plane.directions, move, pattern, None, plane.cosines)
