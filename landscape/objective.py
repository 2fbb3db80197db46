"""What is measured at a point: losses and metrics of a network on fixed samples in a fixed order.

Every sample has the same weight, also in a short last batch. Results are one value a sample, so that means,
standard errors and paired differences are summed in float64 and can be continued exactly. Data that fit into the
budget are kept on the device; the rest is read in chunks, each of which serves a block of points.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.batches import batch_bytes, batch_size_of, to_device
from landscape.datasets import Data, Indices, choose
from landscape.errors import ProblemError
from landscape.grid import Floats
from landscape.losses import Loss
from landscape.memory import resident_budget

logger = logging.getLogger(__name__)

DEFAULT_BATCH_SIZE = 256
# Samples on which running statistics are re-estimated: 1,024 images give a channel's variance within about 5 %
# even where each image contributes one value, and cost as little as one evaluation of a small data set.
BATCH_NORM_SAMPLES = 1024

Span = tuple[str, int, int]  # data set, first sample, behind the last


@dataclass
class Chunk:
    """Samples of one data set, on the device in batches."""

    name: str
    start: int
    stop: int
    batches: list[Any]


@dataclass
class SampleValues:
    """One value a sample, for each (data set, metric)."""

    values: dict[tuple[str, str], Floats] = field(default_factory=dict)
    per_sample: dict[tuple[str, str], bool] = field(default_factory=dict)  # False: only batch means are known

    def joined(self, later: SampleValues) -> SampleValues:
        """Return these samples followed by others."""
        values = dict(self.values)
        for key, more in later.values.items():
            values[key] = np.concatenate([values[key], more]) if key in values else more
        return SampleValues(values, {**self.per_sample, **later.per_sample})


class Objective:
    """Losses and metrics of a model on fixed samples.

    Parameters
    ----------
    model : Module
        Evaluated as it is when `measure` is called; its mode is set here and restored by the caller.
    data : mapping of str to Data
    loss : Loss
    samples : int, optional
        At most so many samples of each data set; all of them by default.
    sample_seed : int
        Which permutation they are the first of.
    batch_norm : {"frozen", "recompute"}
        ``recompute``: at each point running statistics are estimated again, as a cumulative average, on a fixed
        set of samples of ``batch_norm_data``.
    mode : {"eval", "train"}
        ``train``: dropout is on, seeded for each point. Batch norm goes by ``batch_norm`` alone.
    budget : int, optional
        Bytes that resident data may take on the device.
    users : int
        Processes that share the host's memory, which is then divided among them.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Mapping[str, Data],
        loss: Loss,
        *,
        samples: int | None = None,
        sample_seed: int = 0,
        batch_size: int | None = None,
        batch_norm: str = "frozen",
        batch_norm_data: str | None = None,
        mode: str = "eval",
        device: torch.device | None = None,
        budget: int | None = None,
        users: int = 1,
    ) -> None:
        self.model = model
        self.network: Callable[..., Any] = model
        self.engine: Mapping[str, Any] = {"engine": "plain"}  # what runs, as JSON
        self._autocast: torch.dtype | None = None
        self._casts_kept = True
        self.data = dict(data)
        self.loss = loss
        self.device = device or next((p.device for p in model.parameters()), torch.device("cpu"))
        self.batch_size = batch_size or DEFAULT_BATCH_SIZE
        self.mode = mode
        self.batch_norm = batch_norm
        # All samples are asked for as so many, too: then they are a longer prefix of what any subset is a prefix of.
        self.orders = {
            name: choose(each, samples if samples is not None or each.streamed else each.size, sample_seed)
            for name, each in self.data.items()
        }
        self.sizes = {name: len(order) for name, order in self.orders.items()}
        for name, number in self.sizes.items():
            if number == 0:
                raise ProblemError(f"data set {name!r} has no samples")
        self.users = users
        self._budget = resident_budget(self.device, users) if budget is None else budget
        self._sample_bytes: dict[str, float] = {}
        self._loaded: dict[Span, Chunk] = {}
        if batch_norm_data is not None:
            self._norm_data(batch_norm_data)
        self._norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
        self._norm_batches: list[Any] | None = None
        if batch_norm == "recompute" and self._norms:
            self._norm_batches = self._norm_batches_of(self._norm_data(batch_norm_data), sample_seed)

    def _norm_data(self, name: str | None) -> str:
        if name is None:
            name = "train" if "train" in self.data else next(iter(self.data))
        if name not in self.data:
            raise ProblemError(f"batch_norm_data is {name!r}, the data sets are {', '.join(self.data)}")
        return name

    def _norm_batches_of(self, name: str, seed: int) -> list[Any]:
        # Chosen apart from the measured samples, so that --samples never changes the statistics.
        data = self.data[name]
        chosen = choose(data, min(BATCH_NORM_SAMPLES, data.available(BATCH_NORM_SAMPLES)), seed)
        return [self.placed(batch) for batch in data.batches(chosen, self.batch_size)]

    def use(
        self,
        network: Callable[..., Any],
        described: Mapping[str, Any],
        *,
        autocast: torch.dtype | None = None,
        casts_kept: bool = True,
    ) -> None:
        """Measure with something that is called like the network; data are loaded anew in the form it takes.

        ``casts_kept``: autocast casts each weight once a point, not once a batch, and keeps it for so long.
        """
        self.network, self.engine, self._autocast = network, dict(described), autocast
        self._casts_kept = casts_kept
        self.forget()

    def placed(self, batch: Any) -> Any:
        """Return a batch on the device, as the network itself takes it."""
        return to_device(batch, self.device)

    def ready(self, batch: Any) -> Any:
        """Return a batch on the device in the precision and memory layout of what measures."""
        batch = self.placed(batch)
        whole_batch = None if self.network is self.model else getattr(self.network, "whole_batch", None)
        return batch if whole_batch is None else whole_batch(batch)

    def run_batch(self, batch: Any) -> None:
        """Measure one batch and wait for the device."""
        with torch.no_grad(), self._cast():
            values = self.loss(self.network, batch)
        next(iter(values.values())).sum().item()

    def _batches(self, data: Data, indices: Indices) -> list[Any]:
        return [self.ready(batch) for batch in data.batches(indices, self.batch_size)]

    def sample_bytes(self, name: str) -> float:
        """Return what one sample takes, measured on a few."""
        if name not in self._sample_bytes:
            few = self.orders[name][: min(8, self.sizes[name])]
            self._sample_bytes[name] = batch_bytes(self.data[name].fetch(few)) / len(few)
        return self._sample_bytes[name]

    def groups(self, spans: Sequence[Span]) -> list[list[Span]]:
        """Split spans of samples into groups that fit into memory at once, in order.

        One group where all fits: then the weights are set once a point and the data stay where they are.
        """
        groups: list[list[Span]] = [[]]
        left = float(self._budget)
        for name, start, stop in spans:
            size = self.sample_bytes(name)
            while start < stop:
                fitting = int(left // size) if size else stop - start
                # Whole batches, and at least one: a budget below a batch would read for ever.
                fitting = max(fitting // self.batch_size * self.batch_size, 0 if groups[-1] else self.batch_size)
                if fitting == 0 and stop - start > left // max(size, 1.0):
                    groups.append([])
                    left = float(self._budget)
                    continue
                end = stop if stop - start <= left // max(size, 1e-9) else min(stop, start + fitting)
                groups[-1].append((name, start, end))
                left -= (end - start) * size
                start = end
        return groups

    def forget(self) -> None:
        """Let go of all resident data."""
        self._loaded = {}

    def load(self, group: Sequence[Span]) -> list[Chunk]:
        """Return the samples of a group on the device, reading only what is not there already."""
        wanted = set(group)
        self._loaded = {span: chunk for span, chunk in self._loaded.items() if span in wanted}
        for span in group:
            if span not in self._loaded:
                name, start, stop = span
                self._loaded[span] = Chunk(
                    name, start, stop, self._batches(self.data[name], self.orders[name][start:stop])
                )
        return [self._loaded[span] for span in group]

    @torch.no_grad()
    def measure(self, chunks: Sequence[Chunk], *, seed: int = 0, check: bool = False) -> SampleValues:
        """Measure loss and metrics of the model as it stands.

        Parameters
        ----------
        chunks : sequence of Chunk
        seed : int
            For dropout in ``mode="train"``: the same seed gives the same noise.
        check : bool
            Also look at the targets' values, which waits for the device: once for each sample is enough.

        Returns
        -------
        SampleValues
            float64 arrays of shape (samples,), in the order of the samples.
        """
        if self._norm_batches is not None:
            self._estimate_statistics()
        refresh = getattr(self.network, "refresh", None)
        if refresh is not None:
            refresh()
        result = SampleValues()
        with self.modes(), self._cast():
            for chunk in chunks:
                for metric, parts in self._measure_chunk(chunk, result, check, seed).items():
                    # One transfer a metric: reading each batch's value would wait for the device each time.
                    result.values[chunk.name, metric] = torch.cat(parts).double().cpu().numpy()
        return result

    def _measure_chunk(self, chunk: Chunk, result: SampleValues, check: bool, seed: int) -> dict[str, list[Tensor]]:
        parts: dict[str, list[Tensor]] = {}
        first = chunk.start
        for batch in chunk.batches:
            number = batch_size_of(batch)
            if self.mode == "train":
                # For each batch: the noise must not depend on which samples are measured in one go, or on which rank.
                torch.manual_seed(_noise_seed(seed, chunk.name, first))
            first += number
            for metric, values in self.loss(self.network, batch, check=check).items():
                per_sample = values.ndim > 0
                result.per_sample[chunk.name, metric] = result.per_sample.get((chunk.name, metric), True) and per_sample
                parts.setdefault(metric, []).append(values if per_sample else values.expand(number))
        return parts

    def _cast(self) -> AbstractContextManager[Any]:
        if self._autocast is None:
            return nullcontext()
        return torch.autocast(self.device.type, self._autocast, cache_enabled=self._casts_kept)

    @contextmanager
    def modes(self) -> Iterator[None]:
        """Put the network into the mode it is measured in."""
        self.model.train(self.mode == "train")
        for module in self._norms:
            module.eval()
        yield

    def _estimate_statistics(self) -> None:
        """Estimate running means and variances at the current weights, as averages over the batches."""
        assert self._norm_batches is not None
        momenta = [module.momentum for module in self._norms]
        self.model.eval()
        for module in self._norms:
            module.reset_running_stats()
            module.momentum = None  # None means a cumulative average over the batches
            module.train()
        try:
            for batch in self._norm_batches:
                self.loss(self.model, batch)
        finally:
            for module, momentum in zip(self._norms, momenta, strict=True):
                module.momentum = momentum
                module.eval()


def _noise_seed(seed: int, name: str, first: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {name} {first}".encode()).digest()[:8], "little") >> 1
