"""All pairs of layers of all networks on one batch: HSIC, and the Procrustes distance."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landscape.similarity.gram_file import GramFile
from landscape.similarity.grams import UNEVEN, Grams, Reference, Tap
from landscape.similarity.hsic import all_pairs
from landscape.similarity.procrustes import distances, gram_factor
from landscape.similarity.shuffled_batches import Samples, device_of
from landscape.surface.grid import Floats

# HSIC of all pairs, and of each layer that is not finite the number of the first such sample.
Hsic = tuple[Floats, dict[int, int]]

# Of a file of Gram matrices so many bytes are read at once, and so many columns at least.
_READ, _LEAST_COLUMNS = 64 << 20, 512


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
        Whether Gram matrices are put into a file.
    scratch : str, optional
        What the names of these files begin with; temporary ones where there is none.
    identity : str
        Of networks, samples and settings.
    """

    def __init__(
        self,
        models: Sequence[nn.Module],
        taps: Sequence[Tap],
        references: Sequence[list[Reference]],
        kernel: str,
        *,
        on_disk: bool,
        scratch: str | None = None,
        identity: str = "",
    ) -> None:
        self._models, self._taps, self._references, self._kernel = models, taps, references, kernel
        self._rows = sum(map(len, references))
        self.on_disk, self._scratch, self._identity = on_disk, scratch, identity
        self._last: str | None = None

    def hsic(
        self, samples: Samples, places: NDArray[np.int64], scores: NDArray[np.float32] | None, label: str = ""
    ) -> Hsic:
        """Return HSIC of all pairs on one batch, and of each layer that is not finite the first such sample.

        ``label`` is what a file of its Gram matrices is called, another one for each batch.
        """
        size = len(places) * (len(places) - 1) // 2
        if not self.on_disk:
            vectors = torch.zeros(self._rows, size, dtype=torch.float64)
            failures: dict[int, int] = {}
            for number, rows in enumerate(self._parts()):

                def spoil(row: int, sample: int) -> None:
                    vectors[row] = torch.nan
                    failures[row] = sample

                self._measure(number, rows.start, samples, places, scores, vectors, spoil)
            return all_pairs(vectors), failures
        self.forget()
        path = f"{self._scratch}.{label}" if self._scratch is not None and label else None
        file = GramFile(path, self._identity, self._rows, size)
        self._last = path
        try:
            vectors = torch.from_numpy(file.vectors)
            for number, rows in enumerate(self._parts()):
                if not file.has(rows):
                    self._measure(number, rows.start, samples, places, scores, vectors, file.failed)
                    file.finish(rows)
            return all_pairs(vectors, max(_LEAST_COLUMNS, _READ // (8 * self._rows))), file.failures()
        finally:
            file.close()

    def forget(self) -> None:
        """Remove the file of the last batch, which is counted once the next one is asked for."""
        if self._last is not None and os.path.exists(self._last):
            os.unlink(self._last)
        self._last = None

    def _parts(self) -> list[slice]:
        ends = np.cumsum([len(known) for known in self._references]).tolist()
        return [slice(end - len(known), end) for end, known in zip(ends, self._references, strict=True)]

    def _measure(
        self,
        number: int,
        start: int,
        samples: Samples,
        places: NDArray[np.int64],
        scores: NDArray[np.float32] | None,
        vectors: Tensor,
        spoil: Callable[[int, int], None],
    ) -> None:
        """Fill in one network's rows."""
        known, device = self._references[number], device_of(self._models[number])

        def put(row: int, vector: Tensor) -> None:
            vectors[start + row] = vector

        def failed(row: int, sample: int) -> None:
            spoil(start + row, sample if sample == UNEVEN else int(samples.order[places[sample]]))

        without = None
        if scores is not None:
            rows = range(len(known))
            without = {row: torch.from_numpy(scores[start + row, places]).to(device) for row in rows}
        Grams(self._taps[number], known, self._kernel).vectors(samples.fetch(places, device), put, failed, without)

    def distances(self, samples: Samples, places: NDArray[np.int64]) -> Floats:
        """Return the Procrustes distance of all pairs on one batch."""
        factors: list[Tensor | None] = [None] * self._rows
        start = 0
        for model, tap, known in zip(self._models, self._taps, self._references, strict=True):

            def take(row: int, features: Tensor, start: int = start, known: list[Reference] = known) -> None:
                factor = gram_factor(features * known[row].scale)
                factors[start + row] = None if factor is None else factor.cpu()

            def drop(row: int, sample: int, start: int = start) -> None:
                factors[start + row] = None

            tap.run(samples.fetch(places, device_of(model)), take, drop)
            start += len(known)
        return distances(factors)
