"""The plane through three networks on orthonormal axes: coordinates are distances, each network is where it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from landscape.plot.planes.contours import contour
from torch import nn

import landscape
from landscape.cli import main
from landscape.directions.direction_files import read_plane
from landscape.directions.orthonormal import network_coordinates, orthonormal_plane
from landscape.errors import DirectionError
from landscape.surface.other_networks import networks_on
from tests.helpers import jobs, tiny_problem


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three networks, a, b and c, at no right angles."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate("abc"):
        torch.manual_seed(number)
        torch.save(tiny_problem.net().state_dict(), f"{name}.pt")
    return tmp_path


def network(name="a"):
    model = tiny_problem.net()
    model.load_state_dict(torch.load(f"{name}.pt"))
    return model.eval()


def flat(name):
    return torch.cat([each.flatten() for each in network(name).parameters()]).detach().numpy()


def loss_of(name):
    x, y = tiny_problem.data()
    return float(nn.functional.cross_entropy(network(name)(x), y).detach())


def test_coordinates_are_those_of_a_qr_decomposition(folder):
    plane = orthonormal_plane(network(), ["b.pt", "c.pt"])
    basis, triangle = np.linalg.qr(np.stack([flat("b") - flat("a"), flat("c") - flat("a")], axis=1))
    signs = np.sign(np.diag(triangle))
    np.testing.assert_allclose(network_coordinates(plane), (signs[:, None] * triangle).T, rtol=1e-12, atol=1e-12)
    for number, direction in enumerate(plane.directions):
        own = np.concatenate([tensor.flatten().numpy() for tensor in direction.tensors.values()])
        np.testing.assert_allclose(own, signs[number] * basis[:, number], atol=1e-12)
    np.testing.assert_allclose(plane.cosines, np.eye(2), atol=1e-12)
    assert [direction.label.endswith(", at right angles") for direction in plane.directions] == [False, True]


@pytest.mark.parametrize("size", [1.0, 1e-4, 1e4])
def test_of_networks_nearly_on_a_line_the_axes_are_at_right_angles_all_the_same(tmp_path, size):
    torch.manual_seed(0)
    model = nn.Linear(40, 50)
    here, along, aside = (size * torch.randn(50, 40, dtype=torch.float64) for _ in range(3))
    for name, weight in (("a", here), ("b", here + along), ("c", here + 2 * along + 5e-4 * aside)):
        torch.save({"weight": weight.float(), "bias": torch.zeros(50)}, tmp_path / f"{name}.pt")
    model.load_state_dict(torch.load(tmp_path / "a.pt"))
    plane = orthonormal_plane(model, [tmp_path / "b.pt", tmp_path / "c.pt"])
    first, second = (direction.tensors["weight"].double() for direction in plane.directions)
    assert abs(float((first * second).sum())) < 1e-8
    for axis in (first, second):
        assert float((axis * axis).sum()) == pytest.approx(1, abs=1e-6)
    torch.save({"weight": (here + 2 * along + 1e-4 * aside).float(), "bias": torch.zeros(50)}, tmp_path / "line.pt")
    with pytest.raises(DirectionError, match="one line"):
        orthonormal_plane(model, [tmp_path / "b.pt", tmp_path / "line.pt"])
    (_, c), there = network_coordinates(plane), torch.load(tmp_path / "c.pt")["weight"] - model.weight.detach()
    assert float((c[0] * first + c[1] * second - there).norm()) < 1e-5 * float(there.norm())


def test_the_command_measures_each_network_where_it_marks_it_and_its_file_is_followed_again(folder, capsys):
    problem = ["--model", f"{jobs.PROBLEM}:net", "--data", f"train={jobs.PROBLEM}:data"]
    words = ["evaluate", "a.pt", *problem, "--directions", "b.pt,c.pt", "--axes", "orthonormal"]
    (right, _), (across, up) = network_coordinates(orthonormal_plane(network(), ["b.pt", "c.pt"])).tolist()
    grid = [f"--x=0:{right!r}:2", f"--y=0:{up!r}:2"]
    assert main([*words, *grid, "-o", "abc.h5"]) == 0
    assert f"b.pt at ({right:.4g}, 0), c.pt at ({across:.4g}, {up:.4g})" in capsys.readouterr().out
    surface = landscape.read_surface("abc.h5")
    assert surface["train/loss"][0].tolist() == pytest.approx([loss_of("a"), loss_of("b")], rel=1e-9)
    assert networks_on(surface) == [("b.pt", (right, 0.0)), ("c.pt", (across, up))]
    at_c = landscape.evaluate(network(), tiny_problem.data(), read_plane(network(), "abc.h5"), x=[across], y=[up])
    assert at_c["train/loss"].item() == pytest.approx(loss_of("c"), rel=1e-9)
    # Without ranges they hold all three.
    assert main([*words, "--dry-run"]) == 0
    assert "2601 to do of 2601" in capsys.readouterr().out.replace(",", "")
    assert main([*words, "--x=0:1:2", "-o", "wide.h5"]) == 0
    y = landscape.read_surface("wide.h5").axes[1].values
    assert len(y) == 51
    assert y[0] < 0 < up < y[-1]
    path = ["trajectory", "a.pt", "b.pt", "c.pt", *problem, "--points", "3", "-o", "path.h5"]
    assert main([*path, "--plane", "a.pt,b.pt,c.pt", "--axes", "orthonormal"]) == 0
    found = landscape.read_surface("path.h5").trajectories.popitem()[1].coordinates
    np.testing.assert_allclose(found, [[0, 0], [right, 0], [across, up]], atol=1e-9)


def test_the_plane_is_of_what_is_asked_to_move_and_of_the_network_that_is_named_in_a_file(tmp_path):
    nets = [nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).double() for _ in range(4)]
    for net in nets:
        net[1].running_mean.normal_()
    torch.save({"one": nets[1].state_dict(), "two": nets[2].state_dict()}, tmp_path / "b.pt")
    torch.save({"one": nets[3].state_dict(), "two": nets[1].state_dict()}, tmp_path / "c.pt")
    files = [tmp_path / "b.pt", tmp_path / "c.pt"]
    plane = orthonormal_plane(nets[0], files, move="weights", exclude="bias", key="one")
    assert (plane.move, plane.exclude) == ("weights", "bias")
    assert list(plane.directions[1].tensors) == ["0.weight", "1.weight"]
    wanted = [{name: net.state_dict()[name] for name in plane.directions[0].tensors} for net in nets]
    for number, place in zip((1, 3), network_coordinates(plane), strict=True):
        for name, here in wanted[0].items():
            step = sum(c * d.tensors[name] for c, d in zip(place, plane.directions, strict=True))
            torch.testing.assert_close(here + step, wanted[number][name])
    assert orthonormal_plane(nets[0], [f"{file}:two" for file in files]).move == "states"


def test_three_networks_on_a_line_have_no_plane(folder):
    half = {name: tensor.lerp(torch.load("b.pt")[name], 0.5) for name, tensor in torch.load("a.pt").items()}
    torch.save(half, "half.pt")
    with pytest.raises(DirectionError, match="one line"):
        orthonormal_plane(network(), ["b.pt", "half.pt"])


@pytest.mark.parametrize("make", [landscape.checkpoint_plane, orthonormal_plane])
def test_a_picture_marks_and_names_the_networks_that_are_there(folder, make):
    plane = make(network(), ["b.pt", "c.pt"])
    half = [axis_end / 2 for axis_end in (1, 1)] if make is landscape.checkpoint_plane else [1.0, 1.0]
    places = np.eye(2) if make is landscape.checkpoint_plane else network_coordinates(plane)
    reach = 1.1 * places.max(axis=0)
    surface = landscape.evaluate(
        network(), tiny_problem.data(), plane, x=[-half[0], 0, reach[0]], y=[-half[1], 0, reach[1]], checkpoint="a.pt"
    )
    ax = contour(surface)
    drawn = [line.get_xydata()[0] for line in ax.lines if line.get_label() == "another network"]
    np.testing.assert_allclose(drawn, places)
    assert {"a", "b", "c"} <= {text.get_text() for text in ax.texts}
    # Where a part stays behind, another network is there, and nothing may be called b or c.
    partial = make(network(), ["b.pt", "c.pt"], include="weight")
    there = landscape.evaluate(network(), tiny_problem.data(), partial, x=[0.0, 1.0], y=[0.0, 1.0])
    assert networks_on(there) == []
