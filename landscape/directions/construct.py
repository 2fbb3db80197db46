"""Directions in weight space, scaled so that pictures of different networks compare.

A direction holds one tensor for each tensor that moves, and the recipe that made it. A random tensor depends on
(seed, axis number, parameter name, shape) and on nothing else: not on construction order, device, number of ranks
or torch's global generator, which is left alone. So a recipe is enough to build a direction again.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 4.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.directions.filters import Filters, filters_of
from landscape.directions.random_tensors import LazyDifference, RandomTensors
from landscape.directions.random_tensors import random_tensor as random_tensor
from landscape.errors import DirectionError, UsageError
from landscape.problem.chunks import LazyTensors, inner_products, survey
from landscape.problem.copies import copy_of
from landscape.problem.params import Tree, can_move, floating_buffers, is_chosen, moved_tensors
from landscape.surface.grid import Floats
from landscape.surface.recipes import IGNORES, NORMALIZATIONS

if TYPE_CHECKING:
    from landscape.problem.checkpoints.checkpoint import Checkpoint


logger = logging.getLogger(__name__)


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
# Beyond this cosine a plane is next to a line.
PARALLEL = 0.99
# A file's JSON holds whole numbers of this size exactly, whatever reads it.
LARGEST_SEED = 2**53
# So many tensors of a kind are named in a file.
NAMED = 8


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
        move: str | None = None,
        include: str | None = None,
        exclude: str | None = None,
        gram: Floats | None = None,
    ) -> Plane:
        """Measure the angles between directions and make a plane of them.

        Directions may be over different parts of a network: each leaves alone what only others move. Without ``move``
        and the two expressions these are taken from the directions' recipes.

        Parameters
        ----------
        directions : sequence of Direction
            x first.
        move, include, exclude
            See `landscape.problem.params.moved_tensors`.
        gram : ndarray, shape (directions, directions), optional
            Inner products, if they are known.

        Raises
        ------
        DirectionError
            A direction is zero everywhere.

        Examples
        --------
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
        >>> lines = [random_plane(model, include=part, dimensions=1) for part in ("^0", "^1")]
        >>> Plane.of([line.directions[0] for line in lines]).include
        '(?:^0)|(?:^1)'
        """
        if move is None:
            moves = {str(direction.recipe.get("move") or "weights") for direction in directions}
            move = "states" if "states" in moves else "weights"
        if include is None and exclude is None:
            include, exclude = _joined([direction.recipe for direction in directions])
        directions = _over_the_same(directions)
        for direction in directions:
            if direction.length == 0:
                raise DirectionError(f"{direction.label} is zero everywhere: {_why_zero(direction.recipe)}")
        if gram is None:
            gram = inner_products([direction.tensors for direction in directions])
        lengths = np.array([direction.length for direction in directions])
        cosines = gram / np.outer(lengths, lengths)
        np.fill_diagonal(cosines, 1.0)
        for i, j in zip(*np.nonzero(np.triu(np.abs(cosines) > PARALLEL, 1)), strict=True):
            logger.warning(
                "%s and %s are nearly parallel (cosine %.4f): the picture shows one direction twice",
                directions[i].label,
                directions[j].label,
                cosines[i, j],
            )
        return cls(tuple(directions), move, include, exclude, cosines)

    def __len__(self) -> int:
        """Return the number of directions."""
        return len(self.directions)

    def first(self, number: int) -> Plane:
        """Return the plane of the first ``number`` directions."""
        if number > len(self.directions):
            raise DirectionError(f"{number} axes were asked for, there are {len(self.directions)} directions")
        return Plane(self.directions[:number], self.move, self.include, self.exclude, self.cosines[:number, :number])


def _joined(recipes: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """Return expressions that find the names that any of some recipes finds."""
    chosen = dict.fromkeys((recipe.get("include"), recipe.get("exclude")) for recipe in recipes)
    if len(chosen) == 1:
        return next(iter(chosen))
    parts = [
        f"^(?!.*(?:{exclude})).*(?:{include or ''})" if exclude else str(include or "") for include, exclude in chosen
    ]
    return ("|".join(f"(?:{part})" for part in parts) if all(parts) else None), None


def _over_the_same(directions: Sequence[Direction]) -> list[Direction]:
    """Give each direction a tensor for whatever another moves: of zeros that take no memory."""
    shapes = {
        name: (each.tensors.shape(name) if isinstance(each.tensors, LazyTensors) else each.tensors[name].shape)
        for each in directions
        for name in each.tensors
    }
    found = []
    for each in directions:
        lacking = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items() if name not in each.tensors}
        found.append(replace(each, tensors={**each.tensors, **lacking}) if lacking else each)
    return found


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
    keep_zeros: bool = False,
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
        See `landscape.directions.normalization.normalize_direction`.
    ignore : {"biasbn", "none"}
        ``"biasbn"`` leaves tensors of fewer than two dimensions where they are.
    orthogonal : bool
        Make each direction orthogonal to those before it, filter by filter, at the same filter lengths.
    move, include, exclude
        See `landscape.problem.params.moved_tensors`.
    keep_zeros : bool
        Leave weights that are exactly 0 where they are, as those of a pruned network have to be.
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
    if abs(seed) > LARGEST_SEED:
        raise UsageError(f"the seed of random directions is {seed}, it may be no larger than 2^53")
    if norm not in NORMALIZATIONS:
        raise UsageError(f"norm is {norm!r}, it has to be one of {', '.join(NORMALIZATIONS)}")
    if ignore not in IGNORES:
        raise UsageError(f"ignore is {ignore!r}, it has to be one of {', '.join(IGNORES)}")
    chosen = {"norm": norm, "ignore": ignore, "move": move, "orthogonal": orthogonal}
    chosen |= {"include": include, "exclude": exclude, **({"keep_zeros": True} if keep_zeros else {})}
    weights = moved_tensors(model, move=move, include=include, exclude=exclude)
    layout = filters_of(model)
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise DirectionError(
                f"the network's {name} holds values that are not finite; a direction cannot be scaled to them"
            )
    rules = {"filters": _rules(weights, layout)} if norm in ("filter", "dfilter") else {}
    drawn: list[RandomTensors] = []
    how: dict[str, Any] = {"seed": seed, "norm": norm, "ignore": ignore, "keep_zeros": keep_zeros}
    for axis in range(dimensions):
        earlier = drawn[:axis] if orthogonal else ()
        drawn.append(RandomTensors(weights, layout, axis=axis, earlier=earlier, **how))
    trees: list[Tree] = [tree if low_memory else dict(tree) for tree in drawn]
    gram, digests, spoilt = survey(trees, DIGEST_DTYPE)
    directions = []
    for axis, tree in enumerate(trees):
        recipe = {"source": "random", "seed": seed, "axis": axis, **chosen, **rules}
        label = f"random direction {axis + 1}"
        _require_finite(spoilt[axis], label)
        directions.append(Direction(tree, recipe, label, float(gram[axis, axis]) ** 0.5, digests[axis]))
    return Plane.of(directions, move, include, exclude, gram)


def _rules(weights: Tree, filters: Mapping[str, Filters]) -> dict[str, list[str]]:
    """Return what a filter is in words, and the tensors it is so for, as far as they are named in a file."""
    rules: dict[str, list[str]] = {}
    for name, weight in weights.items():
        if weight.ndim >= 2:
            rules.setdefault(filters[name].rule, []).append(name)
    return {rule: _named(names) for rule, names in rules.items()}


def _named(names: Sequence[str]) -> list[str]:
    return [*names] if len(names) <= NAMED else [*names[:NAMED], f"{len(names) - NAMED} more"]


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
    with running statistics left behind, 1 would not be the second network. Whatever still differs from it at 1,
    because ``include``, ``exclude`` or ``move`` leave it behind, is named in the recipe under ``differs``.

    Raises
    ------
    CheckpointError
        A checkpoint cannot be read or does not fit.
    DirectionError
        Whole numbers or masks differ, which cannot move, so that 1 would not be the second network.
    """
    asked, move = move, move or default_move(model)
    chosen: dict[str, Any] = {"move": move, "include": include, "exclude": exclude}
    directions = [_towards(model, source, key, trust, chosen, asked is None) for source in checkpoints]
    return Plane.of(directions, move, include, exclude)


def _towards(
    model: nn.Module,
    source: Checkpoint | str | Path,
    key: str | None,
    trust: bool,
    chosen: Mapping[str, Any],
    whole: bool,
) -> Direction:
    """Return the direction to one checkpoint; a function of its own, which lets go of what it has read."""
    from landscape.problem.checkpoints.checkpoint import Checkpoint, apply_checkpoint, load_checkpoint

    if isinstance(source, Checkpoint):
        checkpoint, own_key = source, None
    else:
        path, own_key = _path_and_key(str(source), key)
        checkpoint = load_checkpoint(path, key=own_key, trust=trust)
    where, sha256 = str(checkpoint.path), checkpoint.sha256
    here = moved_tensors(model, **chosen)
    other = copy_of(model)
    apply_checkpoint(other, checkpoint)
    del checkpoint
    difference = LazyDifference(here, moved_tensors(other, **chosen))
    half = any(difference.dtype(name) != tensor.dtype for name, tensor in here.items())
    tree: Tree = difference if half else dict(difference)
    left = _left_behind(model, other, here)
    subspace = chosen["include"], chosen["exclude"]
    fixed = [name for name, tensor in left.items() if not can_move(tensor) and is_chosen(name, *subspace)]
    wanted = fixed if whole or chosen["move"] == "states" else []
    wanted += [name for name in _states_that_differ(model, other) if is_chosen(name, *subspace)]
    if wanted:
        kind = left[wanted[0]].dtype if wanted[0] in left else "state of a module's own"
        raise DirectionError(
            f"{', '.join(wanted[:3])}{' and others' if len(wanted) > 3 else ''} ({kind}) cannot move, "
            f"and {Path(where).name} holds other values than the network: 1 would not be the second network. "
            "Give both networks the same values, or leave it behind knowingly with --exclude (exclude=)"
        )
    differs = _named(list(left))
    recipe = {"source": "checkpoint", "path": where, "key": own_key, "sha256": sha256, **chosen, "differs": differs}
    return Direction.of(tree, recipe, f"towards {Path(where).name}")


def _left_behind(model: nn.Module, other: nn.Module, moved: Tree) -> dict[str, Tensor]:
    """Return the tensors of a network's state that differ from another's and do not move."""
    there = other.state_dict(keep_vars=True)
    memory = {(tensor.data_ptr(), tensor.numel()) for tensor in moved.values()}
    left = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if not isinstance(tensor, Tensor) or name in moved or (tensor.data_ptr(), tensor.numel()) in memory:
            continue
        # How many batches a batch norm has seen matters to no evaluation.
        if not name.endswith("num_batches_tracked") and not _same(tensor.detach(), there[name].detach()):
            left[name] = tensor.detach()
    return left


def _states_that_differ(model: nn.Module, other: nn.Module) -> list[str]:
    """Return the names of what modules save of their own (``get_extra_state``), where two networks' differ."""
    there = other.state_dict(keep_vars=True)
    own = {name: each for name, each in model.state_dict(keep_vars=True).items() if name.endswith("_extra_state")}
    return [name for name, each in own.items() if not _alike(each, there.get(name))]


def _alike(own: Any, other: Any) -> bool:
    """Return whether two states of modules hold the same; what cannot be compared does not."""
    if isinstance(own, Tensor) and isinstance(other, Tensor):
        return _same(own.detach(), other.detach())
    if isinstance(own, Mapping) and isinstance(other, Mapping):
        return own.keys() == other.keys() and all(_alike(each, other[name]) for name, each in own.items())
    if isinstance(own, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(own) == len(other) and all(map(_alike, own, other))
    try:
        return bool(own.getvalue() == other.getvalue() if isinstance(own, BytesIO) else own == other)
    except Exception:  # a class of somebody's own
        return False


def _same(tensor: Tensor, other: Tensor) -> bool:
    """Return whether two tensors hold the same numbers; NaN is itself."""
    if tensor.is_quantized:
        tensor, other = tensor.dequantize(), other.dequantize()
    other = other.to(tensor.device)
    return tensor.shape == other.shape and bool(((tensor == other) | ((tensor != tensor) & (other != other))).all())


def _path_and_key(source: str, default: str | None) -> tuple[str, str | None]:
    """Split ``FILE:KEY``, which says which of several networks in a file is meant."""
    path, colon, own = source.rpartition(":")
    if colon and not Path(source).exists() and Path(path).exists():
        return path, own
    return source, default


def rebuild_plane(model: nn.Module, recipes: Sequence[Mapping[str, Any]], *, low_memory: bool = False) -> Plane:
    """Build random directions again from their recipes, one for each axis."""
    names = ("seed", "norm", "ignore", "orthogonal", "move", "include", "exclude", "keep_zeros")
    ways = [{name: recipe.get(name) for name in names} for recipe in recipes]
    numbers = [int(recipe.get("axis", number)) for number, recipe in enumerate(recipes)]
    if all(way == ways[0] for way in ways) and numbers == list(range(len(recipes))):
        return random_plane(model, dimensions=len(recipes), low_memory=low_memory, **_arguments(ways[0]))
    planes = [
        random_plane(model, dimensions=number + 1, low_memory=low_memory, **_arguments(way))
        for number, way in zip(numbers, ways, strict=True)
    ]
    return Plane.of([plane.directions[number] for plane, number in zip(planes, numbers, strict=True)])


def _arguments(way: Mapping[str, Any]) -> dict[str, Any]:
    return {**way, "seed": int(way["seed"]), "keep_zeros": bool(way["keep_zeros"])}


def default_move(model: nn.Module) -> str:
    """Return what has to move so that a step of 1 arrives at another checkpoint."""
    return "states" if floating_buffers(model) else "weights"
