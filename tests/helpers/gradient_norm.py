"""A quantity that only tests register: the norm of the loss's gradient at a point, with a cost of its own."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from landscape.directions.construct import Plane
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.quantities import PointResult, Step, register
from landscape.evaluation.setup import Setup
from landscape.parallel.scheduler import Span, WorkItem
from landscape.surface.grid import Floats
from landscape.surface.statistics import Moments


class GradientNorm:
    """Of all parameters, times a factor; ``SECONDS`` in the environment make a point take its time."""

    name = "gradient"
    weight = 3.0
    divisible = False

    def __init__(self, setup: Setup, objective: Objective, *, factor: float = 1.0) -> None:
        self._objective, self._factor = objective, factor
        self.settings: Mapping[str, Any] = {"factor": factor}
        self.stores: Mapping[str, Sequence[str]] = dict.fromkeys(objective.sizes, ("gradient_norm",))
        self.steps: Sequence[Step] = [tuple((name, 0, number) for name, number in objective.sizes.items())]
        self.measured: list[int] = []  # points, in the order they came

    def begin_plane(self, plane: Plane) -> None:
        pass

    def prepare(self, piece: WorkItem) -> tuple[Span, ...]:
        return piece.part

    def measure(self, prepared: tuple[Span, ...], number: int, at: Floats) -> PointResult:
        time.sleep(float(os.environ.get("SECONDS", "0")))
        self.measured.append(number)
        parameters = list(self._objective.model.parameters())
        found = {}
        with self._objective.settled():
            for name, start, stop in prepared:
                sums = [torch.zeros_like(each) for each in parameters]
                for _, batch in self._objective.batches_of([(name, start, stop)]):
                    loss = self._objective.loss(self._objective.model, batch)["loss"].sum()
                    for each, more in zip(sums, torch.autograd.grad(loss, parameters), strict=True):
                        each += more
                norm = math.sqrt(sum(float(each.square().sum()) for each in sums)) / (stop - start)
                found[name, "gradient_norm"] = Moments(stop - start, self._factor * norm, *[math.nan] * 3)
        return found


register("gradient", GradientNorm)
