"""A surface with runs on it, in one call: plane, range, grid, and the true loss of every step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from landscape.directions.construct import Direction, Plane
from landscape.directions.planes import Planes
from landscape.errors import LandscapeError, UsageError
from landscape.evaluation.evaluate import estimate_cost, evaluate
from landscape.evaluation.runner import Cost
from landscape.evaluation.settings import Range
from landscape.evaluation.setup import place
from landscape.files.locks import Lock
from landscape.files.store import read_directions, read_surface, write_surface
from landscape.parallel.comm import current_comm
from landscape.parallel.progress import Progress, progress_of
from landscape.surface.grid import Floats, grid_shape, parse_range
from landscape.surface.surface import NOT_COMPUTED, Surface, Trajectory
from landscape.trajectory.local_plane import LOCAL, local_ranges
from landscape.trajectory.principal_plane import (
    MARGIN,
    fitting_ranges,
    principal_plane,
    project,
    with_names,
)
from landscape.trajectory.record_losses import MeasureSettings, measure_below, measure_run
from landscape.trajectory.runs import TrainingRun
from landscape.trajectory.shared_planes import made_once, plane_made_once

# Points along an axis unless asked otherwise: 41 x 41 show a valley, 201 a line's bumps.
PLANE_POINTS, LINE_POINTS = 41, 201

# Two directions of length 1 that differ by less are one direction, computed by other threads.
_SAME_DIRECTION = 1e-4


def evaluate_runs(
    model: nn.Module,
    data: Any,
    runs: TrainingRun | Sequence[TrainingRun],
    plane: Plane | None = None,
    *,
    x: Range | None = None,
    y: Range | None = None,
    points: int | None = None,
    margin: float = MARGIN,
    path: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
    **settings: Any,
) -> Surface:
    """Measure the loss around training runs, and of each of their steps.

    Parameters
    ----------
    model : Module
        At theta*, as a rule the end of the run, where coordinates are 0. It is as before when this returns or raises.
    data
        See `landscape.evaluate`.
    runs : TrainingRun or sequence of TrainingRun
        See `landscape.find_run`; of different names.
    plane : Plane, optional
        Of one or two directions; the runs' principal plane by default.
    x, y : str or sequence of float, optional
        Points along the directions. By default a square in weight space that holds the runs and theta*; on a line to
        a checkpoint, 0 and 1 are among them; on a local plane, twice as far as the records beside the step.
    points : int, optional
        How many along an axis that is not given: 41, or 201 for a line.
    margin : float
        Around the runs, as a share of their extent.
    path, overwrite, progress, **settings
        See `landscape.evaluate`. A run of this function that was cut short is completed by the same call.

    Returns
    -------
    Surface
        With ``trajectories``. In their attributes, ``values`` are loss and metrics of each step and ``plane_values``
        those of the plane at its coordinates, by name; ``loss_name`` says which of them ``loss`` is.

    Raises
    ------
    LandscapeError
        As `landscape.trajectory.principal_plane.principal_plane`, `landscape.trajectory.principal_plane.project` and
        `landscape.evaluate`.
    """
    runs = [runs] if isinstance(runs, TrainingRun) else list(runs)
    if len({run.name for run in runs}) < len(runs):
        raise UsageError(f"runs need different names, got {', '.join(run.name for run in runs)}")
    stored = None
    if path is not None and not overwrite and current_comm().rank == 0:
        with suppress(LandscapeError):  # `evaluate` says what is wrong with the file
            stored = read_surface(path)
    plane, known, ranges = prepare_runs(model, runs, plane, (x, y), points, margin, stored)
    # A step is two more points: its own weights, and the plane below them.
    steps = [2 * len(run.records) for run in runs if "samples" not in known[run.name].attributes]
    settings |= {"path": path, "overwrite": overwrite}
    settings.setdefault("save_directions", _is_measured(plane))
    with ExitStack() as stack:
        bar = _Bar(stack.enter_context(progress_of(progress, "evaluating")), sum(steps))
        # For all that is measured, not for the surface alone: its values are compared with those of the steps.
        place(stack, model, settings.pop("device", None), current_comm().local_rank)
        surface = evaluate(model, data, plane, **ranges, progress=bar.grid, trajectories=known, **settings)
        samples = {name: int(entry["samples"]) for name, entry in surface.problem.get("data", {}).items()}
        names = {field.name for field in dataclasses.fields(MeasureSettings)}
        how: dict[str, Any] = {name: value for name, value in settings.items() if name in names}
        how["progress"] = bar.step
        precision = surface.quality.get("precision")
        how["precision"] = precision if precision in ("bfloat16", "float16") else "float32"
        how["batch_size"] = surface.quality.get("batch_size", how.get("batch_size"))
        if how.get("samples") is not None:
            how["samples"] = max(samples.values())  # a file that has more goes on with them
        how["anchors"] = surface.anchors  # else means of a subset would be compared with estimates for all data
        for run in runs:
            at = known[run.name]
            if at.attributes.get("samples") != samples:
                true, below = measure_run(model, data, run, **how), measure_below(model, data, at, plane, **how)
                known[run.name] = _with_values(at, true, below, samples)
    surface = dataclasses.replace(surface, trajectories={**surface.trajectories, **known})
    if path is not None and current_comm().rank == 0:
        with Lock(path):
            surface = dataclasses.replace(surface, digest=write_surface(path, surface))
    return surface


def plan_runs(
    model: nn.Module,
    data: Any,
    runs: TrainingRun | Sequence[TrainingRun],
    plane: Plane | None = None,
    *,
    x: Range | None = None,
    y: Range | None = None,
    points: int | None = None,
    margin: float = MARGIN,
    **settings: Any,
) -> tuple[Surface, Cost]:
    """Return what `evaluate_runs` with the same arguments would measure and take; nothing is written.

    Returns
    -------
    surface : Surface
        Nothing measured, with the runs on it.
    cost : Cost
        Of the grid; each recorded step is two points more.
    """
    runs = [runs] if isinstance(runs, TrainingRun) else list(runs)
    plane, paths, ranges = prepare_runs(model, runs, plane, (x, y), points, margin)
    cost = estimate_cost(model, data, plane, **ranges, **settings)
    return unmeasured_surface(model, plane, paths, ranges), cost


def unmeasured_surface(
    model: nn.Module, plane: Plane, paths: Mapping[str, Trajectory], ranges: Mapping[str, Range]
) -> Surface:
    """Return the window around runs on a plane as a surface without values."""
    axes = Planes(model, plane).axes([parse_range(each) for each in ranges.values()])
    state = np.full(grid_shape(axes), NOT_COMPUTED, dtype=np.uint8)
    return Surface(axes, {}, state, cosines=plane.cosines, trajectories=paths)


def prepare_runs(
    model: nn.Module,
    runs: Sequence[TrainingRun],
    plane: Plane | None,
    given: Sequence[Range | None],
    points: int | None,
    margin: float,
    stored: Surface | None = None,
) -> tuple[Plane, dict[str, Trajectory], dict[str, Any]]:
    """Return plane, runs on it and ranges, the same on all ranks to the last bit; what a file has is used again."""
    shared = plane_made_once(lambda: with_names(_as_stored(plane or principal_plane(model, runs), stored), runs))
    if len(shared) > 2:
        raise UsageError(f"a run is drawn on a line or a plane, got {len(shared)} directions")

    def place() -> tuple[dict[str, Trajectory], dict[str, Any]]:
        paths = {run.name: project(model, run, shared) for run in runs}
        ranges = _fitted_ranges(list(paths.values()), shared, given, points, margin)
        return {name: _known(each, stored) for name, each in paths.items()}, ranges

    return shared, *made_once(place)


class _Bar:
    """One count over the grid and the steps."""

    def __init__(self, progress: Progress | None, steps: int) -> None:
        self._tell = progress or (lambda done, total: None)
        self._steps, self._done, self._total = steps, 0, 0

    def grid(self, done: int, total: int) -> None:
        """Take the grid's count."""
        self._done, self._total = done, total + self._steps
        self._tell(self._done, self._total)

    def step(self, done: int, total: int) -> None:
        """Count another step."""
        self._done += 1
        self._tell(self._done, max(self._total, self._done))


def _is_measured(plane: Plane) -> bool:
    """Return whether a plane is made of a run's records: what other threads sum to differs in the last digits."""
    return all(direction.recipe.get("source") in ("pca", LOCAL) for direction in plane.directions)


def _as_stored(plane: Plane, stored: Surface | None) -> Plane:
    """Return the plane in the very numbers of the file, where it is the same but for rounding.

    What is made of a run, summed by another number of threads, differs in its last digits.
    """
    if stored is None or not _is_measured(plane):
        return plane
    axes, tensors = stored.directions, read_directions(stored.path)
    if not len(axes) == len(tensors) == len(plane):
        return plane
    directions = []
    for direction, axis, arrays in zip(plane.directions, axes, tensors, strict=True):
        own, tree = direction.tensors, {name: torch.tensor(array) for name, array in arrays.items()}
        if {name: each.shape for name, each in own.items()} != {name: each.shape for name, each in tree.items()}:
            return plane
        if sum(float((tree[name].double() - own[name].double()).square().sum()) for name in own) > _SAME_DIRECTION**2:
            return plane
        directions.append(Direction(tree, direction.recipe, direction.label, axis.length, axis.sha256))
    cosines = plane.cosines if stored.cosines is None else stored.cosines
    return dataclasses.replace(plane, directions=tuple(directions), cosines=cosines)


def _fitted_ranges(
    paths: Sequence[Trajectory], plane: Plane, given: Sequence[Range | None], points: int | None, margin: float
) -> dict[str, Any]:
    """Return the points along each axis, as `landscape.evaluate` takes them: as given, or such as hold the runs."""
    number = points or (PLANE_POINTS if len(plane) == 2 else LINE_POINTS)
    names = ("x", "y")[: len(plane)]
    if given[1] is not None and len(plane) == 1:
        raise UsageError("y was given, but a line has only the axis x")
    if all(each is not None for each in given[: len(plane)]):
        return {name: each for name, each in zip(names, given, strict=False) if each is not None}
    is_local = all(direction.recipe.get("source") == LOCAL for direction in plane.directions)
    fitting = local_ranges(plane, margin=margin) if is_local else fitting_ranges(paths, plane, margin=margin)
    found = [parse_range(f"{low!r}:{high!r}:{number}") for low, high in fitting]
    if len(plane) == 1 and plane.directions[0].recipe.get("source") == "checkpoint":
        found = [_through_both(found[0])]
    return {name: values if each is None else each for name, each, values in zip(names, given, found, strict=False)}


def _through_both(values: Floats) -> Floats:
    """Widen evenly spaced values a little, so that 0 and 1 are among them, if they are enough.

    On a line to a checkpoint the two networks are there, and a barrier is measured from one to the other.
    """
    first, last, steps = float(values[0]), float(values[-1]), len(values) - 1
    for between in range(int(steps / (last - first)), 0, -1):
        below, above = max(0, math.ceil(-first * between)), max(between, math.ceil(last * between))
        if below + above <= steps:
            below += (steps - below - above) // 2
            # Whole numbers until the end: 0 and 1 come out exactly.
            widened: Floats = (np.arange(steps + 1) - below) / between
            return widened
    return values


def _known(path: Trajectory, stored: Surface | None) -> Trajectory:
    """Return a path with the losses the file has for it, if it has them."""

    def near(one: Floats, other: Floats) -> bool:
        return one.shape == other.shape and np.allclose(one, other, rtol=1e-6, atol=1e-6 * np.abs(other).max())

    for other in () if stored is None else stored.trajectories.values():
        same_steps = np.array_equal(other.step, path.step)
        if same_steps and near(other.coordinates, path.coordinates) and near(other.residual, path.residual):
            measured = ("values", "plane_values", "loss_name", "samples")
            found = {key: other.attributes[key] for key in measured if key in other.attributes}
            return dataclasses.replace(path, loss=other.loss, attributes={**path.attributes, **found})
    return path


def _with_values(
    path: Trajectory, true: Mapping[str, Floats], below: Mapping[str, Floats], samples: Mapping[str, int]
) -> Trajectory:
    """Return a path with what was measured at its steps and below them."""
    losses = [name for name in true if name.endswith("/loss")]
    loss = "train/loss" if "train/loss" in losses else losses[0]
    measured = {
        "values": {name: values.tolist() for name, values in true.items()},
        "plane_values": {name: values.tolist() for name, values in below.items()},
        "loss_name": loss,
        "samples": samples,
    }
    return dataclasses.replace(path, loss=true[loss], attributes={**path.attributes, **measured})
