"""Panels of curves with bands, one or two of them beside each other or, where it is narrow, below each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from landscape.errors import UsageError
from landscape.surface.grid import Floats

from ..style.framed import Frame, Page, page_style
from ..style.layout import TITLE_SPACING, fitting_titles, title_lines
from ..style.style import look, new_figure, wrapped
from ..style.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches, for letters of our own size.
_WIDTH, _HEIGHT, _LEFT, _GAP, _BOTTOM, _TITLE, _RIGHT = 7.0, 2.3, 0.62, 0.72, 0.46, 0.32, 0.12
# A panel narrower than the first stands below the other one; one narrower or lower than the second shows nothing.
_NARROW, _LEAST = 1.7, 0.6
# Okabe and Ito's colours that hold on white, and beside each other for all eyes.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9")


def curve_labels(several: Sequence[Any], labels: Sequence[str] | None) -> list[str]:
    """Return a name for each result: those given, or their files'.

    Raises
    ------
    UsageError
        There are not as many, or more curves than colours.
    """
    if labels is not None and len(labels) != len(several):
        raise UsageError(f"there are {len(several)} files and {len(labels)} titles: one for each")
    if len(several) > len(COLOURS):
        raise UsageError(f"there are {len(several)} networks; more than {len(COLOURS)} curves are not told apart")
    names = labels if labels is not None else [each.path or f"network {k + 1}" for k, each in enumerate(several)]
    return [one_line(str(name)) for name in names]


def of_each(texts: Sequence[str], names: Sequence[str]) -> str:
    """Return what is said of several networks; once, where it is the same of all."""
    if len(set(texts)) == 1:
        return texts[0]
    return " ".join(f"{name}: {text}" for name, text in zip(names, texts, strict=True))


def draw_panels(
    panels: Sequence[Callable[[Axes], None]],
    *,
    text: str,
    title: str,
    command: str,
    headline: str,
    caption: bool,
    size: str | float | Sequence[float] | None,
    font: str | None,
) -> Figure:
    """Draw one or two panels on one page, with a headline above and what was measured below.

    Raises
    ------
    UsageError
        They do not fit into the size.
    """
    with page_style(size, font) as page:
        width = page[0] if page else _WIDTH
        # Letters on the pixels of a screen are up to 7 % wider than their outlines.
        frame = Frame.of(text, width, headline, caption, fill=0.93)
        return frame.write(_drawn(panels, frame, width, page), title, command)


def _drawn(panels: Sequence[Callable[[Axes], None]], frame: Frame, width: float, page: Page) -> Figure:
    factor, number = look().factor, len(panels)
    left = _LEFT * factor
    across = (width - number * left - ((number - 1) * (_GAP - _LEFT) + _RIGHT) * factor) / number
    beside = number == 1 or across >= _NARROW * factor
    rows = 1 if beside else number
    side = across if beside else width - left - _RIGHT * factor
    words = _Words.of(panels, side)
    bottom, title = _BOTTOM * factor + words.below, _TITLE * factor + words.above
    free = page[1] - frame.head - frame.foot if page and page[1] else rows * (title + _HEIGHT * factor + bottom)
    tall = free / rows - title - bottom
    if min(side, tall) < _LEAST:
        given = " x ".join(f"{each:g}" for each in page or () if each)
        needed = frame.head + frame.foot + rows * (title + _LEAST + bottom)
        higher = f"; with this width it takes a height of {needed + 0.05:.1f}" if side >= _LEAST else ""
        less = ", less without the caption (--no-caption)" if frame.lines and higher else ""
        raise UsageError(f"the panels do not fit into a figure of {given} inches{higher}{less}")
    height = frame.head + free + frame.foot
    figure = new_figure(width, height, shown=True)
    for place, draw in enumerate(panels):
        x = left + place * (side + _GAP * factor) if beside else left
        y = frame.foot + (0.0 if beside else (rows - 1 - place) * free / rows) + bottom
        ax = figure.add_axes((x / width, y / height, side / width, tall / height))
        draw(ax)
        words.write(ax, side)
    return figure


@dataclass(frozen=True)
class _Words:
    """Titles above panels and labels below them, on as many lines as they take."""

    title_size: float
    title_lines: int
    label_lines: int

    @classmethod
    def of(cls, panels: Sequence[Callable[[Axes], None]], side: float) -> _Words:
        """Find out from a trial, since only a panel that is drawn has its words; ``side`` is its width in inches."""
        figure = Figure(figsize=(side + 1, 3))
        axes = [figure.add_axes((0.1, 0.2, 0.8, 0.6)) for _ in panels]
        for ax, draw in zip(axes, panels, strict=True):
            draw(ax)
        size, lines = fitting_titles([ax.get_title(loc="left") for ax in axes], side, most=4)
        return cls(size, lines, max(len(_label_lines(ax, side)) for ax in axes))

    @property
    def above(self) -> float:
        """What lines beyond the first take above a panel, in inches."""
        return (self.title_lines - 1) * TITLE_SPACING * self.title_size / 72

    @property
    def below(self) -> float:
        """As `above`, below it."""
        return (self.label_lines - 1) * TITLE_SPACING * look().label / 72

    def write(self, ax: Axes, side: float) -> None:
        """Break the words of a panel that is drawn."""
        lines = title_lines(ax.get_title(loc="left"), side, self.title_size, self.title_lines)
        ax.set_title(
            "\n".join(lines), loc="left", fontsize=self.title_size, fontweight="bold", linespacing=TITLE_SPACING,
            parse_math=False,
        )  # fmt: skip
        ax.set_xlabel("\n".join(_label_lines(ax, side)), parse_math=False)


def _label_lines(ax: Axes, side: float) -> list[str]:
    return wrapped(ax.get_xlabel(), 1.05 * side, look().label)


def draw_shares(ax: Axes, x: Floats, shares: Floats, ends: Floats, colour: str, name: str, dashes: Any = "-") -> None:
    """Draw shares, shape (k,), in percent, with a band between their ends, shape (k, 2)."""
    ax.fill_between(x, 100 * ends[:, 0], 100 * ends[:, 1], color=colour, alpha=0.16, lw=0)
    width, mark = 1.6 * look().factor, 3 * look().factor
    ax.plot(x, 100 * shares, color=colour, lw=width, ls=dashes, marker="o", ms=mark, label=name)


def finish_shares(ax: Axes, title: str, xlabel: str, end: float) -> None:
    """Give a panel of shares its axes, title and legend."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel("accuracy (%)")
    ax.set_ylim(-2, 102)
    ax.set_xlim(0, end)
    ax.set_title(title, loc="left", fontsize=look().title, fontweight="bold")
    if len(ax.get_legend_handles_labels()[0]) > 1:
        legend = ax.legend(loc="best", fontsize=look().small, frameon=True, borderpad=0.3, handlelength=2.2)
        legend.get_frame().set(lw=0, alpha=0.85)
        for text in legend.get_texts():
            text.set_parse_math(False)
