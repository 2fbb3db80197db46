"""What comes before the first point: made ahead on other ranks, and measured once."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import landscape
from landscape.errors import ClusterError, EvaluationError
from landscape.evaluation import startup
from landscape.evaluation.forward_pass.forward import Forward
from landscape.evaluation.settings import Settings
from landscape.evaluation.setup import set_up


class Other:
    """A communicator as rank 1 has it, to which rank 0 says what it chose."""

    def __init__(self, comm, said):
        self._comm, self._said = comm, said

    def __getattr__(self, name):
        return getattr(self._comm, name)

    rank = 1

    def broadcast(self, value):
        said, self._said = self._said, None
        return value if said is None else said  # what comes later is the same on all ranks


@pytest.fixture
def problem():
    torch.manual_seed(0)
    return torch.nn.Linear(3, 2), (torch.randn(40, 3), torch.arange(40) % 2)


@pytest.mark.parametrize(
    ("asked", "chosen", "made"),
    [
        ("float32", Forward(), 1),
        ("float32", Forward(batch_size=16), 2),  # rank 0 timed batch sizes
        ("bfloat16", Forward("bfloat16", measured={"words": "asked for"}), 1),
        ("auto", Forward("bfloat16"), 1),  # nothing can be made ahead
    ],
)
def test_other_ranks_run_what_rank_0_chose_and_make_it_once_where_they_can(problem, monkeypatch, asked, chosen, made):
    installed = []
    original = startup.install
    monkeypatch.setattr(
        startup,
        "install",
        lambda objective, forward, kept: installed.append(forward) or original(objective, forward, kept),
    )
    with ExitStack() as stack:
        setup = set_up(stack, *problem, None, Settings(x="-1:1:3", precision=asked))
        first = startup._objective(setup, chosen.batch_size)
        original(first, chosen, setup.displacement.start)
        said = (chosen, startup.measure_baseline(first), [axis.sha256 for axis in setup.axes])
        object.__setattr__(setup, "comm", Other(setup.comm, said))
        losses = startup.measure_start(setup)
    assert len(installed) == made
    assert losses.objective.batch_size == chosen.batch_size
    assert losses.objective.engine["engine"] == first.engine["engine"]
    assert losses.objective.engine.get("precision") == first.engine.get("precision")


@pytest.mark.parametrize(("long", "size"), [(0.0, 64), (1e9, 256)])
def test_batch_sizes_are_tried_where_theta_says_that_the_run_is_long(problem, monkeypatch, long, size):
    monkeypatch.setattr(startup, "WORTH_TIMING", long)
    monkeypatch.setattr(startup, "time_batch_sizes", lambda objective: 64)
    assert landscape.evaluate(*problem, x="-1:1:3").quality["batch_size"] == size
    # One that is said is not tried.
    assert landscape.evaluate(*problem, x="-1:1:3", batch_size=16).quality["batch_size"] == 16


def test_a_run_goes_on_with_the_batch_size_of_its_file_and_else_with_its_loaders(problem, tmp_path):
    net, data = problem
    path = tmp_path / "s.h5"

    def size(source, **how):
        # There the division into batches changes values, and another than the file's is refused.
        found = landscape.evaluate(net, source, x="-1:1:3", batch_norm="recompute", **how)
        return found.quality["batch_size"]

    loader = DataLoader(TensorDataset(*data), batch_size=7)
    assert size({"first": data, "second": loader}) == 7  # whichever of them says one
    assert size(loader, path=path, batch_size=5, samples=10) == 5
    assert size(loader, path=path, samples=20) == 5
    assert size(data, path=path) == 5


def test_a_resume_measures_no_precision_again(problem, monkeypatch, tmp_path):
    path = tmp_path / "s.h5"
    landscape.evaluate(*problem, x="-1:1:3", samples=10, precision="bfloat16", path=path)
    # As on a machine of another kind, where auto would choose otherwise.
    monkeypatch.setattr(startup, "choose", lambda *_, **__: pytest.fail("the file has its precision"))
    assert landscape.evaluate(*problem, x="-1:1:3", precision="auto", path=path).quality["precision"] == "bfloat16"


def test_a_run_is_as_long_as_all_its_points_of_all_seeds():
    settings = Settings(x="-1:1:3", y="0:1:2", repeats=4)
    assert startup._points(SimpleNamespace(settings=settings)) == 24


def test_a_rank_whose_directions_come_out_otherwise_says_so(problem):
    with ExitStack() as stack:
        setup = set_up(stack, *problem, None, Settings(x="-1:1:3", precision="float32"))
        first = startup._objective(setup, 256)
        startup.install(first, Forward(), setup.displacement.start)
        baseline = startup.measure_baseline(first)
        said = (Forward(batch_size=256), baseline, ["0" * 64 for _ in setup.axes])
        own = setup.comm
        object.__setattr__(setup, "comm", Other(own, said))
        with pytest.raises(ClusterError, match="the directions here are not those of rank 0"):
            startup.measure_start(setup)
        # Nor does one go on that has other data or weights.
        baseline.samples.values["train", "loss"] += 1
        object.__setattr__(setup, "comm", Other(own, (said[0], baseline, [axis.sha256 for axis in setup.axes])))
        with pytest.raises(EvaluationError, match="does not measure here as on rank 0"):
            startup.measure_start(setup)
