"""Who started this process, and what one process does with calls meant for many."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from landscape.parallel.launchers import ALONE, Launch, find_launch
from landscape.parallel.serial import Comm
from tests.helpers import jobs, tiny_problem

LAUNCHES = [
    ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "1"}, (1, 4)),
    ({"PMI_RANK": "3", "PMI_SIZE": "4"}, (3, 4)),
    ({"PMI_RANK": "0", "PMI_SIZE": "2"}, (0, 2)),
    ({"MV2_COMM_WORLD_RANK": "1", "MV2_COMM_WORLD_SIZE": "2"}, (1, 2)),
    ({"JSM_NAMESPACE_RANK": "0", "JSM_NAMESPACE_SIZE": "9"}, (0, 9)),
    ({"FLUX_TASK_RANK": "2", "FLUX_JOB_SIZE": "3"}, (2, 3)),
    ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "6", "SLURM_NTASKS": "6"}, (5, 6)),
    ({"PMIX_RANK": "1"}, (1, None)),
    # mpiexec inside a batch job: the launcher counts, not the queue.
    ({"PMI_RANK": "1", "PMI_SIZE": "2", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}, (1, 2)),
]


@pytest.mark.parametrize(("environment", "expected"), LAUNCHES)
def test_a_launcher_is_known_by_what_it_puts_into_the_environment(environment, expected):
    found = find_launch(environment)
    assert found is not None
    assert (found.rank, found.size) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "8"},  # a batch script, which is one process
        {"PMI_RANK": "0", "PMI_SIZE": "1"},
        {"PMI_RANK": "zero", "PMI_SIZE": "2"},
        {"PMI_RANK": "1", "PMI_SIZE": "2", ALONE: "1"},
    ],
)
def test_one_process_needs_no_launcher(environment):
    assert find_launch(environment) is None


def test_one_process_does_everything_itself():
    comm, kept = Comm(), {}
    assert comm.broadcast("x") == "x"
    assert comm.add(np.ones(2)).tolist() == [1.0, 1.0]
    assert comm.gather_local(3) == [3]
    comm.each(5, lambda number: number * number, kept.__setitem__)
    assert kept == {0: 0, 1: 1, 2: 4, 3: 9, 4: 16}
    assert (comm.rank, comm.size, comm.local_rank, comm.local_size) == (0, 1, 0, 1)


def test_an_error_of_one_process_is_raised_as_it_is():
    def fail(number: int) -> int:
        raise ZeroDivisionError(number)

    with pytest.raises(ZeroDivisionError):
        Comm().each(2, fail, lambda number, value: None)


def test_mpi_is_not_loaded_without_a_launcher():
    script = "import sys, landscape.parallel.comm as c; c.current_comm(); print('mpi4py' in sys.modules)"
    assert jobs.run(["-c", script])[1] == "False\n"


BROKEN = "import sys; sys.modules['mpi4py'] = None; from landscape.cli import main; sys.exit(main())"


def test_several_processes_that_cannot_load_mpi_are_refused_and_one_is_not(tmp_path):
    words = jobs.evaluate(tiny_problem.save(tmp_path / "net.pt"), tmp_path / "s.h5", "--x=-1:1:3")[2:]
    code, _, err = jobs.run(["-c", BROKEN, *words], PMI_RANK="0", PMI_SIZE="2")
    assert code == 1
    assert "mpiexec started 2 processes, but this one cannot load MPI" in err
    assert f"{ALONE}=1" in err
    assert "'torch-landscape[mpi]'" in err
    assert "'torch-landscape[mpi4py]'" in err
    assert not (tmp_path / "s.h5").exists()
    code, _, err = jobs.run(["-c", BROKEN, *words])
    assert code == 0, err


def test_processes_that_mpi_does_not_connect_are_refused(tmp_path):
    # As where srun starts processes whose MPI library does not speak its language: each believes itself alone.
    words = jobs.evaluate(tiny_problem.save(tmp_path / "net.pt"), tmp_path / "s.h5")
    code, _, err = jobs.run(words, SLURM_PROCID="0", SLURM_STEP_NUM_TASKS="4")
    assert code == 1
    assert "srun started 4 processes, but MPI (" in err
    assert "connects 1" in err
    assert "torch-landscape[mpi4py]" in err
    assert not (tmp_path / "s.h5").exists()


def test_a_launch_is_plain_data():
    assert find_launch({"PMI_RANK": "0", "PMI_SIZE": "2"}) == Launch("mpiexec", 0, 2)
    assert (
        subprocess.run([sys.executable, "-c", "import landscape.parallel.scheduler"], check=True, timeout=60).returncode
        == 0
    )
