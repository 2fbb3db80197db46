"""Samples that are all alike have no scatter; what is stated of the others is no error of 0."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from landscape.plot.lines.lines import standard_error
from landscape.plot.page.packing import Packer, unpack
from landscape.plot.page.records import surface_record
from landscape.plot.page.trust import trust_rows
from landscape.plot.style.captions import caption
from scipy.stats import hypergeom
from torch import nn

import landscape
import landscape.files.store
import landscape.problem.data.datasets
import landscape.surface.anchors
from landscape.cli import main
from landscape.commands.shown.facts import surface_facts
from landscape.surface.derived.differences import difference, standard_errors
from landscape.surface.derived.intervals import carried_by_few, half_widths
from landscape.surface.derived.stated_error import stated_error, stated_words
from landscape.surface.derived.unseen import (
    NORMAL,
    all_alike,
    at_start,
    left_to_chance,
    reach,
    scatters_by_nothing,
    score_width,
    unlike_share,
)
from landscape.surface.grid import Axis
from landscape.surface.reports.robustness import wilson
from landscape.surface.surface import Surface, sampling_factor

LOSS, ACCURACY = "train/loss", "train/accuracy"


@pytest.mark.parametrize(("number", "size"), [(100, 1437), (1000, 1437), (250, 10_000), (9000, 10_000), (40, 41)])
def test_what_none_of_the_samples_shows_is_rarer_than_a_share_that_one_in_twenty_draws_would_miss(number, size):
    share = float(unlike_share(number, size))
    chance = [hypergeom(size, unlike, number).pmf(0) for unlike in (math.floor(share * size), 2 + int(share * size))]
    assert chance[0] >= 0.05 * (1 - 3 / math.sqrt(size))  # so many may well have been missed
    assert chance[1] < 0.05  # more not
    assert unlike_share(size, size) == 0
    assert unlike_share(number) == pytest.approx(3 / number, rel=2e-3)  # the rule of three


@pytest.mark.parametrize(("number", "size"), [(100, 1437), (250, 10_000), (1000, 1437)])
def test_of_every_accuracy_nearly_one_the_interval_holds_as_often_as_it_says(number, size):
    seen = np.arange(number + 1)
    errors = np.sqrt(seen / number * (1 - seen / number) / (number - 1))
    squares = errors**2 * number * (number - 1)
    with np.errstate(all="ignore"):
        effective = squares / (1 - 3 * seen / number * (1 - seen / number))
    surface = a_line(np.where(seen, 1 - seen / number, 1.0), errors, number, size, name=ACCURACY, effective=effective)
    widths = half_widths(surface, ACCURACY)
    for unlike in sorted({*range(0, 60, 3), size // number, *range(60, size // 20, size // 200)}):
        share = hypergeom(size, unlike, number).pmf(seen)
        held = share[np.abs(seen / number - unlike / size) <= widths + 1e-12].sum()
        assert held >= 0.935, (unlike, held)
        without = share[np.abs(seen / number - unlike / size) <= np.where(seen, widths, 0)].sum()
        assert unlike != size // number or without < 0.7


def a_line(values, errors, number, size, *, name=LOSS, effective=None, paired=None) -> Surface:
    """Return a surface of a line away from theta*, of so many of all samples."""
    shape = np.shape(values)
    return Surface(
        (Axis(1.0 + np.arange(len(values))),),
        {name: np.asarray(values, dtype=float)},
        np.ones(shape, np.uint8),
        stderr={name: np.asarray(errors, dtype=float)},
        paired_stderr={} if paired is None else {name: np.asarray(paired, dtype=float)},
        counts={"train": np.full(shape, number)},
        tails={} if effective is None else {f"{name}_effective": effective},
        problem={"data": {"train": {"size": size, "samples": number}}},
        title="line",
    )


def test_an_accuracy_of_which_all_samples_are_right_has_an_interval_and_everybody_says_so(capsys, tmp_path):
    surface = a_line([1.0, 0.999, 0.9], [0.0, 1e-3, 0.0095], 1000, 10_000, name=ACCURACY, paired=[0.0, 0.0, 0.01])
    share = float(unlike_share(1000, 10_000))
    assert half_widths(surface, ACCURACY)[0] == pytest.approx(share)
    assert half_widths(surface, ACCURACY)[1] == pytest.approx(float(score_width(0.999, 1000, np.sqrt(0.9))))
    assert not carried_by_few(surface, ACCURACY).any()
    left, paired = (left_to_chance(surface, ACCURACY, paired=each) for each in (False, True))
    np.testing.assert_allclose(left, [share / NORMAL, share / NORMAL, 0.0095 * np.sqrt(0.9)])
    np.testing.assert_allclose(paired, [share / NORMAL, share / NORMAL, 0.01 * np.sqrt(0.9)])
    np.testing.assert_array_equal(standard_error(surface, ACCURACY), left)
    facts = surface_facts(surface)["values"][ACCURACY]
    assert facts["stderr"]["all_alike"] == 1
    assert facts["paired_stderr"]["all_alike"] == 2
    assert facts["stderr"]["unlike_at_most"] == pytest.approx(share)
    packer = Packer()
    plane = dataclasses.replace(valley_of(surface), title="plane")
    record = surface_record(plane, packer)
    shown = unpack(packer.index, packer.text())[record["stderr"][ACCURACY]]
    np.testing.assert_allclose(shown[0, 0], share / NORMAL, rtol=1e-3)
    words = "at 2 points all samples of the training accuracy are alike: up to 0.28 % of the data may be unlike them"
    assert dict(trust_rows(plane, ACCURACY))["not seen"] == words
    assert words in caption(plane, None, ACCURACY)
    landscape.files.store.write_surface(tmp_path / "net.h5", surface)
    assert main(["info", str(tmp_path / "net.h5")]) == 0
    assert "at 1 point all samples are alike: up to 0.28 % of the data" in " ".join(capsys.readouterr().out.split())


def test_an_accuracy_that_is_no_share_bounds_nothing_and_everybody_says_so(capsys, tmp_path):
    surface = a_line([100.0, 99.0], [0.0, 0.3], 1000, 10_000, name=ACCURACY)
    words = "may be unlike them, by how much is not known"
    assert words in caption(dataclasses.replace(valley_of(surface), title="plane"), None, ACCURACY)
    landscape.files.store.write_surface(tmp_path / "net.h5", surface)
    assert main(["info", str(tmp_path / "net.h5")]) == 0
    assert words in " ".join(capsys.readouterr().out.split())


def valley_of(line: Surface) -> Surface:
    """Return a plane of two equal rows."""

    def twice(group):
        return {name: np.stack([array, array]) for name, array in group.items()}

    return dataclasses.replace(
        line,
        axes=(*line.axes, Axis(np.array([1.0, 2.0]))),
        state=np.ones((2, len(line.axes[0])), np.uint8),
        **{group: twice(getattr(line, group)) for group in ("values", "stderr", "paired_stderr", "counts")},
    )


def test_of_a_loss_that_is_zero_on_all_samples_nothing_is_known_of_the_others():
    losses = a_line([0.0, 0.0, 2.0], [0.0, 0.0, 0.1], 1000, 10_000, paired=[0.0, 0.05, 0.1])
    assert np.isnan(half_widths(losses, LOSS)).tolist() == [True, True, False]
    assert carried_by_few(losses, LOSS).tolist() == [True, True, False]
    assert np.isnan(left_to_chance(losses, LOSS, paired=True)).tolist() == [True, False, False]
    assert stated_words(stated_error(losses, LOSS)).startswith("an unknown share of loss + eps")
    assert surface_facts(losses)["values"][LOSS]["stated_error"]["total"] is None
    assert "by how much is not known" in caption(losses, None, LOSS)
    # One point in a hundred leaves 95 % of them known.
    many = a_line([0.0, *np.full(99, 2.0)], [0.0, *np.full(99, 0.1)], 1000, 10_000)
    assert 0.05 < stated_error(many, LOSS).total < 0.1
    # Of all data, and at theta* from anchors, an error of 0 is one.
    whole = a_line([0.0, 2.0], [0.0, 0.1], 10_000, 10_000)
    assert not all_alike(whole, LOSS).any()
    assert half_widths(whole, LOSS).tolist() == [0.0, 0.0]


class Saturated(nn.Module):
    """Losses of exactly 0: of all samples at theta*, and of all but one in many beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one value a sample, 0 of most."""
        return torch.relu(x * self.weight)


def losses_of(model, batch):
    return model(batch[0])[:, 0] * (model.weight.sum() - 1) ** 2


@pytest.mark.parametrize("anchors", ["none", 3])
def test_a_run_with_a_standard_error_goes_on_where_all_samples_are_alike(anchors):
    chosen = landscape.problem.data.datasets.choose
    cost = torch.full((2000, 1), -1.0, dtype=torch.float64)
    order = chosen(landscape.problem.data.datasets.as_data((cost,), "train"), 2000)
    cost[order[300:320]] = 5.0  # the first look sees none of them
    settings = {"loss": losses_of, "x": "-0.5:0.5:9", "progress": None}
    whole = landscape.evaluate(Saturated(), (cost,), **settings)
    found = landscape.evaluate(Saturated(), (cost,), standard_error=0.05, anchors=anchors, **settings)
    beside = np.arange(9) != 4
    assert (whole[LOSS][beside] > 0).all()
    # Nothing is off at theta*, and nothing scatters: only that it says nothing keeps a point from stopping at once.
    assert (found.counts["train"][beside] > 256).all()
    eps = found.quality["standard_error"]["eps"]["train"]
    assert (np.abs(found[LOSS] - whole[LOSS]) <= 4 * 0.05 * (whole[LOSS] + eps)).all()
    assert found[LOSS][4] == whole[LOSS][4] == 0


def test_the_stars_own_value_is_that_of_all_data_also_where_its_subset_is_all_alike():
    cost = torch.full((2000, 1), -1.0, dtype=torch.float64)
    order = landscape.problem.data.datasets.choose(landscape.problem.data.datasets.as_data((cost,), "train"), 2000)
    cost[order[300:320]] = 5.0

    def own(model, batch):
        return model(batch[0])[:, 0] * (1 + model.weight.sum() ** 2)

    settings = {"loss": own, "x": "-0.5:0.5:9", "progress": None}
    whole = landscape.evaluate(Saturated(), (cost,), **settings)
    found = landscape.evaluate(Saturated(), (cost,), samples=200, anchors=2, **settings)
    assert found.counts["train"][4] == 200
    assert found[LOSS][4] == pytest.approx(whole[LOSS][4])
    assert left_to_chance(found, LOSS)[4] == 0
    beside = (found.counts["train"] == 200) & (np.arange(9) != 4)
    assert np.isnan(left_to_chance(found, LOSS)[beside]).all()


def test_at_theta_itself_an_estimate_from_anchors_is_exact_and_beside_it_is_not():
    chance = torch.Generator().manual_seed(1)
    x = torch.randn(600, 5, generator=chance, dtype=torch.float64)
    data = x, x.sum(dim=1, keepdim=True) + torch.randn(600, 1, generator=chance, dtype=torch.float64)
    torch.manual_seed(0)
    model = nn.Linear(5, 1, bias=False).double()
    found = landscape.evaluate(model, data, x="-1:1:9", loss="mse", samples=100, anchors=4)
    truth = landscape.evaluate(model, data, x="-1:1:9", loss="mse")
    assert left_to_chance(found, LOSS)[4] == 0
    assert half_widths(found, LOSS)[4] == 0
    estimated = found.counts["train"] < 600
    estimated[4] = False
    # Of a quadratic loss three anchors leave nothing; that all of the others are so is taken from 100.
    assert (found.stderr[LOSS][estimated] > 0).all()
    off = np.abs(found[LOSS] - truth[LOSS])[estimated]
    assert (off <= half_widths(found, LOSS)[estimated]).all()
    assert (half_widths(found, LOSS)[estimated] < 0.1 * truth[LOSS][estimated]).all()


def test_where_no_sample_differs_between_two_networks_some_of_the_others_may():
    first = dataclasses.replace(a_line([0.9, 0.9], [0.0095, 0.0095], 1000, 10_000, name=ACCURACY))
    share = float(unlike_share(1000, 10_000))
    sketched = [with_sketch(first, ACCURACY, column) for column in ([0.0095, 0.0095], [0.0095, 0.008])]
    found = difference(*sketched, ACCURACY)
    assert found.half_widths[0] == pytest.approx(float(score_width(0.0, 1000, np.sqrt(0.9))))
    assert found.half_widths[0] >= share
    assert not found.higher.any()
    assert not found.lower.any()
    assert (standard_errors(*sketched, ACCURACY) >= share / NORMAL).all()
    # Losses are not bounded: both intervals are added up.
    loss = a_line([0.9, 0.9], [0.0095, 0.0095], 1000, 10_000)
    same = [with_sketch(loss, LOSS, [0.0095, 0.0095]) for _ in range(2)]
    found = difference(*same, LOSS)
    assert found.at_most.all()
    np.testing.assert_allclose(found.half_widths, 2 * half_widths(loss, LOSS))
    nearly = with_sketch(loss, LOSS, [0.0095 * (1 + 3e-7), 0.0095])  # as float32 rounds it
    assert difference(same[0], nearly, LOSS).at_most.all()
    np.testing.assert_allclose(standard_errors(*same, LOSS), 2 * 0.0095 * sampling_factor(loss, LOSS))


def test_few_samples_that_differ_are_counted_among_the_fewer_of_both_networks():
    lines = [a_line([0.9, 0.9], [0.001, 0.001], number, 10_000, name=ACCURACY) for number in (1000, 4000)]
    pair = [with_sketch(line, ACCURACY, [0.001, 0.001]) for line in lines]
    # What is left to chance is 0.9 and 0.6 of a variance, of which the samples of the fewer are in both.
    differ = (0.9 - 0.6) * 0.001**2 / 0.9 * 1000 * 999
    for both in (pair, pair[::-1]):
        widths = difference(*both, ACCURACY).half_widths
        np.testing.assert_allclose(widths, score_width(differ, 1000, np.sqrt(0.9)), rtol=1e-5)
        # That is less than what the others may be unlike the 1,000.
        np.testing.assert_allclose(standard_errors(*both, ACCURACY), unlike_share(1000, 10_000) / NORMAL)


def with_sketch(surface: Surface, name: str, columns: list[float]) -> Surface:
    """Return a surface whose file keeps sums of residuals, of which all columns are the same."""
    data, _, metric = name.partition("/")
    sketch = np.repeat(np.array(columns, dtype=np.float32)[:, None], 32, axis=1)
    made = landscape.surface.anchors.Anchors(np.zeros(0, np.int64), {}, {}, 10_000, sketches={metric: sketch})
    return dataclasses.replace(surface, anchors={data: made})


def test_without_counts_an_error_is_as_it_was_and_an_error_of_zero_is_not_known(tmp_path):
    for name in (ACCURACY, LOSS):
        line = a_line([0.9, 1.0, 0.8], [0.01, 0.0, 0.02], 1000, 10_000, name=name, paired=[0.02, 0.03, 0.0])
        landscape.files.store.write_surface(tmp_path / "net.h5", dataclasses.replace(line, counts={}), overwrite=True)
        found = landscape.files.store.read_surface(tmp_path / "net.h5")
        np.testing.assert_allclose(half_widths(found, name), NORMAL * np.array([0.01, np.nan, 0.02]))
        np.testing.assert_allclose(left_to_chance(found, name), [0.01, np.nan, 0.02])
        np.testing.assert_allclose(left_to_chance(found, name, paired=True), [0.02, 0.03, np.nan])
        assert carried_by_few(found, name).tolist() == [False, True, False]
        facts = surface_facts(found)["values"][name]
        assert facts["stderr"] == {"median": pytest.approx(0.015), "max": pytest.approx(0.02)}
        # Of differences theta* is known, here at the third point.
        here = dataclasses.replace(found, axes=(Axis(np.arange(-2.0, 1.0)),))
        assert left_to_chance(here, name, paired=True)[2] == 0
        # Two such files of which no sketch says what they share: both intervals add up.
        assert difference(found, line, name).half_widths[0] > NORMAL * 0.019
    share = unlike_share([np.nan, 0, 1000])
    assert np.isnan(share[0])
    assert share[1] == 1


def test_files_without_counts_are_compared_by_their_sketches_alone():
    first = a_line([0.9, 0.9], [0.0095, 0.0095], 1000, 10_000, name=ACCURACY)
    sketched = [with_sketch(first, ACCURACY, column) for column in ([0.0095, 0.0095], [0.0095, 0.008])]
    found = difference(*(dataclasses.replace(each, counts={}) for each in sketched), ACCURACY)
    assert (found.half_widths > 0).all()


def test_an_accuracy_above_one_is_rounded_or_of_no_known_scale_point_by_point():
    line = a_line([1.0 + 1e-10, 1.003, 0.99], [0.0, 0.0, 0.0], 1000, 10_000, name=ACCURACY)
    assert reach(line, ACCURACY).tolist() == [1.0, math.inf, 1.0]
    share = float(unlike_share(1000, 10_000))
    np.testing.assert_allclose(half_widths(line, ACCURACY), [share, np.nan, share])
    assert "by how much is not known" in caption(line, None, ACCURACY)
    percent = a_line([97.0, 0.5], [0.0, 0.0], 1000, 10_000, name=ACCURACY)
    assert np.isinf(reach(percent, ACCURACY)).all()
    assert np.isnan(half_widths(percent, ACCURACY)).all()


@pytest.mark.parametrize("number", [50, 100, 200, 1000, 10_000])
def test_few_wrong_ones_have_about_wilsons_interval_and_never_a_narrower_one(number):
    for unlike in range(1, 6):
        share = unlike / number
        low, high = wilson(unlike, number)
        width = float(score_width(number * share * (1 - share), number, 1.0))
        assert max(share - low, high - share) <= width <= (1 + 10 / number) * max(share - low, high - share)


def test_a_counted_interval_solves_the_score_equation_of_a_finite_population():
    squares, count, left = np.array([0.0, 0.9, 4.0]), 800, math.sqrt(1 - 800 / 1000)
    sums = score_width(squares, count, left) * count
    # As far off as the mean may be, values unlike the others by so much scatter by as much.
    np.testing.assert_allclose(sums**2, NORMAL**2 * left**2 * (squares + sums), rtol=1e-12)


def test_where_nearly_all_data_are_measured_what_none_shows_is_still_more_than_what_scatters():
    wrong = np.array([1.0, 2.0])
    squares = wrong * (1 - wrong / 950)
    surface = a_line(1 - wrong / 950, np.sqrt(squares / 950 / 949), 950, 1000, name=ACCURACY, effective=wrong)
    least = float(unlike_share(950, 1000))
    assert (score_width(squares, 950, math.sqrt(0.05)) < least).all()
    np.testing.assert_allclose(half_widths(surface, ACCURACY), least)


def test_samples_scatter_by_nothing_where_they_do_so_by_less_than_sums_round():
    # Of a mean of 10,000 samples the scatter is a hundred times its standard error.
    for error, alike in ((0.9e-14, True), (1.1e-14, False), (0.0, True), (np.nan, False)):
        assert bool(scatters_by_nothing(error, 1.0, 10_000)) is alike, error
        assert bool(scatters_by_nothing(2 * error, -2.0, 10_000)) is alike, error
    assert scatters_by_nothing(0.0, np.nan, 5)
    assert not scatters_by_nothing(1e-30, 0.0, 5)


def test_theta_lies_where_all_directions_are_at_0_whatever_repeats():
    x, y = Axis(np.array([-1.0, 0.0, 1.0])), Axis(np.array([0.0, 2.0]))
    assert np.argwhere(at_start((x, y))).tolist() == [[0, 1]]
    assert np.argwhere(at_start((y, x))).tolist() == [[1, 0]]
    repeats = Axis(np.arange(2.0), kind="repeat")
    assert np.argwhere(at_start((x, y, repeats))).tolist() == [[0, 0, 1], [1, 0, 1]]
    assert not at_start((Axis(np.array([1.0, 2.0])),)).any()
