"""The barrier between two networks: how far the loss rises above the straight line from one to the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patheffects import withStroke

from landscape.paths import above_chord, barrier
from landscape.surface import Surface

from .ladders import number_text
from .style import BLUE, SMALL_SIZE

# A barrier lower than this, in points, is no place for an arrow.
SHORTEST = 14.0

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_barrier(ax: Axes, surface: Surface, name: str) -> None:
    """Shade the barrier between two checkpoints, and write its height where it is highest."""
    top, found = barrier(surface, name), above_chord(surface, name)
    if top is None or found is None or top[0] == 0:
        return
    x, values, chord = found
    ax.fill_between(
        x,
        chord,
        values,
        where=values > chord,
        interpolate=True,
        color=BLUE,
        alpha=0.1,
        lw=0,
        zorder=1.5,
        label="barrier",
    )
    ax.plot(x, chord, color=BLUE, lw=0.6, ls=(0, (2, 2)), zorder=1.6, label="chord")
    height, place = top
    foot = float(np.interp(place, x, chord))
    text = f"barrier {number_text(height, 3)}"
    style: dict[str, Any] = {
        "textcoords": "offset points",
        "fontsize": SMALL_SIZE,
        "color": BLUE,
        "zorder": 5,
        "path_effects": [withStroke(linewidth=1.6, foreground="white", alpha=0.85)],
        "gid": "barrier",
    }
    figure = ax.get_figure(root=True)
    assert figure is not None
    # On the screen; the limits of the axis are set before.
    low, high = ax.transData.transform([(place, foot), (place, foot + height)])[:, 1] / figure.dpi * 72
    if high - low < SHORTEST:
        ax.annotate(text, (place, foot + height), xytext=(0, 4), ha="center", va="bottom", **style)
        return
    arrow = {"arrowstyle": "<->", "color": BLUE, "lw": 0.7, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 6}
    ax.annotate("", (place, foot), (place, foot + height), arrowprops=arrow, zorder=4)
    ax.annotate(text, (place, foot + 0.45 * height), xytext=(4, 0), va="center", **style)
