"""Samples by number, wherever they lie: in tensors, behind a data set's index, or in a stream.

``fetch([3, 1])`` is a batch of two on the CPU; the same numbers give the same samples whenever they are asked for, as
long as what is behind them does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from landscape.batches import batch_size_of, concatenate, describe_batch, map_tensors, slice_batch
from landscape.errors import ProblemError
from landscape.references import failure

Indices = Sequence[int] | NDArray[np.int64]
Collate = Callable[[list[Any]], Any]
Normalize = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation, one number a channel


class Data(ABC):
    """Samples by number."""

    name: str
    reference: str
    batch_size: int | None = None  # what the user's own loader gives at a time
    normalize: Normalize | None = None  # what the built-in sets were normalised with, for the record

    @property
    @abstractmethod
    def size(self) -> int:
        """How many samples there are. Reads a stream to its end."""

    @property
    def streamed(self) -> bool:
        """Whether samples come in one order only, so that a subset is the first ones."""
        return False

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
        return self._size

    def fetch(self, indices: Indices) -> Any:
        numbers = np.asarray(indices, dtype=np.int64)
        self._check(numbers, self._size)
        rows = torch.from_numpy(numbers)
        batch = map_tensors(lambda column: column.index_select(0, rows.to(column.device)).cpu(), self._columns)
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
        collate: Collate = default_collate,
        subset: Sequence[int] | None = None,
        workers: dict[str, Any] | None = None,
    ) -> None:
        self.name, self.reference = name, reference
        self._dataset, self._collate, self._subset = dataset, collate, subset
        self._workers = workers  # options of a DataLoader, where the user's own reads in other processes

    @property
    def size(self) -> int:
        return len(self._dataset) if self._subset is None else len(self._subset)

    def fetch(self, indices: Indices) -> Any:
        samples = self._samples(self._numbers(indices))
        try:
            return self._collate(samples)
        except Exception as error:
            raise ProblemError(
                f"data set {self.name!r}: samples such as {describe_batch(samples[0])} cannot be made a batch: "
                f"{failure(error)}; return tensors, or give a DataLoader with a collate_fn"
            ) from error

    def batches(self, indices: Indices, batch_size: int) -> Iterator[Any]:
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
    """

    def __init__(self, source: Iterable[Any], name: str, reference: str = "") -> None:
        self.name, self.reference = name, reference
        self._iterable: Iterable[Any] | None = source
        self._source: Iterator[Any] | None = None
        self._batches: list[Any] = []
        self._ends: list[int] = []  # how many samples there are up to the end of each batch

    @property
    def streamed(self) -> bool:
        return True

    @property
    def size(self) -> int:
        self._read(None)
        return self._read_so_far

    @property
    def _read_so_far(self) -> int:
        return self._ends[-1] if self._ends else 0

    def available(self, wanted: int) -> int:
        self._read(wanted)
        return min(wanted, self._read_so_far)

    def fetch(self, indices: Indices) -> Any:
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
        if self._source is None and self._iterable is not None:
            self._source, self._iterable = iter(self._iterable), None
        while self._source is not None and (wanted is None or self._read_so_far < wanted):
            try:
                batch = next(self._source)
            except StopIteration:
                self._source = None
                return
            except Exception as error:
                raise ProblemError(
                    f"data set {self.name!r}: reading on after {self._read_so_far} samples failed: {failure(error)}"
                ) from error
            number = batch_size_of(batch)
            if number:
                self._batches.append(batch)
                self._ends.append(self._read_so_far + number)
