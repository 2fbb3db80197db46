"""One number of each group, over seeds: every seed a dot, the mean with its interval beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats

from ..style.style import look, our_style, text_width
from ..style.wording import one_line
from .groups import add_legend, compared_panel, legend_columns, look_of, told

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW = 0.3
_LONGEST = 2.4  # inches for names


@dataclass(frozen=True)
class SeedValues:
    """One group's numbers."""

    label: str
    numbers: Floats  # (seeds,)
    mean: float
    low: float  # NaN where no interval is known
    high: float
    hollow: Floats | None = None  # of networks that did not train: drawn, and in no mean


def seed_values(rows: Sequence[SeedValues], *, x: str, title: str, caption: str = "", width: float = 5.5) -> Figure:
    """Draw a row for each group.

    Parameters
    ----------
    rows : sequence of SeedValues
    x : str
        What the number is.
    title, caption : str
    width : float
        Of the figure, in inches.

    Raises
    ------
    PlotError
        There is nothing finite to draw.
    """
    every = np.concatenate(
        [[], *(row.numbers for row in rows), *(row.hollow for row in rows if row.hollow is not None)]
    )
    every = every[np.isfinite(every)]
    if not every.size:
        raise PlotError(f"{title}: no group has a finite value to draw")
    with our_style():
        labels = [one_line(row.label) for row in rows]
        room = min(max(text_width(label, look().tick) for label in labels), _LONGEST) + 0.2
        figure, ax = compared_panel(width, (_ROW * len(rows) + 0.2) * look().factor, title, caption, left=room)
        for number, row in enumerate(rows):
            colour, mark, _ = look_of(number)
            place = np.full(len(row.numbers), number + 0.16)
            ax.scatter(row.numbers, place, s=14, marker=mark, color=colour, alpha=0.65, lw=0, zorder=2)
            if row.hollow is not None and len(row.hollow):
                there = np.full(len(row.hollow), number + 0.16)
                ax.scatter(row.hollow, there, s=14, marker=mark, facecolors="none", edgecolors=colour, lw=0.7, zorder=2)
            if np.isfinite(row.mean):
                ax.plot([row.mean], [number - 0.14], "|", color=colour, ms=9, mew=1.6, zorder=4)
            if np.isfinite([row.low, row.high]).all():
                ax.plot([row.low, row.high], [number - 0.14] * 2, color=colour, lw=2.2, alpha=0.55, zorder=3)
        # Seeds set the range: an interval of two seeds may be far wider, and then ends at the panel's edge.
        # Of one number, its interval is all that there is to see.
        alone = [
            [row.low, row.high] for row in rows if len(row.numbers) == 1 and np.isfinite([row.low, row.high]).all()
        ]
        every = np.concatenate([every, *alone])
        least, most = float(every.min()), float(every.max())
        spread = (most - least) or abs(most) or 1.0
        ax.set_xlim(least - 0.35 * spread, most + 0.35 * spread)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_yticks(range(len(rows)))
        for text, label in zip(ax.set_yticklabels(labels), labels, strict=True):
            text.set_parse_math(False)
            text.set_text(label)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", lw=0.4, color="#e2e2e2", zorder=0)
        ax.set_xlabel(one_line(x), parse_math=False)
        return told(figure, title, caption)


@dataclass(frozen=True)
class Cloud:
    """One group's networks, as pairs of numbers."""

    label: str
    x: Floats  # (networks,)
    y: Floats


def scatter(
    clouds: Sequence[Cloud], *, x: str, y: str, title: str, caption: str = "", width: float = 5.5, height: float = 2.8
) -> Figure:
    """Draw one number of each network against another, a mark for each group.

    Raises
    ------
    PlotError
        There is no network with both numbers finite.
    """
    if not any((np.isfinite(cloud.x) & np.isfinite(cloud.y)).any() for cloud in clouds):
        raise PlotError(f"{title}: no network has both numbers")
    labels = [cloud.label for cloud in clouds]
    with our_style():
        columns, lines = legend_columns(labels, width - 0.8)
        figure, ax = compared_panel(width, height, title, caption, lines)
        for number, cloud in enumerate(clouds):
            colour, mark, _ = look_of(number)
            ax.scatter(cloud.x, cloud.y, s=22, marker=mark, color=colour, alpha=0.75, lw=0, label=f"{number}")
        ax.set_xlabel(one_line(x), parse_math=False)
        ax.set_ylabel(one_line(y), parse_math=False)
        add_legend(ax, labels, columns)
        return told(figure, title, caption)
