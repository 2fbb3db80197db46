"""Intervals around means of samples few of which carry the mean: how often they hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from landscape.evaluation.anchors.regression import Regression
from landscape.surface.anchors import Anchors
from landscape.surface.derived.intervals import FEWEST, carried_by_few, half_widths, interval_factor
from landscape.surface.derived.unseen import all_alike, left_to_chance, uncounted, unlike_share_of
from landscape.surface.grid import Axis
from landscape.surface.statistics import Moments, merge, moments_of, powers_of, tails_of
from landscape.surface.surface import Surface

NUMBER = 250


def networks() -> dict[str, np.ndarray]:
    """Losses of 1,400 samples at theta*, near it and far away, of six kinds of networks: few carry them, or many."""
    chance = np.random.default_rng(0)
    margins = chance.normal(size=(4, 1400))
    found = {}
    for name, confident, noisy in (
        ("trained", 4.0, 0.0),
        ("trained long", 6.0, 0.0),
        ("noisy labels", 3.0, 0.15),
        ("not trained", 0.05, 0.0),
        ("rough", 2.0, 0.0),
        ("few noisy labels", 4.0, 0.06),
    ):
        wrong = chance.random(1400) < noisy
        logits = np.where(wrong, -1, 1) * confident + 1.2 * margins[0]
        ways = [logits, 0.9 * logits + 0.3 * margins[1], 0.4 * logits + margins[2], 0.1 * logits + 2 * margins[3]]
        found[name] = np.log1p(np.exp(-np.stack(ways)))
    return found


def held(losses: np.ndarray, anchors: list[int], kind: str) -> np.ndarray:
    """Return in which share of 400 draws intervals hold, at the points that are no anchors."""
    chance, size = np.random.default_rng(1), losses.shape[1]
    points = [number for number in range(len(losses)) if number not in anchors]
    truth, found = losses.mean(axis=1), []
    for _ in range(400):
        chosen = chance.permutation(size)[:NUMBER]
        estimate = Regression(losses[anchors][:, chosen], truth[anchors], size).estimate(losses[points][:, chosen])
        error = estimate.stderr * np.sqrt(1 - NUMBER / size)
        effective = [
            tails_of(Moments(NUMBER, 0.0, stderr, 0.0, 0.0, third, fourth))[1]
            for stderr, third, fourth in zip(estimate.stderr, estimate.thirds, estimate.fourths, strict=True)
        ]
        width = {
            "stated": interval_factor(effective) * error,
            "normal": 1.96 * error,
            "of all scatter": interval_factor(effective) * losses[points][:, chosen].std(axis=1) / np.sqrt(NUMBER),
        }[kind]
        found.append(np.abs(estimate.means - truth[points]) <= width)
    return np.mean(found, axis=0)


@pytest.mark.parametrize("anchors", [[], [0], [0, 3]])
def test_stated_intervals_hold_as_often_as_they_say(anchors):
    for name, losses in networks().items():
        shares = held(losses, anchors, "stated")
        assert ((shares >= 0.92) & (shares <= 0.985)).all(), (name, shares)


def test_a_skewness_that_is_infinite_is_the_largest_there_can_be_and_an_unknown_one_is_none():
    with np.errstate(all="raise"):
        assert interval_factor([2.0], [np.inf]) == interval_factor([2.0], [1.0])
        assert interval_factor([2.0], [np.nan]) == interval_factor([2.0], [0.0])  # one that is not known tells nothing


def test_where_few_samples_carry_a_mean_skewness_makes_intervals_wider_and_elsewhere_not():
    few, many = np.array([2.0, 4.0]), np.array([6.0, 1e4])
    assert (interval_factor(many, 0.9) == interval_factor(many)).all()
    np.testing.assert_allclose(interval_factor(few, 1e-9), interval_factor(few), rtol=1e-4)
    # Hall's interval solved: his transformation of the longer end's t is Student's quantile.
    skew, t = 0.6, 3.182446  # of four samples less one
    factor = float(interval_factor(4.0, skew))
    assert -factor + skew * factor**2 / 3 - skew**2 * factor**3 / 27 + skew / 6 == pytest.approx(-t, rel=1e-5)
    assert interval_factor(4.0, -skew) == factor  # which side is longer makes no difference to the half width
    assert interval_factor(np.nan, skew) == pytest.approx(1.96, rel=1e-4)


def test_intervals_that_take_the_scatter_for_normal_or_for_that_of_losses_do_not():
    normal = [held(losses, [], "normal").min() for losses in networks().values()]
    assert min(normal) < 0.9
    wide = [held(losses, [0], "of all scatter")[0] for losses in networks().values()]
    assert max(wide) > 0.99


def test_tails_of_parts_are_those_of_the_whole_and_go_on_from_what_a_file_keeps():
    values = np.random.default_rng(2).lognormal(size=90)
    whole = moments_of(values, tails=True)
    first, second = (moments_of(part, part, tails=True) for part in (values[:1], values[1:20]))
    joined = merge(first, second)
    kept = powers_of(20, joined.stderr, *tails_of(joined))
    resumed = Moments(20, joined.mean, joined.stderr, joined.paired_stderr, joined.baseline, *kept)
    assert tails_of(merge(resumed, moments_of(values[20:], tails=True))) == pytest.approx(tails_of(whole), rel=1e-9)
    deviations = values - values.mean()
    assert tails_of(whole)[1] == pytest.approx((deviations**2).sum() ** 2 / (deviations**4).sum())
    assert np.isnan(tails_of(moments_of(values))).all()


def test_a_surface_says_where_too_few_samples_carry_a_mean_and_where_nothing_is_left_to_chance():
    state, count = np.ones(3, np.uint8), np.array([10, 10, 40])
    surface = Surface(
        (Axis(np.arange(3.0)),),
        {"train/loss": np.ones(3)},
        state,
        stderr={"train/loss": np.full(3, 0.5)},
        counts={"train": count},
        tails={"train/loss_effective": np.array([FEWEST - 1, 30.0, 2.0])},
        problem={"data": {"train": {"size": 40, "samples": 10}}},
    )
    widths = half_widths(surface, "train/loss")
    np.testing.assert_allclose(widths / np.sqrt(0.75) / 0.5, [3.68, 2.045, 0.0], atol=0.01)
    # Of a mean of ten the skewness is that of its samples over the root of ten.
    tails = {**surface.tails, "train/loss_skewness": 0.9 * np.sqrt(count)}
    skewed = half_widths(dataclasses.replace(surface, tails=tails), "train/loss")
    factors = np.array([interval_factor(FEWEST - 1, 0.9), 2.045, 0.0])
    np.testing.assert_allclose(skewed / np.sqrt(0.75) / 0.5, factors, atol=0.01)
    assert skewed[0] > 1.2 * widths[0]
    np.testing.assert_array_equal(carried_by_few(surface, "train/loss"), [True, False, False])


def test_what_is_known_of_one_data_set_is_said_of_it_alone():
    rng, alone, parts = (
        np.random.default_rng(0),
        {},
        ("values", "stderr", "paired_stderr", "counts", "tails", "anchors"),
    )
    for data, size, number in (("other", 5000, 40), ("train", 300, 200), ("test", 0, 900)):
        counts = np.full(6, number)
        counts[0] = min(size, 300) or 900
        losses, shares = rng.uniform(1, 2, 6), np.array([0.9, 0.995, 1.0, 0.5, 1.0, 0.99])
        errors = {f"{data}/loss": 0.1 * losses, f"{data}/accuracy": np.sqrt(shares * (1 - shares) / counts)}
        known = np.array([-1] if data == "train" else [3])
        alone[data] = Surface(
            (Axis(np.linspace(-1, 1.5, 6)),),
            {f"{data}/loss": losses, f"{data}/accuracy": shares},
            np.ones(6, np.uint8),
            stderr=errors,
            paired_stderr={name: 0.5 * each for name, each in errors.items()},
            counts={data: counts},
            tails={f"{data}/loss_effective": rng.uniform(2, 6, 6), f"{data}/loss_skewness": rng.uniform(3, 9, 6)},
            anchors={data: Anchors(known, {}, {}, size)},
            problem={"data": {data: {"size": size} if size else {}}},
        )
    merged = {part: {k: v for each in alone.values() for k, v in getattr(each, part).items()} for part in parts}
    sizes = {data: each.problem["data"][data] for data, each in alone.items()}
    together = dataclasses.replace(alone["train"], **merged, problem={"data": sizes})
    for one in alone.values():
        for name in one.values:
            for say in (half_widths, left_to_chance, unlike_share_of, all_alike, carried_by_few, uncounted):
                np.testing.assert_array_equal(say(together, name), say(one, name), err_msg=f"{say.__name__} {name}")
            np.testing.assert_array_equal(*(left_to_chance(each, name, paired=True) for each in (together, one)))
