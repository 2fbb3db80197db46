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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from landscape.drawing import Difference, Drawn
from landscape.drawing import random_tensor as random_tensor
from landscape.errors import DirectionError, UsageError
from landscape.grid import Floats
from landscape.normalization import IGNORES, NORMALIZATIONS
from landscape.params import Tree, filters_of, floating_buffers, moved_tensors
from landscape.pieces import inner_products, survey

if TYPE_CHECKING:
    from landscape.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class Direction:
    """One direction: a tensor for each that moves, in float32 (float64 for float64 weights, see `tensors`)."""

    tensors: Tree  # random ones of half-precision weights in bfloat16; with low_memory made anew whenever they are read
    recipe: Mapping[str, Any]  # JSON: all it takes to build it again
    label: str
    length: float  # Euclidean
    sha256: str  # of the values rounded to bfloat16

    @classmethod
    def of(cls, tensors: Tree, recipe: Mapping[str, Any], label: str) -> Direction:
        """Measure a tree and make a direction of it."""
        gram, digests, spoilt = survey([tensors], DIGEST_DTYPE)
        _require_finite(spoilt[0], label)
        return cls(tensors, recipe, label, float(gram[0, 0]) ** 0.5, digests[0])


# A norm summed in another order differs in its sixteenth digit, which would change some last bit of float32 in a large
# network; another direction differs in far more than bfloat16 rounds away.
DIGEST_DTYPE = torch.bfloat16


def _require_finite(name: str | None, label: str) -> None:
    if name is not None:
        raise DirectionError(f"{label}: {name} holds values that are not finite")


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
        cls,
        directions: Sequence[Direction],
        move: str,
        include: str | None = None,
        exclude: str | None = None,
        gram: Floats | None = None,
    ) -> Plane:
        """Measure the angles between directions and make a plane of them; ``gram``: their inner products, if known."""
        for direction in directions:
            if direction.length == 0:
                raise DirectionError(f"{direction.label} is zero everywhere: {_why_zero(direction.recipe)}")
        if gram is None:
            gram = inner_products([direction.tensors for direction in directions])
        lengths = np.array([direction.length for direction in directions])
        cosines = gram / np.outer(lengths, lengths)
        np.fill_diagonal(cosines, 1.0)
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
    low_memory: bool = False,
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
    low_memory : bool
        Keep no tensors: they are drawn again, the same numbers, whenever they are needed.

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
    drawn: list[Drawn] = []
    for axis in range(dimensions):
        earlier = drawn[:axis] if orthogonal else ()
        drawn.append(Drawn(weights, layout, seed=seed, axis=axis, norm=norm, ignore=ignore, earlier=earlier))
    trees: list[Tree] = [tree if low_memory else dict(tree) for tree in drawn]
    gram, digests, spoilt = survey(trees, DIGEST_DTYPE)
    directions = []
    for axis, tree in enumerate(trees):
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
        label = f"random direction {axis + 1}"
        _require_finite(spoilt[axis], label)
        directions.append(Direction(tree, recipe, label, float(gram[axis, axis]) ** 0.5, digests[axis]))
    return Plane.of(directions, move, include, exclude, gram)


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
    move = move or default_move(model)
    chosen: dict[str, Any] = {"move": move, "include": include, "exclude": exclude}
    directions = [_towards(model, source, key, trust, chosen) for source in checkpoints]
    return Plane.of(directions, move, include, exclude)


def _towards(
    model: nn.Module, source: Checkpoint | str | Path, key: str | None, trust: bool, chosen: Mapping[str, Any]
) -> Direction:
    """Return the direction to one checkpoint; a function of its own, which lets go of what it has read."""
    from landscape.checkpoint import Checkpoint, apply_checkpoint, load_checkpoint

    if isinstance(source, Checkpoint):
        checkpoint, own_key = source, None
    else:
        path, own_key = _path_and_key(str(source), key)
        checkpoint = load_checkpoint(path, key=own_key, trust=trust)
    where, sha256 = str(checkpoint.path), checkpoint.sha256
    here = moved_tensors(model, **chosen)
    other = copy.deepcopy(model)
    apply_checkpoint(other, checkpoint)
    del checkpoint
    difference = Difference(here, moved_tensors(other, **chosen))
    half = any(difference.dtype(name) != tensor.dtype for name, tensor in here.items())
    tree: Tree = difference if half else dict(difference)
    recipe = {"source": "checkpoint", "path": where, "key": own_key, "sha256": sha256, **chosen}
    return Direction.of(tree, recipe, f"towards {Path(where).name}")


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


def rebuild_plane(model: nn.Module, recipes: Sequence[Mapping[str, Any]], *, low_memory: bool = False) -> Plane:
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
        low_memory=low_memory,
    )


def default_move(model: nn.Module) -> str:
    """Return what has to move so that a step of 1 arrives at another checkpoint."""
    return "states" if floating_buffers(model) else "weights"
