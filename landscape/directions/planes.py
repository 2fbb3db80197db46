"""The plane a run is about, or K planes of neighbouring seeds, and the axes they make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from landscape.directions.construct import DIGEST_DTYPE, Direction, Plane, rebuild_plane
from landscape.errors import DirectionError, UsageError
from landscape.problem.chunks import LazyTensors, survey
from landscape.surface.grid import Axis, Floats

_LETTERS = "αβγ"


class Planes:
    """One plane, or repetitions of it with the seeds that follow.

    Only the plane in use is kept, and with ``low_memory`` not even that: others, or all, are built again from their
    recipes when they are needed.

    Parameters
    ----------
    model : Module
        At theta* whenever a plane is built.
    plane : Plane
    repeats : int
        How many; above 1 the plane must be random.
    low_memory : bool
        Draw random directions anew at each move. Others have no recipe to be drawn from, and are kept.

    Raises
    ------
    UsageError
        Repetitions of something that is not random.
    DirectionError
        LazyTensors again, as with ``low_memory``, directions come out otherwise for the weights that the model holds.
    """

    def __init__(self, model: nn.Module, plane: Plane, repeats: int = 1, *, low_memory: bool = False) -> None:
        self._model = model
        self._recipes = [direction.recipe for direction in plane.directions]
        random = all(recipe.get("source") == "random" for recipe in self._recipes)
        self.drawn = low_memory and random
        self.repeats = repeats
        if repeats < 1:
            raise UsageError(f"--repeats is {repeats}, it has to be at least 1")
        if repeats > 1 and not random:
            raise UsageError("--repeats draws other seeds, which needs --directions random")
        made = any(isinstance(each.tensors, LazyTensors) for each in plane.directions)
        digests = [direction.sha256 for direction in plane.directions]
        if random and (low_memory or made):  # drawn for the weights as they are, kept or not
            plane = rebuild_plane(self._model, self._recipes, low_memory=self.drawn)
            again = [direction.sha256 for direction in plane.directions]
        else:
            again = survey([each.tensors for each in plane.directions], DIGEST_DTYPE)[1] if made else digests
        if again != digests:
            raise DirectionError(
                "made again, these directions come out otherwise: they are for other weights than the network holds "
                "now; make the plane anew"
            )
        self._current: tuple[int, Plane | None] = (0, plane)

    def __getitem__(self, number: int) -> Plane:
        """Return the plane of a repetition; the model has to be at theta*."""
        at, plane = self._current
        if at != number or plane is None:
            del plane
            self._current = (number, None)  # else there were two planes in memory
            plane = rebuild_plane(self._model, self._seeded(number), low_memory=self.drawn)
            self._current = (number, plane)
        return plane

    def _seeded(self, number: int) -> list[dict[str, Any]]:
        return [{**recipe, "seed": int(recipe["seed"]) + number} for recipe in self._recipes]

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
        numbers = range(self.repeats)
        planes = [rebuild_plane(self._model, self._seeded(number), low_memory=True) for number in numbers]
        told: list[list[dict[str, Any]]] = [
            [{"recipe": dict(d.recipe), "length": d.length, "sha256": d.sha256} for d in plane.directions]
            for plane in planes
        ]
        cosines = [plane.cosines.tolist() for plane in planes]
        seeds = [entry[0]["recipe"]["seed"] for entry in told]
        recipe = {"source": "repeat", "seeds": seeds, "repeats": told, "cosines": cosines}
        return Axis(np.array(numbers, dtype=np.float64), label="seed", source="repeat", recipe=recipe, kind="repeat")


def _label(number: int, direction: Direction) -> str:
    # Principal components bear their own names: "PC 1 (61.2 % of variance)".
    if direction.recipe.get("source") == "pca":
        return direction.label
    # A direction from a surface's file bears the label of an axis already.
    axis = re.fullmatch(rf"[{_LETTERS}]  \((.*)\)", direction.label)
    return f"{_LETTERS[number] if number < len(_LETTERS) else number}  ({axis[1] if axis else direction.label})"
