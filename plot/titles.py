"""The words of a figure: titles above its panels, headline, caption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fields import remember
from .layout import CAPTION_PAD, TITLE_SPACING, Layout, cut_at_comma, title_lines
from .style import CAPTION_SIZE, SOFT_INK, TICK_SIZE, TITLE_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_title(ax: Axes, title: str, subtitle: str, layout: Layout, subtitled: bool, room: float = 0.0) -> None:
    """Write title and subtitle above a panel, smaller, on two lines or cut where that is too narrow."""
    width = layout.panel[0]
    style: dict[str, Any] = {
        "xy": (0.0, 1.0),
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "ha": "left",
        "va": "baseline",
        "parse_math": False,
        "annotation_clip": False,
    }
    if title:
        lines = title_lines(title, width - room, layout.title_size, layout.title_lines)
        ax.annotate(
            "\n".join(lines),
            xytext=(0, 16.0 if subtitled else 5.0),
            fontsize=layout.title_size,
            fontweight="bold",
            linespacing=TITLE_SPACING,
            gid="title",
            **style,
        )
    if subtitle:
        text = cut_at_comma(subtitle, width, TICK_SIZE)
        ax.annotate(text, xytext=(0, 5.0), fontsize=TICK_SIZE, color=SOFT_INK, gid="subtitle", **style)


def finish(figure: Figure, layout: Layout, headline: str, fields: dict[str, str]) -> Figure:
    """Write headline and caption, and keep the metadata for whoever saves the figure."""
    width, height = layout.size
    if headline:
        figure.text(
            CAPTION_PAD / width,
            1 - 0.1 / height,
            headline,
            fontsize=TITLE_SIZE + 1.5,
            fontweight="bold",
            ha="left",
            va="top",
            parse_math=False,
            gid="headline",
        )
    if layout.caption:
        figure.text(
            CAPTION_PAD / width,
            CAPTION_PAD / height,
            "\n".join(layout.caption),
            fontsize=CAPTION_SIZE,
            color=SOFT_INK,
            ha="left",
            va="bottom",
            linespacing=1.25,
            parse_math=False,
            gid="caption",
        )
    remember(figure, fields)
    return figure
