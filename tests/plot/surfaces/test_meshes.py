from __future__ import annotations

import dataclasses
import io
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from landscape.plot.scale.scale import Scale
from landscape.plot.surfaces.meshes import MESH_SUFFIXES, build_mesh_file
from landscape.plot.surfaces.relief_mesh import RELIEF, plain_name, relief_of
from landscape.plot.surfaces.shading import to_linear

from landscape.cli import main
from landscape.errors import PlotError, UsageError
from landscape.files.store import write_surface
from landscape.surface.surface import Surface, Trajectory
from tests.helpers.plot_fixtures import random_axis, surface_of, valley


def broken() -> Surface:
    """A valley with a hole, one inf, a run that crosses the hole and leaves the grid."""
    surface = valley(15, 12)
    loss = surface["train/loss"].copy()
    loss[4:6, 6:8] = np.nan
    loss[9, 2] = np.inf
    steps = np.arange(8)
    run = Trajectory(
        np.stack([np.linspace(-0.9, 1.5, 8), np.linspace(-0.5, 0.3, 8)], axis=1),
        np.zeros(8),
        0.5 + steps / 10,
        steps * 5,
    )
    return dataclasses.replace(
        surface,
        values={**surface.values, "train/loss": loss},
        stderr={"train/loss": 0.1 * np.ones_like(loss)},
        trajectories={"SGD": run},
    )


def opened(surface: Surface, suffix: str, tmp_path: Path) -> Any:
    import pyvista

    path = tmp_path / f"mesh{suffix}"
    path.write_bytes(build_mesh_file(surface, suffix))
    return pyvista.read(path)


def test_heights_are_the_scales_and_places_the_axes() -> None:
    surface = valley(15, 12)
    relief = relief_of(surface)
    x, y = (axis.values for axis in surface.axes)
    scale = Scale.of(surface, "train/loss")
    assert len(relief.points) == 15 * 12
    for number in (0, 7, 40, 179):
        j, i = divmod(int(relief.grid[number]), 15)
        expected = scale.normalized(surface["train/loss"][j, i]) * RELIEF * (x[-1] - x[0])
        np.testing.assert_allclose(relief.points[number], [x[i], y[j], expected], rtol=1e-12, atol=1e-12)
        assert relief.fields["train/loss"][number] == surface["train/loss"][j, i]


def test_triangles_look_upwards() -> None:
    relief = relief_of(valley(15, 12))
    a, b, c = (relief.points[relief.triangles[:, k]] for k in range(3))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()
    assert len(relief.triangles) == 2 * 14 * 11


def test_holes_and_what_is_above_a_cap_have_no_triangles() -> None:
    relief = relief_of(broken())
    assert len(relief.triangles) == 2 * (14 * 11 - 9 - 4)
    assert np.isfinite(relief.points).all()
    capped = relief_of(valley(15, 12), scale=Scale.of(valley(15, 12), "train/loss", cap=5.0))
    assert capped.fields["train/loss"].max() <= 5.0
    assert 0 < len(capped.triangles) < 2 * 14 * 11


def test_runs_are_cut_at_holes_and_at_the_border() -> None:
    line = relief_of(broken()).lines["SGD"]
    assert len(line.pieces) == 2
    assert np.isfinite(line.points).all()
    assert line.points[:, 0].max() <= 1.2
    known = np.isfinite(line.own)
    np.testing.assert_allclose(line.own[known], 0.5 + line.step[known] / 50)
    # Two records within one cell are a line, too.
    surface = valley(15, 12)
    near = Trajectory(np.array([[0.01, 0.01], [0.02, 0.02]]), np.zeros(2), np.ones(2), np.arange(2))
    assert relief_of(dataclasses.replace(surface, trajectories={"near": near})).lines["near"].pieces == ((0, 2),)


def test_a_structured_grid_holds_every_point_and_field(tmp_path: Path) -> None:
    surface = broken()
    grid = opened(surface, ".vts", tmp_path)
    assert grid.dimensions == (15, 12, 1)
    for name, array in surface.values.items():
        np.testing.assert_array_equal(np.asarray(grid.point_data[name]).reshape(12, 15), array)
    np.testing.assert_array_equal(grid.points[:15, 0], surface.axes[0].values)
    np.testing.assert_array_equal(grid.points[::15, 1], surface.axes[1].values)
    hidden = np.asarray(grid.point_data["vtkGhostType"]).reshape(12, 15) == 2
    np.testing.assert_array_equal(hidden, ~np.isfinite(surface["train/loss"]))
    assert str(grid.field_data["Normalization"][0]) == "filter"


def test_a_volume_is_a_grid_in_three_dimensions(tmp_path: Path) -> None:
    x, y, z = np.array([0.0, 1.0, 3.0]), np.array([-1.0, 0.5]), np.array([0.0, 2.0, 3.0, 7.0])
    loss = np.arange(24.0).reshape(4, 2, 3)
    volume = surface_of({"train/loss": loss}, *(random_axis(each, k) for k, each in enumerate((x, y, z))))
    grid = opened(volume, ".vts", tmp_path)
    assert grid.dimensions == (3, 2, 4)
    for point, value in zip(grid.points, grid.point_data["train/loss"], strict=True):
        i, j, k = (int(np.flatnonzero(axis == place)[0]) for axis, place in zip((x, y, z), point, strict=True))
        assert loss[k, j, i] == value


def test_polydata_holds_triangles_fields_and_runs(tmp_path: Path) -> None:
    surface = broken()
    relief = relief_of(surface)
    mesh = opened(surface, ".vtp", tmp_path)
    count = len(relief.points)
    np.testing.assert_array_equal(mesh.points[:count], relief.points)
    np.testing.assert_array_equal(mesh.faces.reshape(-1, 4)[:, 1:], relief.triangles)
    for name, array in relief.fields.items():
        np.testing.assert_array_equal(mesh.point_data[name][:count], array)
    assert mesh.n_lines == 2
    runs = np.asarray(mesh.cell_data["run"])
    assert (runs[:2] == 0).all()
    assert (runs[2:] == -1).all()
    low, high = relief.points.min(axis=0), relief.points.max(axis=0)
    np.testing.assert_allclose(mesh.bounds, np.stack([low, high], axis=1).ravel(), rtol=1e-12)


def test_stl_holds_the_triangles(tmp_path: Path) -> None:
    relief = relief_of(valley(15, 12))
    mesh = opened(valley(15, 12), ".stl", tmp_path)
    assert mesh.n_cells == len(relief.triangles)
    np.testing.assert_allclose(mesh.bounds, opened(valley(15, 12), ".vtp", tmp_path).bounds, rtol=1e-6)


def test_ply_is_read_by_another_library_with_colours_and_fields() -> None:
    import trimesh

    surface, relief = broken(), relief_of(broken())
    mesh = trimesh.load(io.BytesIO(build_mesh_file(surface, ".ply")), file_type="ply", process=False)
    np.testing.assert_array_equal(mesh.vertices, relief.points)
    np.testing.assert_array_equal(mesh.faces, relief.triangles)
    np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], relief.colors)
    raw = mesh.metadata["_ply_raw"]["vertex"]["data"]
    for name, array in relief.fields.items():
        np.testing.assert_array_equal(np.asarray(raw[plain_name(name)]).ravel(), array)
    for axis, column in zip(("nx", "ny", "nz"), relief.normals.T, strict=True):
        np.testing.assert_allclose(np.asarray(raw[axis]).ravel(), column, atol=1e-6)


def test_only_what_has_an_order_and_both_coordinates_is_a_line() -> None:
    surface = broken()
    run = surface.trajectories["SGD"]
    few = {"residual": run.residual[:1], "loss": run.loss[:1], "step": run.step[:1]}
    runs = {
        "samples": dataclasses.replace(run, attributes={"unordered": True}),
        "one step": dataclasses.replace(run, coordinates=run.coordinates[:1], **few),
        "two steps": dataclasses.replace(
            run, coordinates=run.coordinates[:2], residual=run.residual[:2], loss=run.loss[:2], step=run.step[:2]
        ),
        "on a line": dataclasses.replace(run, coordinates=run.coordinates[:, :1]),
    }
    assert set(relief_of(dataclasses.replace(surface, trajectories=runs | surface.trajectories)).lines) == {
        "two steps", "SGD",
    }  # fmt: skip


def test_glb_is_read_by_another_library_with_y_upwards() -> None:
    import trimesh

    surface, relief = broken(), relief_of(broken())
    scene = trimesh.load(io.BytesIO(build_mesh_file(surface, ".glb")), file_type="glb", process=False)
    mesh = scene.geometry["surface"]
    np.testing.assert_allclose(mesh.vertices, relief.points @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]), atol=1e-6)
    assert len(mesh.faces) == len(relief.triangles)
    assert np.isfinite(mesh.vertices).all()
    upwards = mesh.face_normals[:, 1]
    assert (upwards > 0).all(), "still right-handed: what looked up looks up"
    np.testing.assert_allclose(mesh.vertex_attributes["_TRAIN_LOSS"].ravel(), relief.fields["train/loss"], rtol=1e-6)
    assert set(scene.geometry) == {"surface", "SGD"}


def test_glb_draws_a_run_as_its_segments() -> None:
    line = relief_of(broken()).lines["SGD"]
    data = build_mesh_file(broken(), ".glb")
    size = struct.unpack("<I", data[12:16])[0]
    content, body = json.loads(data[20 : 20 + size]), data[28 + size :]

    def array(number: int, dtype: str) -> Any:
        view = content["bufferViews"][content["accessors"][number]["bufferView"]]
        return np.frombuffer(body[view["byteOffset"] : view["byteOffset"] + view["byteLength"]], dtype)

    mesh = next(each for each in content["meshes"] if each["name"] == "SGD")
    (primitive,) = mesh["primitives"]
    assert primitive["mode"] == 1, "separate segments"
    points = array(primitive["attributes"]["POSITION"], "<f4").reshape(-1, 3)
    ends = points[array(primitive["indices"], "<u4").reshape(-1, 2)]
    wanted = sum(np.linalg.norm(np.diff(line.points[a:b], axis=0), axis=1).sum() for a, b in line.pieces)
    assert np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum() == pytest.approx(wanted, rel=1e-5)
    # Beside finite losses that give the heights others may be anything: glTF has none that is not finite.
    surface = broken()
    other = np.full(surface.shape, 0.25)
    other[0, :5] = np.nan, np.inf, -np.inf, 1e300, -2.0
    data = build_mesh_file(dataclasses.replace(surface, values={**surface.values, "test/other": other}), ".glb")
    size = struct.unpack("<I", data[12:16])[0]
    content, body = json.loads(data[20 : 20 + size]), data[28 + size :]
    attributes = content["meshes"][0]["primitives"][0]["attributes"]
    largest = np.finfo(np.float32).max
    np.testing.assert_array_equal(array(attributes["_TEST_OTHER"], "<f4")[:6], [*[largest] * 4, -2.0, 0.25])
    relief = relief_of(broken())
    x, y, z = relief.normals.T
    normals = array(attributes["NORMAL"], "<f4").reshape(-1, 3)
    np.testing.assert_allclose(normals, np.stack([x, z, -y], axis=1), atol=1e-6)
    colours = array(attributes["COLOR_0"], "<f4").reshape(-1, 4)
    np.testing.assert_allclose(colours[:, :3], to_linear(relief.colors / 255), atol=1e-6)
    assert (colours[:, 3] == 1).all()
    for drawn in content["meshes"]:  # by which viewers find out where to look from
        number = drawn["primitives"][0]["attributes"]["POSITION"]
        points = array(number, "<f4").reshape(-1, 3)
        accessor = content["accessors"][number]
        np.testing.assert_allclose([accessor["min"], accessor["max"]], [points.min(0), points.max(0)])
        assert accessor["count"] == len(points)


@pytest.mark.parametrize("suffix", [".vts", ".vtp", ".stl"])
def test_without_pyvista_the_message_says_what_to_do(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvista", None)
    with pytest.raises(UsageError, match=r"torch-landscape\[mesh\].*\.ply and \.glb"):
        build_mesh_file(valley(9, 8), suffix)
    for other in (".ply", ".glb"):
        assert build_mesh_file(valley(9, 8), other)


def test_what_is_no_mesh_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\.vts"):
        build_mesh_file(valley(9, 8), ".obj")
    nothing = surface_of({"train/loss": np.where(np.eye(5) > 0, 1.0, np.nan)}, *valley(5, 5).axes)
    with pytest.raises(PlotError, match="four neighbouring points"):
        build_mesh_file(nothing, ".ply")


@pytest.mark.parametrize("suffix", MESH_SUFFIXES)
def test_the_command_writes_each_of_them(suffix: str, tmp_path: Path) -> None:
    write_surface(tmp_path / "net.h5", broken())
    assert main(["export", str(tmp_path / "net.h5"), "-o", str(tmp_path / f"net{suffix}")]) == 0
    assert (tmp_path / f"net{suffix}").stat().st_size > 1000


@pytest.mark.parametrize("suffix", [".glb", ".stl"])
@pytest.mark.parametrize(("factor", "middle", "reach"), [(1e300, 0.0, r"1\.2"), (1e38, -5e38, r"6e\+38")])
def test_coordinates_beyond_single_precision_are_refused(suffix, factor, middle, reach):
    axes = tuple(dataclasses.replace(axis, values=axis.values * factor + middle) for axis in valley().axes)
    with pytest.raises(UsageError, match=rf"these reach {reach}.*write \.ply"):
        build_mesh_file(dataclasses.replace(valley(), axes=axes), suffix)
