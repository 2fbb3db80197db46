"""Sizes of figures for one's own paper: so many inches, or the width of a venue's text.

A picture that is exactly as wide as it will be printed keeps the size of its letters; LaTeX need not scale it.

Widths are those of the venues' own style files and author instructions: NeurIPS and ICLR 5.5 in of text, ICML two
columns of 3.25 in and 6.75 in over both, CVPR 3 1/4 in and 6 7/8 in, JMLR 6 in. The package tueplots [1]_ lists the
same, in TeX's points.

References
----------
.. [1] https://github.com/pnkraemer/tueplots, ``tueplots/figsizes.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from landscape.errors import UsageError

# Inches. What is "wide" goes over both columns; single and double fit all of these two-column papers.
WIDTHS = {
    "neurips": 5.5,
    "iclr": 5.5,
    "jmlr": 6.0,
    "icml": 3.25,
    "icml-wide": 6.75,
    "cvpr": 3.25,
    "cvpr-wide": 6.875,
    "single": 3.25,
    "double": 6.75,
}
# Inches: smaller is a stamp, larger a wall, whose pixels no memory holds.
LEAST, MOST = 1.0, 60.0


def page_size(size: str | float | Sequence[float] | None) -> tuple[float, float | None] | None:
    """Return width and height of a figure in inches; without a height, it is what suits the width.

    Parameters
    ----------
    size : str, float, (float, float) or None
        ``"neurips"`` and other names of `WIDTHS`, ``"5.5x3"``, ``"5.5"``, ``5.5``, ``(5.5, 3)``.

    Raises
    ------
    UsageError
        No such name, or no size.

    Examples
    --------
    >>> page_size("icml"), page_size("5.5x3")
    ((3.25, None), (5.5, 3.0))
    """
    if size is None:
        return None
    if isinstance(size, str) and size.lower() in WIDTHS:
        return WIDTHS[size.lower()], None
    try:
        given = size.lower().replace("×", "x").split("x") if isinstance(size, str) else size
        numbers = [float(given)] if isinstance(given, int | float) else [float(each) for each in given]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, 2) or not all(math.isfinite(each) and LEAST <= each <= MOST for each in numbers):
        raise UsageError(
            f"a size is WIDTHxHEIGHT in inches, such as 5.5x3, or a width, {LEAST:g} to {MOST:g} each, or one of "
            f"{', '.join(WIDTHS)}; not {size!r}"
        )
    return numbers[0], numbers[1] if len(numbers) == 2 else None
