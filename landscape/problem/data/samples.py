"""Samples by number, wherever they lie: in tensors, behind a data set's index, or in a stream.

``fetch([3, 1])`` is a batch of two on the CPU; the same numbers give the same samples whenever they are asked for, as
long as what is behind them does.
"""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from landscape.errors import ProblemError
from landscape.problem.batches import (
    batch_bytes,
    batch_size_of,
    concatenate,
    describe_batch,
    is_opaque,
    map_tensors,
    slice_batch,
)
from landscape.problem.references import failure
from landscape.problem.tensor_layouts import select_rows

logger = logging.getLogger(__name__)

# What a batch takes beside its numbers: objects of Python and of torch for two tensors.
BATCH_BYTES = 1000
# After so many seconds of reading a stream without an end it is said how far that is.
SLOW = 10.0

Indices = Sequence[int] | NDArray[np.int64]
Collate = Callable[[list[Any]], Any]
Normalize = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation, one number a channel


def collate_samples(samples: list[Any]) -> Any:
    """Make a batch as torch does; of graphs as PyTorch Geometric does, of a user's own objects a list of them."""
    first = samples[0]
    if any(each.__module__.startswith("torch_geometric.") for each in type(first).__mro__):
        from torch_geometric.data import Batch

        return Batch.from_data_list(samples)
    try:
        return default_collate(samples)
    except TypeError:
        if not is_opaque(first) or first is None:
            raise
        return list(samples)


class Data(ABC):
    """Samples by number."""

    name: str
    reference: str
    batch_size: int | None = None  # what the user's own loader gives at a time
    plan: Sequence[Sequence[int]] | None = None  # the batches of the user's own sampler, by their samples' numbers
    unit: str = "sample"  # what is counted, sampled and permuted: "sample" or "batch"
    normalize: Normalize | None = None  # what the built-in sets were normalised with, for the record

    @property
    @abstractmethod
    def size(self) -> int:
        """How many samples there are. Reads a stream to its end."""

    @property
    def streamed(self) -> bool:
        """Whether samples come in one order only, so that a subset is the first ones."""
        return False

    @property
    def has_own_batches(self) -> bool:
        """Whether the user says which samples make a batch, not only how many."""
        return self.plan is not None

    @abstractmethod
    def fetch(self, indices: Indices) -> Any:
        """Return the batch of the samples with these numbers, on the CPU."""

    def batches(self, indices: Indices, batch_size: int) -> Iterator[Any]:
        """Yield the samples with these numbers in batches, in order; the last one may be short."""
        for start in range(0, len(indices), batch_size):
            yield self.fetch(indices[start : start + batch_size])

    def available(self, wanted: int) -> int:
        """Return how many of the first ``wanted`` samples there are, reading no further than needed."""
        return min(wanted, self.size)

    def limit_memory(self, most: int) -> None:  # noqa: B027 - nothing to do where nothing is kept
        """Say how many bytes samples may take that cannot be read again and so have to be kept."""

    def _check(self, numbers: NDArray[np.int64], size: int) -> None:
        if numbers.size and (numbers.min() < 0 or numbers.max() >= size):
            raise IndexError(f"{self.name} has samples 0 to {size - 1}, asked for {numbers.min()} to {numbers.max()}")


class Columns(Data):
    """Tensors that have one row a sample, in a tuple, list or dict."""

    def __init__(
        self,
        columns: Any,
        name: str,
        reference: str = "",
        changes: Sequence[Callable[[Tensor], Tensor] | None] | None = None,
    ) -> None:
        self.name, self.reference = name, reference
        self._columns = map_tensors(torch.as_tensor, columns)
        self._changes = changes  # one a column: what turns stored rows into what the network sees
        self._size = batch_size_of(self._columns)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return self._size

    def fetch(self, indices: Indices) -> Any:
        """Return these rows, on the CPU, as the network sees them."""
        numbers = np.asarray(indices, dtype=np.int64)
        self._check(numbers, self._size)
        rows = torch.from_numpy(numbers)
        batch = map_tensors(lambda column: select_rows(column, rows).cpu(), self._columns)
        if self._changes is None:
            return batch
        pairs = zip(batch, self._changes, strict=True)
        return tuple(part if change is None else change(part) for part, change in pairs)


class Indexed(Data):
    """A data set that gives a sample for its number, and the function that makes a batch of samples."""

    def __init__(
        self,
        dataset: Any,
        name: str,
        reference: str = "",
        *,
        collate: Collate = collate_samples,
        subset: Sequence[int] | None = None,
        workers: dict[str, Any] | None = None,
    ) -> None:
        self.name, self.reference = name, reference
        self._dataset, self._collate, self._subset = dataset, collate, subset
        self._workers = workers  # options of a DataLoader, where the user's own reads in other processes

    @property
    def size(self) -> int:
        """How many samples there are, or are in the subset."""
        return len(self._dataset) if self._subset is None else len(self._subset)

    def fetch(self, indices: Indices) -> Any:
        """Return the batch of these samples, read here whatever workers there are."""
        samples = self._samples(self._numbers(indices))
        try:
            return self._collate(samples)
        except Exception as error:
            raise ProblemError(
                f"data set {self.name!r}: samples such as {describe_batch(samples[0])} cannot be made a batch: "
                f"{failure(error)}; return tensors, or give a DataLoader with a collate_fn"
            ) from error

    def batches(self, indices: Indices, batch_size: int) -> Iterator[Any]:
        """Yield batches in order, read by as many workers as the user's own loader has."""
        if self._workers is None or len(indices) <= batch_size:
            yield from super().batches(indices, batch_size)
            return
        numbers = self._numbers(indices)
        chunks = [numbers[start : start + batch_size] for start in range(0, len(numbers), batch_size)]
        # A generator of its own: a loader draws a seed for its workers, which would move torch's global one.
        loader: DataLoader[Any] = DataLoader(
            self._dataset,
            batch_sampler=chunks,
            collate_fn=self._collate,
            generator=torch.Generator().manual_seed(0),
            **self._workers,
        )
        try:
            yield from loader
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except Exception as error:
            raise ProblemError(f"data set {self.name!r}: reading it failed: {failure(error)}") from error

    def _numbers(self, indices: Indices) -> list[int]:
        numbers = np.asarray(indices, dtype=np.int64)
        self._check(numbers, self.size)
        if self._subset is not None:
            return [int(self._subset[number]) for number in numbers]
        return [int(number) for number in numbers]

    def _samples(self, numbers: list[int]) -> list[Any]:
        several = getattr(self._dataset, "__getitems__", None)
        try:
            return list(several(numbers)) if callable(several) else [self._dataset[number] for number in numbers]
        except Exception as error:
            raise ProblemError(
                f"data set {self.name!r}: reading samples {numbers[0]} to {numbers[-1]} failed: {failure(error)}"
            ) from error


class Stream(Data):
    """Samples in the order they come, each read once and kept.

    Parameters
    ----------
    source : iterable
        Gives batches.
    own : bool
        Whether they are the user's own batches, not samples that were put into some.
    """

    def __init__(self, source: Iterable[Any], name: str, reference: str = "", *, own: bool = False) -> None:
        self.name, self.reference, self._own = name, reference, own
        self._iterable: Iterable[Any] | None = source
        self._source: Iterator[Any] | None = None
        self._batches: list[Any] = []
        self._ends: list[int] = []  # how many samples there are up to the end of each batch
        self._bytes, self._most = 0, math.inf  # what those read take, and what they may
        self._began = math.inf  # when reading began, until it was said that it takes long

    def limit_memory(self, most: int) -> None:
        """Say how many bytes the samples read may take: whatever is read is kept."""
        self._most = most

    @property
    def streamed(self) -> bool:
        """True: samples come in one order only."""
        return True

    @property
    def has_own_batches(self) -> bool:
        """Whether they came in batches."""
        return self._own

    @property
    def size(self) -> int:
        """How many samples there are; reads to the end."""
        self._read(None)
        return self._read_so_far

    def own_batches(self, wanted: int | None = None) -> list[tuple[Any, int]]:
        """Return the first so many batches as they come, each with its number of samples; all of them by default."""
        while (wanted is None or len(self._batches) < wanted) and self._read_one():
            pass
        return self.batches_so_far[:wanted]

    @property
    def batches_so_far(self) -> list[tuple[Any, int]]:
        """The batches that were read, each with its number of samples."""
        return list(zip(self._batches, np.diff([0, *self._ends]).tolist(), strict=True))

    @property
    def _read_so_far(self) -> int:
        return self._ends[-1] if self._ends else 0

    def available(self, wanted: int) -> int:
        """Return how many of the first ``wanted`` there are; reads so far."""
        self._read(wanted)
        return min(wanted, self._read_so_far)

    def fetch(self, indices: Indices) -> Any:
        """Return these samples in one batch; reads so far."""
        numbers = np.asarray(indices, dtype=np.int64)
        if not numbers.size:
            raise IndexError("a batch of a stream needs at least one sample")
        self._read(int(numbers.max()) + 1)
        self._check(numbers, self._read_so_far)
        parts = []
        start = 0
        while start < len(numbers):
            which = int(np.searchsorted(self._ends, numbers[start], side="right"))
            before = self._ends[which - 1] if which else 0
            stop = start + 1
            # Consecutive numbers inside one batch are a slice of it.
            while stop < len(numbers) and numbers[stop] == numbers[stop - 1] + 1 and numbers[stop] < self._ends[which]:
                stop += 1
            first = int(numbers[start]) - before
            parts.append(slice_batch(self._batches[which], first, first + stop - start))
            start = stop
        return concatenate(parts)

    def _read(self, wanted: int | None) -> None:
        while (wanted is None or self._read_so_far < wanted) and self._read_one():
            pass

    def _read_one(self) -> bool:
        """Read another batch; return whether there was one."""
        if self._source is None and self._iterable is not None:
            self._source, self._iterable, self._began = iter(self._iterable), None, time.monotonic()
        if self._source is None:
            return False
        try:
            batch = next(self._source)
        except StopIteration:
            self._source = None
            return False
        except Exception as error:
            raise ProblemError(
                f"data set {self.name!r}: reading on after {self._read_so_far} samples failed: {failure(error)}"
            ) from error
        number = batch_size_of(batch)
        if number:
            self._batches.append(batch)
            self._ends.append(self._read_so_far + number)
            self._bytes += batch_bytes(batch) + BATCH_BYTES
            self._require_an_end()
        return True

    def _require_an_end(self) -> None:
        """Refuse a stream that fills the memory, and say of one that takes long how far it is."""
        so_far = f"{self._read_so_far:,} samples ({self._bytes / 2**30:,.2f} GiB)"
        if self._bytes > self._most:
            raise ProblemError(
                f"data set {self.name!r} has no end yet after {so_far}, and {self._most / 2**30:,.2f} GiB may be kept "
                "of what can be read once only; say how many of the first to take, with --samples N (samples=N)"
            )
        if time.monotonic() - self._began > SLOW:
            self._began = math.inf
            logger.warning(
                "data set %r: %s were read in %.0f s, and it has no end yet; --samples N (samples=N) takes the first N",
                self.name,
                so_far,
                SLOW,
            )


@dataclass(frozen=True)
class LoaderBatch:
    """A batch that a loss is to see as a whole: it counts as one, and its value is its samples' mean by ``weight``."""

    batch: Any
    samples: int
    weight: float  # samples in it / mean of that over all batches, so that the mean of batches is that of samples


class LoaderBatches(Data):
    """The batches of a user's own loader, for losses that compare the samples of a batch with each other.

    A batch is then what is sampled, permuted and counted, and what errors are taken between.

    Parameters
    ----------
    data : Data
    batch_size : int
        How many samples make a batch, in their order, where the user does not say which.
    """

    unit = "batch"
    batch_size = 1

    def __init__(self, data: Data, batch_size: int) -> None:
        self.name, self.reference, self.normalize = data.name, data.reference, data.normalize
        self._data = data
        self._plan: Sequence[Sequence[int]] = ()
        if not isinstance(data, Stream):
            step, size = data.batch_size or batch_size, data.size
            self._plan = data.plan or [range(start, min(start + step, size)) for start in range(0, size, step)]

    @property
    def streamed(self) -> bool:
        """Whether batches come in one order only."""
        return self._data.streamed

    def limit_memory(self, most: int) -> None:
        """Say how many bytes samples may take that have to be kept."""
        self._data.limit_memory(most)

    @property
    def size(self) -> int:
        """How many batches there are."""
        return len(self._data.own_batches()) if isinstance(self._data, Stream) else len(self._plan)

    def available(self, wanted: int) -> int:
        """Return how many of the first ``wanted`` batches there are."""
        return len(self._data.own_batches(wanted)) if isinstance(self._data, Stream) else min(wanted, self.size)

    def fetch(self, indices: Indices) -> Any:
        """Return one batch as a `LoaderBatch`, several in a list: no two are joined."""
        numbers = np.asarray(indices, dtype=np.int64)
        if isinstance(self._data, Stream):
            self._data.own_batches(int(numbers.max()) + 1)
            read = self._data.batches_so_far  # as many as are measured: they are asked for before the first is fetched
            self._check(numbers, len(read))
            sizes = [number for _, number in read]
            found = [read[number] for number in numbers]
        else:
            self._check(numbers, len(self._plan))
            sizes = [len(each) for each in self._plan]
            found = [(self._data.fetch(self._plan[number]), sizes[number]) for number in numbers]
        mean = sum(sizes) / len(sizes)
        batches = [LoaderBatch(batch, number, number / mean) for batch, number in found]
        return batches[0] if len(batches) == 1 else batches
