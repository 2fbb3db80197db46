"""A small network with batch norm and a recorded training of it; for commands it is ``trained_run.py:network``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from landscape.cli import main
from landscape.trajectory.record_losses import put_record
from landscape.trajectory.recorder import Recorder
from landscape.trajectory.runs import TrainingRun, find_run


def network(norm: bool = True) -> nn.Module:
    """Build the network, with weights of torch's generator."""
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.Tanh(), nn.Linear(8, 3))


def data() -> tuple[Tensor, Tensor]:
    """Return 40 samples of three classes, the same each time."""
    generator = torch.Generator().manual_seed(7)
    return torch.randn(40, 4, generator=generator), torch.randint(0, 3, (40,), generator=generator)


def train(folder: Path, lr: float = 0.3, momentum: float = 0.9, steps: int = 12, every: int = 1) -> TrainingRun:
    """Train the network from seeded weights, the same for every run, and record it."""
    x, y = data()
    torch.manual_seed(3)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    with Recorder(folder, model, every=every) as recorder:
        for step in range(steps):
            loss = nn.functional.cross_entropy(model(x), y)
            recorder.record(step, loss=loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return find_run(folder)


def at_end(run: TrainingRun) -> nn.Module:
    """Return the network as it was at the run's last record, in eval mode."""
    model = network().eval()
    put_record(model, run.records[-1])
    return model


PROBLEM = ["--model", f"{__file__}:network", "--data", f"train={__file__}:data"]


def command(*words, output):
    return main(["trajectory", *map(str, words), *PROBLEM, "-o", str(output)])
