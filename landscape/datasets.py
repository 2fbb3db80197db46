"""Data read by sample number, so that every point of a surface sees the same samples whatever they come from.

``as_data`` makes a ``Data`` of tensors, a Dataset, a DataLoader, a sequence or an iterable. What can be indexed is
read by index, without shuffling; what cannot is read once, in order, and kept.
"""

from __future__ import annotations

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, SubsetRandomSampler, TensorDataset, default_collate

from landscape.batches import batch_size_of, concatenate, describe_batch, map_tensors, slice_batch, tensors_in
from landscape.errors import ProblemError

log = logging.getLogger(__name__)

Indices = Sequence[int] | NDArray[np.int64]


class Data(ABC):
    """Samples by number: ``fetch([3, 1])`` is a batch of two."""

    name: str
    reference: str
    batch_size: int | None = None  # what the user's own loader gives at a time
    normalize: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # (mean, std), already applied

    @property
    @abstractmethod
    def size(self) -> int:
        """How many samples there are. Reads a stream to its end."""

    @property
    def streamed(self) -> bool:
        """Whether samples come in one order only, so that a subset is the first ones."""
        return False

    @property
    def shuffled(self) -> bool:
        """Whether a subset is drawn at random: wherever samples can be read in any order."""
        return not self.streamed

    @abstractmethod
    def fetch(self, indices: Indices) -> Any:
        """Return the batch of the samples with these numbers, on the CPU."""

    def available(self, wanted: int) -> int:
        """Return how many of the first ``wanted`` samples there are, reading no further than needed."""
        return min(wanted, self.size)


def choose(data: Data, samples: int | None = None, seed: int = 0) -> NDArray[np.int64]:
    """Return the numbers of the samples to measure: the first of a seeded permutation, or of a stream.

    A larger ``samples`` extends a smaller one. Without ``samples`` all of them, in their own order.

    Parameters
    ----------
    data : Data
    samples : int, optional
        How many; more than there are means all.
    seed : int
        Of the permutation; a stream has none.
    """
    if samples is not None and samples < 1:
        raise ProblemError(f"{data.name}: {samples} samples were asked for, at least 1 is needed")
    if data.streamed:
        return np.arange(data.size if samples is None else data.available(samples), dtype=np.int64)
    if samples is None:
        return np.arange(data.size, dtype=np.int64)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(data.size)
    return order[:samples].astype(np.int64)


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
        self._changes = changes  # one a column: what makes a stored row the one the network sees
        self._size = batch_size_of(self._columns)

    @property
    def size(self) -> int:
        return self._size

    def fetch(self, indices: Indices) -> Any:
        rows = torch.as_tensor(np.asarray(indices, dtype=np.int64))
        batch = map_tensors(lambda column: column.index_select(0, rows), self._columns)
        if self._changes is None:
            return batch
        pairs = zip(batch, self._changes, strict=True)
        return tuple(part if change is None else change(part) for part, change in pairs)


class Indexed(Data):
    """A data set that gives a sample for its number, with the function that makes a batch of samples."""

    def __init__(
        self,
        dataset: Any,
        name: str,
        reference: str = "",
        collate: Callable[[list[Any]], Any] = default_collate,
        subset: Sequence[int] | None = None,
    ) -> None:
        self.name, self.reference = name, reference
        self._dataset, self._collate, self._subset = dataset, collate, subset

    @property
    def size(self) -> int:
        return len(self._dataset) if self._subset is None else len(self._subset)

    def fetch(self, indices: Indices) -> Any:
        numbers = [int(i) for i in indices]
        if self._subset is not None:
            numbers = [int(self._subset[i]) for i in numbers]
        several = getattr(self._dataset, "__getitems__", None)
        samples = several(numbers) if several else [self._dataset[i] for i in numbers]
        return self._collate(samples)


class Stream(Data):
    """Samples in the order they come, each read once and kept. ``source`` gives batches."""

    def __init__(self, source: Iterable[Any], name: str, reference: str = "") -> None:
        self.name, self.reference = name, reference
        self._source: Iterator[Any] | None = None
        self._iterable = source
        self._batches: list[Any] = []
        self._ends: list[int] = []  # number of samples up to and with each batch
        self._exhausted = False

    @property
    def streamed(self) -> bool:
        return True

    @property
    def size(self) -> int:
        self._read(None)
        return self._ends[-1] if self._ends else 0

    def available(self, wanted: int) -> int:
        self._read(wanted)
        return min(wanted, self._ends[-1] if self._ends else 0)

    def fetch(self, indices: Indices) -> Any:
        numbers = np.asarray(indices, dtype=np.int64)
        if numbers.size and self.available(int(numbers.max()) + 1) <= int(numbers.max()):
            raise ProblemError(f"{self.name}: there is no sample {int(numbers.max())}, the data end at {self.size}")
        parts = []
        # Runs of consecutive numbers inside one batch are slices of it.
        start = 0
        while start < len(numbers):
            which = int(np.searchsorted(self._ends, numbers[start], side="right"))
            before = self._ends[which - 1] if which else 0
            stop = start + 1
            while stop < len(numbers) and numbers[stop] == numbers[stop - 1] + 1 and numbers[stop] < self._ends[which]:
                stop += 1
            low = int(numbers[start]) - before
            parts.append(slice_batch(self._batches[which], low, low + stop - start))
            start = stop
        return concatenate(parts)

    def _read(self, wanted: int | None) -> None:
        while not self._exhausted and (wanted is None or not self._ends or self._ends[-1] < wanted):
            if self._source is None:
                self._source = iter(self._iterable)
            try:
                batch = next(self._source)
            except StopIteration:
                self._exhausted = True
                self._source = None
                break
            number = batch_size_of(batch)
            if number:
                self._batches.append(batch)
                self._ends.append(number + (self._ends[-1] if self._ends else 0))


def as_data(source: Any, name: str, reference: str = "") -> Data:
    """Make a ``Data`` of anything samples come from.

    Parameters
    ----------
    source
        A tuple, list or dict of tensors or arrays with one row a sample; a Dataset; a DataLoader, whose data set is
        read by index with its ``collate_fn`` (shuffling, batch order and ``drop_last`` do not apply; the subset of a
        ``SubsetRandomSampler`` does); a sequence of samples or of batches; an iterable or IterableDataset, of which
        the first samples are read, in order.
    name : str
        What it is called in results: letters, digits, ``_``, ``.``, ``-``.
    reference : str
        Where it came from, for the record.

    Raises
    ------
    ProblemError
        It is none of these, or it is empty.
    """
    data = _as_data(source, name, reference)
    if not data.available(1):
        raise ProblemError(f"data set {name!r} holds no samples")
    return data


def _as_data(source: Any, name: str, reference: str) -> Data:
    if isinstance(source, Data):
        return source
    if isinstance(source, DataLoader):
        return _from_loader(source, name, reference)
    if isinstance(source, IterableDataset):
        return Stream(_in_batches(source, default_collate), name, reference)
    if type(source) is TensorDataset:
        return Columns(source.tensors, name, reference)
    if isinstance(source, (Tensor, np.ndarray)) or _are_columns(source):
        return Columns(source, name, reference)
    if isinstance(source, Dataset) or (hasattr(source, "__getitem__") and hasattr(source, "__len__")):
        if isinstance(source, Mapping):
            raise ProblemError(
                f"data set {name!r} is a dict of {describe_batch(source)}; its values have to be tensors or arrays"
            )
        if not isinstance(source, Dataset) and len(source) and _is_batch(source[0]):
            return Stream(source, name, reference)
        return Indexed(source, name, reference)
    if isinstance(source, Iterable):
        return _from_iterable(source, name, reference)
    raise ProblemError(
        f"data set {name!r} is a {type(source).__name__}; a Dataset, a DataLoader, a tuple of tensors "
        "or an iterable of samples is needed"
    )


def _from_loader(loader: DataLoader[Any], name: str, reference: str) -> Data:
    dataset = loader.dataset
    data: Data
    if isinstance(dataset, IterableDataset):
        data = Stream(loader, name, reference)
    elif loader.batch_sampler is None:
        # No automatic batching: a number gives what is a batch already.
        data = Stream((loader.collate_fn(dataset[i]) for i in range(len(dataset))), name, reference)  # type: ignore[arg-type]
    else:
        sampler = loader.sampler
        subset = sorted(sampler.indices) if isinstance(sampler, SubsetRandomSampler) else None
        if type(dataset) is TensorDataset and loader.collate_fn is default_collate and subset is None:
            data = Columns(dataset.tensors, name, reference)
        else:
            data = Indexed(dataset, name, reference, loader.collate_fn, subset)
    data.batch_size = loader.batch_size
    return data


def _from_iterable(source: Iterable[Any], name: str, reference: str) -> Data:
    items = iter(source)
    try:
        first = next(items)
    except StopIteration:
        raise ProblemError(f"data set {name!r} holds no samples") from None
    items = chain([first], items)
    return Stream(items if _is_batch(first) else _in_batches(items, default_collate), name, reference)


def _in_batches(samples: Iterable[Any], collate: Callable[[list[Any]], Any], number: int = 64) -> Iterator[Any]:
    waiting = []
    for sample in samples:
        waiting.append(sample)
        if len(waiting) == number:
            yield collate(waiting)
            waiting = []
    if waiting:
        yield collate(waiting)


def _are_columns(source: Any) -> bool:
    """Whether this is a few tensors with one row a sample, and not a list of samples that are tensors."""
    parts = list(source.values()) if isinstance(source, Mapping) else source
    if not isinstance(parts, (tuple, list)) or not parts:
        return False
    if not all(isinstance(part, (Tensor, np.ndarray)) and part.ndim for part in parts):
        return False
    rows = {part.shape[0] for part in parts}
    alike = len({tuple(part.shape) for part in parts}) == 1
    return isinstance(source, Mapping) or (len(rows) == 1 and not (alike and len(parts) > parts[0].shape[0]))


def _is_batch(item: Any) -> bool:
    """Whether an item of an iterable is a batch: inputs of two or more dimensions, and targets of as many rows."""
    tensors = list(tensors_in(item))
    return (
        len(tensors) > 1
        and all(tensor.ndim for tensor in tensors)
        and any(tensor.ndim > 1 for tensor in tensors)
        and len({tensor.shape[0] for tensor in tensors}) == 1
    )


# A fingerprint covers every sample up to so many bytes, and beyond that samples spread over all of them.
_FINGERPRINT_BYTES = 1 << 28
_FINGERPRINT_CHUNK = 256


def fingerprint(data: Data, indices: Indices) -> str:
    """Return the SHA-256 of the content of samples, the same in every run and on every rank.

    All of them up to 256 MiB; of more, as many as that is, spread evenly from the first to the last.
    """
    numbers = np.asarray(indices, dtype=np.int64)
    total = hashlib.sha256(str(len(numbers)).encode())
    if not len(numbers):
        return total.hexdigest()
    each = sum(int(t.nbytes) for t in tensors_in(data.fetch(numbers[:1])))
    most = max(_FINGERPRINT_BYTES // max(each, 1), _FINGERPRINT_CHUNK)
    if len(numbers) > most:
        numbers = numbers[np.linspace(0, len(numbers) - 1, most).astype(np.int64)]
    for start in range(0, len(numbers), _FINGERPRINT_CHUNK):
        _add_content(total, data.fetch(numbers[start : start + _FINGERPRINT_CHUNK]))
    return total.hexdigest()


def _add_content(total: Any, batch: Any) -> None:
    if isinstance(batch, (Tensor, np.ndarray)):
        tensor = torch.as_tensor(batch).detach().cpu().contiguous()
        total.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        total.update(memoryview(tensor.reshape(-1).view(torch.uint8).numpy()))
    elif isinstance(batch, (tuple, list)):
        for part in batch:
            _add_content(total, part)
    elif isinstance(batch, Mapping):
        for key in sorted(batch, key=str):
            total.update(str(key).encode())
            _add_content(total, batch[key])
    elif isinstance(batch, (str, bytes, int, float, bool)):
        total.update(repr(batch).encode())
    else:
        for tensor in tensors_in(batch):
            _add_content(total, tensor)


def describe_data(data: Data, samples: int) -> dict[str, Any]:
    """Return a data set's entry in ``Surface.problem``: JSON keys reference, size and samples."""
    return {"reference": data.reference, "size": None if data.streamed else data.size, "samples": samples}
