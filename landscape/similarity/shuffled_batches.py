"""Which samples make which batch: the same for all networks, and in another order in each pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.errors import EvaluationError, ProblemError, UsageError
from landscape.problem.batches import tensors_in, to_device
from landscape.problem.data.datasets import as_data, choose, fingerprint
from landscape.problem.data.samples import Data
from landscape.problem.named_data import DEFAULT_NAME, named_data
from landscape.problem.tensor_layouts import sides_of, stored_in
from landscape.similarity.hsic import LEAST_BATCH
from landscape.surface.grid import Floats

Numbers = NDArray[np.int64]


class Samples:
    """The samples that are compared on, and their batches.

    Parameters
    ----------
    data : Data
    samples : int, optional
        The first so many of the permutation that ``seed`` gives; all of them by default.
    seed : int
    batch_size : int
        Samples of a batch at most; batches are as alike in size as they can be, so that none is a small rest.
    least : int
        Samples of a batch at least.
    """

    def __init__(
        self, data: Data, samples: int | None, seed: int, batch_size: int, *, least: int = LEAST_BATCH
    ) -> None:
        if batch_size < least:
            raise UsageError(f"the batch size is {batch_size}, the unbiased estimate needs {least} samples at least")
        self.data, self.seed = data, seed
        self.order: Numbers = choose(data, samples, seed)
        if len(self.order) < least:
            raise UsageError(
                f"there are too few samples of {data.name!r} ({len(self.order)}): the unbiased estimate needs "
                f"{least} at least"
            )
        self.batch_size, self._least = batch_size, least
        self._places = np.arange(len(self.order))

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self._places)

    def leaving_out(self, numbers: Numbers) -> Samples:
        """Return the same samples without some of the data set's."""
        fewer = Samples(self.data, 1, 0, self.batch_size, least=1)
        fewer.seed, fewer.order, fewer._least = self.seed, self.order, self._least
        fewer._places = np.flatnonzero(~np.isin(self.order, numbers))
        return fewer

    @property
    def batches(self) -> int:
        """How many batches a pass has."""
        number = -(-len(self) // self.batch_size)
        return number if len(self) // number >= self._least else max(len(self) // self._least, 1)

    @property
    def shares(self) -> Floats:
        """Which part of the samples each batch has, shape (batches,)."""
        return np.array([len(each) for each in np.array_split(self._places, self.batches)]) / len(self)

    def places(self, number: int) -> list[Numbers]:
        """Return each batch of a pass as places in `order`; passes differ, and are the same whenever they are asked."""
        shuffled = np.random.Generator(np.random.PCG64([self.seed, number + 1])).permutation(self._places)
        return np.array_split(shuffled, self.batches)

    def fetch(self, places: Numbers, device: torch.device) -> Any:
        """Return the samples at some places on a device."""
        return to_device(self.data.fetch(self.order[places]), device)

    def in_order(self, device: torch.device) -> Any:
        """Yield all samples in their order, in batches."""
        for places in np.array_split(self._places, self.batches):
            yield self.fetch(places, device)

    def require_same(self) -> None:
        """Raise EvaluationError where the data give other samples when they are read again."""
        few = self._places[: min(len(self), 32)]
        first, again = (list(tensors_in(self.data.fetch(self.order[few]))) for _ in range(2))
        same = len(first) == len(again) and all(
            _equal(torch.as_tensor(one), torch.as_tensor(other)) for one, other in zip(first, again, strict=True)
        )
        if not same:
            raise EvaluationError(
                f"data set {self.data.name!r} gives other samples each time it is read, so networks would be compared "
                "on different ones: take random augmentation out of it"
            )


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same, in any layout; NaN is what NaN was."""
    if sides_of(one) != sides_of(other) or (one.dtype, one.layout) != (other.dtype, other.layout):
        return False
    stored, again = stored_in(one), stored_in(other)
    if [each.shape for each in stored] != [each.shape for each in again]:
        return False
    return all(bool(((a == b) | ((a != a) & (b != b))).all()) for a, b in zip(stored, again, strict=True))


def one_data_set(data: Any, networks: Mapping[str, nn.Module], samples: int | None, seed: int) -> tuple[str, Data]:
    """Return the one data set that all networks are measured on, and its name.

    Parameters
    ----------
    data
        As `landscape.evaluate` takes it; or a mapping of each network's name to its data, which have to be the same
        samples in the same order: preprocessing is part of a sample, and belongs into the network where it differs.

    Raises
    ------
    UsageError
        There are several.
    ProblemError
        Networks would be measured on different samples.
    """
    if isinstance(data, Mapping) and len(data) > 1 and set(data) == set(networks):
        own = {name: as_data(each, DEFAULT_NAME) for name, each in data.items()}
        prints = {name: fingerprint(each, choose(each, samples, seed)) for name, each in own.items()}
        first = next(iter(prints))
        for name, each in prints.items():
            if each != prints[first]:
                raise ProblemError(
                    f"networks {first} and {name} would be compared on different samples, or in another order: give "
                    "the same data for all of them"
                )
        return DEFAULT_NAME, next(iter(own.values()))
    sets = named_data(data)
    if len(sets) > 1:
        raise UsageError(f"networks are compared on one data set at a time, there are {', '.join(sets)}")
    return next(iter(sets.items()))


def device_of(model: nn.Module) -> torch.device:
    """Return where a network is."""
    tensor: Tensor | None = next((each for each in (*model.parameters(), *model.buffers())), None)
    return torch.device("cpu") if tensor is None else tensor.device
