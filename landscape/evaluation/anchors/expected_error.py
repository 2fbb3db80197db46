"""What standard error a run with anchors will have, told from a few points before any other is measured.

Each of some points spread over the grid is estimated as if theta* and the others were anchors. A run chooses its
anchors among more points, and has some nearer: its errors are rather smaller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from landscape.evaluation.anchors.regression import Estimator, log_scale, logarithms
from landscape.evaluation.losses_and_metrics import LossesAndMetrics
from landscape.evaluation.quantities import PointResult
from landscape.evaluation.setup import Setup
from landscape.evaluation.worker import Worker
from landscape.parallel.scheduler import WorkItem
from landscape.surface.grid import Floats, point_coordinates, visiting_order
from landscape.surface.heights import scale_of_losses

# Points that are measured for it, as many as that takes no longer than so many seconds; with fewer than the least
# nothing is said.
MOST, LEAST, SECONDS = 8, 3, 30.0
# Among the first so many points of the visiting order, which fills the grid from coarse to fine, they are taken.
AMONG = 64


@dataclass(frozen=True)
class ExpectedError:
    """Standard errors of a data set's loss, as shares of loss + eps: medians over the points measured for it."""

    anchored: float
    plain: float  # of as many samples a point without anchors
    points: int


def expected_errors(
    setup: Setup, losses: LossesAndMetrics, anchors: int, seconds_per_point: float
) -> dict[str, ExpectedError]:
    """Measure a few points, and return what errors are to be expected, by data set.

    Parameters
    ----------
    setup : Setup
    losses : LossesAndMetrics
        With theta* measured on the samples that points get.
    anchors : int
        How many there may be, theta* among them.
    seconds_per_point : float
    """
    number = min(MOST, math.prod(len(axis) for axis in setup.axes) - 1, int(SECONDS / max(seconds_per_point, 1e-9)))
    if number < LEAST or not losses.anchored:
        return {}
    order = visiting_order(setup.axes)[:AMONG]
    order = order[(point_coordinates(setup.axes, order)[:, : len(setup.plane.directions)] != 0).any(axis=1)]
    worker = Worker(setup, [losses])
    points = [int(order[k]) for k in np.linspace(0, len(order) - 1, number).round().astype(int)]
    found = {}
    for part in losses.steps:  # several where not all data sets fit into memory at once
        names = [name for name, start, _ in part if start == 0 and name in losses.anchored]
        results = list(worker(WorkItem(0, tuple(points), part, part, losses.name))) if names else []
        for name in names:
            values, measured, whole = _samples(results, name), losses.objective.sizes[name], losses.anchored[name]
            if values is None:
                continue
            start = losses.baseline.samples.values[name, "loss"][: values.shape[1]]
            share = math.sqrt(values.shape[1] / measured * (1 - measured / whole))
            found[name] = _expected(np.vstack([start, values]), whole, anchors, share)
    return found


def _samples(results: list[PointResult], name: str) -> Floats | None:
    rows = [each[name, "loss"].samples for each in results]
    finite = [row for row in rows if row is not None and np.isfinite(row).all()]
    return np.stack(finite) if len(finite) >= LEAST else None


def _expected(values: Floats, whole: int, anchors: int, share: float) -> ExpectedError:
    """Return errors at all rows but the first, theta*'s, each estimated from as many of the others as there may be."""
    losses = values.mean(axis=1)
    _, eps = scale_of_losses(losses)
    anchored: list[float] = []
    plain: list[float] = []
    for k in range(1, len(values)):
        others = np.delete(values, k, axis=0)[:anchors]
        scales = np.array([log_scale(row) for row in others])
        logs = np.array([logarithms(row, scale).mean() for row, scale in zip(others, scales, strict=True)])
        estimator = Estimator(others, others.mean(axis=1), whole, log_means=logs, scales=scales)
        bare = Estimator(others[:0], losses[:0], whole)
        for errors, each in ((anchored, estimator), (plain, bare)):
            errors.append(float(each.estimate(values[k : k + 1]).stderr[0]) * share / (abs(losses[k]) + eps))
    return ExpectedError(float(np.median(anchored)), float(np.median(plain)), len(anchored))
