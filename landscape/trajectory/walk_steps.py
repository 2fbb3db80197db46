"""Walks along the gradient at each record of a training run, on the same samples: how smooth the way down was.

Along the gradient of the mean loss over these samples, not of the batches that the training drew, which no run records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.arguments import require_network
from landscape.directions.displacement import Displacement, untouched
from landscape.engine.memory import resident_budget
from landscape.errors import EvaluationError, LandscapeError, UsageError
from landscape.inputs.labelled_batches import described_problem, one_data_set, parts_of
from landscape.parallel.progress import Progress, progress_of
from landscape.problem.batches import batch_bytes, to_device
from landscape.problem.data.samples import Data
from landscape.problem.losses.losses import Loss, resolve_loss
from landscape.problem.references import failure
from landscape.problem.stale_values import forget_computed, require_fresh
from landscape.surface.grid import Floats
from landscape.surface.reports.gradient_walks import GradientWalks, Walks
from landscape.trajectory.gradient_walk import MULTIPLES, gradient_walk
from landscape.trajectory.record_losses import put_record
from landscape.trajectory.runs import TrainingRun


def measure_run_walk(
    model: nn.Module,
    data: Any,
    run: TrainingRun,
    *,
    rate: float | None = None,
    multiples: Sequence[float] = MULTIPLES,
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    samples: int | None = None,
    sample_seed: int = 0,
    batch_size: int = 256,
    mode: str = "eval",
    progress: Progress | bool | None = None,
) -> GradientWalks:
    """Walk along the gradient at each record of a training run: the loss and the gradient's change there [1]_.

    Parameters
    ----------
    model : Module
        Of the run's network; it is as before when this returns or raises.
    data
        One data set, as `landscape.evaluate` takes it.
    run : TrainingRun
        See `landscape.find_run`.
    rate : float, optional
        The learning rate: a multiple of 1 is a step of gradient descent. By default that which each record was saved
        with; where one has none above 0, as at the end of a cosine, loss and gradient are taken at the record alone.
    multiples : sequence of float
        How far to walk, in such steps.
    loss, samples, sample_seed
        See `landscape.evaluate`.
    batch_size : int
        Samples in a pass; values do not depend on it. Batches that fit into memory stay where the network is.
    mode : {"eval", "train"}
        train: batch norm takes its statistics from all the samples at once, which are then one pass, and dropout draws
        the same numbers everywhere, seeded by ``sample_seed``.
    progress : callable or bool, optional
        Called with the number of records done and of all; True and False as in `landscape.evaluate`.

    Returns
    -------
    GradientWalks

    Raises
    ------
    UsageError
        A choice makes no sense, or no learning rate is known.
    CheckpointError
        A record is of another network.
    EvaluationError
        The loss failed at a record.

    References
    ----------
    .. [1] Santurkar et al., "How Does Batch Normalization Help Optimization?", NeurIPS 2018, Section 3.1.
    """
    require_network(model)
    rates = _rates(run, rate)
    far = _far(multiples)
    if mode not in ("eval", "train"):
        raise UsageError(f"mode is {mode!r}, it is eval or train")
    resolved = resolve_loss(loss)
    name, source, numbers = one_data_set(data, samples, sample_seed)
    # What is not trained is not walked along; the words beside the numbers say how many that are.
    frozen = sum(each.numel() for each in model.parameters() if not each.requires_grad)
    kept = Displacement(model, dict(model.named_parameters()), [])
    with progress_of(progress, f"walks of {run.name}", "steps") as told, untouched(model):
        model.train(mode == "train")
        forget_computed(model)
        shares = _shares(model, resolved, source, numbers, len(numbers) if mode == "train" else batch_size)
        try:
            walked = [name for name, each in model.named_parameters() if each.requires_grad]
            require_fresh(model, walked, lambda: [_seeded(shares[0])], way="freeze it")
            walks = _walked(model, shares, run, rates, far, sample_seed, told)
        finally:
            kept.restore()
    return GradientWalks(
        data=name,
        run=run.name,
        unit=run.unit,
        steps=np.array([record.step for record in run.records], dtype=np.int64),
        rates=rates,
        multiples=far,
        losses=np.array([each.losses for each in walks]),
        gradients=np.array([each.gradients for each in walks]),
        changes=np.array([each.changes for each in walks]),
        problem=described_problem(resolved, source, numbers, sample_seed),
        settings={"mode": mode, "rate": rate, "samples": len(numbers), "frozen": frozen},
    )


def _far(multiples: Sequence[float]) -> Floats:
    far = np.array([float(each) for each in multiples])
    if not far.size or not np.isfinite(far).all() or not far.all() or len(set(far.tolist())) < far.size:
        raise UsageError(f"multiples are numbers other than 0, each once, one at least: {list(multiples)}")
    return far


def _rates(run: TrainingRun, rate: float | None) -> Floats:
    """Return the learning rate of each record; NaN where there is none above 0."""
    if run.unordered:
        raise UsageError(f"{run.name} is an ensemble, along which nothing was trained; walks are of a training run")
    if rate is not None:
        if not 0 < rate < float("inf"):
            raise UsageError(f"the learning rate is {rate:g}, it has to be above 0")
        return np.full(len(run.records), float(rate))
    rates = np.array([float(record.learning_rate) for record in run.records])
    known = (rates > 0) & np.isfinite(rates)
    if not known.any():
        raise UsageError(
            f"no record of {run.name} says a learning rate above 0: give one, a multiple of 1 is a step of it (--rate, "
            "rate=)"
        )
    return np.where(known, rates, np.nan)


def _walked(
    model: nn.Module,
    shares: Sequence[Callable[[], Tensor]],
    run: TrainingRun,
    rates: Floats,
    far: Floats,
    seed: int,
    told: Progress | None,
) -> list[Walks]:
    """Return the walk at each record; the network holds the last one's weights then."""
    walks = []
    for number, record in enumerate(run.records):
        if told is not None:
            told(number, len(run.records))
        put_record(model, record)
        torch.manual_seed(seed)
        try:
            walks.append(_walk(model, shares, float(rates[number]), far))
        except LandscapeError as error:
            raise type(error)(f"{record.path}: {error}") from error
        except (Exception, SystemExit) as error:  # a user's code may do anything
            raise EvaluationError(f"walking failed at {record.path}: {failure(error)}") from error
    if told is not None:
        told(len(run.records), len(run.records))
    return walks


def _walk(model: nn.Module, shares: Sequence[Callable[[], Tensor]], rate: float, far: Floats) -> Walks:
    """Return one walk; without a rate what is known where it would begin."""
    if rate > 0:
        return gradient_walk(model, shares, rate, multiples=far.tolist())
    start, nowhere = gradient_walk(model, shares, 0.0, multiples=()), np.full(len(far), np.nan)
    return Walks(np.concatenate([start.losses, nowhere]), start.gradients, nowhere, nowhere)


def _seeded(share: Callable[[], Tensor]) -> Tensor:
    torch.manual_seed(0)  # the generators are put back by `untouched`
    return share()


def _shares(
    model: nn.Module, loss: Loss, source: Data, numbers: NDArray[np.int64], size: int
) -> list[Callable[[], Tensor]]:
    """Return what gives the share of the mean loss that each batch has; as many as fit stay on the device."""
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    left, shares = resident_budget(device), []
    for part in parts_of(len(numbers), size):

        def fetch(part: slice = part) -> Any:
            with torch.random.fork_rng(devices=[]):  # what a data set draws is none of the network's noise
                return to_device(source.fetch(numbers[part]), device)

        held = fetch() if left > 0 else None
        left -= 0 if held is None else batch_bytes(held)
        held = held if left >= 0 else None
        shares.append(_share(model, loss, held, fetch, (part.stop - part.start) / len(numbers)))
    return shares


def _share(model: nn.Module, loss: Loss, held: Any, fetch: Callable[[], Any], weight: float) -> Callable[[], Tensor]:
    """Return what gives the share of one batch, which is fetched each time unless it is held."""

    def share() -> Tensor:
        value = loss(model, fetch() if held is None else held)["loss"]
        return value.mean() * weight

    return share
