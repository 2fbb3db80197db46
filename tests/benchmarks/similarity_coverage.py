"""How often intervals of similarity and of populations hold the truth, beside careless ones that must not.

    python -m tests.benchmarks.similarity_coverage
    python -m tests.benchmarks.similarity_coverage --only shares

Each line is 400 cases with a known truth. What is stated as 95 % has to hold in 92 to 98.5 %, but for what is known to
hold less often (`KNOWN`), where three binomial errors below that are allowed; beside it stands how often an interval
holds that is made in a way that looks right and is not:

* CKA of Gaussian features, Student's t times the stated error. Careless: the error of one pass over the root of the
  passes, as if each pass saw other samples.
* The first component's share of Gaussian features, 1.96 times the stated error. Careless: the error of the eigenvalue
  alone, as if the trace were known.
* The variance of P_A - P_B that is left over, of networks with abilities of their own. Careless: the binomial noise is
  not taken off.

Exit status 1 where a stated interval misses the range, or a careless one is in it on every line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import nn

import landscape
from landscape.similarity.hsic import all_pairs, centred_gram, linear_gram, packed
from landscape.similarity.moments import Moments, PassMoments
from landscape.surface.reports.population_statistics import excess
from landscape.surface.reports.similarity import Similarity

LOW, HIGH = 0.92, 0.985
# A weak component of more features than there are samples reads a little high.
KNOWN = {"share 0.30 of 2000 directions, 500 samples": 0.92}
# Whether the stated interval holds the truth, and whether the careless one does.
Case = Callable[[], tuple[bool, bool]]
Array = NDArray[np.float64]
# Of a standard normal, for means over networks' abilities.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(31)


def cka() -> Iterator[tuple[str, Case]]:
    """CKA of two layers that share a part."""
    for n, size, passes in ((240, 24, 4), (480, 48, 1), (480, 48, 4), (2000, 250, 4)):
        for noise in (0.3, 1.0, 5.0):
            rng = np.random.default_rng(5)
            mixing = [rng.standard_normal((4, 6)), rng.standard_normal((4, 5))]
            own = [((m.T @ m + noise * np.eye(m.shape[1])) ** 2).sum() for m in mixing]
            truth = float(((mixing[0].T @ mixing[1]) ** 2).sum() / np.sqrt(own[0] * own[1]))
            words = f"CKA {truth:.2f}, {n} samples, batches of {size}, {passes} passes"
            yield words, partial(_cka_case, rng, mixing, noise, n, size, passes, truth)


def _cka_case(
    rng: np.random.Generator, mixing: list[Array], noise: float, n: int, size: int, passes: int, truth: float
) -> tuple[bool, bool]:
    z = rng.standard_normal((n, 4))
    wide = [z @ m + noise**0.5 * rng.standard_normal((n, m.shape[1])) for m in mixing]
    moments = Moments(2)
    for _ in range(passes):
        running = PassMoments(2, np.full(n // size, size / n))
        for number, places in enumerate(np.split(rng.permutation(n), n // size)):
            grams = [packed(centred_gram(linear_gram(torch.from_numpy(each[places])))) for each in wide]
            running.add(number, all_pairs(torch.stack(grams)))
        moments.add(running)
    value, error = (float(each[0, 1]) for each in moments.cka())
    careless = float(moments.variances[0, 1]) ** 0.5 / passes
    t = stats.t.ppf(0.975, Similarity((), np.zeros((0, 0)), np.zeros((0, 0)), n, n // size, passes).freedom)
    return abs(value - truth) < t * error, abs(value - truth) < t * careless


def shares() -> Iterator[tuple[str, Case]]:
    """The first component's share: in few directions, in many, and in more than there are samples."""
    for n, share, width in ((1000, 0.5, 20), (1000, 0.25, 20), (500, 0.9, 200), (500, 0.3, 2000)):
        # The rest of the variance is spread evenly, so that the first component is the one that is meant.
        scales = np.sqrt(np.array([share, *[(1 - share) / (width - 1)] * (width - 1)], np.float32))
        words = f"share {share:.2f} of {width} directions, {n} samples"
        yield words, partial(_share_case, np.random.default_rng(6), scales, n, share)


def _share_case(rng: np.random.Generator, scales: NDArray[np.float32], n: int, share: float) -> tuple[bool, bool]:
    x = torch.from_numpy(rng.standard_normal((n, len(scales)), np.float32) * scales)
    found = landscape.similarity(nn.Identity(), x, layers="^$", batch_size=250, passes=1)
    value, error = float(found.pc_share[0]), float(found.pc_share_stderr[0])
    return abs(value - share) < 1.96 * error, abs(value - share) < 1.96 * value * (2 / n) ** 0.5


def populations() -> Iterator[tuple[str, Case]]:
    """What is left over between two groups of networks, each with an ability of its own."""
    for networks, examples, spread, ability in ((10, 360, 0.0, 0.0), (10, 360, 1.0, 0.5), (5, 1000, 1.0, 1.0)):
        rng = np.random.default_rng(7)
        one, other = (_chance(each, ability) for each in _levels(rng, 200_000, spread))
        truth = float((one - other).var())
        words = f"left over {truth:.4f}, {networks} networks a side, {examples} examples, abilities {ability:g}"
        yield words, partial(_population_case, rng, networks, examples, spread, ability, truth)


def _levels(rng: np.random.Generator, number: int, spread: float) -> tuple[Array, Array]:
    base, change = 1.0 + 1.5 * rng.standard_normal(number), spread * rng.standard_normal(number) / 2
    return base + change, base - change


def _chance(level: Array, ability: float) -> Array:
    found: Array = 1 / (1 + np.exp(-(level[:, None] + ability * NODES))) @ (WEIGHTS / WEIGHTS.sum())
    return found


def _population_case(
    rng: np.random.Generator, networks: int, examples: int, spread: float, ability: float, truth: float
) -> tuple[bool, bool]:
    right = []
    for level in _levels(rng, examples, spread):
        own = ability * rng.standard_normal((networks, 1))
        right.append(rng.random((networks, examples)) < 1 / (1 + np.exp(-(level + own))))
    found = excess(right[0], right[1], seed=int(rng.integers(2**31)), resamples=200)
    careless = found.low + found.noise <= truth <= found.high + found.noise
    return found.low <= truth <= found.high, careless


PARTS = {"cka": cka, "shares": shares, "populations": populations}


def main() -> int:
    """Print how often each interval holds; return 1 where one does not do what it states."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(PARTS), help="one of the parts")
    parser.add_argument("--cases", type=int, default=400)
    options = parser.parse_args()
    failed = False
    for name, lines in PARTS.items():
        if options.only not in (None, name):
            continue
        seen = []
        for words, case in lines():
            held, careless = np.mean([case() for _ in range(options.cases)], axis=0)
            known = KNOWN.get(words)
            low = LOW if known is None else known - 3 * (known * (1 - known) / options.cases) ** 0.5
            inside = low <= held <= HIGH
            failed |= not inside
            seen.append(LOW <= careless <= HIGH)
            said = f"{words}: {100 * held:.1f} % of {options.cases}, careless {100 * careless:.1f} %"
            print(said + ("" if inside else "  OUT OF RANGE"), flush=True)
        if all(seen):
            failed = True
            print(f"no line tells a careless interval of {name} from a right one")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
