"""The plane a run is about, or K planes of neighbouring seeds, and the axes they make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from landscape.directions import DIGEST_DTYPE, Direction, Plane, rebuild_plane
from landscape.errors import DirectionError, UsageError
from landscape.grid import Axis, Floats
from landscape.pieces import Made, survey

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
        Made again, as with ``low_memory``, directions come out otherwise for the weights that the model holds.
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
        made = any(isinstance(each.tensors, Made) for each in plane.directions)
        if random and (low_memory or made):
            plane = self._again(plane)
        elif made:
            _require_same(plane, survey([each.tensors for each in plane.directions], DIGEST_DTYPE)[1])
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

    def _again(self, plane: Plane) -> Plane:
        """Return the same plane, drawn for the weights as they are, kept or not."""
        again = rebuild_plane(self._model, self._recipes, low_memory=self.drawn)
        _require_same(plane, [direction.sha256 for direction in again.directions])
        return again

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
            plane = rebuild_plane(self._model, self._seeded(number), low_memory=True)
            planes.append(
                [{"recipe": dict(d.recipe), "length": d.length, "sha256": d.sha256} for d in plane.directions]
            )
            cosines.append(plane.cosines.tolist())
        seeds = [entry[0]["recipe"]["seed"] for entry in planes]
        recipe = {"source": "repeat", "seeds": seeds, "repeats": planes, "cosines": cosines}
        return Axis(
            np.arange(self.repeats, dtype=np.float64), label="seed", source="repeat", recipe=recipe, kind="repeat"
        )


def _require_same(plane: Plane, digests: Sequence[str]) -> None:
    if list(digests) != [direction.sha256 for direction in plane.directions]:
        raise DirectionError(
            "made again, these directions come out otherwise: they are for other weights than the network holds now; "
            "make the plane anew"
        )


def _label(number: int, direction: Direction) -> str:
    # Principal components bear their own names: "PC 1 (61.2 % of variance)".
    if direction.recipe.get("source") == "pca":
        return direction.label
    # A direction from a surface's file bears the label of an axis already.
    axis = re.fullmatch(rf"[{_LETTERS}]  \((.*)\)", direction.label)
    return f"{_LETTERS[number] if number < len(_LETTERS) else number}  ({axis[1] if axis else direction.label})"
