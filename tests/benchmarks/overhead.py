"""What the loop costs beside its forward passes: ``python -m tests.benchmarks.overhead``.

Pairs in one run: `landscape.evaluate`'s own work on a point (moving the weights, measuring, statistics, recording),
against the same forward passes and per-sample losses in a bare loop over the same resident batches. Prints the median
of the ratios and both sides' losses, which have to agree.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import ExitStack

import numpy as np
import torch
from torch import nn

from landscape.demo import networks as demo_networks
from landscape.evaluation.runner import Run
from landscape.evaluation.settings import Settings
from landscape.problem.data.sources import resolve_data
from landscape.surface.surface import Surface


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--points", type=int, default=120, help="points in each half of a pair")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = demo_networks.residual(blocks=9).eval()
    data = resolve_data(["train=digits:train"])
    ratios, ours, bare = [], np.empty(0), np.empty(0)
    for pair in range(options.pairs):
        coordinates = np.linspace(-1, 1, options.points)
        seconds = {}
        for side in ("ours", "bare") if pair % 2 else ("bare", "ours"):
            with ExitStack() as stack:
                run = Run(stack, model, data, None, Settings(x=coordinates, samples=options.samples))
                began = time.process_time()
                if side == "ours":
                    surface: Surface = run.execute()
                    ours = surface["train/loss"]
                else:
                    bare = bare_loop(run, coordinates)
                seconds[side] = time.process_time() - began
        ratios.append(seconds["ours"] / seconds["bare"])
    print(f"largest difference of the losses  {float(np.abs(ours - bare).max()):.2e}")
    print(f"ours / bare loop, {options.pairs} pairs    median {statistics.median(ratios):.3f}", end="  ")
    print(f"(quartiles {np.quantile(ratios, 0.25):.3f} to {np.quantile(ratios, 0.75):.3f})")


@torch.no_grad()
def bare_loop(run: Run, coordinates: np.ndarray) -> np.ndarray:
    """The forward passes alone, by the engine the run uses, over the batches it has on the device."""
    network = run.losses.objective.network
    chunks = run.losses.objective.load(run.losses.objective.groups(run.losses.baseline.spans)[0])
    means = []
    for coordinate in coordinates:
        run.setup.displacement.move_to((float(coordinate),))
        network.refresh()
        losses = [
            nn.functional.cross_entropy(network(x), y, reduction="none") for chunk in chunks for x, y in chunk.batches
        ]
        means.append(float(torch.cat(losses).double().mean()))
    return np.array(means)


if __name__ == "__main__":
    main()
