"""Legends and remarks inside axes, where nothing is drawn; where there is no such place, the axes grow upwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.surface.grid import Floats

from .placement import CLEAR, SCREEN, Box, Room
from .style import SOFT_INK, look, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# In font sizes: samples of lines, the space behind them, from line to line, and around all.
HANDLE, HANDLE_GAP, LINE, PAD = 2.2, 0.8, 1.5, 0.2
# Places across and upwards that are tried; how often axes grow, and by what share of their height.
PLACES = 9
MOST_GROWTHS, GROWTH = 8, 0.12


def legend_size(labels: Sequence[str]) -> tuple[float, float]:
    """Return width and height of a legend in points, its entries below each other, of one line or several."""
    size = look().tick
    lines = [line for label in labels for line in label.split("\n")]
    width = max(text_width(each, size) for each in lines) * 72 * SCREEN
    return width + (HANDLE + HANDLE_GAP + 2 * PAD) * size, (LINE * len(lines) + 2 * PAD) * size


def spots_in(room: Room, half: Sequence[float]) -> Floats:
    """Return middles of boxes all over a room's frame, shape (n, 2), the corners first, the upper right one of them."""
    assert room.frame is not None
    margin = np.asarray(half) + CLEAR + 1.0
    low, high = room.frame[0] + margin, room.frame[1] - margin
    shares = np.linspace(1, 0, PLACES)
    spots = np.array([(x, y) for y in shares for x in shares])
    inner = (spots % 1 != 0).any(axis=1)
    return np.asarray(low + (high - low) * np.concatenate([spots[~inner], spots[inner]]))


def place_legend(ax: Axes, handles: Sequence[Line2D], room_of: Callable[[Axes], Room] = Room.of) -> None:
    """Draw a legend where it lies on nothing.

    Parameters
    ----------
    ax : Axes
        Whose upper limit is raised where there is no such place: what is drawn sinks, and leaves room above.
    handles : sequence of Line2D
        With their labels.
    room_of : callable
        Returns what is taken; asked again where limits have changed.
    """
    size = legend_size([str(each.get_label()) for each in handles])
    half = size[0] / 2, size[1] / 2
    for left in range(MOST_GROWTHS, -1, -1):
        room = room_of(ax)
        boxes = [Box(spot, half) for spot in spots_in(room, half)]
        best = room.choose(boxes, take=False)
        if room.depth(boxes[best]) <= 0 or not left:
            break
        grow(ax)
    legend = ax.legend(
        handles=list(handles), loc="center", bbox_to_anchor=_share(room, boxes[best].middle), fontsize=look().tick,
        bbox_transform=ax.transAxes, handlelength=HANDLE, handletextpad=HANDLE_GAP, borderpad=PAD, borderaxespad=0.0,
        labelspacing=0.3, frameon=False,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def grow(ax: Axes) -> None:
    """Raise the upper limit: what is drawn sinks, and leaves room above."""
    low, high = ax.transScale.transform([(0.0, each) for each in ax.get_ylim()])[:, 1]
    raised = ax.transScale.inverted().transform((0.0, high + GROWTH * (high - low)))[1]
    ax.set_ylim(top=float(raised))


def has_room(text: str, room: Room) -> bool:
    """Return whether a remark finds a place where it lies on nothing."""
    bare = Box.of_text(text, look().tick, (0.0, 0.0), pad=1.0).half
    return any(room.depth(Box(spot, bare)) <= 0 for spot in spots_in(room, bare))


def place_remark(ax: Axes, text: str, near: Floats, room: Room, gid: str) -> None:
    """Write a text of one line or several as near to a spot, in points of the figure, as it lies on nothing."""
    bare = Box.of_text(text, look().tick, (0.0, 0.0), pad=1.0).half
    spots = spots_in(room, bare)
    spots = spots[np.argsort(np.hypot(*(spots - near).T), kind="stable")]
    middle = Box.of_text(text, look().tick, near, (-1.0, 1.0)).middle
    boxes = [Box(np.asarray(spot), bare) for spot in (middle, *spots)]
    style: dict[str, Any] = {"ha": "center", "va": "center", "multialignment": "left", "color": SOFT_INK}
    at = _share(room, boxes[room.choose(boxes)].middle)
    ax.annotate(text, at, xycoords="axes fraction", fontsize=look().tick, gid=gid, parse_math=False, **style)


def _share(room: Room, spot: Floats) -> tuple[float, float]:
    assert room.frame is not None
    x, y = (spot - room.frame[0]) / (room.frame[1] - room.frame[0])
    return float(x), float(y)
