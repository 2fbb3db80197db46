"""How pictures look: colours, fonts, sizes, and figures to draw on.

Sizes are for print: a panel is as wide as a paper's column, and text stays readable there. The font is the one
that matplotlib brings along, so that a picture is the same on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

BLUE, VERMILLION = "#0072B2", "#D55E00"  # loss and accuracy: told apart by every kind of eye
INK, SOFT_INK, HAIRLINE = "#1a1a1a", "#5a5a5a", "#8c8c8c"
MISSING_GREY = (0.86, 0.86, 0.86, 1.0)
HATCH, HATCH_GREY = "/////", "#9a9a9a"

LABEL_SIZE, TICK_SIZE, SMALL_SIZE, TITLE_SIZE, CAPTION_SIZE = 8.0, 7.0, 6.5, 9.0, 6.8

# Any: matplotlib types the names of its settings one by one, and not the same ones in every version.
SETTINGS: Any = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": LABEL_SIZE,
    "mathtext.fontset": "dejavusans",
    "text.usetex": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#404040",
    "axes.facecolor": "white",
    "axes.labelsize": LABEL_SIZE,
    "axes.labelpad": 3.0,
    "axes.titlesize": TITLE_SIZE,
    "axes.linewidth": 0.6,
    "axes.grid": False,
    "axes.spines.top": True,
    "axes.spines.right": True,
    "axes.unicode_minus": True,
    "xtick.color": "#404040",
    "ytick.color": "#404040",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": TICK_SIZE,
    "ytick.labelsize": TICK_SIZE,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.bottom": True,
    "ytick.left": True,
    "figure.facecolor": "white",
    "figure.edgecolor": "white",
    "figure.constrained_layout.use": False,
    "figure.autolayout": False,
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "legend.fontsize": TICK_SIZE,
    "legend.frameon": False,
    "image.composite_image": True,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    # Without it the names inside an SVG are random, and the same picture is never the same file.
    "svg.hashsalt": "landscape",
}


@contextmanager
def our_style() -> Iterator[None]:
    """Draw in our style, and leave the user's settings as they were."""
    with matplotlib.rc_context(SETTINGS):
        yield


def new_figure(width: float, height: float, *, shown: bool = False) -> Figure:
    """Return an empty figure, sizes in inches.

    A figure that is to be ``shown`` is one of pyplot's where somebody may look on (a notebook, an interactive
    session, a script that has imported pyplot), so that ``plt.show()`` finds it. Any other belongs to nobody and
    is gone with its last reference.
    """
    watched = "matplotlib.pyplot" in sys.modules or hasattr(sys, "ps1") or "ipykernel.zmqshell" in sys.modules
    if shown and watched:
        import matplotlib.pyplot as plt

        return plt.figure(figsize=(width, height))
    return Figure(figsize=(width, height))


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a line of text in inches, without a renderer."""
    if not text:
        return 0.0
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72.0


def wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Break text into lines of at most ``width`` inches, between words; a longer word is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if not word:
            continue
        while text_width(word, size, weight) > width and len(word) > 1:
            fits = max(1, int(len(word) * width / text_width(word, size, weight)))
            while fits > 1 and text_width(word[:fits], size, weight) > width:
                fits -= 1
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:fits])
            word = word[fits:]
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size, weight) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line] if line else lines
