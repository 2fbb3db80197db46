r"""Directions that the loss itself points out: eigenvectors of its Hessian, the sharpest one, its gradient.

========================  ====================================================================================
``hessian:K``             eigenvector K of the Hessian; 0 is of the greatest eigenvalue, 1 of the next, -1 of the least
``sharpest``              D v, with v the eigenvector of the greatest eigenvalue of D H D (`landscape.curvature.scales`)
``gradient``              the gradient, which points uphill
========================  ====================================================================================

*Length.* Each is as long as a random filter-normalised direction of the same network, whose filters have the lengths of
the network's own: :math:`|d|^2 = \sum_f |\theta_f|^2`, over the tensors that random directions move (all of them where
they would move none). So axes compare, and the curvature along ``hessian:K`` is :math:`\lambda_K |d|^2`. *Sign.* The
entry of largest size of an eigenvector is positive, the first of several.

They come out of an iteration, in the last digits otherwise on another number of threads or processes: processes share
each product out, all get the very numbers that rank 0 has found, and a file keeps them.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.curvature.lanczos import extreme_eigenpairs
from landscape.curvature.point import Point, at_weights
from landscape.curvature.shared_errors import agreeing
from landscape.directions.construct import Direction, Plane, checkpoint_plane, random_plane
from landscape.errors import DirectionError, UsageError
from landscape.files.store import is_surface, read_directions, read_surface
from landscape.parallel.comm import current_comm
from landscape.parallel.progress import Progress
from landscape.parallel.serial import Comm
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.named_data import named_data
from landscape.problem.params import digest, moved_tensors, work_dtype
from landscape.surface.recipes import MEASURED

logger = logging.getLogger(__name__)

_KIND = re.compile(r"(hessian)(?::([+-]?\d{1,6}))?|(sharpest|gradient)")
_NUMBER = re.compile(r"[+-]?\d{1,6}")
# Vectors of the basis that Lanczos' iteration keeps, where memory allows.
_BASIS = 60


def axis_sources(text: str, dimensions: int) -> list[str]:
    """Return the source of each axis: ``"hessian:0,-1"`` is ``["hessian:0", "hessian:-1"]``.

    Alone, ``"random"`` is for every axis, and ``"hessian"`` the greatest eigenvalues, one an axis.
    """
    if not isinstance(text, str):
        raise TypeError(f"directions is of type {type(text).__name__}, it has to be text; a plane is given as plane=")
    found: list[str] = []
    for part in text.split(","):
        before = found[-1] if found else ""
        found.append(f"hessian:{part}" if _NUMBER.fullmatch(part) and before.startswith("hessian:") else part)
    if len(found) == 1 and found[0] in ("random", "hessian"):
        return [f"hessian:{axis}" if found[0] == "hessian" else "random" for axis in range(dimensions)]
    return ["hessian:0" if each == "hessian" else each for each in found]


def is_measured(source: str) -> bool:
    """Return whether an axis' source is one of the kinds of this file."""
    return _KIND.fullmatch(source) is not None


@dataclass(frozen=True, kw_only=True)
class DirectionSettings:
    """How directions are measured; what is said in `landscape.curvature.analysis.measure_curvature` goes for these."""

    loss: str | Callable[..., Any] | Loss = "cross_entropy"
    samples: int | None = None
    sample_seed: int = 0
    batch_size: int | None = None
    include: str | None = None
    exclude: str | None = None
    ignore: str = "none"
    tolerance: float = 0.01  # an eigenvector is done when its residual is within so much of its eigenvalue's size
    products: int = 200  # at most, for each matrix
    seed: int = 0  # of the vector to start from

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not 0 < self.tolerance < 1:
            raise UsageError(f"tolerance is {self.tolerance:g}, it has to be between 0 and 1")
        if self.products < 2:
            raise UsageError(f"products is {self.products}, an eigenvector takes 2 at least")


def curvature_directions(
    model: nn.Module,
    data: Any,
    sources: Sequence[str],
    how: DirectionSettings | None = None,
    *,
    path: str | Path | None = None,
    progress: Progress | None = None,
) -> list[Direction]:
    """Measure directions at the weights that a network holds; under MPI all ranks call this, and share products out.

    Parameters
    ----------
    model : Module
        It is left as it was.
    data
        As for `landscape.evaluate`; of several data sets "train" counts, or else the first.
    sources : sequence of str
        "hessian:K", "sharpest", "gradient"; see above.
    how : DirectionSettings, optional
    path : path, optional
        A surface's file that may hold them, measured in the same way at the same weights: they are taken from it.
    progress : callable, optional
        Called with the number of products made so far and the greatest number there may be.

    Returns
    -------
    list of Direction
        In the order of ``sources``. Recipes say how they were measured, and under "measured" what came out:
        eigenvalue, residual, and along the direction itself curvature d' H d and slope g' d.

    Raises
    ------
    UsageError
        A source is unknown or has a number beyond the weights; or as `measure_curvature`.
    DirectionError
        The loss has no such direction: its gradient is 0, say.
    """
    how, comm = how or DirectionSettings(), current_comm()
    with agreeing(comm):
        for each in sources:
            if not is_measured(each):
                raise UsageError(
                    f"{each!r} is no direction of curvature; write hessian:0, hessian:-1, sharpest or gradient"
                )
        name, chosen = _training(data)
        asked = [_asked(each, name, how) for each in sources]
        live = moved_tensors(model, include=how.include, exclude=how.exclude)
        known = _known(model, path, asked) if comm.rank == 0 else None
    found = comm.broadcast(known)
    if found is None:
        found = _measured(model, {name: chosen}, asked, how, progress, comm)
    return [
        Direction.of({key: torch.from_numpy(each).to(live[key].device) for key, each in arrays.items()}, recipe, label)
        for recipe, label, arrays in found
    ]


def named_plane(
    model: nn.Module,
    data: Any,
    directions: str,
    dimensions: int,
    how: DirectionSettings,
    *,
    path: str | Path | None = None,
) -> Plane:
    """Return the plane that a text names, as ``--directions`` does: "gradient,random", "hessian:0,-1", "b.pt".

    Parameters
    ----------
    model, data, how, path
        See `curvature_directions`.
    directions : str
        A source for each axis with commas between them: one of those, "random", or another checkpoint.
    dimensions : int
        How many axes.

    Raises
    ------
    UsageError
        There are not as many sources as axes.
    """
    sources = axis_sources(directions, dimensions)
    require_one_each(sources, dimensions)
    measured = [each for each in sources if is_measured(each)]
    made = iter(curvature_directions(model, data, measured, how, path=path) if measured else ())
    include, exclude = how.include, how.exclude
    found = []
    for axis, source in enumerate(sources):
        if is_measured(source):
            found.append(next(made))
        elif source == "random":
            plane = random_plane(model, dimensions=axis + 1, include=include, exclude=exclude)
            found.append(plane.directions[axis])
        else:
            found.append(checkpoint_plane(model, [source], include=include, exclude=exclude).directions[0])
    return Plane.of(found)


def require_one_each(sources: Sequence[str], dimensions: int) -> None:
    """Raise UsageError where there are not as many sources as axes."""
    if len(sources) != dimensions:
        raise UsageError(
            f"--directions names {len(sources)} ({', '.join(sources)}) for {dimensions} axes: one for --x alone, two "
            "with --y, as gradient,random or B.pt,C.pt"
        )


def _training(data: Any) -> tuple[str, Any]:
    sets = named_data(data)
    name = "train" if "train" in sets else next(iter(sets))
    return name, sets[name]


def _asked(source: str, data: str, how: DirectionSettings) -> dict[str, Any]:
    """Return what a recipe says of how a direction was asked for."""
    kind = _KIND.fullmatch(source)
    assert kind is not None
    recipe: dict[str, Any] = {"source": kind[1] or kind[3], "data": data}
    if kind[1]:
        recipe["index"] = int(kind[2] or 0)
    if how.samples is not None:
        recipe["samples"] = how.samples
    names = ["sample_seed", "include", "exclude", "ignore"]
    names += [] if kind[3] == "gradient" else ["tolerance", "products"]
    recipe |= {"loss": resolve_loss(how.loss).name, **{name: getattr(how, name) for name in names}}
    if kind[3] != "gradient":
        recipe["start"] = how.seed
    return recipe | {"scaled": "as a filter-normalised random direction", "move": "weights"}


_Made = tuple[Mapping[str, Any], str, dict[str, np.ndarray[Any, Any]]]


def _known(model: nn.Module, path: str | Path | None, asked: Sequence[Mapping[str, Any]]) -> list[_Made] | None:
    """Return directions that a file holds, all of them measured as asked for at these very weights, or None."""
    if path is None or not Path(path).is_file() or not is_surface(path):
        return None
    surface, stored = read_surface(path), read_directions(path)
    numbers = [number for number, axis in enumerate(surface.directions) if axis.source in MEASURED]
    axes = [surface.directions[number] for number in numbers]
    said = [{key: value for key, value in axis.recipe.items() if key != "measured"} for axis in axes]
    same = said == [dict(each) for each in asked] and len(stored) == len(surface.directions)
    if not same or surface.origin.get("sha256") != digest(model.state_dict()):
        return None
    found: list[_Made] = []
    for axis, arrays in zip(axes, (stored[number] for number in numbers), strict=True):
        label = re.sub(r"^[αβγ]  \((.*)\)$", r"\1", axis.label)
        tree = {name: torch.from_numpy(np.array(each)) for name, each in arrays.items()}
        if Direction.of(tree, axis.recipe, label).sha256 != axis.sha256:
            return None
        found.append((dict(axis.recipe), label, {name: each.numpy() for name, each in tree.items()}))
    return found


def _measured(
    model: nn.Module,
    data: Any,
    asked: Sequence[Mapping[str, Any]],
    how: DirectionSettings,
    progress: Progress | None,
    comm: Comm,
) -> list[_Made]:
    """Return directions on all ranks: rank 0 looks for them, and all make their part of each product."""
    names = ("loss", "samples", "sample_seed", "batch_size", "include", "exclude", "ignore")
    with at_weights(model, data, comm=comm, **{name: getattr(how, name) for name in names}) as point:
        if comm.rank:
            told: list[_Made] = point.assist()
            return told
        search = _Search(point, how, progress, {str(each["source"]) for each in asked})
        pairs = search.eigenvectors([int(each["index"]) for each in asked if each["source"] == "hessian"])
        made = [search.direction(recipe, pairs) for recipe in asked]
        found: list[_Made] = [
            (dict(d.recipe), d.label, {key: each.cpu().numpy() for key, each in d.tensors.items()}) for d in made
        ]
        comm.broadcast(("end", found))
        return found


class _Search:
    """What is found of directions at one point."""

    def __init__(self, point: Point, how: DirectionSettings, progress: Progress | None, kinds: set[str]) -> None:
        self._point, self._how, self._progress = point, how, progress
        self._hessian = point.products()
        self._gradient = self._hessian.gradient()
        self._scale = point.flat_scale()
        self._most = how.products * len(kinds - {"gradient"})
        moved = self._scale > 0 if bool(self._scale.any()) else torch.ones_like(self._scale, dtype=torch.bool)
        weights = torch.cat([tensor.detach().double().reshape(-1) for tensor in point.tensors.values()])
        self._length = float(weights[moved].norm())
        if self._length == 0:
            raise DirectionError("all weights are 0: nothing says how long a direction should be")

    def _multiply(self, vector: Tensor, scale: Tensor | None = None) -> Tensor:
        if scale is not None:
            vector = vector * scale.to(vector.dtype)
        found = self._hessian(vector).vector
        if self._progress is not None:
            self._progress(self._hessian.made, max(self._most, self._hessian.made))
        return found if scale is None else found * scale.to(found.dtype)

    def eigenvectors(self, places: Sequence[int]) -> dict[int, tuple[float, float, Tensor]]:
        """Return eigenvalue, residual and eigenvector of the Hessian at places counted from both ends."""
        if not places:
            return {}
        greatest, least = max(0, *(1 + each for each in places), 0), max(0, *(-each for each in places), 0)
        size = self._hessian.size
        if greatest + least > size:
            worst = max(places, key=abs)
            raise UsageError(f"hessian:{worst} of {size} weights was asked for, with {', '.join(map(str, places))}")
        return self._pairs(self._multiply, greatest, least, torch.ones_like(self._scale), places)

    def _pairs(
        self, multiply: Callable[[Tensor], Tensor], greatest: int, least: int, moved: Tensor, places: Sequence[int]
    ) -> dict[int, tuple[float, float, Tensor]]:
        how = self._how
        draw = np.random.Generator(np.random.PCG64([how.seed, 0])).standard_normal(self._hessian.size)
        rows = self._point.room(self._hessian).rows(greatest + least + 3, min(_BASIS, how.products) + 1)
        start = torch.from_numpy(draw).to(moved) * moved
        found = extreme_eigenpairs(
            multiply,
            start.to(rows.dtype),
            greatest=greatest,
            least=least,
            tolerance=how.tolerance,
            most=how.products,
            rows=rows,
        )
        pairs = {}
        for place in places:
            vector = found.vectors[place].double()
            image = multiply(vector)
            value = float(vector @ image)
            pairs[place] = value, float((image - value * vector).norm()), vector
        return pairs

    def direction(self, recipe: Mapping[str, Any], pairs: Mapping[int, tuple[float, float, Tensor]]) -> Direction:
        """Return a direction of the right length and sign, with what is known of it."""
        kind = recipe["source"]
        if kind == "gradient":
            vector, known, label = self._gradient, {}, "gradient"
            if not float(vector.norm()) > 0:
                raise DirectionError("the gradient is 0 at these weights, and points nowhere")
        else:
            if kind == "hessian":
                value, residual, vector = pairs[recipe["index"]]
                label = f"Hessian eigenvector {recipe['index']}"
            else:
                value, residual, vector = self._sharpest()
                label = "sharpest direction"
            if not residual <= self._how.tolerance * abs(value):
                logger.warning(
                    "%s has not converged in %d products: eigenvalue %.4g, residual %.2g", label, self._how.products,
                    value, residual,
                )  # fmt: skip
            known = {"eigenvalue": value, "residual": residual}
            largest = vector.abs().argmax()
            vector = vector if float(vector[largest]) > 0 else -vector
        vector = vector * (self._length / float(vector.norm()))
        tensors = {
            name: each.to(work_dtype(self._point.tensors[name])).clone()
            for name, each in self._hessian.named(vector).items()
        }
        vector = self._hessian.flattened(tensors)  # as it is rounded
        measured = {
            **known,
            "curvature": float(vector @ self._multiply(vector)),
            "slope": float(vector @ self._gradient),
        }
        if not all(map(math.isfinite, measured.values())):
            raise DirectionError(f"{label}: it holds values that are not finite")
        return Direction.of(tensors, {**recipe, "measured": measured}, label)

    def _sharpest(self) -> tuple[float, float, Tensor]:
        scale = self._scale
        if not bool(scale.any()):
            raise UsageError(
                "none of these weights moves in a random direction (fewer than two dimensions, or 0): there is no "
                "sharpest direction in filter lengths; choose others with include and exclude"
            )
        pairs = self._pairs(lambda vector: self._multiply(vector, scale), 1, 0, (scale > 0).double(), [0])
        value, residual, vector = pairs[0]
        return value, residual, vector * scale
