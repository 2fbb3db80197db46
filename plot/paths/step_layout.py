"""Where the panels of a run over its steps lie: two a row, or one in a column of a paper; in inches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from landscape.errors import UsageError

from ..style.layout import CAPTION_PAD
from ..style.style import look, text_width, wrapped

# Without a size: two columns of panels of this width, and their height by width in two columns and in one.
PANEL, FLAT, FLATTER = 2.9, 1.9 / 2.9, 0.5
# All of these at our own size of letters.
LEFT, RIGHT, BOTTOM, GAP = 0.62, 0.2, 0.5, 0.78
HEAD_LINE, HEAD_PAD, TITLE_PAD = 0.2, 0.1, 0.09
# A panel lower than this shows nothing.
LOWEST = 0.65
CAPTION_SPACING = 1.25


@dataclass(frozen=True)
class StepLayout:
    """Sizes of the figure in inches."""

    size: tuple[float, float]
    columns: int
    panel: tuple[float, float]
    titles: tuple[tuple[str, ...], ...]  # of each panel, broken into lines
    title: tuple[str, ...]  # of the figure
    caption: tuple[str, ...]
    caption_height: float
    head: float
    factor: float
    title_height: float  # of each panel

    @property
    def rows(self) -> int:
        """How many rows of panels there are."""
        return math.ceil(len(self.titles) / self.columns)

    def place(self, number: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of a panel, as shares of the figure."""
        row, column = divmod(number, self.columns)
        width, height = self.size
        x = LEFT * self.factor + column * (self.panel[0] + GAP * self.factor)
        y = height - self.head - (row + 1) * (self.title_height + self.panel[1]) - row * BOTTOM * self.factor
        return x / width, y / height, self.panel[0] / width, self.panel[1] / height


def lay_out_steps(
    titles: Sequence[str],
    title: str,
    caption: str,
    *,
    size: tuple[float, float | None] | None,
    narrowest: float,
    legend: Sequence[float] = (),
) -> StepLayout:
    """Fit panels, their titles, the figure's own title and a caption into a figure.

    Parameters
    ----------
    titles : sequence of str
        One a panel.
    title, caption : str
    size : (float, float or None) or None
        Of the figure; without a height, what suits its width.
    narrowest : float
        Of a panel: what its legend takes.
    legend : sequence of float
        Widths of what stands in the line of the title, or below it where there is no room.

    Raises
    ------
    UsageError
        A figure of this size has no room for the panels.
    """
    tried = [_fitted(columns, titles, title, caption, size, legend) for columns in (2, len(titles), 1)]
    fitting = [each for each in tried if each.panel[0] >= narrowest and each.panel[1] >= LOWEST * each.factor]
    if fitting:
        return fitting[0]
    assert size is not None
    wide = [each for each in tried if each.panel[0] >= narrowest]
    asked = " x ".join(f"{each:g}" for each in size if each is not None)
    if wide:
        height = min(each.size[1] + each.rows * (LOWEST * each.factor - each.panel[1]) for each in wide)
        needed = f"with this width it takes a height of {math.ceil(10 * height) / 10:g}, or the one it gets by itself"
    else:
        needed = f"it takes a width of {math.ceil(10 * (size[0] + narrowest - tried[-1].panel[0])) / 10:g}"
    raise UsageError(f"a figure of {asked} inches has no room for {len(titles)} panels over steps; {needed}")


def _fitted(
    columns: int,
    titles: Sequence[str],
    title: str,
    caption: str,
    size: tuple[float, float | None] | None,
    legend: Sequence[float],
) -> StepLayout:
    factor = look().factor
    rows = math.ceil(len(titles) / columns)
    beside = (LEFT + RIGHT + (columns - 1) * GAP) * factor
    width = beside + columns * PANEL if size is None else size[0]
    across = (width - beside) / columns
    broken = tuple(tuple(wrapped(each, max(across, 0.1), look().title - 0.5)) for each in titles)
    above = max(map(len, broken)) * 1.2 * (look().title - 0.5) / 72 + TITLE_PAD * factor
    words = wrapped(title, width - (LEFT + RIGHT) * factor, look().title + 1, "bold")
    beneath = bool(legend) and not (
        len(words) == 1
        and text_width(title, look().title + 1, "bold") + sum(legend) < width - (LEFT + 2 * RIGHT) * factor
    )
    lines = len(words) + (legend_rows(legend, width - (LEFT + RIGHT) * factor) if beneath else 0)
    head = HEAD_PAD + lines * HEAD_LINE * factor
    # A screen rounds letters to whole pixels, which makes a line up to 2 % longer than it is on paper.
    written = wrapped(caption, 0.98 * (width - 2 * CAPTION_PAD), look().caption)
    foot = len(written) * CAPTION_SPACING * look().caption / 72 + 0.12 if written else 0.0
    fixed = head + rows * above + rows * BOTTOM * factor + foot
    flat = FLAT if columns > 1 else FLATTER
    down = across * flat if size is None or size[1] is None else (size[1] - fixed) / rows
    return StepLayout(
        (width, fixed + rows * down),
        columns,
        (across, down),
        broken,
        tuple(words),
        tuple(written),
        foot,
        head,
        factor,
        above,
    )


def legend_rows(widths: Sequence[float], room: float) -> int:
    """Return how many lines entries of these widths take, as many in each."""
    return math.ceil(len(widths) / legend_columns(widths, room))


def legend_columns(widths: Sequence[float], room: float) -> int:
    """Return how many entries stand beside each other."""
    return max(1, min(len(widths), int(room / max(widths, default=1.0))))
