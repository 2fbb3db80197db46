"""A plane without losses, and a run put onto a surface: each step of a trajectory on its own."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from landscape.cli import main
from landscape.directions.construct import random_plane
from landscape.directions.direction_files import read_plane
from landscape.errors import DirectionError, StoreError, UsageError
from landscape.evaluation.evaluate import evaluate
from landscape.files.store import read_directions, read_surface
from landscape.trajectory.principal_plane import principal_plane, project
from landscape.trajectory.runs import find_run
from landscape.trajectory.steps import put_on_surface, write_plane
from tests.helpers import jobs, trained_run
from tests.helpers.li2018_files import NAME, write_like_the_tool
from tests.helpers.trained_run import at_end, data, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with two runs from one start."""
    folder = tmp_path_factory.mktemp("runs")
    for name, lr in (("fast", 0.5), ("slow", 0.05)):
        train(folder / name, lr=lr, momentum=0.0, steps=9, every=2)
    return folder


def end_of(folder, name="fast"):
    run = find_run(folder / name)
    return at_end(run), run


def command(verb, *words):
    return main([verb, *map(str, words), "--model", f"{trained_run.__file__}:network"])


def test_a_plane_alone_is_what_evaluate_takes_its_directions_from(folder, tmp_path, capsys):
    plane, surface = tmp_path / "plane.h5", tmp_path / "surface.h5"
    assert command("trajectory", folder / "fast", "--plane-only", "-o", plane) == 0
    written = capsys.readouterr().out
    model, run = end_of(folder)
    expected = principal_plane(model, run)
    stored = read_surface(plane)
    assert not stored.values
    np.testing.assert_array_equal(stored.trajectories["fast"].coordinates, project(model, run, expected).coordinates)
    for mine, theirs in zip(read_directions(plane), expected.directions, strict=True):
        for name, tensor in theirs.tensors.items():
            np.testing.assert_array_equal(mine[name], tensor.numpy())
    # The command it prints, with the problem filled in, measures around the run.
    (line,) = [each for each in written.splitlines() if each.startswith("landscape evaluate")]
    words = line.replace(":41", ":3").split()[2:-4]
    train_set = f"train={trained_run.__file__}:data"
    assert command("evaluate", *words, "--data", train_set, "-o", surface) == 0
    measured = read_surface(surface)
    assert measured.shape == (3, 3)
    assert "of the variance of fast" in measured.axes[0].label
    low, high = ([axis.values[end] for axis in measured.axes] for end in (0, -1))
    assert (stored.trajectories["fast"].coordinates >= low).all()
    assert (stored.trajectories["fast"].coordinates <= high).all()
    # And what it wrote, which names the plane's file, takes runs in its turn.
    assert command("trajectory", folder / "slow", "--onto", surface) == 0
    assert list(read_surface(surface).trajectories) == ["slow"]


def test_a_plane_that_is_there_is_not_replaced_unasked(folder, tmp_path):
    model, run = end_of(folder)
    write_plane(tmp_path / "plane.h5", model, run, points=3)
    with pytest.raises(StoreError, match="is there already"):
        write_plane(tmp_path / "plane.h5", model, run, points=5)
    assert write_plane(tmp_path / "plane.h5", model, run, points=5, overwrite=True).shape == (5, 5)
    assert read_surface(tmp_path / "plane.h5").shape == (5, 5)


def test_a_planes_file_says_what_moves_on_it(folder, tmp_path):
    model, run = end_of(folder)
    plane = principal_plane(model, run, move="states", include="1", exclude="bias")
    write_plane(tmp_path / "plane.h5", model, run, plane, points=3)
    said = read_surface(tmp_path / "plane.h5").problem
    assert (said["move"], said["include"], said["exclude"]) == ("states", "1", "bias")


def test_a_run_is_put_onto_a_surface_of_random_directions(folder, tmp_path, capsys):
    model, run = end_of(folder)
    plane = random_plane(model, seed=5)
    file, copy = tmp_path / "random.h5", tmp_path / "copy.h5"
    end = run.records[-1].path
    before = evaluate(model, data(), plane, x="-1:1:3", y="-1:1:3", path=file, checkpoint=str(end))
    assert command("trajectory", folder / "fast", "--onto", file, "-o", copy) == 0
    assert not read_surface(file).trajectories
    found, expected = read_surface(copy).trajectories["fast"], project(model, run, plane)
    np.testing.assert_allclose(found.coordinates, expected.coordinates, atol=1e-9)
    np.testing.assert_allclose(found.residual, expected.residual)
    np.testing.assert_array_equal(read_surface(copy)["train/loss"], before["train/loss"])
    squares = (expected.residual**2).sum() / (dense_distances(model, run) ** 2).sum()
    assert f"the plane holds {100 * (1 - squares):.3g} % of its squared distances" in capsys.readouterr().out
    assert command("trajectory", folder / "slow", "--onto", copy) == 0
    out = capsys.readouterr().out
    assert "slow: " in out
    assert "fast: " not in out, "only what is new is described"
    assert "with the runs fast, slow" in " ".join(out.split())


def test_a_run_is_put_onto_a_surface_of_the_2018_tool_beside_its_direction_file(folder, tmp_path, capsys):
    model, run = end_of(folder)
    plane = random_plane(model, seed=5)
    surface, copy, end = tmp_path / "s.h5", tmp_path / "copy.h5", run.records[-1].path
    write_like_the_tool(surface, [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0])
    words, before = ["trajectory", folder / "fast", "--onto", surface], surface.read_bytes()
    assert command(*words, "-o", copy) == 2
    assert "does not say which checkpoint it is about" in capsys.readouterr().err
    assert command(*words, "--origin", end, "-o", copy) == 1
    assert "where its dir_file has them, is not there nor beside it" in capsys.readouterr().err
    with h5py.File(tmp_path / Path(NAME).name, "w") as file:
        for name, direction in zip(("xdirection", "ydirection"), plane.directions, strict=True):
            for number, (key, _) in enumerate(model.named_parameters()):
                file[f"{name}/{number}"] = direction.tensors[key].numpy()
    assert command(*words, "--origin", end) == 2
    assert "name a copy with -o" in capsys.readouterr().err
    assert command(*words, "--origin", end, "-o", copy) == 0
    found = read_surface(copy).trajectories["fast"]
    np.testing.assert_allclose(found.coordinates, project(model, run, plane).coordinates, atol=1e-6)
    assert surface.read_bytes() == before


def dense_distances(model, run):
    names = [name for name, _ in model.named_parameters()]
    rows = [torch.cat([record.tensors[name].double().ravel() for name in names]) for record in run.records]
    return torch.stack([(row - rows[-1]).norm() for row in rows]).numpy()


@pytest.mark.parametrize("batch_norm", ["frozen", "recompute"])
def test_a_surface_knows_the_checkpoint_it_is_about_however_it_was_measured(folder, tmp_path, batch_norm):
    model, run = end_of(folder)
    file = tmp_path / "s.h5"
    evaluate(model, data(), random_plane(model), x="0:1:2", y="0:1:2", path=file, batch_norm=batch_norm)
    assert list(put_on_surface(file, model, run).trajectories) == ["fast"]
    other, _ = end_of(folder, "slow")
    with pytest.raises(DirectionError, match="coordinates would be about another point"):
        put_on_surface(file, other, run, overwrite=True)


def test_a_run_of_a_name_that_is_taken_replaces_only_when_asked(folder, tmp_path):
    model, run = end_of(folder)
    file = tmp_path / "plane.h5"
    write_plane(file, model, run, points=3)
    with pytest.raises(UsageError, match="has a run called fast already; --overwrite replaces it"):
        put_on_surface(file, model, run)
    shorter = dataclasses.replace(run, records=run.records[2:])
    assert len(put_on_surface(file, model, shorter, overwrite=True).trajectories["fast"].step) == 3
    # Nothing else is lost by it: the directions stay.
    assert read_plane(model, file).directions[0].length == pytest.approx(1.0)


def test_labels_name_whose_variance_it_is_once_another_run_is_on_the_plane(folder, tmp_path):
    model, run = end_of(folder)
    _, other = end_of(folder, "slow")
    file = tmp_path / "plane.h5"
    alone = write_plane(file, model, run, points=3).axes[0].label
    both = put_on_surface(file, model, other).axes[0].label
    assert both == alone.replace("% of variance", "% of the variance of fast")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--line"], "--line does not go with --onto"),
        (["--plane", "b.h5"], "--plane does not go with --onto"),
        (["--x", "0:1:3"], "--x does not go with --onto"),
        (["--dry-run"], "--dry-run does not go with --onto"),
    ],
)
def test_what_the_surface_says_itself_is_refused(folder, capsys, words, message):
    assert command("trajectory", folder / "fast", "--onto", "a.h5", *words) == 2
    assert message in capsys.readouterr().err


def test_what_is_needed_is_asked_for(folder, capsys):
    assert command("trajectory", folder / "fast", "-o", "a.h5") == 2
    assert "--data REF is needed to measure the loss; without measuring: --plane-only" in capsys.readouterr().err
    assert command("trajectory", folder / "fast", "--plane-only") == 2
    assert "-o FILE is needed" in capsys.readouterr().err
    assert command("trajectory", folder / "fast", "--onto", folder / "none.h5") == 1
    assert "none.h5" in capsys.readouterr().err


@pytest.mark.slow
def test_under_mpi_one_process_does_it_for_all(folder, tmp_path):
    model = ["--model", f"{trained_run.__file__}:network"]
    file = tmp_path / "plane.h5"
    for words in (["fast", "--plane-only", "-o", file], ["slow", "--onto", file]):
        code, out, err = jobs.run(
            ["-m", "landscape", "trajectory", folder / words[0], *words[1:], *model], mpi="mpich", ranks=2
        )
        assert code == 0, err
        assert out.count("wrote") == 1
    assert list(read_surface(file).trajectories) == ["fast", "slow"]
    code, _, err = jobs.run(
        ["-m", "landscape", "trajectory", folder / "slow", "--onto", file, *model], mpi="openmpi", ranks=2
    )
    assert code != 0
    assert err.count("has a run called slow already") == 1
