"""Where panels, colour bars, titles and the caption lie in a figure, in inches."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .scale import Scale
from .style import CAPTION_SIZE, TITLE_SIZE, text_width, wrapped

LEFT, RIGHT, BOTTOM, TOP = 0.58, 0.14, 0.42, 0.10
TITLE, SUBTITLE, HEADLINE = 0.20, 0.15, 0.30
BAR_GAP, BAR_WIDTH, BAR_TEXT = 0.12, 0.13, 0.68
CAPTION_LINE = CAPTION_SIZE * 1.32 / 72
CAPTION_PAD = 0.09
# Between lines of a title, in font sizes; and the size below which it is rather cut.
TITLE_SPACING = 1.2
SMALLEST_TITLE = 7.5
# Of one panel's width, by the number of columns: a figure of two or more fits a page of 7 inches.
WIDTHS = {1: 3.75, 2: 2.75, 3: 2.2, 4: 1.9}
SURFACE_WIDTHS = {1: 5.4, 2: 4.1, 3: 3.4, 4: 2.9}


@dataclass(frozen=True)
class Plan:
    """What was asked for of a whole figure, whatever is in it."""

    scale: Scale | None  # one for all panels; without it, what `Scale.of` makes of `chosen`
    chosen: Mapping[str, Any]
    independent: bool
    titles: Sequence[str] | None
    columns: int | None
    headline: str
    caption: bool
    shown: bool  # on a screen, perhaps


@dataclass(frozen=True)
class Layout:
    """Sizes of a figure with equal panels in rows and columns; all in inches, from the lower left corner."""

    columns: int
    rows: int
    panel: tuple[float, float]
    left: float  # of each panel: room for its ticks and label
    right: float
    bottom: float
    top: float  # of each panel: room for its title
    bar: float  # to the right of each panel (own bars) or of all (shared)
    shared_bar: bool
    headline: float
    caption: tuple[str, ...]
    inner_left: float  # as left, for panels that are not the first of their row
    title_size: float = TITLE_SIZE  # points, of all panels alike
    title_lines: int = 1

    @property
    def cell(self) -> tuple[float, float]:
        """Width of a panel that is not the first of its row, and height, both with what belongs to it."""
        own = 0.0 if self.shared_bar else self.bar
        return self.inner_left + self.panel[0] + self.right + own, self.bottom + self.panel[1] + self.top

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the figure."""
        shared = self.bar if self.shared_bar else 0.0
        width = self.left - self.inner_left + self.columns * self.cell[0] + shared
        return width, TOP + self.headline + self.rows * self.cell[1] + self.caption_height

    @property
    def caption_height(self) -> float:
        """Height of the caption with its margins."""
        return len(self.caption) * CAPTION_LINE + 2 * CAPTION_PAD if self.caption else 0.0

    def place(self, number: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of a panel, as shares of the figure."""
        row, column = divmod(number, self.columns)
        x = self.left + column * self.cell[0]
        y = self.size[1] - TOP - self.headline - row * self.cell[1] - self.top - self.panel[1]
        return self.share(x, y, *self.panel)

    def inset(self, place: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return where a flat panel lies among 3D ones: within their place, with room for its ticks and labels."""
        x, y, width, height = place
        left, bottom, _, _ = self.share(LEFT, BOTTOM, 0.0, 0.0)
        return x + left, y + bottom, width - left, height - bottom

    def bar_place(self, number: int | None = None, rows: int | None = None) -> tuple[float, float, float, float]:
        """Return where a panel's own colour bar lies, or the one of all panels of the first ``rows`` rows."""
        gap, width = max(self.right, BAR_GAP) / self.size[0], BAR_WIDTH / self.size[0]
        if number is not None:
            x, y, across, height = self.place(number)
            return x + across + gap, y, width, height
        below = self.place(((rows or self.rows) - 1) * self.columns)
        x, y, across, height = self.place(self.columns - 1)
        low, high = below[1], y + height
        # Taller than four inches it is a pole.
        most = max(height, min(high - low, 4.0 / self.size[1]))
        return x + across + gap, (low + high - most) / 2, width, most

    def share(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """Turn inches into shares of the figure."""
        return x / self.size[0], y / self.size[1], width / self.size[0], height / self.size[1]


def grid_of(number: int, columns: int | None) -> tuple[int, int]:
    """Return columns and rows for so many panels."""
    if columns is None:
        columns = number if number <= 3 else 2 if number == 4 else 3 if number <= 9 else 4
    columns = max(1, min(columns, number))
    return columns, math.ceil(number / columns)


def lay_out(
    number: int,
    *,
    columns: int | None,
    aspect: float,
    titles: Sequence[str],
    subtitles: Sequence[str],
    headline: str,
    caption: str,
    bars: str,
    edge: float = 0.0,
    inner_left: float = LEFT,
    wide: bool = False,
    title_room: float = 0.0,
) -> Layout:
    """Fit panels of one aspect (height by width), titles and a caption into a figure.

    ``bars`` is ``"none"``, ``"shared"`` or ``"own"``; without one, ``edge`` is the room to the right of all panels.
    ``wide`` panels hold their own labels, as 3D pictures do. ``title_room`` is what else stands in the titles' line.
    """
    columns, rows = grid_of(number, columns)
    width = (SURFACE_WIDTHS if wide else WIDTHS).get(columns, 1.9)
    # A very flat or tall panel keeps about the area of a square one.
    width *= min(1.3, max(0.6, (0.85 / aspect) ** 0.35)) if not wide else 1.0
    title_size, title_lines = fitting_titles(titles, width - title_room)
    head = (TITLE if any(titles) else 0.0) + (SUBTITLE if any(subtitles) else 0.0)
    head += (title_lines - 1) * TITLE_SPACING * title_size / 72
    bar = edge if bars == "none" else BAR_GAP + BAR_WIDTH + BAR_TEXT
    found = Layout(
        columns,
        rows,
        (width, width * aspect),
        0.1 if wide else LEFT,
        0.05 if wide else RIGHT,
        0.05 if wide else BOTTOM,
        head + 0.06,
        bar,
        bars != "own",
        HEADLINE if headline else 0.0,
        (),
        0.1 if wide else inner_left,
        title_size,
        title_lines,
    )
    # No line ends within a formula or before a unit.
    caption = re.sub(r" ([=+×/%]) ?", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), caption)
    # A screen rounds letters to whole pixels, which makes a line up to 2 % longer than it is on paper.
    lines = wrapped(caption, 0.98 * (found.size[0] - 2 * CAPTION_PAD), CAPTION_SIZE)
    return Layout(**{**found.__dict__, "caption": tuple(lines)})


def fitting_titles(titles: Sequence[str], width: float) -> tuple[float, int]:
    """Return the size in points, one for all, and the number of lines at which titles are not cut, where there is one.

    They first get a little smaller, then a second line.
    """
    for lines, smallest in ((1, SMALLEST_TITLE), (2, SMALLEST_TITLE)):
        size = TITLE_SIZE
        while size >= smallest:
            if all(len(wrapped(each, width, size, "bold")) <= lines for each in titles):
                return size, lines
            size -= 0.5
    return TITLE_SIZE - 1, 2


def title_lines(title: str, width: float, size: float, lines: int) -> list[str]:
    """Break a title into so many lines; the last one is cut where they do not suffice."""
    found = wrapped(title, width, size, "bold")
    if len(found) <= lines:
        return found
    return [*found[: lines - 1], shortened(" ".join(found[lines - 1 :]), width, size)]


def cut_at_comma(text: str, width: float, size: float) -> str:
    """Leave out the last members of a list until it is no wider than so many inches; half a number says nothing."""
    parts = text.split(", ")
    for kept in range(len(parts), 0, -1):
        shorter = ", ".join(parts[:kept] + ["…"] * (kept < len(parts)))
        if text_width(shorter, size) <= width:
            return shorter
    return shortened(text, width, size, "normal")


def shortened(text: str, width: float, size: float = TITLE_SIZE, weight: str = "bold") -> str:
    """Cut a text to a width in inches, with three dots at the end where something was cut."""
    if text_width(text, size, weight) <= width:
        return text
    while text and text_width(text + "…", size, weight) > width:
        text = text[:-1]
    return text.rstrip() + "…"
