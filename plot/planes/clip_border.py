"""Where clipping to the valid range begins, on planes over the input: a dotted border, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patheffects import Normal, withStroke

from landscape.surface.grid import Floats

from ..style.style import INK, look
from .marks import Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLIPPED = "clipped_share"
# Shares of numbers that clipping changed: less is the rounding of one pixel.
_SOME = 1e-6


def _share(sheet: Sheet) -> Floats | None:
    """Return the share of the inputs' numbers that clipping changes at each point; None where nothing is clipped."""
    share = sheet.surface.values.get(f"{sheet.name.rpartition('/')[0]}/{CLIPPED}")
    return share if share is not None and np.isfinite(share).any() and np.nanmax(share) > _SOME else None


def _has_border(share: Floats) -> bool:
    """Return whether there is an area without clipping: of points alone a border would be a dot under the star."""
    free = share <= _SOME
    return bool((free[:-1, :-1] & free[1:, :-1] & free[:-1, 1:] & free[1:, 1:]).any())


def draw_clip_border(ax: Axes, sheet: Sheet) -> None:
    """Draw where clipping begins."""
    share = _share(sheet)
    if share is not None and _has_border(share):
        width = 1.0 * look().factor
        border = ax.contour(
            sheet.x, sheet.y, share, levels=[_SOME], zorder=1.8, colors=INK, linewidths=width, linestyles=":"
        )
        # To be seen on dark ground, too.
        border.set_path_effects([withStroke(linewidth=2.4 * width, foreground="white"), Normal()])


def clip_notes(sheets: Sequence[Sheet], *, drawn: bool = True) -> list[str]:
    """Say what the dots are; where nothing but points is left unclipped, that this is so."""
    shares = [each for each in map(_share, sheets) if each is not None]
    notes = []
    if drawn and any(map(_has_border, shares)):
        notes.append("Dotted: beyond it, clipping to the valid range changes the input")
    if bare := [each for each in shares if not (drawn and _has_border(each))]:
        points = sum(int((each > _SOME).sum()) for each in bare)
        known = sum(int(np.isfinite(each).sum()) for each in bare)
        notes.append(f"Clipping to the valid range changes the input at {points:,} of {known:,} points")
    return notes
