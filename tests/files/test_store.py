"""The surface file: nothing is lost, nothing of others is lost either, and what is not ours is left alone."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings

from landscape.errors import FormatError, StoreError
from landscape.files.store import check_writable, is_surface, read_directions, read_surface, write_surface
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface, Trajectory
from tests.helpers.comparisons import assert_same
from tests.helpers.plot_fixtures import valley
from tests.helpers.strategies import surfaces

FIELDS = {field.name for field in dataclasses.fields(Surface)}


def plane(**changes: Any) -> Surface:
    """Return a surface of 3 x 2 points in which every value says where it belongs: ten times y plus x."""
    x, y = Axis(np.array([-1.0, 0.0, 2.0]), "x", sha256="aa"), Axis(np.array([0.0, 5.0]), "y", sha256="bb")
    loss = 10 * y.values[:, None] + x.values
    state = np.array([[1, 1, 1], [1, 0, 2]], np.uint8)
    made = Surface((x, y), {"train/loss": loss}, state, counts={"train": np.full((2, 3), 7)})
    return dataclasses.replace(made, **changes)


def edit(path: Path, change: Callable[[h5py.File], None]) -> None:
    """Change a file of ours behind our back, and put the right hash on it."""
    image = io.BytesIO(path.read_bytes())
    with h5py.File(image, "r+") as file:
        change(file)
    body = image.getvalue()[512:]
    path.write_bytes(f"landscape 1\n{hashlib.sha256(body).hexdigest()}\n".encode().ljust(512, b"\0") + body)


@settings(max_examples=30)
@given(surfaces())
def test_every_field_comes_back(tmp_path_factory, surface):
    path = tmp_path_factory.mktemp("store") / "net.h5"
    digest = write_surface(path, surface)
    back = read_surface(path)
    assert_same(back, surface)
    assert back.title == (surface.title or "net")
    assert back.path == str(path)
    assert back.digest == digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_order_of_names_comes_back(tmp_path):
    values = {f"{data}/{metric}": np.zeros(2) for data in ("train", "a") for metric in ("loss", "b", "accuracy")}
    line = Surface((Axis(np.array([0.0, 1.0])),), values, np.ones(2, np.uint8))
    write_surface(tmp_path / "a.h5", line)
    assert list(read_surface(tmp_path / "a.h5").values) == list(values)


def test_any_hdf5_reader_finds_what_the_specification_says(tmp_path):
    path = tmp_path / "net.h5"
    write_surface(path, plane(problem={"samples": 7}, cosines=np.eye(2), command="landscape evaluate größe.pt"))
    start = path.read_bytes()[:512]
    assert start.startswith(b"landscape 1\n")
    assert start[12:76].decode() == hashlib.sha256(path.read_bytes()[512:]).hexdigest()
    with h5py.File(path) as file:
        assert file.attrs["format"].decode() == "landscape"
        assert file.attrs["version"] == 1
        assert not file.attrs["complete"]
        assert json.loads(file.attrs["problem"]) == {"samples": 7}
        assert file.attrs["command"].decode("utf-8") == "landscape evaluate größe.pt"
        assert file["axes/0"][2] == 2.0
        assert file["axes/1"][1] == 5.0
        assert file["data/train/loss"][1, 2] == 52.0  # x = 2, y = 5
        assert file["data/train/count"].dtype == np.int64
        assert file["state"][1].tolist() == [1, 0, 2]
        assert file["directions"].attrs["cosines"].shape == (2, 2)


def test_the_same_surface_gives_the_same_bytes_and_rewriting_does_not_grow(tmp_path):
    path = tmp_path / "net.h5"
    write_surface(path, valley())
    first = path.read_bytes()
    write_surface(tmp_path / "other.h5", valley())
    assert (tmp_path / "other.h5").read_bytes() == first
    write_surface(path, valley(), directions=[{"w": np.ones(1000)}, {"w": np.zeros(1000)}])
    edit(path, others_additions)
    longest = path.stat().st_size
    for _ in range(5):
        write_surface(path, valley())
        assert path.stat().st_size <= longest


def test_text_that_hdf5_cannot_hold_is_escaped(tmp_path):
    write_surface(tmp_path / "net.h5", plane(command="a\0b\udcffc"))
    assert read_surface(tmp_path / "net.h5").command == r"a\x00b\udcffc"


def test_text_of_variable_length_is_read_too(tmp_path):
    write_surface(tmp_path / "net.h5", plane())
    edit(tmp_path / "net.h5", lambda file: file.attrs.__setitem__("command", "größe"))  # as h5py writes it
    assert read_surface(tmp_path / "net.h5").command == "größe"


def test_numbers_of_another_byte_order_are_read_in_this_machines(tmp_path):
    def swap(file: h5py.File) -> None:
        for name in ("axes/0", "data/train/loss", "data/train/count", "directions/0/0"):
            array, said = file[name][()], dict(file[name].attrs)
            del file[name]
            file[name] = array.astype(array.dtype.newbyteorder(">"))
            file[name].attrs.update(said)

    path = tmp_path / "net.h5"
    write_surface(path, plane(), directions=[{"w": np.arange(3.0)}, {"w": np.ones(3)}])
    edit(path, swap)
    assert_same(read_surface(path), plane())
    tensor = read_directions(path)[0]["w"]
    assert (tensor.dtype, tensor.tolist()) == (np.float64, [0.0, 1.0, 2.0])


def test_settings_longer_than_an_object_header_are_held(tmp_path):
    problem = {"model": {"args": "x" * 300_000}}
    write_surface(tmp_path / "net.h5", plane(problem=problem))
    assert read_surface(tmp_path / "net.h5").problem == problem


def test_a_title_is_kept_only_where_it_is_not_the_name_of_the_file(tmp_path):
    write_surface(tmp_path / "a.h5", plane(title="Deep network"))
    write_surface(tmp_path / "b.h5", read_surface(tmp_path / "a.h5"))
    assert read_surface(tmp_path / "b.h5").title == "Deep network"
    write_surface(tmp_path / "a.h5", plane())
    write_surface(tmp_path / "c.h5", read_surface(tmp_path / "a.h5"))
    assert read_surface(tmp_path / "c.h5").title == "c"


def others_additions(file: h5py.File) -> None:
    """Add what some later or other program may: at every level, of every kind."""
    file.attrs["lab"] = "ours"
    file["axes/0"].attrs["unit"] = 3
    file["data/train/loss"].attrs["note"] = "checked"
    file["data/train"].create_group("histogram")["bins"] = np.arange(4)
    file["quality/held_out"] = np.array([0.1, 0.2])
    file["curvature/top"] = np.arange(5.0)
    file["curvature"].attrs["method"] = "Lanczos"
    file["here"] = h5py.SoftLink("/data/train/loss")
    file["elsewhere"] = h5py.ExternalLink("no/such/file.h5", "/x")


def test_what_others_added_is_ignored_and_kept(tmp_path):
    path = tmp_path / "net.h5"
    write_surface(path, plane())
    edit(path, others_additions)
    assert_same(read_surface(path), plane())
    for _ in range(3):
        write_surface(path, plane(command="again"))
    assert read_surface(path).command == "again"
    with h5py.File(path) as file:
        assert file.attrs["lab"] == "ours"
        assert file["axes/0"].attrs["unit"] == 3
        assert file["data/train/loss"].attrs["note"] == "checked"
        assert file["data/train/histogram/bins"][3] == 3
        assert file["quality/held_out"][1] == 0.2
        assert file["curvature/top"][4] == 4.0
        assert file["curvature"].attrs["method"] == "Lanczos"
        assert file.get("here", getlink=True).path == "/data/train/loss"
        assert file.get("elsewhere", getlink=True).filename == "no/such/file.h5"
    write_surface(path, plane(), keep=False)
    with h5py.File(path) as file:
        assert "curvature" not in file
        assert "lab" not in file.attrs


def test_what_the_surface_no_longer_has_does_not_stay(tmp_path):
    path = tmp_path / "net.h5"
    run = Trajectory(np.zeros((1, 2)), np.zeros(1), np.zeros(1), np.zeros(1, np.int64))
    more = {"train/loss": np.zeros((2, 3)), "train/accuracy": np.zeros((2, 3)), "test/loss": np.zeros((2, 3))}
    write_surface(path, plane(values=more, trajectories={"run": run}, cosines=np.eye(2), title="T"))
    write_surface(path, plane())
    assert_same(read_surface(path), plane())
    assert read_surface(path).title == "net"


def test_directions_come_back_in_order_and_stay_when_the_file_is_rewritten(tmp_path):
    path = tmp_path / "net.h5"
    names = ["fc.weight", "a/b", "größe", *(f"layer{n}" for n in range(12))]
    directions: list[dict[str, Any]] = [
        {name: np.full((n, 2), n, np.float32) for n, name in enumerate(names)},
        {"scalar": np.float16(0.5), "double": np.array([1e-300])},
    ]
    write_surface(path, plane(), directions=directions)
    write_surface(path, plane(command="again"))
    back = read_directions(path)
    assert [list(each) for each in back] == [list(each) for each in directions]
    for one, other in zip(back, directions, strict=True):
        for name in one:
            assert one[name].dtype == other[name].dtype
            np.testing.assert_array_equal(one[name], other[name])
    x, y = plane().axes
    write_surface(path, plane(axes=(dataclasses.replace(x, sha256="another direction"), y)))
    assert read_directions(path) == []


@pytest.mark.parametrize(
    "values", ["loss", "train/", "/loss", "train/a/b", "train/count", "train/x_stderr", "train/x_paired", "../loss"]
)
def test_a_name_the_format_cannot_hold_is_refused(tmp_path, values):
    with pytest.raises(ValueError, match="letters"):
        write_surface(tmp_path / "net.h5", plane(values={values: np.zeros((2, 3))}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"problem": {"samples": "many"}},
        {"quality": {"batch_size": 0}},
        {"origin": {"values": {"train/loss": None}}},
        {"counts": {"train": np.zeros((2, 3), np.int64)}},
        {"trajectories": {"run": Trajectory(*np.zeros((3, 1, 1)), step=np.zeros(1, np.int64))}},
        {"trajectories": {"run": Trajectory(np.zeros((1, 2)), *-np.ones((2, 1)), step=np.zeros(1, np.int64))}},
    ],
    ids=str,
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, change):
    write_surface(path := tmp_path / "net.h5", plane())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="cannot be written"):
        write_surface(path, plane(**change))
    assert path.read_bytes() == before


def test_a_newer_version_is_refused_with_both_numbers_and_left_alone(tmp_path):
    path = tmp_path / "net.h5"
    write_surface(path, plane())
    newer = path.read_bytes().replace(b"landscape 1\n", b"landscape 3\n", 1)
    path.write_bytes(newer)
    assert is_surface(path)
    for call in (read_surface, read_directions, lambda p: write_surface(p, plane()), check_writable):
        with pytest.raises(FormatError, match=r"version 3 .* version 1"):
            call(path)
    assert path.read_bytes() == newer


def test_a_file_that_is_not_ours_is_never_overwritten_silently(tmp_path):
    path = tmp_path / "thesis.h5"
    for content in (b"", b"chapter one", b"\x89HDF\r\n\x1a\n" + bytes(600), bytes(512) + b"\x89HDF\r\n\x1a\n"):
        path.write_bytes(content)
        for call in (
            lambda p: write_surface(p, plane()),
            lambda p: write_surface(p, plane(), keep=False),
            check_writable,
        ):
            with pytest.raises(FormatError, match="left as it is"):
                call(path)
        assert path.read_bytes() == content
        assert not is_surface(path)
    check_writable(path, overwrite=True)
    write_surface(path, plane(), overwrite=True)
    assert_same(read_surface(path), plane())


def test_a_damaged_file_of_ours_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "net.h5"
    write_surface(path, plane())
    damaged = path.read_bytes()[:-1]
    path.write_bytes(damaged)
    with pytest.raises(FormatError, match="damaged"):
        write_surface(path, plane())
    assert path.read_bytes() == damaged
    write_surface(path, plane(), overwrite=True)
    assert_same(read_surface(path), plane())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "an HTML page"),
        (b"PK\x03\x04" + bytes(22) + b"\x0c\0\0\0net/data.pkl", "a PyTorch checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n", "not ours"),
    ],
)
def test_a_file_that_is_no_surface_is_called_by_its_name(tmp_path, content, words):
    (tmp_path / "net.h5").write_bytes(content)
    with pytest.raises(FormatError, match=words):
        read_surface(tmp_path / "net.h5")


def test_folders_and_missing_files_are_errors_of_ours(tmp_path):
    for path in (tmp_path, tmp_path / "missing.h5"):
        with pytest.raises(FormatError):
            read_surface(path)
        with pytest.raises((FormatError, StoreError)):
            write_surface(path / "net.h5" if path.name == "missing.h5" else path, plane())


def replace(name: str, make: Callable[[h5py.Group], None]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        make(file)

    return change


@pytest.mark.parametrize(
    "change",
    [
        replace("data/train/loss", lambda f: f.create_dataset("data/train/loss", (2, 3), "f8", chunks=(1, 3))),
        replace("data/train/loss", lambda f: f.create_dataset("data/train/loss", (3, 2), data=np.zeros((3, 2)))),
        replace("data/train/loss", lambda f: f.create_dataset("data/train/loss", (2, 3), "f4", np.zeros((2, 3)))),
        replace("data/train/loss", lambda f: f.create_dataset("data/train/loss", (2, 3), "f8")),  # never written
        replace("data/train/count", lambda f: f.create_dataset("data/train/count", (2, 3), "f8", np.zeros((2, 3)))),
        replace("axes/0", lambda f: f.create_dataset("axes/0", (10**12,), "f8")),
        replace("axes/0", lambda f: f.create_dataset("axes/0", data=[1.0, 0.0, -1.0])),
        replace("axes/0", lambda f: None),
        replace("axes", lambda f: f.create_group("axes")),
        replace("data", lambda f: None),
        replace("state", lambda f: f.create_dataset("state", data=np.full((2, 3), 3, np.uint8))),
        replace("state", lambda f: f.create_dataset("state", data=b"text")),
        replace("state", lambda f: f.__setitem__("state", h5py.ExternalLink("other.h5", "/state"))),
        replace("state", lambda f: f.create_dataset("state", (2, 3), "u1", external=[("/dev/zero", 0, 6)])),
        replace("data/train/loss", lambda f: f.create_dataset("data/train/loss", (2, 3), "f8", external="/dev/zero")),
        lambda f: f.attrs.__setitem__("problem", "[1]"),
        lambda f: f.attrs.__setitem__("problem", "NaN"),
        lambda f: f.attrs.__setitem__("problem", 3),
        lambda f: f.attrs.__setitem__("command", np.bytes_(b"\xff\xfe")),
        lambda f: f["directions"].attrs.__setitem__("cosines", np.zeros((2, 3))),
        lambda f: f["axes/0"].attrs.__setitem__("length", "long"),
    ],
)
def test_a_file_with_the_right_hash_and_the_wrong_content_is_refused(tmp_path, change):
    path = tmp_path / "net.h5"
    write_surface(path, plane())
    edit(path, change)
    with pytest.raises(FormatError, match="not a surface as its format wants it"):
        read_surface(path)


def test_tensors_with_the_wrong_content_are_refused(tmp_path):
    path = tmp_path / "net.h5"
    for change in (
        lambda f: f.move("directions/0/1", "directions/0/5"),
        lambda f: f["directions/0/1"].attrs.__setitem__("name", "a"),
        replace("directions/0/1", lambda f: f.create_dataset("directions/0/1", (10**12,), "f4")),
        replace("directions/0/1", lambda f: f.create_dataset("directions/0/1", data=b"text")),
    ):
        write_surface(path, plane(), directions=[{"a": np.zeros(2), "b": np.zeros(2)}])
        edit(path, change)
        with pytest.raises(FormatError, match="does not hold directions"):
            read_directions(path)


def test_a_writable_place_is_found_and_left_as_it_was(tmp_path):
    check_writable(tmp_path / "net.h5", size=10**6)
    assert not list(tmp_path.iterdir())
    write_surface(tmp_path / "net.h5", plane())
    before = (tmp_path / "net.h5").read_bytes()
    check_writable(tmp_path / "net.h5")
    assert (tmp_path / "net.h5").read_bytes() == before
    with pytest.raises(StoreError, match="make it first"):
        check_writable(tmp_path / "missing" / "net.h5")
    assert os.listdir(tmp_path) == ["net.h5"]
