"""A small network in double precision, its data and trained weights, alike on every machine up to rounding."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from landscape.trajectory.recorder import Recorder


def network() -> nn.Module:
    """Build the network: convolutions, batch norm, dropout, a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Softplus(), nn.Conv2d(4, 6, 3, stride=2, groups=2),
        nn.Softplus(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(54, 3),
    ).double()  # fmt: skip


def data(number: int = 96, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Return images of three classes that a network can learn, but for some."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 3, (number,), generator=generator)
    patterns = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return patterns[classes] + 1.5 * torch.randn(number, 1, 8, 8, generator=generator, dtype=torch.float64), classes


def held_out() -> tuple[Tensor, Tensor]:
    """Return other images of the same classes."""
    return data(60, 6)


def many() -> tuple[Tensor, Tensor]:
    """Return so many that a point does not need them all."""
    return data(1100, 7)


def brier(output: Tensor, target: Tensor) -> Tensor:
    """Return Brier's score of each sample, shape (n,)."""
    return (output.softmax(1) - torch.nn.functional.one_hot(target, output.shape[1])).square().sum(1)


def margin(output: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Return by how much the right class is ahead of the next, shape (n,)."""
    right = output.gather(1, batch[1][:, None])[:, 0]
    return right - output.scatter(1, batch[1][:, None], float("-inf")).amax(1)


def train(folder: Path, seed: int, steps: int = 24) -> Path:
    """Train the network and record it every sixth step; return the last record."""
    torch.manual_seed(seed)
    model, (x, y) = network(), data()
    model[5].eval()  # which numbers dropout draws depends on the processor
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with Recorder(folder, model, every=6) as recorder:
        for step in range(steps + 1):
            loss = nn.functional.cross_entropy(model(x), y)
            recorder.record(step, loss=loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    torch.save(model.state_dict(), path := folder.with_suffix(".pt"))
    return path
