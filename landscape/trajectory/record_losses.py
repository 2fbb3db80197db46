"""The true loss of each record of a run: the network as it was at that step, with its own buffers, on the same data.

It is not the loss of the plane below the record, which is of other weights, nor the loss the training logged, which is
of a batch, with dropout and augmentation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.directions.construct import Plane
from landscape.directions.displacement import Displacement, untouched
from landscape.errors import EvaluationError, LandscapeError, UsageError
from landscape.evaluation.anchors.regression import estimator_for
from landscape.evaluation.forward_pass.forward import Forward, install
from landscape.evaluation.forward_pass.objective import DEFAULT_BATCH_SIZE, Objective
from landscape.evaluation.settings import PRECISIONS
from landscape.parallel.comm import current_comm
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.named_data import in_units_of, named_data
from landscape.problem.params import can_move, moved_tensors
from landscape.problem.references import failure
from landscape.surface.anchors import Anchors
from landscape.surface.grid import Floats
from landscape.surface.surface import Trajectory
from landscape.trajectory.runs import Record, TrainingRun

# "auto" is a choice over a grid.
OWN_PRECISIONS = tuple(each for each in PRECISIONS if each != "auto")


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """How values are measured, see `landscape.evaluate`; on the device where the network is."""

    loss: str | Callable[..., Any] | Loss = "cross_entropy"
    metrics: Sequence[str | Callable[..., Any]] = ()
    samples: int | None = None
    sample_seed: int = 0
    batch_size: int | None = None
    batch_norm: str = "frozen"
    batch_norm_data: str | None = None
    mode: str = "eval"
    noise: str | None = None
    precision: str = "float32"  # of the forward pass, as chosen: not "auto"
    compile: bool = False
    low_memory: bool = False
    progress: Callable[[int, int], None] | None = None
    anchors: Mapping[str, Anchors] = field(default_factory=dict)  # of the surface: values are estimates like its own


def measure_run(model: nn.Module, data: Any, run: TrainingRun, **settings: Any) -> dict[str, Floats]:
    """Measure loss and metrics of every record, as `landscape.evaluate` would measure the checkpoint itself.

    Parameters
    ----------
    model : Module
        Of the run's network; it is as before when this returns or raises.
    data
        As for `landscape.evaluate`.
    run : TrainingRun
    **settings
        See `MeasureSettings`. With ``batch_norm="frozen"`` each record has the statistics it was recorded with.

    Returns
    -------
    dict of str to ndarray of float64, shape (records,)
        By name, such as ``"train/loss"``; on every rank.

    Raises
    ------
    CheckpointError
        A record is of another network.
    EvaluationError
        The loss failed at a record.
    """
    return _measure_all(
        model,
        data,
        MeasureSettings(**settings),
        run.labels,
        Displacement(model, dict(model.named_parameters()), []),
        lambda number: put_record(model, run.records[number]),
    )


def measure_below(model: nn.Module, data: Any, path: Trajectory, plane: Plane, **settings: Any) -> dict[str, Floats]:
    """Measure the plane at a path's coordinates: what a picture of the plane shows below each step.

    Parameters
    ----------
    model : Module
        At theta*; it is as before when this returns or raises.
    data
        As for `landscape.evaluate`.
    path : Trajectory
        On that plane.
    plane : Plane
    **settings
        See `MeasureSettings`.

    Returns
    -------
    dict of str to ndarray of float64, shape (steps,)
    """
    tensors = moved_tensors(model, move=plane.move, include=plane.include, exclude=plane.exclude)
    displacement = Displacement(model, tensors, [direction.tensors for direction in plane.directions])
    return _measure_all(
        model,
        data,
        MeasureSettings(**settings),
        [f"step {step}, in the plane" for step in path.step],
        displacement,
        lambda number: displacement.move_to(path.coordinates[number]),
    )


def _measure_all(
    model: nn.Module,
    data: Any,
    how: MeasureSettings,
    labels: Sequence[str],
    displacement: Displacement,
    put: Callable[[int], None],
) -> dict[str, Floats]:
    """Measure numbered points, each after ``put`` has set the network to it, shared out over the ranks."""
    if how.precision not in OWN_PRECISIONS:
        raise UsageError(f"precision is {how.precision!r}, for single steps it is one of {', '.join(OWN_PRECISIONS)}")
    comm = current_comm()
    loss = resolve_loss(how.loss, how.metrics)
    sets, batch_size = in_units_of(named_data(data), loss, how.batch_size, DEFAULT_BATCH_SIZE)
    found: dict[str, Floats] = {}
    done = itertools.count(1)

    def measure(number: int) -> dict[str, float]:
        put(number)
        try:
            return _means(objective, how.anchors, seed=number)
        except LandscapeError:
            raise
        except (Exception, SystemExit) as error:  # a user's code may do anything
            raise EvaluationError(f"measuring failed at {labels[number]}: {failure(error)}") from error

    def keep(number: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            found.setdefault(name, np.full(len(labels), np.nan))[number] = value
        if how.progress:
            how.progress(next(done), len(labels))

    with untouched(model):
        objective = Objective(
            model,
            sets,
            loss,
            samples=how.samples,
            sample_seed=how.sample_seed,
            batch_size=batch_size,
            batch_norm=how.batch_norm,
            batch_norm_data=how.batch_norm_data,
            mode=how.mode,
            noise=how.noise,
            users=comm.local_size,
        )
        objective.require_fresh(displacement.start, way="")
        # By the same forward pass as the surface: else rounding would be taken for a distance from the plane.
        install(objective, Forward(how.precision, how.compile, low_memory=how.low_memory))
        objective.watch_caches(run=True)
        try:
            comm.each(len(labels), measure, keep)
        finally:
            displacement.restore()
    return comm.broadcast(found)


def _means(objective: Objective, anchors: Mapping[str, Anchors], *, seed: int) -> dict[str, float]:
    """Return the mean of each value over all samples, with the network as it stands; of all data where anchors tell."""
    means: dict[str, float] = {}
    kept: dict[tuple[str, str], list[Floats]] = {}
    with np.errstate(all="ignore"):  # inf and NaN are results here
        for group in objective.groups([(name, 0, number) for name, number in objective.sizes.items()]):
            for (data, metric), values in objective.measure(objective.load(group), seed=seed).values.items():
                name = f"{data}/{metric}"
                means[name] = means.get(name, 0.0) + float(values.sum()) / objective.sizes[data]
                if data in anchors and metric in anchors[data].samples and objective.sizes[data] < anchors[data].size:
                    kept.setdefault((data, metric), []).append(values)
    for (data, metric), parts in kept.items():
        values = np.concatenate(parts)
        found = estimator_for(anchors[data], metric, len(values)).estimate(values[None])
        means[f"{data}/{metric}"] = float(found.means[0])
    return means


@torch.no_grad()
def put_record(model: nn.Module, record: Record) -> None:
    """Give a network the parameters and buffers of a record, in the network's own precision.

    Raises
    ------
    CheckpointError
        The record is of another network.
    """
    state = {name: own for name, own in model.state_dict(keep_vars=True).items() if isinstance(own, Tensor)}
    # Integer buffers, counts of batches as a rule, may be missing in files older than they are.
    names = [name for name, own in state.items() if can_move(own) or name in record.tensors]
    for name, tensor in record.fitted(model, names).items():
        state[name].copy_(tensor)
