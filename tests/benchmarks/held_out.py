"""How many points ``--tolerance`` measures, and how often the error it states is true: many draws on known surfaces.

    python -m tests.benchmarks.held_out                              # a network on digits, a bowl, a stored ResNet-20
    python -m tests.benchmarks.held_out --surface net.h5 --seeds 200

Every point of a surface is known; `landscape.evaluation.adaptive.Refinement`, which real runs use, is told those it
asks for. A stated error is true where at least 95 % of the points that are interpolated (of all points of a line) are
off by no more. 95 of 100 draws are promised; a statement that never fails would be wider than it need be.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import landscape
from landscape.evaluation.adaptive import Filled, Mask, Refinement
from landscape.problem.data.archives import read_digits
from landscape.surface.grid import Floats

LOSS = "train/loss"
RESNET = Path(__file__).parents[2] / "docs" / "images" / "resnet20.h5"


@dataclass(frozen=True)
class Outcome:
    """One draw."""

    measured: float  # share of the points
    stated: float  # error, relative to loss + eps
    true: float  # the error that 95 % of the points interpolated stay below
    covered: bool  # whether the stated error is true


def measure(plan: Refinement, values: Mapping[str, Floats], known: Mask | None = None) -> tuple[Filled, Mask]:
    """Measure what a plan asks for until it asks for nothing; what it did not ask for is never seen."""
    shape = next(iter(values.values())).shape
    known = np.zeros(shape, dtype=np.bool_) if known is None else known.copy()
    for _ in range(1000):
        found = plan.look({name: np.where(known, array, np.nan) for name, array in values.items()}, known)
        if isinstance(found, Filled):
            return found, known
        assert found.any()
        assert not (found & known).any()
        known |= found
    raise AssertionError("it never comes to an end")


def draw(
    coordinates: Sequence[Floats], values: Mapping[str, Floats], tolerance: float, seeds: Sequence[int]
) -> list[Outcome]:
    """Return what came of draws of the points held out, by their seeds."""
    outcomes = []
    first = Refinement(coordinates, tolerance)
    for seed in seeds:
        plan = Refinement(coordinates, tolerance, seed=seed)
        plan._reached.update(
            {at: there for at, there in first._reached.items() if at[1] == 0}
        )  # the same for all draws
        filled, known = measure(plan, values)
        first = plan
        heights = filled.heights[LOSS]
        off = np.abs(heights.to(filled.values[LOSS]) - heights.to(values[LOSS]))
        counted = off if off.ndim == 2 else off[~known]  # an axis of repetitions, and that of a line
        true = float(np.quantile(off[~known], 0.95)) if not known.all() else 0.0
        covered = known.all() or bool((counted <= filled.loss_error).mean() >= 0.95)
        outcomes.append(Outcome(float(known.mean()), filled.loss_error, true, covered))
    return outcomes


def bowl(*at: Floats) -> Floats:
    """Return a loss as around a trained network: 0.3 at the bottom, 20 at the rim, with a valley that bends."""
    x, y = at[0], at[1] if len(at) > 1 else np.zeros(1)
    return np.asarray(0.3 + 8 * (x**2 + (y - 0.3 * x**2) ** 2) + 2 * np.sin(2 * x) ** 2)


def digits(*ranges: str) -> landscape.Surface:
    """Train a network on the handwritten digits that come with the package, and measure every point around it."""
    x, y = (torch.as_tensor(each) for each in read_digits("train"))
    x = x.float() / 16
    torch.manual_seed(0)
    first, second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)
    model = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(10):
        for batch in torch.randperm(1200).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    return landscape.evaluate(model.eval(), (x[:300], y[:300]), **dict(zip("xyz", ranges, strict=False)))


def report(name: str, coordinates: Sequence[Floats], losses: Floats, tolerance: float, seeds: int) -> None:
    """Print a line of the table."""
    began = time.perf_counter()
    outcomes = draw(coordinates, {LOSS: losses[None]}, tolerance, range(seeds))
    measured = [each.measured for each in outcomes]
    print(
        f"| {name} | {' x '.join(str(len(each)) for each in coordinates)} | {np.mean(measured):.1%}, at most "
        f"{np.max(measured):.1%} | {np.mean([each.true for each in outcomes]):.2%} | "
        f"{np.mean([each.stated for each in outcomes]):.2%} | {np.mean([each.covered for each in outcomes]):.1%} | "
        f"{(time.perf_counter() - began) / seeds:.2f} |",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.held_out")
    parser.add_argument(
        "--surface", action="append", type=Path, help="a file whose points are all measured; repeatable"
    )
    parser.add_argument("--tolerance", type=float, default=0.02)
    parser.add_argument("--seeds", type=int, default=200)
    options = parser.parse_args()
    print("| surface | points | measured | true error of 95 % | stated | stated is true | seconds a draw |")
    print("|---|---|---|---|---|---|---|", flush=True)
    found = {str(path): landscape.read_surface(path) for path in options.surface or [RESNET]}
    if not options.surface:
        found |= {"digits": digits("-1:1:33", "-1:1:33"), "digits, a line": digits("-1:1:101")}
        for number in (33, 51):
            axis = np.linspace(-1, 1, number)
            report("bowl", [axis, axis], bowl(*np.meshgrid(axis, axis)), options.tolerance, options.seeds)
    for name, surface in found.items():
        coordinates = [axis.values for axis in surface.axes]
        report(Path(name).name, coordinates, np.asarray(surface[LOSS]), options.tolerance, options.seeds)
        if len(coordinates) == 2:
            middle = np.asarray(surface[LOSS])[len(coordinates[1]) // 2]
            report(f"{Path(name).name}, its middle row", coordinates[:1], middle, options.tolerance, options.seeds)


if __name__ == "__main__":
    main()
