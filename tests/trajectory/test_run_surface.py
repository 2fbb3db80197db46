"""A surface with runs on it, in one call and from the command line."""

import contextlib
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from landscape.errors import SurfaceMismatch, UsageError
from landscape.files.store import read_directions, read_surface, write_surface
from landscape.surface.derived.projected_runs import values_below
from landscape.trajectory.principal_plane import principal_plane
from landscape.trajectory.record_losses import measure_run, put_record
from landscape.trajectory.recorder import Recorder
from landscape.trajectory.run_surface import evaluate_runs
from tests.helpers.trained_run import command


def test_one_call_gives_surface_path_and_both_losses(problem, tmp_path):
    model, data, run = problem
    counted = []
    path = tmp_path / "run.h5"
    surface = evaluate_runs(model, data, run, points=5, path=path, progress=lambda *now: counted.append(now))
    found = surface.trajectories["fast"]
    assert surface.shape == (5, 5)
    assert surface.complete
    low, high = ([axis.values[end] for axis in surface.axes] for end in (0, -1))
    assert (found.coordinates > low).all()
    assert (found.coordinates < high).all()
    # With the statistics each was recorded with, the last record is theta* itself.
    assert found.loss[-1] == pytest.approx(surface.origin["values"]["train/loss"])
    assert found.attributes["plane_values"]["train/loss"][-1] == pytest.approx(found.loss[-1])
    assert np.abs(np.subtract(found.attributes["plane_values"]["train/loss"], found.loss)).max() > 1e-3
    assert counted[-1] == (25 + 2 * 7, 25 + 2 * 7)
    stored = read_surface(path)
    np.testing.assert_array_equal(stored.trajectories["fast"].loss, found.loss)
    assert stored.digest == surface.digest
    assert len(read_directions(path)) == 2


def test_what_the_plane_shows_between_its_points_is_close_to_what_was_measured_there(problem):
    model, data, run = problem
    surface = evaluate_runs(model, data, run, points=21)
    found = surface.trajectories["fast"]
    exact = np.array(found.attributes["plane_values"]["train/loss"])
    # Bilinear interpolation on a grid of 21 points of a loss that varies by about 1.
    np.testing.assert_allclose(values_below(surface, found, "train/loss"), exact, atol=0.05)


def test_a_call_that_is_repeated_measures_nothing_again(problem, tmp_path, monkeypatch):
    model, data, run = problem
    path = tmp_path / "run.h5"
    first = evaluate_runs(model, data, run, points=4, path=path)
    import landscape.trajectory.run_surface as module

    def never(*_, **__):
        raise AssertionError("measured again")

    monkeypatch.setattr(module, "measure_run", never)
    monkeypatch.setattr(module, "measure_below", never)
    again = evaluate_runs(model, data, run, points=4, path=path)
    np.testing.assert_array_equal(again["train/loss"], first["train/loss"])
    np.testing.assert_array_equal(again.trajectories["fast"].loss, first.trajectories["fast"].loss)


@pytest.mark.parametrize("name", ["coordinates", "residual", "step"])
def test_losses_of_another_path_are_not_taken_for_those_of_this_one(problem, tmp_path, name):
    model, (x, y), run = problem
    path, sets = tmp_path / "run.h5", {"other": (x[:9], y[:9]), "train": (x, y), "third": (x[9:30], y[9:30])}
    first = evaluate_runs(model, sets, run, points=2, path=path)
    found = first.trajectories["fast"]
    assert found.attributes["loss_name"] == "train/loss"
    np.testing.assert_array_equal(found.loss, found.attributes["values"]["train/loss"])
    other = dataclasses.replace(found, loss=found.loss + 1, **{name: getattr(found, name) + 1})
    write_surface(path, dataclasses.replace(first, trajectories={"fast": other}))
    again = evaluate_runs(model, sets, run, points=2, path=path)
    np.testing.assert_array_equal(again.trajectories["fast"].loss, found.loss)


def test_a_plane_that_differs_in_its_last_digits_is_the_one_in_the_file(problem, tmp_path):
    model, data, run = problem
    path = tmp_path / "run.h5"
    plane = principal_plane(model, run)
    evaluate_runs(model, data, run, plane, points=3, path=path)
    shifted = []
    for direction in plane.directions:
        tensors = {name: tensor * (1 + 2e-7) for name, tensor in direction.tensors.items()}
        shifted.append(dataclasses.replace(direction, tensors=tensors, sha256="another"))
    surface = evaluate_runs(
        model, data, run, dataclasses.replace(plane, directions=tuple(shifted)), points=3, path=path
    )
    assert surface.axes[0].sha256 == plane.directions[0].sha256
    turned = dataclasses.replace(plane, directions=plane.directions[::-1])
    with pytest.raises(SurfaceMismatch, match="direction x"):
        evaluate_runs(model, data, run, turned, x=surface.axes[0].values, y=surface.axes[1].values, path=path)


def test_more_samples_measure_the_steps_again(problem, tmp_path):
    model, data, run = problem
    path = tmp_path / "run.h5"
    few = evaluate_runs(model, data, run, points=3, path=path, samples=10)
    more = evaluate_runs(model, data, run, points=3, path=path, samples=40)
    assert few.trajectories["fast"].attributes["samples"] == {"train": 10}
    assert more.trajectories["fast"].attributes["samples"] == {"train": 40}
    assert more.trajectories["fast"].loss[0] != few.trajectories["fast"].loss[0]


def test_fewer_samples_than_the_file_has_measure_the_steps_on_as_many_in_such_batches_as_the_surface(problem, tmp_path):
    model, data, run = problem
    data = {"few": tuple(each[:12] for each in data), "train": data, "some": tuple(each[:25] for each in data)}
    path = tmp_path / "run.h5"
    how = {"points": 3, "path": path, "batch_norm": "recompute"}  # which batches there are changes values, too
    whole = evaluate_runs(model, data, run, **how, samples=40, batch_size=9)
    write_surface(path, dataclasses.replace(whole, trajectories={}))  # cut short before the steps
    again = evaluate_runs(model, data, run, **how, samples=10)
    np.testing.assert_allclose(again.trajectories["fast"].loss, whole.trajectories["fast"].loss, rtol=1e-6)
    assert again.trajectories["fast"].loss[-1] == pytest.approx(again.origin["values"]["train/loss"])  # theta* itself


def test_the_steps_are_measured_in_the_precision_of_the_surface(problem):
    model, data, run = problem
    surface = evaluate_runs(model, data, run, points=3, precision="bfloat16", compile=False)
    found = surface.trajectories["fast"]
    here = surface.origin["values"]["train/loss"]
    exact = measure_run(model, data, run)["train/loss"]
    assert surface.quality["precision"] == "bfloat16"
    # theta* is a step, and the plane is measured there: rounding must be one and the same.
    assert found.loss[-1] == here == found.attributes["plane_values"]["train/loss"][-1]
    assert abs(exact[-1] - here) > 1e-5
    np.testing.assert_array_equal(measure_run(model, data, run, precision="bfloat16")["train/loss"], found.loss)
    with pytest.raises(UsageError, match="precision is 'auto', for single steps it is one of float32, bfloat16"):
        measure_run(model, data, run, precision="auto")


def test_the_steps_are_measured_on_the_device_of_the_surface(problem, monkeypatch):
    import landscape.trajectory.run_surface as module

    model, data, run = problem
    done = []

    class Watched(nn.Sequential):
        def to(self, device):
            done.append(str(device))
            return self

    def watched(name, function):
        def call(*arguments, **options):
            done.append(name)
            return function(*arguments, **options)

        return call

    for name in ("evaluate", "measure_run", "measure_below"):
        monkeypatch.setattr(module, name, watched(name, getattr(module, name)))
    monkeypatch.setattr("landscape.evaluation.setup.local_device", lambda name, rank, number: name)
    monkeypatch.setattr("landscape.evaluation.setup.why_unusable", lambda name: "")
    evaluate_runs(Watched(*model), data, run, points=2, device="cuda:1")
    assert done == ["cuda:1", "evaluate", "measure_run", "measure_below", "cpu"]


def test_runs_of_one_name_are_refused(problem):
    model, data, run = problem
    with pytest.raises(UsageError, match="different names, got fast, fast"):
        evaluate_runs(model, data, [run, run])


def test_a_run_recorded_in_half_precision_is_measured_in_single(problem, folder, tmp_path):
    model, _, run = problem
    with Recorder(tmp_path / "half", model, dtype="float16") as recorder:
        for record in run.records:
            put_record(model, record)
            recorder.record(record.step)
    # A tensor whose numbers half precision does not hold is kept as it is.
    for path in (tmp_path / "half").glob("*.safetensors"):
        tensors = load_file(path)
        name = next(name for name, each in tensors.items() if each.dtype == torch.float16)
        save_file({**tensors, name: tensors[name].float()}, path)
    assert command(tmp_path / "half", "--points", 3, output=tmp_path / "half.h5") == 0
    assert command(folder / "fast", "--points", 3, output=tmp_path / "fast.h5") == 0
    half, fast = (read_surface(tmp_path / f"{name}.h5").trajectories[name] for name in ("half", "fast"))
    np.testing.assert_allclose(half.loss, fast.loss, rtol=1e-2)
    # About one of its steps the network is that of the step, and not of the end.
    place = 2
    local = ("--plane", "local", "--at", run.records[place].step, "--points", 3)
    assert command(tmp_path / "half", *local, output=tmp_path / "local.h5") == 0
    at_start = read_surface(tmp_path / "local.h5").origin["values"]["train/loss"]
    assert at_start == pytest.approx(fast.loss[place], rel=1e-2)


class Ranks:
    """Two ranks one after the other: what rank 0 broadcasts, rank 1 receives."""

    size = 2

    def __init__(self):
        self.rank, self.sent, self.sizes = 0, [], []

    def broadcast(self, value):
        if self.rank == 0:
            self.sent.append(pickle.dumps(value))
            self.sizes.append(len(self.sent[-1]))
            return value
        return pickle.loads(self.sent.pop(0))

    def together(self):
        return contextlib.nullcontext()


def test_a_plane_is_sent_bit_for_bit_and_in_pieces(problem, monkeypatch):
    import landscape.trajectory.shared_planes as module

    model, _, run = problem
    ranks = Ranks()
    monkeypatch.setattr(module, "current_comm", lambda: ranks)
    monkeypatch.setattr(module, "PIECE", 40)
    plane = principal_plane(model, run)
    assert module.plane_made_once(lambda: plane).shares.tolist() == plane.shares.tolist()
    # But for the first message, which says what comes, each holds ten numbers.
    assert max(ranks.sizes[1:]) < 300
    ranks.rank = 1

    def never():
        raise AssertionError("computed on rank 1")

    received = module.plane_made_once(never)
    assert not ranks.sent
    for mine, theirs in zip(received.directions, plane.directions, strict=True):
        assert (mine.sha256, mine.recipe, mine.label, mine.length) == (
            theirs.sha256,
            theirs.recipe,
            theirs.label,
            theirs.length,
        )
        assert all(torch.equal(mine.tensors[name], tensor) for name, tensor in theirs.tensors.items())
    np.testing.assert_array_equal(received.variance, plane.variance)


def test_losses_of_steps_are_estimated_from_the_surfaces_anchors_as_its_own_are(problem):
    model, data, run = problem
    size = len(data[1])
    whole = evaluate_runs(model, data, run, points=5)
    found = evaluate_runs(model, data, run, points=5, samples=size // 2, anchors=3)
    plain = evaluate_runs(model, data, run, points=5, samples=size // 2, anchors="none")
    assert len(found.anchors["train"].points) == 2  # of three: each takes eight samples
    truth = whole.trajectories["fast"]
    at = found.trajectories["fast"]
    # The last step is theta*, where all data were measured.
    assert at.loss[-1] == pytest.approx(truth.loss[-1], rel=1e-5)
    assert plain.trajectories["fast"].loss[-1] != pytest.approx(truth.loss[-1], rel=1e-3)
    below = [each.attributes["plane_values"]["train/loss"][-1] for each in (at, truth)]
    assert below[0] == pytest.approx(below[1], rel=1e-5)
