"""Axes of the 3D still: edges of the box, ticks and labels, placed so that nothing overlaps at any camera.

A label hangs on a point of the scene. How far it reaches from there, in points, does not depend on how large the
scene is drawn; so the labels come first, and the view is fitted around them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats

from ..scale.levels import linear_steps, number_text
from ..scale.scale import Scale
from ..style.colorbars import tick_texts
from ..style.style import look, text_width
from .camera import GAP, HEIGHT, Box, Camera, View, fit_view

TICK_LENGTH = 3.0
TICK_PAD = 3.0  # less, and a tick before a minus sign is another one
TITLE_PAD = 3.0
STEEPEST = 75.0  # degrees: seen from higher above, heights cannot be read
SLANT = 0.5  # of a tick: nearer to its axis than 30 degrees it would lie along it
EDGE = 2.0  # between what is drawn and the panel's edge


@dataclass(frozen=True, eq=False)
class Label:
    """A text near a point of the scene."""

    anchor: Floats  # (3,)
    direction: Floats  # (2,), unit: where the text lies from the anchor, in the picture
    offset: float  # from the anchor to the text's centre, in points
    text: str
    size: float
    rotation: float  # degrees
    half: tuple[float, float]  # of the rotated text's bounding box, in points
    tick: bool  # whether a tick joins it to the anchor
    axis: int  # 0 for x, 1 for y, 2 for the heights
    shift: tuple[float, float] = (0.0, 0.0)  # in points, from there to where it is free

    @property
    def key(self) -> tuple[int, str]:
        """What tells it from the other labels of its picture."""
        return self.axis, self.text

    @property
    def margins(self) -> tuple[float, float, float, float]:
        """How far the text reaches from its anchor to the left, down, right and up, in points."""
        x, y = self.direction * self.offset + self.shift
        return (self.half[0] - x, self.half[1] - y, self.half[0] + x, self.half[1] + y)


@dataclass(frozen=True, eq=False)
class Frame:
    """What surrounds a surface: where each thing is in the scene."""

    view: View
    labels: tuple[Label, ...]
    height_axis: Floats  # (2, 3), foot first; empty where it is seen nearly from above
    corners: Floats  # (4, 3) of the floor, anticlockwise
    walls: tuple[Floats, ...]  # lines, (n, 3) each, on the two sides behind the surface
    x_ticks: tuple[float, ...]
    y_ticks: tuple[float, ...]
    z_ticks: tuple[float, ...]


def fit_frame(
    camera: Camera,
    box: Box,
    scale: Scale,
    titles: tuple[str, str, str],
    content: Floats,
    size: tuple[float, float],
    *,
    steady: tuple[float, float] | None = None,
    shifts: Mapping[tuple[int, str], tuple[float, float]] | None = None,
) -> Frame:
    """Choose ticks, place labels, and fit the view around them and the content.

    Parameters
    ----------
    camera : Camera
    box : Box
    scale : Scale
        Ticks of the height axis.
    titles : (str, str, str)
        What is written along x, y and the heights; empty for nothing.
    content : ndarray, shape (n, 3)
        Points of the scene that must be in the picture: the surfaces of all panels that are compared.
    size : (float, float)
        Of the panel, in points.
    steady : (float, float), optional
        Frame the scene for all azimuths from one to another, in degrees: pictures of a film then have one size and
        place.
    shifts : mapping of (int, str) to (float, float), optional
        By how much labels, told by their `Label.key`, are moved from their own places, in points.

    Returns
    -------
    Frame

    Raises
    ------
    PlotError
        The panel is too small for its labels.
    """
    half_x, half_y = box.half
    corners = np.array([[-half_x, -half_y], [half_x, -half_y], [half_x, half_y], [-half_x, half_y]])
    corners = np.column_stack([corners, np.full(4, -GAP)])
    # Directions in the picture do not depend on the fit: any view of this camera has them.
    rough = fit_view(camera, corners, np.zeros((4, 4)), (100.0, 100.0), box.half)
    flat = rough.project(content)[:, :2]
    # The outermost points stay the outermost however much the picture is enlarged.
    everything = content
    content = content[np.concatenate([flat.argmin(axis=0), flat.argmax(axis=0)])]
    left = corners[np.argmin(rough.project(corners)[:, 0]), :2]
    height_axis = np.array([[*left, 0.0], [*left, HEIGHT]])
    furthest = int(np.argmin(corners[:, :2] @ camera.heading))
    behind = corners[[furthest - 1, furthest, (furthest + 1) % 4], :2]
    floor_ticks = linear_steps(*box.x, most=5), linear_steps(*box.y, most=5)
    z_ticks = scale.ticks
    if camera.elevation > STEEPEST:
        z_ticks, titles, height_axis, behind = (), (titles[0], titles[1], ""), height_axis[:0], behind[:0]
    steadied = _steady_view(camera, box, size, everything, steady) if steady else None
    # A pass can only make labels fewer or shorter: ticks that stand too close, titles about as long as their axis.
    for _ in range(8):
        floor = [_floor_labels(camera, rough, box, axis, floor_ticks[axis], titles[axis]) for axis in (0, 1)]
        labels = [*floor[0], *floor[1], *_height_labels(rough, scale, box, left, z_ticks, titles[2])]
        labels = [replace(each, shift=(shifts or {}).get(each.key, (0.0, 0.0))) for each in labels]
        walls = _walls(box, scale, behind, z_ticks)
        anchors = np.concatenate([content, corners, height_axis, *walls, [label.anchor for label in labels]])
        margins = np.zeros((len(anchors), 4))
        margins[len(anchors) - len(labels) :] = [label.margins for label in labels]
        margins += EDGE
        before = titles, z_ticks, floor_ticks
        try:
            view = steadied or fit_view(camera, anchors, margins, size, box.half)
        except PlotError:
            # Nothing is drawn yet that could say which labels are too long: names alone, then fewer numbers.
            titles, floor_ticks = _briefer(titles, floor_ticks)
            if before == (titles, z_ticks, floor_ticks):
                raise
            continue
        lengths = np.hypot(*np.diff(view.project(corners[:3])[:, :2], axis=0).T)
        along = [each for each in zip(titles, lengths, floor, strict=False) if not _end_on(view, each[2])]
        if any(text_width(title, look().label) * 72 > 0.8 * length for title, length, _ in along):
            titles = _short(titles)
        if height_axis.size:
            foot, top = view.project(height_axis)[:, :2]
            z_ticks = thin_ticks(z_ticks, scale, float(np.hypot(*(top - foot))), 1.35 * look().tick)
        floor_ticks = _thinned(view, floor_ticks[0], floor[0]), _thinned(view, floor_ticks[1], floor[1])
        titles = titles[0] if floor_ticks[0] else "", titles[1] if floor_ticks[1] else "", titles[2]
        if before == (titles, z_ticks, floor_ticks):
            break
    return Frame(view, tuple(labels), height_axis, corners, walls, *floor_ticks, z_ticks)


def _short(titles: tuple[str, str, str]) -> tuple[str, str, str]:
    """Return the titles with no more than the name of both directions."""
    return titles[0].split(" (")[0].strip(), titles[1].split(" (")[0].strip(), titles[2]


def _briefer(
    titles: tuple[str, str, str], ticks: tuple[tuple[float, ...], tuple[float, ...]]
) -> tuple[tuple[str, str, str], tuple[tuple[float, ...], tuple[float, ...]]]:
    """Return titles and ticks of the floor that take less room; the same where there are none."""
    if titles != _short(titles):
        return _short(titles), ticks
    x, y = (each[::2] if len(each) > 2 else each for each in ticks)
    return titles, (x, y)


def _end_on(view: View, labels: Sequence[Label]) -> bool:
    """Return whether an axis is seen end-on: its outermost numbers touch. It has neither numbers nor title then."""
    numbers = [label for label in labels if label.tick]
    return len(numbers) > 1 and _touch(view, numbers[0], numbers[-1])


def _touch(view: View, one: Label, other: Label) -> bool:
    spots = [view.project(label.anchor)[:2] + label.direction * label.offset for label in (one, other)]
    return bool((np.abs(spots[1] - spots[0]) < np.array([2.0, 0.0]) + one.half + other.half).all())


def _thinned(view: View, ticks: tuple[float, ...], labels: Sequence[Label]) -> tuple[float, ...]:
    """Return every second tick of an axis whose numbers touch; none of one that is seen end-on."""
    numbers = [label for label in labels if label.tick]
    touch = any(_touch(view, one, other) for one, other in pairwise(numbers))
    return ticks if not touch else ticks[::2] if len(ticks) > 2 else ()


def _steady_view(
    camera: Camera, box: Box, size: tuple[float, float], content: Floats, azimuths: tuple[float, float]
) -> View:
    """Return the view that holds the floor, the surface and the labels from all azimuths between two.

    It is the same for every camera among them: what turns is the scene, as that camera sees it.
    """
    half_x, half_y = box.half
    corners = [[-half_x, -half_y, -GAP], [half_x, -half_y, -GAP], [half_x, half_y, -GAP], [-half_x, half_y, -GAP]]
    scene: Floats = np.concatenate([np.array(corners), outermost(content)])
    turned: list[Floats] = []
    for azimuth in np.linspace(*azimuths, max(2, round((azimuths[1] - azimuths[0]) / 7.5) + 1)):
        seen = _turned(scene, camera.azimuth - azimuth)
        # The height axis stands on the corner that is furthest to the left.
        x, y, _ = seen[np.argmin(seen[:4] @ camera.directions[0])]
        turned += [seen, np.array([[x, y, HEIGHT]])]
    anchors = np.concatenate(turned)
    # Left and right for numbers on the height axis and the floor, below for numbers and a title.
    margins = np.tile([4.5, 3.5, 2.5, 1.0], (len(anchors), 1)) * look().label
    return fit_view(camera, anchors, margins, size, box.half)


def _turned(points: Floats, degrees: float) -> Floats:
    """Turn points about the vertical axis."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    turned: Floats = points @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    return turned


def outermost(points: Floats) -> Floats:
    """Return the points that reach furthest in some direction: the others lie between these from every side."""
    turns = np.deg2rad(np.arange(0.0, 360.0, 7.5))
    reach = np.stack([np.cos(turns), np.sin(turns)], axis=1) @ points[:, :2].T
    rises = (-4.0, -1.0, -0.3, 0.0, 0.3, 1.0, 4.0)
    found = [np.argmax(reach + rise * points[:, 2], axis=1) for rise in rises]
    outermost: Floats = points[np.unique(np.concatenate(found))]
    return outermost


def _walls(box: Box, scale: Scale, corners: Floats, ticks: Sequence[float]) -> tuple[Floats, ...]:
    """Return a line at each tick's height along the two sides behind the surface, and the edges they end at."""
    heights = [float(box.rise(scale.forward(value))) for value in ticks]
    lines = [np.column_stack([corners, np.full(len(corners), height)]) for height in heights]
    top = max(heights, default=HEIGHT)
    return (*lines, *(np.array([[x, y, 0.0], [x, y, top]]) for x, y in corners))


def thin_ticks(ticks: Sequence[float], scale: Scale, length: float, room: float) -> tuple[float, ...]:
    """Return the ticks that stand at least ``room`` apart on an axis of some length, both in points.

    Powers of 10 stay first, so that 0.1, 1, 10 are what is left of a ladder; the larger ones before the smaller ones,
    which crowd at the foot of ``log(L + eps)``.
    """

    def rank(value: float) -> tuple[int, float]:
        mantissa = 0.0 if value == 0 else abs(value) / 10.0 ** np.floor(np.log10(abs(value)) + 1e-9)
        distances = [abs(mantissa - each) for each in (0.0, 1.0, 5.0, 2.0)]
        return int(np.argmin(distances)), -abs(value)

    ordered = sorted(ticks, key=rank) if scale.kind != "linear" else list(ticks)
    kept: list[float] = []
    for value in ordered:
        place = float(scale.normalized(value)) * length
        if all(abs(place - float(scale.normalized(each)) * length) >= room for each in kept):
            kept.append(value)
    return tuple(sorted(kept))


def _unit(vector: Floats) -> Floats:
    length = float(np.hypot(*vector))
    # Of a floor seen from its edge only what is left of the perspective remains.
    return vector / length if length > 5e-3 else np.array([0.0, -1.0])


def _place(
    axis: int, anchor: Floats, direction: Floats, away: float, text: str, size: float, rotation: float | None = None
) -> Label:
    """Return a label whose nearest side is ``away`` points from the anchor, along a direction of the picture.

    One that is turned is a title, any other one stands at a tick.
    """
    tick, rotation = rotation is None, rotation or 0.0
    width, height = text_width(text, size) * 72, size
    turn = np.deg2rad(rotation)
    c, s = abs(np.cos(turn)), abs(np.sin(turn))
    lean = turn - np.arctan2(direction[1], direction[0])
    reach = width / 2 * abs(np.cos(lean)) + height / 2 * abs(np.sin(lean))
    half = (float(width * c + height * s) / 2, float(width * s + height * c) / 2)
    return Label(anchor, direction, float(away + reach), text, size, rotation, half, tick, axis)


def _floor_labels(camera: Camera, view: View, box: Box, axis: int, ticks: Sequence[float], title: str) -> list[Label]:
    """Return the labels of x (0) or y (1), on the floor's edge that is nearer to the eye."""
    other = 1 - axis
    # The nearer edge; where both are about equally near the right one, since the height axis is on the left.
    side = float(np.sign(camera.heading[other] + 0.25 * camera.directions[0, other]))
    outwards = np.zeros(3)
    outwards[other] = side
    low, high = (box.x, box.y)[axis]
    ends = np.zeros((2, 3))
    ends[:, axis] = -box.half[axis], box.half[axis]
    ends[:, other] = side * box.half[other]
    ends[:, 2] = -GAP

    def seen(point: Floats) -> Floats:
        return view.project(point)[:2]

    along = _unit(seen(ends[1]) - seen(ends[0]))
    across = np.array([-along[1], along[0]])
    middle = ends.mean(axis=0)
    across *= np.sign(across @ (seen(middle + 0.05 * outwards) - seen(middle))) or 1.0
    if abs(across[1]) > 0.9:
        # Of a floor seen from its edge only what is left of the perspective says which side is outside.
        across *= -np.sign(across[1])
    labels = []
    for value in ticks:
        anchor = ends[0] + (ends[1] - ends[0]) * (value - low) / (high - low)
        direction = _unit(seen(anchor + 0.05 * outwards) - seen(anchor))
        if direction @ across < SLANT:
            direction = across
        text = number_text(round(value, 12), 6)
        labels.append(_place(axis, anchor, direction, TICK_LENGTH + TICK_PAD, text, look().tick))
    if title:
        # Read from the left; a lone Greek letter stands upright.
        turned = np.array([1.0, 0.0]) if len(title) <= 2 else along if along[0] >= 0 else -along
        labels.append(_title(axis, middle, turned, across, labels, title))
    return labels


def _title(axis: int, middle: Floats, along: Floats, across: Floats, ticks: Sequence[Label], title: str) -> Label:
    """Return an axis's title, turned along it, beyond the texts at its ticks."""
    reach = max((float(across @ each.direction) * each.offset + _reach(each, across) for each in ticks), default=0.0)
    angle = np.rad2deg(np.arctan2(along[1], along[0]))
    return _place(axis, middle, across, reach + TITLE_PAD, title, look().label, float(angle))


def _reach(label: Label, direction: Floats) -> float:
    """Return how far an upright label extends from its centre along a direction of the picture."""
    return float(label.half[0] * abs(direction[0]) + label.half[1] * abs(direction[1]))


def _height_labels(
    view: View, scale: Scale, box: Box, corner: Floats, ticks: Sequence[float], title: str
) -> list[Label]:
    leftwards = np.array([-1.0, 0.0])
    labels = []
    common, texts = tick_texts(scale, ticks)
    for value, text in zip(ticks, texts, strict=True):
        anchor = np.array([*corner, float(box.rise(scale.forward(value)))])
        labels.append(_place(2, anchor, leftwards, TICK_LENGTH + TICK_PAD, text, look().tick))
    if title:
        title += f" ({common} + …)" if common else ""
        foot, top = view.project([[*corner, 0.0], [*corner, HEIGHT]])[:, :2]
        along = _unit(top - foot)
        middle = np.array([*corner, HEIGHT / 2])
        labels.append(_title(2, middle, along, np.array([-along[1], along[0]]), labels, title))
    return labels
