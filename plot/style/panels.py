"""Which panels a figure has: one a surface, or one a seed, or one a slice of a volume."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landscape.errors import PlotError
from landscape.surface.surface import Surface

from ..scale.levels import number_text
from .captions import origin_text, panel_title
from .direction_words import GREEK

# More slices or seeds than this would be stamps.
MOST_PANELS = 9


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """One part of a figure."""

    surface: Surface
    title: str
    subtitle: str = ""


def panels_of(surfaces: Sequence[Surface], titles: Sequence[str] | None = None) -> tuple[list[Panel], list[str]]:
    """Return the panels of planes and volumes, and sentences about what was left out."""
    known = titles_of(surfaces, titles)
    panels: list[Panel] = []
    notes: list[str] = []
    for surface, title in zip(surfaces, known, strict=True):
        several = surface.repeats > 1
        for number in _chosen(surface.repeats, None, notes, "seeds") if several else [0]:
            each = surface.repeat(number)
            seed = _seed(each)
            name = ", ".join(part for part in (title, f"seed {seed}" if several and seed else "") if part)
            subtitle = "" if several else origin_text(each)
            if len(each.axes) == 2:
                panels.append(Panel(each, name if not several else (name or f"repetition {number}"), subtitle))
            elif len(each.axes) == 3:
                panels += _slices(each, name, notes, only_middle=several)
            else:
                raise PlotError(f"{surface.path or 'the surface'} has {len(each.axes)} axes; 1, 2 or 3 can be drawn")
    return panels, list(dict.fromkeys(notes))


# Of runs that are there, and yet not to be seen.
THROUGH = "runs through a volume lie in none of its slices"


def without_runs_through(surfaces: Sequence[Surface]) -> tuple[list[Surface], list[str]]:
    """Return surfaces of which volumes have no runs, and a sentence where some had: they lie in none of the slices."""
    through = [bool(each.trajectories) and len(each.directions) > 2 for each in surfaces]
    kept = [
        dataclasses.replace(each, trajectories={}) if left_out else each
        for each, left_out in zip(surfaces, through, strict=True)
    ]
    return kept, [f"R{THROUGH[1:]}, and are left out"] if any(through) else []


def titles_of(surfaces: Sequence[Surface], titles: Sequence[str] | None) -> list[str]:
    """Return a title for each surface, told apart by the folder where two files are called the same."""
    if titles is not None:
        if len(titles) != len(surfaces):
            raise PlotError(f"{len(titles)} titles were given for {len(surfaces)} surfaces; give one for each")
        return list(titles)
    found = [panel_title(each) for each in surfaces]
    return [
        f"{Path(each.path).resolve().parent.name}/{title}" if found.count(title) > 1 and each.path else title
        for each, title in zip(surfaces, found, strict=True)
    ]


def _chosen(number: int, zero: int | None, notes: list[str], what: str) -> list[int]:
    """Return at most ``MOST_PANELS`` of so many indices, evenly spread, with one of them included."""
    if number <= MOST_PANELS:
        return list(range(number))
    picked = sorted({round(each) for each in np.linspace(0, number - 1, MOST_PANELS)})
    if zero is not None and zero not in picked:
        picked[int(np.argmin([abs(each - zero) for each in picked]))] = zero
    notes.append(f"Shown are {len(picked)} of {number} {what}.")
    return picked


def _seed(surface: Surface) -> str:
    seeds = dict.fromkeys(axis.recipe.get("seed") for axis in surface.axes if axis.recipe.get("seed") is not None)
    return ", ".join(map(str, seeds))


def _slices(volume: Surface, title: str, notes: list[str], *, only_middle: bool) -> list[Panel]:
    """Cut a volume across its third axis."""
    volume = volume.finished_part()
    z = volume.axes[2]
    middle = int(np.argmin(np.abs(z.values)))
    numbers = [middle] if only_middle else _chosen(len(z), middle, notes, "slices")
    if only_middle:
        notes.append(f"Of each volume the slice nearest to {GREEK[2]} = 0 is shown.")
    slices = []
    for k in numbers:
        name = f"{GREEK[2]} = {number_text(float(z.values[k]), 3)}"
        surface = dataclasses.replace(
            volume.part_at(k, volume.axes[:2]), cosines=None if volume.cosines is None else volume.cosines[:2, :2]
        )
        if z.values[k] != 0:
            # The checkpoint does not lie in this slice: no star, no values at it.
            surface = dataclasses.replace(surface, origin={**surface.origin, "elsewhere": True})
        slices.append(Panel(surface, ", ".join(filter(None, (title, name)))))
    return slices
