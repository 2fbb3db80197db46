"""A plane without losses, and a run put onto a surface: each step of a trajectory on its own."""

import dataclasses

import jobs
import numpy as np
import pytest
import torch
from torch import nn

from landscape.cli import main
from landscape.directions import random_plane, read_plane
from landscape.errors import DirectionError, StoreError, UsageError
from landscape.evaluation import evaluate
from landscape.record_losses import put_record
from landscape.recorder import Recorder
from landscape.run_planes import put_on_surface, write_plane
from landscape.runs import find_run
from landscape.store import read_directions, read_surface
from landscape.trajectory import principal_plane, project

NETWORK = """
import torch
from torch import nn
torch.manual_seed(7)
X, Y = torch.randn(40, 4), torch.randint(0, 3, (40,))
def network():
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
def data():
    return X, Y
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with nets.py and two runs from one start."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "nets.py").write_text(NETWORK)
    names = {}
    exec(NETWORK, names)
    for name, lr in (("fast", 0.5), ("slow", 0.05)):
        torch.manual_seed(3)
        model = names["network"]()
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        with Recorder(folder / name, model, every=2) as recorder:
            for step in range(9):
                recorder.record(step)
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(names["X"]), names["Y"]).backward()
                optimizer.step()
    return folder, names


def at_end(place, name="fast"):
    folder, names = place
    run = find_run(folder / name)
    model = names["network"]().eval()
    put_record(model, run.records[-1])
    return model, run


def command(place, verb, *words):
    folder, _ = place
    return main([verb, *map(str, words), "--model", f"{folder}/nets.py:network"])


def test_a_plane_alone_is_what_evaluate_takes_its_directions_from(place, tmp_path, capsys):
    folder, _ = place
    plane, surface = tmp_path / "plane.h5", tmp_path / "surface.h5"
    assert command(place, "trajectory", folder / "fast", "--plane-only", "-o", plane) == 0
    written = capsys.readouterr().out
    model, run = at_end(place)
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
    data = f"train={folder}/nets.py:data"
    assert command(place, "evaluate", *words, "--data", data, "-o", surface) == 0
    measured = read_surface(surface)
    assert measured.shape == (3, 3)
    assert "of the variance of fast" in measured.axes[0].label
    low, high = ([axis.values[end] for axis in measured.axes] for end in (0, -1))
    assert (stored.trajectories["fast"].coordinates >= low).all()
    assert (stored.trajectories["fast"].coordinates <= high).all()
    # And what it wrote, which names the plane's file, takes runs in its turn.
    assert command(place, "trajectory", folder / "slow", "--onto", surface) == 0
    assert list(read_surface(surface).trajectories) == ["slow"]


def test_a_plane_that_is_there_is_not_replaced_unasked(place, tmp_path):
    model, run = at_end(place)
    write_plane(tmp_path / "plane.h5", model, run, points=3)
    with pytest.raises(StoreError, match="is there already"):
        write_plane(tmp_path / "plane.h5", model, run, points=5)
    assert write_plane(tmp_path / "plane.h5", model, run, points=5, overwrite=True).shape == (5, 5)
    assert read_surface(tmp_path / "plane.h5").shape == (5, 5)


def test_a_run_is_put_onto_a_surface_of_random_directions(place, tmp_path, capsys):
    folder, names = place
    model, run = at_end(place)
    plane = random_plane(model, seed=5)
    file, copy = tmp_path / "random.h5", tmp_path / "copy.h5"
    end = run.records[-1].path
    before = evaluate(model, (names["X"], names["Y"]), plane, x="-1:1:3", y="-1:1:3", path=file, checkpoint=str(end))
    assert command(place, "trajectory", folder / "fast", "--onto", file, "-o", copy) == 0
    assert not read_surface(file).trajectories
    found, expected = read_surface(copy).trajectories["fast"], project(model, run, plane)
    np.testing.assert_allclose(found.coordinates, expected.coordinates, atol=1e-9)
    np.testing.assert_allclose(found.residual, expected.residual)
    np.testing.assert_array_equal(read_surface(copy)["train/loss"], before["train/loss"])
    squares = (expected.residual**2).sum() / (dense_distances(model, run) ** 2).sum()
    assert f"the plane holds {100 * (1 - squares):.3g} % of its squared distances" in capsys.readouterr().out


def dense_distances(model, run):
    names = [name for name, _ in model.named_parameters()]
    rows = [torch.cat([record.tensors[name].double().ravel() for name in names]) for record in run.records]
    return torch.stack([(row - rows[-1]).norm() for row in rows]).numpy()


@pytest.mark.parametrize("batch_norm", ["frozen", "recompute"])
def test_a_surface_knows_the_checkpoint_it_is_about_however_it_was_measured(place, tmp_path, batch_norm):
    _, names = place
    model, run = at_end(place)
    file = tmp_path / "s.h5"
    evaluate(
        model, (names["X"], names["Y"]), random_plane(model), x="0:1:2", y="0:1:2", path=file, batch_norm=batch_norm
    )
    assert list(put_on_surface(file, model, run).trajectories) == ["fast"]
    other, _ = at_end(place, "slow")
    with pytest.raises(DirectionError, match="coordinates would be about another point"):
        put_on_surface(file, other, run, overwrite=True)


def test_a_run_of_a_name_that_is_taken_replaces_only_when_asked(place, tmp_path):
    model, run = at_end(place)
    file = tmp_path / "plane.h5"
    write_plane(file, model, run, points=3)
    with pytest.raises(UsageError, match="has a run called fast already; --overwrite replaces it"):
        put_on_surface(file, model, run)
    shorter = dataclasses.replace(run, records=run.records[2:])
    assert len(put_on_surface(file, model, shorter, overwrite=True).trajectories["fast"].step) == 3
    # Nothing else is lost by it: the directions stay.
    assert read_plane(model, file).directions[0].length == pytest.approx(1.0)


def test_labels_name_whose_variance_it_is_once_another_run_is_on_the_plane(place, tmp_path):
    model, run = at_end(place)
    _, other = at_end(place, "slow")
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
def test_what_the_surface_says_itself_is_refused(place, capsys, words, message):
    folder, _ = place
    assert command(place, "trajectory", folder / "fast", "--onto", "a.h5", *words) == 2
    assert message in capsys.readouterr().err


def test_what_is_needed_is_asked_for(place, capsys):
    folder, _ = place
    assert command(place, "trajectory", folder / "fast", "-o", "a.h5") == 2
    assert "--data REF is needed to measure the loss; without measuring: --plane-only" in capsys.readouterr().err
    assert command(place, "trajectory", folder / "fast", "--plane-only") == 2
    assert "-o FILE is needed" in capsys.readouterr().err
    assert command(place, "trajectory", folder / "fast", "--onto", folder / "none.h5") == 1
    assert "none.h5" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("mpi", jobs.LAUNCHERS)
def test_under_mpi_one_process_does_it_for_all(place, tmp_path, mpi):
    folder, _ = place
    model = ["--model", f"{folder}/nets.py:network"]
    file = tmp_path / "plane.h5"
    for words in (["fast", "--plane-only", "-o", file], ["slow", "--onto", file]):
        code, out, err = jobs.run(
            ["-m", "landscape", "trajectory", folder / words[0], *words[1:], *model], mpi=mpi, ranks=3
        )
        assert code == 0, err
        assert out.count("wrote") == 1
    assert list(read_surface(file).trajectories) == ["fast", "slow"]
    code, _, err = jobs.run(
        ["-m", "landscape", "trajectory", folder / "slow", "--onto", file, *model], mpi=mpi, ranks=3
    )
    assert code != 0
    assert err.count("has a run called slow already") == 1
