"""A command that is killed goes on from its file to the same numbers, and several processes come to them, too."""

from __future__ import annotations

import random
import time

import pytest
import torch

from landscape.cli import main
from landscape.files.reports.similarity_file import read_similarity, read_state
from tests.helpers import jobs, tiny_problem
from tests.helpers.similarities import assert_same


def command(folder, path) -> list[str]:
    problem = ["--model", f"{jobs.PROBLEM}:net", "--data", f"test={jobs.PROBLEM}:many", "--batch-size", "20"]
    options = ["--passes", "3", "--samples", "1000", "--without-components", "1", "--procrustes"]
    options += ["--write-every", "0.05", "-o", str(path)]
    return ["-m", "landscape", "similarity", str(folder / "a.pt"), str(folder / "b.pt"), *problem, *options]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("similarity")
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        torch.save(tiny_problem.net().state_dict(), folder / f"{name}.pt")
    return folder


@pytest.mark.slow
def test_a_command_that_is_killed_goes_on_and_several_processes_agree(folder, tmp_path):
    whole, path = tmp_path / "whole.h5", tmp_path / "sim.h5"
    assert main(command(folder, whole)[2:]) == 0
    chance, before = random.Random(0), 0
    for kill in range(2):
        with jobs.ended(jobs.start(command(folder, path), forked=True)) as job:
            while True:
                time.sleep(chance.random() * 0.2)
                done = 0 if not path.exists() else batches_in(path)
                if done > before or job.poll() is not None:
                    break
            jobs.end(job)
            jobs.finish(job)
        if read_similarity(path).complete:
            break
        assert batches_in(path) > before, (kill, before)
        before = batches_in(path)
    code, _, err = jobs.run(command(folder, path))
    assert code == 0, err
    assert_same(read_similarity(path), read_similarity(whole))
    code, _, err = jobs.run(command(folder, tmp_path / "two.h5"), mpi="mpich", ranks=2)
    assert code == 0, err
    assert_same(
        read_similarity(tmp_path / "two.h5"), read_similarity(whole), rtol=1e-7
    )  # of layers that are the same, rounding alone


def batches_in(path) -> int:
    """Return how many steps of the work a file holds; all of them where it is complete."""
    state = read_state(path)
    if state is None or read_similarity(path).complete:
        return 10**6
    arrays = state[1]
    passes = sum(int(each[0]) * 100 for name, each in arrays.items() if name.endswith(".passes"))
    return passes + sum(int(each.sum()) for name, each in arrays.items() if name.endswith(".done")) + len(arrays)
