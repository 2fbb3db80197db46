"""The steps of `landscape.run_surface` one by one, nothing measured: a plane as a file, a run put on a surface."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from landscape.directions import Plane, read_plane
from landscape.errors import DirectionError, StoreError, UsageError
from landscape.grid import Axis, grid_shape, parse_range
from landscape.locks import Lock
from landscape.params import digest
from landscape.paths import component_label
from landscape.planes import Planes
from landscape.provenance import now, software
from landscape.run_surface import fitted_ranges
from landscape.runs import TrainingRun
from landscape.settings import Range
from landscape.shared_planes import made_once
from landscape.store import read_surface, write_surface
from landscape.surface import NOT_COMPUTED, Surface
from landscape.trajectory import MARGIN, principal_plane, project


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

    def write() -> Surface:
        if Path(path).exists() and not overwrite:
            raise StoreError(f"{path} is there already; write to another file, or pass --overwrite (overwrite=True)")
        through = plane or principal_plane(model, chosen)
        paths = {run.name: project(model, run, through) for run in chosen}
        ranges = fitted_ranges(list(paths.values()), through, (x, y), points, margin)
        axes = Planes(model, through).axes([parse_range(each) for each in ranges.values()])
        surface = Surface(
            axes,
            {},
            np.full(grid_shape(axes), NOT_COMPUTED, dtype=np.uint8),
            cosines=through.cosines,
            problem={
                "model": dict(description or {}),
                "move": through.move,
                "include": through.include,
                "exclude": through.exclude,
            },
            origin={"checkpoint": checkpoint, "sha256": digest(model.state_dict())},
            trajectories=paths,
            path=str(path),
            software=software(),
            created=now(),
            command=command,
        )
        trees = [direction.tensors for direction in through.directions]
        tensors = [{name: tensor.cpu().numpy() for name, tensor in tree.items()} for tree in trees]
        with Lock(path):
            write_surface(path, surface, directions=tensors, overwrite=overwrite)
        return surface

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
        A surface of ours or of the 2018 tool, of whatever directions.
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
            if surface.repeats > 1:
                raise UsageError(
                    f"{path} has {surface.repeats} seeds, each with directions of its own; put runs on one"
                )
            if (taken := {run.name for run in chosen} & set(surface.trajectories)) and not overwrite:
                raise UsageError(f"{path} has a run called {', '.join(sorted(taken))} already; --overwrite replaces it")
            about, here = surface.origin.get("sha256"), digest(model.state_dict())
            if about and about != here:
                raise DirectionError(
                    f"{path} is about the checkpoint with SHA-256 {about[:12]} ({surface.origin.get('checkpoint')}), "
                    f"the network here is at {here[:12]}: coordinates would be about another point; name it by --origin"
                )
            plane = read_plane(model, path, trust=trust).first(len(surface.directions))
            found = {run.name: project(model, run, plane) for run in chosen}
            surface = dataclasses.replace(
                surface,
                axes=tuple(_named(axis) for axis in surface.axes),
                trajectories={**surface.trajectories, **found},
                path=str(target),
            )
            return dataclasses.replace(surface, digest=write_surface(target, surface, overwrite=overwrite))

    return made_once(put)


def _named(axis: Axis) -> Axis:
    """Return an axis that says whose variance it speaks of, now that another run is on it as well."""
    return dataclasses.replace(axis, label=component_label(axis.label, axis.recipe)) if axis.source == "pca" else axis
