"""Surfaces as mesh files for other programs: ParaView, Blender, a 3D printer, a web page.

| suffix | holds |
|---|---|
| .vts | the grid with every field; the points of holes are hidden. Also a volume |
| .vtp | triangles with every field, and the runs as lines |
| .ply | triangles with colours and every field |
| .glb | triangles with colours and every field, and the runs as lines; y is up, as glTF has it |
| .stl | triangles |

The VTK formats and STL are written by PyVista (the extra ``[mesh]``), the others here. Nothing is drawn, so no
graphics library is needed.
"""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import UsageError
from landscape.surface.surface import NOT_COMPUTED, Surface

from ..scale.scale import Scale
from .relief_mesh import Relief, plain_name, relief_of
from .shading import to_linear

MESH_SUFFIXES = (".vts", ".vtp", ".ply", ".stl", ".glb")
Array = NDArray[Any]

# VTK's flag of a point that is there but not to be seen.
HIDDEN_POINT = 2


def build_mesh_file(surface: Surface, suffix: str, *, name: str | None = None, scale: Scale | None = None) -> bytes:
    """Return a surface as the bytes of a mesh file.

    Parameters
    ----------
    surface : Surface
        A plane; for ``.vts`` also a volume.
    suffix : str
        One of `MESH_SUFFIXES`.
    name : str, optional
        The values that give heights and colours; the training loss where there is one.
    scale : Scale, optional
        How heights follow from them; by default what suits them.

    Raises
    ------
    UsageError
        Another suffix, or PyVista is not installed.
    PlotError
        The surface has no triangles.
    """
    if suffix not in MESH_SUFFIXES:
        raise UsageError(f"a mesh is written as {', '.join(MESH_SUFFIXES)}, not {suffix!r}")
    if suffix == ".vts" and len(surface.directions) == 3 and surface.axes[-1].kind == "direction":
        return _saved(_volume(surface), suffix)
    relief = relief_of(surface, name, scale)
    if suffix in (".glb", ".stl") and np.abs(relief.points).max() > np.finfo(np.float32).max:
        raise UsageError(
            f"{suffix} holds coordinates up to 3.4e38, these reach {np.abs(relief.points).max():g}; write .ply"
        )
    if suffix == ".ply":
        return build_ply(relief)
    if suffix == ".glb":
        return build_glb(relief)
    if suffix == ".stl":
        return _saved(_triangles(relief, fields=False), suffix)
    return _saved(_with_lines(relief) if suffix == ".vtp" else _plane(relief, surface), suffix)


def _vtk() -> Any:
    try:
        import pyvista
    except ImportError as error:
        raise UsageError(
            "this format needs PyVista: pip install 'torch-landscape[mesh]'; .ply and .glb do without it"
        ) from error
    return pyvista


def _saved(mesh: Any, suffix: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"mesh{suffix}"
        mesh.save(path, binary=True)
        return path.read_bytes()


def _grid(surface: Surface, points: Array, hidden: Array) -> Any:
    """Return all points of a grid, shape (..., ny, nx, 3), with what was measured there; those of holes hidden."""
    grid = _vtk().StructuredGrid()
    # VTK's first index changes fastest, as x does here: arrays are handed over in their own order.
    grid.points = points.reshape(-1, 3)
    grid.dimensions = (*points.shape[-2::-1], *[1] * (4 - points.ndim))
    for name, array in _fields(surface).items():
        grid.point_data[name] = array.ravel()
    grid.point_data["vtkGhostType"] = np.where(hidden, HIDDEN_POINT, 0).astype(np.uint8).ravel()
    return grid


def _plane(relief: Relief, surface: Surface) -> Any:
    hidden = ~np.isfinite(relief.heights)
    points = np.stack([*np.meshgrid(relief.x, relief.y), np.where(hidden, 0.0, relief.heights)], axis=-1)
    return _labelled(_grid(surface.finished_part(), points, hidden), dict(relief.about))


def _volume(surface: Surface) -> Any:
    part = surface.finished_part()
    places = np.meshgrid(*(axis.values for axis in part.axes[::-1]), indexing="ij")
    return _grid(part, np.stack(places[::-1], axis=-1), part.state == NOT_COMPUTED)


def _fields(surface: Surface) -> dict[str, Array]:
    fields: dict[str, Array] = dict(surface.values)
    fields.update({f"{name}_stderr": array for name, array in surface.stderr.items()})
    return {**fields, "state": surface.state}


def _triangles(relief: Relief, *, fields: bool = True) -> Any:
    faces = np.column_stack([np.full(len(relief.triangles), 3), relief.triangles]).ravel()
    mesh = _vtk().PolyData(relief.points, faces)
    if fields:
        mesh.point_data["Normals"] = relief.normals
        mesh.point_data["RGB"] = relief.colors
        for name, array in relief.fields.items():
            mesh.point_data[name] = array
    return mesh


def _with_lines(relief: Relief) -> Any:
    """Return the triangles, and each run as lines behind them, told apart by the cells' ``run``: -1, 0, 1, ..."""
    mesh = _triangles(relief)
    points, cells, runs = [relief.points], [], []
    fields = {name: [array] for name, array in relief.fields.items()}
    fields["step"] = [np.full(len(relief.points), np.nan)]
    fields["own value"] = [np.full(len(relief.points), np.nan)]
    start = len(relief.points)
    for run, line in enumerate(relief.lines.values()):
        points.append(line.points)
        for name, arrays in fields.items():
            known = {"step": line.step, "own value": line.own}
            arrays.append(known.get(name, np.full(len(line.points), np.nan)))
        for first, last in line.pieces:
            cells += [last - first, *range(start + first, start + last)]
            runs.append(run)
        start += len(line.points)
    if runs:
        vtk = _vtk()
        mesh = vtk.PolyData(np.concatenate(points), mesh.faces, lines=np.array(cells))
        for name, arrays in fields.items():
            mesh.point_data[name] = np.concatenate(arrays)
        # In a PolyData's cells lines come before polygons.
        mesh.cell_data["run"] = np.array([*runs, *[-1] * len(relief.triangles)])
    return _labelled(mesh, {**relief.about, "Runs": ", ".join(relief.lines)})


def _labelled(mesh: Any, about: dict[str, str]) -> Any:
    for key, text in about.items():
        if text:
            mesh.field_data[key] = [text.encode("ascii", "backslashreplace").decode("ascii")]  # all that VTK takes
    return mesh


def build_ply(relief: Relief) -> bytes:
    """Return triangles with colours and fields as binary PLY."""
    columns: list[tuple[str, str]] = [("x", "<f8"), ("y", "<f8"), ("z", "<f8")]
    columns += [(name, "<f4") for name in ("nx", "ny", "nz")]
    columns += [(name, "u1") for name in ("red", "green", "blue")]
    names = {name: plain_name(name) for name in relief.fields}
    columns += [(plain, "<f8") for plain in names.values()]
    vertices = np.zeros(len(relief.points), dtype=columns)
    for k, (position, normal, color) in enumerate(
        zip("xyz", ("nx", "ny", "nz"), ("red", "green", "blue"), strict=True)
    ):
        vertices[position] = relief.points[:, k]
        vertices[normal] = relief.normals[:, k]
        vertices[color] = relief.colors[:, k]
    for name, plain in names.items():
        vertices[plain] = relief.fields[name]
    faces = np.zeros(len(relief.triangles), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, relief.triangles
    kinds = {"<f8": "double", "<f4": "float", "u1": "uchar"}
    comments = [
        f"{key}: {text}".encode("ascii", "replace").decode("ascii") for key, text in relief.about.items() if text
    ]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {comment}" for comment in comments),
        f"element vertex {len(vertices)}",
        *(f"property {kinds[kind]} {name}" for name, kind in columns),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    return "\n".join(header).encode("ascii") + b"\n" + vertices.tobytes() + faces.tobytes()


def build_glb(relief: Relief) -> bytes:
    """Return triangles with colours and fields, and runs as lines, as binary glTF 2.0."""
    # glTF has y upwards: a quarter turn about x, which keeps the scene right-handed.
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    buffer = _Buffer()
    # glTF's colours of vertices are linear light.
    linear = np.concatenate([to_linear(relief.colors / 255), np.ones((len(relief.points), 1))], axis=1)
    attributes = {
        "POSITION": buffer.add((relief.points @ turn.T).astype("<f4"), "VEC3", limits=True),
        "NORMAL": buffer.add((relief.normals @ turn.T).astype("<f4"), "VEC3"),
        "COLOR_0": buffer.add(linear.astype("<f4"), "VEC4"),
    }
    for name, array in relief.fields.items():
        # NaN is not allowed in glTF: where a field is not finite, or too large, its largest float says so.
        largest = np.finfo("<f4").max
        finite = np.where(np.abs(array) <= largest, array, largest).astype("<f4")
        attributes[f"_{plain_name(name).upper()}"] = buffer.add(finite, "SCALAR")
    index = buffer.add(relief.triangles.astype("<u4").ravel(), "SCALAR", target=34963)
    meshes: list[dict[str, Any]] = [
        {"name": "surface", "primitives": [{"attributes": attributes, "indices": index, "material": 0}]}
    ]
    for run, line in relief.lines.items():
        # Separate segments, not strips: more programs read them.
        pairs = [np.stack([np.arange(a, b - 1), np.arange(a + 1, b)], axis=1) for a, b in line.pieces]
        if pairs:
            position = buffer.add((line.points @ turn.T).astype("<f4"), "VEC3", limits=True)
            ends = buffer.add(np.concatenate(pairs).astype("<u4").ravel(), "SCALAR", target=34963)
            primitive = {"attributes": {"POSITION": position}, "indices": ends, "mode": 1, "material": 1}
            meshes.append({"name": run, "primitives": [primitive]})
    content = {
        "asset": {
            "version": "2.0",
            "generator": relief.about.get("Software", "landscape"),
            "extras": dict(relief.about),
        },
        "scene": 0,
        "scenes": [{"nodes": list(range(len(meshes)))}],
        "nodes": [{"mesh": k, "name": mesh["name"]} for k, mesh in enumerate(meshes)],
        "meshes": meshes,
        "materials": [
            {
                "name": "loss",
                "doubleSided": True,
                "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.6},
            },
            {"name": "run", "pbrMetallicRoughness": {"baseColorFactor": [0.67, 0.11, 0.0, 1.0], "metallicFactor": 0.0}},
        ],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode("utf-8")
    text += b" " * (-len(text) % 4)
    body = bytes(buffer.data) + b"\0" * (-len(buffer.data) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


class _Buffer:
    """Collects the arrays of a glTF file."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: Array, kind: str, *, limits: bool = False, target: int = 34962) -> int:
        """Append an array of float32 or uint32; return the number of its accessor."""
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes, "target": target})
        accessor: dict[str, Any] = {
            "bufferView": len(self.views) - 1,
            "componentType": 5126 if array.dtype == np.float32 else 5125,
            "count": len(array),
            "type": kind,
        }
        if limits:
            accessor["min"], accessor["max"] = array.min(axis=0).tolist(), array.max(axis=0).tolist()
        self.accessors.append(accessor)
        self.data += array.tobytes()
        return len(self.accessors) - 1
