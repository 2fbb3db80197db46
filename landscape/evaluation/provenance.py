"""What a surface's file says about where it came from: problem, origin, software."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from torch import nn

from landscape import __version__
from landscape.evaluation.forward_pass.forward import describe_forward
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.losses_and_metrics import LossesAndMetrics
from landscape.evaluation.quantities import Quantity
from landscape.evaluation.setup import Setup
from landscape.problem.data.datasets import describe_data, fingerprint
from landscape.problem.model import describe_model
from landscape.problem.params import floating_buffers, normalised_by_batch
from landscape.surface.grid import grid_shape
from landscape.surface.surface import NOT_COMPUTED, Surface

# Samples of each data set that are fingerprinted: enough to notice another set or another preprocessing, while
# a large data set is not read twice.
FINGERPRINT_SAMPLES = 1024


def software() -> str:
    """Return the versions a value may depend on."""
    python = platform.python_version()
    return f"landscape {__version__}, torch {torch.__version__}, numpy {np.__version__}, Python {python}"


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def statistics(model: nn.Module, recomputed_on: str | None) -> dict[str, Any]:
    """Return what a network keeps beside its parameters, so that a caption speaks of nothing that is not there.

    How many layers keep running statistics, which other floating buffers there are, of which data set statistics are
    recomputed, if they are, and how many layers take each batch's, if there are such.
    """
    norms = (m for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase))
    layers = [norm for norm in norms if norm.running_mean is not None]
    by_batch = len(normalised_by_batch(model))
    inside = {id(buffer) for layer in layers for buffer in layer.buffers(recurse=False)}
    others = [name for name, buffer in floating_buffers(model).items() if id(buffer) not in inside]
    found = {"batch_norm": len(layers), "other": others, "recomputed_on": recomputed_on if layers else None}
    return found | ({"by_batch": by_batch} if by_batch else {})


def header(setup: Setup, losses: LossesAndMetrics, quantities: Sequence[Quantity]) -> Surface:
    """Return the surface that a run asks for, with nothing measured yet."""
    s, objective, plane = setup.settings, losses.objective, setup.plane
    problem = {
        "model": dict(s.description or describe_model(setup.model)),
        "data": {name: describe_data(each, objective.sizes[name]) for name, each in objective.data.items()},
        "loss": setup.loss.name,
        "metrics": {name: list(members) for name, members in losses.stores.items()},
        "move": plane.move,
        "include": plane.include,
        "exclude": plane.exclude,
        "samples": setup.samples,
        "sample_seed": s.sample_seed,
        "batch_norm": s.batch_norm,
        "batch_norm_data": s.batch_norm_data,
        "statistics": statistics(setup.model, objective.norm_data if s.batch_norm == "recompute" else None),
        "mode": s.mode,
        "weight_decay": s.weight_decay,
        "normalize": next((d.normalize for d in objective.data.values() if d.normalize), None),
    }
    if s.noise is not None:
        problem["noise"] = s.noise
    if losses.baseline.by_batch:
        problem["loss_by_batch"] = True  # by layers that "statistics" counts, or by anything else
    if losses.anchored:
        # A file that is gone on with says itself how many; "auto" takes what it says.
        stored = setup.stored.problem.get("anchors") if setup.stored is not None else None
        problem["anchors"] = stored if s.anchors == "auto" and stored is not None else s.anchors
    others = {each.name: dict(each.settings) for each in quantities if each is not losses}
    if others:
        problem["quantities"] = others
    dtypes = {p.dtype for p in setup.model.parameters() if p.is_floating_point()}
    own = "mixed" if len(dtypes) > 1 else str(dtypes.pop() if dtypes else torch.float32).removeprefix("torch.")
    device = objective.device
    counted = {name: min(number, FINGERPRINT_SAMPLES) for name, number in objective.sizes.items()}
    return Surface(
        setup.axes,
        values={},
        state=np.full(grid_shape(setup.axes), NOT_COMPUTED, dtype=np.uint8),
        cosines=None if s.repeats > 1 else plane.cosines,
        problem=problem,
        origin={
            "checkpoint": s.checkpoint,
            "sha256": setup.sha256,  # of all states
            "values": losses.baseline.means(),
            "fingerprints": fingerprints(objective, counted),
            "fingerprint_samples": counted,
        },
        quality={
            **describe_forward(losses.forward, own, objective.engine),
            "batch_size": objective.batch_size,
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
            "ranks": setup.comm.size,
        },
        software=software(),
        created=now(),
        command=s.command,
        trajectories=s.trajectories,
    )


def fingerprints(objective: Objective, counted: Mapping[str, int]) -> dict[str, str]:
    """Return the digests of the first so many samples of each data set."""
    return {
        name: fingerprint(objective.data[name], objective.orders[name][:number])
        for name, number in counted.items()
        if name in objective.data
    }
