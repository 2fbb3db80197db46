"""Files of curvature: what is written is read, damage and nonsense are refused."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from landscape.errors import FormatError, LandscapeError
from landscape.files.reports.curvature_file import (
    check_curvature_writable,
    is_curvature,
    read_curvature,
    write_curvature,
)
from landscape.files.reports.curvature_run_file import check_run_writable, read_curvature_run, write_curvature_run
from landscape.files.store import is_surface, read_surface
from landscape.surface.reports.curvature import Curvature, CurvatureRun
from tests.helpers.curvatures import curvature


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_curvature(tmp_path / "net.curvature.h5", {"train": curvature(), "test": curvature(3)}, {"software": "x"})
    return tmp_path / "net.curvature.h5"


def test_what_is_written_is_read_again(path):
    found = read_curvature(path)
    assert list(found) == ["train", "test"]
    wanted = curvature(3)
    for field in dataclasses.fields(Curvature):
        if field.name not in ("raw", "normalised", "filters", "slice", "path"):
            assert getattr(found["test"], field.name) == getattr(wanted, field.name), field.name
    for name in ("raw", "normalised", "filters", "slice"):
        for field in dataclasses.fields(getattr(wanted, name)):
            mine, other = (getattr(getattr(each, name), field.name) for each in (found["test"], wanted))
            np.testing.assert_array_equal(mine, other)
    assert is_curvature(path)
    assert not is_surface(path)


@pytest.mark.parametrize("complete", [True, False])
def test_a_run_is_read_again_with_what_it_does_not_know_and_how_far_it_is(tmp_path, complete):
    path = tmp_path / "run.h5"
    wanted = CurvatureRun("sgd", "epoch", (3, 5), (0.0, float("nan")), (curvature(), curvature(1)), complete)
    write_curvature_run(path, {"train": wanted, "test": dataclasses.replace(wanted, name="other")}, {"command": "x"})
    found = read_curvature_run(path)
    assert [(name, each.name) for name, each in found.items()] == [("train", "sgd"), ("test", "other")]
    run = found["train"]
    assert (run.unit, run.steps, run.complete, run.path) == ("epoch", (3, 5), complete, str(path))
    np.testing.assert_array_equal(run.learning_rates, [0.0, np.nan])
    for mine, other in zip(run.reports, wanted.reports, strict=True):
        np.testing.assert_array_equal(mine.raw.traces, other.raw.traces)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("learning_rates", [0.1]), ("learning_rates", [0.1, -0.1]), ("learning_rates", [0.1, 1]), ("steps", [0, True]),
        ("steps", [0, 0.5]), ("unit", 3), ("name", None), ("complete", 1),
    ],
)  # fmt: skip
def test_a_run_that_says_something_of_another_kind_is_refused(tmp_path, field, value):
    runs = {"train": CurvatureRun("sgd", "epoch", (0, 5), (0.1, 0.2), (curvature(), curvature(1)))}
    object.__setattr__(runs["train"], field, value)
    write_curvature_run(tmp_path / "run.h5", runs, {})
    with pytest.raises(FormatError, match="/run/train"):
        read_curvature_run(tmp_path / "run.h5")


def test_what_is_no_run_is_not_written_over_unless_it_is_asked_for(path):
    with pytest.raises(FormatError, match="left as it is"):
        check_run_writable(path)
    check_run_writable(path, overwrite=True)


def test_a_damaged_byte_is_seen(path):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="is damaged"):
        read_curvature(path)


def test_each_format_refuses_the_others_files(path, tmp_path):
    with pytest.raises(FormatError, match="it is a file of curvature, which"):
        read_surface(path)
    (tmp_path / "notes.txt").write_text("no curvature")
    with pytest.raises(FormatError, match="holds no curvature: it is a text file"):
        read_curvature(tmp_path / "notes.txt")
    with pytest.raises(FormatError, match="left as it is"):
        check_curvature_writable(tmp_path / "notes.txt")
    check_curvature_writable(path)


def changed(path: Path, change: object) -> None:
    """Rewrite a file with another content and the right checksum."""
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        change(file["curvature/train"])
    body = image.getvalue()[512:]
    head = b"landscape curvature 1\n%s\n" % hashlib.sha256(body).hexdigest().encode()
    path.write_bytes(head.ljust(512, b"\0") + body)


def drop(name):
    return lambda group: group.__delitem__(name)


def put(name, value):
    def change(group):
        del group[name]
        group[name] = value

    return change


def attribute(name, value):
    return lambda group: (group[name] if name else group).attrs.__setitem__("json", value)


def said(name, **keys):
    def change(group):
        attributes = (group[name] if name else group).attrs
        attributes["json"] = json.dumps({**json.loads(attributes["json"]), **keys})

    return change


@pytest.mark.parametrize(
    "change",
    [
        drop("raw"),
        drop("raw/nodes"),
        put("raw/traces", np.zeros((2, 2))),
        put("raw/traces", np.zeros(1)),
        put("raw/residuals", np.zeros(2)),
        put("raw/eigenvalues", np.array(["a"], dtype=object)),
        put("normalised", 3),
        attribute("raw", "{}"),
        attribute("raw", '{"size": -1, "greatest": 1, "tolerance": 0.1, "products": 1, "trace_samples_stderr": 0}'),
        attribute("raw", '{"size": 5, "greatest": 99, "tolerance": 0.1, "products": 1, "trace_samples_stderr": 0.0}'),
        said("raw", size=True),
        said("raw", tolerance=False),
        said("raw", tolerance=float("inf")),
        said("raw", products=2.0),
        said("", samples=True),
        said("", samples=2**400),
        said("", loss=False),
        said("", verdict=3),
        attribute("", "[]"),
        attribute("", '{"layers": [{}]}'),
        attribute("", '{"layers": [], "slice": {"labels": ["x"], "rank": [0.5], "hessian": [[1, 2]]}}'),
    ],
)
def test_nonsense_behind_a_right_checksum_is_refused_in_one_line(path, change):
    changed(path, change)
    with pytest.raises(LandscapeError) as error:
        read_curvature(path)
    assert "\n" not in str(error.value)
    # While the error is alive, another thread can use HDF5: nothing was left that holds its lock.
    writer = threading.Thread(target=lambda: h5py.File(io.BytesIO(), "w").close(), daemon=True)
    writer.start()
    writer.join(20)
    assert not writer.is_alive()
