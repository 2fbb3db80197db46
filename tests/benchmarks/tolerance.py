"""A whole plane with ``--tolerance`` and ``--precision auto``: how much faster than the textbook loop, and how right.

    python -m tests.benchmarks.tolerance --model nets.py:resnet20 --checkpoint net.pt --data images.npz

The textbook loop (`tests/benchmarks/textbook.py`) is timed at random points of the plane, before and after ours, and
scaled to all of them; the time of ours is that of the whole `landscape.evaluate`: precision chosen, theta* measured,
points held out. Then every point is measured in the network's own precision, which shows how far off the picture is;
``--no-full`` leaves that out.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time

import numpy as np
import torch

import landscape
from landscape.problem.model import load_model, parse_arguments
from landscape.surface.surface import COMPUTED, INTERPOLATED, Surface
from tests.benchmarks import textbook
from tests.benchmarks.speed import MEAN, STD


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.tolerance")
    parser.add_argument("--model", required=True, help="FILE.py:FACTORY or MODULE:FACTORY")
    parser.add_argument("--model-args", metavar="JSON")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", required=True, help=".npz with x, uint8 n x h x w x c, and y")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--number", type=int, default=51, help="points along each axis (default: 51)")
    parser.add_argument("--tolerance", type=float, default=0.02)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--textbook-points", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2, help="of the textbook's DataLoader (default: 2)")
    parser.add_argument("--no-full", action="store_true", help="do not measure every point for comparison")
    return parser.parse_args()


def main() -> None:
    """Print the times, their ratio, and the errors."""
    options = parse()
    arguments = parse_arguments(options.model_args) if options.model_args else None
    model, _ = load_model(options.model, arguments, options.checkpoint)
    with np.load(options.data) as arrays:
        images, labels = (torch.from_numpy(arrays[key][: options.images]) for key in "xy")
    labels = labels.long()
    x = (images.permute(0, 3, 1, 2).float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
        :, None, None
    ]
    plane = landscape.random_plane(model, seed=0)
    grid = f"-1:1:{options.number}"

    dataset = textbook.Images(images, labels, MEAN, STD)
    points = [(float(a), float(b)) for a, b in np.random.default_rng(0).uniform(-1, 1, (options.textbook_points, 2))]
    directions = [direction.tensors for direction in plane.directions]
    halves = [points[::2], points[1::2]]
    taken = []

    def time_textbook(some: list[tuple[float, float]]) -> None:
        began = time.perf_counter()
        textbook.evaluate_plane(copy.deepcopy(model), dataset, directions, some, workers=options.workers)
        taken.append((time.perf_counter() - began) / len(some))

    time_textbook(halves[0])
    began = time.perf_counter()
    ours = landscape.evaluate(
        model, (x, labels), plane, x=grid, y=grid, tolerance=options.tolerance, precision=options.precision
    )
    seconds = time.perf_counter() - began
    time_textbook(halves[1])
    theirs = statistics.mean(taken) * ours.state.size
    computed = int((ours.state == COMPUTED).sum())
    print(
        f"textbook {theirs:,.0f} s for {ours.state.size:,} points, ours {seconds:,.1f} s with {computed:,} of them "
        f"measured ({ours.quality['precision']}): {theirs / seconds:.1f} times faster"
    )
    if not options.no_full:
        full = landscape.evaluate(model, (x, labels), plane, x=grid, y=grid)
        compare(ours, full, options.tolerance)


def compare(ours: Surface, full: Surface, tolerance: float) -> None:
    """Print how far the picture is from one whose every point was measured in float32."""
    eps = ours.quality.get("interpolation", {}).get("errors", {}).get("train/loss", {}).get("eps", 0.1)
    off = np.abs(ours["train/loss"] - full["train/loss"]) / (full["train/loss"] + eps)
    filled = ours.state == INTERPOLATED
    print(
        f"loss off by {np.median(off):.2%} (median), {np.quantile(off, 0.95):.2%} (95 % of points), {off.max():.2%} "
        f"(largest) of loss + {eps:g}; within {tolerance:.0%} at {(off <= tolerance).mean():.1%} of points"
    )
    off_accuracy = np.abs(ours["train/accuracy"] - full["train/accuracy"])
    print(f"accuracy off by {100 * np.quantile(off_accuracy, 0.95):.2f} percentage points at 95 % of points")
    if filled.any():
        stated = ours.quality["interpolation_error"]
        print(
            f"stated error {stated:.2%}: no smaller than the true one at {(off[filled] <= stated).mean():.1%} of points"
        )


if __name__ == "__main__":
    main()
