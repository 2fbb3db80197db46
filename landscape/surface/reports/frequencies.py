"""Which spatial frequencies carry a network's decisions: answers for filtered inputs and changes, plain NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats
from landscape.surface.reports.robustness import wilson

# What is filtered, and what is kept of it.
INPUTS = ("low", "high")
CHANGES = ("low change", "high change")


@dataclass(frozen=True, eq=False)
class Frequencies:
    """Whether each sample is right, and its loss, when only some frequencies are left."""

    data: str  # name of the data set
    cutoffs: Floats  # (k,): ascending, in cycles along the shorter side of the image
    highest: float  # the greatest radius an image has; a cut-off there leaves all
    clean: NDArray[np.bool_]  # (n,)
    clean_loss: Floats  # (n,)
    kinds: tuple[str, ...]  # of INPUTS, and of CHANGES where inputs were attacked
    right: NDArray[np.bool_]  # (kinds, k, n)
    loss: Floats  # (kinds, k, n)
    attacked: NDArray[np.bool_]  # (n,): right after the whole change; all true where there was none
    energy: Floats  # (k,): mean share of the inputs' variance over pixels at or below the cut-off
    change_energy: Floats  # (k,): the same of the changes; NaN where there are none
    numbers: NDArray[np.int64]  # (n,): of the samples in the data set
    problem: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    software: str = ""
    created: str = ""
    command: str = ""
    path: str = ""

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self.clean)

    def accuracy(self, kind: str) -> Floats:
        """Return accuracy when so much is left, shape (k,)."""
        found: Floats = self.right[self.kinds.index(kind)].mean(1)
        return found

    def interval(self, kind: str) -> Floats:
        """Return 95 % intervals of `accuracy` for the draw of the samples (Wilson), shape (k, 2)."""
        return np.array([wilson(int(row.sum()), len(row)) for row in self.right[self.kinds.index(kind)]])

    def mean_loss(self, kind: str) -> tuple[Floats, Floats]:
        """Return the mean loss and its standard error for the draw of the samples, shapes (k,)."""
        rows = self.loss[self.kinds.index(kind)]
        with np.errstate(invalid="ignore", over="ignore"):  # a sample's loss may be infinite
            error = rows.std(1, ddof=1) / np.sqrt(self.samples) if self.samples > 1 else np.full(len(rows), np.nan)
            return rows.mean(1), error

    def half_way(self, kind: str) -> float | None:
        """Return the cut-off at which accuracy is half way between its first and its last value; None if it is flat.

        Interpolated linearly between cut-offs. Differences of a few samples are no change: under twice the half width
        of the widest interval there is no such cut-off.
        """
        accuracy, ends = self.accuracy(kind), self.interval(kind)
        first, last = float(accuracy[0]), float(accuracy[-1])
        if abs(last - first) < float((ends[:, 1] - ends[:, 0]).max()):
            return None
        middle = (first + last) / 2
        passed = np.flatnonzero((accuracy[:-1] - middle) * (accuracy[1:] - middle) <= 0)
        k = int(passed[0])
        step = float(accuracy[k + 1] - accuracy[k])
        share = (middle - float(accuracy[k])) / step if step else 0.0
        return float(self.cutoffs[k] + share * (self.cutoffs[k + 1] - self.cutoffs[k]))
