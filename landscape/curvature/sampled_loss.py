"""The mean loss over fixed samples, batch by batch: what a surface measures, with derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.errors import EvaluationError, UsageError
from landscape.problem.attributes import Attributes
from landscape.problem.batches import (
    batch_bytes,
    call_model,
    fit_precision,
    output_logits,
    split_inputs_targets,
    to_device,
)
from landscape.problem.data.datasets import choose
from landscape.problem.data.samples import Data
from landscape.problem.losses.losses import Loss
from landscape.surface.grid import Floats

# A standard error from batches needs some of them.
BATCHES = 8
LARGEST_BATCH = 256


class NotFiniteError(EvaluationError):
    """The loss, or a product with its second derivatives, is not finite."""


class SampledLoss:
    """The mean of a loss over samples that are fixed; each counts the same, also in a short last batch.

    Parameters
    ----------
    model : Module
        Called as it stands: in the mode and with the weights it has when a batch is asked for.
    data : Data
    loss : Loss
    samples : int, optional
        The first so many of the permutation that ``sample_seed`` gives; all of them by default.
    order : sequence of int, optional
        The samples' numbers, where they have been chosen already.
    batch_size : int, optional
        By default 256, or less so that there are at least 8 batches, whose spread gives the error from sampling.
    budget : int
        Bytes that batches may take on the device; more are read anew each time.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        loss: Loss,
        *,
        samples: int | None = None,
        sample_seed: int = 0,
        order: Sequence[int] | NDArray[np.int64] | None = None,
        batch_size: int | None = None,
        budget: int = 0,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"the batch size is {batch_size}, it has to be 1 at least")
        self.model, self.data, self.loss = model, data, loss
        self._forget: Callable[[], object] = lambda: None
        self.second_seen = False  # whether its second derivatives have been found true
        self.order = choose(data, samples, sample_seed) if order is None else np.asarray(order)
        self.samples = len(self.order)
        size = batch_size or min(LARGEST_BATCH, max(1, -(-self.samples // BATCHES)))
        self.batch_size = size
        self.starts = range(0, self.samples, size)
        self._device = next((each.device for each in model.parameters()), torch.device("cpu"))
        self._kept: list[Any] | None = None
        if batch_bytes(data.fetch(self.order[:1])) * self.samples <= budget:
            self._kept = [self._batch(k) for k in range(len(self))]
        self._total = self._total_weight()

    def watch_caches(self) -> None:
        """Find out whether the network keeps something that it computed; then it forgets it before each pass.

        What a pass kept from weights has that pass's graph, or none. To be called as long as the network computes with
        the leaves that derivatives are taken by, and keeps nothing from other weights.
        """
        attributes = Attributes(self.model)
        self.values(0)
        self._forget = attributes.restore if attributes.restore() else lambda: None

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self.starts)

    @property
    def shares(self) -> Floats:
        """Which part of all samples each batch has, shape (batches,)."""
        return np.array([self.number(k) for k in range(len(self))]) / self.samples

    def number(self, k: int) -> int:
        """Return how many samples a batch has."""
        return min(self.batch_size, self.samples - self.starts[k])

    def batch(self, k: int) -> Any:
        """Return a batch on the device."""
        return self._kept[k] if self._kept is not None else self._batch(k)

    def _batch(self, k: int) -> Any:
        start = self.starts[k]
        return to_device(self.data.fetch(self.order[start : start + self.batch_size]), self._device)

    def _total_weight(self) -> float:
        if not self.loss.weighs:
            return float(self.samples)
        return sum(float(self.loss.weights(self.batch(k)).sum()) for k in range(len(self)))

    def part(self, k: int, *, check: bool = False) -> Tensor:
        """Return what a batch adds to the mean, shape (), float64, with its graph.

        Raises
        ------
        EvaluationError
            It is not finite, or nothing leads from it to the weights.
        """
        self._forget()
        return self._joined(self.loss(self.model, self.batch(k), check=check, number=self.number(k))["loss"], k)

    def values(self, k: int) -> Tensor:
        """Return the losses of a batch's samples, shape (n,), or their mean as many times, without a graph."""
        self._forget()
        # Not under no_grad: a loss may take derivatives itself.
        values = self.loss(self.model, self.batch(k), number=self.number(k))["loss"].detach().double()
        # As the loss's own mean weighs samples: their mean is the loss.
        values = values * (self.samples / self._total)
        return values if values.ndim else values.expand(self.number(k))

    def require_mean(self) -> None:
        """Raise ProblemError where the loss is one number a batch and no mean over its samples."""
        for k in range(len(self)):
            self.loss.require_mean(self.model, self.batch(k))

    def require_same(self, values: Floats) -> None:
        """Raise EvaluationError where the first batch gives other values when it is measured again."""
        self.require_mean()
        again = self.values(0).cpu().numpy()
        # What is not finite both times is no noise: whoever asks for derivatives hears of it.
        if not np.allclose(values, again, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise EvaluationError(
                f"the loss of {self.data.name!r} differs each time it is measured ({values.mean():.6g}, then "
                f"{again.mean():.6g}): the network or the loss draws random numbers, and has no curvature of its own"
            )

    def output(self, k: int) -> Tensor:
        """Return the network's output for a batch, with its graph; only where `splits`."""
        self._forget()
        inputs, _ = split_inputs_targets(self.batch(k))
        return output_logits(call_model(self.model, fit_precision(inputs, self.model)))

    def part_of_output(self, output: Tensor, k: int) -> Tensor:
        """Return what a batch adds to the mean, given the network's output for it; only where `splits`."""
        assert self.loss.measure is not None
        return self._joined(self.loss.measure(output, self.loss.target_of(self.batch(k)), False)["loss"], k)

    @property
    def splits(self) -> bool:
        """Whether the loss is known as a criterion of the network's output."""
        return self.loss.measure is not None

    def _joined(self, values: Tensor, k: int) -> Tensor:
        total = values.double().sum() if values.ndim else values.double() * self.number(k)
        if not bool(torch.isfinite(total)):
            bad = torch.nonzero(~torch.isfinite(values.detach().reshape(-1))).flatten()
            sample = int(self.order[self.starts[k] + (int(bad[0]) if values.ndim else 0)])
            raise NotFiniteError(
                f"the loss of {self.data.name!r} is not finite at these weights (sample {sample}, "
                f"{values.detach().reshape(-1)[bad[0]]:g}): there is no curvature to be measured"
            )
        return total / self._total
