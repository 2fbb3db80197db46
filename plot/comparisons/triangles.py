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
# How far groups' intervals stand beside a spoke, as a share of its length, so that they do not hide each other.
_ASIDE = 0.018
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
        figure, ax = compared_panel(width, height, title, caption, lines, left=0.12)
        ax.set_axis_off()
        ax.set_aspect("equal")
        _spokes(ax, names)
        for number, each in enumerate(known):
            _group(ax, each, number, (number - (len(known) - 1) / 2) * _ASIDE)
        ax.set_xlim(-1.25, 1.25)
        ax.set_ylim(-0.62, 1.16)
        add_legend(ax, labels, columns)
        return told(figure, title, caption)


def _spokes(ax: Axes, names: Sequence[str]) -> None:
    corners = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)
    for ring in _RINGS:
        around = ring * np.concatenate([corners, corners[:1]])
        ax.plot(*around.T, color=HAIRLINE, lw=0.5, zorder=1)
        ax.text(0.012, ring + 0.012, f"{ring:g}", fontsize=look().caption, color="#5a5a5a", zorder=1)
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
    beside = np.stack([-np.sin(_ANGLES), np.cos(_ANGLES)], 1)
    at = each.means[:, None] * out
    around = np.concatenate([at, at[:1]])
    ax.fill(*at.T, color=colour, alpha=0.06, lw=0, zorder=2)
    ax.plot(*around.T, color=colour, ls=dashes, lw=1.2, marker=mark, ms=4, zorder=4, label=f"{number}")
    for corner, (low, high) in enumerate(zip(each.lows, each.highs, strict=True)):
        if np.isfinite([low, high]).all():
            ends = np.clip([[low], [high]], 0, 1) * out[corner] + aside * beside[corner]
            ax.plot(*ends.T, color=colour, lw=2.4, alpha=0.6, solid_capstyle="butt", zorder=3)
