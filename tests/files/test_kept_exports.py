"""What surfaces that a seed mixed are as files of other tools is what it was (`tests.helpers.kept`)."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import trimesh

from landscape.cli import main
from landscape.files.store import write_surface
from tests.helpers.drawn import sums
from tests.helpers.kept import assert_kept, steady
from tests.helpers.mixed_surfaces import mixed


def is_numeric(each: Any) -> bool:
    return isinstance(each, h5py.Dataset) and each.dtype.kind in "fiu"


def held_in(path: Path) -> Any:
    """Return a file's names and numbers, in sums."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        columns = np.array([[float(each or "nan") for each in row] for row in rows]).T
        return {name: sums(column) for name, column in zip(header, columns, strict=True)}
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: sums(each) for name, each in arrays.items() if each.dtype.kind in "fiu"}
    if path.suffix == ".h5":
        found: dict[str, Any] = {}
        with h5py.File(path) as file:
            file.visititems(lambda name, each: found.update({name: sums(each)}) if is_numeric(each) else None)
        return found
    if path.suffix in (".ply", ".stl", ".glb"):
        mesh = trimesh.load(path, force="mesh", process=False)
        return [len(mesh.faces), *(sums(each) for each in mesh.vertices.T)]
    return len(path.read_bytes())


@pytest.mark.parametrize("format", ["csv", "npz", "original", "vts", "vtp", "ply", "stl", "glb"])
def test_mixed_surfaces_are_exported_as_they_were(format, tmp_path, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(tmp_path)
    found = {}
    for seed in range(500, 510):
        write_surface("net.h5", mixed(seed)[0])
        output = Path(f"out.{'h5' if format == 'original' else format}")
        code = main(["export", "net.h5", "-o", str(output), "--format", format])
        found[f"{seed}"] = [code, "".join(capsys.readouterr()), held_in(output) if code == 0 else None]
        for each in tmp_path.iterdir():
            each.unlink()
    assert_kept(f"mixed/export-{format}", steady(found), write=pytestconfig.getoption("keep"), relative=1e-4)
