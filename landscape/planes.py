"""The plane a run is about, or K planes of neighbouring seeds, and the axes they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from landscape.directions import Direction, Plane, rebuild_plane
from landscape.errors import UsageError
from landscape.grid import Axis, Floats

_LETTERS = "αβγ"


class Planes:
    """One plane, or repetitions of it with the seeds that follow.

    Only the plane in use is kept: repetitions are built again from their recipes when they are needed.

    Parameters
    ----------
    model : Module
        At theta* whenever a plane is built.
    plane : Plane
    repeats : int
        How many; above 1 the plane must be random.
    """

    def __init__(self, model: nn.Module, plane: Plane, repeats: int = 1) -> None:
        self._model = model
        self._recipes = [direction.recipe for direction in plane.directions]
        self._current = (0, plane)
        self.repeats = repeats
        if repeats < 1:
            raise UsageError(f"--repeats is {repeats}, it has to be at least 1")
        if repeats > 1 and any(recipe.get("source") != "random" for recipe in self._recipes):
            raise UsageError("--repeats draws other seeds, which needs --directions random")

    def __getitem__(self, number: int) -> Plane:
        """Return the plane of a repetition; the model has to be at theta*."""
        at, plane = self._current
        if at != number:
            seeded = [{**recipe, "seed": int(recipe["seed"]) + number} for recipe in self._recipes]
            plane = rebuild_plane(self._model, seeded)
            self._current = (number, plane)
        return plane

    def axes(self, values: Sequence[Floats]) -> tuple[Axis, ...]:
        """Return the axes of a grid with these coefficients along the directions, x first."""
        first = self[0]
        axes = [
            Axis(
                coefficients,
                label=_label(number, direction),
                source=str(direction.recipe.get("source", "file")),
                recipe=direction.recipe,
                length=direction.length,
                sha256=direction.sha256,
            )
            for number, (coefficients, direction) in enumerate(zip(values, first.directions, strict=True))
        ]
        if self.repeats > 1:
            axes.append(self._repeat_axis())
        return tuple(axes)

    def _repeat_axis(self) -> Axis:
        planes: list[list[dict[str, Any]]] = []
        cosines = []
        for number in range(self.repeats):
            plane = self[number]
            planes.append(
                [{"recipe": dict(d.recipe), "length": d.length, "sha256": d.sha256} for d in plane.directions]
            )
            cosines.append(plane.cosines.tolist())
        seeds = [entry[0]["recipe"]["seed"] for entry in planes]
        recipe = {"source": "repeat", "seeds": seeds, "repeats": planes, "cosines": cosines}
        return Axis(
            np.arange(self.repeats, dtype=np.float64), label="seed", source="repeat", recipe=recipe, kind="repeat"
        )


def _label(number: int, direction: Direction) -> str:
    # Principal components bear their own names: "PC 1 (61.2 % of variance)".
    if direction.recipe.get("source") == "pca":
        return direction.label
    return f"{_LETTERS[number] if number < len(_LETTERS) else number}  ({direction.label})"
