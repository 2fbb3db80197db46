"""The steps of `landscape.trajectory.run_surface` one by one, nothing measured: a plane as a file, a run put on a
surface."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from landscape.directions.construct import Plane
from landscape.directions.direction_files import read_plane, stored_arrays
from landscape.errors import DirectionError, StoreError, UsageError
from landscape.evaluation.provenance import now, software
from landscape.evaluation.settings import Range
from landscape.files.locks import Lock
from landscape.files.store import read_surface, write_surface
from landscape.problem.params import digest
from landscape.surface.derived.variance_shares import component_label
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface
from landscape.trajectory.principal_plane import MARGIN, project
from landscape.trajectory.run_surface import prepare_runs, unmeasured_surface
from landscape.trajectory.runs import TrainingRun
from landscape.trajectory.shared_planes import made_once


def write_plane(
    path: str | Path,
    model: nn.Module,
    runs: TrainingRun | Sequence[TrainingRun],
    plane: Plane | None = None,
    *,
    x: Range | None = None,
    y: Range | None = None,
    points: int | None = None,
    margin: float = MARGIN,
    overwrite: bool = False,
    checkpoint: str = "",
    description: Mapping[str, Any] | None = None,
    command: str = "",
) -> Surface:
    """Write a plane through training runs with the runs on it, and nothing measured. Under MPI rank 0 does it for all.

    The file holds the directions' tensors, so that `landscape.read_plane` and ``landscape evaluate --directions`` take
    them from it.

    Parameters
    ----------
    path : str or Path
    model : Module
        At theta*, where coordinates are 0; it is not changed.
    runs : TrainingRun or sequence of TrainingRun
    plane, x, y, points, margin
        See `landscape.evaluate_runs`.
    overwrite : bool
        Replace a file that is there.
    checkpoint, description, command
        What the file says about where the model came from.

    Returns
    -------
    Surface
        With the window that holds the runs as its axes, ``trajectories``, and no values.

    Raises
    ------
    StoreError
        There is a file already, or it cannot be written.
    CheckpointError, DirectionError, UsageError
        As `landscape.principal_plane` and `landscape.project`.
    """
    chosen = [runs] if isinstance(runs, TrainingRun) else list(runs)

    def check() -> None:
        if Path(path).exists() and not overwrite:
            raise StoreError(f"{path} is there already; write to another file, or pass --overwrite (overwrite=True)")

    def write() -> Surface:
        moved = {name: getattr(through, name) for name in ("move", "include", "exclude")}
        surface = dataclasses.replace(
            unmeasured_surface(model, through, paths, ranges),
            problem={"model": dict(description or {}), **moved},
            origin={"checkpoint": checkpoint, "sha256": digest(model.state_dict())},
            path=str(path),
            software=software(),
            created=now(),
            command=command,
        )
        trees = [direction.tensors for direction in through.directions]
        tensors = [stored_arrays(tree) for tree in trees]
        with Lock(path):
            write_surface(path, surface, directions=tensors, overwrite=overwrite)
        return surface

    made_once(check)
    through, paths, ranges = prepare_runs(model, chosen, plane, (x, y), points, margin)
    return made_once(write)


def put_on_surface(
    path: str | Path,
    model: nn.Module,
    runs: TrainingRun | Sequence[TrainingRun],
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    trust: bool = False,
) -> Surface:
    """Project training runs onto the directions of a surface, and keep them in its file; nothing is measured.

    Under MPI rank 0 does it for all.

    Parameters
    ----------
    path : str or Path
        A surface of ours, of whatever directions, or of the 2018 tool, whose direction file lies where its ``dir_file``
        says or beside it.
    model : Module
        At the checkpoint that the surface is about; it is not changed.
    runs : TrainingRun or sequence of TrainingRun
    output : str or Path, optional
        Where to write the surface with the runs: into ``path`` by default.
    overwrite : bool
        Replace runs of the same names, and a file at ``output``.
    trust : bool
        Run code that comes with a checkpoint the directions lead to.

    Returns
    -------
    Surface
        As written. The runs have no losses: `landscape.measure_run` measures them.

    Raises
    ------
    DirectionError
        The network is not at the surface's checkpoint, or the directions cannot be had.
    UsageError
        The surface has a run of that name, or several seeds.
    FormatError, StoreError
        The surface cannot be read or written.
    """
    chosen = [runs] if isinstance(runs, TrainingRun) else list(runs)

    def put() -> Surface:
        target = Path(output or path)
        if output is not None and target.exists() and not overwrite and not target.samefile(path):
            raise StoreError(f"{target} is there already; write to another file, or pass --overwrite (overwrite=True)")
        with Lock(target):
            surface = read_surface(path)
            if (seeds := surface.repeats) > 1:
                raise UsageError(f"{path} has {seeds} seeds, each with directions of its own; put runs on one")
            if (taken := {run.name for run in chosen} & set(surface.trajectories)) and not overwrite:
                raise UsageError(f"{path} has a run called {', '.join(sorted(taken))} already; --overwrite replaces it")
            about, here = surface.origin.get("sha256"), digest(model.state_dict())
            if about and about != here:
                raise DirectionError(
                    f"{path} is about the checkpoint with SHA-256 {about[:12]} ({surface.origin.get('checkpoint')}), "
                    f"the network here is at {here[:12]}: coordinates would be about another point; name it by --origin"
                )
            plane = read_plane(model, _directions_of(path, surface, target), trust=trust).first(len(surface.directions))
            found = {run.name: project(model, run, plane) for run in chosen}
            surface = dataclasses.replace(
                surface,
                axes=tuple(_named(axis) for axis in surface.axes),
                trajectories={**surface.trajectories, **found},
                path=str(target),
            )
            return dataclasses.replace(surface, digest=write_surface(target, surface, overwrite=overwrite))

    return made_once(put)


def _directions_of(path: str | Path, surface: Surface, target: Path) -> str | Path:
    """Return the file that has a surface's directions: of one of the 2018 tool another, which it names."""
    if not (named := surface.origin.get("directions")):
        return path
    if target.exists() and target.samefile(path):
        raise UsageError(f"{path} is a surface of the 2018 tool, which is left as it is: name a copy with -o (output=)")
    places = (Path(named), Path(path).parent / Path(named).name)
    if found := next((place for place in places if place.is_file()), None):
        return found
    raise DirectionError(
        f"{path} holds no directions; {named}, where its dir_file has them, is not there nor beside it"
    )


def _named(axis: Axis) -> Axis:
    """Return an axis that says whose variance it speaks of."""
    return dataclasses.replace(axis, label=component_label(axis.label, axis.recipe)) if axis.source == "pca" else axis
