"""Random directions drawn when they are needed, piece by piece, from nothing but their recipe and the weights.

A random tensor depends on (seed, axis number, parameter name, shape) alone, so it can be drawn as often as one likes
instead of being kept. What is kept in memory and what is drawn anew are the same numbers, bit for bit: the one is the
other written down.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from landscape.normalization import orthogonalize, ratio, scale
from landscape.params import Filters, Tree, drawn_dtype, work_dtype
from landscape.pieces import Made, Where, dot, kept_bytes, one_thread, places


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


class Drawn(Made):
    """A random direction, scaled against the weights.

    Parameters
    ----------
    weights : mapping of str to Tensor
        theta*, as it is until `about` says where it is kept.
    filters : mapping of str to Filters
    seed, axis, norm, ignore
        See `landscape.directions.random_plane`.
    earlier : sequence of Drawn
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
        earlier: Sequence[Drawn] = (),
    ) -> None:
        super().__init__(weights)
        self._filters = filters
        self._seed, self._axis = seed, axis
        self._norm, self._ignore = norm, ignore
        self._earlier = tuple(earlier)
        self._factors: dict[str, float] = {}  # where one number scales a tensor, or all of them

    def about(self, weights: Tree) -> Drawn:
        moved = copy.copy(self)
        moved._weights = {name: weights[name].detach() for name in self._weights}
        moved._earlier = tuple(each.about(weights) for each in self._earlier)
        return moved

    def dtype(self, name: str) -> torch.dtype:
        return drawn_dtype(self._weights[name])

    def places(self, name: str) -> list[Where]:
        weight = self._weights[name]
        # A piece has to hold filters as a whole, and those of a transposed layer run through all rows.
        whole = weight.ndim < 2 or self._filters[name].transposed
        return [...] if whole else places(weight.shape)

    def pieces(self, name: str) -> Iterator[Tensor]:
        weight, filters = self._weights[name], self._filters[name]
        if self._stays(weight):
            for where in self.places(name):
                yield torch.zeros_like(weight[where], dtype=self.dtype(name))
            return
        factor = self._factor(name)
        others = [each.pieces(name) for each in self._earlier]
        raw = self._raw(name)
        for where in self.places(name):
            with one_thread():
                theta = weight[where]
                piece = scale(next(raw), theta, filters, norm=self._norm, ignore=self._ignore, factor=factor)
                if others:
                    trees = [{name: next(each)} for each in others]
                    piece = orthogonalize({name: piece}, trees, {name: filters})[name]
                piece = piece.to(self.dtype(name))
            yield piece

    def _stays(self, weight: Tensor) -> bool:
        return weight.ndim < 2 and self._ignore == "biasbn"

    def _raw(self, name: str) -> Iterator[Tensor]:
        """Draw standard normal numbers, on the weights' device."""
        weight = self._weights[name]
        generator = _generator(self._seed, self._axis, name, weight.shape)
        for where in self.places(name):
            yield _draw(generator, weight[where].shape).to(weight.device)

    def _factor(self, name: str) -> float | None:
        """Return what one number scales the tensor as a whole, where there is one: found once, in a pass of its own."""
        if self._norm == "model":
            if "" not in self._factors:
                moved = [each for each, weight in self._weights.items() if not self._stays(weight)]
                work = (drawn.to(work_dtype(self._weights[each])) for each in moved for drawn in self._raw(each))
                got = math.sqrt(sum(dot(drawn, drawn) for drawn in work))
                wanted = math.sqrt(sum(dot(self._weights[each], self._weights[each]) for each in moved))
                self._factors[""] = ratio(wanted, got)
            return self._factors[""]
        if self._norm not in ("layer", "dlayer") or (self._weights[name].ndim < 2 and self._norm == "layer"):
            return None
        if name not in self._factors:
            got = math.sqrt(sum(dot(drawn, drawn) for drawn in self._raw(name)))
            wanted = 1.0 if self._norm == "dlayer" else math.sqrt(dot(self._weights[name], self._weights[name]))
            self._factors[name] = ratio(wanted, got)
        return self._factors[name]


class Difference(Made):
    """What leads from a network's weights to another's, kept as the other's weights.

    In half precision these take half of what their difference takes, which has to be in float32 so that 1 arrives.
    """

    def __init__(self, weights: Tree, there: Tree) -> None:
        super().__init__(weights)
        self._there = {name: there[name].detach() for name in weights}

    def about(self, weights: Tree) -> Difference:
        return Difference({name: weights[name] for name in self._weights}, self._there)

    def dtype(self, name: str) -> torch.dtype:
        return work_dtype(self._weights[name])

    def pieces(self, name: str) -> Iterator[Tensor]:
        here, there, dtype = self._weights[name], self._there[name], self.dtype(name)
        for where in self.places(name):
            yield there[where].to(here.device, dtype) - here[where].to(dtype)

    @property
    def bytes(self) -> int:
        return kept_bytes(self._there)
