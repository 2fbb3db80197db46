"""A surface with runs on it, in one call: plane, range, grid, and the true loss of every step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from landscape.comm import current_comm
from landscape.costs import Cost
from landscape.directions import Direction, Plane
from landscape.errors import LandscapeError, UsageError
from landscape.evaluation import estimate_cost, evaluate
from landscape.grid import Floats, grid_shape, parse_range
from landscape.locks import Lock
from landscape.planes import Planes
from landscape.record_losses import Measuring, measure_below, measure_run
from landscape.run import place
from landscape.runs import TrainingRun
from landscape.settings import Progress, Range
from landscape.shared_planes import made_once, plane_made_once
from landscape.store import read_directions, read_surface, write_surface
from landscape.surface import NOT_COMPUTED, Surface, Trajectory
from landscape.trajectory import MARGIN, PrincipalPlane, fitting_ranges, principal_plane, project, with_names

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
    progress: Progress | None = None,
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
        Points along the directions. By default a square in weight space that holds the runs and theta*; on
        a line to a checkpoint, 0 and 1 are among them.
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
        As `landscape.trajectory.principal_plane`, `landscape.trajectory.project` and `landscape.evaluate`.
    """
    runs = [runs] if isinstance(runs, TrainingRun) else list(runs)
    if len({run.name for run in runs}) < len(runs):
        raise UsageError(f"runs need different names, got {', '.join(run.name for run in runs)}")
    stored = _stored(path, overwrite) if current_comm().rank == 0 else None
    plane, known, ranges = _prepared(model, runs, plane, stored, (x, y), points, margin)
    # A step is two more points: its own weights, and the plane below them.
    steps = [2 * len(run.records) for run in runs if "samples" not in known[run.name].attributes]
    bar = _Bar(progress, sum(steps))
    settings |= {"path": path, "overwrite": overwrite}
    with ExitStack() as stack:
        # For all that is measured, not for the surface alone: its values are compared with those of the steps.
        place(stack, model, settings.pop("device", None), current_comm().local_rank)
        return _measured(model, data, runs, plane, known, ranges, settings, bar)


def _measured(
    model: nn.Module,
    data: Any,
    runs: Sequence[TrainingRun],
    plane: Plane,
    known: Mapping[str, Trajectory],
    ranges: Mapping[str, Any],
    settings: Mapping[str, Any],
    bar: _Bar,
) -> Surface:
    """Measure the surface, and of the runs on it what is not known yet."""
    surface = evaluate(
        model,
        data,
        plane,
        **ranges,
        progress=bar.grid,
        trajectories=known,
        **{"save_directions": isinstance(plane, PrincipalPlane), **settings},
    )
    names = {field.name for field in dataclasses.fields(Measuring)}
    how: dict[str, Any] = {name: value for name, value in settings.items() if name in names}
    how["progress"] = bar.step
    precision = surface.quality.get("precision")
    how["precision"] = precision if precision in ("bfloat16", "float16") else "float32"
    how["batch_size"] = surface.quality.get("batch_size", how.get("batch_size"))
    if how.get("samples") is not None:
        # A file that has more goes on with them.
        how["samples"] = max(_samples(surface).values())
    finished: dict[str, Trajectory] = {}
    for run in runs:
        each = known[run.name]
        if each.attributes.get("samples") != _samples(surface):
            true = measure_run(model, data, run, **how)
            each = _with_values(each, true, measure_below(model, data, each, plane, **how), surface)
        finished[run.name] = each
    surface = dataclasses.replace(surface, trajectories={**surface.trajectories, **finished})
    path = settings.get("path")
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
    plane, paths, ranges = _prepared(model, runs, plane, None, (x, y), points, margin)
    cost = estimate_cost(model, data, plane, **ranges, **settings)
    axes = Planes(model, plane).axes([parse_range(each) for each in ranges.values()])
    state = np.full(grid_shape(axes), NOT_COMPUTED, dtype=np.uint8)
    return Surface(axes, {}, state, cosines=plane.cosines, trajectories=paths), cost


def _prepared(
    model: nn.Module,
    runs: Sequence[TrainingRun],
    plane: Plane | None,
    stored: Surface | None,
    given: Sequence[Range | None],
    points: int | None,
    margin: float,
) -> tuple[Plane, dict[str, Trajectory], dict[str, Any]]:
    """Return plane, runs on it and ranges, the same on all ranks to the last bit."""
    shared = plane_made_once(lambda: with_names(_as_stored(plane or principal_plane(model, runs), stored), runs))
    if len(shared) > 2:
        raise UsageError(f"a run is drawn on a line or a plane, got {len(shared)} directions")

    def place() -> tuple[dict[str, Trajectory], dict[str, Any]]:
        paths = {run.name: project(model, run, shared) for run in runs}
        ranges = fitted_ranges(list(paths.values()), shared, given, points, margin)
        return {name: _known(each, stored) for name, each in paths.items()}, ranges

    return shared, *made_once(place)


class _Bar:
    """One count over the grid and the steps."""

    def __init__(self, progress: Progress | None, steps: int) -> None:
        self._tell = progress or (lambda done, total: None)
        self._steps = steps
        self._done = self._total = 0

    def grid(self, done: int, total: int) -> None:
        self._done, self._total = done, total + self._steps
        self._tell(self._done, self._total)

    def step(self, done: int, total: int) -> None:
        if done:
            self._done += 1
            self._tell(self._done, max(self._total, self._done))


def _stored(path: str | Path | None, overwrite: bool) -> Surface | None:
    """Return what the file holds already, if it can be read; if not, `evaluate` says so."""
    if path is None or overwrite or not Path(path).exists():
        return None
    try:
        return read_surface(path)
    except LandscapeError:
        return None


def _as_stored(plane: Plane, stored: Surface | None) -> Plane:
    """Return the plane in the very numbers of the file, where it is the same but for rounding.

    Principal components summed by another number of threads differ in their last digits.
    """
    if stored is None or any(direction.recipe.get("source") != "pca" for direction in plane.directions):
        return plane
    axes, tensors = stored.directions, read_directions(stored.path)
    if len(axes) != len(plane) or len(tensors) != len(plane):
        return plane
    directions = []
    for direction, axis, arrays in zip(plane.directions, axes, tensors, strict=True):
        tree = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        if set(tree) != set(direction.tensors) or any(tree[k].shape != t.shape for k, t in direction.tensors.items()):
            return plane
        gap = sum(float((tree[name].double() - t.double()).square().sum()) for name, t in direction.tensors.items())
        if gap > _SAME_DIRECTION**2:
            return plane
        directions.append(Direction(tree, direction.recipe, direction.label, axis.length, axis.sha256))
    return dataclasses.replace(plane, directions=tuple(directions), cosines=_cosines(stored, plane))


def _cosines(stored: Surface, plane: Plane) -> Floats:
    return plane.cosines if stored.cosines is None else stored.cosines


def fitted_ranges(
    paths: Sequence[Trajectory], plane: Plane, given: Sequence[Range | None], points: int | None, margin: float
) -> dict[str, Any]:
    """Return the points along each axis, as `landscape.evaluate` takes them: as given, or such as hold the runs."""
    number = points or (PLANE_POINTS if len(plane) == 2 else LINE_POINTS)
    names = ("x", "y")[: len(plane)]
    if given[1] is not None and len(plane) == 1:
        raise UsageError("y was given, but a line has only the axis x")
    if all(each is not None for each in given[: len(plane)]):
        return {name: each for name, each in zip(names, given, strict=False) if each is not None}
    fitting = fitting_ranges(paths, plane, margin=margin)
    found: dict[str, Any] = {}
    for name, each, (low, high) in zip(names, given, fitting, strict=False):
        values = parse_range(f"{low!r}:{high!r}:{number}")
        if len(plane) == 1 and plane.directions[0].recipe.get("source") == "checkpoint":
            values = _through_both(values)
        found[name] = values if each is None else each
    return found


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
    if stored is None:
        return path
    for other in stored.trajectories.values():
        if (
            np.array_equal(other.step, path.step)
            and other.coordinates.shape == path.coordinates.shape
            and np.allclose(other.coordinates, path.coordinates, rtol=1e-6, atol=1e-6 * np.abs(path.coordinates).max())
            and np.allclose(other.residual, path.residual, rtol=1e-6, atol=1e-6 * np.abs(path.residual).max())
        ):
            found = {key: other.attributes[key] for key in _MEASURED if key in other.attributes}
            return dataclasses.replace(path, loss=other.loss, attributes={**path.attributes, **found})
    return path


_MEASURED = ("values", "plane_values", "loss_name", "samples")


def _samples(surface: Surface) -> dict[str, int]:
    return {name: int(entry["samples"]) for name, entry in surface.problem.get("data", {}).items()}


def _with_values(
    path: Trajectory, true: Mapping[str, Floats], below: Mapping[str, Floats], surface: Surface
) -> Trajectory:
    losses = [name for name in true if name.endswith("/loss")]
    loss = "train/loss" if "train/loss" in losses else losses[0]
    measured = {
        "values": {name: values.tolist() for name, values in true.items()},
        "plane_values": {name: values.tolist() for name, values in below.items()},
        "loss_name": loss,
        "samples": _samples(surface),
    }
    return dataclasses.replace(path, loss=true[loss], attributes={**path.attributes, **measured})
