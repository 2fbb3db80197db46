"""What the axes of a surface are, in words: how their directions were made, from which seeds, at which angles."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from landscape.surface.grid import Axis
from landscape.surface.other_networks import listed_networks
from landscape.surface.recipes import MEASURED, NORMALIZATIONS
from landscape.surface.surface import Surface

from ..scale.levels import number_text

GREEK = ("α", "β", "γ")
_COUNT_WORDS = {1: "one", 2: "two", 3: "three"}


def bare_label(axis: Axis) -> str:
    """Return what an axis is called, without the letter that some files put before it."""
    label = axis.label
    # A plane that was read from a file of directions has got the letter twice.
    while found := re.fullmatch(r"[αβγ]\s+\((.*)\)", label):
        label = found.group(1)
    return label


def directions_text(surface: Surface) -> str:
    """Return what the axes are: "along two random directions, filter-normalised"."""
    axes = surface.directions
    sources = {axis.source for axis in axes}
    plural = "direction" if len(axes) == 1 else "directions"
    many = _COUNT_WORDS.get(len(axes), str(len(axes)))
    if sources == {"random"} and all(axis.recipe for axis in axes):
        norms = {str(axis.recipe.get("norm")) for axis in axes}
        norm = norms.pop() if len(norms) == 1 else "None"
        text = f"along {many} random {plural}" + (f", {NORMALIZATIONS.get(norm, norm)}" if norm != "None" else "")
    elif sources == {"checkpoint"}:
        ends = [Path(str(axis.recipe.get("path") or bare_label(axis).removeprefix("towards "))).name for axis in axes]
        left = list(dict.fromkeys(name for axis in axes for name in axis.differs))
        whole = all(axis.reaches_checkpoint for axis in axes)
        text = f"from the checkpoint (0) {'to' if whole else 'towards'} {' and '.join(ends)} (1)"
        if left:
            text += f", which differs there in {', '.join(left[:3])}{' and others' if len(left) > 3 else ''}"
    elif sources == {"networks"}:
        ends = [Path(str(each.get("path") or "")).name for each in listed_networks(axes[0].recipe)]
        text = f"in the plane through the checkpoint, {' and '.join(ends)}, in distances along orthonormal axes"
    elif sources == {"input"}:
        return _input_ways(surface)
    elif sources == {"local"}:
        # "velocity at step 40: 0.03 a step": the scale of the motion stands in the label.
        text = f"along the run's {' and '.join(bare_label(axis) or 'direction' for axis in axes)}, in distances"
    elif sources == {"pca"}:
        names = [str(run.get("name")) for run in axes[0].recipe.get("runs", ())]
        which = f"the first {many} principal components" if len(axes) > 1 else "the first principal component"
        # A run is called as its folder, which often is called "run".
        whose = "the runs" if len(names) > 1 else "the run"
        text = f"along {which} of {whose}" + ("" if names == ["run"] else f" {', '.join(names)}")
    elif sources & {*MEASURED} or sources == {"random", "checkpoint"}:
        text = "along " + " and ".join(map(_way, axes))
        if sources & {*MEASURED}:
            text += f", {'each ' if len(axes) > 1 else ''}as long as a random filter-normalised direction"
    elif any(axis.label or axis.recipe for axis in axes):
        files = dict.fromkeys(Path(str(axis.recipe["path"])).name for axis in axes if axis.recipe.get("path"))
        labels = [bare_label(axis) or axis.source or "a direction" for axis in axes]
        text = f"along {many} {plural} of {', '.join(files)}" if files else f"along {' and '.join(labels)}"
    else:
        text = f"along {many} {plural}"
    chosen = [f"{key} {surface.problem[key]!r}" for key in ("include", "exclude") if surface.problem.get(key)]
    return text + (f", only some parameters ({', '.join(chosen)})" if chosen else "")


def _way(axis: Axis) -> str:
    """Return one axis among others of another kind in words."""
    if axis.source == "random":
        norm = str(axis.recipe.get("norm"))
        return "a random direction" + (f", {NORMALIZATIONS.get(norm, norm)}" if norm != "None" else "")
    if axis.source in MEASURED:
        return _measured_way(axis)
    name = Path(str(axis.recipe.get("path") or bare_label(axis).removeprefix("towards "))).name
    return f"the way {'to' if axis.reaches_checkpoint else 'towards'} {name} (1)"


def _input_ways(surface: Surface) -> str:
    """Say how examples are moved, where the picture is about the input and no weight moves."""
    axes = surface.directions
    kinds = {"sign": "the gradient's sign", "gradient": "the gradient", "random": "a random direction"}
    kinds |= {"pgd": "the way to what projected gradient steps found", "universal": "one direction for all examples"}
    ways = " and ".join(kinds.get(str(axis.recipe.get("kind")), "a direction") for axis in axes)
    recipe = axes[0].recipe
    distance = "L∞" if recipe.get("norm") == "linf" else "L2"
    text = f"over the input, around {recipe.get('around', 'examples')}; along {ways}, in {distance} distance"
    clip = recipe.get("clip")
    if isinstance(clip, (list, tuple)) and len(clip) == 2 and all(isinstance(each, (int, float)) for each in clip):
        text += f", clipped to {clip[0]:g} to {clip[1]:g}"
    return text


def _measured_way(axis: Axis) -> str:
    """Return a direction that derivatives at the checkpoint gave, with its eigenvalue and whether it is one."""
    if axis.source == "gradient":
        return "the gradient"
    known: Any = axis.recipe.get("measured")
    known = known if isinstance(known, Mapping) else {}
    place = axis.recipe.get("index")
    text = "the sharpest direction in filter lengths"
    if axis.source == "hessian":
        ends = {0: "greatest", -1: "least"}
        which = ends.get(place) if isinstance(place, int) else None
        text = f"the eigenvector of the Hessian's {f'{which} eigenvalue' if which else f'eigenvalue {place}'}"
    numbers = [known.get("eigenvalue"), known.get("residual"), axis.recipe.get("tolerance")]
    value, residual, tolerance = (each if isinstance(each, float) else math.nan for each in numbers)
    if math.isnan(value):
        return text
    sure = residual <= tolerance * abs(value)
    return f"{text} ({number_text(value, 3)}{'' if sure else f', not converged: residual {number_text(residual, 2)}'})"


def seeds_text(surface: Surface) -> str:
    """Return the seeds of random directions, and of several draws of them; empty where none is recorded."""
    seeds = [axis.recipe.get("seed") for axis in surface.directions]
    if surface.repeats > 1:
        seeds = [axis.recipe.get("seed") for number in range(surface.repeats) for axis in surface.repeat(number).axes]
    known = [seed for seed in dict.fromkeys(seeds) if seed is not None]
    if not known:
        return f"{surface.repeats} seeds" if surface.repeats > 1 else ""
    if len(known) > 1 and isinstance(known[0], int) and known == list(range(known[0], known[0] + len(known))):
        return f"seeds {known[0]} to {known[-1]}"
    return f"seed{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}"


def angles_text(surface: Surface) -> str:
    """Return the cosines between directions; empty for one direction, several draws, or where they are not recorded."""
    if surface.cosines is None or surface.repeats > 1 or len(surface.cosines) < 2:
        return ""
    above = surface.cosines[np.triu_indices(len(surface.cosines), 1)]
    return f"cosine{'s' if len(above) > 1 else ''} {', '.join(_signed(each) for each in above)}"


def _signed(value: float) -> str:
    return "0" if abs(value) < 5e-4 else number_text(round(float(value), 3), 3)
