"""How often the 95 % intervals of a report of curvature hold: over probes, and over which samples were taken.

    python -m tests.benchmarks.curvature_coverage --cases 400
    python -m tests.benchmarks.curvature_coverage --part probes --steps 1       # traces and Frobenius norms, soon done

A small network is trained for a moment on the shipped digits, and its whole Hessian is computed. *Probes*: the same
samples, another seed of the random vectors each time. *Samples*: 256 digits drawn with replacement each time, as a
report takes them for draws from endless data; the truth is that of all digits. An interval is the stated number with
Student's factor for so many probes, or batches, times its standard error.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
import torch
from torch import Tensor, nn

import landscape
from landscape.curvature.scales import normalising_scale
from landscape.directions.filters import filters_of
from landscape.surface.derived.intervals import interval_factor
from landscape.surface.reports.curvature import Curvature
from landscape.surface.reports.matrix_spectrum import Spectrum

SAMPLES, BATCH = 256, 32
OPTIONS = {"eigenvalues": 1, "most": 30, "probes": 8, "steps": 6, "gauss_newton": False, "tolerance": 0.001}


def network(x: Tensor, y: Tensor, epochs: int) -> nn.Module:
    """Return a perceptron, trained for some epochs."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
    return model.double().eval()


def whole(model: nn.Module, x: Tensor, y: Tensor) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the Hessian of all samples, D H D, and the gradient's length."""
    operator = landscape.hessian(model, (x, y), batch_size=len(x))
    matrix = operator @ np.eye(operator.shape[0])
    scale = operator.flattened(normalising_scale(dict(model.named_parameters()), filters_of(model)))
    gradients = torch.autograd.grad(nn.functional.cross_entropy(model(x), y), list(model.parameters()))
    length = float(torch.cat([each.reshape(-1) for each in gradients]).norm())
    return matrix, scale[:, None] * matrix * scale, length


class Hits:
    """Counts in how many cases an interval holds."""

    def __init__(self) -> None:
        self.held: dict[str, list[bool]] = defaultdict(list)

    def note(self, name: str, value: float, error: float, draws: int, truth: float) -> None:
        """Compare one interval with the truth."""
        self.held[name].append(abs(value - truth) <= float(interval_factor(draws)) * error)

    def rows(self) -> list[str]:
        """Return a row of a table for each number."""
        return [f"| {name} | {np.mean(held):.3f} | {len(held)} |" for name, held in self.held.items()]


def over_probes(hits: Hits, report: Curvature, matrices: dict[str, np.ndarray]) -> None:
    """Note what the probes' errors say of one report."""
    place = 0
    for name, matrix in matrices.items():
        found: Spectrum = getattr(report, name)
        probes = len(found.traces)
        hits.note(f"probes: trace, {name}", found.trace, found.trace_stderr, probes, float(np.trace(matrix)))
        size = float(np.linalg.norm(matrix))
        low, high = found.frobenius_interval
        hits.held[f"probes: Frobenius norm, {name}"].append(low <= size <= high)
        values = np.linalg.eigvalsh(matrix)
        _, low, high = found.negative_share()
        truth = float(np.abs(values[values < 0]).sum() / np.abs(values).sum())
        hits.held[f"probes: bounds of the negative share, {name}"].append(low <= truth <= high)
    for layer in report.layers:
        block = slice(place, place + layer.size)
        truth = float(np.trace(matrices["raw"][block, block]))
        hits.note(f"probes: trace of {layer.name}", layer.trace, layer.trace_stderr, OPTIONS["probes"], truth)
        place += layer.size


def over_samples(hits: Hits, report: Curvature, matrices: dict[str, np.ndarray], gradient: float) -> None:
    """Note what the errors from samples say of one report, at the weights that it is of."""
    batches = SAMPLES // BATCH
    low, high = report.gradient_square_interval
    hits.held["samples: squared gradient"].append(low <= gradient**2 <= high)
    for name, matrix in matrices.items():
        found: Spectrum = getattr(report, name)
        greatest = float(np.linalg.eigvalsh(matrix)[-1])
        hits.note(
            f"samples: greatest eigenvalue, {name}",
            found.greatest_eigenvalue,
            found.samples_stderr[0],
            batches,
            greatest,
        )
        both = float(np.hypot(found.trace_samples_stderr, found.trace_stderr))
        hits.note(f"samples and probes: trace, {name}", found.trace, both, batches, float(np.trace(matrix)))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], prog="python -m tests.benchmarks.curvature_coverage"
    )
    parser.add_argument("--cases", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--part", choices=("probes", "samples"), help="of the errors; both by default")
    parser.add_argument("--steps", type=int, default=OPTIONS["steps"], help="products of a probe")
    options = parser.parse_args()
    settings = {**OPTIONS, "steps": options.steps, "batch_size": BATCH, "progress": False}
    x, y = landscape.digits("train")
    model = network(x, y, options.epochs)
    x = x.double()
    matrices = dict(zip(("raw", "normalised"), (found := whole(model, x, y))[:2], strict=True))
    first = (x[:SAMPLES], y[:SAMPLES])
    of_first = dict(zip(("raw", "normalised"), whole(model, *first)[:2], strict=True))
    hits = Hits()
    chance = np.random.default_rng(0)
    for seed in range(options.cases):
        drawn = torch.from_numpy(chance.integers(0, len(x), SAMPLES))
        if options.part != "samples":
            over_probes(hits, landscape.curvature(model, first, seed=seed, **settings), of_first)
        if options.part != "probes":
            report = landscape.curvature(model, (x[drawn], y[drawn]), seed=seed, **settings)
            over_samples(hits, report, matrices, found[2])
    print("| 95 % interval of | holds in | cases |\n|---|---|---|")
    print("\n".join(hits.rows()))


if __name__ == "__main__":
    main()
