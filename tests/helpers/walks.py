"""Small results of walks along the gradient, for files and pictures."""

from __future__ import annotations

import numpy as np

from landscape.surface.reports.gradient_walks import GradientWalks


def walks(lift: float = 1.0) -> GradientWalks:
    """Return walks at four steps, of which the last is not finite."""
    at = np.arange(4.0)
    losses = lift * np.exp(-at)[:, None] * np.array([1.0, 0.8, 1.4])
    losses[3, 2] = np.inf
    return GradientWalks(
        "train",
        "sgd",
        "epoch",
        np.arange(4),
        np.full(4, 0.1),
        np.array([0.5, 2.0]),
        losses,
        np.array([2.0, 1.0, 0.5, 0.25]),
        lift * np.outer(1 + at, [0.1, 0.3]),
        problem={"loss": "cross_entropy"},
        settings={"mode": "eval", "samples": 40},
        origin={"run": "sgd", "records": 4},
    )
