"""Which forward pass a run uses: chosen once, by rank 0, then the same on all ranks and in every resume.

The engine of `landscape.engine.prepare` stands in for the network wherever it gives what the network gives; a precision
below float32 only where it was asked for, and with ``"auto"`` only where its error at probe points, against
float32, stays under the tolerance.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from landscape.directions.displacement import Displacement
from landscape.engine.memory import is_out_of_memory, resident_budget
from landscape.engine.prepare import PRECISIONS, Engine, prepare
from landscape.errors import ProblemError
from landscape.evaluation.forward_pass.objective import DEFAULT_BATCH_SIZE, Objective
from landscape.evaluation.forward_pass.precision import choose_batch_size, choose_precision
from landscape.evaluation.forward_pass.sample_values import SampleValues
from landscape.evaluation.forward_pass.stand_in import StandIn
from landscape.parallel.scheduler import Span
from landscape.problem.batches import split_inputs_targets
from landscape.problem.model import misfit
from landscape.surface.grid import Floats
from landscape.surface.heights import PAPER_EPS, suitable_eps

logger = logging.getLogger(__name__)

# Samples of each data set at a probe: enough that their mean loss tells precisions apart, whose errors are
# systematic rather than drawn anew for each sample.
PROBE_SAMPLES = 256
# Batch sizes to time, where neither the user nor the data say one.
BATCH_SIZES = (64, 128, 256, 512)
# By how much of their greatest a loss's values may differ with the engine: rounding.
SAME = 1e-4
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

    A loss of the user's own gets the engine where all that it does with the network is to call it once with the
    batch's inputs, in the network's own precision (see `landscape.evaluation.forward_pass.stand_in`). Else it gets the
    network itself, which it may take apart as it likes, in low precision under autocast.
    """
    if objective.loss.own is not None and not _stands_in(objective, forward, kept):
        low = None if forward.precision == "float32" else PRECISIONS[forward.precision]
        objective.use(objective.model, {"engine": "plain"}, autocast=low, casts_kept=not forward.low_memory)
        return
    if objective.loss.own is not None:
        return
    objective.use(objective.model, {"engine": "plain"})  # lets go of the engine before, and of its weights
    engine = _engine(objective, forward, kept)
    objective.use(engine, engine.description)


def _stands_in(objective: Objective, forward: Forward, kept: Mapping[str, Tensor] | None) -> bool:
    """Let a loss of the user's own use the engine, where that is the same; return whether it does."""
    objective.use(objective.model, {"engine": "plain"})
    if objective.noise is not None or forward.precision != "float32":
        return False
    inputs, few, values = objective.watch_loss()
    if inputs is None:
        return False
    engine = _engine(objective, forward, kept, inputs)
    if engine.description["engine"] == "plain":
        return False
    objective.use(StandIn(engine, objective.model), engine.description)
    if objective.gives(few, values, SAME):
        return True
    logger.debug("the loss gets the network itself: with the engine it gives something else")
    return False


def _engine(objective: Objective, forward: Forward, kept: Mapping[str, Tensor] | None, inputs: Any = None) -> Engine:
    # Twice: while oneDNN reorders weights it takes as much again as they do.
    weights = 2 * sum(each.numel() * each.element_size() for each in objective.model.parameters())
    room = resident_budget(objective.device, objective.users)
    copies = weights <= room and not forward.low_memory
    if weights > room:
        logger.debug("no fused layers: their weights would take up to %d bytes, and %d may be used", weights, room)
    name = next(iter(objective.data))
    if inputs is None:
        inputs, _ = split_inputs_targets(objective.few())
    with objective.modes():
        try:
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
        except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
            said = "" if is_out_of_memory(error) else misfit(objective.model, inputs, name, error)
            if not said:
                raise
            raise ProblemError(said) from error


def choose(
    objective: Objective,
    displacement: Displacement,
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
    few: list[Span] = [(name, 0, min(number, PROBE_SAMPLES)) for name, number in objective.sizes.items()]
    current = ""

    def measure_at(point: Sequence[float], precision: str) -> dict[str, float]:
        nonlocal current
        if current != precision:
            displacement.restore()
            install(objective, Forward(precision, low_memory=low_memory), displacement.start)
            current = precision
        displacement.move_to(point)
        found = SampleValues()
        for group in objective.groups(few):  # not all fit into memory at once, where there is little
            found = found.joined(objective.measure(objective.load(group)))
        losses = {data: each for (data, metric), each in found.values.items() if metric == "loss"}
        return {f"{data}/loss": float(each.mean()) for data, each in losses.items()}

    try:
        losses = np.array([value for point in points for value in measure_at(point, "float32").values()])
        finite = np.abs(losses[np.isfinite(losses)])
        floor = suitable_eps(finite, "log") if finite.size else PAPER_EPS
        if asked == "auto":
            choice = choose_precision(measure_at, points, tolerance=tolerance, floor=floor)
            taken, words = choice.precision, str(choice)
        else:
            choice = choose_precision(measure_at, points, tolerance=math.inf, floor=floor, candidates=(asked,))
            taken, words = asked, f"{asked} (asked for, {choice.error_words(asked)})"
    finally:
        displacement.restore()
    logger.info("precision: %s", words)
    measured = {**choice.as_json(), "words": words}
    return Forward(precision=taken, measured=measured, low_memory=low_memory)


def time_batch_sizes(objective: Objective) -> int:
    """Return the batch size for a long run: the smallest that is about as fast as any."""
    name, number = max(objective.sizes.items(), key=lambda item: item[1])
    sizes = [size for size in BATCH_SIZES if size <= number]
    if len(sizes) < 2:
        return DEFAULT_BATCH_SIZE
    batches = {size: objective.ready(objective.data[name].fetch(objective.orders[name][:size])) for size in sizes}
    with objective.modes():
        return choose_batch_size(lambda size: objective.run_batch(batches[size]), sizes)


def describe_forward(forward: Forward, own: str, engine: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `Surface.quality` says of it; ``own`` is the network's own precision."""
    said = {**engine, "precision": own if forward.precision == "float32" else forward.precision}
    if forward.low_memory:
        said["low_memory"] = True
    if forward.measured:
        error = forward.measured["errors"].get(forward.precision, 0.0)
        if isinstance(error, float):  # else it is not known, or infinite, which JSON has no number for
            said["precision_error"] = error
        said["precision_chosen"] = forward.measured["words"]
        said["precision_errors_at_probes"] = forward.measured["errors_at"]
    return said
