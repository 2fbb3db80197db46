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

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import nn

from landscape.directions.construct import Direction, Plane
from landscape.errors import DirectionError, UsageError
from landscape.problem.params import moved_tensors
from landscape.surface.derived.variance_shares import component_label
from landscape.surface.grid import Floats
from landscape.surface.recipes import IGNORES
from landscape.surface.surface import Trajectory
from landscape.trajectory.principal_components import principal_components
from landscape.trajectory.projection import project_points
from landscape.trajectory.runs import TrainingRun

# Around the path, as a share of its extent: enough to see where it came from and what lies behind its end.
MARGIN = 0.15
# A learning rate fell where it is at most so much of that before: half of it, as schedulers have it, but for rounding.
_FELL = 0.5 + 1e-6


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
        See `landscape.trajectory.runs.find_run`. Each step of each run counts alike.
    components : int
        1 for a line, 2 for a plane, 3 for a volume.
    ignore : {"none", "biasbn"}
        ``"biasbn"`` leaves tensors of fewer than two dimensions out of the directions. What they vary is then outside
        the plane.
    move, include, exclude
        See `landscape.problem.params.moved_tensors`. What is left out varies outside the plane, too.

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
    low = {name for name, tensor in origin.items() if tensor.ndim < 2 and ignore == "biasbn"}
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
    trees = [{name: tree[name] for name in origin if name in chosen} for tree in found.directions]
    directions = [
        Direction.of(tree, {**recipe, "axis": number}, f"PC {number + 1} ({100 * share:.1f} % of variance)")
        for number, (tree, share) in enumerate(zip(trees, found.ratio, strict=False))
    ]
    plane = Plane.of(directions, move, include, exclude)
    return PrincipalPlane(
        plane.directions, move, include, exclude, plane.cosines, variance=found.variance, total=found.total
    )


def describe_run(run: TrainingRun) -> dict[str, Any]:
    """Return what a file says about a run: JSON keys name, folder, steps (first, last, how many) and their unit.

    Of samples in no order also ``unordered``, true.
    """
    first, last = run.records[0], run.records[-1]
    return {
        "name": run.name,
        "folder": str(run.folder),
        "steps": [first.step, last.step, len(run.records)],
        "unit": run.unit,
        **({"unordered": True} if run.unordered else {}),
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
        those that the plane leaves alone; ``loss`` is NaN: see `landscape.trajectory.record_losses.measure_run`.

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
    pairs = itertools.pairwise(run.records)
    attributes: dict[str, Any] = {
        **describe_run(run),
        "lr_drops": [after.step for before, after in pairs if after.learning_rate <= _FELL * before.learning_rate]
        if not run.unordered
        else [],
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
    if not any(each.recipe.get("source") == "pca" for each in plane.directions) or all(_is_of(r, plane) for r in runs):
        return plane
    directions = tuple(replace(each, label=component_label(each.label, each.recipe)) for each in plane.directions)
    return replace(plane, directions=directions)


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
    known = np.concatenate([np.zeros((0, len(plane))), *(run.coordinates for run in runs)])
    return square_around(known, [direction.length for direction in plane.directions], margin=margin)


def square_around(
    coordinates: Floats, lengths: Sequence[float], *, margin: float = MARGIN
) -> list[tuple[float, float]]:
    """Return the range of each axis that holds points, shape (points, axes), and theta*; see `fitting_ranges`."""
    scales = np.asarray(lengths)
    points = np.concatenate([np.zeros((1, len(scales))), coordinates]) * scales
    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low).max() * (0.5 + margin)
    if not half > 0:
        raise DirectionError("no step of the run leaves theta* within this plane; choose another plane")
    middle = (low + high) / 2
    return [_rounded(*ends) for ends in np.stack([middle - half, middle + half], axis=1) / scales[:, None]]


def _rounded(first: float, last: float) -> tuple[float, float]:
    """Round outward to a thousandth of the window: a range that can be read and typed again, and holds what it held."""
    digits = 3 - int(np.floor(np.log10((last - first) / 2)))
    unit = 10.0**-digits
    low, high = np.floor(first / unit) * unit, np.ceil(last / unit) * unit
    return round(float(low), digits), round(float(high), digits)
