"""Surfaces for the tests of the page: never symmetric, of uneven steps, with everything a file may hold."""

from __future__ import annotations

import dataclasses

import numpy as np

from landscape.surface.surface import INTERPOLATED, NOT_COMPUTED, Surface, Trajectory
from tests.helpers.plot_fixtures import valley, valley_loss


def plain() -> Surface:
    """31 x 23 points, loss and accuracy, test and train, with standard errors."""
    surface = valley()
    loss = surface["train/loss"]
    x = surface.axes[0].values[None, :]
    values = {
        **surface.values,
        "test/loss": loss * 1.2 + 0.05 * (1 + x) + 0.01,
        "test/accuracy": 1 / (1 + 1.3 * loss),
    }
    stderr = {name: 0.05 * array + 1e-3 for name, array in values.items()}
    return dataclasses.replace(surface, values=values, stderr=stderr, title="valley", path="runs/valley.h5")


def steeper() -> Surface:
    """The same grid, ten times the loss."""
    surface = plain()
    values = {name: array * 10 if name.endswith("loss") else array**2 for name, array in surface.values.items()}
    return dataclasses.replace(surface, values=values, title="steeper", path="runs/steeper.h5")


def broken() -> Surface:
    """A block of NaN, one inf, one huge value, points not computed and interpolated."""
    surface = plain()
    values = {name: array.copy() for name, array in surface.values.items()}
    values["train/loss"][3:6, 8:12] = np.nan
    values["train/loss"][15, 20] = np.inf
    values["train/loss"][20, 2] = 1e30
    state = surface.state.copy()
    state[10:12, 22:24] = INTERPOLATED
    return dataclasses.replace(surface, values=values, state=state, title="broken")


def unfinished() -> Surface:
    """A run that was cut short: only the coarser grid is complete."""
    surface = plain()
    state = surface.state.copy()
    state[1::2, :] = NOT_COMPUTED
    values = {name: np.where(state == NOT_COMPUTED, np.nan, array) for name, array in surface.values.items()}
    return dataclasses.replace(surface, values=values, state=state, title="unfinished")


def with_path(points: int = 12) -> Surface:
    """A run over the plane, whose own loss lies above the plane's, and whose learning rate falls at step 50."""
    surface = plain()
    t = np.linspace(0, 1, points)
    x, y = -0.85 + 1.1 * t, 0.7 - 0.85 * t**2
    steps = np.arange(points) * 10
    loss = valley_loss(x, y) * 1.5 + 0.1
    path = Trajectory(
        np.stack([x, y], axis=1), 0.3 * (1 - t), loss, steps.astype(np.int64),
        {"unit": "step", "loss_name": "train/loss", "lr_drops": [50], "explained_variance": [0.9, 0.06]},
    )  # fmt: skip
    other = Trajectory(
        np.stack([0.9 - t, -0.6 + 0.4 * t], axis=1), 0.1 * t, np.full(points, np.nan), steps.astype(np.int64)
    )
    return dataclasses.replace(surface, trajectories={"SGD": path, "Adam": other}, title="two runs")


def with_networks() -> Surface:
    """A plane through three networks: one at a point of the grid, one beside its points, one outside."""
    surface = plain()
    x, y = (axis.values for axis in surface.axes)
    places = {"b": (x[24], y[5]), "<b>c": (x[6] + 0.01, y[17]), "far": (99.0, 0.0)}
    networks = [{"path": f"runs/{name}.pt", "at": list(map(float, at))} for name, at in places.items()]
    recipe = {"source": "networks", "networks": networks}
    axes = tuple(dataclasses.replace(axis, source="networks", recipe=recipe) for axis in surface.axes)
    return dataclasses.replace(surface, axes=axes, title="three networks")


def bowl_of(number: int) -> Surface:
    """A square grid of so many points a side."""
    return dataclasses.replace(valley(number, number), title=f"{number}")
