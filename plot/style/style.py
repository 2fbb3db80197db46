"""How pictures look: colours, fonts, sizes, and figures to draw on.

Sizes are for print: a panel is as wide as a paper's column, and text stays readable there. The font is the one
that matplotlib brings along, so that a picture is the same on every machine, unless the user's own settings
(rcParams) name another, or other sizes: a `Look` holds what one picture is drawn with, and every text asks for it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import text_to_path

from landscape.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase

BLUE, VERMILLION = "#0072B2", "#D55E00"  # loss and accuracy: told apart by every kind of eye
INK, SOFT_INK, HAIRLINE = "#1a1a1a", "#5a5a5a", "#8c8c8c"
MISSING_GREY = (0.86, 0.86, 0.86, 1.0)
HATCH, HATCH_GREY = "/////", "#9a9a9a"

LABEL_SIZE, TICK_SIZE, SMALL_SIZE, TITLE_SIZE, CAPTION_SIZE = 8.0, 7.0, 6.5, 9.0, 6.8

# Any: matplotlib types the names of its settings one by one, and not the same ones in every version.
SETTINGS: Any = {
    # As matplotlib has them: what the user's own style may have changed.
    **{
        key: matplotlib.rcParamsDefault[key]
        for key in matplotlib.rcParamsDefault
        if key.startswith(("axes.", "figure.", "image.", "xtick.", "ytick.", "text.", "savefig.bbox"))
    },
    # Letters rounded to whole pixels make a line up to an eighth longer at 100 dots an inch than it is on paper.
    "text.hinting": "none",
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#404040",
    "axes.labelpad": 3.0,
    "axes.linewidth": 0.6,
    "xtick.color": "#404040",
    "ytick.color": "#404040",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "savefig.facecolor": "white",
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # Without it the names inside an SVG are random, and the same picture is never the same file.
    "svg.hashsalt": "landscape",
}


OUR_FONT = "DejaVu Sans"
# A space at which no line ends.
KEEPING = "\u00a0"
_GENERIC = ("serif", "sans-serif", "cursive", "fantasy", "monospace")
_FAMILIES = ("font.family", *(f"font.{each}" for each in _GENERIC))
_SIZES = ("font.size", "axes.labelsize", "axes.titlesize", "xtick.labelsize", "ytick.labelsize")
# A figure as wide as the text of a page (NeurIPS, ICLR) has our sizes. Smaller ones shrink until ticks have 6 points,
# the smallest that conferences' own styles use; larger ones grow, slower than the figure.
OUR_WIDTH, LEAST, MOST = 5.5, 6.0 / TICK_SIZE, 2.5


@dataclass(frozen=True)
class Look:
    """Font and sizes of one picture, in points."""

    family: tuple[str, ...] = (OUR_FONT,)  # names of fonts that are installed; the later ones for letters it lacks
    label: float = LABEL_SIZE
    tick: float = TICK_SIZE
    small: float = SMALL_SIZE
    title: float = TITLE_SIZE
    caption: float = CAPTION_SIZE

    @property
    def factor(self) -> float:
        """What lines, marks and the room for texts are multiplied by."""
        return self.label / LABEL_SIZE

    def scaled(self, factor: float) -> Look:
        """Return the same font in other sizes."""
        sizes = (self.label, self.tick, self.small, self.title, self.caption)
        return Look(self.family, *(size * factor for size in sizes))

    @classmethod
    def of_settings(cls, font: str | None = None, width: float | None = None) -> Look:
        """Return the user's font and sizes (rcParams) where they are not matplotlib's own, else ours.

        Parameters
        ----------
        font : str, optional
            The family, instead of the user's.
        width : float, optional
            Of the figure, in inches, which our sizes follow.

        Raises
        ------
        UsageError
            There is no such font.
        """
        # Any: see SETTINGS.
        settings: Any = matplotlib.rcParams
        default: Any = matplotlib.rcParamsDefault
        family: tuple[str, ...] = (OUR_FONT,)
        if font is not None:
            family = _installed([font], strict=True)
        elif any(settings[key] != default[key] for key in _FAMILIES):
            family = _installed(settings["font.family"])
        if any(settings[key] != default[key] for key in _SIZES):
            label, tick, title = (
                _in_points(settings[key]) for key in ("axes.labelsize", "xtick.labelsize", "axes.titlesize")
            )
            return cls(family, label, tick, label * SMALL_SIZE / LABEL_SIZE, title, label * CAPTION_SIZE / LABEL_SIZE)
        return cls(family).scaled(1.0 if width is None else min(max(LEAST, (width / OUR_WIDTH) ** 0.5), MOST))

    @classmethod
    def of_axes(cls, ax: Axes) -> Look:
        """Return the font and sizes that axes have already: what is drawn into them looks like the rest of them."""
        label = float(ax.xaxis.label.get_fontsize())
        texts = ax.xaxis.get_ticklabels()
        tick = float(texts[0].get_fontsize()) if texts else label
        title = float(ax.title.get_fontsize())
        family = _installed(ax.xaxis.label.get_fontfamily())
        return cls(family, label, tick, label * SMALL_SIZE / LABEL_SIZE, title, label * CAPTION_SIZE / LABEL_SIZE)

    def settings(self) -> dict[str, Any]:
        """Return matplotlib's settings of the same font and sizes."""
        return {
            "font.family": list(self.family),
            "font.size": self.label,
            "axes.labelsize": self.label,
            "axes.titlesize": self.title,
            "xtick.labelsize": self.tick,
            "ytick.labelsize": self.tick,
            "legend.fontsize": self.tick,
            "lines.linewidth": 1.4 * self.factor,
        }


_LOOK: ContextVar[Look | None] = ContextVar("look", default=None)


def look() -> Look:
    """Return the font and sizes of the picture that is being drawn."""
    return _LOOK.get() or Look()


@contextmanager
def our_style(chosen: Look | None = None) -> Iterator[Look]:
    """Draw in our style, and leave the user's settings as they were.

    Within another picture, the look is that one's; else the ``chosen`` one, or what the user's settings say.
    """
    found = chosen or _LOOK.get() or Look.of_settings()
    token = _LOOK.set(found)
    try:
        settings: Any = {**SETTINGS, **found.settings()}
        with matplotlib.rc_context(settings):
            yield found
    finally:
        _LOOK.reset(token)


def _in_points(size: Any) -> float:
    return float(FontProperties(size=size).get_size_in_points())


def _found(name: str) -> bool:
    return any(entry.name.lower() == name.lower() for entry in fontManager.ttflist)


def _installed(names: Any, *, strict: bool = False) -> tuple[str, ...]:
    """Return the first font of a list of families that is installed, and ours for the letters that it lacks."""
    for name in names:
        settings: Any = matplotlib.rcParams
        kinds = settings[f"font.{name}"] if name in _GENERIC else [name]
        for each in kinds:
            if _found(each):
                return (each,) if each == OUR_FONT else (each, OUR_FONT)
    if strict:
        import difflib

        known = sorted({entry.name for entry in fontManager.ttflist})
        near = difflib.get_close_matches(names[0], known, 5, 0.5) or known[:5]
        raise UsageError(f"there is no font {names[0]!r} that matplotlib can find; there are {', '.join(near)}")
    return (OUR_FONT,)


class Page(Figure):
    """A figure whose letters are drawn as they were measured, whoever writes it and in whatever style."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw it."""
        # Any: see SETTINGS.
        hinting: Any = {"text.hinting": SETTINGS["text.hinting"]}
        with matplotlib.rc_context(hinting):
            super().draw(renderer)


def new_figure(width: float, height: float, *, shown: bool = False) -> Figure:
    """Return an empty figure, sizes in inches.

    A figure that is to be ``shown`` is one of pyplot's where somebody may look on (a notebook, an interactive
    session, a script that has imported pyplot), so that ``plt.show()`` finds it. Any other belongs to nobody and
    is gone with its last reference.
    """
    watched = "matplotlib.pyplot" in sys.modules or hasattr(sys, "ps1") or "ipykernel.zmqshell" in sys.modules
    if shown and watched:
        import matplotlib.pyplot as plt

        return plt.figure(figsize=(width, height), FigureClass=Page)
    return Page(figsize=(width, height))


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a line of text in inches, in the font of the picture that is being drawn."""
    return measured_width(text, weight, look().family) * size


@lru_cache(maxsize=8192)
def measured_width(text: str, weight: str, family: tuple[str, ...]) -> float:
    """Return the width of a line of text in inches at a size of 1 point, without a renderer."""
    if not text:
        return 0.0
    font = FontProperties(family=list(family), size=1.0, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72.0


def fitting(text: str, width: float, size: float, weight: str = "normal") -> int:
    """Return how many of a text's first letters are at most ``width`` inches wide."""
    # Hardly a letter is narrower than a tenth of its height: what cannot fit is not measured.
    low, high = 0, min(len(text), int(width * 72 / (0.1 * size)) + 1)
    if high == len(text) and text_width(text, size, weight) <= width:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if text_width(text[:middle], size, weight) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def wrapped(text: str, width: float, size: float, weight: str = "normal", most: int | None = None) -> list[str]:
    """Break text into lines of at most ``width`` inches, between words; a longer word is cut.

    A number and its % are one word. After ``most`` lines the last one holds all the rest, however long that is.
    """
    text = re.sub(r"(?<=\d) +%", f"{KEEPING}%", text)
    return [line.replace(f"{KEEPING}%", " %") for line in _wrapped(text, width, size, weight, most)]


def _wrapped(text: str, width: float, size: float, weight: str, most: int | None) -> list[str]:
    lines: list[str] = []
    # Not at spaces that keep words together.
    rest = " ".join(word for word in text.split(" ") if word)
    while rest:
        kept = fitting(rest, width, size, weight)
        if kept == len(rest) or (most is not None and len(lines) == most - 1):
            return [*lines, rest]
        # What ends just where a word does keeps it.
        cut = rest.rfind(" ", 0, kept + 1)
        cut = max(1, kept) if cut <= 0 else cut
        lines.append(rest[:cut])
        rest = rest[cut:].lstrip(" ")
    return lines
