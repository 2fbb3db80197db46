"""Which forward pass a run uses: chosen once, by rank 0, then the same on all ranks and in every resume.

The engine of `landscape.engine` stands in for the network wherever it gives what the network gives; a precision below
float32 only where it was asked for, and with ``"auto"`` only where its error at probe points, against
float32, stays under the tolerance.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landscape.batches import split_inputs_targets
from landscape.engine import PRECISIONS, Engine, prepare
from landscape.grid import Floats
from landscape.heights import PAPER_EPS, suitable_eps
from landscape.memory import resident_budget
from landscape.motion import Motion
from landscape.objective import DEFAULT_BATCH_SIZE, Objective, Span
from landscape.precision import choose_batch_size, choose_precision

logger = logging.getLogger(__name__)

# Samples of each data set at a probe: enough that their mean loss tells precisions apart, whose errors are
# systematic rather than drawn anew for each sample.
PROBE_SAMPLES = 256
# Batch sizes to time, where neither the user nor the data say one.
BATCH_SIZES = (64, 128, 256, 512)
# A run shorter than this is not worth timing batch sizes for, seconds.
WORTH_TIMING = 30.0


@dataclass(frozen=True)
class Forward:
    """What was chosen, as all ranks need it."""

    precision: str = "float32"  # float32 stands for the network's own
    compile: bool = False
    batch_size: int = DEFAULT_BATCH_SIZE
    low_memory: bool = False  # whether to do without copies of the weights
    measured: Mapping[str, Any] = field(default_factory=dict)  # JSON: errors and times at the probes, where measured


def install(objective: Objective, forward: Forward, kept: Mapping[str, Tensor] | None = None) -> None:
    """Let an objective use the engine for this choice; what runs is in ``objective.engine``.

    ``kept`` are copies of the network's tensors as they are now, where there are some: the engine is compared with
    the network elsewhere without making others. Of its own it has none with ``low_memory``, nor where they would not
    fit.

    A loss of the user's own gets the network itself, which it may take apart as it likes, in low precision under
    autocast.
    """
    if objective.loss.own is not None:
        low = _autocast_type(forward.precision)
        objective.use(objective.model, {"engine": "plain"}, autocast=low, casts_kept=not forward.low_memory)
        return
    objective.use(objective.model, {"engine": "plain"})  # lets go of the engine before, and of its weights
    engine = _engine(objective, forward, kept)
    objective.use(engine, engine.description)


def _engine(objective: Objective, forward: Forward, kept: Mapping[str, Tensor] | None) -> Engine:
    # Twice: while oneDNN reorders weights it takes as much again as they do.
    weights = 2 * sum(each.numel() * each.element_size() for each in objective.model.parameters())
    room = resident_budget(objective.device, objective.users)
    copies = weights <= room and not forward.low_memory
    if weights > room:
        logger.debug("no fused layers: their weights would take up to %d bytes, and %d may be used", weights, room)
    name = next(iter(objective.data))
    few = objective.placed(objective.data[name].fetch(objective.orders[name][:8]))
    inputs, _ = split_inputs_targets(few)
    with objective.modes():
        return prepare(
            objective.model,
            inputs,
            precision=forward.precision,
            device=objective.device,
            fold=copies,
            fuse=copies,
            compile=forward.compile,
            kept=kept,
        )


def _autocast_type(precision: str) -> torch.dtype | None:
    return None if precision == "float32" else PRECISIONS[precision]


def _probe(objective: Objective) -> Any:
    spans: list[Span] = [(name, 0, min(number, PROBE_SAMPLES)) for name, number in objective.sizes.items()]
    return objective.load(objective.groups(spans)[0])


def choose(
    objective: Objective,
    motion: Motion,
    ranges: Sequence[Floats],
    tolerance: float,
    *,
    asked: str = "auto",
    low_memory: bool = False,
) -> Forward:
    """Choose a precision by measuring at the origin and the corners of the grid; one asked for is only measured.

    The error of a loss is relative to loss + eps, eps as the pictures have it: min(0.1, 0.05 median) over the probes.
    """
    ends = [sorted({float(values[0]), float(values[-1])}) for values in ranges]
    points = [(0.0,) * len(ranges), *itertools.product(*ends)]
    current = ""

    def measure_at(point: Sequence[float], precision: str) -> dict[str, float]:
        nonlocal current
        if current != precision:
            motion.restore()
            install(objective, Forward(precision, low_memory=low_memory), motion.start)
            current = precision
        motion.move_to(point)
        values = objective.measure(_probe(objective)).values
        return {f"{data}/{metric}": float(each.mean()) for (data, metric), each in values.items() if metric == "loss"}

    try:
        floor = _floor([measure_at(point, "float32") for point in points])
        if asked == "auto":
            choice = choose_precision(measure_at, points, tolerance=tolerance, floor=floor)
            taken, words = choice.precision, str(choice)
        else:
            choice = choose_precision(measure_at, points, tolerance=math.inf, floor=floor, candidates=(asked,))
            taken, words = asked, f"{asked} (asked for, error at most {100 * choice.errors[asked]:.2g} %)"
    finally:
        motion.restore()
    logger.info("precision: %s", words)
    measured = {**choice.as_json(), "floor": floor, "words": words}
    return Forward(precision=taken, measured=measured, low_memory=low_memory)


def _floor(losses: Sequence[Mapping[str, float]]) -> float:
    finite = [abs(value) for each in losses for value in each.values() if np.isfinite(value)]
    return suitable_eps(np.array(finite), "log") if finite else PAPER_EPS


def time_batch_sizes(objective: Objective, points: int) -> int:
    """Return the batch size for a run of so many points: the smallest that is about as fast as any."""
    name, number = max(objective.sizes.items(), key=lambda item: item[1])
    sizes = [size for size in BATCH_SIZES if size <= number]
    if len(sizes) < 2:
        return DEFAULT_BATCH_SIZE
    batches = {size: objective.ready(objective.data[name].fetch(objective.orders[name][:size])) for size in sizes}
    with objective.modes():
        began = time.perf_counter()
        objective.run_batch(batches[sizes[0]])
        seconds = (time.perf_counter() - began) / sizes[0] * sum(objective.sizes.values()) * points
        if seconds < WORTH_TIMING:
            return DEFAULT_BATCH_SIZE
        return choose_batch_size(lambda size: objective.run_batch(batches[size]), sizes).batch_size


def describe_forward(forward: Forward, own: str, engine: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `Surface.quality` says of it; ``own`` is the network's own precision."""
    said = {**engine, "precision": own if forward.precision == "float32" else forward.precision}
    if forward.low_memory:
        said["low_memory"] = True
    if forward.measured:
        said["precision_error"] = forward.measured["errors"].get(forward.precision, 0.0)
        said["precision_chosen"] = forward.measured["words"]
        said["precision_errors_at_probes"] = forward.measured["errors_at"]
    return said
