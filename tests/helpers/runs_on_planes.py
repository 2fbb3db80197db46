"""Planes of principal components with training runs on them."""

import dataclasses

import numpy as np

from landscape.surface.grid import Axis
from landscape.surface.surface import Surface, Trajectory
from tests.helpers.plot_fixtures import valley

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


def zoomed():
    """Return a plane so near to the checkpoint that its ticks are long, with the checkpoint beside an iso-line."""
    surface = valley(15, 11)
    axes = [dataclasses.replace(axis, values=axis.values * 1e-4) for axis in surface.axes]
    return dataclasses.replace(surface, axes=tuple(axes))


def winding():
    """Return a plane with a run whose path winds through the middle and ends in the corner where notes stand."""
    turns = np.linspace(0, 2.5 * np.pi, 40)
    path = np.stack([0.7 * np.cos(turns) * turns / 8, 0.6 * np.sin(turns) * turns / 8], axis=1)
    path = np.concatenate([path, [[1.1, -0.75]]])
    run = Trajectory(path, np.full(len(path), 0.2), np.ones(len(path)), np.arange(len(path)), {"lr_drops": [20, 40]})
    return dataclasses.replace(valley(15, 11), trajectories={"sgd": run})


def with_steps(*others):
    """Return a plane of principal components with runs of a few steps: losses cross and distances fall."""
    base = valley(15, 11)
    shares = [0.58, 0.22, 0.11, 0.06, 0.03]
    axes = [dataclasses.replace(axis, source="pca", label=f"PC {k + 1}") for k, axis in enumerate(base.axes)]
    runs = {}
    for number, name in enumerate(("sgd", *others)):
        at = np.linspace(1.0 - 0.3 * number, 0.0, 9)
        path = np.stack([at, 0.4 * np.sin(3 * at)], axis=1)
        own, words = 0.2 + 3.0 * at**2, {"explained_variance": shares, "lr_drops": [40]}
        runs[name] = Trajectory(path, 0.5 * at * (1 - number), own, 1000 * np.arange(9), words)
    return dataclasses.replace(base, axes=tuple(axes), trajectories=runs)
