"""The plane of velocity and acceleration: of paths whose motion is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from landscape.cli import main
from landscape.errors import DirectionError, UsageError
from landscape.files.store import read_surface
from landscape.trajectory.local_plane import local_plane, local_ranges
from landscape.trajectory.principal_plane import project
from landscape.trajectory.record_losses import put_record
from landscape.trajectory.recorder import Recorder
from landscape.trajectory.run_surface import evaluate_runs
from landscape.trajectory.runs import find_run
from tests.helpers.trained_run import data, network, train

# Uneven on purpose: a formula for equal steps is wrong here.
TIMES = (0, 2, 3, 7, 12)


def weights_of(model):
    return np.concatenate([p.detach().double().numpy().ravel() for p in model.parameters()])


def parabola(folder, velocity, acceleration):
    """Record theta(t) = theta(0) + v t + a t^2 / 2 of a linear network in float64."""
    model = nn.Linear(3, 2).double()
    start = torch.randn(8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with Recorder(folder, model, every=1) as recorder:
        for time in TIMES:
            at = start + velocity * time + acceleration * time**2 / 2
            with torch.no_grad():
                nn.utils.vector_to_parameters(at, model.parameters())
            recorder.record(time, always=True)
    return model, find_run(folder)


@pytest.mark.parametrize("place", [1, 2, 3])
def test_of_a_parabola_velocity_and_acceleration_are_exact(tmp_path, place):
    rng = torch.Generator().manual_seed(1)
    v, a = (torch.randn(8, generator=rng, dtype=torch.float64) for _ in range(2))
    model, run = parabola(tmp_path / "run", v, 0.3 * a)
    put_record(model, run.records[place])
    plane = local_plane(model, run, TIMES[place])
    own = v + 0.3 * a * TIMES[place]
    speed = float(own.norm())
    tangent = own / speed
    across = 0.3 * a - (0.3 * a @ tangent) * tangent
    recipe = plane.directions[0].recipe
    assert (recipe["speed"], recipe["across"]) == pytest.approx((speed, float(across.norm())))
    assert recipe["radius"] == pytest.approx(speed**2 / float(across.norm()))
    for direction, expected in zip(plane.directions, (tangent, across / across.norm()), strict=True):
        found = torch.cat([direction.tensors[name].flatten() for name, _ in model.named_parameters()])
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)  # records are of float32
    np.testing.assert_allclose(plane.cosines, np.eye(2), atol=1e-12)
    # A parabola lies in its plane, and its neighbours where the recipe says.
    path = project(model, run, plane)
    np.testing.assert_allclose(path.residual, 0, atol=1e-4)
    np.testing.assert_allclose(path.coordinates[[place - 1, place + 1]], recipe["neighbours"], atol=1e-4)
    np.testing.assert_allclose(path.coordinates[place], 0, atol=1e-12)
    (low, high), other = local_ranges(plane, margin=0.0)
    assert (low, high) == other
    assert high == pytest.approx(2 * np.abs(recipe["neighbours"]).max(), rel=2e-3)


def test_gradient_descent_in_a_quadratic_bowl_turns_towards_the_flat_axis(tmp_path):
    """L = (4 x^2 + y^2) / 2: theta_n = ((1 - 4 r)^n, (1 - r)^n) theta_0, so the plane is that of x and y, and known."""
    model = nn.Linear(2, 1, bias=False).double()
    rate, start = 0.05, np.array([1.0, 1.0])
    factors = 1 - rate * np.array([4.0, 1.0])
    with Recorder(tmp_path / "run", model, every=1) as recorder:
        for step in range(6):
            with torch.no_grad():
                model.weight.copy_(torch.from_numpy(start * factors**step)[None])
            recorder.record(step)
    run = find_run(tmp_path / "run")
    put_record(model, run.records[3])
    plane = local_plane(model, run, 3)
    at = [start * factors**step for step in (2, 3, 4)]
    v, a = (at[2] - at[0]) / 2, at[2] - 2 * at[1] + at[0]
    tangent, normal = (each.tensors["weight"].numpy().ravel() for each in plane.directions)
    np.testing.assert_allclose(tangent, v / np.linalg.norm(v), atol=1e-6)
    assert abs(tangent @ normal) < 1e-12
    assert normal @ a > 0
    assert normal[0] > 0 > normal[1]  # away from the wall of x, on towards small y
    surface = evaluate_runs(
        model, (torch.tensor([[2.0, 0], [0, 1]]).double(), torch.zeros(2, 1).double()), run, plane, points=5,
        loss="mse", path=tmp_path / "local.h5", progress=False,
    )  # fmt: skip
    x, y = (axis.values for axis in surface.directions)
    places = at[1] + x[None, :, None] * tangent + y[:, None, None] * normal
    np.testing.assert_allclose(surface["train/loss"], (4 * places[..., 0] ** 2 + places[..., 1] ** 2) / 2, rtol=1e-6)
    # Started again it goes on with the file's directions.
    again = evaluate_runs(
        model, (torch.tensor([[2.0, 0], [0, 1]]).double(), torch.zeros(2, 1).double()), run, local_plane(model, run, 3),
        points=5, loss="mse", path=tmp_path / "local.h5", progress=False,
    )  # fmt: skip
    assert [axis.sha256 for axis in again.directions] == [axis.sha256 for axis in surface.directions]


def test_what_has_no_velocity_or_turns_nowhere_is_refused(tmp_path):
    v = torch.ones(8, dtype=torch.float64)
    model, run = parabola(tmp_path / "run", v, 0 * v)
    put_record(model, run.records[2])
    with pytest.raises(DirectionError, match="runs straight on at step 3"):
        local_plane(model, run, 3)
    with pytest.raises(UsageError, match=r"no record of step 4; the nearest is 3"):
        local_plane(model, run, 4)
    for end in (0, 12):
        with pytest.raises(UsageError, match=f"step {end} is at an end .*from 2 to 7"):
            local_plane(model, run, end)
    with pytest.raises(UsageError, match="other weights than step 2"):
        local_plane(model, run, 2)
    with pytest.raises(UsageError, match="no velocity"):
        local_plane(model, dataclasses.replace(run, unordered=True), 3)
    still, same = parabola(tmp_path / "still", 0 * v, 0 * v)
    put_record(still, same.records[2])
    with pytest.raises(DirectionError, match="stands still"):
        local_plane(still, same, 3)


def test_the_command_measures_about_the_step_and_says_the_scale(tmp_path, monkeypatch, capsys):
    train(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    x, y = data()
    np.savez("data.npz", x=x.numpy(), y=y.numpy())
    (tmp_path / "nets.py").write_text("from tests.helpers.trained_run import network\n")
    words = ["trajectory", "run", "--model", "nets.py:network", "--data", "train=npz:data.npz", "--points", "5"]
    assert main([*words, "--plane", "local", "--at", "4", "-o", "local.h5"]) == 0
    surface = read_surface("local.h5")
    model, run = network().eval(), find_run("run")
    put_record(model, run.records[4])
    plane = local_plane(model, run, 4)
    assert [axis.label for axis in surface.axes] == [
        f"{g}  ({d.label})" for g, d in zip("αβ", plane.directions, strict=True)
    ]
    assert [(axis.values[0], axis.values[-1]) for axis in surface.axes] == local_ranges(plane)
    assert "velocity at step 4: " in surface.axes[0].label
    assert " a step" in surface.axes[0].label
    np.testing.assert_allclose(surface.trajectories["run"].coordinates[4], 0, atol=1e-6)
    assert main(["plot", "local.h5", "-o", "local.png"]) == 0
    assert "local.png" in capsys.readouterr().out
    for wrong, said in [
        (["--plane", "local"], "name it by --at STEP"),
        (["--at", "4"], "--at STEP is for --plane local"),
        (["--plane", "local", "--at", "4", "--origin", "x.pt"], "--origin does not go with --plane local"),
        (["--plane", "local", "--at", "4", "--ignore", "biasbn"], "--ignore is for principal components"),
        (["--plane", "local", "--at", "99"], "no record of step 99"),
    ]:
        assert main([*words, *wrong, "-o", "wrong.h5"]) == 2
        assert said in capsys.readouterr().err
