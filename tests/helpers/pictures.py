"""What a reader of a picture trips over: texts that lie on each other, on marks, or outside."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from tests.helpers.plot_fixtures import corners_of, overlap, put_texts


def tick_labels(axis: Any) -> list[Any]:
    """Return the labels of the ticks that are drawn: matplotlib keeps some beyond the axis."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
    return [label for tick in ticks for label in (tick.label1, tick.label2)]


def titles_of(ax: Any) -> list[Any]:
    """Return matplotlib's own titles of axes, wherever they stand."""
    return [ax.title, ax._left_title, ax._right_title]


def assert_readable(figure: Figure, *, drawn: bool = False) -> None:
    """No text leaves the figure, none lies on another, on a star, a ring or a path; ``drawn`` if it is already."""
    if not drawn:  # tick labels are filled when they are drawn
        put_texts(figure)
    texts = [text for ax in figure.axes for text in (*ax.texts, ax.xaxis.label, ax.yaxis.label, *titles_of(ax))]
    axes = [ax for ax in figure.axes if ax.axison]
    texts += [text for ax in axes for axis in (ax.xaxis, ax.yaxis) for text in tick_labels(axis)] + figure.texts
    texts += [text for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]
    texts = [text for text in texts if text.get_text() and text.get_visible()]
    boxes = corners_of(figure.axes[0], texts, drawn=True)
    width, height = figure.get_size_inches() * figure.dpi
    low, high = (np.array([bound(box, axis=0) for box in boxes]) for bound in (np.min, np.max))
    for k, (box, text) in enumerate(zip(boxes, texts, strict=True)):
        outside = min(box.min(), width - box[:, 0].max(), height - box[:, 1].max())
        assert outside > -1, f"{text.get_text()!r} sticks out by {-outside:.0f} pixels"
        for near in np.flatnonzero(((low[k] < high[:k]) & (high[k] > low[:k])).all(axis=1)):
            # Ticks at the very ends of neighbouring panels may touch.
            assert overlap(box, boxes[near]) < 2, f"{text.get_text()!r} lies on {texts[near].get_text()!r}"
    for ax in figure.axes:
        if (legend := ax.get_legend()) is not None:
            # Its samples of lines, too.
            frame = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) @ np.diag(legend.get_window_extent().size)
            frame = frame + legend.get_window_extent().p0
            for box, text in zip(boxes, texts, strict=True):
                inside = text in legend.get_texts()
                assert inside or overlap(box, frame) < 2, f"{text.get_text()!r} lies on a legend"
        written = [(box, text) for box, text in zip(boxes, texts, strict=True) if text.axes is ax]
        for line in ax.lines:
            if line.get_marker() in ("*", "o", "D", "s") and line.get_markersize() > 2:
                reach = line.get_markersize() / 144 * figure.dpi
                spots = line.get_transform().transform(line.get_xydata())
                spots = spots[np.isfinite(spots).all(axis=1)]  # what is not finite has no mark
                for box, text in written:
                    depth = reach - distances(spots, box)
                    assert depth.max(initial=0.0) < 1.5, f"{text.get_text()!r} lies on the mark {line.get_label()!r}"


def distances(spots: Any, box: Any) -> Any:
    """Return how far points are from a rectangle, in pixels; 0 within it."""
    middle, sides = box.mean(axis=0), np.array([box[1] - box[0], box[3] - box[0]])
    lengths = np.hypot(*sides.T)
    along = np.abs((spots - middle) @ (sides / lengths[:, None]).T) - lengths / 2
    return np.hypot(*np.maximum(along, 0.0).T)
