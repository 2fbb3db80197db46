"""What is measured at a point: losses and metrics of a network on fixed samples in a fixed order.

Every sample has the same weight, also in a short last batch. Results are one value a sample, so that means,
standard errors and paired differences are summed in float64 and can be continued exactly. Data that fit into the
budget are kept on the device; the rest is read in chunks, each of which serves a block of points.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.engine.memory import resident_budget
from landscape.errors import ProblemError
from landscape.evaluation.forward_pass.means_elsewhere import require_mean_elsewhere
from landscape.evaluation.forward_pass.noise import generators_kept, seed_generators
from landscape.evaluation.forward_pass.resident_groups import groups_that_fit
from landscape.evaluation.forward_pass.running_statistics import estimate_statistics
from landscape.evaluation.forward_pass.sample_values import Chunk, SampleValues
from landscape.evaluation.forward_pass.stand_in import StandIn, Watched
from landscape.parallel.scheduler import Span
from landscape.problem.attributes import Attributes
from landscape.problem.batches import batch_bytes, map_tensors, to_device
from landscape.problem.buffers import Buffers
from landscape.problem.data.datasets import Data, choose
from landscape.problem.losses.losses import Loss
from landscape.problem.stale_values import forget_computed, require_fresh

logger = logging.getLogger(__name__)

DEFAULT_BATCH_SIZE = 256
# Samples on which running statistics are re-estimated: 1,024 images give a channel's variance within about 5 %
# even where each image contributes one value, and cost as little as one evaluation of a small data set.
BATCH_NORM_SAMPLES = 1024

# What torch says where a loss takes derivatives while gradients are off.
_NO_GRADIENT = "does not require grad"


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
        ``train``: dropout is on. Batch norm goes by ``batch_norm`` alone.
    noise : {"common", "fresh"}, optional
        Seed the generators of torch, NumPy and Python before each batch: alike at all points, or otherwise at each.
        By default "fresh" in ``mode="train"``, and not at all in ``"eval"``.
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
        noise: str | None = None,
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
        self.noise = noise or ("fresh" if mode == "train" else None)
        self._differentiates = False  # found out: the loss takes derivatives itself
        self.asking_seconds = 0.0  # what it took to ask whether a loss is a mean, which points are not asked
        self.batch_norm = batch_norm
        # All samples are asked for as so many, too: then they are a longer prefix of what any subset is a prefix of.
        self.orders = {
            name: choose(each, samples if samples is not None or each.streamed else each.size, sample_seed)
            for name, each in self.data.items()
        }
        self.sizes = {name: len(order) for name, order in self.orders.items()}
        self._sample_seed = sample_seed
        empty = [name for name, number in self.sizes.items() if not number]
        if empty:
            raise ProblemError(f"data set {empty[0]!r} has no samples")
        self.users = users
        self._budget = resident_budget(self.device, users) if budget is None else budget
        self._sample_bytes: dict[str, float] = {}
        self._mean_weights: dict[tuple[str, int], float] = {}
        self._loaded: dict[Span, Chunk] = {}
        # Of which data set statistics are recomputed, where they are.
        self.norm_data = self._norm_data(batch_norm_data)
        forget_computed(model)
        self._norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
        with self.modes():  # which is what attributes are put back to between two batches
            self._attributes = Attributes(model)
        self._caches, self._watched = False, False
        self.buffers, self._keeping = Buffers(model), True
        self._norm_batches: list[Any] | None = None
        if batch_norm == "recompute" and self._norms:
            self._norm_batches = self._norm_batches_of(self.norm_data, sample_seed)

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
        if len(chosen) % self.batch_size == 1 < min(self.batch_size, len(chosen)):
            chosen = chosen[:-1]  # alone in its batch it has no variance
        return [self.placed(batch) for batch in data.batches(chosen, self.batch_size)]

    def reach_all_data(self) -> None:
        """Let spans go beyond the samples that every point is measured on, to all there are."""
        for name, order in self.orders.items():
            more = choose(self.data[name], self.data[name].size, self._sample_seed)
            assert np.array_equal(more[: len(order)], order)
            self.orders[name] = more

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

    def watch_caches(self, *, run: bool = False) -> None:
        """Find out whether the network keeps something that it computed; then it forgets it at each point.

        What a forward pass kept from weights (a factorised matrix, merged weights) stays right until they move: a
        network that gives the same twice at theta* would use it everywhere else. Networks that give something else
        the second time were refused before. With ``run`` a few samples are measured first; else some have been.
        """
        if self.noise is None:
            with suppress(Exception, SystemExit):  # a loss that fails says so where it is measured
                self.run_batch(self.few()) if run else None
            self._caches = self._attributes.restore()
        self._watched = self.noise != "fresh"  # which may come from a generator of the network's own

    def forget_passes(self) -> None:
        """Let the network forget what a forward pass left in its attributes; a fused one runs no code of its own."""
        # Somewhere else a pass may leave what it left nothing of at theta*: a greatest number seen.
        if self._caches:
            self._attributes.restore()
        elif self._watched and self._runs_own_code:
            self._attributes.restore_own()

    @property
    def _runs_own_code(self) -> bool:
        return self.engine.get("engine") != "fused"

    @contextmanager
    def keeping_nothing(self) -> Iterator[None]:
        """Let passes change buffers meanwhile, as they would without us."""
        self._keeping = False
        try:
            yield
        finally:
            self._keeping = True

    def require_fresh(self, moved: Collection[str], **how: str) -> None:
        """Raise EvaluationError, or warn, where the network goes on with what it computed before it was given."""

        @torch.no_grad()
        def values() -> Iterable[Tensor]:
            with self.modes(), generators_kept():
                seeded = None if self.noise is None else (0, "", 0)
                return self._values(self.model, self.few(), seeded=seeded).values()

        require_fresh(self.model, moved, values, **how)

    def few(self) -> Any:
        """Return a few samples of the first data set on the device, as the network itself takes them."""
        name = next(iter(self.data))
        return self.placed(self.data[name].fetch(self.orders[name][:8]))

    @torch.no_grad()
    def watch_loss(self) -> tuple[Any, Any, dict[str, Tensor]]:
        """Watch what a loss of the user's own does with the network.

        Returns
        -------
        inputs
            What it calls the network with, where one call with the batch's own tensors is all it does; else None.
        batch, values
            On which samples, and what it gave.
        """
        batch, watched, values = self.few(), Watched(self.model), {}
        with (
            self.modes(),
            generators_kept(),
            suppress(Exception, SystemExit),
        ):  # it says what is wrong when it is measured
            values = self._values(watched, batch)
            return None if self._differentiates else watched.inputs, batch, values
        return None, batch, values

    @torch.no_grad()
    def gives(self, batch: Any, values: Mapping[str, Tensor], within: float) -> bool:
        """Return whether what measures now gives these values for a batch, but for so much of their greatest."""
        with self.settled(), generators_kept(), suppress(Exception, SystemExit):
            if (refresh := self._refresh()) is not None:
                refresh()
            found = self._values(self.network, self.ready(batch))
            return found.keys() == values.keys() and all(
                found[name].shape == each.shape
                and torch.allclose(
                    found[name], each, rtol=within, atol=within * float(each.abs().max()), equal_nan=True
                )
                for name, each in values.items()
            )
        return False

    def run_batch(self, batch: Any) -> None:
        """Measure one batch and wait for the device."""
        with torch.no_grad(), self._cast():
            values = self._values(self.network, batch)
        next(iter(values.values())).sum().item()

    def sample_bytes(self, name: str) -> float:
        """Return what one sample takes, measured on a few."""
        if name not in self._sample_bytes:
            few = self.orders[name][: min(8, self.sizes[name])]
            self._sample_bytes[name] = batch_bytes(self.data[name].fetch(few)) / len(few)
        return self._sample_bytes[name]

    def groups(self, spans: Sequence[Span]) -> list[list[Span]]:
        """Split spans of samples into groups that fit into memory at once, in order."""
        return groups_that_fit(spans, self.sample_bytes, self._budget, self.batch_size)

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
                batches = self.data[name].batches(self.orders[name][start:stop], self.batch_size)
                self._loaded[span] = Chunk(name, start, stop, [self.ready(batch) for batch in batches])
        return [self._loaded[span] for span in group]

    @torch.no_grad()
    def measure(self, chunks: Sequence[Chunk], *, seed: int = 0, check: bool = False) -> SampleValues:
        """Measure loss and metrics of the model as it stands.

        Parameters
        ----------
        chunks : sequence of Chunk
        seed : int
            Of the point, where its noise is to be another's: the same seed gives the same noise.
        check : bool
            Also look at the targets' values, which waits for the device: once for each sample is enough.

        Returns
        -------
        SampleValues
            float64 arrays of shape (samples,), in the order of the samples.
        """
        refresh = self._refresh()
        result = SampleValues()
        with self.settled(), self._cast(), generators_kept() if self.noise else nullcontext():
            if refresh is not None:
                refresh()
            for chunk in chunks:
                for metric, parts in self._measure_chunk(chunk, result, check, seed).items():
                    # One transfer a metric: reading each batch's value would wait for the device each time.
                    result.values[chunk.name, metric] = torch.cat(parts).double().cpu().numpy()
                    if metric == "loss" and self.loss.weighs:
                        with np.errstate(invalid="ignore", divide="ignore"):  # nothing counts: NaN, as torch has it
                            result.values[chunk.name, metric] /= self.mean_weight(chunk.name)
        return result

    def _is_low(self) -> bool:
        """Return whether less than float32 computes."""
        own = {p.dtype for p in self.model.parameters() if p.is_floating_point()}
        return bool({torch.float16, torch.bfloat16} & {*own, self._autocast}) or (
            self.engine.get("precision", "float32") != "float32"
        )

    def _refresh(self) -> Callable[[], None] | None:
        # A network may have a method of that name too.
        return None if self.network is self.model else getattr(self.network, "refresh", None)

    def mean_weight(self, name: str, samples: int | None = None) -> float:
        """Return what a data set's samples, or the first few, count on average in the loss's own mean: by targets."""
        number = self.sizes[name] if samples is None else samples
        if (name, number) not in self._mean_weights:
            batches = self.data[name].batches(self.orders[name][:number], self.batch_size)
            weight = sum(float(self.loss.weights(each).sum()) for each in batches)
            self._mean_weights[name, number] = weight / number
        return self._mean_weights[name, number]

    def _measure_chunk(self, chunk: Chunk, result: SampleValues, check: bool, seed: int) -> dict[str, list[Tensor]]:
        parts: dict[str, list[Tensor]] = {}
        first = chunk.start
        for batch in chunk.batches:
            number = min(self.batch_size, chunk.stop - first)
            seeded = None if self.noise is None else (seed if self.noise == "fresh" else 0, chunk.name, first)
            self.forget_passes()
            found = self._values(self.network, batch, check=check, number=number, seeded=seeded)
            if check and self.noise is None and not found["loss"].ndim:
                found["loss"].item()  # wait for the device
                began = time.perf_counter()
                with self.buffers.kept():
                    self.loss.require_mean(self.network, batch, low=self._is_low())
                    if first == 0:
                        require_mean_elsewhere(self.loss, self.model, batch, low=self._is_low())
                self.asking_seconds += time.perf_counter() - began
            first += number
            for metric, values in found.items():
                per_sample = values.ndim > 0
                result.per_sample[chunk.name, metric] = result.per_sample.get((chunk.name, metric), True) and per_sample
                parts.setdefault(metric, []).append(values if per_sample else values.expand(number))
        return parts

    def _values(
        self,
        network: Callable[..., Any],
        batch: Any,
        *,
        check: bool = False,
        number: int | None = None,
        seeded: tuple[int, str, int] | None = None,
    ) -> dict[str, Tensor]:
        """Return the values of a batch; where a loss takes derivatives, no graph and no gradient is left of them."""
        own = self.loss.own is not None
        while True:
            if seeded is not None:
                seed_generators(*seeded)
            # Its own leaves each time: on tensors that stay, gradients would add up from point to point.
            leaves = map_tensors(_leaf, batch) if own else batch
            if isinstance(network, (Watched, StandIn)):
                network.expect(leaves)
            try:
                writes = self._keeping and self._runs_own_code
                kept = self.buffers.kept() if writes else nullcontext()
                with torch.set_grad_enabled(self._differentiates), kept:
                    values = self.loss(network, leaves, check=check, number=number)
                break
            except Exception as error:
                if isinstance(network, StandIn):  # asked for what only the network itself has, or its own fault
                    network = self.model
                    continue
                wants_gradient = isinstance(error, RuntimeError) and _NO_GRADIENT in str(error)
                if not own or self._differentiates or not wants_gradient:
                    raise
                self._differentiates = True
        if own:
            for parameter in self.model.parameters():
                parameter.grad = None  # what it was is put back at the end; a graph may hang on it
        return {name: each.detach() for name, each in values.items()}

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

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Get the network, whose weights were moved, ready to be measured: its mode, and recomputed statistics."""
        if self._norm_batches is not None:
            norms = {id(each) for norm in self._norms for each in norm.buffers()}
            with self.buffers.kept(but=norms), self.keeping_nothing():
                estimate_statistics(
                    self.model, self._norms, self._norm_batches, lambda batch: self._values(self.model, batch)
                )
        with self.modes():
            yield

    def batches_of(self, spans: Sequence[Span]) -> Iterator[tuple[str, Any]]:
        """Yield the name of a data set and a batch of its samples on the device, as the network itself takes them."""
        for name, start, stop in spans:
            for batch in self.data[name].batches(self.orders[name][start:stop], self.batch_size):
                yield name, self.placed(batch)


def _leaf(tensor: Any) -> Any:
    return tensor.detach() if isinstance(tensor, Tensor) else tensor
