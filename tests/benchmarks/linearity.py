"""How time grows with points and with samples, over two decades each: ``python -m tests.benchmarks.linearity``.

Fits t = c n^k to the processor time of the loop over points, the least of a few runs at each n, with an untrained
ResNet-20 on random images of 16 x 16; k should be 1. What a run takes once, however long it is (the measurement at
theta*, the file), is not in it.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack

import numpy as np
import torch

from landscape.evaluation.runner import Run
from landscape.evaluation.settings import Settings
from tests.helpers.engine_networks import ResNet, as_trained

POINTS = (10, 32, 100, 316, 1000)
SAMPLES = (500, 1581, 5000, 15811, 50000)
# What stays the same while the other grows.
POINTS_OF_SAMPLES, SAMPLES_OF_POINTS = 1, 250
BATCH = 250


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="at each size")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = as_trained(ResNet(20)).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(max(SAMPLES), 3, 16, 16, generator=generator)
    data = images, torch.randint(0, 10, (max(SAMPLES),), generator=generator)
    for name, sizes in (("points", POINTS), ("samples", SAMPLES)):
        seconds = []
        for size in sizes:
            points, samples = (size, SAMPLES_OF_POINTS) if name == "points" else (POINTS_OF_SAMPLES, size)
            seconds.append(min(loop(model, data, points, samples) for _ in range(options.runs)))
            each = seconds[-1] / (points * samples)
            print(f"{points:6} points x {samples:6} samples: {seconds[-1]:8.3f} s, {1e6 * each:6.2f} us a sample")
        exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        print(f"exponent in {name}: {exponent:.3f}", flush=True)


def loop(model: torch.nn.Module, data: tuple[torch.Tensor, torch.Tensor], points: int, samples: int) -> float:
    """Return the processor time of a run's loop, in seconds."""
    with ExitStack() as stack:
        settings = Settings(x=np.linspace(-1, 1, points), samples=samples, batch_size=BATCH)
        run = Run(stack, model, data, None, settings)
        began = time.process_time()
        run.execute()
        return time.process_time() - began


if __name__ == "__main__":
    main()
