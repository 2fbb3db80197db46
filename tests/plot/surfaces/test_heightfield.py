"""The z-buffer against closed forms, and a ray caster that shares no code with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landscape.plot.surfaces.camera import HEIGHT, Camera, View, fit_view
from landscape.plot.surfaces.heightfield import Mesh, Raster, build_mesh, heights_at, rasterize

from landscape.surface.grid import Floats

# More columns than rows, uneven, not symmetric in any way: nothing transposed or flipped can pass.
X = np.array([-1.0, -0.85, -0.6, -0.5, -0.2, 0.0, 0.15, 0.4, 0.55, 0.7, 0.8, 0.9, 1.0])
Y = np.array([-0.7, -0.6, -0.35, -0.2, 0.0, 0.1, 0.35, 0.5, 0.7])


def hills(x: Floats, y: Floats) -> Floats:
    """Return a ridge in front, a slope to the right, a bump at the back left."""
    ridge = 0.7 * np.exp(-(((y + 0.35 + 0.2 * x) / 0.16) ** 2))
    return ridge + 0.25 * (x + 1) + 0.5 * np.exp(-((x + 0.6) ** 2 + (y - 0.4) ** 2) / 0.05)


def field(x: Floats = X, y: Floats = Y) -> Floats:
    return hills(*np.meshgrid(x, y))


def looking_at(mesh: Mesh, camera: Camera | None = None, size: tuple[int, int] = (90, 70)) -> View:
    return fit_view(
        camera or Camera(), mesh.vertices, np.full((len(mesh.vertices), 4), 3.0), (float(size[0]), float(size[1]))
    )


def cast(x: Floats, y: Floats, z: Floats, view: View, shape: tuple[int, int]) -> Floats:
    """Return the depth at which a ray through each pixel's centre first meets anything, trying every triangle."""
    corners = []
    for j in range(len(y) - 1):
        for i in range(len(x) - 1):
            a, b, c, d = ((x[k], y[m], z[m, k]) for m, k in ((j, i), (j, i + 1), (j + 1, i + 1), (j + 1, i)))
            if np.isfinite([a, b, c, d]).all():
                corners += [(a, b, c), (a, c, d)] if abs(a[2] - c[2]) <= abs(b[2] - d[2]) else [(a, b, d), (b, c, d)]
    first, second, third = np.moveaxis(np.array(corners), 1, 0)
    rows, columns = np.mgrid[: shape[0], : shape[1]] + 0.5
    right, up, back = view.directions
    across, upwards = (columns - view.centre[0]) / view.scale, (rows - view.centre[1]) / view.scale
    rays = across[..., None] * right + upwards[..., None] * up - back
    # Moeller and Trumbore: eye + t * ray = first + u * (second - first) + v * (third - first).
    one, two, away = second - first, third - first, view.eye - first
    normal = np.cross(rays[..., None, :], two)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / (normal * one).sum(-1)
        u = (normal * away).sum(-1) * scale
        v = (rays[..., None, :] * np.cross(away, one)).sum(-1) * scale
        t = (two * np.cross(away, one)).sum(-1) * scale
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
    return np.where(hit, t, np.inf).min(axis=-1)


def overlap(one: Floats, other: Floats) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize(("azimuth", "elevation"), [(-52, 34), (20, 10), (140, 60), (250, 25)])
def test_depths_are_those_of_a_ray_caster(azimuth, elevation):
    z = field()
    z[5, 9] = np.nan
    mesh = build_mesh(X, Y, z)
    view = looking_at(mesh, Camera(azimuth, elevation))
    ours, theirs = rasterize(mesh, view, (70, 90)).depth, cast(X, Y, z, view, (70, 90))
    assert np.isfinite(theirs).mean() > 0.1
    # A ray that grazes an edge may hit or miss by rounding.
    assert overlap(np.isfinite(ours), np.isfinite(theirs)) > 0.999
    both = np.isfinite(ours) & np.isfinite(theirs)
    assert np.quantile(np.abs(ours[both] - theirs[both]), 0.999) < 1e-9


def test_projecting_known_points_agrees_with_the_depth_buffer():
    mesh = build_mesh(X, Y, field())
    view = looking_at(mesh, size=(600, 450))
    raster = rasterize(mesh, view, (450, 600))
    spots = np.random.default_rng(0).uniform([-1, -0.7], [1, 0.7], (400, 2))
    points = np.column_stack([spots, heights_at(X, Y, field(), *spots.T)])
    x, y, depth = view.project(points).T
    found = raster.depth[np.floor(y).astype(int), np.floor(x).astype(int)]
    front = raster.visible(points)
    assert 0.3 < front.mean() < 0.98
    # Within a pixel the depth of a slope changes a little, and at an outline by much.
    on = front & np.isfinite(found)
    assert np.quantile(np.abs(found[on] - depth[on]), 0.95) < 0.02
    # Something stands before what is hidden, if only the lower side of the same wall.
    assert (found[~front] < depth[~front] + 0.06).all()


def test_weights_put_a_pixel_back_onto_the_surface():
    mesh = build_mesh(X, Y, field())
    view = looking_at(mesh)
    raster = rasterize(mesh, view, (70, 90))
    pixels = np.flatnonzero(raster.triangle.ravel() >= 0)
    corners, weights, gradients = raster.weights(pixels)
    np.testing.assert_allclose(weights.sum(axis=0), 1.0, rtol=0, atol=1e-12)
    places = (mesh.vertices[corners] * weights[..., None]).sum(axis=0)
    x, y, depth = view.project(places).T
    rows, columns = np.divmod(pixels, 90)
    np.testing.assert_allclose([x, y], [columns + 0.5, rows + 0.5], rtol=0, atol=1e-8)
    np.testing.assert_allclose(depth, raster.depth.ravel()[pixels], rtol=1e-12)
    np.testing.assert_allclose(places[:, 2], heights_at(X, Y, field(), *places[:, :2].T), rtol=0, atol=1e-9)
    # A pixel to the right on the same triangle has the weights that the gradients foretell.
    same = np.flatnonzero((np.diff(pixels) == 1) & (np.diff(raster.triangle.ravel()[pixels]) == 0))
    change = weights[:, same + 1] - weights[:, same]
    middle = (gradients[0][:, same] + gradients[0][:, same + 1]) / 2
    assert np.abs(change - middle).max() < 0.05 * np.abs(change).max()


def test_a_plane_has_one_normal_everywhere():
    z = 0.3 + 0.4 * X[None, :] - 0.2 * Y[:, None]
    expected = np.array([-0.4, 0.2, 1.0]) / np.linalg.norm([-0.4, 0.2, 1.0])
    np.testing.assert_allclose(build_mesh(X, Y, z).normals, np.tile(expected, (z.size, 1)), rtol=0, atol=1e-12)


def test_normals_are_right_at_the_borders_and_beside_a_hole():
    def z(x, y):
        return 0.5 * x**2 - 0.3 * x + 0.4 * y**2 + 0.2 * y

    xx, yy = np.meshgrid(X, Y)
    heights = z(xx, yy)
    heights[4, 6] = np.nan
    normals = build_mesh(X, Y, heights).normals.reshape(*heights.shape, 3)
    true = np.stack([-(xx - 0.3), -(0.8 * yy + 0.2), np.ones_like(xx)], axis=-1)
    true /= np.linalg.norm(true, axis=-1, keepdims=True)
    true[4, 6] = (0, 0, 1)
    np.testing.assert_allclose(normals, true, rtol=0, atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_through_a_hole_one_sees_the_background(bad):
    z = np.zeros((len(Y), len(X)))
    z[4, 5] = bad
    mesh = build_mesh(X, Y, z)
    view = looking_at(mesh, size=(300, 220))
    raster = rasterize(mesh, view, (220, 300))

    def seen(x, y):
        column, row, _ = view.project([x, y, 0.0])
        return bool(raster.triangle[int(row), int(column)] >= 0)

    assert not seen(X[5], Y[4])
    # All four cells around it, and no more.
    assert not any(seen(x, y) for x in (X[4] + 0.02, X[6] - 0.02) for y in (Y[3] + 0.02, Y[5] - 0.02))
    assert all(seen(x, y) for x in (X[4] - 0.02, X[6] + 0.02) for y in (Y[3] - 0.02, Y[5] + 0.02))


def test_what_is_above_the_ceiling_is_cut_away_and_nothing_else():
    mesh = build_mesh(X, Y, field())
    view = looking_at(mesh)
    raster = rasterize(mesh, view, (70, 90), ceiling=0.6)
    cut = field()
    corners, weights, _ = raster.weights(np.flatnonzero(raster.triangle.ravel() >= 0))
    height = (mesh.vertices[corners, 2] * weights).sum(axis=0)
    assert 0.55 < height.max() <= 0.6 + 1e-9
    # Behind what was cut away, the rest comes to light.
    whole = rasterize(mesh, view, (70, 90))
    assert ((raster.triangle >= 0) & (raster.depth > whole.depth + 1e-9)).sum() > 20
    assert (cut > 0.6).any()


def test_a_picture_in_bands_is_the_same_picture():
    mesh = build_mesh(X, Y, field())
    view = looking_at(mesh)
    whole = rasterize(mesh, view, (70, 90))
    for first, rows in ((0, 23), (23, 30), (53, 17)):
        band = rasterize(mesh, view, (rows, 90), first_row=first)
        np.testing.assert_array_equal(band.triangle, whole.triangle[first : first + rows])
        # A window that begins at the band's edge rounds differently.
        np.testing.assert_allclose(band.inverse_depth, whole.inverse_depth[first : first + rows], rtol=1e-14)
        # What is hidden is so in the band that it lies in.
        below = mesh.vertices - np.array([0.0, 0.0, 0.05])
        inside = np.abs(view.project(below)[:, 1] - first - rows / 2) < rows / 2 - 2
        np.testing.assert_array_equal(band.visible(below[inside]), whole.visible(below[inside]))
    assert not whole.visible(below).all()


def ridge(azimuth: float) -> Raster:
    """Return a wall along x = 0 on level ground, seen from +x (0) or -x (180)."""
    x = np.linspace(-1, 1, 81)
    y = np.linspace(-1, 1, 41)
    z = np.broadcast_to(0.8 * np.exp(-((x / 0.1) ** 2)), (41, 81)).copy()
    mesh = build_mesh(x, y, z)
    return rasterize(mesh, looking_at(mesh, Camera(azimuth, 25), (300, 220)), (220, 300))


def test_a_path_behind_a_ridge_is_hidden_and_visible_from_the_other_side():
    path = np.column_stack([np.full(50, -0.3), np.linspace(-0.5, 0.5, 50), np.full(50, 0.001)])
    assert not ridge(0).visible(path).any()
    assert [seen for _, seen in ridge(0).parts(path)] == [False]
    assert ridge(180).visible(path).all()
    ((part, _),) = ridge(180).parts(path)
    ends = ridge(180).view.project(path[[0, -1]])[:, :2]
    np.testing.assert_allclose(part[[0, -1]], ends, rtol=0, atol=1e-6)


def test_a_path_over_a_ridge_is_cut_where_the_ridge_hides_it():
    raster = ridge(0)
    x = np.linspace(0.8, -0.8, 400)
    path = np.column_stack([x, np.full(400, 0.1), 0.8 * np.exp(-((x / 0.1) ** 2)) + 0.001])
    seen = raster.visible(path)
    assert seen[x > 0.01].all()
    # From 25 degrees a wall of 0.8 throws a shadow on the ground behind it as long as the eye is far.
    assert not seen[(x < -0.06) & (x > -0.6)].any()
    assert sum(seen for _, seen in raster.parts(path)) in (1, 2)


def test_a_point_under_the_surface_seen_from_below_is_not_on_top_of_it():
    x = np.linspace(-1, 1, 41)
    steep = np.broadcast_to(0.9 * x**2, (41, 41)).copy()
    mesh = build_mesh(x, x, steep)
    raster = rasterize(mesh, looking_at(mesh, Camera(0, 25), (300, 220)), (220, 300))
    # The near wall rises towards the eye, which sees it from outside.
    near = np.array([0.9, 0.0, 0.9 * 0.81])
    assert not raster.visible(near)
    assert raster.visible(near + np.array([0.1, 0.0, 0.0]))
    assert raster.visible([-0.9, 0.0, 0.9 * 0.81])


def test_everything_outside_the_picture_counts_as_visible():
    raster = ridge(0)
    assert raster.visible([[0.0, 0.0, 3.0], [-0.3, 40.0, 0.0]]).all()


@given(st.floats(-1.2, 1.2), st.floats(-0.9, 0.9))
def test_heights_between_points_are_those_of_the_triangles(x, y):
    z = field()
    z[2, 3] = np.nan
    found = float(heights_at(X, Y, z, x, y))
    outside = not (-1 <= x <= 1 and -0.7 <= y <= 0.7)
    if outside or (X[2] < x < X[4] and Y[1] < y < Y[3]):
        assert np.isnan(found)
    elif not (X[2] <= x <= X[4] and Y[1] <= y <= Y[3]):
        i, j = max(np.searchsorted(X, x) - 1, 0), max(np.searchsorted(Y, y) - 1, 0)
        cell = z[j : j + 2, i : i + 2]
        assert cell.min() - 1e-12 <= found <= cell.max() + 1e-12
    assert heights_at(X, Y, 2 + 3 * X[None, :] - Y[:, None], 0.37, -0.11) == pytest.approx(2 + 3 * 0.37 + 0.11)


def test_a_triangle_seen_edge_on_and_a_needle_are_drawn_without_a_warning():
    x = np.linspace(-1, 1, 5)
    z = np.zeros((5, 5))
    z[2, 2] = HEIGHT
    mesh = build_mesh(x, x, z)
    for azimuth in (0, 45, 90):
        raster = rasterize(mesh, looking_at(mesh, Camera(azimuth, 5), (300, 220)), (220, 300))
        column, row, _ = raster.view.project([0, 0, HEIGHT - 0.03])
        assert raster.triangle[int(row), int(column)] >= 0


def test_the_same_mesh_gives_the_same_buffer_every_time():
    mesh = build_mesh(X, Y, field())
    view = looking_at(mesh)
    one, two = rasterize(mesh, view, (70, 90)), rasterize(mesh, view, (70, 90))
    assert one.triangle.tobytes() == two.triangle.tobytes()
    assert one.inverse_depth.tobytes() == two.inverse_depth.tobytes()


def test_a_saddle_is_cut_along_the_diagonal_that_the_triangles_have():
    for a, b, c, d in ((0, 3, 1, 2.5), (3, 0, 2.5, 1), (0, 2, 0, 2), (1, 0, 1, 4), (2, 1, 1, 2)):
        z = np.array([[a, b], [d, c]], dtype=float)
        mesh = build_mesh(np.arange(2.0), np.arange(2.0), z)
        (shared,) = [set(one) & set(other) for one, other in [mesh.triangles]]
        middle = z.ravel()[sorted(shared)].mean()
        assert heights_at(np.arange(2.0), np.arange(2.0), z, 0.5, 0.5) == pytest.approx(middle)
        for triangle in mesh.triangles:
            x, y, height = mesh.vertices[triangle].mean(axis=0)
            assert heights_at(np.arange(2.0), np.arange(2.0), z, x, y) == pytest.approx(height)


def test_a_path_along_the_border_lies_on_the_surface():
    z = field()
    for j, i in np.ndindex(z.shape):
        assert heights_at(X, Y, z, X[i], Y[j]) == pytest.approx(z[j, i])
    beyond = [(X[0] - 1e-9, 0), (X[-1] + 1e-9, 0), (0, Y[0] - 1e-9), (0, Y[-1] + 1e-9)]
    assert np.isnan(heights_at(X, Y, z, *np.transpose(beyond))).all()
