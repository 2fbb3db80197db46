"""Jobs killed at random moments, and disks that fill up: the file stays whole, and the work goes on from it.

Three kills in the usual suite. The long run, a hundred of whole jobs and twenty of single ranks:

    LANDSCAPE_KILLS=100 python -m pytest tests/crash
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import landscape
from landscape.surface.surface import COMPUTED, Surface
from tests.helpers import jobs, tiny_problem

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("LANDSCAPE_KILLS", "3"))
POINTS = 81


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_problem.save(tmp_path_factory.mktemp("problem") / "net.pt")


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> Surface:
    """The surface of a run that nothing interrupts."""
    path = checkpoint.parent / "whole.h5"
    code, _, err = jobs.run(command(checkpoint, path))
    assert code == 0, err
    return landscape.read_surface(path)


def command(checkpoint: Path, path: Path) -> list[str | Path]:
    return jobs.evaluate(checkpoint, path, "--loss", f"{jobs.PROBLEM}:slow", "--write-every", "0.02")


def check(path: Path, whole: Surface) -> int:
    """Open the file, compare every value in it with the uninterrupted run's; return how many points it holds."""
    surface = landscape.read_surface(path)
    done = surface.state == COMPUTED
    for group in ("values", "stderr", "paired_stderr", "counts"):
        for name, values in getattr(surface, group).items():
            expected = getattr(whole, group)[name]
            np.testing.assert_allclose(values[done], expected[done], rtol=1e-9, atol=1e-12, err_msg=f"{group} {name}")
    return int(done.sum())


def complete(checkpoint: Path, path: Path, whole: Surface, folder: Path) -> None:
    """Finish the work; only the points that were missing may be measured again."""
    before = check(path, whole)
    trace = folder / "trace"
    shutil.rmtree(trace, ignore_errors=True)
    trace.mkdir()
    code, _, err = jobs.run(command(checkpoint, path), TRACE=str(trace), SECONDS="0")
    assert code == 0, err
    samples = sum(int(line) for each in trace.iterdir() for line in each.read_text().split())
    # theta* is measured twice: what was measured to see whether it repeats gives its value too. What the loss does with
    # the network is seen on 8 samples, and on 8 twice whether their losses depend on which others share their batch.
    assert samples == (POINTS - before + 2) * tiny_problem.SAMPLES + 3 * 8
    jobs.assert_same_values(landscape.read_surface(path), whole)


def kill_often(number: int, checkpoint: Path, whole: Surface, folder: Path, single: bool) -> None:
    """Kill so many jobs, each after it has written; whenever little is left, finish and start another file."""
    chance = random.Random(number)
    path, done, files = folder / "0.h5", 0, 0
    for kill in range(number):
        mpi = ("mpich", "openmpi")[kill % 2] if single else (None, "mpich", "openmpi")[kill % 3]
        options = {"mpi": mpi, "ranks": 2} if mpi else {}
        # Of whole jobs the file alone counts. What becomes of a job that loses a rank is its launcher's doing.
        words = command(checkpoint, path)
        with jobs.ended(jobs.start(words, forked=not single, SECONDS="0.004", **options)) as job:
            jobs.wait_for_points(path, done + 1, job)
            time.sleep(chance.random() * 0.3)
            if single:
                victims = jobs.ranks_of(job)
                assert len(victims) == 2
                os.kill(chance.choice(victims), signal.SIGKILL)
                jobs.finish(job, limit=60)
            else:
                jobs.end(job)
                jobs.finish(job, limit=60)
        held = check(path, whole)
        assert held > done, "the work was started over, or what was written is lost"
        done = held
        if done > 0.6 * POINTS or kill == number - 1:
            if done < POINTS:
                complete(checkpoint, path, whole, folder)
            files += 1
            path, done = folder / f"{files}.h5", 0


def test_jobs_killed_at_random_moments_leave_a_file_that_goes_on(checkpoint, whole, tmp_path):
    kill_often(KILLS, checkpoint, whole, tmp_path, single=False)


def test_jobs_of_which_one_rank_is_killed_leave_a_file_that_goes_on(checkpoint, whole, tmp_path):
    kill_often(max(KILLS // 5, 2), checkpoint, whole, tmp_path, single=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a tmpfs is not allowed here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("mpi", [None, "mpich"])
def test_a_disk_that_fills_up_ends_the_job_and_keeps_the_last_good_file(checkpoint, whole, small_disk, tmp_path, mpi):
    path = small_disk / "s.h5"
    options = {"mpi": mpi, "ranks": 2} if mpi else {}
    with jobs.ended(jobs.start(command(checkpoint, path), forked=True, SECONDS="0.02", **options)) as job:
        jobs.wait_for_points(path, 3, job)
        with open(small_disk / "filler", "wb", buffering=0) as filler:
            for size in (4096, 1):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError:
                    pass
        code, _, err = jobs.finish(job)
    assert code == 1
    errors = [line for line in err.splitlines() if line.startswith("landscape: error:")]
    assert len(errors) == 1
    assert "the disk is full" in errors[0]
    assert "the last good" in errors[0]
    assert 3 <= check(path, whole) < POINTS
    (small_disk / "filler").unlink()
    complete(checkpoint, path, whole, tmp_path)


def test_a_folder_that_disappears_ends_the_job_with_what_to_do(checkpoint, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    path = folder / "s.h5"
    with jobs.ended(jobs.start(command(checkpoint, path), forked=True, SECONDS="0.02")) as job:
        jobs.wait_for_points(path, 1, job)
        folder.rename(tmp_path / "moved")
        code, _, err = jobs.finish(job)
    assert code == 1
    assert "landscape: error:" in err
    assert landscape.read_surface(tmp_path / "moved" / "s.h5").state.any()
