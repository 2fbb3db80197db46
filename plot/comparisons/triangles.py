"""Three scores of each group against each other, as a triangle: one spoke a score, further out is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats

from ..style.style import HAIRLINE, INK, look, our_style
from ..style.wording import one_line
from .groups import add_legend, compared_panel, legend_columns, look_of, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The first spoke points up, the others follow clockwise.
_ANGLES = np.pi / 2 - 2 * np.pi * np.arange(3) / 3
# How far groups' marks stand beside each other at a spoke, as a share of its length, so that none hides another, and
# how far the first from the last at most: further off they would belong to no spoke.
_ASIDE, _SPREAD = 0.03, 0.12
_RINGS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Triangle:
    """One group's three scores, each from 0 to 1."""

    label: str
    means: Floats  # (3,)
    lows: Floats  # (3,): of an interval, drawn from 0 to 1; NaN where none is known
    highs: Floats


def triangles(
    groups: Sequence[Triangle],
    names: Sequence[str],
    *,
    title: str,
    caption: str = "",
    width: float = 5.5,
    height: float = 3.8,
) -> Figure:
    """Draw the scores of several groups as triangles on three spokes from 0 in the middle to 1.

    A triangle's corners lie on the spokes; its marks, with their intervals, stand side by side across them.

    Parameters
    ----------
    groups : sequence of Triangle
    names : sequence of str
        Of the three scores.
    title, caption : str
    width, height : float
        Of the figure and of its panel, in inches.

    Raises
    ------
    PlotError
        There are not three names, or no group has three finite scores.
    """
    if len(names) != 3:
        raise PlotError(f"{title}: a triangle has three corners, got {len(names)}: {', '.join(names)}")
    known = [each for each in groups if np.isfinite(each.means).all()]
    if not known:
        raise PlotError(f"{title}: no group has all three scores")
    outside = [each.label for each in known if (each.means < 0).any() or (each.means > 1).any()]
    if outside:
        raise PlotError(f"{title}: scores go from 0 to 1, those of {', '.join(outside)} do not")
    labels = [each.label for each in known]
    with our_style():
        columns, lines = legend_columns(labels, width - 0.8)
        figure, ax = compared_panel(width, height, title, caption, lines, left=0.12, bottom=0.05)
        ax.set_axis_off()
        ax.set_aspect("equal")
        _spokes(ax, names)
        last = len(known) - 1
        for number, each in enumerate(known):
            _group(ax, each, number, (number - last / 2) * min(_ASIDE, _SPREAD / max(1, last)))
        ax.set_xlim(-1.25, 1.25)
        ax.set_ylim(-0.66, 1.16)
        add_legend(ax, labels, columns)
        return told(figure, title, caption)


def _spokes(ax: Axes, names: Sequence[str]) -> None:
    corners = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)
    edge = (corners[0] + corners[2]) / 2  # where numbers stand in nobody's way: half way between two spokes
    for ring in _RINGS:
        around = ring * np.concatenate([corners, corners[:1]])
        ax.plot(*around.T, color=HAIRLINE, lw=0.5, zorder=1)
        if ring < 0.5:  # lines of groups with any low score pass there
            continue
        ax.text(
            ring * edge[0], ring * edge[1], f"{ring:g}", fontsize=look().caption, color="#5a5a5a", ha="center",
            va="center", zorder=2, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip
    for (x, y), name in zip(corners, names, strict=True):
        ax.plot([0, x], [0, y], color=HAIRLINE, lw=0.7, zorder=1)
        across = "center" if abs(x) < 0.1 else "left" if x > 0 else "right"
        ax.text(
            1.05 * x, 1.06 * y, one_line(name), ha=across, va="bottom" if y > 0 else "top", color=INK,
            fontsize=look().label, parse_math=False,
        )  # fmt: skip


def _group(ax: Axes, each: Triangle, number: int, aside: float) -> None:
    colour, mark, dashes = look_of(number)
    out = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)
    beside = aside * np.stack([-np.sin(_ANGLES), np.cos(_ANGLES)], 1)
    at = each.means[:, None] * out
    ax.plot(*np.concatenate([at, at[:1]]).T, color=colour, ls=dashes, lw=1.0, zorder=3)
    ends = np.clip([each.lows, each.highs], 0, 1)[..., None] * out + beside
    for corner in range(3):
        if np.isfinite(ends[:, corner]).all():
            ax.plot(*ends[:, corner].T, color=colour, lw=1.6, solid_capstyle="butt", zorder=4)
    ax.plot(*(at + beside).T, color=colour, ls="none", marker=mark, ms=4, mew=0, zorder=6)
    ax.plot([], [], color=colour, ls=dashes, lw=1.0, marker=mark, ms=4, label=f"{number}")
