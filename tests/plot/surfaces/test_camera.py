"""The camera against its definition, written out another way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape.plot.surfaces.camera import GAP, HEIGHT, Box, Camera, View, fit_view

from landscape.errors import PlotError

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-GAP, HEIGHT)], dtype=float)


def some_view(**angles: float) -> View:
    return fit_view(Camera(**angles), CORNERS, np.full((8, 4), 10.0), (400.0, 300.0))


@given(st.floats(-360, 360), st.floats(5, 85))
def test_a_point_lands_where_the_line_from_the_eye_meets_the_picture(azimuth, elevation):
    view = some_view(azimuth=azimuth, elevation=elevation)
    back = np.array(
        [
            np.cos(np.deg2rad(elevation)) * np.cos(np.deg2rad(azimuth)),
            np.cos(np.deg2rad(elevation)) * np.sin(np.deg2rad(azimuth)),
            np.sin(np.deg2rad(elevation)),
        ]
    )
    right = np.cross([0, 0, 1], back) / np.linalg.norm(np.cross([0, 0, 1], back))
    up = np.cross(back, right)
    for pixel in ([0.0, 0.0], [400.0, 300.0], [123.0, 45.0]):
        across, upwards = (np.array(pixel) - view.centre) / view.scale
        for depth in (1.0, 3.0):
            point = view.eye + depth * (-back + across * right + upwards * up)
            np.testing.assert_allclose(view.project(point), [*pixel, depth], rtol=0, atol=1e-8)


def test_right_is_right_and_up_is_up_from_the_default_camera():
    x, y, depth = some_view().project([[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]]).T
    assert x[1] > x[0]
    assert x[2] > x[0]
    assert y[3] > y[0]
    assert y[1] < y[0] < y[2]  # +x comes towards the eye, +y goes away from it
    assert depth[1] < depth[0] < depth[2]


@given(st.floats(-180, 180), st.floats(5, 89), st.floats(200, 700), st.floats(200, 700))
def test_everything_is_in_the_picture_and_touches_two_of_its_edges(azimuth, elevation, width, height):
    margins = np.tile([12.0, 3.0, 7.0, 20.0], (8, 1))
    view = fit_view(Camera(azimuth, elevation), CORNERS, margins, (width, height))
    x, y, _ = view.project(CORNERS).T
    left, low, right, high = (x - 12).min(), (y - 3).min(), (x + 7).max(), (y + 20).max()
    assert min(left, low, width - right, height - high) > -1e-6
    assert min(width - (right - left), height - (high - low)) == pytest.approx(0, abs=1e-6)
    # What does not fill the picture stands in its middle.
    assert left == pytest.approx(width - right, abs=1e-6)
    assert low == pytest.approx(height - high, abs=1e-6)


def test_perspective_depends_on_the_field_of_view_alone():
    near, far = some_view(fov=60), some_view(fov=10)
    assert np.linalg.norm(near.eye) < np.linalg.norm(far.eye)
    assert some_view().eye == pytest.approx(fit_view(Camera(), CORNERS, np.zeros((8, 4)), (900.0, 200.0)).eye)


def test_a_scaled_view_is_the_same_picture_with_more_pixels():
    view = some_view()
    np.testing.assert_allclose(
        view.scaled(3.5).project(CORNERS), view.project(CORNERS) * [3.5, 3.5, 1.0], rtol=1e-12, atol=1e-9
    )


def test_a_raised_view_is_the_same_picture_with_room_below():
    view = some_view()
    raised = view.raised(25.0)
    np.testing.assert_allclose(raised.project(CORNERS), np.add(view.project(CORNERS), [0, 25, 0]))
    assert raised.size == (400.0, 325.0)


def test_a_box_keeps_the_proportions_of_its_axes_unless_it_would_be_a_strip():
    box = Box((-1.0, 1.0), (-0.6, 0.6), (2.0, 6.0))
    assert box.to_scale
    assert box.half == (1.0, 0.6)
    np.testing.assert_allclose(box.place([-1.0, 0.5], [0.6, 0.0], [2.0, 4.0]), [[-1, 0.6, 0], [0.5, 0, HEIGHT / 2]])
    for strip in (Box((-0.1, 0.1), (-1.0, 1.0), (0.0, 1.0)), Box((-1.0, 1.0), (-0.1, 0.1), (0.0, 1.0))):
        assert not strip.to_scale
        assert strip.half == (1.0, 1.0)
    np.testing.assert_allclose(strip.floor(1.0, 0.1), [1, 1, -GAP])


@pytest.mark.parametrize(
    "angles", [{"elevation": -0.5}, {"elevation": 91.0}, {"azimuth": np.inf}, {"fov": 0.9}, {"fov": 91}]
)
def test_an_impossible_camera_is_refused(angles):
    with pytest.raises(ValueError, match="camera"):
        Camera(**angles)


@pytest.mark.parametrize("angles", [{"elevation": 0.0}, {"elevation": 90.0}, {"fov": 1.0}, {"fov": 90.0}])
def test_the_ends_of_the_ranges_that_are_named_belong_to_them(angles):
    assert vars(Camera(**angles)).items() >= angles.items()


def test_a_picture_too_small_for_its_labels_is_refused():
    with pytest.raises(PlotError, match="picture of 50 x 300 points has no room"):
        fit_view(Camera(), CORNERS, np.full((8, 4), 30.0), (50.0, 300.0))
