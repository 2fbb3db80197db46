"""Directions in weight space, scaled so that pictures of different networks compare.

A direction holds one tensor for each tensor that moves, and the recipe that made it. A random tensor depends on
(seed, axis number, parameter name, shape) and on nothing else: not on construction order, device, number of ranks
or torch's global generator, which is left alone. So a recipe is enough to build a direction again.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 4.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.errors import DirectionError, UsageError
from landscape.grid import Floats
from landscape.normalization import IGNORES, NORMALIZATIONS, normalize_direction, orthogonalize
from landscape.params import (
    Tree,
    digest,
    filters_of,
    floating_buffers,
    inner_product,
    moved_tensors,
    work_dtype,
)

if TYPE_CHECKING:
    from landscape.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction: a tensor for each that moves, in float32 (float64 for float64 weights)."""

    tensors: Tree
    recipe: Mapping[str, Any]  # JSON: all it takes to build it again
    label: str
    length: float  # Euclidean
    sha256: str

    @classmethod
    def of(cls, tensors: Tree, recipe: Mapping[str, Any], label: str) -> Direction:
        """Measure a tree and make a direction of it."""
        for name, tensor in tensors.items():
            if not bool(torch.isfinite(tensor).all()):
                raise DirectionError(f"{label}: {name} holds values that are not finite")
        return cls(tensors, recipe, label, inner_product(tensors, tensors) ** 0.5, direction_digest(tensors))


def direction_digest(tensors: Tree) -> str:
    """Return the SHA-256 of a direction, its values rounded to bfloat16.

    Rounded, because a norm summed in another order differs in its sixteenth digit, which would change some last bit
    of float32 in a large network; another direction differs in far more than that.
    """
    return digest({name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()})


@dataclass(frozen=True, eq=False)
class Plane:
    """Directions through one checkpoint: one for a line, two for a plane, three for a volume."""

    directions: tuple[Direction, ...]  # x first
    move: str = "weights"
    include: str | None = None
    exclude: str | None = None
    cosines: Floats = field(default_factory=lambda: np.eye(1))  # (directions, directions)

    @classmethod
    def of(
        cls, directions: Sequence[Direction], move: str, include: str | None = None, exclude: str | None = None
    ) -> Plane:
        """Measure the angles between directions and make a plane of them."""
        for direction in directions:
            if direction.length == 0:
                raise DirectionError(f"{direction.label} is zero everywhere: {_why_zero(direction.recipe)}")
        number = len(directions)
        cosines = np.eye(number)
        for i in range(number):
            for j in range(i):
                lengths = directions[i].length * directions[j].length
                product = inner_product(directions[i].tensors, directions[j].tensors)
                cosines[i, j] = cosines[j, i] = product / lengths if lengths else 0.0
        return cls(tuple(directions), move, include, exclude, cosines)

    def __len__(self) -> int:
        return len(self.directions)

    def first(self, number: int) -> Plane:
        """Return the plane of the first ``number`` directions."""
        if number > len(self.directions):
            raise DirectionError(f"{number} axes were asked for, there are {len(self.directions)} directions")
        return Plane(self.directions[:number], self.move, self.include, self.exclude, self.cosines[:number, :number])


def _why_zero(recipe: Mapping[str, Any]) -> str:
    if recipe.get("source") == "checkpoint":
        return f"{recipe.get('path')} holds the weights that the network has"
    if recipe.get("source") == "random":
        return (
            f"ignore={recipe.get('ignore')!r} and norm={recipe.get('norm')!r} leave nothing to move; "
            "try --ignore none, or another --include"
        )
    return "there is nothing to move along"


def random_tensor(seed: int, axis: int, name: str, shape: Sequence[int]) -> Tensor:
    """Draw standard normal numbers that depend on nothing but the arguments.

    Returns
    -------
    Tensor of float64, on the CPU
        NumPy's PCG64 stream, seeded by the SHA-256 of the arguments: torch's own stream differs between processors
        with and without vector units.
    """
    key = hashlib.sha256(f"{seed}/{axis}/{name}/{tuple(shape)}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "little")))
    return torch.from_numpy(np.asarray(generator.standard_normal(tuple(shape))))


def random_plane(
    model: nn.Module,
    *,
    seed: int = 0,
    dimensions: int = 2,
    norm: str = "filter",
    ignore: str = "biasbn",
    orthogonal: bool = False,
    move: str = "weights",
    include: str | None = None,
    exclude: str | None = None,
) -> Plane:
    """Draw random directions, normalised against the weights the model holds now [1]_.

    Parameters
    ----------
    model : Module
        At theta*; it is not changed.
    seed : int
        Other seeds give other directions.
    dimensions : int
        1 for a line, 2 for a plane, 3 for a volume.
    norm : {"filter", "layer", "weight", "dfilter", "dlayer", "model", "none"}
        See `landscape.normalization.normalize_direction`.
    ignore : {"biasbn", "none"}
        ``"biasbn"`` leaves tensors of fewer than two dimensions where they are.
    orthogonal : bool
        Make each direction orthogonal to those before it, filter by filter, at the same filter lengths.
    move, include, exclude
        See `landscape.params.moved_tensors`.

    Raises
    ------
    UsageError
        An unknown choice, or nothing left to move.
    DirectionError
        The weights are not finite, so nothing can be normalised against them.
    """
    if dimensions < 1:
        raise UsageError(f"dimensions is {dimensions}, a line has 1, a plane 2, a volume 3")
    if norm not in NORMALIZATIONS:
        raise UsageError(f"norm is {norm!r}, it has to be one of {', '.join(NORMALIZATIONS)}")
    if ignore not in IGNORES:
        raise UsageError(f"ignore is {ignore!r}, it has to be one of {', '.join(IGNORES)}")
    weights = moved_tensors(model, move=move, include=include, exclude=exclude)
    layout = filters_of(model)
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise DirectionError(
                f"the network's {name} holds values that are not finite; a direction cannot be scaled to them"
            )
    directions: list[Direction] = []
    for axis in range(dimensions):
        recipe = {
            "source": "random",
            "seed": seed,
            "axis": axis,
            "norm": norm,
            "ignore": ignore,
            "move": move,
            "orthogonal": orthogonal,
            "include": include,
            "exclude": exclude,
        }
        drawn = {name: random_tensor(seed, axis, name, tensor.shape) for name, tensor in weights.items()}
        tree = normalize_direction(drawn, weights, layout, norm=norm, ignore=ignore)
        if orthogonal:
            tree = orthogonalize(tree, [direction.tensors for direction in directions], layout)
        directions.append(Direction.of(tree, recipe, f"random direction {axis + 1}"))
    return Plane.of(directions, move, include, exclude)


def checkpoint_plane(
    model: nn.Module,
    checkpoints: Sequence[Checkpoint | str | Path],
    *,
    move: str | None = None,
    include: str | None = None,
    exclude: str | None = None,
    key: str | None = None,
    trust: bool = False,
) -> Plane:
    """Return the directions from the model's weights to other checkpoints: 0 is here, 1 is there.

    A path may be ``FILE:KEY`` where a file holds several networks; ``key`` is for all that have none of their own.
    Never normalised and never masked. ``move`` is by default ``"states"`` where the network has floating buffers:
    with running statistics left behind, 1 would not be the second network.

    Raises
    ------
    CheckpointError
        A checkpoint cannot be read or does not fit.
    """
    from landscape.checkpoint import Checkpoint, apply_checkpoint, load_checkpoint

    move = move or default_move(model)
    here = moved_tensors(model, move=move, include=include, exclude=exclude)
    directions = []
    for source in checkpoints:
        if isinstance(source, Checkpoint):
            checkpoint, own_key = source, None
        else:
            path, own_key = _path_and_key(str(source), key)
            checkpoint = load_checkpoint(path, key=own_key, trust=trust)
        other = copy.deepcopy(model)
        apply_checkpoint(other, checkpoint)
        there = moved_tensors(other, move=move, include=include, exclude=exclude)
        tree = {
            name: (there[name].detach().to(work_dtype(tensor)) - tensor.detach().to(work_dtype(tensor)))
            for name, tensor in here.items()
        }
        recipe = {
            "source": "checkpoint",
            "path": str(checkpoint.path),
            "key": own_key,
            "sha256": checkpoint.sha256,
            "move": move,
            "include": include,
            "exclude": exclude,
        }
        directions.append(Direction.of(tree, recipe, f"towards {Path(checkpoint.path).name}"))
    return Plane.of(directions, move, include, exclude)


def _path_and_key(source: str, default: str | None) -> tuple[str, str | None]:
    """Split ``FILE:KEY``, which says which of several networks in a file is meant."""
    path, colon, own = source.rpartition(":")
    if colon and not Path(source).exists() and Path(path).is_file():
        return path, own
    return source, default


def read_plane(
    model: nn.Module,
    path: str | Path,
    *,
    trust: bool = False,
) -> Plane:
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
    from landscape.direction_files import read_direction_file

    return read_direction_file(model, path, trust=trust)


def rebuild_plane(model: nn.Module, recipes: Sequence[Mapping[str, Any]]) -> Plane:
    """Build random directions again from their recipes (one for each axis, of one seed and one way)."""
    first = recipes[0]
    return random_plane(
        model,
        seed=int(first["seed"]),
        dimensions=len(recipes),
        norm=first["norm"],
        ignore=first["ignore"],
        orthogonal=bool(first["orthogonal"]),
        move=first["move"],
        include=first.get("include"),
        exclude=first.get("exclude"),
    )


def default_move(model: nn.Module) -> str:
    """Return what has to move so that a step of 1 arrives at another checkpoint."""
    return "states" if floating_buffers(model) else "weights"
