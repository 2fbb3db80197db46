"""What is kept of anchors, and what samples at a point say of all data: against sums written out."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from landscape.evaluation.anchors.estimates import AnchoredEstimates
from landscape.surface.anchors import AT_ORIGIN
from landscape.surface.derived.unseen import NORMAL
from landscape.surface.grid import Axis

SIZE, SUBSET = 1000, 50
KEY = ("train", "loss")


@pytest.fixture
def losses():
    """All samples' losses at theta*, and at two points of a line."""
    return np.random.default_rng(0).lognormal(size=(3, SIZE))


def estimates_of(losses):
    axis = Axis(np.array([-1.0, 0.0, 1.0]))
    table = SimpleNamespace(axes=[axis], anchors={})
    return AnchoredEstimates(table, {"train": SIZE}, {"train": SUBSET}, {KEY: losses[0]})


def log_mean(losses):
    """The mean of all logarithms, in units of what is small among the subset's losses."""
    subset = losses[:SUBSET]
    scale = 0.05 * np.minimum(subset, np.quantile(subset, 0.99)).mean()
    return np.arcsinh(losses / scale).mean()


def test_of_an_anchor_the_subset_is_kept_and_the_means_are_those_of_all_data(losses):
    estimates = estimates_of(losses)
    for number, values in ((AT_ORIGIN, losses[0]), (2, losses[1])):
        estimates.add("train", number, {"loss": values})
    kept = estimates.anchors_of("train")
    np.testing.assert_array_equal(kept.points, [AT_ORIGIN, 2])
    np.testing.assert_array_equal(kept.samples["loss"], losses[:2, :SUBSET])
    np.testing.assert_allclose(kept.means["loss"], losses[:2].mean(axis=1))
    np.testing.assert_allclose(kept.log_means["loss"], [log_mean(losses[0]), log_mean(losses[1])])


def test_where_a_sample_is_not_finite_only_theta_star_is_an_anchor(losses):
    estimates = estimates_of(losses)
    broken = np.append(losses[1, 1:], np.inf)
    estimates.add("train", 2, {"loss": broken})
    assert not estimates.knows_origin()
    estimates.add("train", AT_ORIGIN, {"loss": broken})
    assert estimates.anchors_of("train").points.tolist() == [AT_ORIGIN]
    assert estimates.knows_origin()


def test_an_estimate_goes_by_all_anchors_there_are(losses):
    estimates = estimates_of(losses)
    point = 0.5 * losses[:2].sum(axis=0)
    estimates.add("train", AT_ORIGIN, {"loss": losses[0]})
    (before,), _ = estimates.moments(KEY, SUBSET, point[None, :SUBSET], [0])
    assert before.mean != pytest.approx(point.mean(), rel=1e-6)
    estimates.add("train", 2, {"loss": losses[1]})
    (after,), sketches = estimates.moments(KEY, SUBSET, point[None, :SUBSET], [0])
    assert after.mean == pytest.approx(point.mean())
    assert sketches.shape[0] == 1
    # What the anchors leave nothing of may be otherwise in as many of the others as none of the samples shows.
    unseen = math.log(0.05) / (SIZE * math.log1p(-SUBSET / SIZE))
    least = unseen / NORMAL / math.sqrt(1 - SUBSET / SIZE) * point[:SUBSET].std()
    assert after.stderr == pytest.approx(least)


def test_theta_star_itself_has_the_mean_of_all_data_and_no_error(losses):
    estimates = estimates_of(losses)
    estimates.add("train", AT_ORIGIN, {"loss": losses[0]})
    estimates.add("train", 2, {"loss": losses[1]})
    here, beside = losses[[0, 2], :SUBSET]
    (first, second), _ = estimates.moments(KEY, SUBSET, np.stack([here, beside]), [1, 0])
    assert (first.mean, first.stderr, first.paired_stderr) == (pytest.approx(losses[0].mean()), 0.0, 0.0)
    assert second.stderr == second.paired_stderr > 0
    # Other samples than theta*'s at its place are estimated like any.
    (other,), _ = estimates.moments(KEY, SUBSET, beside[None], [1])
    assert other.stderr > 0
    assert other.mean == pytest.approx(second.mean)


def test_of_all_samples_the_mean_is_known_and_nothing_is_left_of_a_difference(losses):
    estimates = estimates_of(losses)
    (found,), sketches = estimates.moments(KEY, SIZE, losses[1:2], [0])
    assert found.mean == pytest.approx(losses[1].mean())
    assert found.paired_stderr == pytest.approx((losses[1] - losses[0]).std(ddof=1) / math.sqrt(SIZE))
    assert not sketches.any()
