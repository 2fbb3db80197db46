"""Data that are read in parts and cost a millisecond a sample to decode, against the same data in memory.

    python -m tests.benchmarks.streaming

Pairs in turns, by the clock, since decoding may sleep; both sides' losses are compared. The room for data is set so
that they are read in parts. Beside decoding, each part sets the weights of every point once more: parts of few samples
of a small network show what that costs: ``--images 256 --parts 4 --width 4 --batch-size 64``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

import landscape
from landscape.surface.surface import Surface
from tests.helpers.engine_networks import ResNet, as_trained


class Decoded(Dataset[tuple[Tensor, int]]):
    """Random images that take their time."""

    def __init__(self, number: int, seconds: float) -> None:
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randn(number, 3, 32, 32, generator=generator)
        self.labels = torch.randint(0, 10, (number,), generator=generator)
        self.seconds = seconds

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        time.sleep(self.seconds)
        return self.images[index], int(self.labels[index])


def main() -> None:
    """Print the median of the pairs' ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.streaming")
    parser.add_argument("--number", type=int, default=51, help="points along each axis (default: 51)")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--depth", type=int, default=8, help="of the ResNet (default: 8)")
    parser.add_argument("--width", type=int, default=16, help="of its first layers (default: 16)")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--decode", type=float, default=1e-3, metavar="SECONDS", help="a sample (default: 0.001)")
    parser.add_argument("--parts", type=int, default=2, help="in which they are read (default: 2)")
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = as_trained(ResNet(options.depth, options.width))
    plane = landscape.random_plane(model)
    grid = f"-1:1:{options.number}"
    data = Decoded(options.images, options.decode)
    resident = (data.images, data.labels)
    room = options.images // options.parts * data.images[0].nbytes * 1.05

    def run(source: Dataset[tuple[Tensor, int]] | tuple[Tensor, Tensor]) -> tuple[float, Surface]:
        began = time.perf_counter()
        surface = landscape.evaluate(model, source, plane, x=grid, y=grid, batch_size=options.batch_size)
        return time.perf_counter() - began, surface

    ratios = []
    for pair in range(options.pairs):
        whole, expected = run(resident)
        with mock.patch("landscape.evaluation.forward_pass.objective.resident_budget", return_value=int(room)):
            parts, got = run(data)
        off = float(np.max(np.abs(got["train/loss"] - expected["train/loss"]) / expected["train/loss"]))
        ratios.append(parts / whole)
        print(f"pair {pair + 1}: in memory {whole:.1f} s, in parts {parts:.1f} s, {ratios[-1]:.3f}; off by {off:.1e}")
    print(f"data in parts cost {statistics.median(ratios):.3f} of data in memory")


if __name__ == "__main__":
    main()
