"""The page and the stills show the same: two programs, one drawn by a graphics library, one by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from landscape.plot.planes.marks import Sheet
from landscape.plot.scale.scale import Scale
from landscape.plot.surfaces.camera import View
from landscape.plot.surfaces.scenes import make_scene, shared_box
from landscape.plot.surfaces.shading import Light, render

from browser.conftest import Opened
from browser.scenes import broken, plain

Open = Callable[..., Opened]

VIEW = """(() => { const { view } = app.views[0];
  return [view.eye, [view.right, view.up, view.back], view.scale, view.cx, view.cy, view.width, view.height]; })()"""


def still_of(page: Opened, surface: Any, scale: Scale, levels: bool) -> Any:
    """Draw what the page shows with the stills' renderer and the page's own camera, as RGBA."""
    eye, directions, unit, cx, cy, width, height = page.app(VIEW)
    view = View(np.array(eye), np.array(directions), unit, (cx, height - cy), (width, height))
    sheet = Sheet.of(surface, "train/loss", scale)
    scene = make_scene(sheet, shared_box([sheet]), interpolate=False)
    paint = scene.paint(1.1, Light())
    if not levels:
        paint = type(paint)(**{**vars(paint), "levels": np.zeros(0)})
    return render(scene.mesh, view, (round(height), round(width)), paint).astype(np.float64)


def overlap(first: Any, second: Any) -> float:
    """Return the share of two outlines that both cover."""
    a, b = first[..., 3] > 127, second[..., 3] > 127
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize(("azimuth", "levels"), [(-52.0, False), (20.0, True), (140.0, False)])
def test_the_page_draws_what_the_stills_draw(open_page: Open, azimuth: float, levels: bool) -> None:
    surface = plain()
    page = open_page(surface, f"eyes={azimuth},30,1,0,0&box=0&floor=0&lines={int(levels)}&paths=0", size=(1000, 620))
    page.app("(app.views[0].marks = () => {}, app.redraw('scenes'))")
    shown = page.settle().canvas("app.views[0].scene")
    still = still_of(page, surface, Scale.of(surface, "train/loss"), levels)
    assert shown.shape == still.shape
    assert overlap(shown, still) > 0.99
    inside = (shown[..., 3] == 255) & (still[..., 3] == 255)
    difference = np.abs(shown - still).max(axis=-1)[inside]
    # Stills are mixed from four samples and their neighbours: lines and edges are softer there, faces are not.
    assert np.median(difference) <= 2
    assert (difference > 24).mean() < (0.12 if levels else 0.03)


def test_iso_lines_run_where_those_of_the_stills_run(open_page: Open) -> None:
    surface = plain()
    page = open_page(surface, "eyes=-52,40,1,0,0&box=0&floor=0&paths=0", size=(1000, 620))
    page.app("(app.views[0].marks = () => {}, app.redraw('scenes'))")
    scale = Scale.of(surface, "train/loss")
    lines = []
    for draw in (
        lambda shown: page.settle().canvas("app.views[0].scene"),
        lambda shown: still_of(page, surface, scale, shown),
    ):
        pictures = []
        for shown in (True, False):
            page.app("app.store.set({ lines: given })", shown)
            page.settle()
            pictures.append(draw(shown))
        lines.append(np.abs(pictures[0] - pictures[1])[..., :3].max(axis=-1) > 8)
    for ours, theirs in (lines, reversed(lines)):
        wide = np.zeros_like(theirs)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                wide |= np.roll(theirs, (down, right), axis=(0, 1))
        assert ours.sum() > 1000
        assert wide[ours].mean() > 0.97


def test_holes_of_the_page_are_holes_of_the_stills(open_page: Open) -> None:
    surface = broken()
    page = open_page(surface, "box=0&floor=0&lines=0&eyes=-90,80,1,0,0", cap=60.0, size=(1000, 620))
    page.app("(app.views[0].marks = () => {}, app.redraw('scenes'))")
    shown = page.settle().canvas("app.views[0].scene")
    still = still_of(page, surface, Scale.of(surface, "train/loss", cap=60.0), False)
    assert overlap(shown, still) > 0.99
    covered = shown[..., 3] > 127
    rows, columns = np.nonzero(covered)
    box = covered[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert 0.02 < 1 - box.mean() < 0.6, "there are holes"


def test_colours_of_the_map_are_those_of_the_scale(open_page: Open) -> None:
    surface = plain()
    page = open_page(surface, "lines=0", size=(1000, 620))
    scale = Scale.of(surface, "train/loss")
    shown = page.picture(".map")
    for i, j in ((3, 20), (12, 5), (27, 17)):
        x, y = page.app(
            """(({ figure }) => app.views[0].mapPlace().toPixel(figure.field.x[given[0]], figure.field.y[given[1]]))(
                 app.views[0])""",
            [i, j],
        )
        wanted = 255 * scale.colors(surface["train/loss"][j, i])[:3]
        np.testing.assert_allclose(shown[round(y), round(x)], wanted, atol=8)
