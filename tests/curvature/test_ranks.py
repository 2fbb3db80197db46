"""Processes that measure curvature together under a real mpiexec: what is raised on one of them."""

from __future__ import annotations

import pytest

from tests.helpers import jobs, tiny_problem

pytestmark = pytest.mark.slow

# Finite are the loss and its gradient; second derivatives are nan on all ranks, or fail on one.
SCRIPT = """
import sys, torch
from torch import nn
import landscape
from landscape.parallel.comm import current_comm

comm = current_comm()

class Slope(torch.autograd.Function):
    @staticmethod
    def forward(context, x): return torch.ones_like(x)
    @staticmethod
    def backward(context, slope):
        if bad == comm.rank: raise ValueError("nothing here")
        return slope * float("nan") if bad == "all" else slope * 0

class Identity(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.clone()
    @staticmethod
    def backward(context, slope): return slope * Slope.apply(context.saved_tensors[0])

class Net(nn.Sequential):
    def forward(self, x): return self[2](self[1](Identity.apply(self[0](x))))

x, y = torch.randn(64, 5, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3
for seed, bad in ((1, "all"), (2, 0), (3, None), (4, 1)):
    torch.manual_seed(seed)
    net = Net(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))
    few = {"eigenvalues": 1, "probes": 2, "steps": 3, "gauss_newton": False}
    try:
        report = landscape.curvature(net, (x, y), comm=comm, **few)
        alone = landscape.curvature(net, (x, y), **few)
        said = f"{abs(report.raw.eigenvalues / alone.raw.eigenvalues - 1).max() < 1e-4}"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"{comm.rank} {seed} {said}\\n")
    sys.stdout.flush()
"""


def test_what_one_rank_raises_is_raised_on_all_and_the_next_network_is_measured():
    _, out, err = jobs.finish(jobs.start(["-c", SCRIPT], mpi="mpich", ranks=2), limit=60)
    found = {line[:3]: line[4:] for line in out.splitlines()}
    assert found["0 1"] == found["1 1"], err
    assert found["0 1"].startswith("NotFiniteError: the product is not finite in 0.weight")
    assert found["0 2"].startswith("ValueError: nothing here")
    assert found["1 2"].startswith("RuntimeError: on rank 0: ValueError: nothing here")
    assert found["0 3"] == found["1 3"] == "True"
    assert found["0 4"].startswith("ClusterError: rank 1 on ")
    assert "nothing here" in found["0 4"]
    assert found["1 4"].startswith("ValueError: nothing here")


def test_ranks_that_hold_other_data_are_refused(tmp_path):
    tiny_problem.save(tmp_path / "net.pt")
    problem = ("--model", f"{jobs.PROBLEM}:net", "--data", f"train={jobs.PROBLEM}:data", "--samples", "40")
    words = ["-m", "landscape", "curvature", "net.pt", *problem]
    code, _, err = jobs.run(words, mpi="mpich", ranks=2, folder=tmp_path, OTHER_DATA="1")
    assert code == 1
    assert "rank 1 on" in err
    assert "the checkpoint does not measure here as on rank 0" in err
    assert not (tmp_path / "net.curvature.h5").exists()
