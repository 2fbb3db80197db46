"""The command under a real mpiexec, of MPICH and of Open MPI."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import landscape
from landscape.surface.surface import COMPUTED, Surface
from tests.helpers import jobs, tiny_problem

pytestmark = pytest.mark.slow
# What depends on how a launcher starts, connects and ends processes runs under both, once each in new processes; the
# rest under one of them, in forked ones, for which a client stands where the launcher looks.
both = pytest.mark.parametrize("mpi", jobs.LAUNCHERS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_problem.save(tmp_path_factory.mktemp("problem") / "net.pt")


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> Surface:
    """The surface as one process measures it."""
    path = checkpoint.parent / "whole.h5"
    code, _, err = jobs.run(jobs.evaluate(checkpoint, path))
    assert code == 0, err
    return landscape.read_surface(path)


def errors_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("landscape: error:")]


@both  # three ranks: below
def test_the_file_does_not_depend_on_the_number_of_ranks(checkpoint, whole, tmp_path, mpi):
    code, out, err = jobs.run(jobs.evaluate(checkpoint, tmp_path / "s.h5"), mpi=mpi, ranks=2, forked=False)
    assert code == 0, err
    assert out.count("wrote") == 1  # one process speaks for all
    found = landscape.read_surface(tmp_path / "s.h5")
    assert found.quality["ranks"] == 2
    jobs.assert_same_values(found, whole)


@pytest.mark.parametrize(
    ("mpi", "less"),
    [
        ("mpich", ("--standard-error", "0.02")),
        ("openmpi", ("--tolerance", "0.05", "--standard-error", "0.02", "--x=-1:1:21", "--y=-1:1:15")),
    ],
)
def test_ranks_agree_on_which_points_and_samples_are_enough(checkpoint, tmp_path, mpi, less):
    problem = ("--data", f"train={jobs.PROBLEM}:many", "--x=-1:1:13", "--y=-1:1:11", "--batch-size", "160", *less)
    assert jobs.run(jobs.evaluate(checkpoint, tmp_path / "alone.h5", *problem))[0] == 0
    code, _, err = jobs.run(jobs.evaluate(checkpoint, tmp_path / "s.h5", *problem), mpi=mpi, ranks=3)
    assert code == 0, err
    found, alone = (landscape.read_surface(tmp_path / name) for name in ("s.h5", "alone.h5"))
    assert (alone.state == 2).any() == ("--tolerance" in less)
    assert (len(set(alone.counts["train"][alone.state == 1])) > 1) == ("--standard-error" in less)
    jobs.assert_same_values(found, alone)
    np.testing.assert_array_equal(found.state, alone.state)
    np.testing.assert_array_equal(found.counts["train"], alone.counts["train"])


def test_ranks_choose_the_same_anchors_and_estimate_the_same_from_them(checkpoint, tmp_path):
    problem = ("--data", f"train={jobs.PROBLEM}:many", "--x=-1:1:13", "--y=-1:1:11", "--batch-size", "50")
    problem += ("--samples", "200", "--anchors", "5", "--loss", f"{jobs.PROBLEM}:slow", "--write-every", "0.1")
    assert jobs.run(jobs.evaluate(checkpoint, tmp_path / "alone.h5", *problem), SECONDS="0")[0] == 0
    # Killed while anchors are chosen for the second time, and gone on with.
    path = tmp_path / "s.h5"
    words = jobs.evaluate(checkpoint, path, *problem)
    job = jobs.start(words, mpi="mpich", ranks=2, forked=True, SECONDS="0.02")
    jobs.wait_for_points(path, 90, job)  # of 81 in the first round and 143 in the second
    jobs.end(job)
    job.communicate()
    cut = landscape.read_surface(path)
    assert (cut.quality["anchors"]["rounds"], cut.quality["anchors"]["settled"]) == (1, False)
    assert len(cut.anchors["train"].kept_points)
    code, _, err = jobs.run(words, mpi="mpich", ranks=2, SECONDS="0")
    assert code == 0, err
    found, alone = (landscape.read_surface(each) for each in (path, tmp_path / "alone.h5"))
    assert found.quality["ranks"] == 2
    jobs.assert_same_values(found, alone)
    assert len(alone.anchors["train"].points) == 5
    assert alone.quality["anchors"]["rounds"] == 2
    # In the order in which they came in, which is each run's own.
    order, own = (np.argsort(each.anchors["train"].points) for each in (found, alone))
    for both in ("points", "means", "samples"):
        pair = [getattr(each.anchors["train"], both) for each in (found, alone)]
        of, as_alone = ([each] if both == "points" else [each[name] for name in sorted(each)] for each in pair)
        for one, other in zip(of, as_alone, strict=True):
            np.testing.assert_allclose(one[order], other[own], rtol=1e-9)
    np.testing.assert_array_equal(found.counts["train"], alone.counts["train"])
    np.testing.assert_array_equal(found.anchored["train"], alone.anchored["train"])


def test_ranks_share_even_one_point(checkpoint, tmp_path):
    trace = tmp_path / "trace"
    trace.mkdir()
    words = jobs.evaluate(checkpoint, tmp_path / "s.h5", "--x=0.5:0.5:1", "--loss", f"{jobs.PROBLEM}:slow")
    code, _, err = jobs.run(words, mpi="mpich", ranks=3, SECONDS="0.2", TRACE=str(trace))
    assert code == 0, err
    measured = {each.name: sum(map(int, each.read_text().split())) for each in trace.iterdir()}
    # Each of the others measured its first batch to see whether it agrees with rank 0, and a part of the point.
    assert measured["1"] > 40
    assert measured["2"] > 40
    alone = jobs.evaluate(checkpoint, tmp_path / "alone.h5", "--x=0.5:0.5:1", "--loss", f"{jobs.PROBLEM}:slow")
    assert jobs.run(alone)[0] == 0
    jobs.assert_same_values(landscape.read_surface(tmp_path / "s.h5"), landscape.read_surface(tmp_path / "alone.h5"))


def test_dropout_is_the_same_noise_on_any_number_of_ranks(checkpoint, tmp_path):
    found = []
    for number, options in enumerate(({}, {"mpi": "mpich", "ranks": 3})):
        words = jobs.evaluate(checkpoint, tmp_path / f"{number}.h5", "--x=-1:1:2", "--mode", "train")
        code, _, err = jobs.run(words, **options)
        assert code == 0, err
        found.append(landscape.read_surface(tmp_path / f"{number}.h5"))
    jobs.assert_same_values(*found)


@pytest.mark.parametrize(("mpi", "bad"), [("mpich", "1"), ("openmpi", "0")])
def test_a_loss_that_fails_on_one_rank_ends_the_job_with_one_message(checkpoint, tmp_path, mpi, bad):
    path = tmp_path / "s.h5"
    words = jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:failing")
    began = time.monotonic()
    code, out, err = jobs.run(words, mpi=mpi, ranks=2, BAD=bad)
    assert time.monotonic() - began < 60
    assert code == 1
    (line,) = errors_in(err)
    assert f"rank {bad} on {os.uname().nodename}: measuring failed at x=" in line
    assert "ValueError: no luck with this batch" in line
    assert "Traceback" not in err
    assert "wrote" not in out
    kept = landscape.read_surface(path)
    assert 0 < (kept.state == COMPUTED).sum() < kept.state.size
    code, _, err = jobs.run(words, BAD="none")  # another number of ranks goes on with it
    assert code == 0, err
    assert landscape.read_surface(path).complete


def test_the_points_a_rank_had_finished_before_it_failed_are_kept(checkpoint, whole, tmp_path):
    path = tmp_path / "s.h5"
    words = jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:failing")
    code, _, _ = jobs.run(words, mpi="mpich", ranks=1, BAD="0")
    assert code == 1
    # The 40th fails: of 12 at theta* (all samples, and a prefix that is all of them: 6 batches each) and 6 a point.
    found = landscape.read_surface(path)
    assert (found.state == COMPUTED).sum() == (39 - 2 * 6) // 6
    np.testing.assert_allclose(found["train/loss"][known := found.state == COMPUTED], whole["train/loss"][known])


@both
def test_a_fault_of_ours_on_one_rank_ends_the_job(mpi):
    script = """
import time
from landscape import cli
from landscape.parallel.comm import current_comm
from tests.helpers import tiny_problem

def run(options):
    if current_comm().rank == 1:
        raise AttributeError("nobody foresaw this")
    time.sleep(1000)

cli._run_on_all.__globals__["build_parser"] = lambda: type("Parser", (), {"parse_args": lambda self, words: type(
    "Options", (), {"command": "evaluate", "run": staticmethod(run)})})()
raise SystemExit(cli.main(["evaluate"]))
"""
    code, _, err = jobs.run(["-c", script], mpi=mpi, ranks=2)
    assert code == 1
    assert len(errors_in(err)) == 1
    assert "nobody foresaw this" in errors_in(err)[0]


def test_what_is_wrong_everywhere_is_said_once(tmp_path):
    code, _, err = jobs.run(jobs.evaluate(tmp_path / "none.pt", tmp_path / "s.h5"), mpi="mpich", ranks=2)
    assert code == 1
    (line,) = errors_in(err)
    assert "rank" not in line
    assert "none.pt" in line
    code, _, err = jobs.run(["-m", "landscape", "evaluate", "--nonsense"], mpi="openmpi", ranks=2)
    assert code == 2
    assert len(errors_in(err)) == 1


def test_a_rank_that_reads_other_data_is_named(checkpoint, tmp_path):
    code, _, err = jobs.run(jobs.evaluate(checkpoint, tmp_path / "s.h5"), mpi="mpich", ranks=2, OTHER_DATA="1")
    assert code == 1
    (line,) = errors_in(err)
    assert "rank 1 on" in line
    assert "does not measure here as on rank 0" in line


@both
def test_a_killed_rank_ends_the_job_and_the_file_goes_on(checkpoint, whole, tmp_path, mpi):
    path = tmp_path / "s.h5"
    words = jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:slow", "--write-every", "0.05")
    with jobs.ended(jobs.start(words, mpi=mpi, ranks=2, SECONDS="0.01")) as job:
        jobs.wait_for_points(path, 10, job)
        os.kill(jobs.ranks_of(job)[1], signal.SIGKILL)
        began = time.monotonic()
        code, _, _ = jobs.finish(job)
        assert code != 0
        assert time.monotonic() - began < 20
    done = int((landscape.read_surface(path).state == COMPUTED).sum())
    assert 10 <= done < 81
    code, _, err = jobs.run(words, mpi=mpi, ranks=2)
    assert code == 0, err
    np.testing.assert_allclose(landscape.read_surface(path)["train/loss"], whole["train/loss"], rtol=1e-9)


@pytest.mark.parametrize(("mpi", "bad"), [("mpich", "0"), ("openmpi", "1")])
def test_a_rank_that_just_exits_ends_the_job_as_a_failure(checkpoint, tmp_path, mpi, bad):
    path = tmp_path / "s.h5"
    words = jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:exiting", "--write-every", "1000")
    code, out, err = jobs.run(words, mpi=mpi, ranks=2, BAD=bad)
    assert code != 0
    (line,) = errors_in(err)
    assert f"rank {bad} on" in line
    assert "os._exit(0) was called in the middle of the work" in line
    assert "wrote" not in out
    assert 1 < (landscape.read_surface(path).state == COMPUTED).sum() < 81


@pytest.mark.parametrize(("mpi", "rank"), [("mpich", 1), ("openmpi", 0)])
def test_sigterm_to_any_rank_writes_and_ends_the_job_with_143(checkpoint, tmp_path, mpi, rank):
    path = tmp_path / "s.h5"
    # Written once at the first result, then only because of the signal.
    words = jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:slow", "--write-every", "1000")
    with jobs.ended(jobs.start(words, mpi=mpi, ranks=2, forked=True, SECONDS="0.02")) as job:
        first = jobs.wait_for_points(path, 1, job)
        time.sleep(2)
        os.kill(jobs.ranks_of(job)[rank], signal.SIGTERM)
        code, _, err = jobs.finish(job)
    assert code == 143
    assert "landscape: terminated" in err
    done = int((landscape.read_surface(path).state == COMPUTED).sum())
    assert first < done < 81
    assert f"holds {done} of 81 points" in err
    assert not path.with_name("s.h5.lock").exists()


SCRIPT = """
import sys, time
import torch, landscape
from landscape.parallel.comm import current_comm
from tests.helpers import tiny_problem

torch.manual_seed(0)
model, data = tiny_problem.net(), tiny_problem.data()
loss = getattr(tiny_problem, sys.argv[1])
rank = current_comm().rank
for _ in range(2):
    try:
        surface = landscape.evaluate(model, data, x="-1:1:9", y="-1:1:9", loss=loss, batch_size=40)
    except landscape.LandscapeError as error:
        sys.stdout.write(f"rank {rank} caught: {error}\\n")
        raise SystemExit(3)
    # In one piece: the launcher may put another rank's line between a text and the end of its line.
    sys.stdout.write(f"rank {rank} has {surface['train/loss'].sum():.9f}\\n")
    sys.stdout.flush()
"""


def test_every_rank_of_a_script_gets_the_surface_and_may_ask_again():
    code, out, err = jobs.run(["-c", SCRIPT, "cross_entropy"], mpi="openmpi", ranks=2)
    assert code == 0, err
    lines = sorted(out.split("\n"))[1:]
    assert [line.split(" has ")[0] for line in lines] == ["rank 0", "rank 0", "rank 1", "rank 1"]
    assert len({line.split(" has ")[1] for line in lines}) == 1


def test_an_error_on_one_rank_of_a_script_is_raised_on_all():
    code, out, _ = jobs.run(["-c", SCRIPT, "failing"], mpi="mpich", ranks=2, BAD="1")
    assert code != 0
    assert "rank 1 caught: measuring failed at" in out
    assert f"rank 0 caught: rank 1 on {os.uname().nodename}: measuring failed at" in out


IDLE = """
import sys, time
from landscape.parallel.comm import current_comm
comm = current_comm()

def measure(number):
    time.sleep(3.0)
    return number

before = time.process_time()
comm.each(1, measure, lambda number, value: None)
comm.broadcast(None)
sys.stdout.write(f"{comm.rank} {time.process_time() - before}\\n")
"""


@both
def test_ranks_that_wait_sleep(mpi):
    code, out, err = jobs.run(["-c", IDLE], mpi=mpi, ranks=3)
    assert code == 0, err
    for line in out.strip().splitlines():
        # Three seconds of waiting, a look a millisecond: a spinning rank would show three.
        assert float(line.split()[1]) < 0.6, out


def test_other_commands_run_once(checkpoint, whole):
    code, out, err = jobs.run(["-m", "landscape", "info", whole.path], mpi="mpich", ranks=3)
    assert code == 0, err
    assert out.count("surface of 9 x 9 points, complete") == 1
