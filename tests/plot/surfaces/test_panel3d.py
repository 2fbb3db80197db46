"""What is laid onto a drawn surface: where its points are in the picture, and which of them are hidden."""

from __future__ import annotations

import numpy as np
import pytest
from landscape.plot.scale.scale import Scale
from landscape.plot.surfaces.camera import Camera
from landscape.plot.surfaces.panel3d import DEPTH_RESOLUTION

from tests.helpers.panels3d import panel_of
from tests.helpers.plot_fixtures import random_axis, surface_of, uneven


@pytest.fixture(scope="module")
def ridge():
    """Return a panel seen along y, from which a ridge along x hides what is behind it."""
    x, y = uneven(-1, 1, 31), np.linspace(-1, 1, 41)
    heights = 1 + 20 * np.exp(-40 * y[:, None] ** 2) + 0 * x
    given = surface_of({"train/loss": heights}, random_axis(x, 0), random_axis(y, 1))
    return panel_of(given, size=(5.0, 3.0), camera=Camera(-90, 15), interpolate=False)


def test_a_laid_line_has_a_point_in_each_cell_and_ends_where_it_should(ridge):
    x, y, loss = ridge.drape([-0.9, 0.5, 0.5], [-0.8, -0.8, 0.9])
    assert (x[0], y[0], x[-1], y[-1]) == (-0.9, -0.8, 0.5, 0.9)
    assert (np.abs(np.diff(x)) <= np.diff(ridge.scene.x).min() + 1e-12).all()
    assert (np.abs(np.diff(y)) <= np.diff(ridge.scene.y).min() + 1e-12).all()
    at = np.isclose(x, 0.5)
    exact = 1 + 20 * np.exp(-40 * y[at] ** 2)
    np.testing.assert_allclose(loss[at], exact, rtol=0.05)


def test_what_is_seen_of_a_line_and_what_is_hidden_are_all_of_it_in_points_of_the_panel(ridge):
    line = ridge.drape([0.1, 0.1], [-1.0, 1.0])
    seen, hidden = ridge.visible_parts(*line), ridge.visible_parts(*line, hidden=True)
    assert len(seen) >= 1
    assert len(hidden) >= 1
    assert not {tuple(spot) for part in hidden for spot in part} >= {tuple(spot) for part in seen for spot in part}
    everything = ridge.project(*line)
    for part in (*seen, *hidden):
        away = np.hypot(*(part[:, None] - everything[None]).transpose(2, 0, 1)).min(axis=1)
        assert away.max() < 8  # in points; they are lifted a little
    front = ridge.project(*ridge.drape([0.1, 0.1], [-1.0, -0.9]))
    behind = ridge.project(*ridge.drape([0.1, 0.1], [0.3, 0.35]))
    assert min(np.hypot(*(part - front[0]).T).min() for part in seen) < 3
    assert min(np.hypot(*(part - behind[0]).T).min() for part in hidden) < 3
    assert ridge.visible([0.1], [-0.9], [ridge.drape([0.1, 0.1], [-0.9, -0.8])[2][0]]).tolist() == [True]
    assert ridge.visible([0.1], [0.3], [ridge.drape([0.1, 0.1], [0.3, 0.4])[2][0]]).tolist() == [False]


def test_a_loss_that_is_not_known_cuts_a_line(ridge):
    x, y, loss = ridge.drape([-0.9, 0.9], [-0.9, -0.9])
    (whole,) = ridge.visible_parts(x, y, loss)
    loss = loss.copy()
    loss[len(loss) // 2] = np.nan
    first, second = ridge.visible_parts(x, y, loss)
    assert len(first) + len(second) < len(whole) + 2
    assert first[:, 0].max() < second[:, 0].min()
    assert np.isfinite(first).all()


def test_places_of_the_picture_are_on_the_surface_or_beside_it(ridge):
    width, height = np.array(ridge.raster.triangle.shape[::-1]) / DEPTH_RESOLUTION
    assert width > 1.2 * height
    middle = ridge.project([0.0], [-0.5], [ridge.drape([0.0, 0.0], [-0.5, -0.4])[2][0]])[0]
    right = ridge.project([0.95], [-0.9], [ridge.drape([0.95, 0.95], [-0.9, -0.8])[2][0]])[0]
    assert right[0] > height  # further to the right than the picture is high
    spots = [middle, right, [1.0, height - 1], [-5.0, 5.0], [width + 5, 5.0], [5.0, height + 5]]
    assert ridge.on_surface(spots).tolist() == [True, True, False, False, False, False]


def test_what_was_cut_away_hides_nothing():
    x, y = np.linspace(-1, 1, 31), np.linspace(-1, 1, 41)
    heights = 1 + 20 * np.exp(-40 * y[:, None] ** 2) + 0 * x
    given = surface_of({"train/loss": heights}, random_axis(x, 0), random_axis(y, 1))
    # Over the rim of the cut, below the ridge's top.
    scale = Scale.of(given, "train/loss", cap=1.5)
    panel = panel_of(given, scale=scale, camera=Camera(-90, 75), interpolate=False)
    for place, seen in ((0.9, True), (0.35, False)):
        line = panel.drape([0.0, 0.0], [place, place + 0.01])
        assert panel.visible(*line).tolist() == [seen, seen]


def test_a_place_hardly_below_the_surface_counts_as_on_it_and_one_clearly_below_is_hidden():
    x, y = uneven(-1, 1, 31), np.linspace(-1, 1, 41)
    heights = 1 + 20 * np.exp(-40 * y[:, None] ** 2) + 0 * x
    given = surface_of({"train/loss": heights}, random_axis(x, 0), random_axis(y, 1))
    panel = panel_of(given, size=(5.0, 3.0), camera=Camera(-90, 60), interpolate=False)
    along, before = np.linspace(-0.9, 0.9, 50), np.full(50, -0.5)
    losses = np.linspace(0.5, 2.0, 3001)
    scene = panel.place(np.zeros_like(losses), np.full_like(losses, -0.5), losses)[:, 2]
    top = panel.place(0.0, -0.5, 1 + 20 * np.exp(-10.0))[2]
    for depth, seen in ((0.0, True), (0.013, True), (0.03, False)):
        loss = np.full(50, np.interp(top - depth, scene, losses))
        assert (panel.visible(along, before, loss) == seen).all(), depth
        parts = panel.visible_parts(along, before, loss)
        assert bool(parts) == seen, depth
