"""The command that puts runs on a plane: surface and path, on one rank and on several, killed and finished."""

import numpy as np
import pytest

from landscape.directions.construct import checkpoint_plane, random_plane
from landscape.evaluation.evaluate import evaluate
from landscape.files.store import read_surface
from landscape.trajectory.run_surface import plan_runs
from tests.helpers import jobs
from tests.helpers.trained_run import PROBLEM, command

pytestmark = pytest.mark.usefixtures("coarse_pictures")


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


def test_the_command_draws_lines_and_planes_through_checkpoints_and_files(problem, folder, tmp_path):
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
    model, data, _ = problem
    volume, grid = random_plane(model, dimensions=3), {axis: [0.0, 1.0] for axis in "xyz"}
    evaluate(model, data, volume, **grid, path=tmp_path / "volume.h5", save_directions=True, samples=4)
    assert command(folder / "fast", "--plane", tmp_path / "volume.h5", "--points", 2, output=tmp_path / "5.h5") == 0
    first_two = [axis.sha256 for axis in read_surface(tmp_path / "5.h5").axes]
    assert first_two == [each.sha256 for each in volume.directions[:2]]


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


@pytest.mark.slow
def test_a_command_that_was_killed_is_finished_by_the_same_command(folder, tmp_path):
    output, whole = tmp_path / "run.h5", tmp_path / "whole.h5"
    (tmp_path / "slow.py").write_text(
        "import time\nfrom torch.nn import functional\n\n"
        "def loss(model, batch):\n    time.sleep(0.02)\n"
        "    return functional.cross_entropy(model(batch[0]), batch[1], reduction='none')\n"
    )
    words = words_of(folder, output, "--loss", f"{tmp_path}/slow.py:loss", "--write-every", "0.05")
    job = jobs.start(words, forked=True)
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
