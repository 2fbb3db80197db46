"""Where a text goes: beside what it labels, and on nothing else that is drawn.

One routine for every kind of picture. What stands already is a `Room`: lines and marks as spots with a reach, texts
as boxes, turned as they are. A renderer offers places for its text, the best first, and takes the first that is free::

    room = Room.of(ax)                               # all lines, marks, texts and the legend of these axes
    boxes = [Box.of_text("barrier 1.2", 6.5, spot) for spot in spots]
    place = room.choose(boxes)                       # the number of the first that lies on nothing
    ax.annotate("barrier 1.2", ..., boxes[place].middle)

Lengths are in points (1/72 inch) from the figure's lower left corner (`to_points`), so that a place does not depend
on the resolution a picture is written with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.transforms import Affine2D
from numpy.typing import ArrayLike

from landscape.surface.grid import Floats

from .style import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text
    from matplotlib.transforms import Transform

# Height of a line of letters, with what hangs below it, in font sizes.
LINE_HEIGHT = 1.2
# A screen rounds letters to whole pixels, which makes lines longer than they are on paper.
SCREEN = 1.03
# Between a text and what it stands beside, in points.
CLEAR = 1.0
# Spots that stand for a line are this far apart, in points: less than a letter's stroke and its white halo.
STEP = 1.5
# Of a mark that a text must not cover, in points.
SMALLEST = 1.5
# How many places are looked at together, and how far from a text, in points, nothing counts any more.
CHUNK, FAR = 24, 8.0


@dataclass(frozen=True, eq=False)
class Box:
    """A rectangle in the picture, perhaps turned."""

    middle: Floats  # (2,)
    half: tuple[float, float]  # of its width and height, before it is turned
    turn: float = 0.0  # radians, anticlockwise

    @classmethod
    def of_text(
        cls,
        text: str,
        size: float,
        anchor: ArrayLike,
        align: tuple[float, float] = (0.0, 0.0),
        *,
        turn: float = 0.0,
        pad: float = 0.0,
    ) -> Box:
        """Return what a text covers, of one line or several.

        Parameters
        ----------
        text : str
        size : float
            Of the font, in points.
        anchor : array_like, shape (2,)
        align : (float, float)
            Where the anchor lies in the text: -1 at its left or lower side, 0 in the middle, 1 at its right or top.
        turn : float
            In radians, about the anchor.
        pad : float
            Added on all sides.
        """
        lines = text.split("\n")
        width = SCREEN * max(text_width(line, size) for line in lines) * 72
        half = width / 2 + pad, LINE_HEIGHT * size * len(lines) / 2 + pad
        c, s = np.cos(turn), np.sin(turn)
        away = -np.asarray(align) * half
        return cls(np.asarray(anchor, dtype=np.float64) + np.array([[c, -s], [s, c]]) @ away, half, turn)

    @property
    def corners(self) -> Floats:
        """Its corners, anticlockwise, shape (4, 2)."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        flat = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * self.half
        return np.asarray(self.middle + flat @ np.array([[c, s], [-s, c]]))


class Room:
    """What is drawn already, and where there is none of it.

    Parameters
    ----------
    frame : (lower left, upper right), optional
        What no text may leave.
    """

    def __init__(self, frame: tuple[ArrayLike, ArrayLike] | None = None) -> None:
        self.frame = None if frame is None else np.asarray(frame, dtype=np.float64)
        self.boxes: list[Box] = []
        self._spots: list[Floats] = []

    @classmethod
    def of(cls, *axes: Axes, inside: bool = True) -> Room:
        """Return the room in axes that lie on each other: all their visible lines, marks, texts and legends are taken.

        ``inside`` makes the axes' own rectangle the frame. Aspect and limits must be as they will stay.
        """
        for ax in axes:
            ax.apply_aspect()
        low, high = axes[0].get_window_extent().get_points() * _scale(axes[0])
        room = cls((low, high) if inside else None)
        for ax in axes:
            room.take_drawn(ax, to_points(ax))
            for found in ax.collections:
                if isinstance(found, PathCollection) and found.get_visible():
                    spots = found.get_offset_transform().transform(found.get_offsets()) * _scale(ax)
                    room.take_spots(spots, float(np.sqrt(np.max(found.get_sizes(), initial=0.0))) / 2)
            room.take(*(box_of(text) for text in ax.texts if text.get_visible() and text.get_text()))
            if (legend := ax.get_legend()) is not None:
                room.take(_upright(legend.get_window_extent().get_points() * _scale(ax)))
        return room

    def take_drawn(self, ax: Axes, points: Transform) -> None:
        """Let nothing be put on the lines and marks of axes; ``points`` takes their data to points."""
        for line in ax.lines:
            if line.get_visible():
                self._take_line_of(line, ax, points)
        for found in ax.collections:
            # Those of other coordinates, as a fan drawn across all of the axes is, may be crossed.
            if isinstance(found, LineCollection) and found.get_visible() and found.get_transform() == ax.transData:
                for piece in found.get_segments():
                    self.take_line(points.transform(piece), float(np.max(found.get_linewidth(), initial=0.0)) / 2)

    def _take_line_of(self, line: Any, ax: Axes, to_points: Transform) -> None:
        if line.get_transform() != ax.transData:
            # A hairline across all of the axes says where something is, and may be crossed.
            return
        data = np.asarray(line.get_xydata(), dtype=np.float64)
        # What is not finite is nowhere; a transform would multiply infinity by 0.
        data = np.where(np.isfinite(data).all(axis=1, keepdims=True), data, np.nan)
        points = to_points.transform(data)
        if line.get_linestyle() not in ("None", "none", "", " "):
            self.take_line(points, line.get_linewidth() / 2)
        # What is smaller than a full stop may be written over: the dots of interpolated points are everywhere.
        if line.get_marker() not in ("None", "none", "", " ", None) and line.get_markersize() > SMALLEST:
            self.take_spots(points, line.get_markersize() / 2)

    def take(self, *boxes: Box) -> None:
        """Let nothing more be put where these are."""
        self.boxes += boxes

    def take_spots(self, points: ArrayLike, reach: float) -> None:
        """Let nothing be put within ``reach`` of points, shape (n, 2); those that are not finite are none."""
        array = np.reshape(np.asarray(points, dtype=np.float64), (-1, 2))
        array = array[np.isfinite(array).all(axis=1)]
        self._spots.append(np.column_stack([array, np.full(len(array), reach)]))

    def take_line(self, points: ArrayLike, reach: float) -> None:
        """Let nothing be put within ``reach`` of a line through points, shape (n, 2), which NaN cuts."""
        line = np.asarray(points, dtype=np.float64)
        if len(line) < 2:
            self.take_spots(line, reach)
            return
        lengths = np.hypot(*np.diff(line, axis=0).T)
        # What is far outside, as a spike beyond the limits is, needs no spots of its own.
        pieces = np.ceil(np.nan_to_num(lengths, nan=1.0, posinf=1.0) / STEP).clip(1, 2000).astype(int)
        starts = np.repeat(np.cumsum(pieces) - pieces, pieces)
        within = (np.arange(len(starts)) - starts) / np.repeat(pieces, pieces)
        at = np.append(np.repeat(np.arange(len(pieces)), pieces) + within, len(line) - 1)
        low = np.minimum(at.astype(int), len(line) - 2)
        self.take_spots(line[low] + (at - low)[:, None] * (line[low + 1] - line[low]), reach)

    @property
    def spots(self) -> Floats:
        """What lines and marks cover: place and reach, shape (n, 3)."""
        if len(self._spots) != 1:
            self._spots = [np.concatenate([np.zeros((0, 3)), *self._spots])]
        return self._spots[0]

    def depths(self, middles: ArrayLike, half: tuple[float, float], turns: ArrayLike = 0.0) -> Floats:
        """Return how deep boxes of one size lie in what is taken, shape (n,); 0 or less where they are free.

        What is further than a few points away counts as nowhere.

        Parameters
        ----------
        middles : array_like, shape (n, 2)
        half : (float, float)
            Half of the width and of the height of each.
        turns : array_like, shape (n,) or ()
            Radians.
        """
        centres = np.reshape(np.asarray(middles, dtype=np.float64), (-1, 2))
        turn = np.broadcast_to(np.asarray(turns, dtype=np.float64), len(centres))
        along = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
        deepest = np.full(len(centres), -np.inf)
        if self.frame is not None:
            reach = np.abs(along) * half[0] + np.abs(across) * half[1]
            out = np.maximum(self.frame[0] - (centres - reach), centres + reach - self.frame[1])
            deepest = np.maximum(deepest, out.max(axis=1))
        # What is further away than a box and a little more says nothing of it.
        far = float(np.hypot(*half)) + FAR
        for start in range(0, len(centres), CHUNK):
            part = slice(start, start + CHUNK)
            spots = self.spots
            low, high = centres[part].min(axis=0) - far, centres[part].max(axis=0) + far
            spots = spots[
                (spots[:, 0] + spots[:, 2] > low[0]) & (spots[:, 0] - spots[:, 2] < high[0])
                & (spots[:, 1] + spots[:, 2] > low[1]) & (spots[:, 1] - spots[:, 2] < high[1])
            ]  # fmt: skip
            if not len(spots):
                continue
            x, y = (spots[None, :, k] - centres[part, k, None] for k in (0, 1))
            # By columns: to stack places of two numbers and add along them takes twice as long.
            wide = np.abs(x * along[part, :1] + y * along[part, 1:]) - half[0]
            tall = np.abs(x * across[part, :1] + y * across[part, 1:]) - half[1]
            # A root of squares: these are points on a page, and hypot, which is safe for any number, takes much longer.
            outside = np.sqrt(np.maximum(wide, 0.0) ** 2 + np.maximum(tall, 0.0) ** 2)
            depth = spots[None, :, 2] - np.where(outside > 0, outside, np.maximum(wide, tall))
            deepest[part] = np.maximum(deepest[part], depth.max(axis=1))
        if self.boxes:
            deepest = np.maximum(deepest, self._depths_in_boxes(centres, half, along, across))
        return deepest

    def _depths_in_boxes(self, centres: Floats, half: tuple[float, float], along: Floats, across: Floats) -> Floats:
        """Return how deep boxes lie in the deepest of those that are taken, their sides along (n, 2) directions."""
        middles, halves = (np.array([getattr(box, name) for box in self.boxes]) for name in ("middle", "half"))
        turns = np.array([box.turn for box in self.boxes])
        c, s = np.cos(turns), np.sin(turns)
        mine = [(each[:, :1], each[:, 1:]) for each in (along, across)]
        theirs = [(c, s), (-s, c)]
        x, y = (middles[:, k] - centres[:, k, None] for k in (0, 1))
        gap = np.full(x.shape, -np.inf)
        # Two rectangles are apart exactly where a side of either of them separates them.
        for u, v in (*mine, *theirs):
            reach: Any = 0.0
            for sides, lengths in ((mine, half), (theirs, halves.T)):
                for (a, b), length in zip(sides, lengths, strict=True):
                    reach = reach + np.abs(a * u + b * v) * length
            gap = np.maximum(gap, np.abs(x * u + y * v) - reach)
        return np.asarray(-gap.min(axis=1))

    def first_free(
        self, middles: ArrayLike, half: tuple[float, float], turn: float = 0.0, clear: float = 0.0
    ) -> tuple[int, float]:
        """Return the number of the first place, of middles of shape (n, 2), where a box is free, and its depth there.

        That is ``clear`` points from anything. Where no place is free, it is the one where the box lies least deep.
        """
        centres = np.reshape(np.asarray(middles, dtype=np.float64), (-1, 2))
        best, least = 0, np.inf
        for start in range(0, len(centres), CHUNK):
            depths = self.depths(centres[start : start + CHUNK], half, turn)
            free = depths + clear <= 0
            number = int(np.argmax(free)) if free.any() else int(np.argmin(depths))
            if free.any() or depths[number] < least:
                best, least = start + number, float(depths[number])
            if free.any():
                break
        return best, least

    def depth(self, box: Box) -> float:
        """Return how deep a box lies in what is taken; 0 or less where it is free."""
        return float(self.depths(box.middle, box.half, box.turn)[0])

    def choose(self, boxes: Sequence[Box], *, take: bool = True) -> int:
        """Return the number of the first box that is free, or else of the one that lies least deep in anything.

        With ``take`` it is taken from then on.
        """
        depths = []
        for box in boxes:
            depths.append(self.depth(box) + CLEAR)
            if depths[-1] <= 0:
                break
        best = int(np.argmin(depths)) if depths[-1] > 0 else len(depths) - 1
        if take:
            self.take(boxes[best])
        return best


def box_of(text: Text) -> Box:
    """Return what a text that stands in a figure covers, turned as it is."""
    figure = text.get_figure(root=True)
    assert figure is not None
    factor = 72 / figure.dpi
    patch = text.get_bbox_patch()
    turn = text.get_rotation()
    whole = text.get_window_extent().get_points() * factor
    text.set_rotation(0)
    plain = text.get_window_extent().get_points() * factor
    text.set_rotation(turn)
    pad = 0.0 if patch is None else 0.3 * float(text.get_fontsize())
    width, height = plain[1] - plain[0]
    return Box(whole.mean(axis=0), (float(width) / 2 + pad, float(height) / 2 + pad), float(np.deg2rad(turn)))


def corner_boxes(
    frame: ArrayLike, size: tuple[float, float], margin: float, corners: Iterable[tuple[float, float]]
) -> list[Box]:
    """Return boxes of a size in the corners of a frame, (0, 0) the lower left one and (1, 1) the upper right one.

    Numbers between 0 and 1 are as much of the way.
    """
    low, high = np.asarray(frame, dtype=np.float64)
    half = np.array(size) / 2
    inner = low + margin + half, high - margin - half
    return [Box(inner[0] + (inner[1] - inner[0]) * corner, (float(half[0]), float(half[1]))) for corner in corners]


def to_points(ax: Axes) -> Transform:
    """Return what takes data of axes to points from the figure's lower left corner."""
    return ax.transData + Affine2D().scale(_scale(ax))


def _upright(points: Floats) -> Box:
    half = (points[1] - points[0]) / 2
    return Box(points.mean(axis=0), (float(half[0]), float(half[1])))


def _scale(ax: Axes) -> float:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return 72 / float(figure.dpi)
