"""The true loss of each record of a run: the network as it was at that step, with its own buffers, on the same data.

It is not the loss of the plane below the record, which is of other weights, nor the loss the training logged, which is
of a batch, with dropout and augmentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.comm import current_comm
from landscape.directions import Plane
from landscape.errors import EvaluationError, LandscapeError, UsageError
from landscape.forward import Forward, install
from landscape.grid import Floats
from landscape.losses import Loss, resolve_loss
from landscape.motion import Motion, untouched
from landscape.named_data import named_data
from landscape.objective import Objective
from landscape.params import moved_tensors
from landscape.references import failure
from landscape.runs import Record, TrainingRun
from landscape.settings import PRECISIONS
from landscape.surface import Trajectory

# "auto" is a choice over a grid.
OWN_PRECISIONS = tuple(each for each in PRECISIONS if each != "auto")


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How values are measured, see `landscape.evaluate`; on the device where the network is."""

    loss: str | Callable[..., Any] | Loss = "cross_entropy"
    metrics: Sequence[str | Callable[..., Any]] = ()
    samples: int | None = None
    sample_seed: int = 0
    batch_size: int | None = None
    batch_norm: str = "frozen"
    batch_norm_data: str | None = None
    mode: str = "eval"
    precision: str = "float32"  # of the forward pass, as chosen: not "auto"
    compile: bool = False
    progress: Callable[[int, int], None] | None = None


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
        See `Measuring`. With ``batch_norm="frozen"`` each record has the statistics it was recorded with.

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
    with untouched(model), _parameters_kept(model):
        return _measure_all(
            model, data, Measuring(**settings), run.labels, lambda number: put_record(model, run.records[number])
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
        See `Measuring`.

    Returns
    -------
    dict of str to ndarray of float64, shape (steps,)
    """
    with untouched(model):
        tensors = moved_tensors(model, move=plane.move, include=plane.include, exclude=plane.exclude)
        motion = Motion(model, tensors, [direction.tensors for direction in plane.directions])
        labels = [f"step {step}, in the plane" for step in path.step]
        try:
            return _measure_all(
                model, data, Measuring(**settings), labels, lambda number: motion.move_to(path.coordinates[number])
            )
        finally:
            motion.restore()


@contextmanager
def _parameters_kept(model: nn.Module) -> Iterator[None]:
    """Put a network's parameters back, whatever happens inside."""
    kept = [(parameter, parameter.detach().clone()) for parameter in model.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value in kept:
                parameter.copy_(value)


def _measure_all(
    model: nn.Module, data: Any, how: Measuring, labels: Sequence[str], put: Callable[[int], None]
) -> dict[str, Floats]:
    """Measure numbered points, each after ``put`` has set the network to it, shared out over the ranks."""
    if how.precision not in OWN_PRECISIONS:
        raise UsageError(f"precision is {how.precision!r}, for single steps it is one of {', '.join(OWN_PRECISIONS)}")
    comm = current_comm()
    tell = how.progress or (lambda done, total: None)
    objective = Objective(
        model,
        named_data(data),
        resolve_loss(how.loss, how.metrics),
        samples=how.samples,
        sample_seed=how.sample_seed,
        batch_size=how.batch_size,
        batch_norm=how.batch_norm,
        batch_norm_data=how.batch_norm_data,
        mode=how.mode,
        users=comm.local_size,
    )
    # By the same forward pass as the surface: else rounding would be taken for a distance from the plane.
    install(objective, Forward(how.precision, how.compile))
    found: dict[str, Floats] = {}
    done = 0

    def measure(number: int) -> dict[str, float]:
        put(number)
        try:
            return _means(objective, seed=number)
        except LandscapeError:
            raise
        except (Exception, SystemExit) as error:  # a user's code may do anything
            raise EvaluationError(f"measuring failed at {labels[number]}: {failure(error)}") from error

    def keep(number: int, values: Mapping[str, float]) -> None:
        nonlocal done
        for name, value in values.items():
            found.setdefault(name, np.full(len(labels), np.nan))[number] = value
        done += 1
        tell(done, len(labels))

    tell(0, len(labels))
    comm.each(len(labels), measure, keep)
    return comm.broadcast(found)


def _means(objective: Objective, *, seed: int) -> dict[str, float]:
    """Return the mean of each value over all samples, with the network as it stands."""
    means: dict[str, float] = {}
    with np.errstate(all="ignore"):  # inf and NaN are results here
        for group in objective.groups([(name, 0, number) for name, number in objective.sizes.items()]):
            for (data, metric), values in objective.measure(objective.load(group), seed=seed).values.items():
                name = f"{data}/{metric}"
                means[name] = means.get(name, 0.0) + float(values.sum()) / objective.sizes[data]
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
    names = [name for name, own in state.items() if own.is_floating_point() or name in record.tensors]
    for name, tensor in record.fitted(model, names).items():
        state[name].copy_(tensor)
