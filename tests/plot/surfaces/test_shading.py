"""Light and lines of the 3D still, read from its pixels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from landscape.plot.surfaces.camera import HEIGHT, Camera, View, fit_view
from landscape.plot.surfaces.heightfield import Mesh, build_mesh, rasterize
from landscape.plot.surfaces.shading import Light, Paint, render, rim_of, sky_openness, to_linear, to_srgb

from landscape.surface.grid import Floats

SHAPE = (150, 200)
TEAL = np.array([0.13, 0.56, 0.55])


def painted(x: Floats, y: Floats, z: Floats, **changes: Any) -> tuple[Mesh, View, Paint]:
    mesh = build_mesh(x, y, z)
    used = mesh.vertices[np.unique(mesh.triangles)]
    view = fit_view(changes.pop("camera", Camera()), used, np.full((len(used), 4), 3.0), (200.0, 150.0))
    paint = Paint(np.tile(TEAL, (16, 1)), HEIGHT, np.array([]), np.ones(z.size), np.ones(z.size))
    return mesh, view, dataclasses.replace(paint, **changes)


def heights_of(mesh: Mesh, view: View, **options: Any) -> Floats:
    """Return the height each pixel sees, lowest row last as in a picture, NaN where none."""
    raster = rasterize(mesh, view, SHAPE, **options)
    pixels = np.flatnonzero(raster.triangle.ravel() >= 0)
    corners, weights, _ = raster.weights(pixels)
    found = np.full(SHAPE, np.nan)
    found.ravel()[pixels] = (mesh.vertices[corners, 2] * weights).sum(axis=0)
    return found[::-1]


AXIS = np.linspace(-1, 1, 41)


def inside(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the pixels that the surface covers whole, away from every edge."""
    whole = picture[..., 3] == 255
    for axis in (0, 1):
        for step in (1, 2, -1, -2):
            whole &= np.roll(picture[..., 3] == 255, step, axis)
    return whole


def test_a_plane_has_one_colour():
    z = 0.4 + 0.2 * AXIS[None, :] - 0.15 * AXIS[:, None]
    mesh, view, paint = painted(AXIS, AXIS, z, light=dataclasses.replace(Light(), specular=0.0))
    picture = render(mesh, view, SHAPE, paint)
    colors = picture[inside(picture)][:, :3]
    assert len(colors) > 3000
    assert (np.ptp(colors, axis=0) <= 1).all()


def test_a_level_surface_keeps_its_colour_nearly():
    mesh, view, paint = painted(AXIS, AXIS, np.full((41, 41), 0.5))
    picture = render(mesh, view, SHAPE, paint)
    colors = picture[inside(picture)][:, :3] / 255
    assert np.abs(colors - TEAL).max() < 0.05


def test_colour_follows_the_height():
    z = np.broadcast_to((AXIS[None, :] + 1) / 2 * HEIGHT, (41, 41)).copy()
    ramp = np.linspace(0.2, 0.8, 256)[:, None] * np.array([1.0, 0.0, 0.5])
    mesh, view, paint = painted(AXIS, AXIS, z, colors=ramp, light=dataclasses.replace(Light(), specular=0.0))
    picture = render(mesh, view, SHAPE, paint)
    at = inside(picture)
    expected = to_linear(0.2 + 0.6 * heights_of(mesh, view)[at] / HEIGHT)
    found = to_linear(picture[at][:, 0] / 255)
    # A plane: one factor of light everywhere.
    factor = found / expected
    assert factor.std() / factor.mean() < 0.02
    assert (picture[at][:, 1] == 0).all()


def test_a_slope_towards_the_light_is_brighter_than_one_away_from_it():
    means = []
    for rise in (0.5, -0.5):
        # The key light comes from -x and -y: a slope that rises along both leans towards it.
        z = 0.8 + rise * (AXIS[None, :] + AXIS[:, None]) / 2
        mesh, view, paint = painted(AXIS, AXIS, z, camera=Camera(elevation=75))
        picture = render(mesh, view, SHAPE, paint)
        means.append(to_linear(picture[inside(picture)][:, :3] / 255).mean())
    assert means[0] > 1.4 * means[1]


def test_the_underside_is_lit_by_the_page_and_darker_than_the_top():
    # A plane that rises towards the eye, steeper than the eye looks down.
    z = np.broadcast_to(0.6 + 0.5 * AXIS[None, :], (41, 41)).copy()
    mesh, view, paint = painted(AXIS, AXIS, z, camera=Camera(0, 10))
    assert rasterize(mesh, view, SHAPE).turned_away.all()
    picture = render(mesh, view, SHAPE, paint)
    share = to_linear(picture[inside(picture)][:, :3] / 255) / to_linear(TEAL)
    light = Light()
    normal = np.array([0.5, 0.0, -1.0]) / np.hypot(0.5, 1.0)
    fill = np.array(light.fill) / np.linalg.norm(light.fill)
    assert normal @ light.key < 0
    sky = light.sky * (light.ground + (1 - light.ground) * (1 + normal[2]) / 2)
    expected = sky - light.page * normal[2] + light.fill_strength * max(normal @ fill, 0)
    assert share.mean() == pytest.approx(expected, rel=0.03)
    assert 0.4 < expected < 0.9
    # Neither highlights nor hollows are of that side.
    towards = dataclasses.replace(light, key=(-0.72, 0.0, -0.69), specular=0.0)  # mirrored into the eye
    plain = render(mesh, view, SHAPE, dataclasses.replace(paint, light=towards))
    shiny = dataclasses.replace(paint, light=dataclasses.replace(towards, specular=1.0), openness=np.full(z.size, 0.2))
    np.testing.assert_array_equal(render(mesh, view, SHAPE, shiny), plain)


LEVELS = np.array([0.2, 0.35, 0.6, 0.8])


def bowl() -> Floats:
    x, y = np.meshgrid(np.linspace(-1, 1, 81), np.linspace(-1, 1, 81))
    return 0.1 + 0.6 * (x - 0.1) ** 2 + 0.35 * (y + 0.2) ** 2


def lines_drawn(levels: Floats, **changes: Any) -> tuple[Any, Floats, Floats]:
    """Return where iso-lines change the picture of a bowl, its heights, and the change of height for a pixel."""
    axis = np.linspace(-1, 1, 81)
    made = painted(axis, axis, bowl(), camera=Camera(elevation=60), **changes)
    bare = render(made[0], made[1], SHAPE, made[2])
    lined = render(made[0], made[1], SHAPE, dataclasses.replace(made[2], levels=levels))
    heights = heights_of(made[0], made[1])
    slope = np.hypot(*np.gradient(heights))
    return (np.abs(bare.astype(int) - lined).max(axis=2) > 8) & inside(bare), heights, slope


def test_iso_lines_lie_at_their_levels_and_nowhere_else():
    drawn, heights, slope = lines_drawn(LEVELS)
    away = np.abs(heights[..., None] - LEVELS).min(axis=-1)
    assert drawn.sum() > 300
    # A line is a pixel wide, and the tent spreads it by another.
    assert (away[drawn] <= 2.0 * slope[drawn]).all()
    for level in LEVELS:
        # Of the pixels that a level runs through the middle of, none is left out; at the outline nothing is said.
        through = (np.abs(heights - level) < 0.1 * slope) & (slope > 1e-3)
        assert through.sum() > 20
        assert drawn[through & _far_from_nan(heights)].all()


def _far_from_nan(values: Floats) -> Any:
    known = np.isfinite(values)
    for _ in range(6):
        known = known & np.roll(known, 1, 0) & np.roll(known, -1, 0) & np.roll(known, 1, 1) & np.roll(known, -1, 1)
    return known


def test_lines_have_the_same_width_where_the_surface_is_steep_and_where_it_is_flat():
    level = 0.35
    drawn, heights, slope = lines_drawn(np.array([level]))
    sides = []
    for part in (slope > 0.013, slope <= 0.013):
        # How long a line is, from the area beside it (coarea formula): sum of the slope over a band, by its height.
        length = slope[part & (np.abs(heights - level) < 0.02)].sum() / 0.04
        sides.append(drawn[part].sum() / length)
    assert min(sides) > 1.0
    assert max(sides) < 2.5
    assert max(sides) < 1.25 * min(sides)


def test_lines_on_dark_colours_are_light_and_on_light_colours_dark():
    axis = np.linspace(-1, 1, 81)
    for color, sign in ((np.array([0.27, 0.0, 0.33]), 1), (np.array([0.99, 0.9, 0.14]), -1)):
        mesh, view, paint = painted(axis, axis, bowl(), colors=np.tile(color, (16, 1)), camera=Camera(elevation=60))
        bare = render(mesh, view, SHAPE, paint).astype(int)
        lined = render(mesh, view, SHAPE, dataclasses.replace(paint, levels=LEVELS)).astype(int)
        change = (lined - bare)[..., :3].sum(axis=2)
        assert sign * change.min() >= 0 if sign > 0 else change.max() <= 0
        assert np.abs(change).max() > 60


def test_a_plateau_at_a_level_is_not_inked():
    mesh, view, paint = painted(AXIS, AXIS, np.full((41, 41), 0.5), levels=np.array([0.5]))
    plain = render(mesh, view, SHAPE, dataclasses.replace(paint, levels=np.array([])))
    np.testing.assert_array_equal(render(mesh, view, SHAPE, paint), plain)


def test_the_outline_is_smooth_and_the_surroundings_are_transparent():
    mesh, view, paint = painted(AXIS, AXIS, np.full((41, 41), 0.5))
    alpha = render(mesh, view, SHAPE, paint)[..., 3]
    assert (alpha[0] == 0).all()
    partly = (alpha > 0) & (alpha < 255)
    # Some two pixels along four edges, in several shades.
    assert 200 < partly.sum() < 2000
    assert len(np.unique(alpha[partly])) > 8


def test_a_cut_edge_is_hatched_and_clean():
    axis = np.linspace(-1, 1, 81)
    mesh, view, paint = painted(axis, axis, bowl(), camera=Camera(elevation=60), ceiling=0.5)
    picture = render(mesh, view, SHAPE, paint)
    heights = heights_of(mesh, view, ceiling=0.5)
    plain = render(mesh, view, SHAPE, dataclasses.replace(paint, ceiling=None))
    assert (picture[np.isnan(heights)][:, 3] < 255).all()
    changed = (np.abs(picture.astype(int) - plain)[..., :3].max(axis=2) > 10) & inside(picture)
    slope = np.hypot(*np.gradient(heights))
    assert changed.sum() > 100
    assert (0.5 - heights[changed] <= 11 * slope[changed]).all()
    # Hatched: not all of the band is dark.
    band = inside(picture) & (0.5 - heights < 5 * slope)
    assert 0.15 < changed[band].mean() < 0.9


def test_a_hollow_sees_less_of_the_sky_than_a_hill():
    x, y = np.meshgrid(AXIS, AXIS)
    well = -np.exp(-(x**2 + y**2) / 0.05)
    assert sky_openness(AXIS, AXIS, np.zeros((41, 41))) == pytest.approx(np.ones((41, 41)))
    deep, high = sky_openness(AXIS, AXIS, well)[20, 20], sky_openness(AXIS, AXIS, -well)[20, 20]
    assert deep < 0.5
    assert high == pytest.approx(1.0)
    holed = np.where(x > 0.3, np.nan, well)
    assert 0 < sky_openness(AXIS, AXIS, holed)[20, 20] < 1


def test_the_rim_is_the_border_and_what_touches_a_hole():
    z = np.zeros((6, 8))
    z[3, 4] = np.nan
    rim = rim_of(z)
    expected = np.zeros((6, 8))
    expected[1:-1, 1:-1] = 1
    expected[2:5, 3:6] = 0
    np.testing.assert_array_equal(rim, expected)


def test_srgb_is_its_own_inverse_and_matches_the_standard():
    values = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(to_srgb(to_linear(values)), values, rtol=0, atol=1e-7)
    # IEC 61966-2-1: half the light is code value 188 of 255.
    assert round(float(to_srgb(np.array(0.5))) * 255) == 188


def test_the_same_scene_gives_the_same_bytes_in_any_number_of_bands(monkeypatch):
    axis = np.linspace(-1, 1, 81)
    mesh, view, paint = painted(axis, axis, bowl(), levels=LEVELS, ceiling=0.5)
    whole = render(mesh, view, SHAPE, paint)
    assert render(mesh, view, SHAPE, paint).tobytes() == whole.tobytes()
    monkeypatch.setattr("landscape.plot.surfaces.shading.BAND", 200 * 2 * 2 * 23)
    assert np.abs(render(mesh, view, SHAPE, paint).astype(int) - whole).max() <= 1


def test_both_lights_turn_with_the_camera():
    light = Light()
    turned = light.turned(90)
    for before, after in ((light.key, turned.key), (light.fill, turned.fill)):
        np.testing.assert_allclose(after, (-before[1], before[0], before[2]), atol=1e-12)
