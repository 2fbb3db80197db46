"""The penalty W/2 |theta|^2 along a plane, from inner products taken once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from landscape.directions.construct import Plane
from landscape.directions.displacement import Displacement
from landscape.problem.chunks import inner_products
from landscape.problem.params import inner_product
from landscape.surface.grid import Floats

METRIC = "weight_decay"


class WeightDecay:
    r"""W/2 |theta|^2 over all parameters, as a function of the coefficients.

    .. math:: |\theta^* + \sum_i c_i d_i|^2 = |\theta^*|^2 + 2 \sum_i c_i \theta^* \cdot d_i + c^T G c

    with the Gram matrix G of the directions, in float64. Buffers that move with the states do not count.
    """

    def __init__(self, model: nn.Module, factor: float) -> None:
        self._factor = factor
        self._parameters = {name for name, _ in model.named_parameters()}
        self._square = sum(inner_product({"": p}, {"": p}) for p in model.parameters()) if factor else 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The metric's name, or none where there is no weight decay."""
        return (METRIC,) if self._factor else ()

    @property
    def at_start(self) -> float:
        """The penalty at theta*."""
        return self._factor / 2 * self._square

    def along(self, displacement: Displacement, plane: Plane) -> None:
        """Take the inner products of a plane; the network is at theta*."""
        if not self._factor:
            return
        trees = [direction.tensors for direction in plane.directions]
        # Directions of derivatives have no tensor of what they leave alone.
        names = [name for name in displacement.start if name in self._parameters and name in trees[0]]
        gram = inner_products([*trees, displacement.start], names)
        self._slopes, self._gram = gram[-1, :-1], gram[:-1, :-1]

    def values(self, at: Sequence[float] | Floats) -> dict[str, float]:
        """Return the penalty at a point, by its metric's name."""
        if not self._factor:
            return {}
        c = np.asarray(at[: len(self._slopes)], dtype=np.float64)
        return {METRIC: float(self._factor / 2 * (self._square + 2 * self._slopes @ c + c @ self._gram @ c))}
