"""How many images an error takes where the truth is known: by ``--error``'s rule, and by other than simple samples.

    python -m tests.benchmarks.sampled_truth truth --model nets.py:resnet20 ... --points 14 --folder out
    python -m tests.benchmarks.sampled_designs --folder out

At each point of the truth the others are the anchors: not chosen to be good ones, and none is theta*. First the
stopping rule itself, over draws of the samples: images a point, and how often the estimate is within the error.
Then how many images would do if their number were known beforehand: simple random samples without anchors and with,
and samples drawn with probability proportional to how large residuals are expected to be (Cochran, chapters 5 and
9A; Särndal, Swensson, Wretman): by strata of the losses at the anchors, by these and each sample's own residuals
there, and by strata of the residuals at the point itself, which nobody knows. Last the residuals of a regression on
products of logarithms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from landscape.evaluation.anchors.regression import Estimator, log_scale, logarithms
from landscape.evaluation.looks import looks
from landscape.surface.derived.intervals import interval_factor
from landscape.surface.derived.stated_error import share_out
from landscape.surface.derived.unseen import NORMAL
from landscape.surface.heights import suitable_eps
from tests.benchmarks.sampled_truth import drawn_points

STRATA, FITTED = 40, 3000


def read_truth(folder: Path, number: int = 51, points: int = 200) -> np.ndarray:
    """Return the losses that were measured, shape (points, images)."""
    paths = [folder / "truth" / f"{point}.npy" for point in drawn_points(number, points)]
    return np.stack([np.load(path)[0] for path in paths if path.exists()]).astype(np.float64)


def by_the_rule(losses: np.ndarray, error: float, eps: float, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images a point, and how far off estimates are relative to loss + eps, both (draws, points)."""
    truth, size = losses.mean(axis=1), losses.shape[1]
    target, chance = share_out(error).standard_error, np.random.default_rng(0)
    images, off = np.full((draws, len(losses)), size), np.zeros((draws, len(losses)))
    for draw in range(draws):
        order = chance.permutation(size)
        for k, whole in enumerate(losses):
            others = np.delete(losses, k, axis=0)
            for number in looks(size)[:-1]:
                subset = others[:, order[:number]]
                scales = np.array([log_scale(row) for row in subset])
                logs = np.array([logarithms(row, scale).mean() for row, scale in zip(others, scales, strict=True)])
                estimator = Estimator(subset, others.mean(axis=1), size, log_means=logs, scales=scales)
                found = estimator.estimate(whole[None, order[:number]])
                squares = number * (number - 1) * found.stderr[0] ** 2
                factor = float(interval_factor(squares**2 / found.fourths[0], found.thirds[0] / squares**1.5)) / NORMAL
                mean = found.means[0]
                if found.stderr[0] * np.sqrt(1 - number / size) * factor <= target * (mean + eps):
                    images[draw, k], off[draw, k] = number, abs(mean - truth[k]) / (truth[k] + eps)
                    break
    return images, off


def features(rows: np.ndarray, products: bool) -> np.ndarray:
    """Return what losses are regressed on, shape (columns, images)."""
    logs = np.stack([logarithms(row, log_scale(row)) for row in rows])
    if not products:
        return np.vstack([rows, logs])
    scaled = (logs - logs.mean(axis=1, keepdims=True)) / logs.std(axis=1, keepdims=True)
    pairs = [scaled[i] * scaled[j] for i in range(len(rows)) for j in range(i, len(rows))]
    return np.vstack([rows, logs, *pairs])


def residuals(values: np.ndarray, rows: np.ndarray, *, products: bool = False, fitted: int | None = None) -> np.ndarray:
    """Return what a regression on rows leaves: of all images, or of those it was not fitted to."""
    columns = np.vstack([np.ones(len(values)), features(rows, products)]).T
    order = np.random.default_rng(0).permutation(len(values))
    known, rest = (order, order) if fitted is None else (order[:fitted], order[fitted:])
    slopes = np.linalg.lstsq(columns[known], values[known], rcond=None)[0]
    found = values - columns @ slopes
    return found if fitted is None else found[rest]


def simple(left: np.ndarray, size: int, error: float) -> float:
    """Return how many of a simple random sample leave a mean of residuals with a standard error."""
    endless = left.var(ddof=1) / error**2
    return float(endless * size / (endless + size))


def proportional(left: np.ndarray, sizes: np.ndarray, error: float) -> float:
    """Return how many images do if drawn with probability proportional to sizes, at most 1."""

    def variance(number: float) -> float:
        low, high = 0.0, number / sizes.min() + 1
        for _ in range(60):  # by what sizes are multiplied for probabilities that sum up to the number
            middle = (low + high) / 2
            low, high = (middle, high) if np.minimum(middle * sizes, 1).sum() < number else (low, middle)
        return float(((1 / np.minimum(high * sizes, 1) - 1) * left**2).sum())

    return _least(lambda number: variance(number) <= (len(left) * error) ** 2, len(left))


def _least(enough: Callable[[float], bool], most: float) -> float:
    low = 1.0
    for _ in range(30):
        middle = (low + most) / 2
        low, most = (low, middle) if enough(middle) else (middle, most)
    return most


def designs(losses: np.ndarray, error: float, eps: float) -> dict[str, np.ndarray]:
    """Return by design how many images do at each point."""
    size, found = losses.shape[1], {}
    target = share_out(error).standard_error
    for k, values in enumerate(losses):
        others = np.delete(losses, k, axis=0)
        allowed = target * (values.mean() + eps)
        left = residuals(values, others)
        relative = others / (others.mean(axis=1, keepdims=True) + eps)
        strata = np.argsort(np.argsort(relative.mean(axis=0))) * STRATA // size
        seen = np.stack([residuals(row, np.delete(others, j, axis=0)) for j, row in enumerate(others)])
        own = np.sqrt(((seen / (others.mean(axis=1, keepdims=True) + eps)) ** 2).mean(axis=0))
        of_strata = _by_strata(own, strata)
        each = {
            "simple, without anchors": simple(values, size, allowed),
            "simple": simple(left, size, allowed),
            "strata of losses at anchors": proportional(left, of_strata, allowed),
            "strata and own residuals": proportional(left, np.hypot(own, of_strata) + 0.1 * own.mean(), allowed),
            "strata of residuals not known": proportional(left, _by_strata(left, strata), allowed),
            "simple, fitted to 3,000 others": simple(residuals(values, others, fitted=FITTED), size, allowed),
            "the same on products of logarithms": simple(
                residuals(values, others, products=True, fitted=FITTED), size, allowed
            ),
        }
        for name, number in each.items():
            found.setdefault(name, []).append(number)
    return {name: np.array(numbers) for name, numbers in found.items()}


def _by_strata(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    return np.array([np.sqrt((values[strata == each] ** 2).mean()) for each in range(STRATA)])[strata]


def main() -> None:
    """Print both tables."""
    name = "python -m tests.benchmarks.sampled_designs"
    parser = argparse.ArgumentParser(prog=name, description=str(__doc__).splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where `sampled_truth truth` has written")
    parser.add_argument("--number", type=int, default=51, help="points along each axis")
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    losses = read_truth(options.folder, options.number, options.points)
    eps = suitable_eps(losses.mean(axis=1), "log")
    number = len(losses)
    print(f"{number} points, {number - 1} anchors at each, {losses.shape[1]:,} images, eps {eps:g}")
    print("| error | images a point | least and most of the points | within it | rms error |\n|---|---|---|---|---|")
    for error in (0.02, 0.05, 0.1):
        images, off = by_the_rule(losses, error, eps, options.draws)
        each, rms = images.mean(axis=0), np.sqrt((off**2).mean())
        print(
            f"| {error:.0%} | {images.mean():,.0f} | {each.min():,.0f} to {each.max():,.0f} | "
            f"{(off <= error).mean():.1%} | {rms:.2%} |"
        )
    print("\n| images for 2 % | mean | least | most |\n|---|---|---|---|")
    for name, images in designs(losses, 0.02, eps).items():
        print(f"| {name} | {images.mean():,.0f} | {images.min():,.0f} | {images.max():,.0f} |")


if __name__ == "__main__":
    main()
