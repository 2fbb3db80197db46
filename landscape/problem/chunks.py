"""Tensors by name, chunk by chunk, so that no sum and no copy needs the memory of a large tensor once more.

A chunk is a run of rows along dimension 0. Trees that hold their tensors are cut up as they are; a `LazyTensors` tree
has no tensors at all, but makes each chunk when it is asked for.
"""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import EllipsisType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Tree = Mapping[str, Tensor]
Rows = slice | EllipsisType  # along dimension 0; ... is the whole tensor

# Numbers in a chunk: 2 MiB in float64, so that a handful of working copies stay in a processor's cache and are nothing
# beside a network that fills a machine.
CHUNK = 1 << 18
# Where threads share the work, a chunk has to be worth their meeting: 4 MiB in float32.
LARGE_CHUNK = 1 << 20


def chunk_slices(shape: Sequence[int], most: int | None = None) -> list[Rows]:
    """Return where the chunks of a tensor lie: runs of rows of at most ``most`` (`CHUNK`) numbers, but whole rows.

    Examples
    --------
    >>> chunk_slices((3, 200_000))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    most = CHUNK if most is None else most
    if math.prod(shape) <= most:
        return [...]
    rows = max(most // math.prod(shape[1:]), 1)
    return [slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows)]


class LazyTensors(Mapping[str, Tensor], ABC):
    """A tree whose tensors are made when they are asked for, each time anew and each time the same.

    Parameters
    ----------
    weights : mapping of str to Tensor
        theta*: the tensors that it is shaped and named like.
    """

    def __init__(self, weights: Tree) -> None:
        self._weights = {name: tensor.detach() for name, tensor in weights.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __getitem__(self, name: str) -> Tensor:
        weight = self._weights[name]
        whole = torch.empty(weight.shape, dtype=self.dtype(name), device=weight.device)
        with one_thread():
            for where, chunk in zip(self.chunk_slices(name), self.chunks(name), strict=True):
                whole[where] = chunk
        return whole

    def shape(self, name: str) -> torch.Size:
        """Return the shape of a tensor, which need not be made for it."""
        return self._weights[name].shape

    def chunk_slices(self, name: str) -> list[Rows]:
        """Return where a tensor's chunks lie."""
        return chunk_slices(self.shape(name))

    @property
    def bytes(self) -> int:
        """Memory that is kept for it, beside theta*."""
        return 0

    @abstractmethod
    def dtype(self, name: str) -> torch.dtype:
        """Return the type of a tensor."""

    @abstractmethod
    def chunks(self, name: str) -> Iterator[Tensor]:
        """Make a tensor chunk by chunk, in the order of `chunk_slices`."""

    @abstractmethod
    def about(self, weights: Tree) -> LazyTensors:
        """Return the same tree, made from copies of theta* that stay where they are while the network moves."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: chunks are small, and on a busy machine each meeting of threads costs milliseconds."""
    number = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(number)


def zip_chunks(trees: Sequence[Tree], name: str, most: int | None = None) -> Iterator[tuple[Tensor, ...]]:
    """Yield the chunks of the tensors that several trees have under a name, side by side, of at most ``most`` numbers.

    They are cut alike whether trees hold their tensors or make them: a sum of other chunks is rounded otherwise. Those
    of a tree that holds its tensors are views.
    """
    where = common_slices(trees, name)
    for made in zip(*(_chunks(tree, name, where) for tree in trees), strict=True):
        for part in chunk_slices(made[0].shape, most):
            yield tuple(each[part] for each in made)


def common_slices(trees: Sequence[Tree], name: str) -> list[Rows]:
    """Return the chunks, the same for all, in which trees make the tensor of a name; whole if none makes any."""
    own = [tree.chunk_slices(name) for tree in trees if isinstance(tree, LazyTensors)]
    return own[0] if own and all(each == own[0] for each in own) else [...]


def _chunks(tree: Tree, name: str, where: Sequence[Rows]) -> Iterator[Tensor]:
    if isinstance(tree, LazyTensors) and tree.chunk_slices(name) == where:
        return tree.chunks(name)
    tensor = tree[name].detach()
    return (tensor[each] for each in where)


def kept_bytes(tree: Tree) -> int:
    """Return the memory that a tree holds."""
    return tree.bytes if isinstance(tree, LazyTensors) else sum(t.numel() * t.element_size() for t in tree.values())


def real_numbers(tensor: Tensor) -> Tensor:
    """Return a tensor's numbers, of complex ones real and imaginary parts along one more dimension: a view."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


@one_thread()
def dot(first: Tensor, second: Tensor) -> float:
    """Return the inner product of two tensors of a shape, summed in float64; of complex ones its real part."""
    a, b = (real_numbers(each).detach().reshape(-1) for each in (first, second))
    total = 0.0
    for start in range(0, a.numel(), CHUNK):
        total += float(torch.dot(a[start : start + CHUNK].double(), b[start : start + CHUNK].double()))
    return total


def inner_products(trees: Sequence[Tree], names: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Return the inner products of trees of the same names and shapes with each other, (trees, trees), in one pass."""
    gram = np.zeros((len(trees), len(trees)))
    with one_thread():
        for name in trees[0] if names is None else names:
            for chunks in zip_chunks(trees, name):
                _add_products(gram, chunks)
    return gram + np.tril(gram, -1).T


def _add_products(gram: NDArray[np.float64], chunks: Sequence[Tensor]) -> None:
    """Add the inner products of chunks to the lower triangle."""
    for i, chunk in enumerate(chunks):
        for j in range(i + 1):
            gram[i, j] += dot(chunk, chunks[j])


@one_thread()
def survey(trees: Sequence[Tree], dtype: torch.dtype) -> tuple[NDArray[np.float64], list[str], list[str | None]]:
    """Look at each chunk of some trees once.

    Returns
    -------
    gram : array of shape (trees, trees)
        Inner products, summed in float64.
    digests : list of str
        The SHA-256 of each tree, as `landscape.problem.params.digest` has it, of its values rounded to ``dtype``.
    spoilt : list of str or None
        A tensor of each tree that holds values that are not finite.
    """
    gram = np.zeros((len(trees), len(trees)))
    totals = [hashlib.sha256() for _ in trees]
    spoilt: list[str | None] = [None] * len(trees)
    for name in sorted(trees[0]):
        first = trees[0]
        shape = first.shape(name) if isinstance(first, LazyTensors) else first[name].shape
        for total in totals:
            total.update(digest_header(name, dtype, shape))
        for chunks in zip_chunks(trees, name):
            _add_products(gram, chunks)
            for number, chunk in enumerate(chunks):
                for part in bytes_of(real_numbers(chunk).to(dtype)):
                    totals[number].update(part)
                if not bool(torch.isfinite(chunk).all()):
                    spoilt[number] = name
    return gram + np.tril(gram, -1).T, [total.hexdigest() for total in totals], spoilt


def digest_header(name: str, dtype: torch.dtype, shape: torch.Size) -> bytes:
    """Return what stands before a tensor's bytes in a digest."""
    return f"{name}\0{dtype}\0{tuple(shape)}\0".encode()


def bytes_of(tensor: Tensor) -> Iterator[memoryview]:
    """Yield the bytes of a tensor, in the order of its numbers."""
    for where in chunk_slices(tensor.shape):
        part = real_numbers(tensor[where]).detach().reshape(-1).cpu().contiguous()
        yield part.view(torch.uint8).numpy().data
