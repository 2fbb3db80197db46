"""The table of a run: what is finished, what more samples make of a point, what is forgotten."""

from __future__ import annotations

import copy
import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from landscape.evaluation.results import ResultTable
from landscape.surface.anchors import AT_ORIGIN, Anchors
from landscape.surface.grid import Axis
from landscape.surface.statistics import moments_of, tails_of
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface

LOSSES = SimpleNamespace(name="losses", stores={"train": ("loss", "accuracy"), "test": ("loss",)}, divisible=True)
SHARPNESS = SimpleNamespace(name="sharpness", stores={"train": ("top",)}, divisible=False)


def empty(points=4):
    axis = Axis(np.linspace(0, 1, points))
    return Surface((axis,), {}, np.full(points, NOT_COMPUTED, dtype=np.uint8), quality={"ranks": 1})


def samples(number, seed=0):
    values, at_start = np.random.default_rng(seed).exponential(size=(2, number))
    return values, at_start


def result(number=10, data=("train", "test"), seed=0):
    moments = moments_of(*samples(number, seed))
    found = {(name, "loss"): moments for name in data}
    if "train" in data:
        found["train", "accuracy"] = moments
    return found


TAILED = moments_of(*samples(10), tails=True)


def plainly(value):
    """Return a value with dataclasses in it as dicts, which NumPy compares."""
    if isinstance(value, dict):
        return {key: plainly(each) for key, each in value.items()}
    return plainly(dataclasses.asdict(value)) if dataclasses.is_dataclass(value) else value


@pytest.mark.parametrize(("train", "test"), [(10, 4), (4, 10), (10, 10), (12, 11)])
def test_a_point_is_done_when_every_data_set_has_its_samples(train, test):
    table = ResultTable(empty(), [LOSSES])
    table.add(1, "losses", {**result(train, ("train",)), **result(test, ("test",))}, {})
    done = table.done({"losses": {"train": 10, "test": 10}})
    assert done.tolist() == [False, min(train, test) >= 10, False, False]


def test_a_point_is_done_when_every_quantity_is_there():
    table = ResultTable(empty(), [LOSSES, SHARPNESS])
    wanted = {"losses": {"train": 10, "test": 10}, "sharpness": {"train": 7}}
    table.add(2, "losses", result(10), {})
    assert not table.done(wanted).any()
    table.add(2, "sharpness", {("train", "top"): moments_of(np.full(7, np.nan))}, {})
    assert table.done(wanted).tolist() == [False, False, True, False]  # though its value is NaN


def test_more_samples_of_a_point_give_the_moments_of_all():
    table = ResultTable(empty(), [LOSSES])
    (first, start), (more, more_start) = samples(7, 1), samples(5, 2)
    table.add(3, "losses", {("train", "loss"): moments_of(first, start)}, {})
    table.add(3, "losses", {("train", "loss"): moments_of(more, more_start)}, {("train", "loss"): float(start.mean())})
    got, values = table.surface(), np.concatenate([first, more])
    differences = values - np.concatenate([start, more_start])
    assert got.counts["train"].tolist() == [0, 0, 0, 12]
    assert got["train/loss"][3] == pytest.approx(values.mean(), rel=1e-14)
    assert got.stderr["train/loss"][3] == pytest.approx(values.std(ddof=1) / 12**0.5, rel=1e-13)
    assert got.paired_stderr["train/loss"][3] == pytest.approx(differences.std(ddof=1) / 12**0.5, rel=1e-12)
    assert got.state.tolist() == [NOT_COMPUTED] * 3 + [COMPUTED]


def test_how_unlike_samples_are_is_known_of_all_that_a_point_has_or_not_at_all():
    (first, start), (more, more_start) = samples(7, 1), samples(5, 2)
    both = tails_of(moments_of(np.concatenate([first, more]), np.concatenate([start, more_start]), tails=True))
    for known in (True, False):
        table = ResultTable(empty(), [LOSSES])
        table.add(3, "losses", {("train", "loss"): moments_of(first, start, tails=True)}, {})
        added = {("train", "loss"): moments_of(more, more_start, tails=known)}
        table.add(3, "losses", added, {("train", "loss"): float(start.mean())})
        np.testing.assert_allclose(table.tails("train/loss", 3), both if known else (np.nan, np.nan), rtol=1e-12)
        assert np.isnan(table.tails("train/loss", 0)).all()


def test_a_value_that_is_no_mean_over_samples_is_replaced():
    table = ResultTable(empty(), [LOSSES, SHARPNESS])
    for number, value in ((5, 1.0), (9, 4.0)):
        table.add(0, "sharpness", {("train", "top"): moments_of(np.full(number, value))}, {})
    got = table.surface()
    assert (got["train/top"][0], got["train/sharpness_samples"][0]) == (4.0, 9)
    again = ResultTable(got, [LOSSES, SHARPNESS])
    assert (again.counts(0, "sharpness"), again.counts(0, "losses")) == ({"train": 9}, {"train": 0, "test": 0})


def test_interpolated_points_keep_nothing_and_may_be_taken_back():
    table = ResultTable(empty(), [LOSSES, SHARPNESS])
    for point in (0, 2):
        table.add(point, "losses", result(10), {})
        table.add(point, "sharpness", {("train", "top"): moments_of(np.full(9, 3.0))}, {})
    filled = {name: np.arange(4.0) for name in table.values}
    where = np.array([False, True, True, False])
    table.fill(filled, where)
    got = table.surface()
    assert got.state.tolist() == [COMPUTED, INTERPOLATED, INTERPOLATED, NOT_COMPUTED]
    assert got["train/loss"][1:3].tolist() == got["train/top"][1:3].tolist() == [1.0, 2.0]
    assert got["train/loss"][0] == pytest.approx(samples(10)[0].mean())
    assert np.isnan(got["train/loss"][3])
    for errors in (got.stderr, got.paired_stderr):
        assert np.isfinite(errors["train/loss"]).tolist() == [True, False, False, False]
    assert got.counts["train"].tolist() == got.counts["test"].tolist() == [10, 0, 0, 0]
    assert np.isnan(got["train/sharpness_samples"]).tolist() == [False, True, True, True]
    assert table.done({"losses": {"train": 10, "test": 10}}).tolist() == [True, True, True, False]
    table.note("interpolation", {"tolerance": 0.1})
    table.note("interpolation_error", 0.01)
    table.clear_interpolated()
    cleared = table.surface()
    assert cleared.state.tolist() == [COMPUTED, NOT_COMPUTED, NOT_COMPUTED, NOT_COMPUTED]
    assert np.isnan(cleared["train/loss"]).tolist() == [False, True, True, True]
    assert cleared.quality == {"ranks": 1}


def test_a_surface_does_not_change_with_later_results_nor_the_one_it_began_with():
    first = empty()
    start = copy.deepcopy(first)
    table = ResultTable(first, [LOSSES])
    table.begin_anchors(["train"])
    table.anchors["train"] = Anchors(np.array([AT_ORIGIN]), {}, {}, 20)

    def put(point):
        sketches = {("train", "loss"): np.arange(3.0)}
        table.put(point, "losses", {**result(10), ("train", "loss"): TAILED}, {"train": 1}, sketches)
        table.note_origin("values", {"train/loss": float(point)})
        table.note("unfinished", point)

    put(0)
    before = table.surface()
    kept = copy.deepcopy(before)
    for point in (0, 1):
        put(point)
        table.add(point, "losses", result(5, seed=3), {})
    for part in dataclasses.fields(Surface):
        if part.name != "axes":
            one, other = ({"": getattr(each, part.name)} for each in (before, kept))
            np.testing.assert_equal(plainly(one), plainly(other), err_msg=part.name)
    assert first.state.tolist() == start.state.tolist()
    assert first.quality == start.quality


def test_an_error_that_is_known_nowhere_is_not_stored():
    table = ResultTable(empty(), [LOSSES])
    table.add(0, "losses", {("train", "loss"): moments_of(np.ones(4), per_sample=False)}, {})
    table.add(0, "losses", {("test", "loss"): moments_of(*samples(4))}, {})
    got = table.surface()
    assert set(got.stderr) == set(got.paired_stderr) == {"test/loss"}


def test_values_that_are_not_measured_this_time_stay():
    table = ResultTable(empty(), [LOSSES, SHARPNESS])
    table.add(0, "sharpness", {("train", "top"): moments_of(np.full(9, 3.0))}, {})
    again = ResultTable(table.surface(), [LOSSES])
    again.add(1, "losses", result(10), {})
    got = again.surface()
    np.testing.assert_array_equal(got["train/top"], [3.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(got["train/sharpness_samples"], [9.0, np.nan, np.nan, np.nan])
    assert "train/top" not in again.values  # what is interpolated and decides about refining is what is measured
