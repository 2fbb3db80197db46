"""How often stated intervals hold: networks of eight kinds, at theta*, near and far, with and without anchors.

    python -m tests.benchmarks.coverage --samples 250 --draws 400
    python -m tests.benchmarks.coverage --accuracy --samples 250
    python -m tests.benchmarks.coverage --truth out
    python -m tests.benchmarks.coverage --model cifar_resnet.py:resnet20 --checkpoint net.pt --data images.npz

Each network is trained here for a moment and measured on all 1,437 digits at 17 points; then subsets are drawn, and the
interval that `landscape info` would state is compared with the truth. Beside it stand that which knows nothing of the
skewness, 1.96 standard errors, and for estimates two wrong residual errors: without the leverages that degrees of
freedom are part of, and without the factor of a finite population. With ``--accuracy`` it is the accuracy, nearer to
theta*, where nearly all samples are right; beside the stated interval stands that of Student's distribution, which is
nothing where all of a subset are right.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import landscape
from landscape.evaluation.anchors.regression import estimator_for, log_scale, logarithms
from landscape.surface.anchors import Anchors
from landscape.surface.derived.intervals import FEWEST, half_widths, interval_factor
from landscape.surface.derived.unseen import NORMAL
from landscape.surface.grid import Axis
from landscape.surface.statistics import Moments, tails_of
from landscape.surface.surface import Surface
from tests.benchmarks.anchors import images as network_and_images
from tests.benchmarks.sampled_designs import read_truth

HOLDS = (0.92, 0.985)  # of 200 to 400 draws, what 95 % may be
FAR, NEARER = (0.1, 0.3, 0.7, 1.0), (0.05, 0.15, 0.25, 0.35)  # circles of points around theta*
Measure = Callable[[Tensor, Tensor], Tensor]
SHOWN, AXES = (np.min, np.median), ("direction", "repeat")
PLACES = {"theta*": 0, "0.1": 1, "0.3": 5, "0.7": 9, "1.0": 13}


class Transformer(nn.Module):
    """One block of attention over the rows of a digit."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.embed, self.place = nn.Linear(8, width), nn.Parameter(0.1 * torch.randn(8, width))
        self.block = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        return self.head(self.block(self.embed(x.reshape(-1, 8, 8)) + self.place).mean(1))


def perceptron() -> nn.Module:
    """Return two layers of 64."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def convolutional() -> nn.Module:
    """Return a plain network without shortcuts."""
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1, stride=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 10))


class Deep(nn.Module):
    """Eight layers of 48, each with a shortcut around it or without."""

    def __init__(self, shortcuts: bool) -> None:
        super().__init__()
        self.first, self.last, self.shortcuts = nn.Linear(64, 48), nn.Linear(48, 10), shortcuts
        self.layers = nn.ModuleList(nn.Linear(48, 48) for _ in range(8))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        x = self.first(x.flatten(1))
        for layer in self.layers:
            x = layer(x).relu() + (x if self.shortcuts else 0)
        return self.last(x)


KINDS: dict[str, tuple[Callable[[], nn.Module], int, float]] = {  # network, epochs, share of labels that are noise
    "perceptron": (perceptron, 30, 0.0),
    "trained long": (perceptron, 120, 0.0),
    "noisy labels": (perceptron, 60, 0.2),
    "transformer": (Transformer, 15, 0.0),
    "convolutions": (convolutional, 8, 0.0),
    "not trained": (perceptron, 0, 0.0),
    "shortcuts": (partial(Deep, True), 15, 0.0),
    "no shortcuts": (partial(Deep, False), 30, 0.0),
}


def losses(kind: str) -> np.ndarray:
    """Return every digit's loss at theta* and at 16 points around it, shape (17, 1437)."""
    return losses_around(*trained(kind))


def trained(kind: str) -> tuple[nn.Module, Tensor, Tensor]:
    """Return a network trained for a moment, and the digits."""
    make, epochs, noise = KINDS[kind]
    torch.manual_seed(0)
    model = make()
    x, y = landscape.digits("train")
    y = torch.where(torch.rand(len(y)) < noise, torch.randint(0, 10, y.shape), y)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
    return model, x, y


def right_around(model: nn.Module, x: Tensor, y: Tensor) -> np.ndarray:
    """Return whether every sample is right at theta* and at 16 points near it, 1 or 0, shape (17, samples)."""
    return around(model, x, y, NEARER, lambda output, truth: (output.argmax(1) == truth).double())


def losses_around(model: nn.Module, x: Tensor, y: Tensor) -> np.ndarray:
    """Return every sample's loss at theta* and at 16 points around it, shape (17, samples)."""
    return around(model, x, y, FAR, partial(nn.functional.cross_entropy, reduction="none"))


def around(model: nn.Module, x: Tensor, y: Tensor, radii: tuple[float, ...], measure: Measure) -> np.ndarray:
    """Return what every sample has at theta* and at four points each on circles around it."""
    plane = landscape.random_plane(model, seed=0)
    turns = [(r * np.cos(a), r * np.sin(a)) for r in radii for a in 0.4 + np.pi / 2 * np.arange(4)]
    start = {name: weight.clone() for name, weight in model.named_parameters()}
    found = []
    with torch.no_grad():
        for at in [(0.0, 0.0), *turns]:
            for name, weight in model.named_parameters():
                steps = [c * d.tensors[name] for c, d in zip(at, plane.directions, strict=True) if name in d.tensors]
                weight.copy_(start[name] + sum(steps) if steps else start[name])
            parts = zip(x.split(500), y.split(500), strict=True)
            each = [measure(model(part), truth) for part, truth in parts]
            found.append(torch.cat(each).double().numpy())
    return np.array(found)


def held(values: np.ndarray, anchors: list[int], samples: int, draws: int) -> dict[str, np.ndarray]:
    """Return in which share of draws each kind of interval holds, at every point; NaN at anchors.

    Beside that, as "carried by", how many samples carry the mean of most draws.
    """
    chance, size = np.random.default_rng(0), values.shape[1]
    others = [number for number in range(len(values)) if number not in anchors]
    truth = values.mean(axis=1)
    carried: list[np.ndarray] = []
    hits: dict[str, list[np.ndarray]] = {
        kind: [] for kind in ("stated", "no skewness", "1.96", "no leverages", "no population")
    }
    for _ in range(draws):
        chosen = chance.permutation(size)[:samples]
        subset = values[:, chosen]
        logs = [logarithms(values[a], log_scale(subset[a])).mean() for a in anchors]
        places = np.array(anchors, dtype=np.int64)
        made = Anchors(places, {"loss": subset[anchors]}, {"loss": truth[anchors]}, size, {"loss": np.array(logs)})
        estimator = estimator_for(made, "loss", samples)
        found = estimator.estimate(subset[others])
        left = np.sqrt(1 - samples / size)
        columns = zip(found.stderr, found.thirds, found.fourths, strict=True)
        tails = np.array([tails_of(Moments(samples, 0.0, e, 0.0, 0.0, third, fourth)) for e, third, fourth in columns])
        effective = tails[:, 1]
        carried.append(effective)
        factor = interval_factor(effective, tails[:, 0] / np.sqrt(samples))
        bare = estimator.residuals(subset[others]).std(axis=1) / np.sqrt(samples)
        off = np.abs(found.means - truth[others])
        for kind, width in {
            "stated": factor * found.stderr * left,
            "no skewness": interval_factor(effective) * found.stderr * left,
            "1.96": NORMAL * found.stderr * left,
            "no leverages": NORMAL * bare * left,
            "no population": factor * found.stderr,
        }.items():
            hits[kind].append(off <= width)
    shares = {}
    for kind, each in hits.items():
        shares[kind] = np.full(len(values), np.nan)
        shares[kind][others] = np.mean(each, axis=0)
    shares["carried by"] = np.full(len(values), np.nan)
    shares["carried by"][others] = np.median(carried, axis=0)
    return shares


def accuracy_held(right: np.ndarray, anchors: list[int], samples: int, draws: int) -> dict[str, np.ndarray]:
    """Return in which share of draws intervals of accuracies hold, at the points that are no anchors, by kind.

    ``right`` is 1 or 0 of all samples at points. ``"stated"`` is what `landscape info` states.
    """
    chance, size = np.random.default_rng(1), right.shape[1]
    others = [number for number in range(len(right)) if number not in anchors]
    truth, places = right.mean(axis=1), np.array(anchors, dtype=np.int64)
    found = []
    for _ in range(draws):
        subset = right[:, chance.permutation(size)[:samples]]
        made = Anchors(places, {"accuracy": subset[anchors]}, {"accuracy": truth[anchors]}, size)
        found.append(estimator_for(made, "accuracy", samples).estimate(subset[others]))
    means, errors, thirds, fourths = (
        np.stack([getattr(each, name) for each in found]) for name in ("means", "stderr", "thirds", "fourths")
    )
    squares = errors**2 * samples * (samples - 1)
    with np.errstate(all="ignore"):
        skewness, effective = thirds * np.sqrt(samples) / squares**1.5, squares**2 / fourths
    name = "train/accuracy"
    surface = Surface(
        tuple(Axis(1.0 + np.arange(number), kind=kind) for number, kind in zip(means.T.shape, AXES, strict=True)),
        {name: means},
        np.ones(means.shape, np.uint8),
        stderr={name: errors},
        counts={"train": np.full(means.shape, samples)},
        tails={f"{name}_skewness": skewness, f"{name}_effective": effective},
        problem={"data": {"train": {"size": size, "samples": samples}}},
    )
    bare = interval_factor(effective, skewness / np.sqrt(samples)) * errors * np.sqrt(1 - samples / size)
    off = np.abs(means - truth[others]) - 1e-12
    widths = {"stated": half_widths(surface, name), "Student's": np.where(errors > 0, bare, 0.0)}
    return {kind: (off <= width).mean(axis=0) for kind, width in widths.items()} | {"truth": truth[others]}


def outside(shares: dict[str, np.ndarray]) -> np.ndarray:
    """Return at how many points, of how many, intervals hold too seldom and too often: if to be relied on, if not."""
    stated, few = shares["stated"], shares["carried by"] < FEWEST
    there = np.isfinite(stated)
    low, high = stated < HOLDS[0], stated > HOLDS[1]
    return np.array([(each & there & where).sum() for where in (~few, few) for each in (low, high, there)])


def accuracy_table(options: argparse.Namespace) -> None:
    """Print how often intervals of accuracies hold, at points that are right for 0.98 of the samples and more."""
    if options.model:
        model, data = network_and_images(options)
        populations = {options.model: right_around(model.eval(), *data)}
    else:
        populations = {kind: right_around(*trained(kind)) for kind in KINDS}
    print("| network | anchors | accuracies | stated: least | median | Student's: least | median |")
    print("|---|---|---|---|---|---|---|")
    for kind, right in populations.items():
        for anchors in ([], [0], [0, 6, 9, 11, 13]):
            found = accuracy_held(right, anchors, options.samples, options.draws)
            near = found["truth"] >= 0.98
            if near.any():
                low, high = found["truth"][near].min(), found["truth"][near].max()
                shares = [f"{find(found[each][near]):.3f}" for each in ("stated", "Student's") for find in SHOWN]
                print(f"| {kind} | {len(anchors)} | {low:.4f} to {high:.4f} | {' | '.join(shares)} |", flush=True)


def main() -> None:
    """Print a table for each number of anchors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.coverage")
    parser.add_argument("--samples", type=int, default=250)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--model", help="FILE.py:FACTORY or MODULE:FACTORY: this network instead, on images")
    parser.add_argument("--model-args", metavar="JSON")
    parser.add_argument("--checkpoint")
    parser.add_argument("--data", help=".npz with x, uint8 n x h x w x c, and y")
    parser.add_argument("--truth", type=Path, help="folder of `sampled_truth truth`: at its points, of all its images")
    parser.add_argument("--accuracy", action="store_true", help="of accuracies near theta*")
    parser.add_argument("--images", type=int, default=2000, help="so many are all the data")
    options = parser.parse_args()
    if options.accuracy:
        accuracy_table(options)
        return
    places = PLACES
    if options.truth:
        populations, places = {options.truth.name: read_truth(options.truth)}, {}  # anywhere on the plane
    elif options.model:
        model, data = network_and_images(options)
        populations = {options.model: losses_around(model.eval(), *data)}
    else:
        populations = {kind: losses(kind) for kind in KINDS}
    total = np.zeros(6, dtype=int)
    for anchors in ([], [0], [0, 6, 9, 11, 13]):
        print(f"\n{len(anchors)} anchors, {options.samples} samples: share of draws in which an interval holds")
        print(f"| network | interval | {''.join(f'{place} | ' for place in places)}least | most |")
        print("|---|---|" + "---|" * (len(places) + 2))
        for kind, values in populations.items():
            found = held(values, anchors, options.samples, options.draws)
            total += outside(found)
            for interval, shares in found.items():
                picked = "".join(f"{shares[place]:.3f} | " for place in places.values())
                print(f"| {kind} | {interval} | {picked}{np.nanmin(shares):.3f} | {np.nanmax(shares):.3f} |")
    words = (f"at least {FEWEST:g} samples carry the mean", "fewer do")
    for where, (low, high, there) in zip(words, total.reshape(2, 3), strict=True):
        print(f"\nwhere {where}: of {there} points {low} hold in less than {HOLDS[0]}, {high} in more than {HOLDS[1]}")


if __name__ == "__main__":
    main()
