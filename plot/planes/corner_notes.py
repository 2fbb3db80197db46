"""What has to be said inside a picture itself, since a caption may be cut off: counts of points, in a corner."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from landscape.surface.grid import Floats
from landscape.surface.surface import INTERPOLATED

from ..scale.levels import number_text
from ..scale.scale import CAPPED, MISSING, NOT_FINITE
from ..style.placement import Box, Room, corner_boxes
from ..style.shortcuts import lacking_samples
from ..style.style import INK, look
from .marks import Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger(__name__)
# Of the axes' width and of their area, what notes may cover: more would be the picture.
WIDEST, LARGEST = 0.96, 0.25
# What numbers in the picture cannot be read without; it stands however small the picture is.
LEVELS = "levels: "
# Before a colon or a space, what is left out first where there is no room.
_LAST = ("smoothed", "axes not to scale", "independent scale")


def corner_lines(sheet: Sheet, *, to_scale: bool = True, smoothed: int = 1) -> list[str]:
    """Return what has to be said inside the picture itself, since a caption may be cut off."""
    part, whole, codes = sheet.surface, sheet.whole, sheet.codes
    missing, capped, broken = (int((codes == code).sum()) for code in (MISSING, CAPPED, NOT_FINITE))
    filled, lacking = int((part.state == INTERPOLATED).sum()), lacking_samples(whole)
    size = f"{part.shape[1]} × {part.shape[0]} of {whole.shape[1]} × {whole.shape[0]}"
    lines = {
        f"unfinished: {size} points": part is not whole,
        f"unfinished: {lacking} points lack samples": lacking,
        f"{missing} of {codes.size} points missing": missing,
        f"{capped} of {codes.size} points above {number_text(sheet.scale.cap or 0.0)}": capped,
        f"{broken} not finite": broken,
        f"{filled} interpolated": filled,
        "independent scale": sheet.scale.independent,
        "axes not to scale": not to_scale,
        f"smoothed ×{smoothed}": smoothed > 1,
    }
    return [line for line, said in lines.items() if said]


def draw_corner(ax: Axes, lines: Sequence[str], room: Room) -> None:
    """Write lines on a pale ground into a free corner, the lower right one first; they are then taken in ``room``.

    Small axes are told less, and whoever draws them is told what; file and caption say it in any case.
    """
    assert room.frame is not None
    said = _fitting(lines, room.frame[1] - room.frame[0])
    if left_out := [line for line in lines if line not in said and _short(line) not in said]:
        width, height = (room.frame[1] - room.frame[0]) / 72
        log.warning(
            "axes of %.1f x %.1f in have no room for %r: say it in the text", width, height, "; ".join(left_out)
        )
    if not said:
        return
    size, text = look().small, "\n".join(said)
    pad, margin = 0.3 * size, 0.4 * size
    bare = Box.of_text(text, size, (0.0, 0.0), pad=pad).half
    corners = ((1, 0), (0, 0), (0, 1), (1, 1))
    right, up = corners[room.choose(corner_boxes(room.frame, (2 * bare[0], 2 * bare[1]), margin, corners))]
    ax.annotate(
        text,
        (right, up),
        xycoords="axes fraction",
        xytext=((pad + margin) * (1 - 2 * right), (pad + margin) * (1 - 2 * up)),
        textcoords="offset points",
        ha="right" if right else "left",
        va="top" if up else "bottom",
        fontsize=size,
        color=INK,
        linespacing=1.25,
        parse_math=False,
        zorder=8,
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "none", "alpha": 0.82},
        gid="notes",
    )


def _fitting(lines: Sequence[str], size: Floats) -> list[str]:
    """Return as much of some lines as axes of a size in points have room for: all, shorter ones, fewer ones."""
    said = list(lines)
    for shorter in (said, [_short(line) for line in said]):
        if not said or _fits(shorter, size):
            return shorter
    said = [_short(line) for line in said]
    while len(said) > 1 and not _fits(said, size):
        said.remove(max(reversed(said), key=_rank))
    return said if said and (_fits(said, size) or said[0].startswith(LEVELS)) else []


def _short(line: str) -> str:
    """Return a count without what it is of: "105 of 713 points above 100" is "105 above 100" then."""
    return re.sub(r"(?<=\d) of \d+ (points|steps|samples)", "", line)


def _rank(line: str) -> int:
    """Return how early a line is left out, the greatest first."""
    return -1 if line.startswith(LEVELS) else 1 if line.startswith(_LAST) else 0


def _fits(lines: Sequence[str], size: Floats) -> bool:
    width, height = 2 * np.array(Box.of_text("\n".join(lines), look().small, (0.0, 0.0), pad=0.3 * look().small).half)
    return bool(width <= WIDEST * size[0] and width * height <= LARGEST * size[0] * size[1] and height <= size[1])
