"""The words of a figure: titles above its panels, headline, caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .fields import remember
from .layout import CAPTION_PAD, TITLE_SPACING, Layout, headline_lines, listed, title_lines
from .style import SOFT_INK, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_title(ax: Axes, title: str, subtitle: str, layout: Layout, room: float = 0.0) -> None:
    """Write title and subtitle above a panel, on as many lines as the layout has for them.

    ``room`` is what else stands in the titles' line, in inches.
    """
    width, factor = layout.title_width, look().factor
    style: dict[str, Any] = {
        "xy": (0.0, 1.0),
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "ha": "left",
        "va": "baseline",
        "parse_math": False,
        "annotation_clip": False,
        "linespacing": TITLE_SPACING,
    }
    if title:
        lines = title_lines(title, layout.title_beside(room), layout.title_size, layout.title_lines)
        ax.annotate(
            "\n".join(lines),
            xytext=(0, 5.0 * factor + layout.subtitle_height + layout.legend_height),
            fontsize=layout.title_size,
            fontweight="bold",
            gid="title",
            **style,
        )
    if subtitle:
        found = listed(subtitle, width, look().tick, layout.subtitle_lines)
        # As near to the title as those of its row that have more lines.
        lift = 5.0 * factor + layout.legend_height + layout.subtitle_height * (1 - len(found) / layout.subtitle_lines)
        text = "\n".join(found)
        ax.annotate(text, xytext=(0, lift), fontsize=look().tick, color=SOFT_INK, gid="subtitle", **style)


def finish(figure: Figure, layout: Layout, headline: str, fields: dict[str, str]) -> Figure:
    """Write headline and caption, and keep the metadata for whoever saves the figure."""
    width, height = layout.size
    if headline:
        figure.text(
            CAPTION_PAD / width,
            1 - 0.1 / height,
            "\n".join(headline_lines(headline, width - 2 * CAPTION_PAD)),
            fontsize=look().title + 1.5,
            fontweight="bold",
            linespacing=TITLE_SPACING,
            ha="left",
            va="top",
            parse_math=False,
            gid="headline",
        )
    write_caption(figure, layout.caption, CAPTION_PAD)
    remember(figure, fields)
    return figure


def write_caption(figure: Figure, lines: Sequence[str], pad: float = 0.1) -> None:
    """Write the caption's lines into the lower left corner, ``pad`` inches from both edges."""
    width, height = figure.get_size_inches()
    style: dict[str, Any] = {"fontsize": look().caption, "color": SOFT_INK, "ha": "left", "va": "bottom"}
    if lines:
        text = figure.text(pad / width, pad / height, "\n".join(lines), linespacing=1.25, gid="caption", **style)
        text.set_parse_math(False)
