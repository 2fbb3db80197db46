"""Directions from derivatives: against whole matrices, against the surface drawn along them, and through a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from landscape.plot.style.captions import caption
from torch import Tensor, nn

import landscape
from landscape.curvature.directions import DirectionSettings, axis_sources, curvature_directions, named_plane
from landscape.curvature.scales import normalising_scale
from landscape.directions.construct import Direction, random_plane
from landscape.directions.filters import filters_of
from landscape.errors import DirectionError, SurfaceMismatch, UsageError

Samples = tuple[Tensor, Tensor]


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(8)  # whose eigenvectors have a largest entry of another sign than their sum
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)).double().eval()


@pytest.fixture
def samples() -> Samples:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(23, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (23,), generator=generator)


def whole(network: nn.Module, samples: Samples) -> tuple[Tensor, Tensor]:
    """Return the gradient and the Hessian over all parameters in order."""
    shapes = {name: each.shape for name, each in network.named_parameters()}

    def loss(vector: Tensor) -> Tensor:
        parts = vector.split([shape.numel() for shape in shapes.values()])
        moved = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return nn.functional.cross_entropy(torch.func.functional_call(network, moved, samples[0]), samples[1])

    flat = torch.cat([each.detach().reshape(-1) for each in network.parameters()])
    return torch.func.grad(loss)(flat), torch.autograd.functional.hessian(loss, flat)


def flat(direction: Direction) -> Tensor:
    return torch.cat([each.reshape(-1) for each in direction.tensors.values()])


def test_eigenvectors_gradient_and_the_sharpest_are_those_of_the_whole_matrix(network, samples):
    gradient, matrix = whole(network, samples)
    how = DirectionSettings(tolerance=1e-8, batch_size=9)
    sources = ["hessian:0", "hessian:-1", "hessian:1", "sharpest", "gradient"]
    made = dict(zip(sources, curvature_directions(network, samples, sources, how), strict=True))
    values, vectors = torch.linalg.eigh(matrix)
    scale = torch.cat(
        [s.reshape(-1) for s in normalising_scale(dict(network.named_parameters()), filters_of(network)).values()]
    )
    scaled = torch.linalg.eigh(scale[:, None] * matrix * scale)
    wanted = {"hessian:0": vectors[:, -1], "hessian:-1": vectors[:, 0], "hessian:1": vectors[:, -2]}
    wanted |= {"sharpest": scale * scaled.eigenvectors[:, -1], "gradient": gradient}
    length = random_plane(network, dimensions=1).directions[0].length
    for source, direction in made.items():
        vector, unit = flat(direction), wanted[source] / wanted[source].norm()
        if source != "gradient":
            unit = unit * unit[unit.abs().argmax()].sign()  # the largest entry is positive
        torch.testing.assert_close(vector / vector.norm(), unit, rtol=1e-4, atol=1e-5)
        assert direction.length == pytest.approx(length, rel=1e-12)
        measured = direction.recipe["measured"]
        assert measured["curvature"] == pytest.approx(float(vector @ matrix @ vector), rel=1e-6)
        assert measured["slope"] == pytest.approx(float(vector @ gradient), rel=1e-6)
    assert made["hessian:-1"].recipe["measured"]["eigenvalue"] == pytest.approx(float(values[0]), rel=1e-6)
    assert made["sharpest"].recipe["measured"]["eigenvalue"] == pytest.approx(float(scaled.eigenvalues[-1]), rel=1e-6)


def test_the_line_along_the_sharpest_eigenvector_is_as_curved_as_the_eigenvalue_says(network, samples):
    h = 1e-3
    line = landscape.evaluate(network, samples, directions="hessian:0", x=[-h, 0.0, h])
    low, middle, high = line["train/loss"]
    axis = line.axes[0]
    top = float(torch.linalg.eigvalsh(whole(network, samples)[1])[-1])
    assert (low - 2 * middle + high) / h**2 == pytest.approx(top * axis.length**2, rel=1e-3)
    slope = landscape.evaluate(network, samples, directions="gradient", x=[-h, h])
    difference = float(np.diff(slope["train/loss"])[0]) / (2 * h)
    assert difference == pytest.approx(float(whole(network, samples)[0].norm()) * axis.length, rel=1e-3)


def test_directions_of_a_picture_are_measured_as_its_points_are(network, samples):
    def squares(model, batch):
        return (model(batch[0]) - nn.functional.one_hot(batch[1], 3)).square().sum(1)

    asked = {"loss": squares, "samples": 5, "sample_seed": 3, "batch_size": 2}
    line = landscape.evaluate(network, samples, directions="gradient", x=[0.0, 1.0], **asked)
    made = [
        curvature_directions(network, samples, ["gradient"], DirectionSettings(**{**asked, **other}))[0].sha256
        for other in ({}, {"loss": "cross_entropy"}, {"samples": 6}, {"sample_seed": 0})
    ]
    assert line.axes[0].sha256 == made[0]
    assert made[0] not in made[1:]
    sets = {"other": (samples[0] + 1, samples[1]), "train": samples}  # of several, those trained on count
    for data, same in ((sets, True), ({"other": sets["other"]}, False)):
        (found,) = curvature_directions(network, data, ["gradient"], DirectionSettings(**asked))
        assert (found.sha256 == made[0], found.recipe["data"]) == (same, "train" if same else "other")


def test_a_file_keeps_measured_directions_and_goes_on_with_them(network, samples, tmp_path, monkeypatch):
    path = tmp_path / "plane.h5"
    asked = {"directions": "hessian:0,random", "x": "-1:1:3", "y": "-1:1:3", "path": path}
    first = landscape.evaluate(network, samples, **asked)
    read = landscape.read_plane(network, path)
    assert [each.sha256 for each in read.directions] == [axis.sha256 for axis in first.directions]
    with monkeypatch.context() as patch:  # not measured again
        patch.setattr("landscape.curvature.directions._measured", None)
        again = landscape.evaluate(network, samples, **asked)
    np.testing.assert_array_equal(again["train/loss"], first["train/loss"])
    with monkeypatch.context() as patch:  # those of another way of measuring are measured
        patch.setattr("landscape.curvature.directions._measured", lambda *_: [])
        assert len(curvature_directions(network, samples, ["hessian:0"], path=path)) == 1
        for name, value in {
            "loss": "nll", "samples": 20, "sample_seed": 1, "include": "1", "exclude": "bias", "ignore": "biasbn",
            "tolerance": 0.02, "products": 90, "seed": 1,
        }.items():  # fmt: skip
            how = DirectionSettings(**{name: value})
            assert not curvature_directions(network, samples, ["hessian:0"], how, path=path), name
    with pytest.raises(SurfaceMismatch, match="its direction x has index 0, 1 was asked for"):
        landscape.evaluate(network, samples, **{**asked, "directions": "hessian:1,random"})
    with torch.no_grad():
        network[1].weight.mul_(1.1)
    (anew,) = curvature_directions(network, samples, ["hessian:0"], path=path)
    (fresh,) = curvature_directions(network, samples, ["hessian:0"])
    assert anew.sha256 == fresh.sha256 != first.directions[0].sha256
    with pytest.raises(SurfaceMismatch, match="it is of the checkpoint"):
        landscape.evaluate(network, samples, **asked)


def test_the_caption_says_what_the_axes_are_and_how_long(network, samples):
    surface = landscape.evaluate(network, samples, directions="hessian:-1,gradient", x=[-1.0, 1.0], y=[-1.0, 1.0])
    said = caption(surface)
    least = surface.axes[0].recipe["measured"]["eigenvalue"]
    assert "along the eigenvector of the Hessian's least eigenvalue (" in said
    assert f"{abs(least):.3g}" in said
    assert "and the gradient, each as long as a random filter-normalised direction" in said
    assert "seed" not in said


def test_what_has_not_converged_is_said(network, samples, caplog):
    plane = named_plane(network, samples, "hessian:1", 1, DirectionSettings(products=2, tolerance=1e-6))
    assert "has not converged in 2 products" in caplog.text
    surface = landscape.evaluate(network, samples, plane, x=[-1.0, 1.0])
    assert "not converged: residual" in caption(surface)


@pytest.mark.parametrize(
    ("text", "number", "sources"),
    [
        ("hessian", 2, ["hessian:0", "hessian:1"]),
        ("hessian:0,-1", 2, ["hessian:0", "hessian:-1"]),
        ("gradient,random", 2, ["gradient", "random"]),
        ("random", 3, ["random"] * 3),
        ("hessian:3,sharpest,2", 3, ["hessian:3", "sharpest", "2"]),
        ("b.pt,hessian", 2, ["b.pt", "hessian:0"]),
    ],
)
def test_sources_are_read_one_for_each_axis(text, number, sources):
    assert axis_sources(text, number) == sources


def test_what_points_nowhere_or_does_not_exist_is_refused(network, samples, bowl):
    with pytest.raises(UsageError, match=r"names 1 \(sharpest\) for 2 axes"):
        landscape.evaluate(network, samples, directions="sharpest", x="-1:1:3", y="-1:1:3")
    with pytest.raises(UsageError, match="hessian:43 of 43 weights"):
        curvature_directions(network, samples, ["hessian:43"])
    with pytest.raises(UsageError, match="no direction of curvature"):
        curvature_directions(network, samples, ["hesian"])
    with pytest.raises(UsageError, match="no sharpest direction"):
        curvature_directions(network, samples, ["sharpest"], DirectionSettings(include="bias"))
    with pytest.raises(UsageError, match="both a plane and directions"):
        landscape.evaluate(network, samples, random_plane(network), directions="gradient")
    at_minimum = bowl.weight.detach().flatten()[None].repeat(2, 1)
    with pytest.raises(DirectionError, match="the gradient is 0"):
        curvature_directions(bowl, (at_minimum, at_minimum), ["gradient"], DirectionSettings(loss=_own))
    with torch.no_grad():
        bowl.weight.zero_()
    with pytest.raises(DirectionError, match="all weights are 0"):
        curvature_directions(bowl, (at_minimum, at_minimum), ["hessian:0"], DirectionSettings(loss=_own))


def _own(model: nn.Module, batch: Samples) -> Tensor:
    return model(batch[0])


def test_the_command_draws_along_them_and_says_what_it_took(tmp_path, monkeypatch, capsys):
    from landscape.cli import main

    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text("from torch import nn\ndef f(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n")
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).state_dict(), "net.pt")
    base = ["evaluate", "net.pt", "--model", "nets.py:f", "--data", "test=digits:test", "--samples", "20"]
    line = [*base, "--directions", "hessian", "--x=-1:1:3", "-o", "h.h5"]
    assert main([*line, "--dry-run"]) == 0
    assert not Path("h.h5").exists()
    assert main(line) == 0
    assert landscape.read_surface("h.h5").axes[0].source == "hessian"
    assert main([*base, "--directions", "gradient,sharpest", "--x=-1:1:3", "--y=-1:1:3", "-o", "g.h5"]) == 0
    assert main([*base, "--directions", "gradient", "--seed", "1", "-o", "s.h5"]) == 2
    assert "--seed does not go with directions from curvature" in capsys.readouterr().err
