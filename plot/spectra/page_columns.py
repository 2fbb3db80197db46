"""Two columns of panels on a page of a size that was asked for: how wide and how high they get."""

from __future__ import annotations

from landscape.errors import UsageError

from ..style.framed import Page

# A panel narrower or lower than this shows nothing, in inches.
NARROWEST, LOWEST = 1.1, 0.6


def column_width(width: float, left: float, gap: float, right: float) -> float:
    """Return the width of each of two panels beside each other, in inches.

    Raises
    ------
    UsageError
        They would be too narrow.
    """
    found = (width - left - gap - right) / 2
    if found < NARROWEST:
        needed = left + gap + right + 2 * NARROWEST
        raise UsageError(
            f"the panels do not fit into a figure of {width:g} inches; it takes a width of {needed + 0.05:.1f}"
        )
    return found


def panel_height(page: Page, usual: float, fixed: float, rows: int, *, caption: bool) -> float:
    """Return the height of panels in so many rows where ``fixed`` inches are for texts; the usual one without a height.

    Raises
    ------
    UsageError
        They would be too low.
    """
    if page is None or page[1] is None:
        return usual
    found = (page[1] - fixed) / rows
    if found < LOWEST:
        needed = fixed + rows * LOWEST
        less = ", less without the caption (--no-caption)" if caption else ""
        raise UsageError(
            f"the panels do not fit into a figure of {page[0]:g} x {page[1]:g} inches; with this width it takes a "
            f"height of {needed + 0.05:.1f}{less}"
        )
    return found
