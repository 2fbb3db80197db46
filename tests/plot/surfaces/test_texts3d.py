"""Texts of 3D stills, from many sides and at many sizes: none lies on anything that is drawn, none outside.

Labels are asked for without a figure, which is cheap, from many sides; legends, notes and names in whole ones.
"""

from __future__ import annotations

import dataclasses
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.style.style import our_style
from landscape.plot.surfaces.axis_texts import box_of_label, fitted_panel, ground_of, placed_labels
from landscape.plot.surfaces.camera import Camera
from landscape.plot.surfaces.panel3d import DEPTH_RESOLUTION
from landscape.plot.surfaces.still import Still
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.path import Path as MplPath

from landscape.surface.surface import Surface
from tests.helpers.pictures import assert_readable, distances
from tests.helpers.plot_fixtures import corners_of, damaged_valley, network, overlap, put_texts, valley
from tests.helpers.runs_on_planes import winding, with_steps, zoomed


def networks(surface: Surface) -> Surface:
    """Return a surface stretched between three checkpoints: two other networks, one of them at its edge."""
    recipe = {"source": "checkpoint", "differs": []}
    x, y = (
        dataclasses.replace(axis, source="checkpoint", recipe={**recipe, "path": f"runs/epoch{name}.pt"})
        for name, axis in zip((30, 60), surface.axes, strict=True)
    )
    y = dataclasses.replace(y, values=y.values / y.values.max())
    return dataclasses.replace(surface, axes=(x, y), origin={**surface.origin, "checkpoint": "runs/epoch90.pt"})


KINDS = {
    "plain": lambda: valley(25, 19),
    "holes": damaged_valley,
    "run": winding,
    "two runs": lambda: with_steps("adam"),
    "zoomed": zoomed,
    "rough": lambda: network(2.5, 12.0, 5, side=25),
    "networks": lambda: networks(winding()),
}
PANELS = [(390.0, 310.0), (245.0, 200.0), (209.0, 173.0)]
# Shorter than this in the picture, in points, an axis is seen nearly end-on.
END_ON = 36.0


def apart(one: Any, other: Any) -> bool:
    """Whether a straight line separates two convex polygons."""
    return overlap(one, other) <= 1e-6


@pytest.mark.parametrize("kind", ["plain", "holes", "two runs", "rough"])
def test_labels_lie_on_nothing_from_any_side_at_any_size(kind: str) -> None:
    random = np.random.default_rng([*KINDS].index(kind))
    still = Still.of(KINDS[kind](), interpolate=False)
    sheet = still.scene.sheet
    titles = ("α  (random direction 1)", "β  (random direction 2)", sheet.scale.label)
    views = [
        (size, Camera(random.uniform(-180, 180), elevation))
        for size, elevation in product(PANELS, (0.0, random.uniform(3, 30), random.uniform(30, 85)))
    ]
    # From here a long title leaves the view that was fitted first.
    for size, camera in [*views, (PANELS[0], Camera(90, 34))]:
        panel = fitted_panel(Figure().add_axes((0, 0, 1, 1)), still.scene, camera, titles, still.content, size)
        drawn = placed_labels(panel, ground_of(panel, framed=True))
        shapes = [box_of_label(panel, each).corners for each in drawn]
        surface = panel.flat(panel.scene.content)
        for k, (each, shape) in enumerate(zip(drawn, shapes, strict=True)):
            where = each.label.text, camera, size
            assert each.free, where
            assert shape.min() > -1, where
            assert (shape.max(axis=0) < np.array(size) + 1).all(), where
            assert all(apart(shape, other) for other in shapes[:k]), where
            assert not MplPath(shape).contains_points(surface).any(), where
        for axis in range(3):
            offered = [each for each in panel.frame.labels if each.tick and each.axis == axis]
            left = sum(each.label.tick and each.label.axis == axis for each in drawn)
            ends = panel.flat([each.anchor for each in offered]) if offered else np.zeros((1, 2))
            if np.hypot(*np.ptp(ends, axis=0)) > END_ON:
                assert left >= 2, (axis, camera, size)


def collisions(figure: Figure) -> list[str]:
    """Return which text, legend or note of a 3D still, in a figure that is drawn, lies on what."""
    (ax,) = (each for each in figure.axes if isinstance(each.get_axes_locator(), Still))
    panel, found = ax.get_axes_locator().panel, []
    on_screen = ax.transData.transform
    texts = [each for each in ax.texts if each.get_transform() == ax.transData]
    corners = corners_of(ax, texts, drawn=True)
    boxes = [(each.get_text(), box) for each, box in zip(texts, corners, strict=True) if each.get_gid() != "network"]
    # A network's name stands beside its mark, on the surface.
    names = [(each.get_text(), box) for each, box in zip(texts, corners, strict=True) if each.get_gid() == "network"]
    if (legend := ax.get_legend()) is not None:
        (left, low), (right, high) = legend.get_window_extent().get_points()
        whole = np.array([[left, low], [right, low], [right, high], [left, high]])
        found += [f"legend on {text!r}" for text, box in boxes + names if overlap(box, whole) > 1]
        boxes.append(("legend", whole))
    rows, columns = np.nonzero(panel.raster.triangle[::2, ::2] >= 0)
    plain = [line for line in ax.lines if line.get_marker() in (None, "None", "")]
    lines = [line for line in plain if line.get_transform() == ax.transData]
    paths = [piece for each in ax.collections if isinstance(each, LineCollection) for piece in each.get_segments()]
    drawn = {
        "the surface": on_screen(np.stack([columns, rows], axis=1) * 2 / DEPTH_RESOLUTION),
        "a line": np.concatenate([on_screen(dense(line.get_xydata())) for line in lines]),
        "a path or a contour": np.concatenate([np.zeros((0, 2)), *(on_screen(dense(piece)) for piece in paths)]),
    }
    low, high = ax.get_window_extent().get_points()
    for text, box in boxes:
        for what, spots in drawn.items():
            if (distances(spots, box) <= 0).any():
                found.append(f"{text!r} on {what}")
        if max((low - box.min(axis=0)).max(), (box.max(axis=0) - high).max()) > 1:
            found.append(f"{text!r} outside")
    return found


def dense(points: Any) -> Any:
    return np.concatenate([a + (b - a) * np.linspace(0, 1, 60)[:, None] for a, b in pairwise(points)])


# Each kind level, low or from above; each named size and each awkward one; with a caption and without.
VIEWS = [
    ("plain", "single", (-20, 90)),
    ("holes", (2.9, 3.1), (-52, 34)),
    ("holes", "neurips", (75, 0)),
    ("run", (2.5, 2.5), (-100, 12)),
    ("run", "icml-wide", (30, 0)),
    ("two runs", (7.0, 3.2), (-135, 20)),
    ("two runs", None, (60, 90)),
    ("zoomed", "single", (10, 0)),
    ("rough", (3.3, 4.1), (-160, 45)),
    ("rough", (7.0, 3.2), (100, 5)),
    ("networks", (3.7, 3.3), (-10, 40)),
    ("networks", (3.7, 3.3), (60, 35)),
]


@pytest.mark.parametrize(("kind", "size", "camera"), VIEWS)
def test_legend_notes_and_names_lie_on_nothing_in_whole_figures(kind: str, size: Any, camera: Any) -> None:
    caption = size not in ("single", (2.5, 2.5))
    figure = draw(
        KINDS[kind](), kind="surface", camera=camera, size=size, caption=caption, interpolate=kind == "zoomed"
    )
    with our_style():
        put_texts(figure)
        assert collisions(figure) == []
        assert_readable(figure, drawn=True)


def test_an_axis_seen_end_on_leaves_the_other_one_its_whole_name() -> None:
    panel = draw(valley(15, 11), kind="surface", camera="side").axes[0].get_axes_locator().panel
    assert {label.text for label in panel.frame.labels if label.axis < 2 and not label.tick} == {
        "α  (random direction 1)"
    }
