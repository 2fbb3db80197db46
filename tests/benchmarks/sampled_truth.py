"""``--error`` on 51 x 51 points against all data at points drawn from them: errors, and cost beside the textbook loop.

    python -m tests.benchmarks.sampled_truth truth --model nets.py:resnet20 --checkpoint net.pt --data images.npz \
        --folder out
    python -m tests.benchmarks.sampled_truth surface --model nets.py:resnet20 ... --folder out
    python -m tests.benchmarks.sampled_truth report --folder out --picture out.png

All data at every point is what takes days, so the truth is measured at a simple random sample of the grid's points, of
a fixed seed, in float32 and by the forward pass that runs have (`Run`). The points come in a fixed order, so that those
which were measured when a run was stopped are such a sample, too; each is a file, so that another run goes on.
``surface`` measures the grid with ``--error``, and times the textbook loop (`tests/benchmarks/textbook.py`) on a
thousand images at a few points before and after it, in processor time of all processes. ``report`` compares the surface
with the truth, and what the first ``--samples`` images say by themselves and with the surface's anchors.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import beta

import landscape
from landscape.directions.construct import Plane, random_plane
from landscape.evaluation.anchors.regression import estimator_for
from landscape.evaluation.runner import Run
from landscape.evaluation.settings import Settings
from landscape.files.store import read_surface
from landscape.parallel.scheduler import WorkItem
from landscape.surface.derived.stated_error import stated_error, stated_words
from landscape.surface.grid import point_coordinates
from landscape.surface.surface import COMPUTED, Surface
from tests.benchmarks import textbook
from tests.benchmarks.anchors import counted_images, images
from tests.benchmarks.speed import MEAN, STD

SEED = 15  # of the points that are drawn
TIMED_POINTS, TIMED_IMAGES = 3, 1000  # of the textbook loop, twice
RANGE, NAME = "-1:1:{}", "train/loss"


def drawn_points(number: int, points: int) -> np.ndarray:
    """Return which points of a grid of so many a side are measured, in the order in which they are."""
    return np.random.default_rng(SEED).permutation(number**2)[:points]


class Truth:
    """The losses of all images at points of the grid, one file each: float32, in the order that samples come in."""

    def __init__(self, stack: ExitStack, model: torch.nn.Module, data: Any, number: int, folder: Path) -> None:
        grid = RANGE.format(number)
        settings = Settings(x=grid, y=grid, progress=None)
        self._run = Run(stack, model, data, random_plane(model, seed=0), settings)
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        losses = self._run.losses
        steps = tuple(span for step in losses.steps for span in step)
        self._samples = losses.prepare(WorkItem(0, (0,), steps, steps, losses.name))

    def path(self, point: int) -> Path:
        """Return the file of a point."""
        return self._folder / f"{point}.npy"

    def measure(self, point: int) -> None:
        """Measure a point and write its file."""
        setup = self._run.setup
        setup.displacement.move_to(point_coordinates(setup.axes, np.array([point]))[0])
        values = self._run.losses.objective.measure(self._samples, seed=point).values
        found = np.stack([values["train", "loss"], values["train", "accuracy"]]).astype(np.float32)
        part = self.path(point).with_suffix(f".{time.time_ns()}")
        with part.open("wb") as file:
            np.save(file, found)
        part.rename(self.path(point))


def processor_seconds() -> float:
    """Return what this process and those it waited for have computed."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure_truth(options: argparse.Namespace) -> None:
    """Measure all images at the points that are drawn."""
    model, data = images(options)
    with ExitStack() as stack:
        truth = Truth(stack, model.eval(), data, options.number, options.folder / "truth")
        for point in drawn_points(options.number, options.points):
            if not truth.path(point).exists():
                truth.measure(int(point))


def time_textbook(options: argparse.Namespace, model: torch.nn.Module, plane: Plane, seed: int) -> tuple[float, int]:
    """Return processor seconds and images of the textbook loop at a few points of the plane."""
    with np.load(options.data) as arrays:
        pixels, labels = (torch.from_numpy(arrays[key][:TIMED_IMAGES]) for key in "xy")
    dataset = textbook.Images(pixels, labels.long(), MEAN, STD)
    points = [(float(a), float(b)) for a, b in np.random.default_rng(seed).uniform(-1, 1, (TIMED_POINTS, 2))]
    directions = [direction.tensors for direction in plane.directions]
    began = processor_seconds()
    textbook.evaluate_plane(copy.deepcopy(model), dataset, directions, points)
    return processor_seconds() - began, TIMED_POINTS * len(labels)


def measure_surface(options: argparse.Namespace) -> None:
    """Measure the grid to within the error, and time the textbook loop before and after."""
    model, data = images(options)
    model.eval()
    plane = random_plane(model, seed=0)
    grid = RANGE.format(options.number)
    path = options.folder / "surface.h5"
    if path.exists():
        raise SystemExit(f"{path} is there already; the cost of a part of it would be taken for that of the whole")
    before = time_textbook(options, model, plane, 0)
    began, wall = processor_seconds(), time.perf_counter()
    with counted_images() as count:
        landscape.evaluate(model, data, plane, x=grid, y=grid, error=options.error, path=path)
    cost = {
        "images": count[0],
        "ours": processor_seconds() - began,
        "wall": time.perf_counter() - wall,
        "threads": torch.get_num_threads(),
    }
    parts = [before, time_textbook(options, model, plane, 1)]
    cost["textbook"] = sum(seconds for seconds, _ in parts) / sum(number for _, number in parts)
    (options.folder / "cost.json").write_text(json.dumps(cost))
    print(cost)


@dataclass(frozen=True)
class Compared:
    """Errors at the points that were drawn, as shares of the true loss + eps."""

    coordinates: np.ndarray  # (points, 2)
    truth: np.ndarray
    errors: dict[str, np.ndarray]  # how it was measured -> (points,)
    eps: float


def compared(options: argparse.Namespace, surface: Surface) -> Compared:
    """Return how far off are a surface, and so many images with and without anchors, where the truth is known."""
    order = drawn_points(options.number, options.points)
    there = [int(point) for point in order if (options.folder / "truth" / f"{point}.npy").exists()]
    losses = np.stack([np.load(options.folder / "truth" / f"{point}.npy")[0] for point in there]).astype(np.float64)
    truth = losses.mean(axis=1)
    few = losses[:, : options.samples]
    found = {f"means of {options.samples:,}": few.mean(axis=1)}
    if surface.anchors:
        anchors = surface.anchors["train"]
        estimator = estimator_for(anchors, "loss", options.samples)
        found[f"{options.samples:,} and {len(anchors.points)} anchors"] = estimator.estimate(few).means
    found[f"`--error {options.error:g}`"] = surface[NAME].reshape(-1)[there]
    eps = float(surface.quality["standard_error"]["eps"]["train"])
    errors = {how: (values - truth) / (truth + eps) for how, values in found.items()}
    return Compared(point_coordinates(surface.axes, np.array(there)), truth, errors, eps)


def interval(hits: int, number: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Clopper and Pearson."""
    low = beta.ppf(0.025, hits, number - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, number - hits) if hits < number else 1.0
    return float(low), float(high)


def report(options: argparse.Namespace) -> None:
    """Print errors and costs."""
    surface = read_surface(options.folder / "surface.h5")
    found = compared(options, surface)
    number, points = len(found.truth), surface.state.size
    print(f"truth at {number} of {points:,} points, loss {found.truth.min():.3g} to {found.truth.max():.3g}")
    print(f"| values | rms error | 95 % of points within | the largest | within {options.error:.0%}, 95 % interval |")
    print("|---|---|---|---|---|")
    for how, errors in found.errors.items():
        off = np.abs(errors)
        hits = int((off <= options.error).sum())
        low, high = interval(hits, number)
        rms, most = np.sqrt((off**2).mean()), np.quantile(off, 0.95)
        print(f"| {how} | {rms:.2%} | {most:.2%} | {off.max():.2%} | {hits} of {number}, {low:.0%} to {high:.0%} |")
    print(f"stated: {stated_words(stated_error(surface, NAME))}")
    measured = int((surface.state == COMPUTED).sum())
    whole = points * options.images
    print(f"{measured:,} of {points:,} points measured, {surface.quality['precision']}")
    cost = json.loads((options.folder / "cost.json").read_text())
    theirs = cost["textbook"] * whole
    print(
        f"images: {cost['images']:,} of {whole:,}, {whole / cost['images']:,.0f} times fewer; processor seconds: "
        f"{cost['ours']:,.0f}, the textbook loop's {1000 * cost['textbook']:.2f} ms an image are {theirs:,.0f} in all: "
        f"{theirs / cost['ours']:,.0f} times as many"
    )
    if options.picture:
        draw(options, surface, found)


def draw(options: argparse.Namespace, surface: Surface, found: Compared) -> None:
    """Draw the surface, the truth at the points drawn on the same scale, and below how far each way was off there."""
    from matplotlib.figure import Figure

    x, y = (axis.values for axis in surface.axes)
    heights = np.log10(surface[NAME] + found.eps)
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    axes = figure.subplots(2, 3)
    levels = np.linspace(heights.min(), heights.max(), 15)
    at, log = found.coordinates.T, {"vmin": levels[0], "vmax": levels[-1]}
    drawn = axes[0, 0].contourf(x, y, heights, levels=levels)
    axes[0, 0].set_title(f"--error {options.error:g}", fontsize=9)
    measured = surface.state == COMPUTED
    rows, columns = np.nonzero(measured)
    axes[0, 1].plot(x[columns], y[rows], "k.", ms=1.5)
    points = surface.anchors["train"].points if surface.anchors else np.zeros(0, dtype=int)
    points = points[points >= 0]
    axes[0, 1].plot(x[points % len(x)], y[points // len(x)], "ro", ms=5, mfc="none")
    axes[0, 1].plot(0, 0, "k*", ms=7)
    axes[0, 1].set_title(f"{measured.sum():,} points measured; theta*, {len(points)} other anchors", fontsize=9)
    axes[0, 2].scatter(*at, c=np.log10(found.truth + found.eps), s=16, lw=0.3, edgecolors="k", **log)
    axes[0, 2].set_title(f"all {options.images:,} images at {len(found.truth)} points", fontsize=9)
    bars = [figure.colorbar(drawn, ax=axes[0, 2], format="%.2g", label=f"log10(loss + {found.eps:.2g})", shrink=0.8)]
    most = 100 * max(np.abs(each).max() for each in found.errors.values())
    for ax, (how, errors) in zip(axes[1], found.errors.items(), strict=False):
        order = np.argsort(np.abs(errors))
        colours = {"c": 100 * errors[order], "cmap": "RdBu_r", "vmin": -most, "vmax": most}
        shown = ax.scatter(*at[:, order], s=16, lw=0.3, edgecolors="k", **colours)
        ax.set_title(f"{how.replace('`', '')}: rms {100 * np.sqrt((errors**2).mean()):.2g} %", fontsize=9)
    bars.append(figure.colorbar(shown, ax=axes[1, 2], label="off by, % of loss + eps", shrink=0.8))
    for bar in bars:
        bar.ax.tick_params(labelsize=7)
        bar.ax.yaxis.label.set_size(8)
    for ax in axes.flat:
        ax.set_aspect("equal")
        ax.set_xlim(1.05 * x[0], 1.05 * x[-1])
        ax.set_ylim(1.05 * y[0], 1.05 * y[-1])
        ax.tick_params(labelsize=7)
    figure.savefig(options.picture, dpi=130)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.sampled_truth"
    )
    parser.add_argument("what", choices=("truth", "surface", "report"))
    parser.add_argument("--model", help="FILE.py:FACTORY or MODULE:FACTORY")
    parser.add_argument("--model-args", metavar="JSON")
    parser.add_argument("--checkpoint")
    parser.add_argument("--data", help=".npz with x, uint8 n x h x w x c, and y")
    parser.add_argument("--images", type=int, default=10_000, help="so many are all the data")
    parser.add_argument("--number", type=int, default=51, help="points along each axis")
    parser.add_argument("--points", type=int, default=200, help="of the grid, drawn for the truth, at most")
    parser.add_argument("--error", type=float, default=0.02)
    parser.add_argument("--samples", type=int, default=1000, help="of the means of a subset that stand beside it")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--picture", type=Path, help="a file to draw")
    return parser.parse_args()


def main() -> None:
    """Measure the truth or a surface, or compare both."""
    options = parse()
    options.folder.mkdir(parents=True, exist_ok=True)
    {"truth": measure_truth, "surface": measure_surface, "report": report}[options.what](options)


if __name__ == "__main__":
    main()
