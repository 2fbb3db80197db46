"""The measurement at theta*: what everything else is compared with, and the test that measuring can be trusted.

Taken before a run starts, all samples once, a prefix of them twice from data read anew: a loader that shuffles or
augments, and a network that is not deterministic in eval mode, are found here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from landscape.directions.displacement import untouched
from landscape.engine.memory import is_out_of_memory
from landscape.errors import EvaluationError, LandscapeError
from landscape.evaluation.forward_pass.batch_dependence import goes_by_batch
from landscape.evaluation.forward_pass.noise import draws, why_changing, why_different
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.forward_pass.sample_values import Chunk, SampleValues
from landscape.parallel.scheduler import Span
from landscape.problem.data.datasets import fingerprint
from landscape.problem.references import failure

logger = logging.getLogger(__name__)

# Samples measured twice, a batch as it is by default. Augmentation and shuffling show in any few; a whole pass would
# double the start of a run.
REPEATED_SAMPLES = 256

# How often a network is asked that draws random numbers and gives the same twice: a coin may fall alike for long.
MOST_ASKED, ASKING_SECONDS = 200, 1.0

# Relative difference of a sample's values on two hosts of one job: their processors may round half precision apart, and
# other data or weights differ by far more.
SAME_EVERYWHERE = 0.02


@dataclass(frozen=True)
class Baseline:
    """Each sample's values at theta*, in the order of the samples."""

    samples: SampleValues
    spans: tuple[Span, ...]  # all samples of all data sets
    seconds: float  # what one point takes
    by_batch: bool = False  # whether a sample's loss goes by which others share its batch, in eval mode

    def metrics(self, others: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
        """Return the names of the metrics of each data set, the loss first."""
        pairs = sorted(self.samples.values, key=lambda pair: pair[1] != "loss")
        return {name: (*(metric for data, metric in pairs if data == name), *others) for name, _, _ in self.spans}

    def prefix_means(self, counts: Mapping[str, int]) -> dict[tuple[str, str], float]:
        """Return the means at theta* over the first so many samples of each data set."""
        return {
            (data, metric): float(values[: counts[data]].mean())
            for (data, metric), values in self.samples.values.items()
            if counts.get(data)
        }

    def prefix_errors(self, numbers: Mapping[str, Sequence[int]]) -> dict[str, dict[int, float]]:
        """Return how far the mean loss at theta* over the first so many samples is from that over all of them."""
        found = {}
        for data, counts in numbers.items():
            values = self.samples.values[data, "loss"]
            with np.errstate(invalid="ignore"):  # inf - inf: not known
                found[data] = {count: abs(float(values[:count].mean() - values.mean())) for count in counts}
        return found

    def means(self, described: Mapping[str, Any] | None = None) -> dict[str, float]:
        """Return the means at theta*, over as many samples as ``Surface.problem["data"]`` of a file says."""
        counts = {data: stop for data, _, stop in self.spans}
        for data, entry in (described or {}).items():
            counts[data] = min(int(entry.get("samples", counts.get(data, 0))), counts.get(data, 0))
        return {f"{data}/{metric}": value for (data, metric), value in self.prefix_means(counts).items()}


def measure_baseline(objective: Objective) -> Baseline:
    """Measure all samples at theta*, and some of them twice.

    Raises
    ------
    EvaluationError
        The loss fails, or measuring again gives something else; it says whether data or network differ.
    """
    spans = tuple((name, 0, number) for name, number in objective.sizes.items())
    whole = max(REPEATED_SAMPLES // objective.batch_size, 1) * objective.batch_size
    few = [(name, 0, min(number, whole)) for name, number in objective.sizes.items()]
    objective.forget()
    first = _measure_few(objective, few)  # not timed: it warms up
    if objective.buffers.written:
        _require_settled_buffers(objective, few)
    objective.forget()  # so that what follows is read anew
    samples = SampleValues()
    seconds = 0.0
    for group in objective.groups(spans):
        chunks = objective.load(group)
        began, asking = time.perf_counter(), objective.asking_seconds
        measured = _measure(objective, chunks)
        seconds += time.perf_counter() - began - (objective.asking_seconds - asking)
        samples = samples.joined(measured)
    again = samples.first_of(first)
    if not _agree(first, again, objective):
        raise EvaluationError(_why_not_repeatable(objective, few, first, again))
    if all(not np.isfinite(v).any() for (_, metric), v in samples.values.items() if metric == "loss"):
        logger.warning("the loss at the checkpoint itself is not finite for any sample")
    return Baseline(samples, spans, seconds, goes_by_batch(objective))


def _measure_few(objective: Objective, few: list[Span]) -> SampleValues:
    """Measure some samples at theta*, as often as it takes to see whether chance decides where it has a say.

    Raises
    ------
    EvaluationError
        The loss fails, or random numbers that nothing seeds change it.
    """
    chunks, found = objective.load(few), []
    if not draws(lambda: found.append(_measure(objective, chunks))) or objective.noise is not None:
        return found[0]
    began, asked = time.perf_counter(), 1
    while asked < MOST_ASKED and (asked < 8 or time.perf_counter() - began < ASKING_SECONDS):
        again, asked = _measure(objective, chunks), asked + 1
        if not _agree(found[0], again, objective, share=0.0):
            raise EvaluationError(_why_of_network(objective, chunks, found[0], again))
    logger.warning(
        "the network or its loss draws random numbers in %s mode; asked %d times they changed nothing (where they "
        "might elsewhere: --noise common draws the same ones at every point)",
        objective.mode,
        asked,
    )
    return found[0]


def _require_settled_buffers(objective: Objective, few: list[Span]) -> None:
    """Raise EvaluationError where what a pass writes into buffers changes the values of the next one."""
    chunks = objective.load(few)
    with untouched(objective.model), objective.keeping_nothing():
        one, other = _measure(objective, chunks), _measure(objective, chunks)
    if not _agree(one, other, objective):
        raise EvaluationError(_gives_other(objective, one, other, why_changing(objective.buffers.written)))
    logger.warning(
        "the forward pass changes %s in %s mode; each batch is measured with what the checkpoint holds there",
        ", ".join(objective.buffers.written[:3]) + (" and others" if len(objective.buffers.written) > 3 else ""),
        objective.mode,
    )


def require_same_start(objective: Objective, baseline: Baseline) -> None:
    """Measure the first samples of each data set at theta*, and compare with what another process measured.

    Raises
    ------
    EvaluationError
        The data, the weights or the code of this process are others, or it cannot measure at all.
    """
    group = [(name, 0, min(number, objective.batch_size)) for name, number in objective.sizes.items()]
    objective.forget()
    here = _measure(objective, objective.load(group))
    there = baseline.samples.first_of(here)
    objective.forget()
    if not _agree(there, here, objective, SAME_EVERYWHERE):
        raise EvaluationError(
            f"the checkpoint does not measure here as on rank 0{_how_different(there, here)}: the data, the checkpoint "
            "or the code on this host are others, or its device computes otherwise"
        )


def _measure(objective: Objective, chunks: Sequence[Chunk]) -> SampleValues:
    try:
        return objective.measure(chunks, check=True)
    except LandscapeError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may do anything
        if is_out_of_memory(error):
            raise
        raise EvaluationError(f"measuring failed at theta* (the checkpoint itself): {failure(error)}") from error


def _why_not_repeatable(objective: Objective, few: list[Span], first: SampleValues, again: SampleValues) -> str:
    """Return what it is that gives something else: the network, on the very same batches, or the data."""
    chunks = objective.load(few)
    one, other = _measure(objective, chunks), _measure(objective, chunks)
    if not _agree(one, other, objective):
        return _why_of_network(objective, chunks, one, other)
    changed = [
        name
        for name, _, stop in few
        if fingerprint(objective.data[name], objective.orders[name][:stop])
        != fingerprint(objective.data[name], objective.orders[name][:stop])
    ]
    which = ", ".join(repr(name) for name in changed or objective.sizes)
    return (
        f"the data set {which} gives something else each time it is read{_how_different(first, again)}; a surface "
        "needs the same samples at every point: turn random augmentation off"
    )


def _why_of_network(objective: Objective, chunks: Sequence[Chunk], one: SampleValues, other: SampleValues) -> str:
    why = why_different(objective.model, lambda: _measure(objective, chunks), seeded=objective.noise is not None)
    return _gives_other(objective, one, other, why)


def _gives_other(objective: Objective, one: SampleValues, other: SampleValues, why: str) -> str:
    return (
        "the network gives something else each time it is asked, with the same weights and data, "
        f"in {objective.mode} mode{_how_different(one, other)}; {why}"
    )


def _agree(
    first: SampleValues, second: SampleValues, objective: Objective, least: float = 0.0, *, share: float = 0.01
) -> bool:
    """Return whether two measurements differ by rounding alone, which may push a share of the samples over an edge."""
    dtype = next((p.dtype for p in objective.model.parameters() if p.is_floating_point()), torch.float32)
    relative = max(min(100 * torch.finfo(dtype).eps, 0.05), least)
    for key, values in first.values.items():
        close = np.isclose(values, second.values[key], rtol=relative, atol=relative, equal_nan=True)
        if (~close).mean() > share:
            return False
    return True


def _how_different(first: SampleValues, second: SampleValues) -> str:
    for (data, metric), values in first.values.items():
        other = second.values[data, metric]
        if not np.allclose(values, other, equal_nan=True):
            return f" ({data}/{metric} was {values.mean():.6g}, then {other.mean():.6g})"
    return ""
