r"""From contrasts and intervals to a verdict: reproduced, not reproduced, or not resolved.

A hypothesis is a linear contrast of variants against a bound, :math:`\sum_v w_v \mu_v > b`
(`landscape.studies.statistics.contrasts`).

* ``>`` and ``<``: *reproduced* where the contrast lies on the expected side of bound and margin, *not reproduced* where
  it lies on the other, both beyond chance.
* ``=``: *reproduced* where the contrast is within the margin by two one-sided tests [1]_, *not reproduced* where it is
  outside. That a difference was not found is no evidence that there is none.
* everything else is *not resolved*.

A number that is measured of all networks at once may have an interval of its own instead (`judge_own`): the same rules,
with the normal distribution that has this interval of 95 %.

A p-value is twice the smaller of the two one-sided ones, so at 5 % a verdict agrees with the interval of 95 %. Over the
hypotheses of a study p-values are corrected by Holm's procedure [2]_: where all variants are equal, the chance that a
study of any number of hypotheses claims anything is at most 5 %.

References
----------
.. [1] Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", J. Pharmacokinetics and
       Biopharmaceutics 15, 1987.
.. [2] Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. Statistics 6, 1979.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from landscape.errors import UsageError
from landscape.studies.statistics.contrasts import MOST_FLIPPED, Contrast, OwnInterval, Values, contrast, sign_flip_test
from landscape.studies.statistics.power import ALPHA, power_of
from landscape.studies.statistics.seed_intervals import correlation
from landscape.studies.study import NOT_REPRODUCED, NOT_RESOLVED, REPRODUCED, Hypothesis, Relation, Verdict
from landscape.surface.reports.population_statistics import holm

Pairs = Mapping[str, Mapping[int, tuple[float, float]]]  # variant -> seed -> both numbers


def judge_own(hypothesis: Hypothesis, numbers: Mapping[str, OwnInterval]) -> Verdict:
    """Return what a number's own interval says of a hypothesis; `correct` then counts how many were tested.

    Parameters
    ----------
    hypothesis : Hypothesis
        With relations of one variant each, all of which have to hold.
    numbers : mapping
        Variant -> number with its interval.

    Examples
    --------
    >>> more = Hypothesis("more", "more than noise", relations=(Relation({"all": 1}, ">"),), interval="own")
    >>> judge_own(more, {"all": OwnInterval(0.02, 0.01, 0.03, 10)}).verdict
    'reproduced'
    """
    if not hypothesis.relations or any(len(each.weights) != 1 for each in hypothesis.relations):
        raise UsageError(f"hypothesis {hypothesis.name!r}: an interval of its own is of one number")
    found: list[tuple[Relation, OwnInterval]] = []
    for each in hypothesis.relations:
        ((name, weight),) = each.weights.items()
        if name not in numbers:
            text = f"Not resolved: there are no numbers of {name}."
            return Verdict(hypothesis.name, NOT_RESOLVED, math.nan, (math.nan, math.nan), 0, text=text)
        if weight < 0:  # "1 < all" is said of all, not of -all
            flipped = {"<": ">", ">": "<"}.get(each.relation, each.relation)
            each = Relation({name: -weight}, flipped, -each.bound, each.text)
        found.append((each, numbers[name].scaled(abs(weight))))
    verdict, p, relation, shown = _decided(found, hypothesis.margin)
    asked = relation.text or f"{' '.join(f'{w:+g} {n}' for n, w in relation.weights.items())} {relation.relation}"
    asked += f" (the decisive one of {len(found)})" if len(found) > 1 else ""
    low, high = shown.interval
    text = f"Not resolved: {asked}: {shown.estimate:.4g}, measured without an interval."
    if shown.known:
        within = f", margin {hypothesis.margin:.3g}" if hypothesis.margin else ""
        text = (
            f"{verdict.capitalize()}: {asked}: {shown.estimate:.4g} [{low:.4g}, {high:.4g}], the measurement's own "
            f"interval of {shown.seeds} seeds{within}, p = {p:.2g} (normal)."
        )
    return Verdict(hypothesis.name, verdict, shown.estimate, (low, high), shown.seeds, p, p, text=text)


_Tested = TypeVar("_Tested", Contrast, OwnInterval)


def _decided(found: Sequence[tuple[Relation, _Tested]], margin: float) -> tuple[str, float, Relation, _Tested]:
    """Return the verdict on relations that all have to hold, its p-value, and the relation that decides."""
    tested: list[tuple[float, float, Relation, _Tested]] = []
    for asked, value in found:
        toward, against = _p_values(asked, value, margin)
        tested.append((toward, against, asked, value))
    unknown = [each for each in tested if math.isnan(each[0])]
    # Of several that all have to hold: the one that is furthest from being shown, or the one that is refuted.
    p_for, _, relation, shown = unknown[0] if unknown else max(tested, key=lambda each: each[0])
    p_against = math.nan
    if not unknown:
        refuted = min(tested, key=lambda each: each[1])
        p_against = min(1.0, refuted[1] * len(tested))
        if p_against < p_for:
            _, _, relation, shown = refuted
    p = min(1.0, 2 * min(p_for, p_against)) if not math.isnan(p_for) else math.nan
    verdict = NOT_RESOLVED
    if p < ALPHA:
        verdict = REPRODUCED if p_for < p_against else NOT_REPRODUCED
    return verdict, p, relation, shown


def judge(hypothesis: Hypothesis, values: Values, questions: int = 1) -> Verdict:
    """Return what the seeds say of one hypothesis by itself; `correct` then corrects it for those tested beside it.

    Parameters
    ----------
    hypothesis : Hypothesis
        With relations, all of which have to hold; the weakest is reported.
    values : mapping
        Variant -> seed -> number, without what is to be left out.
    questions : int
        That are tested in the study: what the seeds resolve, and how many are needed, is stated for 5 % over so many.

    Examples
    --------
    >>> wider = Hypothesis("wider", "a is wider", relations=(Relation({"a": 1, "b": -1}, ">"),))
    >>> judge(wider, {"a": {0: 3.0, 1: 3.2, 2: 3.1}, "b": {0: 1.0, 1: 1.3, 2: 0.9}}).verdict
    'reproduced'
    """
    if not hypothesis.relations:
        raise UsageError(f"hypothesis {hypothesis.name!r} says nothing about variants: give it an expectation")
    try:
        found = [(relation, contrast(relation.weights, values)) for relation in hypothesis.relations]
    except UsageError as error:
        return Verdict(hypothesis.name, NOT_RESOLVED, math.nan, (math.nan, math.nan), 0, text=f"Not resolved: {error}.")
    verdict, p, relation, shown = _decided(found, hypothesis.margin)
    low, high = shown.interval
    within = hypothesis.margin if relation.relation == "=" else 0.0
    wanted = _beyond(hypothesis, relation, shown.estimate)
    power = power_of(shown.seeds, shown.deviation, wanted=wanted, margin=within, questions=questions)
    words = power.words("from the margin" if hypothesis.margin else "")
    return Verdict(
        hypothesis.name,
        verdict,
        shown.estimate,
        (low, high),
        shown.seeds,
        p,
        p,
        power.resolved,
        power.needed or 0,
        _words(verdict, relation, shown, p, words, hypothesis.margin, len(found)),
    )


def judge_correlation(hypothesis: Hypothesis, pairs: Pairs) -> Verdict:
    """Return whether two numbers of the networks go together as expected, within variants and over all of them.

    The verdict is that of the ranks within variants where a variant has three networks and more, since a difference
    between two recipes in both numbers is one observation and not as many as there are networks; else over all.

    Parameters
    ----------
    hypothesis : Hypothesis
        With `correlate` and `sign`.
    pairs : mapping
        Variant -> seed -> both numbers.
    """
    rows = [(name, *both) for name, seeds in pairs.items() for both in seeds.values()]
    groups = [name for name, *_ in rows]
    x, y = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    inside = len(rows) > 0 and min(groups.count(name) for name in set(groups)) >= 3
    found = correlation(x, y, groups if inside else None)
    over_all = correlation(x, y)
    networks = found.networks
    if math.isnan(found.p_value):
        text = f"Not resolved: {networks} network(s) with both numbers show no correlation that could be tested."
        return Verdict(hypothesis.name, NOT_RESOLVED, found.estimate, (found.low, found.high), networks, text=text)
    verdict = NOT_RESOLVED
    if found.p_value < ALPHA:
        verdict = REPRODUCED if (found.estimate > 0) == (hypothesis.sign == ">") else NOT_REPRODUCED
    where = f"within {found.groups} variants" if inside else "over all networks"
    text = (
        f"{verdict.capitalize()}: correlation {where} {found.estimate:.2f} [{found.low:.2f}, {found.high:.2f}], "
        f"{networks} networks, p = {found.p_value:.2g}, of ranks {found.rank:.2f}"
    )
    text += f"; over all networks {over_all.estimate:.2f}." if inside else "."
    return Verdict(
        hypothesis.name, verdict, found.estimate, (found.low, found.high), networks, found.p_value, found.p_value,
        text=text,
    )  # fmt: skip


def judge_together(judges: Sequence[Callable[[int], Verdict]]) -> tuple[Verdict, ...]:
    """Return the verdicts of a study, each for as many questions as could be tested.

    Parameters
    ----------
    judges : sequence of callable
        One for each hypothesis: given the number of questions, it returns the verdict by itself, as `judge` does.
    """
    questions = sum(math.isfinite(each(1).p) for each in judges)
    return correct([each(max(1, questions)) for each in judges])


def correct(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts of a study with p-values for all of them together; what no longer stands is not resolved.

    Examples
    --------
    >>> one = Verdict("a", REPRODUCED, 1.0, (0.1, 1.9), 5, p=0.04, p_corrected=0.04)
    >>> [each.verdict for each in correct([one, replace(one, p=0.001)])]
    ['reproduced', 'reproduced']
    >>> [each.verdict for each in correct([one, replace(one, p=0.5)])]
    ['not resolved', 'not resolved']
    """
    corrected = holm(np.array([each.p for each in verdicts], dtype=np.float64))
    number = int(np.isfinite(corrected).sum())
    found = []
    for each, p in zip(verdicts, corrected.tolist(), strict=True):
        # A p-value that is not known claims nothing.
        verdict = each.verdict if p < ALPHA else NOT_RESOLVED
        text = each.text
        if verdict != each.verdict:
            text = (
                f"Not resolved after correction for {number} questions (by itself p = {each.p:.2g}, together {p:.2g}). "
                f"By itself: {text[:1].lower()}{text[1:]}"
            )
        found.append(replace(each, verdict=verdict, p_corrected=p, text=text))
    return tuple(found)


def _p_values(relation: Relation, found: Contrast | OwnInterval, margin: float) -> tuple[float, float]:
    """Return the one-sided p-values for a relation and against it."""
    if relation.relation == ">":
        return found.above(relation.bound + margin), found.below(relation.bound + margin)
    if relation.relation == "<":
        return found.below(relation.bound - margin), found.above(relation.bound - margin)
    if relation.relation != "=":
        raise UsageError(f"a relation is <, > or =, got {relation.relation!r}")
    if not margin > 0:
        raise UsageError('"=" needs a margin above 0: differences up to it count as none')
    low, high = relation.bound - margin, relation.bound + margin
    inside = float(np.max([found.above(low), found.below(high)]))  # NaN where one is
    return inside, float(np.min([found.below(low), found.above(high)]))


def _beyond(hypothesis: Hypothesis, relation: Relation, estimate: float) -> float:
    """Return how far from where the verdict changes the effect stated, or the one estimated, is: what seeds are for.

    NaN where it is outside the margin that it should be within: no number of seeds shows an equality that is not there.
    """
    if relation.relation == "=":
        inside = hypothesis.margin - (hypothesis.effect or abs(estimate - relation.bound))
        return inside if inside > 0 else math.nan
    toward = estimate - relation.bound if relation.relation == ">" else relation.bound - estimate
    return (hypothesis.effect or toward) - hypothesis.margin


def _words(
    verdict: str, relation: Relation, found: Contrast, p: float, power: str, margin: float, relations: int
) -> str:
    asked = relation.text or f"{' '.join(f'{w:+g} {n}' for n, w in relation.weights.items())} {relation.relation}"
    if relations > 1:
        asked = f"{asked} (the decisive one of {relations})"
    if not found.known:
        why = "one seed tells no spread" if found.seeds < 2 else "all seeds give the same, which tells no spread"
        return f"Not resolved: {asked}: {found.estimate:.4g}; {why}."
    low, high = found.interval
    tests = f"p = {p:.2g} ({'paired' if found.paired is not None else 'Welch'})"
    flipped = _flipped(found, relation, margin)
    if flipped is not None:
        tests += f", by flipping signs {flipped:.2g}"
        if p < ALPHA <= flipped:
            tests += f" (no less than {2.0 ** (1 - found.seeds):.2g} is possible)"
    within = f", margin {margin:.3g}" if margin else ""
    return (
        f"{verdict.capitalize()}: {asked}: {found.estimate:.4g} [{low:.4g}, {high:.4g}] over {found.seeds} seeds"
        f"{within}, {tests}. {power}"
    )


def _flipped(found: Contrast, relation: Relation, margin: float) -> float | None:
    """Return the two-sided p-value of the sign-flipping test; None for equivalence and for many seeds."""
    if found.paired is None or relation.relation == "=" or not 2 <= len(found.paired) <= MOST_FLIPPED:
        return None
    return sign_flip_test(found.paired - relation.bound - (margin if relation.relation == ">" else -margin))
