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
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

import landscape
from landscape.directions.construct import Plane, random_plane
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.forward_pass.sample_values import Chunk, SampleValues
from landscape.evaluation.runner import Run
from landscape.evaluation.settings import Settings
from landscape.parallel.scheduler import WorkItem
from landscape.surface.grid import point_coordinates
from tests.benchmarks import textbook
from tests.benchmarks.anchors import images
from tests.benchmarks.speed import MEAN, STD

SEED = 15  # of the points that are drawn
TIMED_POINTS, TIMED_IMAGES = 3, 1000  # of the textbook loop, twice
RANGE = "-1:1:{}"


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


@contextmanager
def counted_images() -> Iterator[list[int]]:
    """Count the images that go through the network in between, whatever they are measured for."""
    count, measure = [0], Objective.measure

    def counting(self: Objective, chunks: Sequence[Chunk], **settings: Any) -> SampleValues:
        count[0] += sum(chunk.stop - chunk.start for chunk in chunks)
        return measure(self, chunks, **settings)

    Objective.measure = counting  # type: ignore[method-assign]
    try:
        yield count
    finally:
        Objective.measure = measure  # type: ignore[method-assign]


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
    {"truth": measure_truth, "surface": measure_surface}[options.what](options)


if __name__ == "__main__":
    main()
