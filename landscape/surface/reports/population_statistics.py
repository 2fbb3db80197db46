r"""Two populations of networks example by example, against the null that a few seeds alone would give.

The share of a group's networks that are right, P(x), is binomial: of m networks its variance is p(1-p)/m, of which
P(1-P)/(m-1) is an estimate without bias. So

.. math:: \mathrm{Var}_x(P_A - P_B) - \overline{P_A(1-P_A)}/(m_A-1) - \overline{P_B(1-P_B)}/(m_B-1)

is without bias what the groups differ by beyond the draw of networks: 0 on average for two halves of one group.

The same number in another form: squares of p are products of two *different* networks (a U-statistic), averaged over
pairs. Its interval is over draws of examples and of networks. A bootstrapped group holds some networks more than once,
and in that form pairs of a network with itself, which would bring back the noise, do not count. Bootstrapping both at
once states too much in such a crossed design (Owen [2]_), here more than twice the error. So each is bootstrapped by
itself, and of the second variance only that is added which is lost when the answers to each example are mixed anew
among the networks of a group: what whole networks share, beyond the draw of single answers that both variances have.

References
----------
.. [1] Nguyen, Raghu, Kornblith, "Do Wide and Deep Networks Learn the Same Things?", ICLR 2021, Section 6.
.. [2] Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1, 2007.
.. [3] Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats, which has the same, takes a second to load

from landscape.errors import ProblemError
from landscape.surface.grid import Floats
from landscape.surface.reports.populations import (
    ClassDifference,
    Comparison,
    Excess,
    GreatestDifference,
    GroupSummary,
    Populations,
)
from landscape.surface.statistics import ROUNDING, spread

RESAMPLES = 500
LEVEL = 0.95
BINS = 15
# Examples that are listed, and halves of a group that are drawn.
LISTED, HALVES = 20, 8
_CHUNK = 100


def compare(found: Populations, first: str, second: str, *, seed: int = 0, resamples: int = RESAMPLES) -> Comparison:
    """Compare two groups.

    Parameters
    ----------
    found : Populations
    first, second : str
        Names of groups.
    seed : int
        Of the bootstrap.
    resamples : int

    Raises
    ------
    UsageError
        There is no such group.
    """
    a, b = found.members(first), found.members(second)
    difference = np.abs(found.shares(first) - found.shares(second))
    order = np.argsort(-difference, kind="stable")[:LISTED]
    return Comparison(
        first,
        second,
        excess(found.correct[a], found.correct[b], seed=seed, resamples=resamples),
        float(np.mean([(found.answers[i] == found.answers[j]).mean() for i in a for j in b])),
        float(np.mean([hellinger(found.probabilities[i], found.probabilities[j]).mean() for i in a for j in b])),
        class_differences(found.correct[a], found.correct[b], found.labels, found.classes),
        tuple(int(place) for place in order if difference[place] > 0),
    )


def joined(parts: Sequence[tuple[str, Populations]]) -> Populations:
    """Return several results for the same examples as one, each a group of its own.

    Parameters
    ----------
    parts : sequence of (str, Populations)
        With the name of the group that each one becomes.

    Raises
    ------
    ProblemError
        They are not of the same samples in the same order, or not of as many classes.
    """
    (first_name, first), *others = parts
    for name, each in others:
        same = (
            each.problem.get("fingerprint") == first.problem.get("fingerprint")
            and np.array_equal(each.numbers, first.numbers)
            and np.array_equal(each.labels, first.labels)
        )
        if not same:
            raise ProblemError(
                f"{first_name} and {name} are predictions for different samples, or in another order: measure both "
                "on the same data, --samples and --sample-seed"
            )
        if each.classes != first.classes:
            raise ProblemError(f"{first_name} tells {first.classes} classes apart, {name} {each.classes}")
    names = [network for _, each in parts for network in each.names]
    if len(set(names)) < len(names):
        names = [f"{name}/{network}" for name, each in parts for network in each.names]
    return replace(
        first,
        names=tuple(names),
        groups=tuple(name for name, each in parts for _ in each.names),
        probabilities=np.concatenate([each.probabilities for _, each in parts]),
        done=np.concatenate([each.done for _, each in parts]),
        about=tuple(about for _, each in parts for about in (each.about or ({},) * len(each.names))),
    )


def summary(found: Populations, group: str, *, seed: int = 0, resamples: int = RESAMPLES) -> GroupSummary:
    """Describe one group, and what two halves of it would look like."""
    members = found.members(group)
    correct = found.correct[members]
    pairs = list(combinations(members.tolist(), 2))
    accuracy, width = mean_and_half_width(correct.mean(1, dtype=np.float64))
    errors = [calibration_error(found.probabilities[k], found.labels) for k in members]
    calibration, calibration_width = mean_and_half_width(np.array(errors))
    alike = [float((found.answers[i] == found.answers[j]).mean()) for i, j in pairs]
    apart = [float(hellinger(found.probabilities[i], found.probabilities[j]).mean()) for i, j in pairs]
    return GroupSummary(
        group,
        len(members),
        accuracy,
        width,
        float(np.mean(alike)) if pairs else math.nan,
        float(np.mean(apart)) if pairs else math.nan,
        calibration,
        calibration_width,
        null(correct, seed=seed, resamples=resamples),
    )


def _left_over(a: Floats, b: Floats, weights: tuple[Floats, Floats, Floats]) -> Floats:
    """Return the variance over examples of p_A - p_B without bias, shape (draws,).

    Squares are products of two different networks, whatever weight each one has.

    Parameters
    ----------
    a, b : ndarray, shape (networks, examples)
        1 where a network is right.
    weights : tuple of ndarray
        Of each group's networks, shape (draws, networks), and of examples, (draws, examples); each sums to 1.
    """
    means, squares, overall = [], [], []
    for each, weight in zip((a, b), weights[:2], strict=True):
        double = weight**2
        different = 1 - double.sum(1, keepdims=True)
        mean = weight @ each
        # 1 and 0 are their own squares.
        squares.append((mean**2 - double @ each) / different)
        accuracy = each @ weights[2].T  # (networks, draws): of each network on the examples drawn
        total = (weight * accuracy.T).sum(1)
        overall.append((total, (total**2 - (double * accuracy.T**2).sum(1)) / different[:, 0]))
        means.append(mean)
    differences = squares[0] + squares[1] - 2 * means[0] * means[1]
    constant = overall[0][1] + overall[1][1] - 2 * overall[0][0] * overall[1][0]
    found: Floats = (weights[2] * differences).sum(1) - constant
    return found


def excess(a: NDArray[np.bool_], b: NDArray[np.bool_], *, seed: int = 0, resamples: int = RESAMPLES) -> Excess:
    """Return how far two groups differ beyond the draw of their networks.

    Parameters
    ----------
    a, b : ndarray of bool, shape (networks, examples)
        Whether each network is right.

    Returns
    -------
    Excess
        NaN but for what was observed where a group has one network.
    """
    (m_a, number), m_b = a.shape, len(b)
    observed = float((a.mean(0, dtype=np.float64) - b.mean(0, dtype=np.float64)).var())
    if min(m_a, m_b) < 2:
        return Excess(observed, math.nan, math.nan, math.nan, math.nan)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    sizes = (m_a, m_b, number)
    even = (np.full((1, m_a), 1 / m_a), np.full((1, m_b), 1 / m_b), np.full((1, number), 1 / number))
    value = float(_left_over(wide_a, wide_b, even)[0])
    rng = np.random.Generator(np.random.PCG64(seed))

    def variance(a: Floats, b: Floats, networks: bool) -> float:
        drawn = []
        for start in range(0, resamples, _CHUNK):
            draws = min(_CHUNK, resamples - start)
            given: list[Floats] = [np.repeat(each, draws, 0) for each in even]
            for place in (0, 1) if networks else (2,):
                given[place] = _resampled(rng, sizes[place], draws)
            drawn.append(_left_over(a, b, (given[0], given[1], given[2])))
        return float(np.concatenate(drawn).var())

    # The draw of each example's answers is in both; what is left when networks are mixed anew for each is that alone.
    mixed = [rng.permuted(each, axis=0) for each in (wide_a, wide_b)]
    own = max(variance(wide_a, wide_b, True) - variance(mixed[0], mixed[1], True), 0.0)
    reach = float(special.ndtri((1 + LEVEL) / 2)) * math.sqrt(variance(wide_a, wide_b, False) + own)
    return Excess(observed, observed - value, value, value - reach, value + reach)


def _resampled(rng: np.random.Generator, size: int, draws: int) -> Floats:
    """Return how often each of so many is drawn, as weights of shape (draws, size); never one of them alone."""
    counts = rng.multinomial(size, np.full(size, 1 / size), draws)
    while (alone := counts.max(1) == size).any():
        counts[alone] = rng.multinomial(size, np.full(size, 1 / size), int(alone.sum()))
    found: Floats = counts / size
    return found


def null(correct: NDArray[np.bool_], *, seed: int = 0, resamples: int = RESAMPLES) -> Excess | None:
    """Return what two halves of one group differ by, the mean over several ways to halve it; None for under four.

    The interval is that of the first way.
    """
    number = len(correct)
    if number < 4:
        return None
    parts = []
    for half in range(HALVES):
        a, b = halves(number, seed + half)
        parts.append(excess(correct[a], correct[b], seed=seed, resamples=resamples if half == 0 else 1))
    observed, noise = (float(np.mean([getattr(each, name) for each in parts])) for name in ("observed", "noise"))
    shift = observed - noise - parts[0].value
    return Excess(observed, noise, observed - noise, parts[0].low + shift, parts[0].high + shift)


def halves(number: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a random half of so many networks, and the other half."""
    order = np.random.Generator(np.random.PCG64([seed, 1])).permutation(number)
    return order[: number // 2], order[number // 2 : 2 * (number // 2)]


def mean_and_half_width(values: Floats) -> tuple[float, float]:
    """Return the mean over networks and half the width of its interval of 95 % (Student's t).

    It is NaN for one network, and where all are equal: nothing says how far others would be.
    """
    number, deviation = len(values), spread(values)
    if not deviation > 0:
        return float(values.mean()), math.nan
    return float(values.mean()), float(special.stdtrit(number - 1, (1 + LEVEL) / 2)) * deviation / math.sqrt(number)


def class_differences(
    a: NDArray[np.bool_], b: NDArray[np.bool_], labels: NDArray[np.int64], classes: int
) -> tuple[ClassDifference, ...]:
    """Return each class's accuracies, their difference by Welch's test over networks, corrected for all classes.

    Sorted by difference. Intervals are over networks, for these examples; those of differences are for each class by
    itself, p-values are for all classes together.
    """
    found = []
    for label in range(classes):
        chosen = labels == label
        if not chosen.any():
            continue
        rates = [each[:, chosen].mean(1, dtype=np.float64) for each in (a, b)]
        (first, first_width), (second, second_width) = (mean_and_half_width(each) for each in rates)
        low, high, p_value = _welch(*rates)
        accuracy, widths = (first, second), (first_width, second_width)
        found.append(ClassDifference(label, int(chosen.sum()), accuracy, widths, second - first, low, high, p_value))
    corrected = holm(np.array([each.p_value for each in found]))
    kept = [ClassDifference(**{**vars(each), "p_value": float(p)}) for each, p in zip(found, corrected, strict=True)]
    return tuple(sorted(kept, key=lambda each: each.difference))


def greatest_class_difference(found: Populations, first: str, second: str) -> GreatestDifference:
    """Return by how much two groups' accuracies differ on the class where they differ most.

    The interval is from Welch's intervals of all classes at once, at 5 % over their number (Bonferroni): the greatest
    size is at most the greatest of their far ends, and at least the greatest of their near ones. A class on which all
    networks are equally accurate shows no spread, and counts as uncertain as the most uncertain one.

    Parameters
    ----------
    found : Populations
    first, second : str
        Names of groups.

    Returns
    -------
    GreatestDifference
        Ends are NaN where a group has one network, or no class shows a spread.
    """
    a, b = (found.correct[found.members(group)] for group in (first, second))
    classes = np.unique(found.labels)
    level = 1 - (1 - LEVEL) / len(classes)
    rows = []
    for label in classes:
        rates = [each[:, found.labels == label].mean(1, dtype=np.float64) for each in (a, b)]
        low, high, _ = _welch(rates[0], rates[1], level)
        rows.append((abs(float(rates[1].mean() - rates[0].mean())), (high - low) / 2))
    sizes, reach = np.array(rows).T
    place = int(sizes.argmax())
    if np.isnan(reach).all():
        return GreatestDifference(int(classes[place]), float(sizes[place]), math.nan, math.nan)
    reach = np.where(np.isnan(reach), np.nanmax(reach), reach)
    low, high = max(float((sizes - reach).max()), 0.0), float((sizes + reach).max())
    return GreatestDifference(int(classes[place]), float(sizes[place]), low, high)


def _welch(a: Floats, b: Floats, level: float = LEVEL) -> tuple[float, float, float]:
    """Return the ends of an interval for the difference of means, and its p-value."""
    if min(len(a), len(b)) < 2:
        return math.nan, math.nan, math.nan
    parts = [spread(each) ** 2 / len(each) for each in (a, b)]
    difference, error = float(b.mean() - a.mean()), math.sqrt(sum(parts))
    if error == 0:
        # All networks of each group are equally accurate: nothing says how far others would be.
        return math.nan, math.nan, 1.0 if abs(difference) <= ROUNDING else math.nan
    freedom = sum(parts) ** 2 / sum(part**2 / (len(each) - 1) for part, each in zip(parts, (a, b), strict=True))
    reach = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    return difference - reach, difference + reach, float(2 * special.stdtr(freedom, -abs(difference) / error))


def holm(p_values: Floats) -> Floats:
    """Return p-values for all tests together, by Holm's procedure; NaN where there was none.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    known = np.flatnonzero(np.isfinite(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    corrected = np.full(len(p_values), np.nan)
    scaled = p_values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if len(order) else scaled
    return corrected


def hellinger(p: NDArray[Any], q: NDArray[Any]) -> Floats:
    """Return the Hellinger distance of two networks' distributions for each example, shape (examples,), 0 to 1."""
    roots = np.sqrt(p.astype(np.float64)) - np.sqrt(q.astype(np.float64))
    found: Floats = np.sqrt((roots**2).sum(-1) / 2)
    return found


def reliability(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Return confidence, accuracy and share of examples in bins of confidence, shape (bins,); NaN for empty ones.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, Section 2.
    """
    confidence = probabilities.max(-1).astype(np.float64)
    right = probabilities.argmax(-1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(bins, confidence, BINS) / np.where(counts, counts, np.nan)
        accuracy = np.bincount(bins, right, BINS) / np.where(counts, counts, np.nan)
    return mean, accuracy, counts / len(labels)


def calibration_error(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Return the expected calibration error: |confidence - accuracy| over bins, weighted by their examples."""
    confidence, accuracy, share = reliability(probabilities, labels)
    return float(np.nansum(share * np.abs(confidence - accuracy)))
