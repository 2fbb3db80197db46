"""Directions out of files: the 2018 tool's, matched by order and shape, and our own."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.directions.direction_files import _stored_plane
from landscape.errors import DirectionError
from landscape.files.store import read_directions
from landscape.problem.params import moved_tensors


class Tied(nn.Module):
    """A tied output layer, batch norm with statistics, and more than ten tensors."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 6, bias=False)
        self.norm = nn.BatchNorm1d(6)
        self.hidden = nn.Sequential(*(nn.Linear(6, 6) for _ in range(5)))
        self.head = nn.Linear(6, 6, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.hidden(self.norm(self.embed(x))))


@pytest.fixture
def tied():
    torch.manual_seed(0)
    model = Tied().double().eval()
    model.norm.running_mean.normal_()
    model.norm.running_var.uniform_(1.0, 2.0)
    return model


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 6, (20,), generator=generator)


def write_2018(path, axes):
    """Write a direction file as the 2018 tool does: groups of float32 arrays named by their number."""
    with h5py.File(path, "w") as file:
        for group, arrays in zip(("xdirection", "ydirection"), axes, strict=False):
            for number, array in enumerate(arrays):
                file.create_dataset(f"{group}/{number}", data=np.asarray(array, dtype=np.float32))


def surface_of_2018(model, tensors, axes, data, xs, ys):
    """What the 2018 tool computes: each entry of the list is added to the tensor it belongs to, tied ones twice."""
    start = [tensor.clone() for tensor in tensors]
    values = np.empty((len(ys), len(xs)))
    for j, b in enumerate(ys):
        for i, a in enumerate(xs):
            with torch.no_grad():
                for tensor, value in zip(tensors, start, strict=True):
                    tensor.copy_(value)
                for tensor, dx, dy in zip(tensors, *axes, strict=True):
                    if tensor.is_floating_point():
                        tensor.add_(a * torch.tensor(dx).double() + b * torch.tensor(dy).double())
                values[j, i] = nn.functional.cross_entropy(model(data[0]), data[1])
    with torch.no_grad():
        for tensor, value in zip(tensors, start, strict=True):
            tensor.copy_(value)
    return values


@pytest.mark.parametrize("kind", ["weights", "states", "states without num_batches_tracked"])
def test_a_2018_file_gives_the_surface_the_2018_tool_gives(tied, data, tmp_path, kind):
    named = dict(tied.named_parameters()) if kind == "weights" else tied.state_dict(keep_vars=True)
    if kind.endswith("tracked"):
        named = {name: tensor for name, tensor in named.items() if not name.endswith("num_batches_tracked")}
    generator = np.random.default_rng(2)
    axes = [
        [0.1 * generator.standard_normal(tuple(t.shape)).astype(np.float32) for t in named.values()] for _ in range(2)
    ]
    write_2018(tmp_path / "d.h5", axes)
    plane = landscape.read_plane(tied, tmp_path / "d.h5")
    assert plane.move == ("weights" if kind == "weights" else "states")
    got = landscape.evaluate(tied, data, plane, x="-1:1:3", y="-1:1:4")
    assert [axis.label for axis in got.axes] == ["α  (direction 1 of d.h5)", "β  (direction 2 of d.h5)"]
    live = [tensor.detach() for tensor in named.values()]
    wanted = surface_of_2018(tied, live, axes, data, np.linspace(-1, 1, 3), np.linspace(-1, 1, 4))
    np.testing.assert_allclose(got["train/loss"], wanted, rtol=1e-10)


def test_a_2018_file_of_another_network_names_the_first_tensor_that_does_not_fit(tied, tmp_path):
    write_2018(tmp_path / "d.h5", [[np.zeros((6, 5)), np.zeros(6)]])
    with pytest.raises(DirectionError, match=r"tensor 0 is \(6, 5\) there, \(6, 6\) in embed\.weight"):
        landscape.read_plane(tied, tmp_path / "d.h5")


def test_our_own_files_give_their_directions_back(tied, data, tmp_path):
    plane = landscape.random_plane(tied, seed=3, ignore="none", exclude="hidden")
    for name, saved in (("stored.h5", True), ("recipe.h5", False)):
        first = landscape.evaluate(
            tied, data, plane, x="-1:1:3", y="-1:1:3", path=tmp_path / name, save_directions=saved
        )
        again = landscape.read_plane(tied, tmp_path / name)
        assert [d.sha256 for d in again.directions] == [d.sha256 for d in plane.directions]
        # It moves what it moved, and no zeros along all the rest.
        found = [moved_tensors(tied, move=p.move, include=p.include, exclude=p.exclude) for p in (plane, again)]
        assert set(found[0]) == set(found[1]) == set(plane.directions[0].tensors) < set(moved_tensors(tied))
        second = landscape.evaluate(tied, data, again, x="-1:1:3", y="-1:1:3")
        np.testing.assert_allclose(second["train/loss"], first["train/loss"], rtol=1e-12)


def test_a_recipe_followed_on_other_weights_is_refused(tied, data, tmp_path):
    landscape.evaluate(tied, data, x="-1:1:3", path=tmp_path / "s.h5")
    with torch.no_grad():
        tied.embed.weight.mul_(2)
    with pytest.raises(DirectionError, match="cannot be built again"):
        landscape.read_plane(tied, tmp_path / "s.h5")


def test_a_direction_from_a_surface_is_not_called_by_two_letters(classifier, images, tmp_path):
    first = landscape.evaluate(classifier, images, x="-1:1:2", y="-1:1:2", path=tmp_path / "a.h5")
    plane = landscape.read_plane(classifier, tmp_path / "a.h5")
    second = landscape.evaluate(classifier, images, plane, x="-1:1:2", y="-1:1:2")
    assert [axis.label for axis in second.axes] == [axis.label for axis in first.axes]
    assert second.axes[0].label == "α  (random direction 1)"


class Phases(nn.Module):
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.w = nn.Parameter(torch.randn(4, 3, dtype=torch.cdouble))
        self.c = nn.Parameter(torch.randn(4, dtype=torch.cdouble))

    def forward(self, x):
        return (x.to(torch.cdouble) @ self.w.T + self.c).abs()


def test_complex_directions_are_kept_in_a_file_in_both_parts(tmp_path):
    model, other = Phases(0), Phases(1)
    torch.manual_seed(2)
    data = torch.randn(9, 3, dtype=torch.float64), torch.randint(0, 4, (9,))
    torch.save(other.state_dict(), tmp_path / "other.pt")
    for name, plane in (
        ("random", landscape.random_plane(model, ignore="none", orthogonal=True)),
        ("towards", landscape.checkpoint_plane(model, [tmp_path / "other.pt"])),
    ):
        grid = {"x": "0:1:3", "y": "-1:1:2"} if len(plane) == 2 else {"x": "0:1:3"}
        for saved in (True, False):
            path = tmp_path / f"{name}{saved}.h5"
            first = landscape.evaluate(model, data, plane, path=path, save_directions=saved, **grid)
            again = landscape.read_plane(model, path)
            assert [d.sha256 for d in again.directions] == [d.sha256 for d in plane.directions]
            second = landscape.evaluate(model, data, again, **grid)
            np.testing.assert_allclose(second["train/loss"], first["train/loss"], rtol=1e-12)
    there = float(nn.functional.cross_entropy(other(data[0]), data[1]).detach())
    assert float(first["train/loss"][-1]) == pytest.approx(there, rel=1e-12)


def test_a_file_that_lacks_a_direction_of_its_axes_is_refused(tied, data, tmp_path):
    path = tmp_path / "net.h5"
    plane = landscape.random_plane(tied)
    landscape.evaluate(tied, data, plane, x="-1:1:2", y="-1:1:2", path=path, save_directions=True)
    axes = landscape.read_surface(path).directions
    with pytest.raises(DirectionError, match="holds 1 of the directions of its 2 axes"):
        _stored_plane(tied, path, axes, read_directions(path)[:1])


@pytest.mark.parametrize("number", [-1, 1])
def test_a_2018_file_with_a_tensor_more_or_less_than_the_network_is_refused(tied, tmp_path, number):
    arrays = [np.ones(tuple(each.shape)) for each in tied.parameters()]
    arrays = arrays[:number] if number < 0 else [*arrays, np.ones((2, 2))]
    write_2018(tmp_path / "directions.h5", [arrays])
    said = f"as parameters, it has {len(arrays)} tensors, the network {len(list(tied.parameters()))}"
    with pytest.raises(DirectionError, match=said):
        landscape.read_plane(tied, tmp_path / "directions.h5")
