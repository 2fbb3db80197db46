"""How fast points are measured, in pairs run in turns: against the textbook loop, a package, and a frozen graph.

    python -m tests.benchmarks.speed                         an untrained ResNet-20 on random images: about 5 minutes
    python -m tests.benchmarks.speed --model nets.py:resnet20 --checkpoint net.pt --data images.npz
    python -m tests.benchmarks.speed --pairs textbook --precisions float32 --points 4 --rounds 1

Each row is one opponent and one precision of ours. A round runs both, one after the other, and gives the ratio of their
times; the row shows the median of the rounds and their range. What both computed is compared as well: ``off by`` is the
largest relative difference of the loss at any point.

* textbook: `tests/benchmarks/textbook.py`, float32, a DataLoader with workers, a pass a point. Ours: weights set,
  engine refreshed, all resident batches run, loss and accuracy of each sample in float64, point by point.
* package: ``loss-landscapes`` from PyPI (if it is installed), `planar_interpolation`, float32, all images as one batch.
* frozen: the same network compiled by ``torch.compile`` with its weights frozen into the graph, in ours' precision, on
  resident batches of the same size. It cannot move; ours is refreshed for every so many samples (``--frozen-samples``).

On a machine that does other things, ``--clock cpu`` counts processor time instead (of DataLoader workers too), and
``--threads 1`` makes that mean something.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.directions.construct import Plane, random_plane
from landscape.directions.displacement import Displacement
from landscape.engine.prepare import Engine, prepare
from landscape.evaluation.forward_pass.forward import Forward, install
from landscape.evaluation.forward_pass.objective import Objective
from landscape.evaluation.forward_pass.precision import choose_batch_size
from landscape.problem.losses.losses import resolve_loss
from landscape.problem.model import load_model
from landscape.problem.named_data import named_data
from landscape.problem.params import moved_tensors
from tests.benchmarks import textbook
from tests.helpers.engine_networks import ResNet, as_trained

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of CIFAR-10's training images
BATCH_SIZES = (64, 125, 250, 500)

Points = Sequence[tuple[float, float]]
Losses = Sequence[float]


@dataclass(frozen=True)
class Row:
    """One pair: times of both in each round, the number of forward passes in each, and the difference of results."""

    opponent: str
    precision: str
    samples: int
    theirs: list[float]
    ours: list[float]
    off_by: float

    def __str__(self) -> str:
        ratios = sorted(a / b for a, b in zip(self.theirs, self.ours, strict=True))
        rates = [self.samples / statistics.median(times) for times in (self.theirs, self.ours)]
        return (
            f"{self.opponent:22} {self.precision:9} {rates[0]:9,.0f} {rates[1]:9,.0f} {statistics.median(ratios):7.2f}"
            f"   {ratios[0]:5.2f} to {ratios[-1]:5.2f}   {self.off_by:8.1e}"
        )


HEAD = f"{'against':22} {'ours in':9} {'images/s':>9} {'ours':>9} {'ratio':>7}   {'of the rounds':14}   {'off by':>8}"


@dataclass(frozen=True)
class Case:
    """A network, images and a plane."""

    model: nn.Module
    images: Tensor  # uint8, (n, height, width, channels)
    labels: Tensor
    plane: Plane
    options: argparse.Namespace

    @property
    def inputs(self) -> Tensor:
        """All images as the network takes them."""
        x = self.images.permute(0, 3, 1, 2).float() / 255
        return (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]

    @property
    def directions(self) -> list[Mapping[str, Tensor]]:
        """Tensors of both directions by parameter."""
        return [direction.tensors for direction in self.plane.directions]

    def points(self) -> Points:
        """The first is the network itself; the others are spread over the plane at random."""
        spread = np.random.default_rng(0).uniform(-1, 1, (self.options.points - 1, 2))
        return [(0.0, 0.0), *((float(x), float(y)) for x, y in spread)]


def processor_time() -> float:
    """Return the seconds of processor time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Ours:
    """The production code's way from point to point, in one precision."""

    def __init__(self, case: Case, precision: str) -> None:
        x = case.inputs
        data = named_data({"test": (x, case.labels)})
        size = best_batch_size(prepare(case.model, x[:8], precision=precision), x)
        self.objective = Objective(case.model, data, resolve_loss("cross_entropy"), batch_size=size)
        install(self.objective, Forward(precision))
        self.chunks = self.objective.load([("test", 0, len(x))])
        self.displacement = Displacement(case.model, moved_tensors(case.model), case.directions)

    def losses(self, points: Points) -> Losses:
        """Return the mean loss at each point; the network is put back."""
        means = []
        for point in points:
            self.displacement.move_to(point)
            means.append(float(self.objective.measure(self.chunks).values["test", "loss"].mean()))
        self.displacement.restore()
        return means


def best_batch_size(engine: Engine, x: Tensor) -> int:
    """Return the batch size that the engine runs best with."""
    batches = {size: engine.batch(x[:size]) for size in BATCH_SIZES if size <= len(x)} or {len(x): engine.batch(x)}
    return choose_batch_size(lambda size: engine(batches[size]), list(batches))


def in_turns(
    opponent: str,
    precision: str,
    samples: int,
    theirs: Callable[[], Losses],
    ours: Callable[[], Losses],
    options: argparse.Namespace,
) -> Row:
    """Run both, some rounds, after a round that is not counted."""
    clock = processor_time if options.clock == "cpu" else time.perf_counter
    times: tuple[list[float], list[float]] = ([], [])
    results = [theirs(), ours()]
    for _ in range(options.rounds):
        for taken, run in zip(times, (theirs, ours), strict=True):
            began = clock()
            run()
            taken.append(clock() - began)
    expected, got = (np.asarray(each) for each in results)
    return Row(opponent, precision, samples, *times, float(np.max(np.abs(got - expected) / np.abs(expected))))


def against_textbook(case: Case, precision: str) -> Row:
    """Pair with the textbook loop, on the same points."""
    ours, points, options = Ours(case, precision), case.points(), case.options
    dataset = textbook.Images(case.images, case.labels, MEAN, STD)
    model = copy.deepcopy(case.model)  # it puts other tensors in the place of the network's

    def theirs() -> Losses:
        results = textbook.evaluate_plane(model, dataset, case.directions, points, workers=options.workers)
        return [loss for loss, _ in results]

    samples = len(points) * len(case.images)
    return in_turns("textbook loop", precision, samples, theirs, lambda: ours.losses(points), options)


def against_package(case: Case, precision: str) -> Row:
    """Pair with ``loss-landscapes``, on its grid towards theta* + dx and theta* + dy."""
    import loss_landscapes
    import loss_landscapes.metrics

    options, x = case.options, case.inputs
    steps = max(round(options.points**0.5), 2)
    # Its even columns begin one step up, its odd ones at 0.
    points = [(i / steps, (j + (i % 2 == 0)) / steps) for i in range(steps) for j in range(steps)]
    ends = []
    for direction in case.directions:
        end = copy.deepcopy(case.model)
        for name, parameter in end.named_parameters():
            parameter.data += direction[name]
        ends.append(end)
    start = copy.deepcopy(case.model)
    metric = loss_landscapes.metrics.Loss(F.cross_entropy, x, case.labels)

    def theirs() -> Losses:
        start.load_state_dict(case.model.state_dict())
        return loss_landscapes.planar_interpolation(start, *ends, metric, steps).ravel().tolist()

    ours = Ours(case, precision)
    return in_turns(
        "loss-landscapes 3.0.6", precision, len(points) * len(x), theirs, lambda: ours.losses(points), options
    )


def against_frozen(case: Case, precision: str) -> Row:
    """Pair with a graph whose weights are frozen, on resident batches of the same size."""
    import torch._inductor.config

    options, x = case.options, case.inputs
    dtype = getattr(torch, precision)
    engine = prepare(case.model, x[:8], precision=precision)
    size = min(best_batch_size(engine, x), options.frozen_samples)
    number = max(options.frozen_samples // size, 1)
    first = [(start * size) % max(len(x) - size + 1, 1) for start in range(number)]
    batches = [engine.batch(x[each : each + size]) for each in first]
    labels = torch.cat([case.labels[each : each + size] for each in first])
    frozen = copy.deepcopy(case.model).to(dtype=dtype, memory_format=torch.channels_last).eval()
    with torch._inductor.config.patch(freezing=True), torch.no_grad():
        graph = torch.compile(frozen)
        graph(batches[0])

    @torch.no_grad()
    def theirs() -> Losses:
        return loss_of([graph(batch) for batch in batches])

    def ours() -> Losses:
        engine.refresh()
        return loss_of([engine(batch) for batch in batches])

    def loss_of(outputs: Sequence[Any]) -> Losses:
        return [float(F.cross_entropy(torch.cat(list(outputs)).float(), labels))]

    return in_turns(f"frozen graph, {size} x {number}", precision, size * number, theirs, ours, options)


PAIRS: dict[str, Callable[[Case, str], Row]] = {
    "textbook": against_textbook,
    "package": against_package,
    "frozen": against_frozen,
}


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.speed")
    parser.add_argument("--model", help="FILE.py:FACTORY or MODULE:FACTORY; an untrained ResNet by default")
    parser.add_argument("--checkpoint", help="of that model")
    parser.add_argument("--depth", type=int, default=20, help="of the ResNet, where no model is given (default: 20)")
    parser.add_argument("--data", help=".npz with x, uint8 n x h x w x c, and y; random images by default")
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--images", type=int, default=500, help="images a point (default: 500)")
    parser.add_argument("--points", type=int, default=9, help="points a run (default: 9)")
    parser.add_argument("--frozen-samples", type=int, default=1000, help="samples a refresh (default: 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each pair (default: 5)")
    parser.add_argument("--workers", type=int, default=2, help="of the DataLoader (default: 2)")
    parser.add_argument("--threads", type=int, help="threads of torch (default: its own choice)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    return parser.parse_args()


def make_case(options: argparse.Namespace) -> Case:
    """Build the network, read the images, draw the plane."""
    if options.model:
        model, _ = load_model(options.model, None, options.checkpoint)
    else:
        torch.manual_seed(0)
        model = as_trained(ResNet(options.depth, 16))
    if options.data:
        with np.load(options.data) as arrays:
            images, labels = (torch.from_numpy(arrays[key][: options.images]) for key in "xy")
    else:
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (options.images, 32, 32, 3), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 10, (options.images,), generator=generator)
    return Case(model, images, labels.long(), random_plane(model, seed=0), options)


def main() -> None:
    """Print one row a pair."""
    options = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    case = make_case(options)
    parameters = sum(parameter.numel() for parameter in case.model.parameters())
    print(
        f"{type(case.model).__name__}, {parameters:,} parameters; {len(case.images)} images, {options.points} points, "
        f"{options.rounds} rounds; {torch.get_num_threads()} threads, {options.clock} time; torch {torch.__version__}, "
        f"{torch.backends.cpu.get_cpu_capability()}\n\n{HEAD}"
    )
    for name in options.pairs:
        for precision in options.precisions:
            try:
                print(PAIRS[name](case, precision), flush=True)
            except ImportError as error:
                print(f"{name:22} left out: {error} (pip install loss-landscapes)", flush=True)
                break


if __name__ == "__main__":
    main()
