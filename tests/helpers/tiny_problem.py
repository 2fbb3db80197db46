"""A problem for tests that start the command: named there as ``tests/helpers/tiny_problem.py:net``.

What goes wrong is asked for in the environment, since the command runs in processes of its own.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SAMPLES = 240
# How this process is numbered by whichever launcher started it.
RANK = int(os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0")))

Batch = tuple[Tensor, Tensor]


def net() -> nn.Module:
    """Build a small network, in float64 so that sums in another order agree to many digits."""
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)).double()


def data() -> Batch:
    """Return fixed samples; other ones on the rank that ``OTHER_DATA`` names."""
    seed = 2 if os.environ.get("OTHER_DATA") == str(RANK) else 1
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(SAMPLES, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (SAMPLES,), generator=generator)


def many() -> Batch:
    """Build more samples of the kind, so that a point may need fewer than all."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2000, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (2000,), generator=generator)


def save(path: Path) -> Path:
    """Save the network's weights."""
    torch.manual_seed(0)
    torch.save(net().state_dict(), path)
    return path


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Return one value a sample."""
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def exiting(model: nn.Module, batch: Batch) -> Tensor:
    """End the process of rank ``BAD`` by ``os._exit`` after some batches, as if all were well."""
    global _batches
    _batches += 1
    if os.environ["BAD"] == str(RANK) and _batches > 60:
        os._exit(0)
    return slow(model, batch)


_batches = 0


def slow(model: nn.Module, batch: Batch) -> Tensor:
    """Take ``SECONDS`` a batch, and note in the folder ``TRACE`` which rank measured how many samples."""
    time.sleep(float(os.environ.get("SECONDS", "0.002")))
    if "TRACE" in os.environ:
        with open(Path(os.environ["TRACE"]) / str(RANK), "a") as trace:
            trace.write(f"{len(batch[1])}\n")
    return cross_entropy(model, batch)


calls = 0


def failing(model: nn.Module, batch: Batch) -> Tensor:
    """Fail on the rank ``BAD`` at the 40th batch."""
    global calls
    calls += 1
    if calls == 40 and os.environ["BAD"] == str(RANK):
        raise ValueError("no luck with this batch")
    return slow(model, batch)


def deep(model: nn.Module, batch: Batch) -> Tensor:
    """Spend a minute inside one operation from the 40th batch on; ``LONG`` names a file that says when it begins."""
    global calls
    calls += 1
    if calls >= 40:
        matrix = torch.randn(6000, 6000, dtype=torch.float64)
        Path(os.environ["LONG"]).touch()
        torch.linalg.svd(matrix)
    return slow(model, batch)
