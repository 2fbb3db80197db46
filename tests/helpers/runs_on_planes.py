"""Planes of principal components with training runs on them."""

import numpy as np

from landscape.surface.grid import Axis
from landscape.surface.surface import Surface, Trajectory

RECIPE = {"source": "pca", "runs": [{"name": "sgd"}, {"name": "adam"}]}


SHARES = [0.612, 0.2, 0.1, 0.05, 0.038]


def run_on(points, *, residual=None, own=None, below=None, first=0, every=10, unit="step", **attributes):
    points = np.array(points, dtype=float)
    if own is not None:
        attributes |= {"values": {"train/loss": list(own)}, "loss_name": "train/loss"}
    if below is not None:
        attributes |= {"plane_values": {"train/loss": list(below)}}
    return Trajectory(
        points,
        residual=np.zeros(len(points)) if residual is None else np.array(residual, dtype=float),
        loss=np.full(len(points), np.nan) if own is None else np.array(own, dtype=float),
        step=first + every * np.arange(len(points)),
        attributes={"unit": unit, **attributes},
    )


def principal_surface(runs, function=lambda x, y: 1 + 0.2 * x**2 + 0.5 * (y - 0.5) ** 2 + 0.1 * x):
    """A plane of principal components, with more columns than rows and uneven steps."""
    x, y = np.linspace(-2, 5, 36) + 0.01 * np.arange(36), np.linspace(-1.5, 3, 21)
    axes = tuple(
        Axis(values, f"PC {k + 1} ({100 * SHARES[k]:.1f} % of variance)", "pca", RECIPE, 1.0, str(k) * 64)
        for k, values in enumerate((x, y))
    )
    values = {"train/loss": function(*np.meshgrid(x, y))}
    state = np.ones((21, 36), np.uint8)
    return Surface(axes, values, state, cosines=np.eye(2), trajectories=runs, path="run.h5", title="run")


BENT = [(4.0, 0.5), (2.0, 2.0), (1.0, 1.5), (0.5, 0.4), (0.0, 0.0)]


def lines_of(ax, label):
    return [line for line in ax.lines if line.get_label() == label]
