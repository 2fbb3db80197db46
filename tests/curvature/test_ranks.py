"""Processes that measure curvature together under a real mpiexec: what they share, and what one of them raises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from landscape.curvature.directions import DirectionSettings, curvature_directions
from tests.helpers import jobs, tiny_problem

pytestmark = pytest.mark.slow

# Finite are the loss and its gradient; second derivatives are nan on all ranks, or fail on one.
SCRIPT = """
import sys, torch
from torch import nn
import landscape
from landscape.curvature.analysis import Settings
from landscape.curvature.cost import estimate_curvature_cost
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
        cost = estimate_curvature_cost(net, (x, y), settings=Settings(eigenvalues=1, probes=2, steps=3), comm=comm)
        said += f" {cost.weights} {cost.samples} {cost.seconds_per_product}"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"{comm.rank} {seed} {said}\\n")
    sys.stdout.flush()
"""


def test_what_one_rank_raises_is_raised_on_all_and_the_next_network_is_measured():
    _, out, err = jobs.run(["-c", SCRIPT], mpi="mpich", ranks=2, limit=60)
    found = {line[:3]: line[4:] for line in out.splitlines()}
    assert found["0 1"] == found["1 1"], err
    assert found["0 1"].startswith("NotFiniteError: the product is not finite in 0.weight")
    assert found["0 2"].startswith("ValueError: nothing here")
    assert found["1 2"].startswith("RuntimeError: on rank 0: ValueError: nothing here")
    assert found["0 3"] == found["1 3"], "also of what it would cost"
    assert found["0 3"].startswith("True 75 64 ")
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


# At the first step everything goes well; what fails then does so on one rank, or on rank 0 as on all.
RUN = """
import sys, torch
from pathlib import Path
from torch import nn
import landscape
from landscape.errors import UsageError
from landscape.parallel.comm import current_comm

comm = current_comm()
net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
paths = [Path(f"step-{k}.pt") for k in range(2)]
if comm.rank == 0:
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        torch.save(nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).state_dict(), path)
comm.broadcast(None)
run = landscape.find_run(paths)
x, y = torch.randn(64, 5, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3
few = {"eigenvalues": 1, "probes": 2, "steps": 3, "gauss_newton": False, "comm": comm}

def fails(*ranks, text):
    def call(*arguments):
        if comm.rank in ranks: raise OSError(text)
    return call

def refuses(found):
    raise UsageError("not like this")

found, runs = {}, []
def keep(so_far):
    found.update(so_far)
    if len(so_far["train"].steps) == 1: raise OSError("cut short")

for name, options in (
    ("writes", {"each_step": fails(0, text="disk full")}),
    ("writes all", {"each_step": fails(0, 1, text="disk full")}),
    ("says", {"progress": fails(0, text="no terminal")}),
    ("refuses", {"each_step": refuses if comm.rank == 0 else None}),
    ("set-up", {"memory": -1.0 if comm.rank == 0 else None}),
    ("begun", {"each_step": keep if comm.rank == 0 else None}),
    ("resumed", {"found": found}),
    ("rank 1", {"each_step": fails(1, text="full here")}),
):
    try:
        done = landscape.measure_run_curvature(net, (x, y), run, **few, **options)
        said = f"{len(done['train'].reports)} {float(done['train'].reports[-1].raw.eigenvalues[0])!r}"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"{comm.rank} {name}: {said}\\n")
    sys.stdout.flush()
"""


def test_what_one_rank_raises_along_a_run_leaves_none_waiting(tmp_path):
    _, out, err = jobs.run(["-c", RUN], mpi="mpich", ranks=2, folder=tmp_path)
    found = dict(line.split(": ", 1) for line in out.splitlines())
    assert found["0 writes"] == "OSError: disk full", err
    assert found["1 writes"].startswith("RuntimeError: on rank 0: OSError: disk full")
    assert found["0 writes all"] == found["1 writes all"] == "OSError: disk full"
    assert found["0 says"] == "OSError: no terminal"
    assert found["1 says"].startswith("RuntimeError: on rank 0: OSError: no terminal")
    assert found["0 refuses"] == found["1 refuses"] == "UsageError: not like this"
    assert found["0 set-up"] == found["1 set-up"]
    assert "memory is -1 bytes" in found["1 set-up"]
    assert found["0 begun"] == "OSError: cut short"
    assert found["0 resumed"] == found["1 resumed"]
    assert found["0 resumed"].startswith("2 ")
    assert found["1 rank 1"] == "OSError: full here"
    assert found["0 rank 1"].startswith("ClusterError: ")
    assert "full here" in found["0 rank 1"]


INTERRUPTED = """
import sys, torch
from torch import nn
import landscape
from landscape.parallel.comm import current_comm

comm = current_comm()

def loss(model, batch):
    if comm.rank == 1: raise KeyboardInterrupt
    return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

x, y = torch.randn(64, 5, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3
try:
    landscape.curvature(nn.Linear(5, 3), (x, y), loss=loss, comm=comm)
except BaseException as error:
    sys.stdout.write(f"{comm.rank} {type(error).__name__}: {error}\\n")
    sys.stdout.flush()
"""


def test_a_rank_interrupted_while_it_sets_up_leaves_none_waiting():
    _, out, err = jobs.run(["-c", INTERRUPTED], mpi="mpich", ranks=2, limit=60)
    assert "1 KeyboardInterrupt" in out, err
    assert "0 ClusterError: rank 1 on " in out


DIRECTIONS = """
import sys, numpy, torch
from torch import nn
from landscape.curvature.directions import DirectionSettings, curvature_directions
from landscape.curvature.products import Products
from landscape.parallel.comm import current_comm

comm, made, summed = current_comm(), [], Products.summed
Products.summed = lambda self, vector: made.append(self._own) or summed(self, vector)
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
data = torch.randn(64, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 3
sources = ["hessian:0", "hessian:-1", "sharpest", "gradient"]
found = curvature_directions(net, data, sources, DirectionSettings(tolerance=1e-6))
if comm.rank == 0:
    numpy.savez("found.npz", *[numpy.concatenate([t.ravel() for t in d.tensors.values()]) for d in found])
sys.stdout.write(f"{comm.rank} {len(made)} {made[0]} {[d.sha256 for d in found]}\\n")
"""


def test_directions_are_looked_for_together_and_are_the_same_on_all_ranks(tmp_path):
    # Not forked: the ranks' seeds of hashes differ, as a user's do.
    _, out, err = jobs.run(["-c", DIRECTIONS], mpi="mpich", ranks=2, folder=tmp_path, forked=False)
    first, second = (line.split(" ", 2)[1:] for line in sorted(out.splitlines()))
    assert first[0] == second[0], err
    assert int(first[0]) > 10
    assert first[1].startswith("range(0, 8, 2) ")
    assert second[1].startswith("range(1, 8, 2) ")
    assert first[1].partition("[")[2] == second[1].partition("[")[2]
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
    inputs = torch.randn(64, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    how = DirectionSettings(tolerance=1e-6)
    alone = curvature_directions(
        net, (inputs, torch.arange(64) % 3), ["hessian:0", "hessian:-1", "sharpest", "gradient"], how
    )
    with np.load(tmp_path / "found.npz") as stored:
        for one, name in zip(alone, stored, strict=True):
            flat = torch.cat([each.reshape(-1) for each in one.tensors.values()]).numpy()
            np.testing.assert_allclose(stored[name], flat, rtol=0, atol=1e-7 * np.linalg.norm(flat))
