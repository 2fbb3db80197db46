"""What the pictures of comparisons have in common: colours and marks by group, a figure with room for a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..style.fields import remember
from ..style.style import look, new_figure, wrapped
from ..style.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by every kind of eye: Okabe and Ito, "Color Universal Design", 2008, without yellow, too light on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")

_LEFT, _RIGHT, _TOP, _BOTTOM = 0.62, 0.12, 0.1, 0.42


def look_of(number: int) -> tuple[str, str, str]:
    """Return colour, mark and dashes of a group: other marks and dashes where the colours are used up."""
    again, colour = divmod(number, len(COLOURS))
    return COLOURS[colour], MARKS[(colour + again) % len(MARKS)], DASHES[again % len(DASHES)]


def compared_panel(
    width: float,
    height: float,
    title: str,
    caption: str,
    legend: int = 0,
    left: float = _LEFT,
    bottom: float = _BOTTOM,
) -> tuple[Figure, Axes]:
    """Return a figure with one panel of that height, a title above and a caption below; sizes in inches.

    Parameters
    ----------
    width, height : float
        Of the figure, and of its panel.
    title, caption : str
    legend : int
        Lines of a legend between title and panel.
    left, bottom : float
        Room for what stands at the axes.
    """
    factor = look().factor
    said = wrapped(one_line(caption), width - 0.2, look().caption) if caption else []
    line = look().caption * 1.32 / 72
    foot = len(said) * line + (0.12 if said else 0.02)
    heads = wrapped(one_line(title), width - 0.2, look().title, "bold")
    head = len(heads) * look().title * 1.25 / 72 + (legend * 0.17 + (0.12 if legend else 0.0) + _TOP) * factor
    tall = foot + bottom * factor + height + head
    figure = new_figure(width, tall)
    ax = figure.add_axes(
        (left * factor / width, (foot + bottom * factor) / tall, 1 - (left + _RIGHT) * factor / width, height / tall)
    )
    ax.spines[["top", "right"]].set_visible(False)
    for number, text in enumerate(heads):
        y = 1 - (0.05 + (number + 0.85) * look().title * 1.2 / 72) / tall
        figure.text(0.1 / width, y, text, fontsize=look().title, weight="bold", parse_math=False)
    for number, text in enumerate(said):
        y = (foot - 0.05 - (number + 0.85) * line) / tall
        figure.text(0.1 / width, y, text, fontsize=look().caption, color="#5a5a5a", parse_math=False)
    return figure, ax


def add_legend(ax: Axes, labels: Sequence[str], columns: int) -> None:
    """Name the groups above a panel, in the order in which they were drawn."""
    handles, _ = ax.get_legend_handles_labels()
    legend = ax.legend(
        handles, [one_line(label) for label in labels], loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns,
        borderaxespad=0.2, handlelength=2.2, columnspacing=1.4, fontsize=look().tick,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def legend_columns(labels: Sequence[str], width: float) -> tuple[int, int]:
    """Return in how many columns and lines a legend fits into so many inches."""
    from ..style.style import text_width

    longest = max((text_width(one_line(label), look().tick) for label in labels), default=0.0) + 0.42 * look().factor
    columns = max(1, min(len(labels), int(width / longest)))
    return columns, -(-len(labels) // columns)


def told(figure: Figure, title: str, caption: str, more: Mapping[str, str] | None = None) -> Figure:
    """Put what a picture shows into its file's metadata."""
    remember(figure, {"Title": one_line(title), "Description": one_line(caption), **(more or {})})
    return figure
