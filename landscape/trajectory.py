r"""A training run on a plane: the plane of its principal components, where its steps lie, and how far off they are.

Coordinates are about theta*, the weights a model holds, as a rule the end of the run; components are about the mean
of the recorded steps, as in [1]_. Distances off the plane are of all tensors that move, also of those a plane leaves
alone.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 7.
.. [2] Goodfellow, Vinyals, Saxe, "Qualitatively Characterizing Neural Network Optimization Problems", ICLR 2015: the
       straight line from the first to the last weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from landscape.directions import Direction, Plane
from landscape.errors import DirectionError, UsageError
from landscape.grid import Floats
from landscape.normalization import IGNORES
from landscape.params import moved_tensors
from landscape.paths import component_label
from landscape.principal import Components, principal_components
from landscape.projection import project_points
from landscape.runs import TrainingRun
from landscape.surface import Trajectory

# Around the path, as a share of its extent: enough to see where it came from and what lies behind its end.
MARGIN = 0.15


@dataclass(frozen=True, eq=False)
class PrincipalPlane(Plane):
    """The plane of a run's, or several runs', first principal components: directions of length 1."""

    variance: Floats = field(default_factory=lambda: np.zeros(0))  # (steps - 1,), of every component
    total: float = 0.0  # all variance, also of tensors left out of the directions

    @property
    def shares(self) -> Floats:
        """The share of each component in the variance of the run, largest first."""
        return self.variance / self.total


def principal_plane(
    model: nn.Module,
    runs: TrainingRun | Sequence[TrainingRun],
    *,
    components: int = 2,
    ignore: str = "none",
    move: str = "weights",
    include: str | None = None,
    exclude: str | None = None,
) -> PrincipalPlane:
    """Find the plane in which most of a run, or of several runs together, takes place [1]_.

    Parameters
    ----------
    model : Module
        At theta*, as a rule the end of the run; it is not changed.
    runs : TrainingRun or sequence of TrainingRun
        See `landscape.runs.find_run`. Each step of each run counts alike.
    components : int
        1 for a line, 2 for a plane, 3 for a volume.
    ignore : {"none", "biasbn"}
        ``"biasbn"`` leaves tensors of fewer than two dimensions out of the directions. What they vary is then outside
        the plane.
    move, include, exclude
        See `landscape.params.moved_tensors`. What is left out varies outside the plane, too.

    Returns
    -------
    PrincipalPlane
        Of orthogonal directions of length 1, so that coordinates are Euclidean distances.

    Raises
    ------
    CheckpointError
        A record is of another network, or its weights are not finite.
    DirectionError
        The steps are all the same, or span fewer dimensions than asked for.
    UsageError
        An unknown choice, or nothing left to move.
    """
    if ignore not in IGNORES:
        raise UsageError(f"ignore is {ignore!r}, it has to be one of {', '.join(IGNORES)}")
    runs = [runs] if isinstance(runs, TrainingRun) else list(runs)
    chosen = set(moved_tensors(model, move=move, include=include, exclude=exclude))
    # All of them, as for the distance off the plane: what a plane leaves alone counts in the whole variance.
    origin = moved_tensors(model, move=move)
    low: set[str] = {name for name, tensor in origin.items() if tensor.ndim < 2} if ignore == "biasbn" else set()
    found = principal_components(
        [tree for run in runs for tree in run.fitted(model, list(origin))],
        {name: tensor.detach().cpu() for name, tensor in origin.items()},
        components=components,
        ignored=lambda name: name not in chosen or name in low,
        labels=[label for run in runs for label in run.labels],
    )
    recipe: dict[str, Any] = {
        "source": "pca",
        "components": components,
        "runs": [describe_run(run) for run in runs],
        "ignore": ignore,
        "move": move,
        "include": include,
        "exclude": exclude,
    }
    plane = Plane.of(_directions(found, chosen, recipe), move, include, exclude)
    return PrincipalPlane(
        plane.directions, move, include, exclude, plane.cosines, variance=found.variance, total=found.total
    )


def _directions(found: Components, chosen: AbstractSet[str], recipe: dict[str, Any]) -> list[Direction]:
    trees = [{name: tensor for name, tensor in tree.items() if name in chosen} for tree in found.directions]
    return [
        Direction.of(tree, {**recipe, "axis": number}, f"PC {number + 1} ({100 * share:.1f} % of variance)")
        for number, (tree, share) in enumerate(zip(trees, found.ratio, strict=False))
    ]


def describe_run(run: TrainingRun) -> dict[str, Any]:
    """Return what a file says about a run: JSON keys name, folder, steps (first, last, how many) and their unit."""
    first, last = run.records[0], run.records[-1]
    return {
        "name": run.name,
        "folder": str(run.folder),
        "steps": [first.step, last.step, len(run.records)],
        "unit": run.unit,
    }


def project(model: nn.Module, run: TrainingRun, plane: Plane) -> Trajectory:
    """Project a run onto a plane through the weights a model holds, by least squares in the plane's own basis.

    Parameters
    ----------
    model : Module
        At theta*, where coordinates are 0; it is not changed.
    run : TrainingRun
    plane : Plane
        Of directions of any length and at any angle.

    Returns
    -------
    Trajectory
        ``residual`` is each step's Euclidean distance from the plane over all tensors that ``plane.move`` names, also
        those that the plane leaves alone; ``loss`` is NaN: see `landscape.record_losses.measure_run`.

    Raises
    ------
    CheckpointError
        A record is of another network, or its weights are not finite.
    DirectionError
        The directions are parallel, or one is zero.
    """
    origin = {name: tensor.detach().cpu() for name, tensor in moved_tensors(model, move=plane.move).items()}
    found = project_points(
        run.fitted(model, list(origin)),
        origin,
        [direction.tensors for direction in plane.directions],
        labels=run.labels,
    )
    attributes: dict[str, Any] = {
        **describe_run(run),
        "lr_drops": _drops(run),
        "logged_loss": [None if np.isnan(record.loss) else record.loss for record in run.records],
    }
    if isinstance(plane, PrincipalPlane) and _is_of(run, plane):
        attributes["explained_variance"] = plane.shares.tolist()
        attributes["total_variance"] = plane.total
        attributes["variance_about"] = "mean"
    return Trajectory(
        found.coordinates,
        residual=found.residual,
        loss=np.full(len(run.records), np.nan),
        step=np.array([record.step for record in run.records], dtype=np.int64),
        attributes=attributes,
    )


def _is_of(run: TrainingRun, plane: Plane) -> bool:
    """Return whether a plane's components are those of a run, alone or together with others."""
    this = describe_run(run)
    known = [each for direction in plane.directions for each in direction.recipe.get("runs", [])]
    return any(each.get("name") == this["name"] and each.get("steps") == this["steps"] for each in known)


def with_names(plane: Plane, runs: Sequence[TrainingRun]) -> Plane:
    """Return a plane whose labels say whose variance it is, where other runs than its own are drawn on it."""
    if all(direction.recipe.get("source") != "pca" for direction in plane.directions):
        return plane
    if all(_is_of(run, plane) for run in runs):
        return plane
    directions = [
        replace(direction, label=component_label(direction.label, direction.recipe)) for direction in plane.directions
    ]
    return replace(plane, directions=tuple(directions))


def _drops(run: TrainingRun) -> list[int]:
    """Return the steps at which the learning rate had fallen to less than half of what it was at the record before."""
    pairs = zip(run.records, run.records[1:], strict=False)
    return [after.step for before, after in pairs if after.learning_rate < 0.5 * before.learning_rate]


def fitting_ranges(runs: Sequence[Trajectory], plane: Plane, *, margin: float = MARGIN) -> list[tuple[float, float]]:
    """Return the range of each axis that holds the runs and theta* with a margin, all of the same length in space.

    Parameters
    ----------
    runs : sequence of Trajectory
        On that plane.
    plane : Plane
        Its directions' lengths make a window square: one with equal sides in weight space.
    margin : float
        On each side, as a share of the longest side of what is held.

    Raises
    ------
    DirectionError
        Nothing in the plane moves.
    """
    lengths = np.array([direction.length for direction in plane.directions])
    points = np.concatenate([np.zeros((1, len(lengths))), *(run.coordinates for run in runs)]) * lengths
    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low).max() * (0.5 + margin)
    if not half > 0:
        raise DirectionError("no step of the run leaves theta* within this plane; choose another plane")
    middle = (low + high) / 2
    ends = np.stack([middle - half, middle + half], axis=1) / lengths[:, None]
    return [_rounded(first, last) for (first, last) in ends]


def _rounded(first: float, last: float) -> tuple[float, float]:
    """Round outward to a thousandth of the window: a range that can be read and typed again, and holds what it held."""
    digits = 3 - int(np.floor(np.log10((last - first) / 2)))
    unit = 10.0**-digits
    low, high = np.floor(first / unit) * unit, np.ceil(last / unit) * unit
    return round(float(low), digits), round(float(high), digits)
