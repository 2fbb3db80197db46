"""Anchors, what runs keep beside them, and tails of samples: written, read again, and refused where they are wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from landscape.errors import FormatError
from landscape.files.store import read_surface, write_surface
from landscape.surface.anchors import Anchors
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface

SHAPE, POINTS = (2, 3), 6


def drawn(*shape: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def anchors() -> Anchors:
    """Return theta* and two points, with two metrics, of 9 samples, and what a run keeps of two other points."""
    kept = {"loss": drawn(2, 4, seed=5), "accuracy": drawn(2, 4, seed=6)}
    kept["loss"][1, 2:] = np.nan
    return Anchors(
        np.array([-1, 4, 2]),
        {"loss": drawn(3, 5, seed=1), "accuracy": drawn(3, 5, seed=2)},
        {"loss": drawn(3, seed=3), "accuracy": drawn(3, seed=4)},
        9,
        {"loss": drawn(3, seed=7)},
        {"accuracy": drawn(POINTS, 8, seed=8).astype(np.float32), "loss": drawn(POINTS, 8, seed=9).astype(np.float32)},
        np.array([5, 3]),
        kept,
    )


def surface() -> Surface:
    state = np.ones(SHAPE, dtype=np.uint8)
    values = {
        f"{data}/{metric}": drawn(*SHAPE, seed=10) for data in ("train", "test") for metric in ("loss", "accuracy")
    }
    bare = Anchors(np.array([-1]), {"loss": drawn(1, 5, seed=12)}, {"loss": drawn(1, seed=13)}, 7)
    return Surface(
        (Axis(np.array([-1.0, 0.0, 1.0])), Axis(np.array([0.0, 2.0]))),
        values,
        state,
        counts={"train": np.full(SHAPE, 5), "test": np.full(SHAPE, 7)},
        anchored={"train": np.array([[3, 3, 0], [3, 0, 2]]), "other": np.ones(SHAPE, dtype=np.int64)},
        anchors={"train": anchors(), "test": bare},
        tails={f"train/loss_{name}": drawn(*SHAPE, seed=11 + k) for k, name in enumerate(("effective", "skewness"))},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_surface(tmp_path / "net.h5", surface())
    return tmp_path / "net.h5"


def test_every_array_comes_back_under_its_own_name(path):
    found, wanted = read_surface(path), surface()
    for name in ("anchored", "tails"):
        mine, other = getattr(found, name), getattr(wanted, name)
        assert list(mine) == list(other)
        for key, array in other.items():
            np.testing.assert_array_equal(mine[key], array)
    assert list(found.anchors) == ["train", "test"]
    for data, there in wanted.anchors.items():
        for field in dataclasses.fields(Anchors):
            mine, other = getattr(found.anchors[data], field.name), getattr(there, field.name)
            if isinstance(other, dict):
                assert list(mine) == list(other), field.name
                for metric, array in other.items():
                    np.testing.assert_array_equal(mine[metric], array, err_msg=f"{data} {field.name} {metric}")
                    assert mine[metric].dtype == array.dtype
            else:
                np.testing.assert_array_equal(mine, other, err_msg=f"{data} {field.name}")


def edit(path: Path, change: Callable[[h5py.Group], None]) -> None:
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        change(file["anchors/train"])
    body = image.getvalue()[512:]
    path.write_bytes(f"landscape 1\n{hashlib.sha256(body).hexdigest()}\n".encode().ljust(512, b"\0") + body)


def put(name: str, value: np.ndarray) -> Callable[[h5py.Group], None]:
    def change(group: h5py.Group) -> None:
        del group[name]
        group[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        put("used", np.array([[3, 3, 0], [3, -1, 2]])),
        put("used", np.ones((3, 2), dtype=np.int64)),
        put("used", np.ones(SHAPE)),
        put("points", np.array([-1, 4])),
        put("points", np.array([-1.0, 4.0, 2.0])),
        put("samples/loss", np.zeros((2, 5))),
        put("samples/loss", np.zeros(3)),
        put("means/loss", np.zeros(2)),
        put("log_means/loss", np.zeros(4)),
        put("sketches/loss", np.zeros((5, 8), dtype=np.float32)),
        put("sketches/loss", np.zeros((6, 8))),
        put("kept_points", np.array([5, 5])),  # one point twice
        put("kept_points", np.array([5, 6])),  # of six, counted from 0
        put("kept_points", np.array([5, -1])),  # theta*'s samples are among the anchors
        put("kept_points", np.array([5])),
        put("kept/loss", np.zeros((3, 4))),
        lambda group: group.__delitem__("samples"),
        lambda group: group.__delitem__("means/loss"),
        lambda group: group.attrs.__setitem__("size", 0),
        lambda group: group.attrs.__setitem__("size", 9.0),
        lambda group: group.attrs.__setitem__("size", 2**53 + 1),
    ],
)
def test_arrays_that_do_not_go_together_are_refused(path, change):
    edit(path, change)
    with pytest.raises(FormatError, match="not a surface as its format wants it"):
        read_surface(path)


def test_what_may_be_absent_may_be_absent(path):
    for name, empty in (("log_means", "log_means"), ("sketches", "sketches"), ("kept", "kept"), ("points", "")):
        edit(path, lambda group, name=name: group.__delitem__(name))
        found = read_surface(path).anchors
        assert ("train" in found) == bool(empty)
        assert not empty or getattr(found["train"], empty) == {}
    assert "train" in read_surface(path).anchored
