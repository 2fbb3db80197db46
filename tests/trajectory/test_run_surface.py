"""A surface with runs on it, in one call and from the command line."""

import contextlib
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from landscape.cli import main
from landscape.directions.construct import checkpoint_plane
from landscape.errors import SurfaceMismatch, UsageError
from landscape.files.store import read_directions, read_surface, write_surface
from landscape.surface.projected_runs import values_below
from landscape.trajectory.principal_plane import principal_plane
from landscape.trajectory.record_losses import measure_run, put_record
from landscape.trajectory.recorder import Recorder
from landscape.trajectory.run_surface import evaluate_runs, plan_runs
from landscape.trajectory.runs import find_run
from tests.helpers import jobs, trained_run
from tests.helpers.trained_run import at_end, data, train

PROBLEM = ["--model", f"{trained_run.__file__}:network", "--data", f"train={trained_run.__file__}:data"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two runs from the same start."""
    folder = tmp_path_factory.mktemp("runs")
    for name, lr in (("fast", 0.5), ("slow", 0.05)):
        train(folder / name, lr=lr, steps=13, every=2)
    return folder


@pytest.fixture
def problem(folder):
    """The network at the end of the fast run, the data, the run."""
    run = find_run(folder / "fast")
    return at_end(run), data(), run


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
    path, sets = tmp_path / "run.h5", {"train": (x, y), "other": (x[:9], y[:9])}
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


def test_fewer_samples_than_the_file_has_measure_the_steps_on_as_many_as_the_surface(problem, tmp_path):
    model, data, run = problem
    path = tmp_path / "run.h5"
    whole = evaluate_runs(model, data, run, points=3, path=path, samples=40)
    write_surface(path, dataclasses.replace(whole, trajectories={}))  # cut short before the steps
    again = evaluate_runs(model, data, run, points=3, path=path, samples=10)
    np.testing.assert_allclose(again.trajectories["fast"].loss, whole.trajectories["fast"].loss, rtol=1e-6)


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


def command(*words, output):
    return main(["trajectory", *map(str, words), *PROBLEM, "-o", str(output)])


def test_the_command_puts_two_runs_on_one_plane(folder, tmp_path, capsys):
    file = tmp_path / "both.h5"
    assert command(folder / "fast", folder / "slow", "--points", 4, output=file) == 0
    surface = read_surface(file)
    assert list(surface.trajectories) == ["fast", "slow"]
    assert surface.problem["batch_norm"] == "recompute"
    assert surface.problem["move"] == "weights"
    assert surface.origin["checkpoint"].endswith("fast/step-00000012.safetensors")
    np.testing.assert_allclose(surface.trajectories["fast"].coordinates[-1], 0.0, atol=1e-6)
    # From one start: there both runs, and the plane below both, have one loss.
    for values in ("values", "plane_values"):
        starts = [run.attributes[values]["train/loss"][0] for run in surface.trajectories.values()]
        assert starts[0] == pytest.approx(starts[1], rel=1e-5)
    written = capsys.readouterr().out
    assert "random walk" not in written  # of several runs, that is no comparison
    shares = surface.trajectories["slow"].attributes["explained_variance"]
    assert f"the plane holds {100 * shares[0]:.1f} % + {100 * shares[1]:.1f} % of the variance" in written
    assert "slow: 7 records, step 0 to 12" in written
    assert f"wrote {file}" in written


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--precision", "bfloat16"], {"precision": "bfloat16"}), (["--low-memory"], {"low_memory": True})],
)
def test_the_command_measures_grid_and_steps_as_it_is_asked_to(folder, tmp_path, words, said):
    file = tmp_path / "low.h5"
    assert command(folder / "fast", "--points", 2, *words, output=file) == 0
    surface = read_surface(file)
    assert said.items() <= surface.quality.items()
    assert surface.trajectories["fast"].loss[-1] == surface.origin["values"]["train/loss"]


def test_the_command_draws_lines_and_planes_through_checkpoints_and_files(folder, tmp_path):
    first, middle, last = (folder / "fast" / f"step-{step:08d}.safetensors" for step in (0, 6, 12))
    line = tmp_path / "line.h5"
    assert command(folder / "fast", "--line", "ends", "--points", 5, "--move", "weights", output=line) == 0
    ends = read_surface(line).trajectories["fast"]
    np.testing.assert_allclose(ends.coordinates[[0, -1], 0], [1.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(ends.residual[[0, -1]], 0.0, atol=1e-5)
    assert ends.residual.max() > 0.1
    assert {0.0, 0.5, 1.0} <= set(read_surface(line).axes[0].values)
    assert command(folder / "fast", "--line", "--points", 5, output=tmp_path / "pca.h5") == 0
    assert read_surface(tmp_path / "pca.h5").axes[0].label.startswith("PC 1 (")
    through = tmp_path / "three.h5"
    assert command(folder / "slow", "--plane", f"{last},{first},{middle}", "--points", 3, output=through) == 0
    surface = read_surface(through)
    assert surface.origin["checkpoint"] == str(last)
    assert surface.problem["move"] == "states"
    assert command(folder / "slow", "--plane", tmp_path / "pca.h5", "--points", 3, output=tmp_path / "4.h5") == 0
    assert len(read_surface(tmp_path / "4.h5").axes) == 1


@pytest.mark.parametrize("points", [5, 20, 201])
@pytest.mark.parametrize("margin", [0.0, 0.15, 0.7])
def test_a_line_between_the_ends_has_points_at_both_networks(problem, points, margin):
    model, data, run = problem
    plane = checkpoint_plane(model, [run.records[0].path])
    surface, _ = plan_runs(model, data, run, plane, points=points, margin=margin)
    values = surface.axes[0].values
    assert len(values) == points
    assert {0.0, 1.0} <= set(values)
    np.testing.assert_allclose(np.diff(values), values[1] - values[0])
    held = surface.trajectories["fast"].coordinates
    assert values[0] <= held.min() - margin * np.ptp(held)
    assert values[-1] >= held.max() + margin * np.ptp(held)


def test_the_command_says_what_it_would_cost_and_writes_nothing(folder, tmp_path, capsys):
    assert command(folder / "fast", "--points", 6, "--dry-run", output=tmp_path / "run.h5") == 0
    written = capsys.readouterr().out
    assert "36 to do of 36" in written
    # Seven points: 1 / (1 - cos(pi k / 7)), k = 1 to 6.
    assert "a random walk of as many steps: 63.1 % + 16.6 %" in written
    assert not (tmp_path / "run.h5").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["missing"], 1, "there is no missing"),
        (["{folder}/fast/step-00000000.safetensors"], 1, "at least two checkpoints"),
        (["{folder}/fast", "--plane", "a.pt,b.pt"], 2, "names 2 checkpoints; a plane goes through three"),
        (["{folder}/fast", "--plane", "a,b,c", "--origin", "d"], 2, "--origin does not go with"),
        (["{folder}/fast", "--plane", "a,b,c", "--line"], 2, "leave out --plane a,b,c"),
        (["{folder}/fast", "--plane", "a,b,c", "--ignore", "biasbn"], 2, "--ignore is for principal components"),
        (["{folder}/fast", "--plane", "a.h5", "--ignore", "none"], 2, "does not go with --plane a.h5"),
        (["{folder}/fast", "--line", "ends", "--ignore", "biasbn"], 2, "does not go with --line ends"),
        (["{folder}/fast", "--plane", "a.h5", "--move", "states"], 2, "--move does not go with --plane a.h5"),
        (["{folder}/fast", "--plane", "a.h5", "--include", "w"], 2, "--include does not go with --plane a.h5"),
        (["{folder}/fast", "--plane", "a.h5", "--exclude", "w"], 2, "--exclude does not go with --plane a.h5"),
        (["{folder}/fast", "--plane-only"], 2, "--data does not go with --plane-only"),
        (["{folder}/fast", "--onto", "a.h5"], 2, "--data does not go with --onto"),
        (["{folder}/fast", "--onto", "a.h5", "--plane-only"], 2, "give one of them"),
        (["{folder}/fast", "--points", "1"], 2, "at least 2 along an axis"),
        (["{folder}/fast", "--margin", "-1"], 2, "--margin is -1"),
        (["{folder}/fast", "--model-args", '{{"norm": false}}'], 1, "does not fit"),
    ],
)
def test_the_command_names_what_is_wrong(folder, tmp_path, capsys, words, code, message):
    words = [word.format(folder=folder) for word in words]
    assert command(*words, output=tmp_path / "run.h5") == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_recorded_in_half_precision_is_measured_in_single(problem, folder, tmp_path):
    model, _, run = problem
    with Recorder(tmp_path / "half", model, dtype="float16") as recorder:
        for record in run.records:
            put_record(model, record)
            recorder.record(record.step)
    assert command(tmp_path / "half", "--points", 3, output=tmp_path / "half.h5") == 0
    assert command(folder / "fast", "--points", 3, output=tmp_path / "fast.h5") == 0
    half, fast = (read_surface(tmp_path / f"{name}.h5").trajectories[name] for name in ("half", "fast"))
    np.testing.assert_allclose(half.loss, fast.loss, rtol=1e-2)


def words_of(folder, output, *more):
    return ["-m", "landscape", "trajectory", folder / "fast", *PROBLEM, "--points", "7", "-o", output, *more]


def assert_same_surface(one, other):
    np.testing.assert_allclose(one["train/loss"], other["train/loss"], rtol=1e-5, atol=1e-6)
    mine, theirs = one.trajectories["fast"], other.trajectories["fast"]
    np.testing.assert_allclose(mine.coordinates, theirs.coordinates, atol=1e-5)
    np.testing.assert_allclose(mine.loss, theirs.loss, rtol=1e-5)
    for name, values in mine.attributes["plane_values"].items():
        np.testing.assert_allclose(values, theirs.attributes["plane_values"][name], rtol=1e-4)


@pytest.mark.slow
def test_the_command_gives_the_same_on_several_ranks(folder, tmp_path):
    for output, options in (("one.h5", {}), ("three.h5", {"mpi": "openmpi", "ranks": 3})):
        code, out, err = jobs.run(words_of(folder, tmp_path / output), **options)
        assert code == 0, err
        assert out.count("wrote") == 1
    assert_same_surface(read_surface(tmp_path / "three.h5"), read_surface(tmp_path / "one.h5"))


OTHER_HOST = """
import sys
from landscape.parallel.comm import current_comm
from landscape.trajectory import principal_plane

found, placed = principal_plane.principal_components, principal_plane.project_points

def components(*arguments, **options):
    result = found(*arguments, **options)
    for tree in result.directions if current_comm().rank else ():
        for tensor in tree.values():
            tensor.mul_(-1.001)
    return result

def points(*arguments, **options):
    result = placed(*arguments, **options)
    if current_comm().rank:
        result.coordinates[:] *= 1.25
    return result

principal_plane.principal_components, principal_plane.project_points = components, points

from landscape.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_rank_that_finds_another_plane_takes_rank_0s_plane_and_path(folder, tmp_path):
    (tmp_path / "other.py").write_text(OTHER_HOST)
    words = [tmp_path / "other.py", *words_of(folder, tmp_path / "two.h5")[2:]]
    code, _, err = jobs.run(words, mpi="mpich", ranks=2)
    assert code == 0, err
    assert jobs.run(words_of(folder, tmp_path / "one.h5"))[0] == 0
    assert_same_surface(read_surface(tmp_path / "two.h5"), read_surface(tmp_path / "one.h5"))


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


@pytest.mark.slow
def test_a_command_that_was_killed_is_finished_by_the_same_command(folder, tmp_path):
    output, whole = tmp_path / "run.h5", tmp_path / "whole.h5"
    (tmp_path / "slow.py").write_text(
        "import time\nfrom torch.nn import functional\n\n"
        "def loss(model, batch):\n    time.sleep(0.02)\n"
        "    return functional.cross_entropy(model(batch[0]), batch[1], reduction='none')\n"
    )
    words = words_of(folder, output, "--loss", f"{tmp_path}/slow.py:loss", "--write-every", "0.05")
    job = jobs.start(words)
    with jobs.ended(job):
        done = jobs.wait_for_points(output, 5, job)
    half = read_surface(output)
    # Of a run that was cut short, too, there is a path to look at.
    assert 5 <= done < 49
    assert half.trajectories["fast"].coordinates.shape == (7, 2)
    code, _, err = jobs.run(words)
    assert code == 0, err
    assert jobs.run([*words[:-4], "--loss", f"{tmp_path}/slow.py:loss", "-o", whole])[0] == 0
    finished = read_surface(output)
    assert finished.complete
    assert_same_surface(finished, read_surface(whole))


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
