"""One run of `landscape.evaluate`: everything set up once, then the loop over points.

Points are visited coarse grid first, so that a file half done is already a picture. The file is written every so
many seconds and at the end, whatever ends the run; starting the same run again completes it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from landscape.baseline import Baseline, explain_error, is_out_of_memory, measure_baseline
from landscape.comm import current_comm
from landscape.directions import Plane, random_plane
from landscape.errors import EvaluationError, LandscapeError, SurfaceMismatch
from landscape.grid import Floats, grid_shape, point_coordinates, visiting_order
from landscape.losses import resolve_loss
from landscape.moments import Moments, merge, moments_of
from landscape.motion import Motion, untouched
from landscape.named_data import named_data
from landscape.objective import DEFAULT_BATCH_SIZE, Objective, Span
from landscape.output import OutputFile
from landscape.params import moved_tensors
from landscape.planes import Planes
from landscape.problem import describe_model
from landscape.provenance import describe_problem, describe_quality, fingerprints, now, origin_of, software
from landscape.resume import require_same, value_differences
from landscape.settings import Settings
from landscape.surface import NOT_COMPUTED, Surface
from landscape.tally import PointResult, Tally
from landscape.weight_decay import WeightDecay

logger = logging.getLogger(__name__)

# Points that share a chunk of streamed data: the chunk is read once for all of them, and a run cut short loses at
# most their time.
STREAMED_BLOCK = 64


@dataclass(frozen=True)
class Work:
    """Some points, and which samples of each data set to measure there."""

    points: tuple[int, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Cost:
    """What a run would take, by the measurement at theta*."""

    points: int  # to do
    total_points: int
    samples: dict[str, int]
    seconds: float
    seconds_per_point: float
    data_bytes: int  # of the samples of all data sets
    weight_bytes: int  # network, theta* and directions
    resident: bool  # whether the data stay on the device


class Run:
    """One run of `evaluate`: everything set up, then the loop.

    What has to be put back afterwards is registered on ``stack``.
    """

    def __init__(self, stack: ExitStack, model: nn.Module, data: Any, plane: Plane | None, settings: Settings) -> None:
        self.settings = settings
        self.comm = current_comm()
        self.model = model
        values = settings.ranges()
        self.loss = resolve_loss(settings.loss, settings.metrics)
        sets = named_data(data)
        self.output = OutputFile(settings.path, settings.write_every, settings.overwrite)
        if self.comm.rank == 0:
            stack.enter_context(self.output)
        _place(stack, model, settings.device)
        stack.enter_context(untouched(model))
        self.plane = (plane or random_plane(model, dimensions=len(values))).first(len(values))
        self.planes = Planes(model, self.plane, settings.repeats)
        self.axes = self.planes.axes(values)
        tensors = moved_tensors(model, move=self.plane.move, include=self.plane.include, exclude=self.plane.exclude)
        self.motion = Motion(model, tensors, [direction.tensors for direction in self.plane.directions])
        stack.callback(self.motion.restore)
        self.repeat = 0
        self.decay = WeightDecay(model, settings.weight_decay)
        self.decay.along(self.motion, self.plane)
        self.objective, self.baseline = self._first_measurement(sets)

    def _first_measurement(self, sets: Mapping[str, Any]) -> tuple[Objective, Baseline]:
        """Measure theta*; a batch that does not fit into memory is halved and tried again, once."""
        s = self.settings
        hints = [each.batch_size for each in sets.values() if each.batch_size]
        batch_size = s.batch_size or (hints[0] if hints else None) or DEFAULT_BATCH_SIZE
        for attempt in range(2):
            objective = Objective(
                self.model,
                sets,
                self.loss,
                samples=s.samples,
                sample_seed=s.sample_seed,
                batch_size=batch_size,
                batch_norm=s.batch_norm,
                batch_norm_data=s.batch_norm_data,
                mode=s.mode,
            )
            try:
                return objective, measure_baseline(objective)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if attempt or batch_size == 1:
                    raise EvaluationError(
                        f"out of memory with batches of {batch_size} on {objective.device}: {explain_error(error)}; "
                        "pass a smaller --batch-size (batch_size=), or another device"
                    ) from error
            batch_size = max(batch_size // 2, 1)
            logger.warning("out of memory; trying again with batches of %d", batch_size)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        raise AssertionError("the second attempt returns or raises")

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
            samples=s.samples,
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
            origin=origin_of(self.model, self.objective, s.checkpoint, self.baseline.means()),
            quality=describe_quality(self.model, self.objective),
            software=software(),
            created=now(),
            command=s.command,
            trajectories=s.trajectories,
        )

    def start(self) -> Surface:
        """Return the surface to go on with: the one in the file, or the one asked for."""
        asked = self.header()
        stored = self.output.read()
        if stored is None:
            return asked
        stored = replace(stored, trajectories={**stored.trajectories, **asked.trajectories})
        counted = stored.origin.get("fingerprint_samples", {})
        comparable = replace(asked, origin={**asked.origin, "fingerprints": fingerprints(self.objective, counted)})
        require_same(stored, comparable, str(self.output.path))
        measured = self.baseline.means(stored.problem.get("data", {}))
        changed = list(value_differences(stored.origin.get("values", {}), measured, min(self.objective.sizes.values())))
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
        """Measure what is missing; return the whole surface."""
        surface = self.comm.broadcast(self.start() if self.comm.rank == 0 else None)
        assert surface is not None
        tally = Tally(surface, self.baseline.metrics(self.decay.names))
        todo = self._todo(tally)
        directions = self._stored_directions()
        done, total = int(tally.done(self.objective.sizes).sum()), tally.done(self.objective.sizes).size
        progress = self.settings.progress or (lambda finished, points: None)
        progress(done, total)

        def record(work: Work, results: Sequence[PointResult]) -> None:
            nonlocal done
            for point, result in zip(work.points, results, strict=True):
                tally.add(point, result, self.baseline.prefix_means(tally.counts(point)))
            done += len(work.points)
            progress(done, total)
            self.output.write_if_due(tally.surface, directions)

        try:
            self.comm.share_out(self._pieces(tally, todo), self._compute, record)
        finally:
            if self.comm.rank == 0:
                self.output.write(tally.surface, directions)
        finished = tally.surface()
        return replace(finished, path=str(self.output.path or ""), digest=self.output.digest)

    def cost(self) -> Cost:
        """Return what the run would take."""
        tally = Tally(self.start(), self.baseline.metrics(self.decay.names))
        todo = self._todo(tally)
        objective = self.objective
        weights = sum(t.numel() * t.element_size() for t in self.model.state_dict().values())
        moved = sum(t.numel() * t.element_size() for t in self.motion.start.values())
        along = sum(t.numel() * t.element_size() for d in self.plane.directions for t in d.tensors.values())
        return Cost(
            points=len(todo),
            total_points=math.prod(len(axis) for axis in self.axes),
            samples=dict(objective.sizes),
            seconds=self.baseline.seconds * len(todo),
            seconds_per_point=self.baseline.seconds,
            data_bytes=int(sum(objective.sample_bytes(name) * n for name, n in objective.sizes.items())),
            weight_bytes=weights + moved + along,
            resident=len(objective.groups(self.baseline.spans)) == 1,
        )

    def _todo(self, tally: Tally) -> list[int]:
        done = tally.done(self.objective.sizes)
        return [int(point) for point in visiting_order(self.axes) if not done[point]]

    def _pieces(self, tally: Tally, todo: Sequence[int]) -> Iterator[Work]:
        """Yield the work in order; points that lack the same samples of streamed data stay together."""
        block: list[int] = []
        spans: tuple[Span, ...] = ()
        for point in todo:
            counts = tally.counts(point)
            needed = tuple(
                (name, counts[name], number) for name, number in self.objective.sizes.items() if counts[name] < number
            )
            streamed = len(self.objective.groups(needed)) > 1
            if block and (needed != spans or len(block) >= (STREAMED_BLOCK if streamed else 1)):
                yield Work(tuple(block), spans)
                block = []
            block.append(point)
            spans = needed
        if block:
            yield Work(tuple(block), spans)

    def _compute(self, work: Work) -> Sequence[PointResult]:
        """Measure some points; a chunk of data that serves several is read once."""
        results: list[dict[tuple[str, str], Moments]] = [{} for _ in work.points]
        coordinates = point_coordinates(self.axes, np.asarray(work.points, dtype=np.intp))
        for group in self.objective.groups(work.spans):
            chunks = self.objective.load(group)
            starts = {name: start for name, start, _ in group}
            for point, at, result in zip(work.points, coordinates, results, strict=True):
                try:
                    self._move(at)
                    measured = self.objective.measure(chunks, seed=point)
                except LandscapeError:
                    raise
                except Exception as error:
                    raise EvaluationError(f"measuring failed at {_where(at)}: {explain_error(error)}") from error
                for key, values in measured.values.items():
                    new = moments_of(
                        values,
                        self.baseline.slice(key, starts[key[0]], len(values)),
                        per_sample=measured.per_sample[key],
                    )
                    result[key] = merge(result[key], new) if key in result else new
                for name, start, stop in group:
                    for metric, value in self.decay.values(at).items():
                        new = Moments(stop - start, value, math.nan, math.nan, self.decay.at_start)
                        result[name, metric] = merge(result[name, metric], new) if (name, metric) in result else new
        return results

    def _move(self, at: Floats) -> None:
        number = int(at[-1]) if self.planes.repeats > 1 else 0
        if number != self.repeat:
            self.motion.restore()  # directions are scaled against theta*
            plane = self.planes[number]
            self.motion.set_directions([d.tensors for d in plane.directions])
            self.decay.along(self.motion, plane)
            self.repeat = number
        self.motion.move_to(at[: len(self.plane)])

    def _stored_directions(self) -> list[dict[str, Any]] | None:
        if not self.settings.save_directions:
            return None
        return [{name: t.cpu().numpy() for name, t in d.tensors.items()} for d in self.plane.directions]


def _where(at: Floats) -> str:
    return ", ".join(f"{letter}={value:g}" for letter, value in zip("xyz", at, strict=False))


def _place(stack: ExitStack, model: nn.Module, device: str | torch.device | None) -> None:
    """Move the network to a device for the run, and back."""
    if device is None:
        return
    here = next((p.device for p in model.parameters()), torch.device("cpu"))
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise EvaluationError(f"cannot compute on device {str(device)!r}: {explain_error(error)}") from error
    stack.callback(model.to, here)
