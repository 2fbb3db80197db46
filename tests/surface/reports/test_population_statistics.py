"""Statistics of populations against closed forms, other libraries and simulation."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from landscape.errors import ProblemError, UsageError
from landscape.surface.reports import population_statistics as statistics
from landscape.surface.reports.population_statistics import (
    calibration_error,
    class_differences,
    compare,
    excess,
    greatest_class_difference,
    halves,
    hellinger,
    holm,
    joined,
    mean_and_half_width,
    null,
    summary,
)
from tests.helpers.population_results import populations


def test_what_is_left_over_is_the_variance_without_binomial_noise():
    rng = np.random.default_rng(0)
    a, b = (rng.random((m, 300)) < 0.7 for m in (5, 8))
    found = excess(a, b)
    pa, pb = a.mean(0), b.mean(0)
    noise = (pa * (1 - pa) / 4 + pb * (1 - pb) / 7).mean()
    assert found.observed == pytest.approx((pa - pb).var())
    # But for the mean's own noise, of which there is a three-hundredth.
    assert found.value == pytest.approx((pa - pb).var() - noise, abs=noise / 100)


def draws(rng: np.random.Generator, spread: float, networks: int = 6, examples: int = 150) -> tuple[np.ndarray, ...]:
    base = rng.beta(2, 1, examples)
    change = rng.choice([-spread, spread], examples) / 2
    return tuple(rng.random((networks, examples)) < np.clip(base + s * change, 0, 1) for s in (-1, 1))


def covered(spread: float, method, cases: int = 100) -> float:
    base, rng = np.random.default_rng(1).beta(2, 1, 400_000), np.random.default_rng(2)
    truth = (np.clip(base + spread / 2, 0, 1) - np.clip(base - spread / 2, 0, 1)) ** 2
    hits = []
    for case in range(cases):
        found = method(*draws(rng, spread), seed=case, resamples=100)
        hits.append(found.low <= truth.mean() <= found.high)
    return float(np.mean(hits))


@pytest.mark.parametrize("spread", [0.0, 0.4])
def test_intervals_of_what_is_left_over_hold_it_as_often_as_they_say(spread):
    assert 0.88 <= covered(spread, excess) <= 1.0


def test_ten_seeds_look_like_a_finding_to_who_leaves_the_noise_in():
    def careless(a, b, **options):
        found = excess(a, b, **options)
        return dataclasses.replace(found, low=found.low + found.noise, high=found.high + found.noise)

    assert covered(0.0, careless, cases=20) < 0.1


def test_halves_of_one_group_have_nothing_left_over_and_few_networks_no_null():
    correct = np.random.default_rng(3).random((10, 500)) < np.linspace(0.2, 1, 500)
    found = null(correct)
    assert found is not None
    assert found.low < 0 < found.high
    assert found.observed > 5 * abs(found.value)
    ways = [halves(10, half) for half in range(8)]
    each = [excess(correct[a], correct[b], resamples=500 if a is ways[0][0] else 1) for a, b in ways]
    for name in ("observed", "noise", "value"):
        assert getattr(found, name) == pytest.approx(np.mean([getattr(one, name) for one in each]))
    # The first way's interval, about the mean of all.
    ends = (found.low - found.value, found.high - found.value)
    assert ends == pytest.approx((each[0].low - each[0].value, each[0].high - each[0].value))
    assert null(correct[:3]) is None
    first, second = halves(9)
    assert len({*first, *second}) == 2 * len(first) == 2 * len(second) == 8
    assert math.isnan(excess(correct[:1], correct[1:2]).value)


def test_classes_are_compared_as_scipy_does_and_corrected():
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(3), 40)
    a, b = rng.random((6, 120)) < 0.8, rng.random((5, 120)) < np.where(labels == 1, 0.4, 0.8)
    found = class_differences(a, b, labels, 4)
    assert [each.label for each in found] == sorted(range(3), key=lambda k: found_difference(a, b, labels == k))
    raw = [stats.ttest_ind(b[:, labels == k].mean(1), a[:, labels == k].mean(1), equal_var=False) for k in range(3)]
    corrected = holm(np.array([each.pvalue for each in raw]))
    for each in found:
        assert each.p_value == pytest.approx(corrected[each.label])
        interval = raw[each.label].confidence_interval()
        assert (each.low, each.high) == pytest.approx(tuple(interval))
    assert found[0].label == 1
    assert found[0].p_value < 0.05 < found[1].p_value


@pytest.mark.parametrize("number", [2, 3, 7])
def test_networks_that_are_equally_accurate_but_for_rounding_show_no_spread(number):
    """The mean of three times 0.7 is off by a bit, and so is each of them from it."""
    a, b = (np.tile(np.arange(40) < right, (number, 1)) for right in (28, 26))
    (found,) = class_differences(a, b, np.zeros(40, int), 1)
    assert np.isnan([*found.half_width, found.low, found.high, found.p_value]).all()
    assert mean_and_half_width(np.full(number, 0.7)) == pytest.approx((0.7, np.nan), nan_ok=True)
    # Groups of other sizes have means that are off by other bits.
    for other in (a, np.tile(a[0], (number + 1, 1)), np.tile(a[0], (number + 4, 1))):
        (same,) = class_differences(a, other, np.zeros(40, int), 1)
        assert same.p_value == 1.0
    # Of one group alone the other's spread is known.
    b[0, 26] = True
    (half,) = class_differences(a, b, np.zeros(40, int), 1)
    assert np.isnan(half.half_width).tolist() == [True, False]
    assert half.low < half.difference < half.high


def found_difference(a: np.ndarray, b: np.ndarray, chosen: np.ndarray) -> float:
    return float(b[:, chosen].mean() - a[:, chosen].mean())


def test_intervals_over_networks_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(400):
        mean, width = mean_and_half_width(rng.standard_normal(5))
        hits.append(abs(mean) <= width)
    assert 0.92 <= np.mean(hits) <= 0.985


def test_hellinger_and_calibration_are_their_definitions():
    p, q = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(hellinger(p, q), [1.0, 0.0])
    p, q = np.array([[0.5, 0.25, 0.25]]), np.array([[0.1, 0.3, 0.6]])
    np.testing.assert_allclose(hellinger(p, q), np.sqrt(1 - np.sqrt(p * q).sum()))  # by Bhattacharyya's coefficient
    sure = np.tile([0.8, 0.2], (100, 1)).astype(np.float32)
    labels = np.where(np.arange(100) < 60, 0, 1)
    assert calibration_error(sure, labels) == pytest.approx(0.2)


def test_confidence_is_set_against_accuracy_bin_by_bin_with_the_weight_of_each():
    # Of ten examples four at 0.52, all right; five at 0.7, two right; one at 1, wrong: in bins 7, 10 and 14 of 15.
    confidence = np.repeat([0.52, 0.7, 1.0], [4, 5, 1])
    right = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    mean, accuracy, share = statistics.reliability(probabilities, np.where(right, 0, 1))
    wanted = {7: (0.52, 1.0, 0.4), 10: (0.7, 0.4, 0.5), 14: (1.0, 0.0, 0.1)}
    for place in range(15):
        expected = wanted.get(place, (math.nan, math.nan, 0.0))
        np.testing.assert_allclose((mean[place], accuracy[place], share[place]), expected, rtol=1e-12)
    gap = 0.4 * 0.48 + 0.5 * 0.3 + 0.1 * 1.0
    assert calibration_error(probabilities, np.where(right, 0, 1)) == pytest.approx(gap)
    # Of one group its mean over networks, and Student's interval.
    found = populations()
    own = [calibration_error(found.probabilities[k], found.labels) for k in range(6)]
    said = summary(found, "A")
    assert said.calibration_error == pytest.approx(np.mean(own))
    assert said.calibration_half_width == pytest.approx(stats.t.ppf(0.975, 5) * stats.sem(own))
    rates = [(found.answers[k] == found.labels).mean() for k in range(6)]
    assert said.accuracy == pytest.approx(np.mean(rates))
    assert said.accuracy_half_width == pytest.approx(stats.t.ppf(0.975, 5) * stats.sem(rates))


def test_a_network_that_was_not_measured_is_in_no_number():
    found = populations()
    probabilities = found.probabilities.copy()
    probabilities[[2, 8]] = 0
    left = dataclasses.replace(found, probabilities=probabilities, done=~np.isin(np.arange(12), [2, 8]))
    assert left.members("A").tolist() == [0, 1, 3, 4, 5]
    kept = [k for k in range(12) if k not in (2, 8)]
    pick = {name: tuple(getattr(found, name)[k] for k in kept) for name in ("names", "groups", "about")}
    only = dataclasses.replace(found, probabilities=found.probabilities[kept], done=np.ones(10, bool), **pick)
    np.testing.assert_array_equal(left.shares("B"), only.shares("B"))
    assert summary(left, "A", resamples=10) == summary(only, "A", resamples=10)
    assert compare(left, "A", "B", resamples=10) == compare(only, "A", "B", resamples=10)


def test_a_comparison_says_where_groups_differ_most_and_how_alike_networks_are():
    found = populations(shift=0.5)
    said = compare(found, "A", "B")
    difference = np.abs(found.shares("A") - found.shares("B"))
    listed = sorted(range(len(difference)), key=lambda place: (-difference[place], place))[:20]
    assert list(said.examples) == [place for place in listed if difference[place] > 0]
    apart = [hellinger(found.probabilities[i], found.probabilities[6 + j]).mean() for i in range(6) for j in range(6)]
    assert said.hellinger == pytest.approx(np.mean(apart))
    alike = [(found.answers[i] == found.answers[6 + j]).mean() for i in range(6) for j in range(6)]
    assert said.agreement == pytest.approx(np.mean(alike))
    assert said.excess.is_found
    own = summary(found, "A")
    pairs = [(found.answers[i] == found.answers[j]).mean() for i in range(6) for j in range(i)]
    assert own.agreement == pytest.approx(np.mean(pairs))
    assert not compare(populations(), "A", "B").excess.is_found
    with pytest.raises(UsageError, match="there are A, B"):
        compare(found, "A", "C")


def test_results_of_other_samples_are_not_put_together():
    found = populations()
    again = joined([("two", found), ("one", found)])
    assert again.group_names == ("two", "one")  # in their order
    assert len(set(again.names)) == 24
    turned = found.numbers[::-1], found.labels[::-1]
    for other in ({"numbers": turned[0]}, {"labels": turned[1]}, {"problem": {"fingerprint": "1"}}):
        with pytest.raises(ProblemError, match="different samples"):
            joined([("one", found), ("two", dataclasses.replace(found, **other))])
    with pytest.raises(ProblemError, match="classes apart, two"):
        joined([("one", found), ("two", dataclasses.replace(found, probabilities=found.probabilities[..., 1:]))])


def test_resamples_never_consist_of_one_network_alone():
    drawn = statistics._resampled(np.random.default_rng(0), 2, 200)
    assert (drawn == 0.5).all()


def test_the_greatest_difference_of_a_class_is_bounded_by_intervals_for_all_classes():
    found = populations(networks=8, examples=240, classes=4, shift=0.2)
    said = greatest_class_difference(found, "A", "B")
    ends = []
    for label in range(4):
        rates = [found.correct[found.members(g)][:, found.labels == label].mean(1) for g in "AB"]
        theirs = stats.ttest_ind(*rates, equal_var=False).confidence_interval(1 - 0.05 / 4)
        middle, reach = abs(rates[0].mean() - rates[1].mean()), (theirs.high - theirs.low) / 2
        ends.append((middle, middle - reach, middle + reach))
    middles, lows, highs = np.array(ends).T
    assert said.label == int(middles.argmax())
    assert (said.value, said.high) == pytest.approx((middles.max(), highs.max()))
    assert said.low == pytest.approx(max(lows.max(), 0.0))
    # A class of which there is no example is none of them.
    wider = dataclasses.replace(found, probabilities=np.pad(found.probabilities, ((0, 0), (0, 0), (0, 1))))
    assert wider.classes == 5
    assert greatest_class_difference(wider, "A", "B") == said
    assert compare(wider, "A", "B", resamples=1).classes == compare(found, "A", "B", resamples=1).classes


def test_a_class_on_which_all_agree_is_as_uncertain_as_the_most_uncertain_one():
    found = populations(networks=8, examples=240, classes=4)
    probabilities = found.probabilities.copy()
    probabilities[:, found.labels == 0] = np.eye(4, dtype=np.float32)[0]
    same = dataclasses.replace(found, probabilities=probabilities)
    said = greatest_class_difference(same, "A", "B")
    assert math.isfinite(said.high)
    # The same class with all of one group right and all of the other wrong: as far as it goes, and as uncertain.
    probabilities[np.ix_(found.members("B"), np.flatnonzero(found.labels == 0))] = np.eye(4, dtype=np.float32)[1]
    apart = greatest_class_difference(dataclasses.replace(found, probabilities=probabilities), "A", "B")
    rates = [[found.correct[found.members(g)][:, found.labels == label].mean(1) for g in "AB"] for label in (1, 2, 3)]
    ends = [stats.ttest_ind(*each, equal_var=False).confidence_interval(1 - 0.05 / 4) for each in rates]
    reach = max((each.high - each.low) / 2 for each in ends)
    assert (apart.label, apart.value, apart.low, apart.high) == pytest.approx((0, 1.0, 1 - reach, 1 + reach))
    probabilities = np.broadcast_to(np.eye(4, dtype=np.float32)[found.labels], found.probabilities.shape)
    assert math.isnan(greatest_class_difference(dataclasses.replace(found, probabilities=probabilities), "A", "B").high)


def test_of_equal_groups_the_greatest_difference_is_seldom_above_0_beyond_its_interval():
    rng = np.random.default_rng(3)
    above = 0
    found = populations(networks=8, examples=240, classes=4)
    for _ in range(200):
        right = rng.random((16, 240)) < 0.8
        answers = np.where(right, found.labels, (found.labels + 1) % 4)
        drawn = dataclasses.replace(found, probabilities=np.eye(4, dtype=np.float32)[answers])
        above += greatest_class_difference(drawn, "A", "B").low > 0
    assert above / 200 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)
