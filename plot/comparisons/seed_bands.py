"""Lines over seeds: the mean of each group with a band, single runs behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats

from ..style.style import our_style
from ..style.wording import one_line
from .groups import add_legend, compared_panel, legend_columns, look_of, told

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Greatest value over least: beyond it an arithmetic mean is the greatest alone, and its interval reaches below 0.
_LOG_FROM = 50.0


@dataclass(frozen=True)
class Band:
    """One group's line."""

    label: str
    x: Floats  # (n,)
    middle: Floats  # (n,)
    low: Floats  # (n,): NaN where no interval is known
    high: Floats
    runs: Floats  # (runs, n): each run by itself


def spans_decades(values: Floats) -> bool:
    """Whether values are read on a logarithmic axis: all above 0, and far apart. Means are then geometric ones."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() / finite.min() > _LOG_FROM)


def seed_bands(
    bands: Sequence[Band],
    *,
    x: str,
    y: str,
    title: str,
    caption: str = "",
    logarithmic: bool = False,
    width: float = 5.5,
    height: float = 2.6,
) -> Figure:
    """Draw the groups' lines.

    Parameters
    ----------
    bands : sequence of Band
    x, y : str
        Labels of the axes.
    title, caption : str
    logarithmic : bool
        The heights are logarithmic: their means and intervals should then be those of logarithms.
    width, height : float
        Of the figure and of its panel, in inches.

    Raises
    ------
    PlotError
        There is nothing finite to draw.
    """
    finite = np.concatenate([np.concatenate([band.middle, band.runs.ravel()]) for band in bands] or [np.zeros(0)])
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        raise PlotError(f"{title}: no group has a finite value to draw")
    labels = [band.label for band in bands]
    with our_style():
        columns, lines = legend_columns(labels, width - 0.8)
        figure, ax = compared_panel(width, height, title, caption, lines)
        for number, band in enumerate(bands):
            colour, _, dashes = look_of(number)
            if len(band.runs) > 1:
                ax.plot(band.x, band.runs.T, color=colour, lw=0.5, alpha=0.45, zorder=1)
            known = np.isfinite(band.low) & np.isfinite(band.high)
            if known.any():
                ax.fill_between(band.x, band.low, band.high, where=known.tolist(), color=colour, alpha=0.18, lw=0)
            ax.plot(band.x, band.middle, dashes, color=colour, zorder=3, label=f"{number}")
        # The lines are what is looked at; a band of two seeds may reach far beyond.
        least, most = float(finite.min()), float(finite.max())
        if logarithmic:
            ax.set_yscale("log")
            ax.set_ylim(least / 1.3, most * 1.3)
        else:
            room = 0.06 * (most - least) or 0.05 * abs(most) or 0.5
            ax.set_ylim(least - room, most + room)
        ax.margins(x=0.01)
        ax.set_xlabel(one_line(x), parse_math=False)
        ax.set_ylabel(one_line(y), parse_math=False)
        add_legend(ax, labels, columns)
        return told(figure, title, caption)
