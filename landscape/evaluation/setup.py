"""What a run sets up once, on every rank: file, device, weights, directions, grid. What is undone is on a stack."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from landscape.directions.construct import Plane, random_plane, rebuild_plane
from landscape.directions.displacement import Displacement, untouched
from landscape.directions.planes import Planes
from landscape.engine.control_groups import cpu_quota
from landscape.engine.devices import local_device, physical_cores, threads_for, usable_cpus, why_unusable
from landscape.engine.memory import resident_budget
from landscape.errors import EvaluationError, UsageError
from landscape.evaluation.forward_pass.objective import DEFAULT_BATCH_SIZE
from landscape.evaluation.output import OutputFile
from landscape.evaluation.settings import Settings
from landscape.parallel.comm import current_comm
from landscape.parallel.serial import Comm
from landscape.problem.data.samples import Data
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.named_data import in_units_of, named_data
from landscape.problem.params import digest, moved_tensors, require_movable
from landscape.problem.references import failure
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface

logger = logging.getLogger(__name__)

# What a point of the grid takes on rank 0, its task and its values: 498 were measured for two metrics of one data set.
POINT_BYTES = 500
# What the recipe, length and digest of one direction of a repetition take there, and once more as JSON in the file.
RECIPE_BYTES = 3000
# Seconds of drawing that go without a word.
LONG_DRAWING = 60.0


@dataclass(frozen=True)
class Setup:
    """A run before anything is measured: the network is at theta*."""

    settings: Settings
    comm: Comm
    model: nn.Module
    sets: Mapping[str, Data]
    loss: Loss
    samples: int | None  # of each data set at a point; None: all
    output: OutputFile
    stored: Surface | None  # what the file holds already; rank 0 alone knows
    sha256: str  # of all states of theta*; rank 0 alone knows
    plane: Plane
    planes: Planes  # that plane, or repetitions of it
    axes: tuple[Axis, ...]
    displacement: Displacement


def set_up(stack: ExitStack, model: nn.Module, data: Any, plane: Plane | None, settings: Settings) -> Setup:
    """Set up a run; what has to be put back afterwards is registered on ``stack``."""
    comm = current_comm()
    stack.enter_context(comm.together())
    require_movable(model)
    values = settings.ranges()
    _require_room(math.prod(map(len, values)) * settings.repeats, settings.repeats * len(values))
    loss = resolve_loss(settings.loss, settings.metrics)
    sets, batch_size = in_units_of(named_data(data), loss, settings.batch_size, DEFAULT_BATCH_SIZE)
    settings = replace(settings, batch_size=batch_size)
    for each in sets.values():
        each.limit_memory(resident_budget(torch.device("cpu"), comm.local_size) // len(sets))
    output = OutputFile(settings.path, settings.write_every, settings.overwrite)
    stored = None
    if comm.rank == 0:
        stack.enter_context(output)
        stored = output.read()
    samples = comm.broadcast(_samples(settings, stored))
    _share_host(stack, comm)
    place(stack, model, settings.device, comm.local_rank)
    stack.enter_context(untouched(model))
    # Before anything is measured: recomputed batch-norm statistics are no part of theta*.
    sha256 = digest(model.state_dict()) if comm.rank == 0 else ""
    lean = settings.low_memory or settings.repeats > 1  # what is kept, `planes` keeps
    if not isinstance(plane, Plane | None):
        made = "landscape.random_plane(model) makes one, directions='random' too"
        raise TypeError(f"plane is of type {type(plane).__name__}, it has to be a Plane: {made}")
    plane = (plane or random_plane(model, dimensions=len(values), low_memory=lean)).first(len(values))
    planes = Planes(model, plane, settings.repeats, low_memory=settings.low_memory)
    if planes.drawn and settings.save_directions:
        raise UsageError("save_directions keeps what low_memory does without; the file's recipe draws them again")
    _warn_of_drawing(model, planes, comm)
    axes = planes.axes(values)
    tensors = moved_tensors(model, move=plane.move, include=plane.include, exclude=plane.exclude)
    displacement = Displacement(model, tensors, [direction.tensors for direction in planes[0].directions])
    stack.callback(displacement.restore)
    return Setup(settings, comm, model, sets, loss, samples, output, stored, sha256, plane, planes, axes, displacement)


def _warn_of_drawing(model: nn.Module, planes: Planes, comm: Comm) -> None:
    """Say how long it takes to draw the planes of all repetitions, which comes before the first point."""
    if planes.repeats == 1:
        return
    began = time.perf_counter()
    rebuild_plane(model, [direction.recipe for direction in planes[0].directions], low_memory=True)
    seconds = (time.perf_counter() - began) * planes.repeats
    if seconds > LONG_DRAWING and comm.rank == 0:
        logger.warning(
            "drawing %s planes takes about %.0f min before the first point", f"{planes.repeats:,}", seconds / 60
        )


def _require_room(points: int, directions: int) -> None:
    """Refuse a grid that rank 0 could not keep, before anything of its size is made."""
    needed = (POINT_BYTES * points + RECIPE_BYTES * directions) / 2**30
    room = resident_budget(torch.device("cpu")) / 2**30
    if needed > room:
        raise UsageError(
            f"a grid of {points:,} points takes about {needed:,.1f} GiB of memory, and {room:,.1f} GiB may be used; "
            "ask for fewer, by --x, --y, --z or --repeats (x=, y=, z=, repeats=)"
        )


def _samples(settings: Settings, stored: Surface | None) -> int | None:
    """Return how many samples a point gets: as many as the file's points have, where fewer are asked for."""
    if settings.samples is None or stored is None:
        return settings.samples
    there = [int(entry.get("samples", 0)) for entry in stored.problem.get("data", {}).values()]
    if max(there, default=0) > settings.samples:
        logger.warning("%s has %d samples a point already, and goes on with them", settings.path, max(there))
    return max([settings.samples, *there])


def _share_host(stack: ExitStack, comm: Comm) -> None:
    """Compute with this rank's share of its host's cores, unless the user has said how many threads."""
    if comm.size == 1 or "OMP_NUM_THREADS" in os.environ:
        return
    affinities = comm.gather_local(usable_cpus())
    stack.callback(torch.set_num_threads, torch.get_num_threads())
    torch.set_num_threads(threads_for(comm.local_rank, affinities, physical_cores(), cpu_quota()))


def place(stack: ExitStack, model: nn.Module, device: str | torch.device | None, local_rank: int) -> None:
    """Move the network to a device until a stack is left."""
    if device is None:
        return
    here = next((p.device for p in model.parameters()), torch.device("cpu"))
    found = local_device(str(device), local_rank, torch.cuda.device_count())
    if reason := why_unusable(found):
        raise EvaluationError(f"cannot compute on device {str(device)!r}: {reason}")
    try:
        model.to(found)
    except (RuntimeError, AssertionError) as error:
        raise EvaluationError(f"cannot compute on device {str(device)!r}: {failure(error)}") from error
    stack.callback(model.to, here)
