"""Means over all data from a subset and anchors: against least squares written out, and at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from landscape.evaluation.anchors.choice import choose_anchors
from landscape.evaluation.anchors.regression import (
    Estimator,
    Regression,
    estimator_for,
    log_scale,
    logarithms,
    signs,
)
from landscape.surface.anchors import Anchors
from landscape.surface.derived.intervals import FEWEST, interval_factor

SIZE, NUMBER = 4000, 200


@pytest.fixture
def population():
    """Losses of all samples at three anchors, and at points that follow them more or less."""
    chance = np.random.default_rng(0)
    anchors = chance.lognormal(sigma=1.0, size=(3, SIZE))
    noise = chance.lognormal(sigma=0.5, size=(2, SIZE))
    points = np.stack([0.5 * anchors[0] + 2 * anchors[2] + 0.2 * noise[0], anchors[1] ** 0.5 + 0.3 * noise[1]])
    return anchors, points


def fitted(anchors, chosen, size=SIZE):
    return Regression(anchors[:, chosen], anchors.mean(axis=1), size)


def test_the_mean_is_that_of_least_squares_at_all_samples_of_the_anchors(population):
    anchors, points = population
    chosen = np.arange(NUMBER)
    found = fitted(anchors, chosen).estimate(points[:, chosen])
    design = np.vstack([np.ones(NUMBER), anchors[:, chosen]]).T
    for mean, values in zip(found.means, points[:, chosen], strict=True):
        slopes = np.linalg.lstsq(design, values, rcond=None)[0]
        assert mean == pytest.approx(slopes @ [1, *anchors.mean(axis=1)], rel=1e-10)


def test_errors_and_tails_are_those_of_weighted_residuals_by_matrix_algebra(population):
    anchors, points = population
    chosen = np.arange(NUMBER)
    found = fitted(anchors, chosen).estimate(points[:, chosen])
    x = (anchors[:, chosen] - anchors[:, chosen].mean(axis=1, keepdims=True)).T
    inverse = np.linalg.inv(x.T @ x)
    off = anchors.mean(axis=1) - anchors[:, chosen].mean(axis=1)
    g, h = 1 + NUMBER * x @ inverse @ off, np.einsum("ij,jk,ik->i", x, inverse, x)
    for k, values in enumerate(points[:, chosen]):
        y = values - values.mean()
        weighted = g * (y - x @ (inverse @ (x.T @ y))) / (1 - h)
        assert found.stderr[k] == pytest.approx(np.sqrt((weighted**2).sum() / (NUMBER * (NUMBER - 1))), rel=1e-9)
        assert (found.thirds[k], found.fourths[k]) == pytest.approx(
            ((weighted**3).sum(), (weighted**4).sum()), rel=1e-9
        )
        sketch = (weighted @ signs(NUMBER)) / np.sqrt(NUMBER * (NUMBER - 1))
        np.testing.assert_allclose(found.sketches[k], sketch, rtol=1e-7, atol=1e-12)


def test_the_error_is_what_estimates_scatter_by_and_not_what_losses_scatter_by(population):
    anchors, points = population
    chance = np.random.default_rng(1)
    means, errors, plain = [], [], []
    for _ in range(400):
        chosen = chance.permutation(SIZE)[:NUMBER]
        found = fitted(anchors, chosen).estimate(points[:, chosen])
        means.append(found.means)
        errors.append(found.stderr * np.sqrt(1 - NUMBER / SIZE))
        plain.append(points[:, chosen].mean(axis=1))
    off = np.array(means) - points.mean(axis=1)
    assert (np.sqrt((off**2).mean(axis=0)) < 0.6 * np.std(plain, axis=0)).all()
    # The jackknife's errors are a little large where few samples have most of the leverage.
    ratio = np.sqrt((np.array(errors) ** 2).mean(axis=0)) / off.std(axis=0)
    assert ((ratio > 0.93) & (ratio < 1.2)).all(), ratio
    covered = (np.abs(off) <= 1.96 * np.array(errors)).mean(axis=0)
    assert ((covered > 0.92) & (covered < 0.985)).all(), covered


def test_an_error_from_few_samples_counts_the_degrees_of_freedom_that_anchors_took():
    chance = np.random.default_rng(4)
    anchors, number = chance.normal(size=(6, SIZE)), 48
    points = np.array([[1.0, -2.0, 0.5, 0.0, 1.0, 3.0]]) @ anchors + chance.normal(size=(1, SIZE))
    off, stated = [], []
    for _ in range(1500):
        chosen = chance.integers(0, SIZE, number)
        found = fitted(anchors, chosen).estimate(points[:, chosen])
        off.append(found.means[0] - points.mean())
        stated.append(found.stderr[0])
    ratio = np.sqrt(np.mean(np.square(stated)) / np.mean(np.square(off)))
    assert 0.97 < ratio < 1.15


def test_an_anchor_is_known_exactly_and_one_that_is_there_twice_changes_nothing(population):
    anchors, points = population
    chosen = np.arange(NUMBER)
    once = fitted(anchors, chosen)
    found = once.estimate(anchors[:, chosen])
    np.testing.assert_allclose(found.means, anchors.mean(axis=1), rtol=1e-12)
    assert (found.stderr == 0).all()
    assert not once.residuals(anchors[:, chosen]).any()  # of rounding nothing that a further anchor might be chosen for
    twice = fitted(np.vstack([anchors, anchors, 3 * anchors[:1] - anchors[1:2] + 1]), chosen)
    assert twice.used == 3
    np.testing.assert_allclose(
        twice.estimate(points[:, chosen]).means, once.estimate(points[:, chosen]).means, rtol=1e-10
    )


def test_with_fewer_samples_than_anchors_those_that_come_first_are_used_and_without_any_it_is_the_mean(population):
    anchors, points = population
    chosen = np.arange(10)
    found = fitted(anchors, chosen)
    assert found.used == 1
    plain = fitted(anchors, np.arange(5)).estimate(points[:, :5])
    np.testing.assert_allclose(plain.means, points[:, :5].mean(axis=1))
    np.testing.assert_allclose(plain.stderr, points[:, :5].std(axis=1, ddof=1) / np.sqrt(5), rtol=1e-12)
    one = fitted(anchors, np.arange(1)).estimate(points[:, :1])
    assert np.isnan(one.stderr).all()


def test_what_is_not_finite_at_an_anchor_leaves_it_out_and_at_a_point_stays(population):
    anchors, points = population
    chosen = np.arange(NUMBER)
    broken = np.vstack([anchors[:1], np.where(np.arange(SIZE) == 7, np.nan, anchors[1:2]), anchors[2:]])
    beyond = np.where(np.arange(SIZE) == NUMBER + 1, np.inf, anchors[1:2])  # none of the subset's samples
    for strange in (broken, np.vstack([anchors[:1], beyond, anchors[2:]])):
        found = fitted(strange, chosen).estimate(points[:, chosen])
        np.testing.assert_allclose(found.means, fitted(anchors[[0, 2]], chosen).estimate(points[:, chosen]).means)
    values = np.stack([points[0, chosen], points[0, chosen]])
    values[0, 3], values[1, 3] = np.inf, np.nan
    found = fitted(anchors, chosen).estimate(values)
    assert found.means[0] == np.inf
    assert np.isnan(found.means[1])
    assert np.isnan(found.stderr).all()


def test_a_sketch_has_the_size_of_the_error_and_its_signs_are_the_samples_own(population):
    anchors, points = population
    found = fitted(anchors, np.arange(NUMBER)).estimate(points[:, :NUMBER])
    # Of 32 columns: off by a quarter, and by no more than three times that.
    assert (np.abs((found.sketches**2).mean(axis=1) / found.stderr**2 - 1) < 0.75).all()
    np.testing.assert_array_equal(signs(300)[:200], signs(200))  # others may have measured more samples
    assert set(np.unique(signs(200))) == {-1.0, 1.0}


def test_no_accuracy_is_below_0_or_above_1(population):
    anchors, _ = population
    chosen = np.arange(NUMBER)
    right = np.zeros((2, NUMBER))
    right[0, 0] = 1
    right[1, 1:] = 1
    tilted = Regression(anchors[:, chosen], 40 * anchors.mean(axis=1), SIZE, most=1.0).estimate(right)
    other = Regression(anchors[:, chosen], -40 * anchors.mean(axis=1), SIZE, most=1.0).estimate(right)
    for found in (tilted, other):
        assert (found.means >= right.mean(axis=1) * NUMBER / SIZE - 1e-12).all()
        assert (found.means <= 1 - (1 - right.mean(axis=1)) * NUMBER / SIZE + 1e-12).all()
    # Which values those are goes by the metric's name.
    for metric, most in (("accuracy", True), ("margin", False)):
        highest = []
        for sign in (1, -1):
            samples, means = {metric: anchors[:, chosen]}, {metric: sign * 4e4 * anchors.mean(axis=1)}
            known = Anchors(np.arange(3), samples, means, SIZE, {})
            highest.append(estimator_for(known, metric, NUMBER).estimate(right).means.max())
        assert (max(highest) <= 1) == most


def test_the_anchors_chosen_leave_less_than_any_others_of_as_many():
    chance = np.random.default_rng(2)
    ways = chance.normal(size=(3, 60))
    points = chance.normal(size=(12, 3)) @ ways
    (first, *_) = choose_anchors([points], most=1)
    centred = points - points.mean(axis=1, keepdims=True)
    left = []
    for each in centred:
        unit = each / np.linalg.norm(each)
        left.append(((centred - np.outer(centred @ unit, unit)) ** 2).sum())
    assert first == int(np.argmin(left))
    assert len(choose_anchors([points], most=12)) == 3  # of rank three: a fourth would say nothing
    assert choose_anchors([points], most=12, worth=1.0) == []
    # By how residuals scatter: a mean that is not theirs is none of it, nor is the unit of one of two data sets.
    chosen = choose_anchors([points], most=2)
    assert choose_anchors([points + 1e3 * np.arange(12)[:, None]], most=2) == chosen
    other = chance.normal(size=(12, 3)) @ ways
    both = choose_anchors([points, other], most=2)
    assert choose_anchors([points, 1e3 * other], most=2) == choose_anchors([1e3 * points, other], most=2) == both
    assert choose_anchors([other], most=2) != both


def test_one_sample_of_a_million_at_an_anchor_does_not_spoil_the_others_nor_do_logarithms_cost_much():
    chance = np.random.default_rng(3)
    kinds = chance.normal(size=SIZE)
    calm = np.exp(1.5 * kinds + 0.3 * chance.normal(size=(3, SIZE)))
    spiked = calm.copy()
    spiked[1, 5] = 1e6  # at one of two anchors
    errors = {}
    for name, losses in (("calm", calm), ("spiked", spiked)):
        off: dict[str, list[float]] = {"losses": [], "both": [], "stated": [], "held": []}
        for _ in range(100):
            chosen = chance.permutation(SIZE)[:NUMBER]
            anchors, means = losses[:2], losses[:2].mean(axis=1)
            scales = np.array([log_scale(each[chosen]) for each in anchors])
            logs = np.array([logarithms(each, scale).mean() for each, scale in zip(anchors, scales, strict=True)])
            alone = Estimator(anchors[:, chosen], means, SIZE).estimate(losses[2:, chosen])
            both = Estimator(anchors[:, chosen], means, SIZE, log_means=logs, scales=scales)
            found = both.estimate(losses[2:, chosen])
            off["losses"].append(alone.means[0] - losses[2].mean())
            off["both"].append(found.means[0] - losses[2].mean())
            off["stated"].append(found.stderr[0])
            effective = (NUMBER * (NUMBER - 1) * found.stderr[0] ** 2) ** 2 / found.fourths[0]
            off["held"].append(abs(off["both"][-1]) < interval_factor(effective) * off["stated"][-1])
        errors[name] = {kind: np.sqrt(np.mean(np.square(each))) for kind, each in off.items()}
        assert np.mean(off["held"]) > 0.9, name
    assert errors["calm"]["both"] < 1.15 * errors["calm"]["losses"]  # degrees of freedom
    assert errors["spiked"]["losses"] > 10 * errors["spiked"]["both"]
    assert errors["spiked"]["both"] < 0.2 * calm[2].mean()


@pytest.mark.parametrize("where", [slice(0, 5), slice(2, 5)])
def test_what_no_sample_of_the_subset_shows_but_anchors_do_leaves_no_interval_to_be_relied_on(where):
    chance = np.random.default_rng(4)
    losses = np.exp(1.5 * chance.normal(size=SIZE) + 0.3 * chance.normal(size=(5, SIZE)))
    losses[where, -2:] = 1e6 * (1 + np.arange(5)[where])[:, None] * np.array([1.0, 3.0])  # at some points or all
    held, off = [], []
    for _ in range(40):
        chosen = chance.permutation(SIZE - 2)[:NUMBER]
        anchors, means = losses[[0, 3]], losses[[0, 3]].mean(axis=1)
        scales = np.array([log_scale(each[chosen]) for each in anchors])
        logs = np.array([logarithms(each, scale).mean() for each, scale in zip(anchors, scales, strict=True)])
        estimator = Estimator(anchors[:, chosen], means, SIZE, log_means=logs, scales=scales)
        found = estimator.estimate(losses[[1, 2, 4]][:, chosen])
        effective = (NUMBER * (NUMBER - 1) * found.stderr**2) ** 2 / found.fourths
        np.testing.assert_allclose(effective, 1.0)  # fewer than intervals are to be relied on by
        truth = losses[[1, 2, 4]].mean(axis=1)
        off.append(np.abs(found.means / truth - 1))
        held.append(np.abs(found.means - truth) <= interval_factor(effective) * found.stderr)
    assert np.mean(held) > 0.9
    if where.start == 0:  # of logarithms alone next to nothing was left of what is nearly all of the loss
        assert np.median(off) < 0.7


def test_what_is_small_at_an_anchor_is_a_twentieth_of_the_mean_of_all_but_the_largest():
    values = np.append(np.linspace(-1.0, 1.0, 200), 1e6)
    cut = np.quantile(np.abs(values), 0.99)
    assert log_scale(values) == pytest.approx(0.05 * np.minimum(np.abs(values), cut).mean(), rel=1e-12)
    assert log_scale(values) < 0.05 * 1.01
    assert 0 < log_scale(np.zeros(5)) < 1e-200
    assert not np.isfinite(log_scale(np.array([1.0, np.nan])))


@pytest.mark.parametrize("far", [1, 2, 3])
def test_logarithms_alone_make_values_unless_what_most_anchors_show_is_in_no_sample(far):
    chance = np.random.default_rng(6)
    losses = np.exp(1.5 * chance.normal(size=SIZE) + 0.3 * chance.normal(size=(6, SIZE)))
    losses[:far, -1] = 1e6  # beyond the subset
    losses[3, 5] = 1e6  # in it, at the fourth anchor: by losses all goes by this sample
    anchors, points = losses[:4, :NUMBER], losses[4:, :NUMBER]
    scales = np.array([log_scale(each) for each in anchors])
    logs = np.stack([logarithms(row, scale) for row, scale in zip(anchors, scales, strict=True)])
    log_means = np.array([logarithms(row, scale).mean() for row, scale in zip(losses[:4], scales, strict=True)])
    means = losses[:4].mean(axis=1)
    found = Estimator(anchors, means, SIZE, log_means=log_means, scales=scales).estimate(points)
    both = Regression(np.vstack([anchors, logs]), np.append(means, log_means), SIZE).estimate(points)
    alone = Regression(logs, log_means, SIZE).estimate(points)
    assert (alone.stderr < 0.5 * both.stderr).all()
    assert found.means == pytest.approx((alone if far <= 2 else both).means, rel=1e-12)
    assert found.stderr == pytest.approx(both.stderr, rel=1e-12)
    # What none of the samples shows is as if one of them carried all.
    squares = NUMBER * (NUMBER - 1) * found.stderr**2
    assert found.fourths == pytest.approx(squares**2, rel=1e-12)
    assert found.thirds == pytest.approx(squares**1.5, rel=1e-12)


def test_an_accuracy_of_which_the_subset_is_all_right_at_an_anchor_keeps_its_intervals():
    chance = np.random.default_rng(5)
    right = np.ones((4, SIZE))
    right[:, : SIZE // 100] = 0  # 0.99 at the first, theta*: this is about subsets without any of these
    for each, share in zip(right[1:], (0.9, 0.8, 0.7), strict=True):
        each[chance.random(SIZE) > share] = 0
    held, carried = [], []
    for _ in range(200):
        chosen = SIZE // 100 + chance.permutation(SIZE - SIZE // 100)[:NUMBER]
        estimator = Estimator(right[:2, chosen], right[:2].mean(axis=1), SIZE, most=1.0)
        found = estimator.estimate(right[2:, chosen])
        carried.append((NUMBER * (NUMBER - 1) * found.stderr**2) ** 2 / found.fourths)
        off = np.abs(found.means - right[2:].mean(axis=1))
        held.append(off <= interval_factor(carried[-1]) * found.stderr * np.sqrt(1 - NUMBER / SIZE))
    assert np.min(carried) > FEWEST
    assert np.mean(held) > 0.92
    none = Estimator(np.ones((1, NUMBER)), np.array([0.8]), SIZE, most=1.0).estimate(right[2:, :NUMBER])
    np.testing.assert_allclose((NUMBER * (NUMBER - 1) * none.stderr**2) ** 2 / none.fourths, 1.0)  # that is no chance
