"""A run on a plane: recorded from real training, against dense algebra."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from landscape.directions.construct import Direction, Plane, checkpoint_plane, random_plane
from landscape.directions.direction_files import read_plane
from landscape.errors import CheckpointError, DirectionError, UsageError
from landscape.evaluation.evaluate import evaluate
from landscape.files.store import read_surface
from landscape.problem.params import moved_tensors
from landscape.surface.surface import Trajectory
from landscape.trajectory.principal_plane import PrincipalPlane, fitting_ranges, principal_plane, project
from landscape.trajectory.record_losses import measure_run, put_record
from landscape.trajectory.recorder import Recorder
from landscape.trajectory.run_surface import evaluate_runs
from landscape.trajectory.runs import find_run
from tests.helpers.trained_run import at_end, data, network, train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(tmp_path_factory.mktemp("run"))


def flat(tree):
    return np.concatenate([tensor.detach().double().numpy().ravel() for tensor in tree.values()])


def matrix(run, model, move="weights"):
    names = list(moved_tensors(model, move=move))
    return np.stack([flat({name: record.tensors[name] for name in names}) for record in run.records])


@pytest.mark.parametrize("move", ["weights", "states"])
def test_the_principal_plane_of_a_run_is_that_of_a_dense_decomposition(run, move):
    model = at_end(run)
    plane = principal_plane(model, run, move=move)
    assert ("1.running_var" in plane.directions[0].tensors) == (move == "states")
    rows = matrix(run, model, move)
    rows -= rows[-1]
    _, values, right = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(plane.shares, (values**2 / (values**2).sum())[:11], atol=1e-6)
    found = project(model, run, plane)
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(rows @ right[:2].T), atol=1e-6 * values[0])
    outside = rows - rows @ right[:2].T @ right[:2]
    np.testing.assert_allclose(found.residual, np.linalg.norm(outside, axis=1), atol=1e-6 * values[0])
    np.testing.assert_array_equal(found.step, range(12))
    np.testing.assert_allclose(found.attributes["explained_variance"], plane.shares)
    np.testing.assert_allclose(plane.cosines, np.eye(2), atol=1e-6)
    assert [direction.length for direction in plane.directions] == pytest.approx([1.0, 1.0], abs=1e-6)
    assert plane.directions[0].label == f"PC 1 ({100 * plane.shares[0]:.1f} % of variance)"


@pytest.mark.parametrize("kind", ["random", "checkpoints"])
def test_a_run_is_projected_onto_skewed_unequal_directions_by_least_squares(run, kind):
    model = at_end(run)
    if kind == "random":
        x, y = random_plane(model, seed=3, ignore="none").directions
        mixed = {name: 5 * tensor + 0.3 * y.tensors[name] for name, tensor in x.tensors.items()}
        plane = Plane.of([x, Direction.of(mixed, {}, "leaning")], "weights")
    else:
        plane = checkpoint_plane(model, [run.records[0].path, run.records[5].path], move="weights")
    assert abs(plane.cosines[0, 1]) > 0.1
    found = project(model, run, plane)
    basis = np.stack([flat(direction.tensors) for direction in plane.directions], axis=1)
    rows = matrix(run, model) - flat(dict(model.named_parameters()))
    expected = np.linalg.lstsq(basis, rows.T)[0].T
    np.testing.assert_allclose(found.coordinates, expected, atol=1e-5)
    np.testing.assert_allclose(found.residual, np.linalg.norm(rows.T - basis @ expected.T, axis=0), atol=1e-5)
    if kind == "checkpoints":
        np.testing.assert_allclose(found.coordinates[[-1, 0, 5]], [[0, 0], [1, 0], [0, 1]], atol=1e-6)
        np.testing.assert_allclose(found.residual[[-1, 0, 5]], 0.0, atol=1e-5)


@pytest.mark.parametrize("choice", [{"exclude": "bias"}, {"include": "weight"}, {"include": "3", "ignore": "biasbn"}])
def test_the_whole_variance_counts_what_the_choice_of_tensors_leaves_out(run, choice):
    model = at_end(run)
    everything, part = principal_plane(model, run), principal_plane(model, run, **choice)
    assert part.total == pytest.approx(everything.total)
    # Another route to the shares: the spread of coordinates on the plane.
    rows = matrix(run, model)
    path = project(model, run, part)
    np.testing.assert_allclose(part.shares[:2], path.coordinates.var(axis=0) / rows.var(axis=0).sum(), rtol=1e-5)
    squares = ((rows - rows[-1]) ** 2).sum(axis=1)
    np.testing.assert_allclose(path.residual**2 + (path.coordinates**2).sum(axis=1), squares, rtol=1e-5)
    moved = set(part.directions[0].tensors)
    assert moved < set(everything.directions[0].tensors)


def test_several_runs_share_one_plane(run, tmp_path):
    second = train(tmp_path, lr=0.05, momentum=0.0)
    model = at_end(run)
    plane = principal_plane(model, [run, second])
    rows = np.concatenate([matrix(run, model), matrix(second, model)])
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(plane.shares[:3], (values**2 / (values**2).sum())[:3], atol=1e-6)
    paths = [project(model, each, plane) for each in (run, second)]
    # The same start, other ends.
    np.testing.assert_allclose(paths[0].coordinates[0], paths[1].coordinates[0], atol=1e-5)
    assert np.abs(paths[1].coordinates[-1]).max() > 1e-2
    assert plane.directions[0].recipe["runs"][1]["steps"] == [0, 11, 12]


def test_half_precision_records_give_about_the_same_path(run, tmp_path):
    model = at_end(run)
    with Recorder(tmp_path, model, dtype="float16") as recorder:
        for record in run.records:
            put_record(model, record)
            recorder.record(record.step)
    half = find_run(tmp_path)
    plane = principal_plane(model, run)
    exact, rough = project(model, run, plane), project(model, half, plane)
    # float16 rounds each weight, of size about 1, by up to 2**-11 of itself; there are 75 of them.
    np.testing.assert_allclose(rough.coordinates, exact.coordinates, atol=2**-11 * 75**0.5)
    np.testing.assert_allclose(
        measure_run(model, data(), half)["train/loss"], measure_run(model, data(), run)["train/loss"], rtol=1e-2
    )


def test_a_run_is_kept_with_its_surface_and_its_plane_can_be_read_again(run, tmp_path):
    model = at_end(run)
    plane = principal_plane(model, run)
    path = project(model, run, plane)
    (x0, x1), (y0, y1) = fitting_ranges([path], plane)
    file = tmp_path / "run.h5"
    ranges = {"x": f"{x0}:{x1}:5", "y": f"{y0}:{y1}:4"}
    evaluate(model, data(), plane, **ranges, path=file, save_directions=True, trajectories={"sgd": path})
    stored = read_surface(file)
    np.testing.assert_array_equal(stored.trajectories["sgd"].coordinates, path.coordinates)
    assert stored.trajectories["sgd"].attributes["explained_variance"] == path.attributes["explained_variance"]
    assert stored.axes[0].source == "pca"
    assert stored.axes[0].label == plane.directions[0].label
    again = evaluate(model, data(), plane, **ranges, path=file, trajectories={"adam": path})
    assert set(again.trajectories) == {"sgd", "adam"}
    longer = dataclasses.replace(path, coordinates=2 * path.coordinates)  # the run has gone on since
    last = evaluate(model, data(), plane, **ranges, path=file, trajectories={"sgd": longer})
    for surface in (last, read_surface(file)):
        np.testing.assert_array_equal(surface.trajectories["sgd"].coordinates, longer.coordinates)
        np.testing.assert_array_equal(surface.trajectories["adam"].coordinates, path.coordinates)


def test_a_run_on_another_runs_plane_is_not_given_its_variance(run, tmp_path):
    model = at_end(run)
    plane = principal_plane(model, run)
    other = train(tmp_path / "other", lr=0.05)
    assert "explained_variance" in project(model, run, plane).attributes
    shorter = dataclasses.replace(run, records=run.records[:-1])  # of the same name
    for one in (other, shorter):
        assert not {"explained_variance", "total_variance"} & set(project(model, one, plane).attributes)
    surface = evaluate_runs(model, data(), other, plane, points=2, path=tmp_path / "other.h5", save_directions=True)
    share = f"{100 * plane.shares[0]:.1f} % of the variance of {run.name}"
    assert surface.axes[0].label == f"PC 1 ({share})"
    assert share in read_plane(model, tmp_path / "other.h5").directions[0].label
    assert evaluate_runs(model, data(), run, plane, points=2).axes[0].label == plane.directions[0].label
    together = principal_plane(model, [run, other])
    assert project(model, other, together).attributes["explained_variance"] == together.shares.tolist()


def test_drops_of_the_learning_rate_are_kept_with_the_path(tmp_path):
    torch.manual_seed(0)
    model = network()
    with Recorder(tmp_path, model) as recorder:
        for step, rate in enumerate([0.1, 0.09, 0.01, 0.01, 0.005, 0.0026]):
            with torch.no_grad():
                model[0].weight += torch.randn(8, 4)
            recorder.record(10 * step, lr=rate)
    run = find_run(tmp_path)
    assert project(model, run, principal_plane(model, run)).attributes["lr_drops"] == [20, 40]


def test_the_window_is_square_in_space_and_holds_the_path_with_a_margin():
    directions = tuple(Direction({}, {}, "", length, "") for length in (2.0, 0.5))
    plane = Plane(directions)
    points = np.array([[3.0, 8.0], [1.0, -4.0]])
    run = Trajectory(points, residual=np.zeros(2), loss=np.zeros(2), step=np.arange(2))
    (x0, x1), (y0, y1) = fitting_ranges([run], plane, margin=0.1)
    assert (x1 - x0) * 2.0 == pytest.approx((y1 - y0) * 0.5, rel=1e-2)
    # Both span 6 in space; theta* counts as well.
    assert (x1 - x0) * 2.0 == pytest.approx(6.0 * 1.2, rel=1e-2)
    assert (y0 + y1) / 2 == pytest.approx(2.0, abs=0.05)
    for offset in (0.12344, 0.12346, 1234.6, -0.0009876):
        moved = dataclasses.replace(run, coordinates=np.add(points, [offset, 4 * offset]))
        for (low, high), held in zip(fitting_ranges([moved], plane, margin=0.0), moved.coordinates.T, strict=True):
            assert low <= min(held.min(), 0.0)
            assert high >= max(held.max(), 0.0)
    still = dataclasses.replace(run, coordinates=np.zeros((2, 2)))
    with pytest.raises(DirectionError, match="no step of the run leaves"):
        fitting_ranges([still], plane)


def test_a_plane_that_cannot_be_is_refused(run, tmp_path):
    model = at_end(run)
    with pytest.raises(UsageError, match="one of biasbn, none"):
        principal_plane(model, run, ignore="all")
    with pytest.raises(DirectionError, match="12 points have at most 11"):
        principal_plane(model, run, components=12)
    with pytest.raises(CheckpointError, match=r"0\.weight is \(8, 4\) in the file, \(9, 4\) in the network"):
        principal_plane(nn.Sequential(nn.Linear(4, 9)), run)
    with Recorder(tmp_path, model) as recorder:
        recorder.record(0)
        recorder.record(1)
        with torch.no_grad():
            model[0].weight[0, 0] = float("nan")
        recorder.record(2)
    with pytest.raises(CheckpointError, match=r"step-00000002.*0\.weight holds values that are not finite"):
        principal_plane(at_end(run), find_run(tmp_path))
    same = find_run(sorted(tmp_path.glob("*.safetensors"))[:2])
    with pytest.raises(DirectionError, match="the 2 points of the run differ nowhere"):
        principal_plane(at_end(run), same, components=1)


def test_a_principal_plane_is_a_plane_like_any_other(run):
    plane = principal_plane(at_end(run), run, components=3)
    assert isinstance(plane, PrincipalPlane)
    assert len(plane.first(1)) == 1
