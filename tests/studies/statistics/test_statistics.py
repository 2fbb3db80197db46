"""Verdicts of studies: against SciPy's own tests, against closed forms, and by simulation of studies."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy import stats

from landscape.errors import UsageError
from landscape.studies.statistics.contrasts import OwnInterval, contrast, sign_flip_test
from landscape.studies.statistics.power import (
    detection,
    equivalence,
    power_of,
    resolved_difference,
    seeds_for_equality,
    seeds_needed,
)
from landscape.studies.statistics.seed_intervals import correlation, seed_interval
from landscape.studies.statistics.verdicts import correct, judge, judge_correlation, judge_own, judge_together
from landscape.studies.study import NOT_REPRODUCED, NOT_RESOLVED, REPRODUCED, Hypothesis, Relation, Verdict
from landscape.surface.reports.population_statistics import holm

A = [3.1, 2.9, 3.6, 3.3, 2.7, 3.4]
B = [2.8, 2.95, 3.1, 3.0, 2.6, 2.9]


def by_seed(values, start=0):
    return dict(enumerate(values, start))


def ask(relation=">", *, bound=0.0, margin=0.0, effect=0.0):
    return Hypothesis(
        "h", "a against b", relations=(Relation({"a": 1, "b": -1}, relation, bound),), margin=margin, effect=effect
    )


def test_an_interval_over_seeds_is_student_s():
    low, high = stats.t.interval(0.95, 5, np.mean(A), stats.sem(A))
    assert seed_interval(A).with_ends == pytest.approx((np.mean(A), low, high))


def test_what_is_not_finite_is_left_out_and_counted():
    found = seed_interval([1.0, math.nan, 3.0, math.inf])
    assert (found.estimate, found.seeds, found.left_out) == (2.0, 2, 2)
    assert math.isnan(seed_interval([1.0]).low)
    same = seed_interval([0.7, 0.7, 0.7])  # whose mean is off by a bit
    assert (same.estimate, same.deviation) == (pytest.approx(0.7), 0.0)
    assert np.isnan([same.low, same.high]).all()


def test_seeds_that_pair_are_tested_in_pairs_as_scipy_does():
    found = judge(ask(), {"a": by_seed(A), "b": by_seed(B)})
    theirs = stats.ttest_rel(A, B)
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.interval == pytest.approx(tuple(theirs.confidence_interval()))
    assert found.verdict == REPRODUCED
    assert judge(ask("<"), {"a": by_seed(A), "b": by_seed(B)}).verdict == NOT_REPRODUCED


def test_seeds_that_do_not_pair_are_tested_as_welch_does():
    found = judge(ask(), {"a": by_seed(A), "b": by_seed(B, 100)})
    theirs = stats.ttest_ind(A, B, equal_var=False)
    assert found.p == pytest.approx(theirs.pvalue)
    assert found.interval == pytest.approx(tuple(theirs.confidence_interval()))
    assert "Welch" in found.text
    half = contrast({"a": 1, "b": -0.5}, {"a": by_seed(A), "b": by_seed(B, 100)})
    theirs = stats.ttest_ind(A, np.divide(B, 2), equal_var=False)
    assert (half.freedom, half.estimate / half.error) == pytest.approx((theirs.df, theirs.statistic))


def test_only_seeds_of_both_variants_pair():
    found = contrast({"a": 1, "b": -1}, {"a": by_seed(A), "b": {2: 1.0, 3: 1.5, 4: math.nan}})
    np.testing.assert_allclose(found.paired, [A[2] - 1.0, A[3] - 1.5])


def test_a_margin_is_what_a_difference_has_to_exceed():
    values = {"a": by_seed(A), "b": by_seed(B)}
    for margin in (0.05, 0.3):
        theirs = stats.ttest_1samp(np.subtract(A, B), margin)
        assert judge(ask(margin=margin), values).p == pytest.approx(theirs.pvalue)
    assert judge(ask(margin=1.0), values).verdict == NOT_REPRODUCED


def test_equal_needs_evidence_of_equality():
    close = {"a": by_seed([1.0, 1.02, 0.99, 1.01]), "b": by_seed([1.01, 1.0, 1.0, 1.0])}
    wide = {"a": by_seed([0.0, 2.0, 1.0, 5.0]), "b": by_seed([1.0, 1.0, 3.0, 1.0])}
    assert judge(ask("=", margin=0.1), close).verdict == REPRODUCED
    assert judge(ask("=", margin=0.1), wide).verdict == NOT_RESOLVED
    assert judge(ask("=", bound=1.0, margin=0.1), close).verdict == NOT_REPRODUCED
    with pytest.raises(UsageError, match="margin above 0"):
        judge(ask("="), close)


def test_a_chain_holds_only_where_every_link_does():
    chain = Hypothesis("h", "", relations=(Relation({"a": 1, "b": -1}, "<"), Relation({"b": 1, "c": -1}, "<")))
    values = {"a": by_seed([1.0, 1.1, 0.9]), "b": by_seed([2.0, 2.2, 2.1]), "c": by_seed([3.0, 3.4, 3.3])}
    assert judge(chain, values).verdict == REPRODUCED
    flat = values | {"c": by_seed([2.0, 2.3, 2.0])}
    assert judge(chain, flat).verdict == NOT_RESOLVED
    # The link that is refuted is the one that is reported.
    found = judge(chain, values | {"c": by_seed([1.0, 1.05, 1.1])})
    assert found.verdict == NOT_REPRODUCED
    assert found.estimate == pytest.approx(np.mean([1.0, 1.15, 1.0]))
    # Either link might have been: its p-value is for both, that of a chain that holds is the weaker link's.
    link = Hypothesis("h", "", relations=chain.relations[1:])
    refuted = judge(link, values | {"c": by_seed([1.0, 1.05, 1.1])})
    assert found.p == pytest.approx(2 * refuted.p)
    assert judge(chain, flat).p == pytest.approx(judge(link, flat).p)


def test_all_is_the_mean_of_the_variants_of_a_seed():
    values = {"a": by_seed([1.0, 2.0]), "b": {0: 3.0, 1: 6.0, 2: 9.0}}
    assert contrast({"all": 1.0}, values).paired.tolist() == [2.0, 4.0]


@pytest.mark.parametrize("same", [[1.0, 1.0, 1.0], [0.1 + 0.2, 0.3, 0.3]])
def test_nothing_is_claimed_without_a_spread(same):
    found = judge(ask(), {"a": by_seed(same), "b": by_seed([0.0] * 3)})
    assert found.verdict == NOT_RESOLVED
    assert "no spread" in found.text
    assert judge(ask(), {"a": {0: 1.0}, "b": {0: 0.0}}).verdict == NOT_RESOLVED
    assert judge(ask(), {"a": {0: 1.0}}).text == "Not resolved: there are no numbers of b."


def asked_of(relation, bound=0.0, margin=0.0, weight=1.0):
    relations = (Relation({"all": weight}, relation, bound),)
    return Hypothesis("h", "", relations=relations, margin=margin, interval="own")


def test_a_number_s_own_interval_decides_where_its_end_lies():
    """Just outside and just inside the bound of 95 %; each side by its own reach."""
    number = OwnInterval(2.0, 1.0, 5.0, 10)
    for relation, bound, verdict in [
        (">", 0.99, REPRODUCED), (">", 1.01, NOT_RESOLVED), ("<", 0.99, NOT_REPRODUCED), ("<", 5.01, REPRODUCED),
        ("<", 4.99, NOT_RESOLVED), (">", 5.01, NOT_REPRODUCED),
    ]:  # fmt: skip
        found = judge_own(asked_of(relation, bound), {"all": number})
        assert (found.verdict, found.interval, found.seeds) == (verdict, (1.0, 5.0), 10), (relation, bound)
    assert judge_own(asked_of(">", 1.0), {"all": number}).p == pytest.approx(0.05)
    assert judge_own(asked_of(">", 0.0), {"all": number}).p == pytest.approx(2 * stats.norm.sf(2 * 1.959964), rel=1e-5)
    assert judge_own(asked_of("=", 3.0, margin=2.1), {"all": number}).verdict == REPRODUCED
    assert judge_own(asked_of("=", 9.0, margin=2.1), {"all": number}).verdict == NOT_REPRODUCED
    assert judge_own(asked_of("<", -1.01, weight=-1.0), {"all": number}).verdict == NOT_RESOLVED
    assert judge_own(asked_of("<", -0.99, weight=-1.0), {"all": number}).verdict == REPRODUCED
    for bound, verdict in ((1.99, REPRODUCED), (2.01, NOT_RESOLVED), (10.01, NOT_REPRODUCED)):
        found = judge_own(asked_of(">", bound, weight=2.0), {"all": number})
        assert (found.verdict, found.interval) == (verdict, (2.0, 10.0))


def test_a_number_without_an_interval_of_its_own_claims_nothing():
    for number in (OwnInterval(2.0, math.nan, 3.0, 5), OwnInterval(2.0, 2.0, 2.0, 5), OwnInterval(2.0, 3.0, 4.0, 5)):
        found = judge_own(asked_of(">"), {"all": number})
        assert (found.verdict, "without an interval" in found.text) == (NOT_RESOLVED, True)
    assert judge_own(asked_of(">"), {}).text == "Not resolved: there are no numbers of all."


def test_flipping_signs_gives_what_scipy_gives_by_permutation():
    differences = np.subtract(A, B)
    theirs = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_test(differences) == pytest.approx(theirs.pvalue)
    for relation, margin in ((">", 0.05), ("<", -0.05)):  # from where the margin ends, on either side
        said = judge(ask(relation, margin=0.05), {"a": by_seed(A), "b": by_seed(B)}).text
        assert f"by flipping signs {sign_flip_test(differences - margin):.2g}" in said


def test_of_few_seeds_it_is_said_how_little_flipping_signs_can_give():
    few = [1.0, 1.01, 1.02, 1.03, 1.04]
    said = judge(ask(">"), {"a": by_seed(few), "b": by_seed([0.0] * 5)}).text
    assert "by flipping signs 0.062 (no less than 0.062 is possible)" in said  # 2 patterns of 32


def test_holm_turns_what_was_found_by_chance_into_not_resolved():
    ps = [0.01, 0.02, 0.04, math.nan]
    given = [Verdict(str(p), REPRODUCED, 1.0, (0.5, 1.5), 4, p, p) for p in ps]
    found = correct(given)
    assert [each.p_corrected for each in found[:3]] == pytest.approx([0.03, 0.04, 0.04])
    assert [each.verdict for each in found] == [REPRODUCED] * 3 + [NOT_RESOLVED]
    assert [each.verdict for each in correct([given[2], given[2]])] == [NOT_RESOLVED] * 2


def test_a_correlation_has_fisher_s_interval():
    rng = np.random.default_rng(2)
    x = rng.standard_normal(12)
    y = x + rng.standard_normal(12)
    theirs = stats.pearsonr(x, y)
    found = correlation(x, y)
    assert (found.estimate, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert found.rank == pytest.approx(stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize("size", [1e-15, 1.0, 1e15])
def test_a_contrast_that_scatters_by_rounding_alone_is_of_no_known_spread(size):
    a, b, other = [0.9, 0.8, 0.7], [0.8, 0.7, 0.6], [0.81, 0.7, 0.6]
    for start in (0, 3):  # in pairs, and as Welch does
        numbers = {
            name: by_seed([size * each for each in values], start * (name != "a"))
            for name, values in {"a": a, "b": b, "other": other}.items()
        }
        assert contrast({"a": 1, "other": -1}, numbers).known
        assert contrast({"a": 1, "b": -1}, numbers).known == (start > 0)
    # By rounding of what it is a difference of, which is a million times as large.
    near = {"a": by_seed([size * each for each in a]), "b": by_seed([size * (each - 1e-7) for each in a])}
    assert not contrast({"a": 1, "b": -1}, near).known
    same = {name: by_seed(3 * [each], 3 * (name == "b")) for name, each in (("a", 0.7 * size), ("b", 0.1 * size))}
    assert not contrast({"a": 1, "b": -1}, same).known


def test_numbers_that_are_equal_but_for_rounding_go_together_with_nothing():
    near = [0.1 + 0.2, 0.3, 0.3, 0.3, 0.3]
    y = np.array([2.0, 1.0, 1.1, 0.9, 1.0])
    assert np.isnan([correlation(near, y).estimate, correlation(y, near).p_value]).all()
    groups = ["a"] * 5 + ["b"] * 5
    apart = correlation([*near, *(0.4 + each for each in near)], [*y, *y], groups)
    assert np.isnan([apart.estimate, apart.rank, apart.p_value, apart.low]).all()


def test_a_difference_between_recipes_is_no_correlation_between_networks():
    rng = np.random.default_rng(3)
    groups = ["a"] * 8 + ["b"] * 8
    shift = np.repeat([0.0, 10.0], 8)
    x, y = shift + rng.standard_normal(16), shift + rng.standard_normal(16)
    assert correlation(x, y).estimate > 0.9
    inside = correlation(x, y, groups)
    assert inside.low < 0 < inside.high
    # The same by least squares: the slope's p-value where each recipe has a level of its own.
    design = np.column_stack([x, shift == 0, shift > 0])
    slopes, (squares,), *_ = np.linalg.lstsq(design, y)
    error = math.sqrt(squares / 13 * np.linalg.inv(design.T @ design)[0, 0])
    assert inside.p_value == pytest.approx(2 * stats.t.sf(abs(slopes[0]) / error, 13))
    assert math.atanh(inside.high) - math.atanh(inside.low) == pytest.approx(2 * 1.959964 / math.sqrt(16 - 1 - 3))
    pairs = {g: {s: (x[i], y[i]) for s, i in enumerate(np.flatnonzero(np.array(groups) == g))} for g in "ab"}
    found = judge_correlation(Hypothesis("h", "", correlate=("x", "y")), pairs)
    assert found.verdict == NOT_RESOLVED
    assert found.estimate == pytest.approx(inside.estimate)
    assert found.text == (
        f"Not resolved: correlation within 2 variants {inside.estimate:.2f} [{inside.low:.2f}, {inside.high:.2f}], 16 "
        f"networks, p = {inside.p_value:.2g}, of ranks {inside.rank:.2f}; over all networks "
        f"{correlation(x, y).estimate:.2f}."
    )
    # Fewer than three of a variant: over all of them, and what goes together goes so in one direction.
    pairs["b"] = dict(list(pairs["b"].items())[:2])
    kept = [*range(10)]
    all_of_them = correlation(x[kept], y[kept])
    for sign, verdict in ((">", REPRODUCED), ("<", NOT_REPRODUCED)):
        found = judge_correlation(Hypothesis("h", "", correlate=("x", "y"), sign=sign), pairs)
        assert (found.verdict, found.seeds) == (verdict, 10)
        assert found.interval == pytest.approx((all_of_them.low, all_of_them.high))
        assert found.text == (
            f"{verdict.capitalize()}: correlation over all networks {all_of_them.estimate:.2f} "
            f"[{all_of_them.low:.2f}, {all_of_them.high:.2f}], 10 networks, p = {all_of_them.p_value:.2g}, of ranks "
            f"{all_of_them.rank:.2f}."
        )


def test_power_is_that_of_the_noncentral_t():
    for seeds, difference, alpha in [(3, 1.0, 0.05), (6, 1.3, 0.05), (20, 0.4, 0.01)]:
        quantile, shift = stats.t.ppf(1 - alpha / 2, seeds - 1), difference / 0.7 * math.sqrt(seeds)
        theirs = stats.nct.sf(quantile, seeds - 1, shift) + stats.nct.cdf(-quantile, seeds - 1, shift)
        assert detection(seeds, 0.7, difference, alpha=alpha) == pytest.approx(theirs, abs=2e-6)


@pytest.mark.parametrize(("seeds", "margin"), [(3, 1.0), (3, 4.0), (8, 0.9)])
def test_power_to_find_equivalence_is_none_where_the_spread_is_beyond_the_margin(seeds, margin):
    quantile, scale = stats.t.ppf(0.975, seeds - 1), math.sqrt(seeds)

    def found(square):
        reach = quantile * math.sqrt(square / (seeds - 1))
        ends = stats.norm.cdf([(margin - 0.3) * scale - reach, (-margin - 0.3) * scale + reach])
        return max(ends[0] - ends[1], 0.0)

    # Beyond it both tests would contradict each other: such a spread adds no chance, and takes none away.
    points = np.linspace(0, stats.chi2.ppf(1 - 1e-9, seeds - 1), 4001)
    by_hand = np.trapezoid([found(square) * stats.chi2.pdf(square, seeds - 1) for square in points], points)
    assert equivalence(seeds, 1.0, 0.3, margin) == pytest.approx(by_hand, abs=2e-4)


def test_the_seeds_that_are_needed_are_the_fewest_that_do():
    assert seeds_needed(1.0, 30.0) == 2
    for difference in (0.1, 0.5, 3.0, 30.0):
        needed = seeds_needed(1.0, difference)
        assert detection(needed, 1.0, difference) >= 0.8
        assert needed == 2 or detection(needed - 1, 1.0, difference) < 0.8
    assert power_of(6, 0.55, wanted=0.16).words("points").endswith("95 would be needed for 0.16 points.")
    # As many as there are would do.
    needed = seeds_needed(0.55, 0.8)
    assert power_of(needed, 0.55, wanted=0.8).words("points").endswith(f"{needed} would do for 0.8 points.")
    assert resolved_difference(6, 2.0) == pytest.approx(2 * resolved_difference(6, 1.0))


def simulated(rng, differences, deviation=1.0, seeds=5):
    """Return the verdicts of a study of several questions, each about two variants of its own."""
    found = []
    for difference in differences:
        common = rng.standard_normal(seeds)  # what a seed does to both variants
        a = common + difference + deviation * rng.standard_normal(seeds) / math.sqrt(2)
        b = common + deviation * rng.standard_normal(seeds) / math.sqrt(2)
        found.append(judge(ask(), {"a": by_seed(a), "b": by_seed(b)}))
    return correct(found)


def test_a_study_of_equal_variants_claims_something_in_at_most_one_of_twenty():
    rng = np.random.default_rng(4)
    studies = 300
    claims = sum(any(each.verdict != NOT_RESOLVED for each in simulated(rng, [0.0] * 2)) for _ in range(studies))
    assert 0.02 < claims / studies <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / studies)


def test_a_difference_is_found_as_often_as_the_power_says():
    rng = np.random.default_rng(5)
    difference = resolved_difference(5, 1.0)
    found = sum(simulated(rng, [difference])[0].verdict == REPRODUCED for _ in range(400))
    assert found / 400 == pytest.approx(0.8, abs=0.05)


def test_the_seeds_needed_are_those_for_all_questions_of_the_study():
    """One question of four has a difference: so many seeds find it in 8 of 10, those for one do not."""
    rng = np.random.default_rng(6)
    for questions, low, high in [(1, 0.4, 0.7), (4, 0.78, 0.86)]:
        seeds = seeds_needed(1.0, 1.3, alpha=0.05 / questions)
        differences = rng.standard_normal((3000, 4, seeds)) + np.array([1.3, 0.0, 0.0, 0.0])[:, None]
        p = stats.ttest_1samp(differences, 0.0, axis=-1).pvalue
        assert low < np.mean([holm(each)[0] < 0.05 for each in p]) < high
    # What is printed follows from the spread of the one study.
    a, b = by_seed([1.0, 2.5, 1.4, 3.0]), by_seed([0.9, 1.0, 1.5, 1.2])
    spread = float(np.std([a[seed] - b[seed] for seed in a], ddof=1))
    untested = partial(judge, ask(), {"a": a})
    found, *_ = judge_together([partial(judge, ask(effect=0.5), {"a": a, "b": b})] * 3 + [untested])
    assert found.seeds_needed == seeds_needed(spread, 0.5, alpha=0.05 / 3)
    assert found.resolvable == pytest.approx(resolved_difference(4, spread, alpha=0.05 / 3))
    assert f"Among 3 questions 4 seeds resolve {found.resolvable:.2g}; {found.seeds_needed} would" in found.text
    equal, *_ = judge_together([partial(judge, ask("=", margin=1.0, effect=0.2), {"a": a, "b": b})] * 3)
    assert equal.seeds_needed == seeds_for_equality(spread, 0.2, 1.0, alpha=0.05 / 3)


def test_the_seeds_needed_give_the_power_promised_beyond_a_margin_and_within_one():
    rng = np.random.default_rng(7)
    first = by_seed(np.array([-1.0, 1.0, -0.5, 0.5]) / math.sqrt(2.5 / 3))  # a spread of 1 about 0
    for relation, mean in [(">", 1.5), ("<", -1.5), (">", 0.5), ("=", 0.2)]:
        asked = ask(relation, margin=1.0)
        a = {seed: mean + number for seed, number in first.items()}
        stated = judge(asked, {"a": a, "b": dict.fromkeys(a, 0.0)})
        zeros = dict.fromkeys(range(stated.seeds_needed), 0.0)
        shown = NOT_REPRODUCED if mean == 0.5 else REPRODUCED
        drawn = mean + rng.standard_normal((250, stated.seeds_needed))
        share = np.mean([judge(asked, {"a": by_seed(each), "b": zeros}).verdict == shown for each in drawn])
        assert share == pytest.approx(0.8, abs=0.07), (relation, mean, stated.text)
        distance = "0.8" if relation == "=" else "0.5"
        assert f"{stated.seeds_needed} would be needed for {distance} from the margin." in stated.text
    # An effect that is stated goes before the one estimated.
    given = {"a": by_seed(A), "b": by_seed(B)}
    for relation, margin, effect, left in ((">", 0.5, 0.8, 0.3), ("<", 0.5, 0.8, 0.3), ("=", 0.8, 0.5, 0.3)):
        stated = judge(ask(relation, margin=margin, effect=effect), given)
        assert f"would be needed for {left} from the margin." in stated.text
    # No number of seeds shows an equality that is not there.
    outside = judge(ask("=", margin=0.1), {"a": first, "b": dict.fromkeys(first, 0.2)})
    assert outside.seeds_needed == 0
    assert "needed" not in outside.text
