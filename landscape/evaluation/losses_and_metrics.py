"""Losses and metrics at a point, which every run measures: means over samples, by the fastest forward pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from landscape.directions.construct import Plane
from landscape.directions.weight_decay import WeightDecay
from landscape.errors import UsageError
from landscape.evaluation.anchors.choice import anchored_data
from landscape.evaluation.forward_pass.baseline import Baseline
from landscape.evaluation.forward_pass.forward import Forward
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.forward_pass.sample_values import Chunk
from landscape.evaluation.looks import looks, steps_between
from landscape.evaluation.quantities import PointResult, Step
from landscape.evaluation.setup import Setup
from landscape.parallel.scheduler import Span, WorkItem
from landscape.surface.grid import Floats
from landscape.surface.statistics import Moments, moments_of


class LossesAndMetrics:
    """See `landscape.evaluation.quantities.Quantity`.

    Parameters
    ----------
    setup : Setup
    objective : Objective
    forward : Forward
        What was chosen for it.
    baseline : Baseline
        Its values at theta*.
    """

    name = "losses"
    weight = 1.0
    divisible = True
    settings: Mapping[str, Any] = {}  # a surface's file says them already

    def __init__(self, setup: Setup, objective: Objective, forward: Forward, baseline: Baseline) -> None:
        self.objective, self.forward, self.baseline = objective, forward, baseline
        self._displacement = setup.displacement
        self._decay = WeightDecay(setup.model, setup.settings.weight_decay)
        self.stores = baseline.metrics(self._decay.names)
        known = all(known for (_, metric), known in baseline.samples.per_sample.items() if metric == "loss")
        if setup.settings.standard_error is not None and not known:
            raise UsageError("--standard-error (standard_error=) needs a loss that gives one value a sample, no mean")
        # Where a batch is more than its samples none is cut: it would have other noise, or other losses.
        whole = objective.batch_size if objective.noise is not None or baseline.by_batch else 1
        self.looks = {name: looks(number, whole) for name, number in objective.sizes.items()}
        self.steps: Sequence[Step] = setup.comm.broadcast(self._steps(setup.settings.standard_error is not None))
        spans = tuple(span for step in self.steps for span in step)
        # What stays on the device, whichever part of it a piece asks for: all samples where they fit together.
        self._resident = spans if len(objective.groups(spans)) == 1 else ()
        # Data sets of which a subset is measured: there it matters how few samples carry a mean.
        looking = setup.settings.standard_error is not None
        self._tails = {
            name
            for name, data in objective.data.items()
            if looking or (not data.streamed and objective.sizes[name] < data.size)
        }
        # Data sets whose points are estimated from anchors, with the number of all their samples. Samples themselves
        # are then part of what is measured, and an anchor is measured on all the others beside.
        found = anchored_data(setup, objective, baseline) if setup.comm.rank == 0 else {}
        self.anchored: Mapping[str, int] = setup.comm.broadcast(found)
        self.full_steps: Sequence[Step] = ()
        if self.anchored:
            objective.reach_all_data()
            rest = tuple((name, objective.sizes[name], size) for name, size in self.anchored.items())
            self.full_steps = setup.comm.broadcast([tuple(group) for group in objective.groups(rest)])

    def _steps(self, looking: bool) -> list[Step]:
        """Return the steps a point gets its samples in: between two looks at its error, and no more than fits."""
        whole = [tuple((name, 0, number) for name, number in self.objective.sizes.items())]
        parts = steps_between(self.looks) if looking else whole
        return [tuple(group) for part in parts for group in self.objective.groups(part)]

    def begin_plane(self, plane: Plane) -> None:
        """Take the inner products that weight decay goes by."""
        self._decay.along(self._displacement, plane)

    def prepare(self, piece: WorkItem) -> list[Chunk]:
        """Return the piece's samples on the device, read anew only where the piece before had others."""
        wanted = set(piece.spans)
        loaded = self.objective.load(self._resident if wanted <= set(self._resident) else piece.spans)
        chunks = {chunk.name: chunk for chunk in loaded if (chunk.name, chunk.start, chunk.stop) in wanted}
        return [self._slice(chunks[span[0]], span) for span in piece.part]

    def _slice(self, chunk: Chunk, span: Span) -> Chunk:
        """Return the batches of some samples, which start and end between two batches of the chunk."""
        name, start, stop = span
        first = (start - chunk.start) // self.objective.batch_size
        end = -((chunk.start - stop) // self.objective.batch_size)
        return Chunk(name, start, stop, chunk.batches[first:end])

    def measure(self, prepared: list[Chunk], number: int, at: Floats) -> PointResult:
        """Measure the samples, and set them against the same ones at theta*."""
        measured = self.objective.measure(prepared, seed=number)
        starts = {chunk.name: chunk.start for chunk in prepared}
        found = {}
        for key, values in measured.values.items():
            start = starts[key[0]]
            at_start = self.baseline.samples.values[key][start : start + len(values)]
            if key[0] in self.anchored and len(at_start) < len(values):
                at_start = np.full(len(values), np.nan)  # beyond the samples that theta* was measured on first
            keep = key[0] in self.anchored
            found[key] = moments_of(
                values, at_start, per_sample=measured.per_sample[key], keep=keep, tails=key[0] in self._tails
            )
        for chunk in prepared:
            for metric, value in self._decay.values(at).items():
                count = chunk.stop - chunk.start
                found[chunk.name, metric] = Moments(count, value, math.nan, math.nan, self._decay.at_start)
        return found
