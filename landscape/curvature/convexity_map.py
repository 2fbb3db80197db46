"""The convexity map: both ends of the Hessian's spectrum at each point of a grid, as a quantity of its runner.

Li et al. drew \\|lambda_min / lambda_max\\| over their surfaces, to tell a valley from what only looks convex in two
directions [1]_. Each point starts from the eigenvectors of the nearest point that was measured before, and stops when
both residuals are within a share of their eigenvalues, or when its products are used up; residuals are stored.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 6.2.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landscape.curvature.differentiable import differentiable
from landscape.curvature.lanczos import Eigenpairs, extreme_eigenpairs
from landscape.curvature.products import Products
from landscape.curvature.sampled_loss import NotFiniteError, SampledLoss
from landscape.directions.construct import Plane
from landscape.engine.memory import resident_budget
from landscape.errors import UsageError
from landscape.problem.params import moved_tensors
from landscape.surface.grid import Floats
from landscape.surface.statistics import Moments
from landscape.surface.unmeasured import CURVATURE_VALUES

VALUES = CURVATURE_VALUES
# Points whose eigenvectors are kept to start from: the last ones, among which a neighbour is as a rule.
_KEPT = 24
_GRAPH_SHARE, _DATA_SHARE, _BASIS_SHARE = 0.5, 0.1, 0.15
# A product in forward passes of a sample; found out by measuring later.
_FORWARD_PASSES = 6.0

Span = tuple[str, int, int]


class ConvexityMap:
    """See `landscape.evaluation.quantities.Quantity`.

    Of the tensors that random directions move: two dimensions or more, unless the plane's directions move the others
    too.

    Parameters
    ----------
    setup
        A run's (`landscape.evaluation.setup.Setup`): network, data, loss, plane.
    objective
        Its samples (`landscape.evaluation.forward_pass.objective.Objective`).
    products : int
        At most so many at a point, for each data set.
    tolerance : float
        A point is done when both residuals are within so much of their eigenvalues.

    Raises
    ------
    UsageError
        A setting makes no sense, or nothing is left of the tensors.
    """

    name = "curvature"
    divisible = False

    def __init__(self, setup: Any, objective: Any, *, products: int = 40, tolerance: float = 0.02) -> None:
        if products < 2:
            raise UsageError(f"{products} products a point were asked for, both ends of a spectrum take 2 at least")
        if not 0 < tolerance < 1:
            raise UsageError(f"the eigenvalue tolerance is {tolerance:g}, it has to be between 0 and 1")
        self._model, self._objective = setup.model, objective
        self._most, self._tolerance = products, tolerance
        self.settings: Mapping[str, Any] = {"products": products, "tolerance": tolerance}
        self.stores: Mapping[str, Sequence[str]] = dict.fromkeys(objective.sizes, VALUES)
        self.steps: Sequence[tuple[Span, ...]] = [tuple((name, 0, size) for name, size in objective.sizes.items())]
        self.weight = _FORWARD_PASSES * products
        self._budget = resident_budget(objective.device, objective.users)
        self._sampled: dict[Span, SampledLoss] = {}
        self._seen: deque[tuple[str, Floats, Tensor]] = deque(maxlen=_KEPT)
        self._tensors: dict[str, Tensor] = {}

    def begin_plane(self, plane: Plane) -> None:
        """Choose the tensors that the plane's random directions move, and forget eigenvectors of another plane."""
        chosen = moved_tensors(self._model, include=plane.include, exclude=plane.exclude)
        vectors_move = any(each.recipe.get("ignore") == "none" for each in plane.directions)
        self._tensors = {name: each for name, each in chosen.items() if vectors_move or each.ndim >= 2}
        if not self._tensors:
            raise UsageError("there is no curvature of what moves: no tensor has two dimensions or more")
        self._seen.clear()

    def prepare(self, piece: Any) -> tuple[Span, ...]:
        """Have the samples at hand."""
        for span in piece.part:
            if span not in self._sampled:
                name, start, stop = span
                self._sampled[span] = SampledLoss(
                    self._model,
                    self._objective.data[name],
                    self._objective.loss,
                    order=self._objective.orders[name][start:stop],
                    batch_size=self._objective.batch_size,
                    budget=int(_DATA_SHARE * self._budget),
                )
        spans: tuple[Span, ...] = piece.part
        return spans

    def measure(self, prepared: tuple[Span, ...], number: int, at: Floats) -> dict[tuple[str, str], Moments]:
        """Measure both ends of each data set's spectrum; all of it NaN where the loss is not finite."""
        found: dict[tuple[str, str], Moments] = {}
        for span in prepared:
            try:
                values = self._measured(span, number, at)
            except NotFiniteError:
                values = [math.nan] * len(VALUES)
            samples = span[2] - span[1]
            for name, value in zip(VALUES, values, strict=True):
                found[span[0], name] = Moments(samples, value, math.nan, math.nan, math.nan)
        return found

    def _measured(self, span: Span, number: int, at: Floats) -> list[float]:
        sampled = self._sampled[span]
        self._objective.forget_passes()
        kept = self._objective.buffers.kept()
        with self._objective.settled(), kept, differentiable(self._model, self._tensors) as leaves:
            sampled.watch_caches()
            products = Products(sampled, leaves, budget=int(_GRAPH_SHARE * self._budget))
            least = min(1, products.size - 1)
            gradient = products.gradient()
            pairs = extreme_eigenpairs(
                lambda vector: products(vector).vector,
                self._start(span[0], at, products, number),
                greatest=1,
                least=least,
                tolerance=self._tolerance,
                most=self._most,
                basis=max(4, min(self._most + 1, int(_BASIS_SHARE * self._budget / (8 * products.size)))),
                rounding=products.rounding,
            )
            products.forget()
        self._keep(span[0], at, pairs)
        values, residuals = pairs.values, pairs.residuals
        return [
            float(values[0]),
            float(values[-1]),
            float(residuals[0]),
            float(residuals[-1]),
            float(gradient.norm()),
            float(pairs.products),
        ]

    def _start(self, data: str, at: Floats, products: Products, number: int) -> Tensor:
        near = [each for each in self._seen if each[0] == data]
        draw = np.random.Generator(np.random.PCG64([self._most, number])).standard_normal(products.size)
        random = torch.from_numpy(draw).to(products.device)
        if not near:
            return random
        _, _, vector = min(near, key=lambda each: float(np.square(each[1] - at).sum()))
        # A little of all other directions, so that an end which a neighbour does not have can be found.
        mixed: Tensor = vector.double() + 0.1 * vector.double().norm() / random.norm() * random
        return mixed

    def _keep(self, data: str, at: Floats, pairs: Eigenpairs) -> None:
        while len(self._seen) > int(_BASIS_SHARE * self._budget / (4 * pairs.vectors.size)):
            self._seen.popleft()
        self._seen.append((data, np.array(at, copy=True), torch.stack(list(pairs.vectors)).sum(0).float()))
