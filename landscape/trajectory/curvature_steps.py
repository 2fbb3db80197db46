"""Curvature along a training run: a report of each recorded network, with its own buffers, on the same samples.

What has been measured is handed on step by step, so that a run that was cut short goes on where it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from landscape.curvature.analysis import measure_curvature
from landscape.curvature.shared_errors import agreeing
from landscape.directions.displacement import Displacement, untouched
from landscape.errors import EvaluationError, LandscapeError, SurfaceMismatch
from landscape.parallel.progress import Progress, progress_of
from landscape.parallel.serial import Comm
from landscape.problem.losses.losses import resolve_loss
from landscape.problem.named_data import named_data
from landscape.problem.params import digest
from landscape.surface.reports.curvature import Curvature, CurvatureRun
from landscape.trajectory.record_losses import put_record
from landscape.trajectory.runs import TrainingRun

# What each report keeps of how it was asked for, so that a file goes on only with its own kind.
ASKED = "asked"


def measure_run_curvature(
    model: nn.Module,
    data: Any,
    run: TrainingRun,
    *,
    found: Mapping[str, CurvatureRun] | None = None,
    each_step: Callable[[dict[str, CurvatureRun]], None] | None = None,
    progress: Progress | bool | None = None,
    **options: Any,
) -> dict[str, CurvatureRun]:
    """Measure curvature at each record of a training run.

    Parameters
    ----------
    model : Module
        Of the run's network; it is as before when this returns or raises.
    data
        As for `landscape.evaluate`; several data sets are measured one after the other at each step.
    run : TrainingRun
        See `landscape.find_run`.
    found : mapping of str to CurvatureRun, optional
        Measured before, in the same way; steps in it are not measured again. Of several processes rank 0's counts.
    each_step : callable, optional
        Given everything there is so far whenever a step has been measured: where files are written.
    progress : callable or bool, optional
        Called with the number of steps done and of all; True and False as in `landscape.evaluate`.
    **options
        See `landscape.curvature`. The processes of ``comm`` all have to call this. What rank 0 raises all raise, also
        out of ``each_step`` and ``progress``, and may measure again; what another rank raises alone is a `ClusterError`
        on the others, and their last call.

    Returns
    -------
    dict of str to CurvatureRun
        By data set.

    Raises
    ------
    SurfaceMismatch
        What was found was measured otherwise, or is of another run.
    CheckpointError
        A record is of another network.
    EvaluationError
        As of `landscape.curvature`, with the record that it is about; or another rank holds other records than rank 0.

    Notes
    -----
    A step whose loss is not finite ends the run there: curvature does not exist at it.
    """
    comm: Comm = options.get("comm") or Comm()
    with agreeing(comm):
        sets = named_data(data)
        asked = _asked(options)
        digests = [digest(record.tensors) for record in run.records]
        done = _known(found or {}, sets, run, digests, asked)
    there, done = comm.broadcast((digests, done))
    with agreeing(comm):
        if digests != there:
            raise EvaluationError(f"the records of {run.name} are not those of rank 0: its files differ between hosts")
    kept = Displacement(model, dict(model.named_parameters()), [])
    with progress_of(progress, f"curvature of {run.name}", "steps") as told, untouched(model):
        try:
            for number, record in enumerate(run.records):
                wanted = any((name, number) not in done for name in sets)
                with agreeing(comm):
                    if told is not None:
                        told(number, len(run.records))
                    if wanted:
                        put_record(model, record)
                if not wanted:
                    continue
                about = {"checkpoint": str(record.path), "sha256": digests[number], ASKED: asked}
                for name, each in sets.items():
                    try:
                        report = measure_curvature(model, {name: each}, progress=False, **options)
                    except LandscapeError as error:
                        raise type(error)(f"{record.path}: {error}") from error
                    done[name, number] = dataclasses.replace(report, origin={**report.origin, **about})
                with agreeing(comm):
                    if each_step is not None:
                        each_step(_gathered(run, sets, done))
            with agreeing(comm):
                if told is not None:
                    told(len(run.records), len(run.records))
        finally:
            kept.restore()
    return _gathered(run, sets, done)


def _asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a measurement depends on, in plain values."""
    plain = {name: value for name, value in options.items() if name not in ("loss", "settings", "memory", "comm")}
    if (settings := options.get("settings")) is not None:
        plain |= vars(settings)
    return {**plain, "loss": resolve_loss(options.get("loss", "cross_entropy")).name}


def _known(
    found: Mapping[str, CurvatureRun],
    sets: Mapping[str, Any],
    run: TrainingRun,
    digests: list[str],
    asked: dict[str, Any],
) -> dict[tuple[str, int], Curvature]:
    """Return what was measured before, by data set and number of the record."""
    done = {}
    for name, before in found.items():
        if name not in sets:
            raise SurfaceMismatch(f"the file has curvature of {name}, which is not asked for; start another file")
        for step, report in zip(before.steps, before.reports, strict=True):
            was = report.origin.get(ASKED, {})
            other = sorted(each for each in {*was, *asked} if was.get(each) != asked.get(each))
            if other:
                said = ", ".join(f"{each} {was.get(each)!r}, not {asked.get(each)!r}" for each in other)
                raise SurfaceMismatch(
                    f"the file's steps were measured with {said}; start another file, or overwrite it"
                )
            if report.origin.get("sha256") not in digests:
                where = report.origin.get("checkpoint")
                raise SurfaceMismatch(f"the file's step {step}, {where}, is none of this run; start another file")
            done[name, digests.index(str(report.origin["sha256"]))] = report
    return done


def _gathered(
    run: TrainingRun, sets: Mapping[str, Any], done: Mapping[tuple[str, int], Curvature]
) -> dict[str, CurvatureRun]:
    runs = {}
    for name in sets:
        numbers = [number for number in range(len(run.records)) if (name, number) in done]
        records = [run.records[number] for number in numbers]
        runs[name] = CurvatureRun(
            run.name,
            run.unit,
            tuple(record.step for record in records),
            tuple(float(record.learning_rate) for record in records),
            tuple(done[name, number] for number in numbers),
            len(numbers) == len(run.records),
        )
    return runs
