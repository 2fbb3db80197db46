"""Planes one point wide, which are lines: what a grid such as ``--x 0:0:1 --y -1:1:51`` gives."""

from __future__ import annotations

import dataclasses

from landscape.surface.grid import Axis
from landscape.surface.surface import Surface

from ..scale.levels import number_text
from .direction_words import GREEK, bare_label


def as_line(surface: Surface) -> Surface:
    """Return a plane that is one point wide as the line that it is; any other surface as it is.

    The axis keeps its own letter and says where on the other axis the line lies. Away from 0 it does not pass
    through the checkpoint, so that ``origin`` says it lies elsewhere. Runs are left out: they were projected onto
    both axes.
    """
    if len(surface.directions) != 2 or min(len(axis) for axis in surface.directions) > 1:
        return surface
    x, y = surface.directions
    along = 1 if len(x) == 1 and len(y) > 1 else 0
    kept, other = (y, x) if along else (x, y)
    place = float(other.values[0])
    label = _label(kept, along, other, place)
    axes = [dataclasses.replace(kept, label=label, source=kept.source if place == 0 else "file")]
    if surface.repeats > 1 or surface.axes[-1].kind == "repeat":
        axes.append(_repeats(surface.axes[-1], along, label))
    origin = dict(surface.origin) if place == 0 else {**surface.origin, "elsewhere": True}
    only = (..., 0) if along else (..., 0, slice(None))  # arrays are (..., ny, nx)
    return dataclasses.replace(
        surface.part_at(only, tuple(axes)),
        cosines=None,
        origin=origin,
        trajectories={},
    )


def strip_note(surface: Surface) -> str:
    """Return a sentence about a plane that is drawn as a line; empty for any other surface."""
    if as_line(surface) is surface:
        return ""
    x, y = surface.directions
    letter, other = (GREEK[0], x) if len(x) == 1 and len(y) > 1 else (GREEK[1], y)
    place = float(other.values[0])
    text = f"A plane one point wide, {letter} = {number_text(place, 3)}, is drawn as a line"
    text += ", without its runs" if surface.trajectories else ""
    return text + ("" if place == 0 else "; it does not pass through the checkpoint")


def _label(kept: Axis, along: int, other: Axis, place: float) -> str:
    where = f"{GREEK[1 - along]} = {number_text(place, 3)}"
    name = bare_label(kept)
    if kept.source == "pca" and name:
        return f"{name}, at {bare_label(other).split(' (')[0] or GREEK[1 - along]} = {number_text(place, 3)}"
    return f"{GREEK[along]}  ({name}, at {where})" if name else f"{GREEK[along]}  (at {where})"


def _repeats(axis: Axis, along: int, label: str) -> Axis:
    recipe = dict(axis.recipe)
    if recipe.get("repeats"):
        recipe["repeats"] = [[{**dict(changes[along]), "label": label}] for changes in recipe["repeats"]]
    recipe.pop("cosines", None)
    return dataclasses.replace(axis, recipe=recipe)
