"""Makes files of the 2018 tool with plain h5py, in its layout and in the order its scheduler fills them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

NAME = "nets/model_300.t7_weights_xignore=biasbn_xnorm=filter_yignore=biasbn_ynorm=layer.h5"


def loss_at(x: float, y: float) -> float:
    return 3.0 + x - 10 * y


def accuracy_at(x: float, y: float) -> float:
    return 50.0 + 5 * x + y


def write_like_the_tool(path: Path, x: Any, y: Any = None, done: int | None = None, **more: Any) -> None:
    """Write a surface file as the tool does: arrays of -1, (nx, ny), filled at the flat numbers of meshgrid(x, y)."""
    x = np.asarray(x, float)
    shape = (len(x),) if y is None else (len(x), len(y))
    places = x[:, None] if y is None else np.stack([each.ravel() for each in np.meshgrid(x, y)], axis=1)
    losses, accuracies = -np.ones(shape), -np.ones(shape)
    for number in range(len(places) if done is None else done):
        at = (places[number][0], 0.0 if y is None else places[number][1])
        losses.ravel()[number] = loss_at(*at)
        accuracies.ravel()[number] = accuracy_at(*at)
    with h5py.File(path, "w") as file:
        file["dir_file"] = NAME
        file["xcoordinates"] = x
        if y is not None:
            file["ycoordinates"] = np.asarray(y, float)
        file["train_loss"] = losses
        file["train_acc"] = accuracies
        for name, array in more.items():
            file[name] = array


def write_directions(path: Path, groups: Any = ("xdirection", "ydirection"), number: int = 12) -> None:
    with h5py.File(path, "w") as file:
        for k, name in enumerate(groups):
            group = file.create_group(name)
            for n in range(number):
                group.create_dataset(str(n), data=np.full((n + 1, 2), 100 * k + n, np.float32))
            group.create_dataset(str(number), data=np.float32(100 * k + number))
