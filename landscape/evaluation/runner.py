"""The loop over points: which are next, who measures them, and what is kept of it.

Points are visited coarse grid first, so that a file half done is already a picture. The file is written every so
many seconds and at the end, whatever ends the run; starting the same run again completes it. What is set up once is in
`landscape.evaluation.setup`, what is measured at a point in `landscape.evaluation.quantities`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from landscape.directions.construct import Plane
from landscape.directions.direction_files import stored_arrays
from landscape.evaluation.adaptive import describe_interpolation
from landscape.evaluation.anchors.book import AnchorBook
from landscape.evaluation.anchors.choice import most_anchors
from landscape.evaluation.anchors.expected_error import ExpectedError, expected_errors
from landscape.evaluation.forward_pass.objective import BATCH_NORM_SAMPLES
from landscape.evaluation.planner import Planner, StoppingRule
from landscape.evaluation.provenance import header
from landscape.evaluation.quantities import Quantity, make_quantities, samples_of
from landscape.evaluation.result_writer import ResultWriter
from landscape.evaluation.results import ResultTable
from landscape.evaluation.resume import surface_to_go_on_with
from landscape.evaluation.settings import Settings
from landscape.evaluation.setup import set_up
from landscape.evaluation.startup import measure_start
from landscape.evaluation.worker import Worker
from landscape.parallel.dispatcher import Dispatcher
from landscape.parallel.scheduler import Scheduler, Task, count_samples
from landscape.problem.chunks import kept_bytes
from landscape.surface.derived.stated_error import share_out
from landscape.surface.recipes import MEASURED
from landscape.surface.surface import COMPUTED, Surface

logger = logging.getLogger(__name__)

# Days that a run may take before it is said how long it will.
LONG = 7.0


@dataclass(frozen=True)
class Cost:
    """What a run would take, by the measurement at theta*."""

    points: int  # to do
    total_points: int
    samples: dict[str, int]
    seconds: float
    seconds_per_point: float
    data_bytes: int  # of the samples of all data sets
    weight_bytes: int  # network, theta* and what is kept of directions
    copies_bytes: int  # weights once more, in the form that fused layers take
    drawn: bool  # whether directions are drawn anew at each point instead of kept
    resident: bool  # whether the data stay on the device
    ranks: int
    at_most: bool = False  # fewer points or samples may do
    anchors: int = 0  # how many points at most are measured on all data, theta* among them
    full_samples: int = 0  # what each of them takes beside
    expected: dict[str, ExpectedError] = field(default_factory=dict)  # of the losses, where there are anchors


class Run:
    """One run of `evaluate`, at theta*; what has to be put back afterwards is registered on ``stack``."""

    def __init__(self, stack: ExitStack, model: nn.Module, data: Any, plane: Plane | None, settings: Settings) -> None:
        self.setup = set_up(stack, model, data, plane, settings)
        self.losses = measure_start(self.setup)
        others = make_quantities(settings.quantities, self.setup, self.losses.objective)
        self.quantities: Sequence[Quantity] = [self.losses, *others]

    def execute(self) -> Surface:
        """Measure what is missing, on all ranks; return the whole surface on each."""
        setup, progress = self.setup, self.setup.settings.progress
        worker = Worker(setup, self.quantities)
        surface = None
        if setup.comm.rank:
            setup.comm.share_out(None, worker)
        else:
            table = self._table()
            book = self._book(table)
            planner = self._planner(table, book)
            scheduler = self._scheduler(planner.start())
            self._warn_of_long_runs(planner)
            writer = ResultWriter(
                table,
                planner,
                setup.output,
                directions=self._stored_directions(),
                prefix_means=self.losses.baseline.prefix_means,
                progress=progress,
                anchors=book,
            )
            dispatcher = Dispatcher(scheduler, writer.record)
            writer.on_error = dispatcher.fail
            with writer:
                setup.comm.share_out(dispatcher, worker)
                filled = planner.filled
                if filled is not None:
                    table.fill(filled.values, filled.interpolated)
                    table.note("interpolation", describe_interpolation(filled, planner.tolerance))
                    table.note("interpolation_error", filled.loss_error)
                    if progress is not None:
                        measured = int((table.state == COMPUTED).sum())
                        progress(measured, measured)  # that was all it took
            surface = replace(writer.surface(), path=str(setup.output.path or ""), digest=setup.output.digest)
        surface = setup.comm.broadcast(surface)
        assert surface is not None
        return surface

    def cost(self) -> Cost:
        """Return what the run would take; on all ranks, by what rank 0 knows."""
        cost = self.setup.comm.broadcast(self._cost() if self.setup.comm.rank == 0 else None)
        assert cost is not None
        return cost

    def _table(self) -> ResultTable:
        asked = header(self.setup, self.losses, self.quantities)
        return ResultTable(surface_to_go_on_with(self.setup, self.losses, asked), self.quantities)

    def _book(self, table: ResultTable) -> AnchorBook | None:
        asked = table.problem("anchors")
        if not self.losses.anchored:
            return None
        return AnchorBook(table, self.losses, asked, interpolating=self.setup.settings.tolerance is not None)

    def _planner(self, table: ResultTable, book: AnchorBook | None) -> Planner:
        settings, losses, rule = self.setup.settings, self.losses, None
        target, tolerance = self._targets(table)
        if target is None:
            table.note("standard_error", None)
        else:
            made = table.noted("standard_error") or {}
            # With anchors what samples are off by at theta* is known and taken out, of the data sets that have them.
            off_at_start = {
                name: errors
                for name, errors in losses.baseline.prefix_errors(losses.looks).items()
                if name not in losses.anchored
            }
            eps, by_intervals = dict(made.get("eps", {})), settings.error is not None
            rule = StoppingRule(target, eps, losses.looks, off_at_start, by_intervals)
            if rule.eps:
                table.note("standard_error", {**made, "target": target})
        table.note("error", settings.error)
        return Planner(table, self.setup.axes, self.quantities, rule=rule, tolerance=tolerance, anchors=book)

    def _targets(self, table: ResultTable) -> tuple[float | None, float | None]:
        """Return the standard error and the tolerance of interpolation to reach."""
        settings, spent = self.setup.settings, table.noted("precision_error")
        if settings.error is None:
            return settings.standard_error, settings.tolerance
        if not isinstance(spent, int | float):
            spent = 0.0 if self.losses.forward.precision == "float32" else None  # which is the network's own
        shares = share_out(settings.error, spent)
        if spent is not None and spent > shares.precision_tolerance:
            logger.warning(
                "%s alone is off by %.2g %% of loss + eps, more than samples can make up for: the whole error will be "
                "above %.2g %%",
                table.noted("precision"),
                100 * spent,
                100 * settings.error,
            )
        return shares.standard_error, shares.tolerance

    def _scheduler(self, tasks: Sequence[Task]) -> Scheduler:
        objective, baseline = self.losses.objective, self.losses.baseline
        return Scheduler(
            tasks,
            self.setup.comm.size,
            seconds_per_sample=baseline.seconds / count_samples(baseline.spans),
            batch_size=objective.batch_size,
            # Statistics are estimated anew for each part of a point: parts should dwarf that.
            least_samples=4 * BATCH_NORM_SAMPLES if objective.batch_norm == "recompute" else 0,
        )

    def _cost(self) -> Cost:
        setup, objective, baseline = self.setup, self.losses.objective, self.losses.baseline
        points = math.prod(len(axis) for axis in setup.axes)
        todo, anchors, each = points, 0, 0
        if setup.stored is not None:
            table = self._table()
            todo = int((~self._planner(table, self._book(table)).done()).sum())
        if sizes := self.losses.anchored:
            numbers = {name: objective.sizes[name] for name in sizes}
            anchors = most_anchors(points, numbers, sizes, setup.settings.anchors)
            each = sum(sizes.values()) - sum(numbers.values())
        full = anchors * each / count_samples(baseline.spans)
        seconds = self._seconds_a_point()
        # Where an error is asked for it is what was asked for.
        asked = setup.settings.standard_error is not None
        expected = {} if asked else expected_errors(setup, self.losses, anchors, seconds)
        weights = sum(t.numel() * t.element_size() for t in setup.model.state_dict().values())
        moved = sum(t.numel() * t.element_size() for t in setup.displacement.start.values())
        along = sum(kept_bytes(direction.tensors) for direction in setup.planes[0].directions)
        return Cost(
            points=todo,
            total_points=points,
            samples=dict(objective.sizes),
            seconds=(seconds * todo + baseline.seconds * full) / setup.comm.size,
            seconds_per_point=seconds,
            data_bytes=int(sum(objective.sample_bytes(name) * n for name, n in objective.sizes.items())),
            weight_bytes=weights + moved + along,
            copies_bytes=int(objective.engine.get("extra_bytes", 0)),
            drawn=setup.planes.drawn,
            resident=len(objective.groups(baseline.spans)) == 1,
            ranks=setup.comm.size,
            anchors=anchors,
            full_samples=each,
            expected=expected,
            at_most=setup.settings.tolerance is not None or setup.settings.standard_error is not None,
        )

    def _seconds_a_point(self) -> float:
        work = sum(each.weight * sum(samples_of(each).values()) for each in self.quantities)
        return self.losses.baseline.seconds * work / count_samples(self.losses.baseline.spans)

    def _warn_of_long_runs(self, planner: Planner) -> None:
        """Say what a run takes that nobody will wait for; whether it is meant is not for us to say."""
        todo, ranks = int((~planner.done()).sum()), self.setup.comm.size
        days = self._seconds_a_point() * todo / ranks / 86400
        if days > LONG:
            logger.warning(
                "this takes %s%s: %s points of %.3g s each on %d process%s; see --dry-run",
                "at most " if self.setup.settings.tolerance is not None else "about ",
                f"{days:,.0f} days" if days < 730 else f"{days / 365.25:,.0f} years",
                f"{todo:,}",
                self._seconds_a_point(),
                ranks,
                "" if ranks == 1 else "es",
            )

    def _stored_directions(self) -> list[dict[str, Any]] | None:
        directions = self.setup.plane.directions
        measured = any(direction.recipe.get("source") in MEASURED for direction in directions)
        if not (self.setup.settings.save_directions or measured):
            return None
        return [stored_arrays(direction.tensors) for direction in directions]
