"""The barrier between two networks: how far the loss rises above the straight line from one to the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patheffects import withStroke

from landscape.surface.derived.loss_barrier import above_chord, barrier
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface

from ..scale.levels import number_text
from ..style.placement import Box, Room, to_points
from ..style.style import BLUE, look

log = logging.getLogger(__name__)
# A barrier lower than this, in points, is no place for an arrow.
SHORTEST = 14.0

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_barrier(ax: Axes, surface: Surface, name: str) -> None:
    """Shade the barrier between two checkpoints, with an arrow as high as it is; `label_barrier` writes the number."""
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
    factor = look().factor
    ax.plot(x, chord, color=BLUE, lw=0.6 * factor, ls=(0, (2, 2)), zorder=1.6, label="chord")
    foot, peak = _arrow(ax, surface, name)
    if peak[1] - foot[1] >= SHORTEST:
        ends = to_points(ax).inverted().transform([foot, peak])
        arrow = {"arrowstyle": "<->", "color": BLUE, "lw": 0.7 * factor, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", ends[0], ends[1], arrowprops={**arrow, "mutation_scale": 6 * factor}, zorder=4)


def label_barrier(ax: Axes, surface: Surface, name: str, room: Room) -> None:
    """Write the barrier's height where nothing else is: beside its arrow, above its top, or as near as there is room.

    The data set is named with it: of training and test loss one barrier is drawn.
    """
    top = barrier(surface, name)
    if top is None or top[0] == 0:
        return
    data = name.rpartition("/")[0]
    number, data = f"barrier {number_text(top[0], 3)}", name.rpartition("/")[0]
    texts = [f"{number} ({data})", f"{number}\n({data})"] if data else [number]
    few = number_text(top[0], 3)
    foot, peak = _arrow(ax, surface, name)
    size, away = look().small, 0.6 * look().small
    if peak[1] - foot[1] >= SHORTEST:
        room.take_line([foot, peak], 1.0)
        # Beside the arrow, from a little below its middle outwards.
        rises = [foot[1] + (peak[1] - foot[1]) * each for each in sorted(np.linspace(0.05, 0.95, 19), key=_from_middle)]
    else:
        rises = []
    beside = [((peak[0] + side * away, y), (-side, 0.0)) for y in rises for side in (1, -1)]
    tried: list[tuple[str, Any, tuple[float, float]]] = [(each, *place) for each in texts for place in beside]
    # Else above the top, or farther and farther off.
    tried.append((texts[0], (peak[0], peak[1] + away), (0.0, -1.0)))
    for reach in size * np.arange(2.0, 24.0):
        for turn in 2 * np.pi * np.arange(16) / 16:
            way = np.array([np.cos(turn), np.sin(turn)])
            tried.append((texts[0], tuple((foot + peak) / 2 + reach * way), (-float(np.sign(way[0])), 0.0)))
    # Beside its arrow the number alone says what it is; the caption has the words.
    tried += [(few, *place) for place in beside]
    boxes = [Box.of_text(text, size, spot, align) for text, spot, align in tried]
    chosen = room.choose(boxes, take=False)
    if room.depth(boxes[chosen]) > 0:
        log.warning("there is no room for the height of the barrier, %s: say it in the text", few)
        return
    if tried[chosen][0] == few:
        log.warning("there is no room for more than %s of %r: say it in the text", few, texts[0])
    room.take(boxes[chosen])
    style: dict[str, Any] = {"path_effects": [withStroke(linewidth=1.6, foreground="white", alpha=0.85)]}
    x, y = to_points(ax).inverted().transform(boxes[chosen].middle)
    style |= {"fontsize": size, "color": BLUE, "zorder": 5, "gid": "barrier"}
    ax.text(x, y, tried[chosen][0], ha="center", va="center", **style)


def _from_middle(share: float) -> float:
    return abs(share - 0.45)


def barrier_notes(surface: Surface, names: Sequence[str]) -> list[str]:
    """Return a sentence for the caption: what is shaded, and the barrier of each loss."""
    tops = {name: barrier(surface, name) for name in names}
    first = tops[names[0]] if names else None
    if not first:
        return []
    texts = [f"{number_text(top[0], 3)} ({name.rpartition('/')[0] or name})" for name, top in tops.items() if top]
    return [
        f"Barrier: how far the loss rises above the straight line between both ends, {', '.join(texts)}"
        + (f"; shaded for {names[0].rpartition('/')[0]}" if len(names) > 1 and first[0] else "")
    ]


def _arrow(ax: Axes, surface: Surface, name: str) -> Floats:
    """Return foot and top of the barrier at its highest, in points; the limits of the axes are set before."""
    top, found = barrier(surface, name), above_chord(surface, name)
    assert top is not None
    assert found is not None
    x, _, chord = found
    height, place = top
    foot = float(np.interp(place, x, chord))
    return np.asarray(to_points(ax).transform([(place, foot), (place, foot + height)]))
