"""Data sets of every kind behind one interface, so that every point of a surface sees the same samples.

``as_data`` makes a ``Data`` of tensors, a Dataset, a DataLoader, a sequence or an iterable. What can be indexed is
read by index, without shuffling; what cannot is read once, in order, and kept.
"""

from __future__ import annotations

import hashlib
import logging
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    default_collate,
)

from landscape.errors import ProblemError, UsageError
from landscape.problem.batches import batch_bytes, describe_batch, tensors_in
from landscape.problem.data.samples import Collate as Collate
from landscape.problem.data.samples import Columns as Columns
from landscape.problem.data.samples import Data as Data
from landscape.problem.data.samples import Indexed as Indexed
from landscape.problem.data.samples import Indices as Indices
from landscape.problem.data.samples import Normalize as Normalize
from landscape.problem.data.samples import Stream as Stream
from landscape.problem.data.samples import collate_samples
from landscape.problem.references import failure
from landscape.problem.tensor_layouts import is_sparse, rows_in, sides_of

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_.-]+")

# Samples of an iterable that are made one batch.
_STREAM_BATCH = 64


def as_data(source: Any, name: str, reference: str = "") -> Data:
    """Make a ``Data`` of anything samples come from.

    Parameters
    ----------
    source
        One of

        * a tuple, list or dict of tensors or arrays with one row a sample, also ``((x1, x2), y)``;
        * a Dataset with an index, or a sequence of samples;
        * a DataLoader: its data set is read by index with its ``collate_fn`` and workers. Shuffling, the order of
          batches and ``drop_last`` do not apply, the subset of a ``SubsetRandomSampler`` does; a ``batch_sampler`` of
          one's own makes the batches for a loss (model, batch), see `landscape.problem.named_data.in_units_of`;
        * an iterable or IterableDataset of samples or of batches, or a loader over one: the first are read, in order.

        An item of a plain sequence or iterable counts as a batch where its tensors have as many rows each, and one
        of them two or more dimensions; put samples like that into a Dataset.
    name : str
        What it is called in results: letters, digits, ``_``, ``.`` and ``-``.
    reference : str
        Where it came from, for the record.

    Raises
    ------
    UsageError
        The name is not possible.
    ProblemError
        It is none of these, or it is empty.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"a data set cannot be called {name!r}: letters, digits, '_', '.' and '-' are possible")
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
        return Stream(_in_batches(source, collate_samples), name, reference)
    if type(source) is TensorDataset:
        return Columns(source.tensors, name, reference)
    columns = _columns_of(source, name)
    if columns is not None:
        return Columns(columns, name, reference)
    indexed = hasattr(source, "__getitem__") and hasattr(source, "__len__")
    if isinstance(source, Dataset) or (indexed and not isinstance(source, (str, bytes, Mapping))):
        if not isinstance(source, Dataset) and len(source) > 0 and _is_batch(next(iter(source))):
            return _from_iterable(source, name, reference)
        return Indexed(source, name, reference)
    if isinstance(source, Iterable) and not isinstance(source, (str, bytes, Mapping)):
        return _from_iterable(source, name, reference)
    raise ProblemError(f"data set {name!r} is {describe_batch(source)}; {_WANTED}")


_WANTED = "a Dataset, a DataLoader, a tuple of tensors or an iterable of samples is needed"


def _from_loader(loader: DataLoader[Any], name: str, reference: str) -> Data:
    dataset: Any = loader.dataset
    data: Data
    if isinstance(dataset, IterableDataset):
        own = loader.batch_size is not None
        data = Stream(loader if own else _in_batches(loader, collate_samples), name, reference, own=own)
    elif loader.batch_sampler is None:
        # Without automatic batching what the sampler draws, a number or a list of them, gives what is a batch already.
        drawn = _drawn(loader.sampler, name, "sampler", lambda each: each)
        batches = (loader.collate_fn(dataset[each]) for each in drawn)
        data = Stream(batches, name, reference, own=True)
    else:
        sampler = loader.sampler
        subset = sorted(sampler.indices) if isinstance(sampler, SubsetRandomSampler) else None
        plan = None if type(loader.batch_sampler) is BatchSampler else _plan_of(loader.batch_sampler, name)
        whole = isinstance(sampler, SequentialSampler) or (isinstance(sampler, RandomSampler) and _draws_all(sampler))
        if plan is None and subset is None and not whole:
            log.warning("data set %r: every sample is read once, whatever %s chooses", name, type(sampler).__name__)
        if type(dataset) is TensorDataset and loader.collate_fn is default_collate and subset is None:
            data = Columns(dataset.tensors, name, reference)
        else:
            workers = _worker_options(loader)
            data = Indexed(dataset, name, reference, collate=loader.collate_fn, subset=subset, workers=workers)
        data.plan = plan
    data.batch_size = loader.batch_size
    return data


def _draws_all(sampler: RandomSampler) -> bool:
    """Return whether a sampler gives every sample once, in some order."""
    return not sampler.replacement and sampler.num_samples == len(sampler.data_source)


# More batches than any data set has; a sampler without an end gives no more.
_MOST_BATCHES = 1_000_000


def _plan_of(sampler: Iterable[Sequence[int]], name: str) -> list[list[int]]:
    """Return the batches of a user's own sampler, which may draw them: the same in every run and on every rank."""
    drawn = _drawn(sampler, name, "batch_sampler", lambda batch: [int(number) for number in batch])
    plan = [batch for batch in drawn if batch]
    if not plan:
        raise ProblemError(f"data set {name!r}: its batch_sampler gives no batches")
    return plan


def _drawn(sampler: Iterable[Any], name: str, kind: str, draw: Callable[[Any], Any]) -> list[Any]:
    """Return what a sampler draws, and use none of the user's random numbers."""
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002 - samplers draw from it
    # A generator of the sampler's own, or of one that it takes its numbers from.
    own = [getattr(each, "generator", None) for each in (sampler, getattr(sampler, "sampler", None))]
    owned = [(each, each.get_state()) for each in own if isinstance(each, torch.Generator)]
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002
            draws = islice(iter(sampler), len(sampler) if isinstance(sampler, Sized) else _MOST_BATCHES)
            return [draw(each) for each in draws]
    except Exception as error:
        raise ProblemError(f"data set {name!r}: its {kind} failed: {failure(error)}") from error
    finally:
        for each, state in owned:
            each.set_state(state)
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002


def _worker_options(loader: DataLoader[Any]) -> dict[str, Any] | None:
    names = ("num_workers", "worker_init_fn", "multiprocessing_context", "prefetch_factor", "timeout")
    return {name: getattr(loader, name) for name in names} if loader.num_workers else None


def _from_iterable(source: Iterable[Any], name: str, reference: str) -> Data:
    items = iter(source)
    try:
        first = next(items)
    except StopIteration:
        raise ProblemError(f"data set {name!r} holds no samples") from None
    batched = _is_batch(first)
    log.info("data set %r: its items are taken for %s", name, "batches" if batched else "samples")
    items = chain([first], items)
    return Stream(items if batched else _in_batches(items, collate_samples), name, reference, own=batched)


def _in_batches(samples: Iterable[Any], collate: Collate) -> Iterator[Any]:
    waiting: list[Any] = []
    for sample in samples:
        waiting.append(sample)
        if len(waiting) == _STREAM_BATCH:
            yield collate(waiting)
            waiting = []
    if waiting:
        yield collate(waiting)


def _columns_of(source: Any, name: str) -> Any:
    """Return tensors with one row a sample, where that is what ``source`` is, else None."""
    if isinstance(source, (Tensor, np.ndarray)):
        return source if source.ndim else None
    if not isinstance(source, (tuple, list, Mapping)) or not source:
        return None
    parts = list(source.values()) if isinstance(source, Mapping) else list(source)
    pair = len(parts) == 2 and isinstance(parts[1], (Tensor, np.ndarray))
    if not isinstance(source, Mapping) and isinstance(parts[0], (tuple, list, Mapping)) and not pair:
        return None  # samples, each of several parts
    if any(isinstance(part, list) and not any(True for _ in tensors_in(part)) for part in parts):
        source = _with_arrays(source)
        parts = list(source.values()) if isinstance(source, Mapping) else list(source)
    tensors = list(tensors_in(source))
    if not tensors or any(not tensor.ndim for tensor in tensors):
        return None
    other = [part for part in parts if not any(True for _ in tensors_in(part))]
    if other:
        raise ProblemError(f"data set {name!r} is {describe_batch(source)}: {describe_batch(other[0])} is no tensor")
    rows = [rows_in(tensor) for tensor in tensors]
    alike = len({sides_of(tensor) for tensor in tensors}) == 1
    if isinstance(source, list) and (len(set(rows)) > 1 or (alike and len(rows) > rows[0])):
        return None  # more tensors than rows, or of several lengths: each is a sample
    if len(set(rows)) > 1:
        raise ProblemError(
            f"data set {name!r} is {describe_batch(source)}: its tensors need one row a sample each, as many in all"
        )
    return source


def _with_arrays(source: Any) -> Any:
    def array(part: Any) -> Any:
        if not isinstance(part, list):
            return part
        try:
            numbers = np.asarray(part)
        except ValueError:  # rows of several lengths
            return part
        return numbers if numbers.dtype.kind in "biuf" else part

    return (
        {key: array(part) for key, part in source.items()}
        if isinstance(source, Mapping)
        else type(source)([array(part) for part in source])
    )


def _is_batch(item: Any) -> bool:
    tensors = list(tensors_in(item))
    return (
        len(tensors) > 1
        and all(tensor.ndim for tensor in tensors)
        and any(tensor.ndim > 1 for tensor in tensors)
        and len({rows_in(tensor) for tensor in tensors}) == 1
    )


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
    if not 0 <= seed <= 2**53:  # as a file's JSON holds exactly
        raise UsageError(f"the seed of the samples is {seed}, it has to be from 0 to 2^53")
    if samples is not None and samples < 1:
        raise UsageError(f"{samples} samples of {data.name!r} were asked for, at least 1 is needed")
    if data.streamed:
        return np.arange(data.size if samples is None else data.available(samples), dtype=np.int64)
    if samples is None:
        return np.arange(data.size, dtype=np.int64)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(data.size)
    return order[:samples].astype(np.int64)


# A fingerprint covers every sample up to so many bytes, and beyond that samples spread over all of them.
_FINGERPRINT_BYTES = 1 << 28
_FINGERPRINT_CHUNK = 256


def fingerprint(data: Data, indices: Indices) -> str:
    """Return the SHA-256 of the content of samples, the same in every run and on every rank.

    All of them up to 256 MiB; of more, as many as that is, spread evenly from the first to the last.
    """
    numbers = np.asarray(indices, dtype=np.int64)
    total = hashlib.sha256(f"{len(numbers)}\0".encode())
    if numbers.size:
        each = batch_bytes(data.fetch(numbers[:1]))
        most = max(_FINGERPRINT_BYTES // max(each, 1), _FINGERPRINT_CHUNK)
        if len(numbers) > most:
            numbers = numbers[np.linspace(0, len(numbers) - 1, most).astype(np.int64)]
        for batch in data.batches(numbers, _FINGERPRINT_CHUNK):
            _add_content(total, batch)
    return total.hexdigest()


def _add_content(total: Any, part: Any, depth: int = 6) -> None:
    if isinstance(part, (Tensor, np.ndarray)):
        tensor = torch.as_tensor(part).detach().cpu()
        if tensor.is_nested:
            total.update(f"nested{tensor.size(0)}\0".encode())
            _add_content(total, tensor.unbind(), depth)
            return
        if is_sparse(tensor) and tensor.numel() * tensor.element_size() > _FINGERPRINT_BYTES:
            # By what is stored: the matrix of a large graph does not fit into memory.
            tensor = (tensor if tensor.layout == torch.sparse_coo else tensor.to_sparse()).coalesce()
            total.update(f"sparse{tuple(tensor.shape)}\0".encode())
            _add_content(total, (tensor.indices(), tensor.values()), depth)
            return
        # Smaller ones as what they stand for.
        tensor = (tensor.to_dense() if is_sparse(tensor) else tensor).contiguous()
        total.update(f"{tensor.dtype}{tuple(tensor.shape)}\0".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    elif isinstance(part, (str, bytes, int, float, bool)) or part is None:
        total.update(f"{part!r}\0".encode())
    elif isinstance(part, Mapping):
        for key in sorted(part, key=str):
            total.update(f"{key}\0".encode())
            _add_content(total, part[key], depth)
    elif isinstance(part, Iterable) and not hasattr(part, "__dict__"):
        for each in part:
            _add_content(total, each, depth)
    elif depth and hasattr(part, "__dict__"):  # a dataclass, or an object of a user's own
        _add_content(total, vars(part), depth - 1)


def describe_data(data: Data, samples: int) -> dict[str, Any]:
    """Return a data set's entry in ``Surface.problem``: JSON keys reference, size and samples.

    The size of a stream is not known without reading it to its end, so it is null. Where whole batches are counted
    there is a key unit, "batch".
    """
    unit = {} if data.unit == "sample" else {"unit": data.unit}
    return {"reference": data.reference, "size": None if data.streamed else data.size, "samples": samples, **unit}
