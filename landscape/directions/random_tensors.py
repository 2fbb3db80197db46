"""Random directions drawn when they are needed, chunk by chunk, from nothing but their recipe and the weights.

A random tensor depends on (seed, axis number, parameter name, shape) alone, so it can be drawn as often as one likes
instead of being kept. What is kept in memory and what is drawn anew are the same numbers, bit for bit: the one is the
other written down.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from landscape.directions.filters import Filters
from landscape.directions.normalization import common_factor, orthogonalize, scale, scaled_together, stays
from landscape.problem.chunks import LazyTensors, Rows, chunk_slices, kept_bytes, one_thread
from landscape.problem.params import Tree, drawn_dtype, work_dtype


def random_tensor(seed: int, axis: int, name: str, shape: Sequence[int]) -> Tensor:
    """Draw standard normal numbers that depend on nothing but the arguments.

    Returns
    -------
    Tensor of float64, on the CPU
        NumPy's PCG64 stream, seeded by the SHA-256 of the arguments: torch's own stream differs between processors
        with and without vector units.
    """
    return _draw(_generator(seed, axis, name, shape), shape)


def _generator(seed: int, axis: int, name: str, shape: Sequence[int]) -> np.random.Generator:
    key = hashlib.sha256(f"{seed}/{axis}/{name}/{tuple(shape)}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "little")))


def _draw(generator: np.random.Generator, shape: Sequence[int]) -> Tensor:
    return torch.from_numpy(np.asarray(generator.standard_normal(tuple(shape))))


class RandomTensors(LazyTensors):
    """A random direction, scaled against the weights.

    Parameters
    ----------
    weights : mapping of str to Tensor
        theta*, as it is until `about` says where it is kept.
    filters : mapping of str to Filters
    seed, axis, norm, ignore, keep_zeros
        See `landscape.directions.construct.random_plane`.
    earlier : sequence of RandomTensors
        Directions to be orthogonal to, filter by filter.
    """

    def __init__(
        self,
        weights: Tree,
        filters: Mapping[str, Filters],
        *,
        seed: int,
        axis: int,
        norm: str,
        ignore: str,
        earlier: Sequence[RandomTensors] = (),
        keep_zeros: bool = False,
    ) -> None:
        super().__init__(weights)
        self._filters = filters
        self._seed, self._axis = seed, axis
        self._norm, self._ignore = norm, ignore
        self._earlier = tuple(earlier)
        self._keep_zeros = keep_zeros
        self._factors: dict[str, float] = {}  # where one number scales a tensor, or all of them

    def about(self, weights: Tree) -> RandomTensors:
        """Return the same direction, drawn against copies of theta* that stay where they are."""
        moved = copy.copy(self)
        moved._weights = {name: weights[name].detach() for name in self._weights}
        moved._earlier = tuple(each.about(weights) for each in self._earlier)
        return moved

    def dtype(self, name: str) -> torch.dtype:
        """Return the type in which a tensor is drawn."""
        return drawn_dtype(self._weights[name])

    def chunk_slices(self, name: str) -> list[Rows]:
        """Return where a tensor's chunks lie: each holds filters as a whole."""
        weight = self._weights[name]
        # A chunk has to hold filters as a whole, and those of a transposed layer run through all rows.
        whole = weight.ndim < 2 or not self._filters[name].by_rows
        return [...] if whole else chunk_slices(weight.shape)

    def chunks(self, name: str) -> Iterator[Tensor]:
        """Draw a tensor chunk by chunk, scaled and orthogonal to earlier directions."""
        weight, filters = self._weights[name], self._filters[name]
        if stays(weight, self._ignore):
            for where in self.chunk_slices(name):
                yield torch.zeros_like(weight[where], dtype=self.dtype(name))
            return
        factor = self._factor(name)
        others = [each.chunks(name) for each in self._earlier]
        raw = self._raw(name)
        for where in self.chunk_slices(name):
            with one_thread():
                theta = weight[where]
                chunk = scale(next(raw), theta, filters, norm=self._norm, ignore=self._ignore, factor=factor)
                if others:
                    trees = [{name: next(each)} for each in others]
                    chunk = orthogonalize({name: chunk}, trees, {name: filters})[name]
                chunk = chunk.to(self.dtype(name))
            yield chunk

    def _raw(self, name: str) -> Iterator[Tensor]:
        """Draw standard normal numbers, on the weights' device; of complex ones both parts."""
        weight = self._weights[name]
        generator = _generator(self._seed, self._axis, name, weight.shape)
        for where in self.chunk_slices(name):
            shape = weight[where].shape
            drawn = _draw(generator, (*shape, 2) if weight.is_complex() else shape).to(weight.device)
            drawn = torch.view_as_complex(drawn) if weight.is_complex() else drawn
            yield drawn.masked_fill(weight[where] == 0, 0) if self._keep_zeros else drawn

    def _factor(self, name: str) -> float | None:
        """Return what one number scales the tensor as a whole, where there is one: found once, in a pass of its own."""
        if name not in self._factors:
            group = scaled_together(name, self._weights, norm=self._norm, ignore=self._ignore)
            if not group:
                return None
            pieces = (drawn for each in group for drawn in self._summed(each))
            factor = common_factor(pieces, [self._weights[each] for each in group], norm=self._norm)
            self._factors |= dict.fromkeys(group, factor)
        return self._factors[name]

    def _summed(self, name: str) -> Iterator[Tensor]:
        for drawn in self._raw(name):
            # As stored files have it: "model" sums what has been rounded, the others what was drawn.
            yield drawn.to(work_dtype(self._weights[name])) if self._norm == "model" else drawn


class LazyDifference(LazyTensors):
    """What leads from a network's weights to another's, kept as the other's weights.

    In half precision these take half of what their difference takes, which has to be in float32 so that 1 arrives.
    """

    def __init__(self, weights: Tree, there: Tree) -> None:
        super().__init__(weights)
        self._there = {name: there[name].detach() for name in weights}

    def about(self, weights: Tree) -> LazyDifference:
        """Return the same difference, from copies of theta* that stay where they are."""
        return LazyDifference({name: weights[name] for name in self._weights}, self._there)

    def dtype(self, name: str) -> torch.dtype:
        """Return the type in which a tensor moves."""
        return work_dtype(self._weights[name])

    def chunks(self, name: str) -> Iterator[Tensor]:
        """Take the difference of a tensor chunk by chunk."""
        here, there, dtype = self._weights[name], self._there[name], self.dtype(name)
        for where in self.chunk_slices(name):
            one, other = here[where].to(dtype), there[where].to(here.device, dtype)
            # What is the same does not move, the -inf of a mask too, whose difference to itself is no number.
            yield (other - one).masked_fill_(one == other, 0)

    @property
    def bytes(self) -> int:
        """The memory that the other network's weights take."""
        return kept_bytes(self._there)
