"""Labelled batches of one data set, as attacks and filters take them: in stored units, on the network's device."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.directions.displacement import untouched
from landscape.errors import EvaluationError, UsageError
from landscape.inputs.examples import Clip, Examples, moved_part
from landscape.inputs.stored_units import in_stored_units
from landscape.problem.batches import concatenate, slice_batch, split_inputs_targets, to_device
from landscape.problem.data.datasets import choose, describe_data, fingerprint
from landscape.problem.data.samples import Data
from landscape.problem.losses.losses import Loss
from landscape.problem.named_data import named_data
from landscape.problem.repeated_passes import goes_by_others, require_repeatable


def one_data_set(data: Any, samples: int | None, seed: int) -> tuple[str, Data, NDArray[np.int64]]:
    """Return name and samples of a single data set, and which of them are taken, shape (n,)."""
    sets = named_data(data)
    if len(sets) > 1:
        raise UsageError(f"this is done with one data set at a time, there are {', '.join(sets)}")
    ((name, source),) = sets.items()
    return name, source, choose(source, samples, seed)


def described_problem(loss: Loss, source: Data, numbers: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """Return what a report says of the samples and the loss that it is of."""
    return {
        "loss": loss.name,
        "data": describe_data(source, len(numbers)),
        "sample_seed": seed,
        "fingerprint": fingerprint(source, numbers),
    }


def parts_of(number: int, size: int) -> Iterator[slice]:
    """Yield batches as parts of so many samples."""
    if size < 1:
        raise UsageError(f"the batch size is {size}, it has to be at least 1")
    for start in range(0, number, size):
        yield slice(start, min(start + size, number))


@contextmanager
def in_eval_mode(model: nn.Module | None) -> Iterator[torch.device]:
    """Put a network into eval mode for the time being; give its device."""
    if model is None:
        yield torch.device("cpu")
        return
    with untouched(model):
        model.eval()
        yield next((each.device for each in model.parameters()), torch.device("cpu"))


def class_examples(
    model: nn.Module, source: Data, batch: Any, device: torch.device, loss: Loss, clip: Clip | None
) -> Examples:
    """Return labelled examples in stored units.

    Raises
    ------
    UsageError
        Targets are no classes.
    EvaluationError
        The network has other answers when it is asked again, or where other examples are in the batch.
    """
    if source.normalize is not None:
        model, batch = in_stored_units(model, batch, source.normalize, device)
    examples = Examples(model, loss, to_device(batch, device), clip)
    start, target = examples.start, examples.target

    @torch.no_grad()
    def ask(some: Examples) -> Tensor:
        return some.output(torch.zeros_like(some.start))

    (output,) = require_repeatable(
        examples.network, lambda: [ask(examples)], "the network", "there is no example that one pass gets right"
    )
    of_classes = output.ndim == 2 and output.shape[1] > 1 and len(output) == len(start)
    if target.is_floating_point() or target.ndim != 1 or not of_classes:
        raise UsageError(
            f"an attack turns one class into another: it takes outputs of shape (n, classes) and whole numbers as "
            f"targets, not outputs of shape {tuple(output.shape)} and targets of shape {tuple(target.shape)}"
        )

    def ask_others(others: list[int]) -> Tensor:
        another = concatenate([slice_batch(examples.batch, each, each + 1) for each in others])
        return ask(replace(examples, batch=another))

    if goes_by_others(output, ask_others):
        raise EvaluationError(
            "the network's output for an example depends on its place in a batch or on the others there, in eval mode "
            "(batch norm without running statistics, say): what is done to one is done to others"
        )
    return examples


def stored_inputs(source: Data, batch: Any) -> Tensor:
    """Return a batch's inputs before normalisation, on the CPU."""
    if source.normalize is not None:
        _, batch = in_stored_units(nn.Identity(), batch, source.normalize, torch.device("cpu"))
    return moved_part(split_inputs_targets(batch)[0])


def generator_of(seed: int, place: int, name: str, number: int) -> torch.Generator:
    """Return the random numbers of one attack on one batch at one strength, whatever else is tried."""
    words = f"{seed} {place} {name} {number}"
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(words.encode()).digest()[:7], "little"))
