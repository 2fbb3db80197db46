"""One run of `landscape.evaluate`: everything set up once, then the loop over points.

Points are visited coarse grid first, so that a file half done is already a picture. The file is written every so
many seconds and at the end, whatever ends the run; starting the same run again completes it.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from landscape.agenda import Agenda, Step, StoppingRule, looks, steps_between
from landscape.comm import current_comm
from landscape.control_groups import cpu_quota
from landscape.costs import Cost
from landscape.devices import local_device, physical_cores, threads_for, usable_cpus
from landscape.directions import Plane, random_plane
from landscape.dispatch import Desk
from landscape.errors import EvaluationError, SurfaceMismatch, UsageError
from landscape.grid import grid_shape
from landscape.ledger import Ledger
from landscape.losses import resolve_loss
from landscape.measuring import Measuring
from landscape.motion import Motion, untouched
from landscape.named_data import named_data
from landscape.objective import BATCH_NORM_SAMPLES
from landscape.output import OutputFile
from landscape.params import digest, moved_tensors
from landscape.pieces import kept_bytes
from landscape.planes import Planes
from landscape.problem import describe_model
from landscape.provenance import describe_problem, describe_quality, fingerprints, now, origin_of, software
from landscape.references import failure
from landscape.refinement import describe_interpolation
from landscape.resume import require_same, value_differences
from landscape.schedule import Scheduler, Span, Task, count_samples
from landscape.settings import Settings
from landscape.starting import Start
from landscape.surface import COMPUTED, NOT_COMPUTED, Surface
from landscape.tally import Tally
from landscape.weight_decay import WeightDecay

logger = logging.getLogger(__name__)


class Run:
    """One run of `evaluate`: everything set up, then the loop.

    What has to be put back afterwards is registered on ``stack``.
    """

    def __init__(self, stack: ExitStack, model: nn.Module, data: Any, plane: Plane | None, settings: Settings) -> None:
        self.settings = settings
        self.comm = current_comm()
        stack.enter_context(self.comm.together())
        self.model = model
        values = settings.ranges()
        self.loss = resolve_loss(settings.loss, settings.metrics)
        sets = named_data(data)
        self.output = OutputFile(settings.path, settings.write_every, settings.overwrite)
        self.stored: Surface | None = None  # what the file holds already
        if self.comm.rank == 0:
            stack.enter_context(self.output)
            self.stored = self.output.read()
        self.samples: int | None = self.comm.broadcast(self._samples())
        self._share_host(stack)
        place(stack, model, settings.device, self.comm.local_rank)
        stack.enter_context(untouched(model))
        # Before anything is measured: recomputed batch-norm statistics are no part of theta*.
        self.sha256 = digest(model.state_dict()) if self.comm.rank == 0 else ""
        lean = settings.low_memory or settings.repeats > 1  # what is kept, `planes` keeps
        plane = plane or random_plane(model, dimensions=len(values), low_memory=lean)
        self.plane = plane.first(len(values))
        self.planes = Planes(model, self.plane, settings.repeats, low_memory=settings.low_memory)
        if self.planes.drawn and settings.save_directions:
            raise UsageError("save_directions keeps what low_memory does without; the file's recipe draws them again")
        self.axes = self.planes.axes(values)
        tensors = moved_tensors(model, move=self.plane.move, include=self.plane.include, exclude=self.plane.exclude)
        self.motion = Motion(model, tensors, [direction.tensors for direction in self.planes[0].directions])
        stack.callback(self.motion.restore)
        self.decay = WeightDecay(model, settings.weight_decay)
        self.decay.along(self.motion, self.planes[0])
        start = Start(model, sets, self.loss, settings, self.samples, self.stored, self.motion)
        self.objective, self.forward, self.baseline = start.measure([axis.sha256 for axis in self.axes])
        if settings.standard_error is not None and not self.baseline.has_errors:
            raise UsageError("--standard-error (standard_error=) needs a loss that gives one value a sample, no mean")

    def _samples(self) -> int | None:
        """Return how many samples a point gets: as many as the file's points have, where fewer are asked for."""
        asked = self.settings.samples
        if asked is None or self.stored is None:
            return asked
        there = [int(entry.get("samples", 0)) for entry in self.stored.problem.get("data", {}).values()]
        if max(there, default=0) > asked:
            logger.warning("%s has %d samples a point already, and goes on with them", self.output.path, max(there))
        return max([asked, *there])

    def _share_host(self, stack: ExitStack) -> None:
        """Compute with this rank's share of its host's cores, unless the user has said how many threads."""
        if self.comm.size == 1 or "OMP_NUM_THREADS" in os.environ:
            return
        affinities = self.comm.gather_local(usable_cpus())
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(threads_for(self.comm.local_rank, affinities, physical_cores(), cpu_quota()))

    # -- what the file says ------------------------------------------------------------------------------------

    def header(self) -> Surface:
        """Return the surface asked for, with nothing measured yet."""
        s = self.settings
        metrics = self.baseline.metrics(self.decay.names)
        problem = describe_problem(
            self.objective,
            self.loss,
            s.description or describe_model(self.model),
            metrics,
            move=self.plane.move,
            include=self.plane.include,
            exclude=self.plane.exclude,
            samples=self.samples,
            sample_seed=s.sample_seed,
            batch_norm=s.batch_norm,
            batch_norm_data=s.batch_norm_data,
            mode=s.mode,
            weight_decay=s.weight_decay,
            normalize=next((d.normalize for d in self.objective.data.values() if d.normalize), None),
        )
        return Surface(
            self.axes,
            values={},
            state=np.full(grid_shape(self.axes), NOT_COMPUTED, dtype=np.uint8),
            cosines=None if s.repeats > 1 else self.plane.cosines,
            problem=problem,
            origin=origin_of(self.sha256, self.objective, s.checkpoint, self.baseline.means()),
            quality={**describe_quality(self.model, self.objective, self.forward), "ranks": self.comm.size},
            software=software(),
            created=now(),
            command=s.command,
            trajectories=s.trajectories,
        )

    def start(self) -> Surface:
        """Return the surface to go on with: the one in the file, or the one asked for."""
        asked = self.header()
        stored = self.stored
        if stored is None:
            return asked
        stored = replace(stored, trajectories={**stored.trajectories, **asked.trajectories})
        counted = stored.origin.get("fingerprint_samples", {})
        comparable = replace(asked, origin={**asked.origin, "fingerprints": fingerprints(self.objective, counted)})
        require_same(stored, comparable, str(self.output.path))
        measured = self.baseline.means(stored.problem.get("data", {}))
        precision = str(stored.quality.get("precision", ""))
        least = min(self.objective.sizes.values())
        changed = list(value_differences(stored.origin.get("values", {}), measured, least, precision))
        if changed:
            raise SurfaceMismatch(
                f"{self.output.path} was made by other code or other data: {'; '.join(changed)}. "
                "Write to another file, or pass --overwrite (overwrite=True) to start this one again"
            )
        if all(stored.problem["data"][n]["samples"] >= k for n, k in self.objective.sizes.items()):
            return stored
        return replace(stored, problem=asked.problem, origin=asked.origin)

    # -- the loop ----------------------------------------------------------------------------------------------

    def execute(self) -> Surface:
        """Measure what is missing, on all ranks; return the whole surface on each."""
        steps = self.comm.broadcast(self._steps() if self.comm.rank == 0 else [])
        measuring = Measuring(
            self.objective, self.baseline, self.motion, self.planes, self.decay, self.axes, self._resident(steps)
        )
        surface = None
        if self.comm.rank:
            self.comm.share_out(None, measuring)
        else:
            tally = Tally(self.start(), self.baseline.metrics(self.decay.names))
            agenda = self._agenda(tally, steps)
            scheduler = self._scheduler(agenda.start())
            ledger = Ledger(
                tally,
                agenda,
                self.output,
                directions=self._stored_directions(),
                prefix_means=self.baseline.prefix_means,
                progress=self.settings.progress,
            )
            desk = Desk(scheduler, ledger.record)
            ledger.on_error = desk.fail
            with ledger:
                self.comm.share_out(desk, measuring)
                self._fill(tally, agenda)
            surface = replace(ledger.surface(), path=str(self.output.path or ""), digest=self.output.digest)
        surface = self.comm.broadcast(surface)
        assert surface is not None
        return surface

    def _steps(self) -> list[Step]:
        """Return the steps a point gets its samples in: between two looks at its error, and no more than fits."""
        sizes = self.objective.sizes
        whole = [tuple((name, 0, number) for name, number in sizes.items())]
        parts = steps_between(self._looks()) if self.settings.standard_error is not None else whole
        return [tuple(group) for part in parts for group in self.objective.groups(part)]

    def _looks(self) -> dict[str, list[int]]:
        return {name: looks(number) for name, number in self.objective.sizes.items()}

    def _resident(self, steps: Sequence[Step]) -> tuple[Span, ...]:
        """Return all samples where they fit into memory together, else none."""
        spans = tuple(span for step in steps for span in step)
        return spans if len(self.objective.groups(spans)) == 1 else ()

    def _agenda(self, tally: Tally, steps: Sequence[Step]) -> Agenda:
        target = self.settings.standard_error
        rule = None
        if target is None:
            tally.note("standard_error", None)
        else:
            made = tally.noted("standard_error") or {}
            looks_of = self._looks()
            rule = StoppingRule(target, dict(made.get("eps", {})), looks_of, self.baseline.prefix_errors(looks_of))
            if rule.eps:
                tally.note("standard_error", {**made, "target": target})
        return Agenda(tally, self.axes, steps, self.objective.sizes, rule=rule, tolerance=self.settings.tolerance)

    def _fill(self, tally: Tally, agenda: Agenda) -> None:
        """Take over what was interpolated, and say how right it is."""
        filled = agenda.filled()
        if filled is None:
            return
        tally.fill(filled.values, filled.interpolated)
        tally.note("interpolation", describe_interpolation(filled, self.settings.tolerance))
        tally.note("interpolation_error", filled.loss_error)
        if self.settings.progress is not None:
            measured = int((tally.state == COMPUTED).sum())
            self.settings.progress(measured, measured)  # that was all it took

    def _scheduler(self, tasks: Sequence[Task]) -> Scheduler:
        objective = self.objective
        return Scheduler(
            tasks,
            self.comm.size,
            seconds_per_sample=self.baseline.seconds / count_samples(self.baseline.spans),
            batch_size=objective.batch_size,
            # Statistics are estimated anew for each part of a point: parts should dwarf that.
            least_samples=4 * BATCH_NORM_SAMPLES if objective.batch_norm == "recompute" else 0,
        )

    def cost(self) -> Cost:
        """Return what the run would take; on all ranks, by what rank 0 knows."""
        cost = self.comm.broadcast(self._cost() if self.comm.rank == 0 else None)
        assert cost is not None
        return cost

    def _cost(self) -> Cost:
        tally = Tally(self.start(), self.baseline.metrics(self.decay.names))
        objective = self.objective
        todo = int((~self._agenda(tally, self._steps()).done()).sum())
        weights = sum(t.numel() * t.element_size() for t in self.model.state_dict().values())
        moved = sum(t.numel() * t.element_size() for t in self.motion.start.values())
        along = sum(kept_bytes(direction.tensors) for direction in self.planes[0].directions)
        return Cost(
            points=todo,
            total_points=math.prod(len(axis) for axis in self.axes),
            samples=dict(objective.sizes),
            seconds=self.baseline.seconds * todo / self.comm.size,
            seconds_per_point=self.baseline.seconds,
            data_bytes=int(sum(objective.sample_bytes(name) * n for name, n in objective.sizes.items())),
            weight_bytes=weights + moved + along,
            copies_bytes=int(objective.engine.get("extra_bytes", 0)),
            drawn=self.planes.drawn,
            resident=len(objective.groups(self.baseline.spans)) == 1,
            ranks=self.comm.size,
            at_most=self.settings.tolerance is not None or self.settings.standard_error is not None,
        )

    def _stored_directions(self) -> list[dict[str, Any]] | None:
        if not self.settings.save_directions:
            return None
        return [{name: t.cpu().numpy() for name, t in d.tensors.items()} for d in self.plane.directions]


def place(stack: ExitStack, model: nn.Module, device: str | torch.device | None, local_rank: int) -> None:
    """Move the network to a device until a stack is left."""
    if device is None:
        return
    here = next((p.device for p in model.parameters()), torch.device("cpu"))
    try:
        model.to(local_device(str(device), local_rank, torch.cuda.device_count()))
    except (RuntimeError, AssertionError) as error:
        raise EvaluationError(f"cannot compute on device {str(device)!r}: {failure(error)}") from error
    stack.callback(model.to, here)
