r"""How many seeds a question takes: what so many resolve, and how many a smaller difference would need.

A difference of d between two variants, whose paired differences scatter over seeds with standard deviation s, is found
by Student's two-sided test over n seeds with the probability of a noncentral t [1]_ beyond its quantile,

.. math:: P\big( |T_{n-1}(\delta)| > t_{n-1,\,1-\alpha/2} \big), \qquad \delta = \frac{d}{s} \sqrt n .

That a difference d lies within a margin is found by two one-sided tests [2]_ of level alpha / 2, with the probability
that the interval of level 1 - alpha lies within it: the mean over all standard deviations that may come out.

For m questions in one study the level is alpha / m, which is what Holm's correction asks of the first of them.

References
----------
.. [1] Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition, 1988, Section 2.3.
.. [2] Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", J. Pharmacokinetics and
       Biopharmaceutics 15, 1987.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special  # scipy.stats, which has the same, takes a second to load

from landscape.errors import UsageError
from landscape.surface.grid import Floats

ALPHA = 0.05
POWER = 0.8
# More seeds than this are not worth counting.
MOST_SEEDS = 100_000


@dataclass(frozen=True)
class Power:
    """What a study of so many seeds can see."""

    seeds: int
    deviation: float  # of paired differences over seeds
    resolved: float  # the difference that is found with the probability `power`
    power: float
    questions: int = 1  # in the same study: the level of one test is `ALPHA` over so many
    wanted: float = math.nan  # the difference that was observed or is expected
    needed: int | None = None  # seeds for it; None where more than MOST_SEEDS are needed or nothing is wanted

    def words(self, unit: str = "") -> str:
        """Return one sentence for the report.

        Examples
        --------
        >>> power_of(6, 0.55, wanted=0.16).words("points")
        '6 seeds resolve 0.79 points; 95 would be needed for 0.16 points.'
        >>> power_of(6, 0.55, wanted=0.16, questions=5).words("points")
        'Among 5 questions 6 seeds resolve 1.2 points; 142 would be needed for 0.16 points.'
        """
        name = f" {unit}" if unit else ""
        if not math.isfinite(self.resolved):
            return f"{_seeds(self.seeds)} cannot say what they resolve: their differences have no known spread."
        among = f"Among {self.questions} questions " if self.questions > 1 else ""
        said = f"{among}{_seeds(self.seeds)} resolve{'s' if self.seeds == 1 else ''} {self.resolved:.2g}{name}"
        if not math.isfinite(self.wanted) or self.wanted == 0:
            return f"{said}."
        if self.needed is None:
            return f"{said}; more than {MOST_SEEDS:,} would be needed for {abs(self.wanted):.2g}{name}."
        if self.needed <= self.seeds:
            return f"{said}; {self.needed} would do for {abs(self.wanted):.2g}{name}."
        return f"{said}; {self.needed:,} would be needed for {abs(self.wanted):.2g}{name}."


def detection(seeds: int, deviation: float, difference: float, *, alpha: float = ALPHA) -> float:
    """Return the probability that a two-sided test over seeds finds a difference.

    Parameters
    ----------
    seeds : int
        Two at least.
    deviation : float
        Standard deviation of the paired differences; above 0.
    difference : float
        The true mean difference, in the same unit.
    alpha : float
        How often a difference is found where there is none.

    Examples
    --------
    >>> round(detection(6, 0.55, 0.8), 3), round(detection(6, 0.55, 0.0), 3)
    (0.81, 0.05)
    """
    if seeds < 2 or not deviation > 0:
        raise UsageError(f"power takes two seeds and a spread above 0, got {seeds} and {deviation:g}")
    freedom = seeds - 1
    quantile = float(special.stdtrit(freedom, 1 - alpha / 2))
    shift = abs(difference) / deviation * math.sqrt(seeds)
    # The mean over all standard deviations that may come out: SciPy's noncentral t is NaN in places, for two seeds.
    weights, spread = _spreads(freedom)
    chances = special.ndtr(shift - quantile * spread) + special.ndtr(-quantile * spread - shift)
    return float(weights @ chances)


def equivalence(seeds: int, deviation: float, difference: float, margin: float, *, alpha: float = ALPHA) -> float:
    """Return the probability that two one-sided tests over seeds find a difference to be within a margin.

    Parameters
    ----------
    seeds, deviation, difference, alpha
        As for `detection`; each of the two tests has half of ``alpha``.
    margin : float
        Differences up to it count as none.

    Examples
    --------
    >>> round(equivalence(20, 0.1, 0.02, 0.1), 3), equivalence(20, 0.1, 0.02, 0.01) < 0.05
    (0.923, True)
    """
    if seeds < 2 or not deviation > 0:
        raise UsageError(f"power takes two seeds and a spread above 0, got {seeds} and {deviation:g}")
    weights, spread = _spreads(seeds - 1)
    reach = float(special.stdtrit(seeds - 1, 1 - alpha / 2)) * spread
    scale = math.sqrt(seeds) / deviation
    chances = special.ndtr((margin - difference) * scale - reach) - special.ndtr((-margin - difference) * scale + reach)
    return float(weights @ np.maximum(chances, 0.0))


def resolved_difference(seeds: int, deviation: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return the difference that so many seeds find with a probability; NaN for one seed or no spread."""
    if seeds < 2 or not deviation > 0 or not math.isfinite(deviation):
        return math.nan
    return _resolved_deviations(seeds, alpha, power) * deviation


def seeds_needed(deviation: float, difference: float, *, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Return the least number of seeds that find a difference with a probability; None for over 100,000.

    Examples
    --------
    >>> seeds_needed(0.55, 0.8), seeds_needed(0.55, 0.0)
    (6, None)
    """
    if not (deviation > 0 and math.isfinite(deviation) and math.isfinite(difference)):
        return None
    # With a spread that is known, a normal test, fewer seeds would do: where to begin to count.
    reach = float(special.ndtri(1 - alpha / 2) + special.ndtri(power)) * deviation
    if reach > abs(difference) * math.sqrt(MOST_SEEDS):
        return None
    seeds = max(2, math.floor((reach / difference) ** 2) - 1)
    while detection(seeds, deviation, difference, alpha=alpha) < power:
        seeds += 1
    return seeds


def seeds_for_equality(
    deviation: float, difference: float, margin: float, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Return the least number of seeds that find a difference to be within a margin; None for over 100,000.

    Examples
    --------
    >>> seeds_for_equality(0.1, 0.02, 0.1), seeds_for_equality(0.1, 0.1, 0.1)
    (15, None)
    """
    if not (deviation > 0 and math.isfinite(deviation) and abs(difference) < margin < math.inf):
        return None

    def enough(seeds: int) -> bool:
        return equivalence(seeds, deviation, difference, margin, alpha=alpha) >= power

    if not enough(MOST_SEEDS):
        return None
    few, many = 1, MOST_SEEDS
    while many - few > 1:
        between = (few + many) // 2
        few, many = (few, between) if enough(between) else (between, many)
    return many


def power_of(
    seeds: int,
    deviation: float,
    *,
    wanted: float = math.nan,
    margin: float = 0.0,
    questions: int = 1,
    power: float = POWER,
) -> Power:
    """Return what a study of so many seeds can see.

    Parameters
    ----------
    seeds : int
        That were measured.
    deviation : float
        Standard deviation of paired differences over seeds, as estimated from them.
    wanted : float
        The difference to count the seeds for: what was expected, or what was found.
    margin : float
        Above 0: the seeds are counted for finding a difference ``wanted`` inside this margin to be within it.
    questions : int
        Hypotheses tested in the same study.
    power : float
        With what probability a difference is to be found.
    """
    if questions < 1:
        raise UsageError(f"a study of {questions} questions has no power to speak of; give 1 or more")
    alpha = ALPHA / questions
    resolved = resolved_difference(seeds, deviation, alpha=alpha, power=power)
    if margin > 0:
        needed = seeds_for_equality(deviation, margin - wanted, margin, alpha=alpha, power=power)
    else:
        needed = seeds_needed(deviation, wanted, alpha=alpha, power=power)
    return Power(seeds, deviation, resolved, power, questions, wanted, needed)


def _seeds(number: int) -> str:
    return f"{number:,} seed{'' if number == 1 else 's'}"


@cache
def _nodes() -> tuple[Floats, Floats]:
    """Return Gauss-Legendre nodes and weights: with 120 the probability is right to 1e-6."""
    return np.polynomial.legendre.leggauss(120)


def _spreads(freedom: int) -> tuple[Floats, Floats]:
    """Return standard deviations that may come out, in units of the true one, with their weights before them."""
    nodes, weights = _nodes()
    spread = np.sqrt(2 * special.gammaincinv(freedom / 2, (1 + nodes) / 2) / freedom)
    return weights / 2, spread


@cache
def _resolved_deviations(seeds: int, alpha: float, power: float) -> float:
    """Return the difference that is found with a probability, in standard deviations."""
    from scipy import optimize

    reach = 1.0
    while detection(seeds, 1.0, reach, alpha=alpha) < power:
        reach *= 2
    found = optimize.brentq(lambda each: detection(seeds, 1.0, each, alpha=alpha) - power, 0.0, reach, xtol=1e-9)
    return float(found)
