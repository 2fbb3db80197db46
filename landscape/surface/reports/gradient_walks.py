"""What lies along the gradient at each recorded step of a training run: plain NumPy.

At weights theta with loss L and gradient g, the loss and the gradient at theta - rate * m * g for several multiples m
(Santurkar et al., "How Does Batch Normalization Help Optimization?", NeurIPS 2018, Section 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats


@dataclass(frozen=True, eq=False)
class Walks:
    """Losses and changes of the gradient along it, of one walk or of many; NaN where one is not finite or not known."""

    losses: Floats  # (..., 1 + m): at the start, then at each of m places
    gradients: Floats  # (...,): |g|
    changes: Floats  # (..., m): |g(there) - g|
    distances: Floats  # (..., m): walked to each place

    @property
    def _known(self) -> NDArray[np.bool_]:
        known = np.isfinite(self.losses).all(-1) & np.isfinite(self.changes).all(-1)
        return np.asarray(known, dtype=np.bool_)

    @property
    def low(self) -> Floats:
        """The least loss along each walk, its start included, shape (...,)."""
        return np.where(self._known, self.losses.min(-1), np.nan)

    @property
    def high(self) -> Floats:
        """The greatest one."""
        return np.where(self._known, self.losses.max(-1), np.nan)

    @property
    def span(self) -> Floats:
        """The range of the loss along each walk, shape (...,)."""
        return self.high - self.low

    @property
    def change(self) -> Floats:
        """The greatest change of the gradient along each walk, shape (...,)."""
        return np.where(self._known, self.changes.max(-1), np.nan)

    @property
    def relative_change(self) -> Floats:
        """The same in units of the gradient's length; NaN where that is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.gradients > 0, self.change / self.gradients, np.nan)

    @property
    def smoothness(self) -> Floats:
        """The greatest change of the gradient per distance walked, shape (...,): the effective beta-smoothness.

        0 where nothing was walked, since the gradient is 0.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.where(self.distances > 0, self.changes / self.distances, 0.0)
        return np.where(self._known, slopes.max(-1), np.nan)


@dataclass(frozen=True, eq=False)
class GradientWalks:
    """Walks at each record; NaN where a number is not finite or not resolved, or there is no rate to walk at."""

    data: str  # name of the data set
    run: str
    unit: str  # of the steps: "step", "epoch", ... or "record"
    steps: NDArray[np.int64]  # (n,)
    rates: Floats  # (n,): the learning rate that a multiple of 1 is a step of; NaN where a record has none above 0
    multiples: Floats  # (m,)
    losses: Floats  # (n, 1 + m): at the record, then at each multiple
    gradients: Floats  # (n,): |g|
    changes: Floats  # (n, m): |g(there) - g|
    problem: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    software: str = ""
    created: str = ""
    command: str = ""
    path: str = ""

    @property
    def walks(self) -> Walks:
        """What follows from them, and how far each is from its record."""
        distances = self.rates[:, None] * np.abs(self.multiples) * self.gradients[:, None]
        return Walks(self.losses, self.gradients, self.changes, distances)

    @property
    def low(self) -> Floats:
        """The least loss along each walk, its start included, shape (n,)."""
        return self.walks.low

    @property
    def high(self) -> Floats:
        """The greatest one."""
        return self.walks.high

    @property
    def span(self) -> Floats:
        """The range of the loss along each walk, shape (n,)."""
        return self.walks.span

    @property
    def change(self) -> Floats:
        """The greatest change of the gradient along each walk, shape (n,)."""
        return self.walks.change

    @property
    def relative_change(self) -> Floats:
        """The same in units of the gradient's length; NaN where that is 0."""
        return self.walks.relative_change

    @property
    def smoothness(self) -> Floats:
        """The effective beta-smoothness, shape (n,), see `Walks`."""
        return self.walks.smoothness

    @property
    def without_rate(self) -> int:
        """At how many records nothing was walked, as they have no learning rate."""
        return int(np.isnan(self.rates).sum())

    @property
    def not_known(self) -> int:
        """Of how many other walks a loss or a gradient is not finite, or a change less than is resolved."""
        return int((np.isnan(self.span) & ~np.isnan(self.rates)).sum())
