"""Texts of 3D stills, from many sides and at many sizes: none lies on anything that is drawn, none outside."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from landscape.plot.figures import draw
from landscape.plot.style.style import our_style
from landscape.plot.surfaces.panel3d import DEPTH_RESOLUTION
from landscape.plot.surfaces.still import Still
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from landscape.errors import LandscapeError
from landscape.surface.surface import Surface
from tests.helpers.pictures import assert_readable, distances
from tests.helpers.plot_fixtures import corners_of, damaged_valley, network, overlap, valley
from tests.helpers.runs_on_planes import winding, with_steps, zoomed

PRESETS = [None, "single", "neurips", "icml-wide", (2.5, 2.5), (2.9, 3.1), (7.0, 3.2)]
GIVEN = {
    "plain": lambda: valley(15, 11),
    "holes": damaged_valley,
    "run": winding,
    "two runs": lambda: with_steps("adam"),
    "zoomed": zoomed,
    "rough": lambda: network(0.9, 5, 2, 15, "plain"),
}
DRAWS = 11


def dense(points: Any) -> Any:
    return np.concatenate([a + (b - a) * np.linspace(0, 1, 60)[:, None] for a, b in pairwise(points)])


def collisions(figure: Figure) -> list[str]:
    """Return which text, legend or note of a 3D still lies on what."""
    (ax,) = (each for each in figure.axes if isinstance(each.get_axes_locator(), Still))
    panel, found = ax.get_axes_locator().panel, []
    on_screen = ax.transData.transform
    texts = [each for each in ax.texts if each.get_transform() == ax.transData]
    boxes = [(each.get_text(), box) for each, box in zip(texts, corners_of(ax, texts), strict=True)]
    if (legend := ax.get_legend()) is not None:
        (left, low), (right, high) = legend.get_window_extent().get_points()
        whole = np.array([[left, low], [right, low], [right, high], [left, high]])
        found += [f"legend on {text!r}" for text, box in boxes if overlap(box, whole) > 1]
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


@pytest.mark.parametrize("kind", GIVEN)
def test_no_text_lies_on_anything_from_any_side_at_any_size(kind: str) -> None:
    random, surface, drawn = np.random.default_rng(len(kind)), GIVEN[kind](), 0
    assert isinstance(surface, Surface)
    for number in range(DRAWS):
        size: Any = PRESETS[number // 2 % len(PRESETS)] if number % 2 else tuple(random.uniform(2.5, 7.0, 2))
        camera = random.uniform(-180, 180), [random.uniform(0, 90), random.uniform(5, 60), 0.0, 90.0][number % 4]
        options: dict[str, Any] = {"camera": camera, "size": size, "caption": number % 4 == 0}
        options["interpolate"] = number % 4 == 1
        try:
            figure = draw(surface, kind="surface", **options)
        except LandscapeError as error:
            assert "no room" in str(error)  # noqa: PT017
            continue
        drawn += 1
        with our_style():
            assert_readable(figure)
            assert collisions(figure) == [], options
    assert drawn > 0.8 * DRAWS


def test_the_property_is_tried_at_sixty_views_and_more() -> None:
    assert DRAWS * len(GIVEN) > 60
