"""What own_study.toml names: a network, and a measurement of it. Run by ``landscape study examples/own_study.toml``."""

import numpy as np
from torch import nn

import landscape


def network(width: int = 12) -> nn.Module:
    """Build what is trained; the study sets the seed before."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                         nn.Linear(width, 10))  # fmt: skip


def rise(context) -> dict[str, float]:
    """Measure the loss along a few random lines; return by how much it has risen half a filter length away."""
    (trained,) = context.networks
    model, asked = trained.model(), context.arguments
    line = landscape.random_plane(model, seed=context.seed, dimensions=1)
    surface = landscape.evaluate(
        model, dict(context.data), line, x=asked["x"], repeats=asked["repeats"], samples=asked["samples"],
        path=context.folder / "line.h5", progress=context.progress,
    )  # fmt: skip
    loss, x = surface["train/loss"].mean(0), surface.axes[0].values  # (repeats, points) -> (points,)
    half = np.interp([-0.5, 0.0, 0.5], x, loss)
    return {"rise": float((half[0] + half[2]) / 2 - half[1])}
