"""Files of the 2018 tool: its index order, its marks for what is missing, its directions, and writing them back."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.errors import FormatError
from landscape.files.li2018 import (
    OriginalDirections,
    build_original,
    left_out,
    load_original,
    read_original_directions,
)
from landscape.files.store import read_surface, write_surface
from landscape.surface.grid import Axis
from landscape.surface.surface import Surface
from tests.helpers.li2018_files import NAME, accuracy_at, loss_at, write_directions, write_like_the_tool


@pytest.mark.parametrize(("nx", "ny"), [(4, 4), (5, 3), (2, 6), (1, 3)])
def test_values_lie_where_the_scheduler_put_them_also_when_the_grid_is_not_square(tmp_path, nx, ny):
    x, y = np.linspace(-1, 1, nx) if nx > 1 else np.zeros(1), np.linspace(0, 2, ny)
    write_like_the_tool(tmp_path / "s.h5", x, y)
    surface = read_surface(tmp_path / "s.h5")
    assert surface.shape == (ny, nx)
    for j in range(ny):
        for i in range(nx):
            assert surface["train/loss"][j, i] == loss_at(x[i], y[j])
            assert surface["train/accuracy"][j, i] == accuracy_at(x[i], y[j]) / 100
    assert surface.complete


def test_a_line_is_read(tmp_path):
    write_like_the_tool(tmp_path / "s.h5", [-1.0, 0.0, 3.0])
    surface = read_surface(tmp_path / "s.h5")
    assert surface["train/loss"].tolist() == [loss_at(x, 0) for x in (-1.0, 0.0, 3.0)]


def test_where_it_comes_from_is_told(tmp_path):
    write_like_the_tool(tmp_path / "s.h5", [-1, 0, 1], [0, 2], extra_loss=np.zeros(3))
    surface = read_surface(tmp_path / "s.h5")
    assert surface.title == "s"
    assert surface.path == str(tmp_path / "s.h5")
    assert "2018" in surface.software
    assert [axis.source for axis in surface.axes] == ["file", "file"]
    assert [axis.recipe["norm"] for axis in surface.axes] == ["filter", "layer"]
    assert surface.axes[1].recipe == {**surface.axes[1].recipe, "path": NAME, "axis": 1, "ignore": "biasbn"}
    assert surface.problem["move"] == "weights"
    assert surface.problem["metrics"] == {"train": ["loss", "accuracy"]}
    assert surface.origin["values"] == {"train/loss": loss_at(0, 0), "train/accuracy": accuracy_at(0, 0) / 100}
    assert surface.origin["ignored"] == ["extra_loss"]


def test_a_point_is_missing_by_its_accuracy_not_by_its_loss(tmp_path):
    # loss_at(1, 0.5) = -1 is a result; points 8 and on were not computed.
    write_like_the_tool(tmp_path / "s.h5", [-1.0, 0.0, 1.0], [0.5, 1.0, 1.5], done=8)
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file["train_loss"][2, 2] = 0.25  # left by whoever computed the loss alone
    surface = read_surface(tmp_path / "s.h5")
    assert surface["train/loss"][0, 2] == -1.0
    assert surface.state.ravel().tolist() == [1] * 8 + [0]
    assert np.isnan(surface["train/loss"][2, 2])
    assert np.isnan(surface["train/accuracy"][2, 2])


def test_without_accuracies_a_loss_of_minus_one_is_missing(tmp_path):
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0, 2.0], done=2)
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        del file["train_acc"]
    assert read_surface(tmp_path / "s.h5").state.tolist() == [1, 1, 0]


def test_a_loss_that_is_not_finite_is_a_result(tmp_path):
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0, 2.0])
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file["train_loss"][:2] = [np.nan, np.inf]
    surface = read_surface(tmp_path / "s.h5")
    assert surface.complete
    np.testing.assert_array_equal(surface["train/loss"][:2], [np.nan, np.inf])


def test_of_an_eigenvalue_pair_both_marks_make_a_point_missing(tmp_path):
    eigenvalues = {"min_eig": [1.0, -4.0, 1.0], "max_eig": [-1.0, -1.0, 9.0]}
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0, 2.0], **eigenvalues)
    surface = read_surface(tmp_path / "s.h5")
    np.testing.assert_array_equal(surface["train/min_eig"], [np.nan, -4.0, 1.0])
    np.testing.assert_array_equal(surface["train/max_eig"], [np.nan, -1.0, 9.0])
    np.testing.assert_array_equal(surface.state, 1)  # losses are there at all three


def test_test_values_are_read_unless_they_are_only_room_for_some(tmp_path):
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0], test_loss=[0.5, -1.0], test_acc=[80.0, -1.0])
    surface = read_surface(tmp_path / "s.h5")
    np.testing.assert_array_equal(surface["test/loss"], [0.5, np.nan])
    np.testing.assert_array_equal(surface["test/accuracy"], [0.8, np.nan])
    room = {"test_loss": [-1.0, -1.0], "test_acc": [-1.0, -1.0]}
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0], **room)
    assert list(read_surface(tmp_path / "s.h5").values) == ["train/loss", "train/accuracy"]
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0], **room, min_eig=[-2.0, 1.0], max_eig=[3.0, -1.0])
    np.testing.assert_array_equal(read_surface(tmp_path / "s.h5")["train/max_eig"], [3.0, np.nan])


def test_coordinates_that_decrease_are_turned_around_with_their_values(tmp_path):
    x, y = [1.0, 0.0, -1.0], [0.0, 2.0]
    write_like_the_tool(tmp_path / "s.h5", x, y)
    surface = read_surface(tmp_path / "s.h5")
    assert surface.axes[0].values.tolist() == [-1.0, 0.0, 1.0]
    assert surface["train/loss"][1, 0] == loss_at(-1.0, 2.0)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("xcoordinates", [0.0, 0.0, 1.0]),
        ("xcoordinates", [0.0, np.nan, 1.0]),
        ("xcoordinates", np.zeros((3, 1))),
        ("train_loss", np.zeros(4)),
        ("train_loss", np.zeros((3, 2))),
        ("train_loss", np.array(["a", "b", "c"], "S")),
        ("train_loss", np.zeros(3, complex)),
        ("dir_file", np.array(["a", "b"], "S")),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(tmp_path, name, array):
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0, 2.0])
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        del file[name]
        file[name] = array
    with pytest.raises(FormatError, match=r"s\.h5"):
        read_surface(tmp_path / "s.h5")


def test_directions_come_in_integer_order(tmp_path):
    write_directions(tmp_path / "d.h5")
    axes = read_original_directions(tmp_path / "d.h5")
    assert [[int(tensor.flat[0]) for tensor in axis] for axis in axes] == [[*range(13)], [*range(100, 113)]]
    assert [tensor.shape for tensor in axes[0]] == [*((n + 1, 2) for n in range(12)), ()]
    assert axes[1][3].dtype == np.float32
    axes[1][3][0, 0] = 1.0  # writable, as torch.from_numpy wants it


def test_principal_components_say_how_much_they_explain(tmp_path):
    write_directions(tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file["explained_variance_ratio_"] = [0.7, 0.2]
        file["singular_values_"] = [3.0, 2.0]
    found = load_original(tmp_path / "d.h5")
    assert isinstance(found, OriginalDirections)
    assert found.explained_variance_ratio.tolist() == [0.7, 0.2]
    assert len(found.tensors) == 2


def test_a_file_of_one_direction_has_one(tmp_path):
    write_directions(tmp_path / "d.h5", ["xdirection"])
    assert len(read_original_directions(tmp_path / "d.h5")) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.move("xdirection/3", "xdirection/40"), "not numbered"),
        (lambda f: f.move("xdirection/3", "xdirection/weight"), "not numbered"),
        (lambda f: f.__delitem__("xdirection"), "no tensors in xdirection"),
        (lambda f: f["ydirection"].create_dataset("13", (10**12,), "f4"), "has no data"),
        (lambda f: f["ydirection"].create_dataset("13", (10**6,), "f4", chunks=(10**6,), compression=1), "has no data"),
        (lambda f: f["ydirection"].create_dataset("13", (5,), "f4", external=[("/etc/hosts", 0, 20)]), "another file"),
    ],
)
def test_directions_that_are_not_as_the_tool_writes_them_are_refused(tmp_path, change, words):
    write_directions(tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=words):
        read_original_directions(tmp_path / "d.h5")


def test_each_kind_of_file_is_called_by_its_name(tmp_path):
    write_directions(tmp_path / "d.h5")
    write_like_the_tool(tmp_path / "s.h5", [0.0, 1.0])
    for name, member in (("p.h5", "proj_xcoord"), ("k.h5", "model_weights\x1b[2J")):
        with h5py.File(tmp_path / name, "w") as file:
            file[member] = [1.0]
    for read, name, words in (
        (read_surface, "d.h5", "holds directions"),
        (read_original_directions, "s.h5", "holds no directions"),
        (read_surface, "p.h5", "projected trajectory"),
        (read_surface, "k.h5", r"neither ours nor .* model_weights\\x1b\[2J"),
    ):
        with pytest.raises(FormatError, match=words):
            read(tmp_path / name)
    write_surface(tmp_path / "o.h5", read_surface(tmp_path / "s.h5"))
    with pytest.raises(FormatError, match="not a file of the 2018 tool"):
        read_original_directions(tmp_path / "o.h5")


@pytest.mark.parametrize(("nx", "ny"), [(4, 4), (5, 3), (6, None)])
def test_what_is_written_back_is_what_the_tool_wrote(tmp_path, nx, ny):
    y = None if ny is None else np.linspace(0, 2, ny)
    write_like_the_tool(tmp_path / "s.h5", np.linspace(-1, 1, nx), y, done=nx - 1)
    (tmp_path / "t.h5").write_bytes(build_original(read_surface(tmp_path / "s.h5")))
    with h5py.File(tmp_path / "s.h5") as theirs, h5py.File(tmp_path / "t.h5") as ours:
        assert set(theirs) == set(ours)
        assert theirs["dir_file"][()] == ours["dir_file"][()]
        for name in set(theirs) - {"dir_file"}:
            assert ours[name].dtype == theirs[name].dtype
            assert ours[name].shape == theirs[name].shape
            # Percent to a fraction and back may cost the last bit.
            np.testing.assert_allclose(ours[name][()], theirs[name][()], rtol=3e-16, atol=0)
        assert not ours.attrs
        assert ours.userblock_size == 0


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_a_surface_of_ours_comes_back_from_the_tools_layout(tmp_path_factory, seed, nx, ny):
    random = np.random.default_rng(seed)
    axes = Axis(np.sort(random.normal(size=nx))), Axis(np.sort(random.normal(size=ny)))
    state = random.integers(0, 3, (ny, nx)).astype(np.uint8)
    names = ["train/loss", "train/accuracy", "train/min_eig", "train/max_eig"]
    values = {name: np.where(state, random.random((ny, nx)), np.nan) for name in names}
    path = tmp_path_factory.mktemp("original") / "s.h5"
    path.write_bytes(build_original(Surface(axes, values, state)))
    back = read_surface(path)
    np.testing.assert_array_equal(back.state, np.minimum(state, 1))  # interpolated points look like computed ones
    for name in names:
        np.testing.assert_allclose(back[name], values[name], rtol=3e-16)


def test_what_the_format_has_no_place_for_is_named():
    line = Axis(np.array([0.0, 1.0]))
    surface = Surface((line,), {"train/loss": np.ones(2), "task2/loss": np.ones(2)}, np.ones(2, np.uint8))
    assert left_out(surface) == ["task2/loss"]
    with pytest.raises(FormatError, match=r"train/loss.*task2/loss"):
        build_original(Surface((line,), {"task2/loss": np.ones(2)}, np.ones(2, np.uint8)))
    with pytest.raises(FormatError, match="lines and planes"):
        build_original(Surface((line,) * 3, {}, np.ones((2, 2, 2), np.uint8)))
    with pytest.raises(FormatError, match="repetitions"):
        build_original(Surface((line, Axis(np.arange(2.0), kind="repeat")), {}, np.ones((2, 2), np.uint8)))
