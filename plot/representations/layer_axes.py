"""Ticks on an axis of layers: by stage, not by every layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from landscape.surface.reports.similarity import NetworkLayers

from ..style.style import HAIRLINE, fitting, look, text_width
from ..style.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Groups of layers that an axis names at most.
_MOST = 9
_DEEPEST = 6
_LONGEST = 0.75  # inches that the name of a stage may take


def stages(network: NetworkLayers) -> list[tuple[str, int, int]]:
    """Return runs of layers that share the beginning of their names: name, first layer, behind the last one.

    As many words of the names are taken as give `_MOST` runs or fewer; where even one word gives more, some layers
    are named alone, evenly spread.
    """
    names = [one_line(name) or "output" for name in network.layers]
    best: list[tuple[str, int, int]] = []
    for depth in range(1, _DEEPEST):
        runs = _runs([".".join(name.split(".")[:depth]) for name in names])
        large = [run for run in runs if run[2] - run[1] > 1]
        if len(large) > _MOST or (len(runs) > _MOST and not large):
            break
        if len(large) > len([run for run in best if run[2] - run[1] > 1]) or not best:
            best = runs
    if best:
        return best
    step = max(1, -(-len(names) // _MOST))
    return [(names[k], k, k + 1) for k in range(0, len(names), step)]


def longest_name(network: NetworkLayers) -> float:
    """Return the width of the longest name that `name_layers` may write, in inches."""
    return min(max(text_width(name, look().tick) for name, _, _ in stages(network)), _LONGEST)


def _runs(names: Sequence[str]) -> list[tuple[str, int, int]]:
    found, start = [], 0
    for name, members in groupby(names):
        number = len(list(members))
        found.append((name, start, start + number))
        start += number
    return found


def name_layers(ax: Axes, network: NetworkLayers, *, axis: str, length: float, labelled: bool = True) -> None:
    """Put ticks of stages on an axis whose layers lie at 0, 1, ...

    Parameters
    ----------
    ax : Axes
    network : NetworkLayers
    axis : {"x", "y"}
    length : float
        Of the axis, inches: names that would touch are left out, the smallest stages first.
    labelled : bool
        Whether names are written, not only marks between stages.
    """
    runs = stages(network)
    total = max(len(network.layers), 1)
    size = look().tick
    room = size * 1.25 / 72 if axis == "y" else None
    taken: list[tuple[float, float]] = []
    ticks: dict[float, str] = {}
    for name, first, end in sorted(runs, key=lambda run: run[1] - run[2]):
        middle = (first + end - 1) / 2
        shown = name[: max(fitting(name, _LONGEST, size), 3)]
        half = (room if room is not None else text_width(shown, size) + 0.06) / 2
        place = (middle + 0.5) / total * length
        if all(place + half <= low or place - half >= high for low, high in taken):
            taken.append((place - half, place + half))
            ticks[middle] = shown
    places = sorted(ticks)
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    chosen.set_ticks(places, [ticks[each] for each in places] if labelled else [""] * len(places))
    ends = [first - 0.5 for _, first, _ in runs[1:]]
    chosen.set_ticks(ends, minor=True)
    ax.tick_params(axis="x" if axis == "x" else "y", which="major", length=0)
    ax.tick_params(axis="x" if axis == "x" else "y", which="minor", length=2.5, width=0.5, color=HAIRLINE)
    for label in chosen.get_ticklabels():
        label.set_parse_math(False)
