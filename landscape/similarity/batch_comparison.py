"""All pairs of layers of all networks on one batch: HSIC, and the Procrustes distance."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.similarity.grams import Grams, Reference, Tap
from landscape.similarity.hsic import all_pairs
from landscape.similarity.procrustes import distances, gram_factor
from landscape.similarity.shuffled_batches import Samples, device_of
from landscape.surface.grid import Floats

# HSIC of all pairs, and of each layer that is not finite the number of the first such sample.
Hsic = tuple[Floats, dict[int, int]]


class BatchComparison:
    """Compares the layers of several networks on one batch.

    Parameters
    ----------
    models : sequence of Module
        In eval mode, on their devices.
    taps : sequence of Tap
        One a network.
    references : sequence of sequence of Reference
        Of each network's layers.
    kernel : {"linear", "rbf"}
    on_disk : bool
        Whether Gram matrices are put into a temporary file.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        taps: Sequence[Tap],
        references: Sequence[list[Reference]],
        kernel: str,
        *,
        on_disk: bool,
    ) -> None:
        self._models, self._taps, self._references, self._kernel = models, taps, references, kernel
        self._rows = sum(map(len, references))
        self.on_disk = on_disk

    def hsic(self, samples: Samples, places: NDArray[np.int64], scores: NDArray[np.float32] | None) -> Hsic:
        """Return HSIC of all pairs on one batch, and of each layer that is not finite the first such sample."""
        size = len(places) * (len(places) - 1) // 2
        failures: dict[int, int] = {}
        with tempfile.TemporaryFile() as file:
            if self.on_disk:
                vectors = torch.from_numpy(np.memmap(file, np.float64, "w+", shape=(self._rows, size)))
            else:
                vectors = torch.zeros(self._rows, size, dtype=torch.float64)
            start = 0
            for model, tap, known in zip(self._models, self._taps, self._references, strict=True):
                device = device_of(model)

                def put(row: int, vector: Tensor, start: int = start) -> None:
                    vectors[start + row] = vector

                def failed(row: int, sample: int, start: int = start) -> None:
                    vectors[start + row] = torch.nan
                    failures[start + row] = int(samples.order[places[sample]])

                without = None
                if scores is not None:
                    rows = range(len(known))
                    without = {row: torch.from_numpy(scores[start + row, places]).to(device) for row in rows}
                Grams(tap, known, self._kernel).vectors(samples.fetch(places, device), put, failed, without)
                start += len(known)
            return all_pairs(vectors), failures

    def distances(self, samples: Samples, places: NDArray[np.int64]) -> Floats:
        """Return the Procrustes distance of all pairs on one batch."""
        factors: list[Tensor | None] = [None] * self._rows
        start = 0
        for model, tap, known in zip(self._models, self._taps, self._references, strict=True):

            def take(row: int, features: Tensor, start: int = start, known: list[Reference] = known) -> None:
                factor = gram_factor(features * known[row].scale)
                factors[start + row] = None if factor is None else factor.cpu()

            tap.run(samples.fetch(places, device_of(model)), take)
            start += len(known)
        return distances(factors)
