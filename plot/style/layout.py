"""Where panels, colour bars, titles and the caption lie in a figure, in inches.

A figure is as large as its panels need, or it has the size that was asked for, and the panels get what its texts leave.
Room for texts follows their size (`look`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from landscape.errors import UsageError
from landscape.surface.surface import Surface

from ..scale.scale import Scale
from .style import fitting, look, text_width, wrapped

LEFT, RIGHT, BOTTOM, TOP = 0.58, 0.14, 0.42, 0.10
# Of LEFT, what is there for the numbers at the ticks, and what longer ones need besides their length.
TICK_TEXT, TICK_EXTRA = 0.33, 0.04
TITLE, SUBTITLE, HEADLINE = 0.20, 0.15, 0.30
BAR_GAP, BAR_WIDTH, BAR_TEXT = 0.12, 0.13, 0.68
CAPTION_PAD = 0.09
# Between lines of a title or a caption, in font sizes; how far a title shrinks before it gets another line.
TITLE_SPACING, CAPTION_SPACING = 1.2, 1.32
SMALLEST_TITLE = 0.83
# Titles and subtitles together take at most half of their panel's height, where the figure's is given: what is longer
# is cut.
TITLE_SHARE, SUBTITLE_SHARE = 0.35, 0.15
# A panel narrower or lower than this shows nothing; one narrower than the second goes into another row.
SMALLEST_PANEL, NARROW_PANEL = 0.5, 1.1
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
    notes: tuple[str, ...] = ()  # of the kind of picture, for the caption
    subtitle: bool = True
    size: tuple[float, float | None] | None = None  # of the figure in inches; without a height, what suits its width

    def scales(
        self,
        choose: Callable[..., Scale],
        parts: Sequence[Surface],
        names: Sequence[Sequence[str]],
        shared: Sequence[str],
    ) -> list[Scale]:
        """Return the scale of each panel: one for all, chosen from all of them, unless they are independent.

        ``choose`` is `Scale.of` or takes what it takes; ``names`` are each panel's own values, ``shared`` those of a
        scale for all.
        """
        if self.scale is not None:
            return [self.scale] * len(parts)
        if self.independent and len(parts) > 1:
            return [choose(part, own, **self.chosen, independent=True) for part, own in zip(parts, names, strict=True)]
        return [choose(parts, shared, **self.chosen)] * len(parts)


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
    title_size: float  # points, of all panels alike
    title_lines: int
    subtitle_lines: int
    legend_rows: int = 0  # between the subtitles and the panels
    blank: tuple[float, float] = (0.0, 0.0)  # left and right, and above and below the panels, of a given size

    @property
    def cell(self) -> tuple[float, float]:
        """Width of a panel that is not the first of its row, and height, both with what belongs to it."""
        own = 0.0 if self.shared_bar else self.bar
        return self.inner_left + self.panel[0] + self.right + own, self.bottom + self.panel[1] + self.top

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the figure."""
        shared = self.bar if self.shared_bar else 0.0
        width = self.left - self.inner_left + self.columns * self.cell[0] + shared + 2 * self.blank[0]
        return width, TOP + self.headline + self.rows * self.cell[1] + self.caption_height + 2 * self.blank[1]

    @property
    def caption_height(self) -> float:
        """Height of the caption with its margins."""
        line = look().caption * CAPTION_SPACING / 72
        return len(self.caption) * line + 2 * CAPTION_PAD if self.caption else 0.0

    @property
    def title_width(self) -> float:
        """Width of titles: to the end of a lone panel's colour bar, else of the panel."""
        return self.panel[0] + (self.right + self.bar if _above_bar(self.columns, self.rows, self.shared_bar) else 0.0)

    def title_beside(self, room: float) -> float:
        """Return the width that titles have where something so wide ends above their panel's right side."""
        return self.panel[0] - room if room else self.title_width

    @property
    def subtitle_height(self) -> float:
        """Height of the subtitles, in points."""
        return self.subtitle_lines * SUBTITLE * 72 * look().factor

    @property
    def legend_height(self) -> float:
        """Height of the row of legends below them, in points."""
        return self.legend_rows * SUBTITLE * 72 * look().factor

    def place(self, number: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of a panel, as shares of the figure."""
        row, column = divmod(number, self.columns)
        x = self.blank[0] + self.left + column * self.cell[0]
        y = self.size[1] - self.blank[1] - TOP - self.headline - row * self.cell[1] - self.top - self.panel[1]
        return self.share(x, y, *self.panel)

    def inset(self, place: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return where a flat panel lies among 3D ones: within their place, with room for its ticks and labels."""
        x, y, width, height = place
        left, bottom, _, _ = self.share(LEFT * look().factor, BOTTOM * look().factor, 0.0, 0.0)
        return x + left, y + bottom, width - left, height - bottom

    def bar_place(self, number: int | None = None, rows: int | None = None) -> tuple[float, float, float, float]:
        """Return where a panel's own colour bar lies, or the one of all panels of the first ``rows`` rows."""
        gap, width = max(self.right, BAR_GAP) / self.size[0], BAR_WIDTH / self.size[0]
        if number is not None:
            x, y, across, height = self.place(number)
            return x + across + gap, y, width, height
        below = self.place(((rows or self.rows) - 1) * self.columns)
        x, y, across, height = self.place(self.columns - 1)
        # Half of its least number stands below the bar, inside the figure.
        low, high = max(below[1], 0.6 * look().tick / 72 / self.size[1]), y + height
        # Taller than four inches it is a pole.
        most = min(high - low, max(height, 4.0 / self.size[1]))
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
    plan: Plan,
    columns: int | None,
    aspect: float,
    titles: Sequence[str],
    subtitles: Sequence[str],
    caption: str,
    bars: str,
    edge: float = 0.0,
    inner_left: float = LEFT,
    wide: bool = False,
    elastic: bool = False,
    title_room: float = 0.0,
    legend_rows: int = 0,
    tick_width: float = 0.0,
) -> Layout:
    """Fit panels of one aspect (height by width), titles and a caption into a figure.

    ``bars`` is ``"none"``, ``"shared"`` or ``"own"``; without one, ``edge`` is the room to the right of all panels.
    ``wide`` panels hold their own labels, as 3D pictures do. ``elastic`` ones take another aspect where the plan's
    size asks for it. ``title_room`` is what else stands in the titles' line, ``legend_rows`` are lines of legends below
    titles, ``tick_width`` the width of the longest number to the left of a panel.

    Raises
    ------
    UsageError
        A figure of the plan's size has no room for the panels beside their texts.
    """
    factor = look().factor
    columns, rows = grid_of(number, columns)
    left, right, bottom = (0.1, 0.05, 0.05) if wide else (LEFT * factor, RIGHT, BOTTOM * factor)
    inner_left = 0.1 if wide else inner_left * factor if inner_left > 0.2 else inner_left
    long = not wide and tick_width > TICK_TEXT * factor
    longer = tick_width - (TICK_TEXT - TICK_EXTRA) * factor if long else 0.0
    left, inner_left = left + longer, inner_left + (longer if inner_left > 0.2 else 0.0)
    bar = edge * factor if bars == "none" else BAR_GAP + BAR_WIDTH + BAR_TEXT * factor
    given = plan.size or (None, None)
    if given[0] is None:
        width = (SURFACE_WIDTHS if wide else WIDTHS).get(columns, 1.9)
        # A very flat or tall panel keeps about the area of a square one.
        width *= min(1.3, max(0.6, (0.85 / aspect) ** 0.35)) if not wide else 1.0
    else:
        across, down = given

        def width_of(many: int) -> float:
            beside = left - inner_left + many * (inner_left + right) + bar * (many if bars == "own" else 1)
            return (across - beside) / many

        def fitted(many: int) -> float:
            """Return about how wide panels are that fit in both ways."""
            rows = grid_of(number, many)[1]
            free = math.inf if down is None else (down - TOP) / rows - bottom - TITLE * 2 * factor
            return min(width_of(many), free / aspect, math.inf if down is not None else NARROW_PANEL)

        if plan.columns is None:
            columns = max(range(columns, 0, -1), key=fitted)
            rows = grid_of(number, columns)[1]
        width = width_of(columns)
    # No line ends within a formula or before a unit.
    caption = re.sub(r" ([=+×/%]) ?", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), caption)
    blank = 0.0
    height = width * aspect
    _require_room(plan, number, width, height)
    # Titles need height, and a lower panel may be narrower: a second look settles it.
    for _ in range(3):
        most = max(2, int(TITLE_SHARE * height * 72 / (TITLE_SPACING * look().title * SMALLEST_TITLE)))
        room = width + (right + bar if _above_bar(columns, rows, bars != "own") else 0.0)
        title_size, title_lines = fitting_titles(titles, width - title_room if title_room else room, most)
        # A figure without a given height grows by what a line takes.
        most = max(4 if given[1] is None else 2, int(SUBTITLE_SHARE * height / (SUBTITLE * factor)))
        below = max((len(listed(each, room, look().tick, most)) for each in subtitles), default=0)
        head = (TITLE * factor if any(titles) else 0.0) + SUBTITLE * factor * (below + legend_rows)
        head += (title_lines - 1) * TITLE_SPACING * title_size / 72
        found = Layout(
            columns,
            rows,
            (width, height),
            left,
            right,
            bottom,
            head + 0.06,
            bar,
            bars != "own",
            HEADLINE * factor if plan.headline else 0.0,
            (),
            inner_left,
            title_size,
            title_lines,
            below,
            legend_rows,
            (blank, 0.0),
        )
        # A screen rounds letters to whole pixels, which makes a line up to 2 % longer than it is on paper.
        across = found.size[0] - 2 * CAPTION_PAD
        lines = wrapped(caption, 0.98 * across, look().caption)
        more = len(headline_lines(plan.headline, across)) - 1 if plan.headline else 0
        found = replace(found, caption=tuple(lines), headline=found.headline + more * (look().title + 1.5) * 1.2 / 72)
        left_over = 0.0 if given[1] is None else given[1] - found.size[1]
        if left_over == 0 or (left_over > 0 and not elastic):
            break
        height += left_over / rows
        if not elastic:
            blank += columns * (width - height / aspect) / 2
            width = height / aspect
        # The last word, where more or fewer lines of titles would come out again and again.
        found = replace(found, panel=(width, height), blank=(blank, 0.0))
        _require_room(plan, number, width, height)
    if given[1] is not None:
        found = replace(found, blank=(blank, max(0.0, given[1] - found.size[1]) / 2))
    return found


def _above_bar(columns: int, rows: int, shared: bool) -> bool:
    """Return whether all titles stand above a colour bar: one of several rows stands beside lower titles."""
    return columns == 1 and (rows == 1 or not shared)


def _require_room(plan: Plan, number: int, width: float, height: float) -> None:
    if min(width, height) < SMALLEST_PANEL:
        asked = " x ".join(f"{each:g}" for each in plan.size or () if each is not None)
        raise UsageError(
            f"a figure of {asked or 'this size'} inches has no room for {number} panel{'s' * (number > 1)} beside "
            "titles, labels and caption; make it larger, or leave out the caption (--no-caption) or the subtitles "
            "(--no-subtitle)"
        )


def fitting_titles(
    titles: Sequence[str], width: float, most: int = 2, *, size: float | None = None
) -> tuple[float, int]:
    """Return the size in points, one for all, and the number of lines at which titles are not cut, where there is one.

    They first get a little smaller than ``size``, the look's by default, then a second line, then more, up to ``most``.
    """
    largest = look().title if size is None else size
    smallest = SMALLEST_TITLE * largest
    for lines in range(1, most + 1):
        tried = largest
        while tried >= smallest:
            if all(len(wrapped(each, width, tried, "bold", lines + 1)) <= lines for each in titles):
                return tried, lines
            tried -= 0.5
    return max(tried + 0.5, smallest), most


def headline_lines(text: str, width: float) -> list[str]:
    """Break what stands above all panels into lines of at most so many inches; three of them are enough for any."""
    return title_lines(text, width, look().title + 1.5, 3)


def title_lines(title: str, width: float, size: float, lines: int) -> list[str]:
    """Break a title into so many lines; the last one is cut where they do not suffice."""
    found = wrapped(title, width, size, "bold", lines)
    return [*found[:-1], shortened(found[-1], width, size)] if found else found


def listed(text: str, width: float, size: float, most: int) -> list[str]:
    """Break a list of values into lines of at most so many inches, at commas; within a value only where one is longer.

    What does not fit into ``most`` lines is left out, and three dots say so: half a number says nothing.
    """
    lines: list[str] = []
    # A list of values is short; one of hundreds is no subtitle.
    for number, part in enumerate(text.split(", ")[:20] if text else []):
        longer = f"{lines[-1]}, {part}" if lines else part
        more = [longer] if text_width(longer, size) <= width else wrapped(part, width, size)
        found = (
            [*lines[:-1], *more] if more[0] == longer else [*lines[:-1], *(f"{each}," for each in lines[-1:]), *more]
        )
        if len(found) > most:
            return _with_dots(lines, width, size) if number else [shortened(text, width, size, "normal")]
        lines = found
    return lines


def _with_dots(lines: Sequence[str], width: float, size: float) -> list[str]:
    """Say that lines of values are not all of them; the last value gives way where there is no room for it."""
    *others, last = lines
    while last and text_width(f"{last}, …", size) > width:
        last = last.rpartition(", ")[0]
    return [*others, f"{last}, …" if last else "…"]


def shortened_within(text: str, width: float, size: float) -> str:
    """Cut a name to a width in inches, with three dots in its middle: its ends tell it from others."""
    if text_width(text, size) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        found = f"{text[: kept // 3]}…{text[len(text) - (kept - kept // 3) :]}"
        if text_width(found, size) <= width:
            return found
    return "…"


def shortened(text: str, width: float, size: float, weight: str = "bold") -> str:
    """Cut a text to a width in inches, with three dots at the end where something was cut."""
    if fitting(text, width, size, weight) == len(text):
        return text
    kept = fitting(text, max(width - text_width("…", size, weight), 0.0), size, weight)
    return text[:kept].rstrip() + "…"
