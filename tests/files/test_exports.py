"""Exports hold what the surface holds, and never replace a file that nobody said could go."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from landscape.cli import main
from landscape.files.exports import build_csv, build_npz
from landscape.files.store import read_surface, write_surface
from landscape.files.strict_json import plain_json
from landscape.surface.grid import Axis
from landscape.surface.surface import INTERPOLATED, Surface
from tests.helpers.li2018_files import write_directions, write_like_the_tool
from tests.helpers.plot_fixtures import repeated, valley
from tests.helpers.strategies import surfaces


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """Return a file of a plane that is not square, with a hole, a NaN, an interpolated point and errors."""
    surface = valley(5, 3)
    loss = surface["train/loss"].copy()
    state = surface.state.copy()
    state[0, 1], loss[0, 1] = 0, np.nan
    state[2, 4] = 2
    loss[1, 0] = np.inf
    values = {**surface.values, "train/loss": loss, "task2/f1": loss / 2}
    errors = {"stderr": {"train/loss": loss / 10}, "paired_stderr": {"train/loss": loss / 20}}
    made = dataclasses.replace(surface, values=values, state=state, **errors)
    write_surface(tmp_path / "net.h5", made)
    return tmp_path / "net.h5"


def export(*arguments: object) -> int:
    return main(["export", *map(str, arguments)])


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_csv_has_a_row_a_point_with_every_digit(net, tmp_path):
    assert export(net, "-o", tmp_path / "net.csv") == 0
    surface = read_surface(net)
    rows = rows_of((tmp_path / "net.csv").read_bytes())
    assert len(rows) == 15
    for number, row in enumerate(rows):
        j, i = divmod(number, 5)  # x changes fastest
        assert float(row["x"]) == surface.axes[0].values[i]
        assert float(row["y"]) == surface.axes[1].values[j]
        assert int(row["state"]) == surface.state[j, i]
        if surface.state[j, i]:
            assert float(row["train/loss"]) == surface["train/loss"][j, i]
            assert float(row["train/loss_stderr"]) == surface.stderr["train/loss"][j, i]
            assert float(row["train/loss_paired_stderr"]) == surface.paired_stderr["train/loss"][j, i]
            assert int(row["train/count"]) == surface.counts["train"][j, i]
    assert rows[1]["train/loss"] == ""  # not computed
    assert rows[5]["train/loss"] == "inf"  # a result


def test_npz_has_the_arrays_and_what_they_are_without_pickles(net, tmp_path):
    assert export(net, "-o", tmp_path / "net.npz") == 0
    surface = read_surface(net)
    with np.load(tmp_path / "net.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["x"], surface.axes[0].values)
        np.testing.assert_array_equal(arrays["y"], surface.axes[1].values)
        np.testing.assert_array_equal(arrays["state"], surface.state)
        np.testing.assert_array_equal(arrays["train/loss"], surface["train/loss"])
        np.testing.assert_array_equal(arrays["task2/f1"], surface["task2/f1"])
        np.testing.assert_array_equal(arrays["train/loss_stderr"], surface.stderr["train/loss"])
        np.testing.assert_array_equal(arrays["train/loss_paired_stderr"], surface.paired_stderr["train/loss"])
        np.testing.assert_array_equal(arrays["train/count"], surface.counts["train"])
        about = json.loads(str(arrays["about"]), parse_constant=pytest.fail)
    texts = ("title", "problem", "origin", "quality", "software", "created", "command")
    assert about == {
        **{name: json.loads(plain_json(getattr(surface, name))) for name in texts},
        "axes": [
            json.loads(
                plain_json({key: getattr(axis, key) for key in ("label", "source", "recipe", "length", "sha256")})
            )
            for axis in surface.axes
        ],
    }
    assert about["problem"]
    assert about["axes"][1]["length"]


@settings(max_examples=25)
@given(surfaces())
def test_any_surface_can_be_exported(surface):
    rows = rows_of(build_csv(surface))
    assert len(rows) == surface.state.size
    with np.load(io.BytesIO(build_npz(surface)), allow_pickle=False) as arrays:
        for name, values in surface.values.items():
            np.testing.assert_array_equal(arrays[name], values)


def test_repetitions_and_volumes_have_axes_of_their_own_names():
    surface = repeated(valley(4, 3), 2)
    assert list(rows_of(build_csv(surface))[0])[:4] == ["x", "y", "repeat", "state"]
    axis = Axis(np.array([0.0, 1.0]))
    volume = Surface((axis,) * 3, {"train/loss": np.arange(8.0).reshape(2, 2, 2)}, np.ones((2, 2, 2), np.uint8))
    assert rows_of(build_csv(volume))[4] == {"x": "0.0", "y": "0.0", "z": "1.0", "state": "1", "train/loss": "4.0"}


@pytest.mark.parametrize("suffix", ["ply", "stl", "glb"])
def test_shapes_without_values_say_that_interpolated_points_look_measured(tmp_path, capsys, suffix):
    pytest.importorskip("pyvista")
    surface = valley(6, 5)
    state = surface.state.copy()
    state[1, 1:4] = INTERPOLATED
    write_surface(tmp_path / "net.h5", dataclasses.replace(surface, state=state))
    assert export(tmp_path / "net.h5", "-o", tmp_path / f"net.{suffix}") == 0
    assert "3 interpolated points look like computed ones there" in capsys.readouterr().out


def test_the_2018_tools_layout_says_what_it_cannot_hold(net, tmp_path, capsys):
    assert export(net, "-o", tmp_path / "old.h5", "--format", "original") == 0
    said = capsys.readouterr().out
    assert "no place for task2/f1" in said
    assert "not square" in said
    assert "1 interpolated" in said
    assert "not complete" in said
    with h5py.File(tmp_path / "old.h5") as file:
        losses = file["train_loss"][()]
        assert losses.shape == (5, 3)
        # The tool's own numbering of points: k = iy * nx + ix.
        assert losses.ravel()[1 * 5 + 2] == read_surface(net)["train/loss"][1, 2]
        assert losses.ravel()[1] == -1
        assert losses.ravel()[5] == np.inf
        assert file["train_acc"][()].ravel()[1] == -1
        assert file["train_acc"][()].max() > 1  # percent


def test_a_file_of_the_2018_tool_can_be_exported(tmp_path):
    write_like_the_tool(tmp_path / "s.h5", [-1.0, 0.0, 1.0])
    assert export(tmp_path / "s.h5", "-o", tmp_path / "s.CSV") == 0
    assert len(rows_of((tmp_path / "s.CSV").read_bytes())) == 3


def test_an_existing_file_goes_only_when_asked(net, tmp_path, capsys):
    out = tmp_path / "net.csv"
    out.write_text("mine")
    assert export(net, "-o", out) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert export(net, "-o", out, "--overwrite") == 0
    assert out.read_text().startswith("x,y,state,")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("net.h5", "-o", "net.h6"), 2, ".csv, .npz"),
        (("net.h5", "-o", "net2.h5"), 2, "--format original"),
        (("net.h5",), 2, "-o/--output"),
        (("missing.h5", "-o", "a.csv"), 1, "there is no file"),
        (("d.h5", "-o", "a.csv"), 1, "holds directions"),
        (("page.h5", "-o", "a.csv"), 1, "an HTML page"),
        (("net.h5", "-o", "missing/a.csv"), 1, "make it first"),
        (("net.h5", "-o", ".", "--format", "csv", "--overwrite"), 1, "is a folder"),
        (("volume.h5", "-o", "a.h5", "--format", "original"), 1, "lines and planes"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(net, tmp_path, monkeypatch, capsys, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    write_directions(tmp_path / "d.h5")
    (tmp_path / "page.h5").write_text("<html></html>")
    axis: Any = Axis(np.array([0.0]))
    volume = Surface((axis,) * 3, {"train/loss": np.ones((1, 1, 1))}, np.ones((1, 1, 1), np.uint8))
    write_surface(tmp_path / "volume.h5", volume)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert export(*arguments) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert words in said.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_planes_and_volumes_are_exported_as_meshes_and_lines_and_seeds_are_not(tmp_path, capsys):
    axes = [Axis(np.linspace(-1, 1, number), f"direction {number}") for number in (4, 3, 2)]
    repeat = Axis(np.arange(2.0), "repetition", kind="repeat")
    for name, over in (("plane", axes[:2]), ("volume", axes), ("line", axes[:1]), ("seeds", [*axes[:2], repeat])):
        shape = tuple(len(axis) for axis in reversed(over))
        values = {"train/loss": 1.0 + np.arange(np.prod(shape)).reshape(shape)}
        write_surface(tmp_path / f"{name}.h5", Surface(tuple(over), values, np.ones(shape, np.uint8)))
    for name in ("plane", "volume"):
        assert export(tmp_path / f"{name}.h5", "-o", tmp_path / f"{name}.vts") == 0
        assert (tmp_path / f"{name}.vts").stat().st_size > 100
    for name, said in (("line", "is of a plane or volume, "), ("seeds", "holds 2 seeds; draw one")):
        capsys.readouterr()
        assert export(tmp_path / f"{name}.h5", "-o", tmp_path / f"{name}.vts") == 1
        assert said in capsys.readouterr().err
