"""Differences between two networks on the same samples: their errors, and what cannot be compared."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from landscape.plot.page.html import read_page, write_page
from torch import nn

import landscape
from landscape.cli import main
from landscape.errors import SurfaceMismatch
from landscape.surface.derived.differences import Difference, difference, standard_errors
from landscape.surface.derived.intervals import half_widths, interval_factor
from landscape.surface.grid import Axis
from landscape.surface.surface import COMPUTED, Surface, sampling_factor

SIZE = 900
NAME = "train/loss"


def network(number: int) -> nn.Module:
    """Return a network, or one that is much like it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * number * torch.randn(parameter.shape)
    return model


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Some samples are hard for both networks: outliers of what is to be learnt."""
    chance = torch.Generator().manual_seed(1)
    x = torch.randn(SIZE, 5, generator=chance)
    return x, (x**2).sum(1, keepdim=True) + torch.randn(SIZE, 1, generator=chance) ** 3


def pair(data, folder=None, **settings):
    settings = {"x": "-1:1:9", "loss": "mse", "samples": 150, "progress": False, **settings}
    paths = [None if folder is None else folder / f"{seed}.h5" for seed in (0, 1)]
    return [landscape.evaluate(network(seed), data, path=paths[seed], **settings) for seed in (0, 1)]


def test_the_interval_of_a_difference_is_narrower_than_both_added_up_and_holds(data):
    truth = [landscape.evaluate(network(seed), data, x="-1:1:9", loss="mse")[NAME] for seed in (0, 1)]
    true = truth[1] - truth[0]
    held, narrower, off, stated = [], [], [], []
    for seed in range(28):
        first, second = pair(data, anchors=2, samples=SIZE // 2, sample_seed=seed)
        found = difference(first, second, NAME)
        chance = found.half_widths > 0
        assert not found.at_most.any()
        assert found.half_width_at_start == 0
        assert found.at_start == pytest.approx(true[4], rel=1e-5)
        held += list((np.abs(found.values - true) <= found.half_widths)[chance])
        each = [half_widths(surface, NAME) for surface in (first, second)]
        off += list((found.values - true)[chance])
        stated += list(found.half_widths[chance] / 2.04)  # Student's, of 32 columns less one
        both = (each[0] > 0) & (each[1] > 0)
        narrower += list(found.half_widths[both] / (each[0] + each[1])[both])
    assert 0.92 < np.mean(held) < 0.985, np.mean(held)
    # Without the factor of a finite population it is 1.4 times as large.
    assert 0.85 < np.sqrt(np.mean(np.square(stated)) / np.mean(np.square(off))) < 1.2
    # Of two whose errors have nothing in common it were 1 / sqrt(2).
    assert np.median(narrower) < 0.5, np.median(narrower)


def test_the_page_says_the_standard_error_of_a_difference_and_how_far_above_the_checkpoint_an_estimate_is(
    data, tmp_path
):
    planes = [
        landscape.evaluate(network(seed), data, x="-1:1:5", y="-1:1:5", loss="mse", samples=300, anchors=4)
        for seed in (0, 1)
    ]
    errors = standard_errors(*planes, NAME)
    each = [plane.stderr[NAME] * sampling_factor(plane, NAME) for plane in planes]
    chance = (each[0] > 0) & (each[1] > 0)
    assert (errors[chance] < np.hypot(*each)[chance]).mean() > 0.9  # as of independent samples
    np.testing.assert_allclose(errors[~chance], (each[0] + each[1])[~chance])
    widths = difference(*planes, NAME).half_widths
    assert (widths[chance] / errors[chance] > 1.96).all()
    # The one that fewer samples carry says how sure the difference is, in whatever order.
    few = dataclasses.replace(planes[0], tails={**planes[0].tails, f"{NAME}_effective": np.full(errors.shape, 4.0)})
    for both in ((few, planes[1]), (planes[1], few)):
        ratio = difference(*both, NAME).half_widths[chance] / errors[chance]
        np.testing.assert_allclose(ratio, interval_factor(4.0), rtol=1e-6)
    content, arrays = read_page(write_page([planes[1], planes[0]], tmp_path / "page.html"))
    np.testing.assert_allclose(arrays[content["differences"]["0-1"][NAME]], errors, rtol=1e-3)
    assert content["panes"][0]["frames"][0]["samples"] == {}  # points are compared whatever was measured at each


def test_without_sketches_both_intervals_add_up_and_of_all_data_nothing_is_left_to_chance(data):
    first, second = pair(data, anchors="none")
    assert standard_errors(first, second, NAME) is None
    found = difference(first, second, NAME)
    np.testing.assert_allclose(found.half_widths, half_widths(first, NAME) + half_widths(second, NAME))
    assert found.at_most.all()
    assert found.half_width_at_start == pytest.approx(found.half_widths[4])
    known = pair(data, samples=None)
    for both in ((known[0], second), (first, known[1])):  # what one of all data is off by is the other's
        found = difference(*both, NAME)
        np.testing.assert_allclose(found.half_widths, half_widths(both[0], NAME) + half_widths(both[1], NAME))
        assert not found.at_most.any()
    exact = difference(*known, NAME)
    assert (exact.half_widths == 0).all()
    assert (exact.higher | exact.lower).all()


def test_what_was_not_measured_alike_is_refused(data):
    first, second = pair(data, anchors=2)
    larger = {"train": {**second.problem["data"]["train"], "size": 901}}
    for problem, words in (
        ({"sample_seed": 9}, "their sample seed is 0 and 9"),
        ({"loss": "l1"}, "their loss is mse and l1"),
        ({"normalize": "0.5/0.2"}, "their normalisation is None and 0.5/0.2"),
        ({"data": larger}, "train has 900 samples in one and 901 in the other"),
    ):
        other = dataclasses.replace(second, problem={**second.problem, **problem})
        for both in ((first, other), (other, first)):
            with pytest.raises(SurfaceMismatch, match=words if other is both[1] else None):
                difference(*both, NAME)
    prints = dataclasses.replace(second, origin={**second.origin, "fingerprints": {"train": "x"}})
    for other, words in ((prints, "samples of train"), (second.select(np.arange(0, 9, 2)), "grids")):
        with pytest.raises(SurfaceMismatch, match=words):
            difference(first, other, NAME)
    with pytest.raises(SurfaceMismatch, match="has no train/f1"):
        difference(first, second, "train/f1")
    # Digests of so many samples say nothing of digests of others.
    counted = dataclasses.replace(prints, origin={**prints.origin, "fingerprint_samples": {"train": 10}})
    np.testing.assert_array_equal(difference(first, counted, NAME).values, difference(first, second, NAME).values)
    # What changes no loss at equal weights: directions, the checkpoint, how the network was moved.
    moved = dataclasses.replace(second, problem={**second.problem, "move": "states"})
    assert difference(first, moved, NAME).at_start == difference(first, second, NAME).at_start


def beside_another(surface: Surface) -> Surface:
    """Return a surface that has, before its own, values of another data set and of another metric."""

    def grown(arrays):
        return {**{name.replace("train", "other"): 3 * each for name, each in arrays.items()}, **arrays}

    names = ("values", "stderr", "paired_stderr", "counts", "anchored", "tails")
    parts = {name: grown(getattr(surface, name)) for name in names}
    own = surface.anchors["train"]
    sketches = {"first": 5 * own.sketches["loss"], **own.sketches}
    other = dataclasses.replace(own, points=own.points + 1, sketches={"loss": 2 * own.sketches["loss"]})
    anchors = {"other": other, "train": dataclasses.replace(own, sketches=sketches)}
    origin = {**surface.origin, "values": {"other/loss": 9.0, **surface.origin["values"]}}
    sets = {"other": {"size": 451, "samples": 451}, **surface.problem["data"]}
    return dataclasses.replace(
        surface, **parts, anchors=anchors, origin=origin, problem={**surface.problem, "data": sets}
    )


def test_a_difference_is_of_the_data_set_and_the_metric_that_it_is_asked_of(data):
    plain = pair(data, anchors=2, x="-1:1:8")  # theta* not among them
    both = [beside_another(each) for each in plain]
    for one, two in (both, (both[0], plain[1]), (plain[0], both[1])):
        found, wanted = difference(one, two, NAME), difference(*plain, NAME)
        for field in dataclasses.fields(wanted):
            np.testing.assert_array_equal(getattr(found, field.name), getattr(wanted, field.name), field.name)
        np.testing.assert_array_equal(standard_errors(one, two, NAME), standard_errors(*plain, NAME))


def test_planes_that_differ_along_one_axis_are_not_compared():
    axes = Axis(np.array([0.0, 1.0])), Axis(np.array([0.0, 2.0]))
    first = Surface(axes, {NAME: np.zeros((2, 2))}, np.ones((2, 2), np.uint8))
    assert (difference(first, first, NAME).values == 0).all()
    # A point that one of both only interpolated has no difference: its error is another's.
    state = np.array([[1, 2], [0, 1]], np.uint8)
    for pair_of in ((first, dataclasses.replace(first, state=state)), (dataclasses.replace(first, state=state), first)):
        np.testing.assert_array_equal(np.isnan(difference(*pair_of, NAME).values), state != COMPUTED)
    others = Axis(np.array([0.0, 3.0])), Axis(axes[1].values, kind="repeat")
    for changed in ((axes[0], others[0]), (others[0], axes[1]), (axes[0], others[1])):
        with pytest.raises(SurfaceMismatch, match="grids are not the same"):
            difference(first, dataclasses.replace(first, axes=changed), NAME)


def test_the_second_is_higher_or_lower_where_it_is_so_by_more_than_the_interval():
    found = Difference(NAME, np.array([2.0, 1.0, 0.5, -0.5, -1.0, -2.0, np.nan]), np.ones(7), np.zeros(7, bool), 0, 0)
    assert found.higher.tolist() == [True] + [False] * 6
    assert found.lower.tolist() == [False] * 5 + [True, False]


def test_info_compares_two_files_in_words_and_as_json(data, tmp_path, capsys):
    first, second = pair(data, tmp_path, anchors=2)
    files = [str(tmp_path / f"{seed}.h5") for seed in (0, 1)]
    assert main(["info", "--compare", *files]) == 0
    text = capsys.readouterr().out
    assert "exact" in text
    assert "undecided" in text
    assert main(["info", "--compare", "--json", *files]) == 0
    entry = json.loads(capsys.readouterr().out)["values"][NAME]
    found = difference(first, second, NAME)
    assert entry["at_origin"] == pytest.approx(found.at_start)
    assert (entry["higher"], entry["lower"]) == (found.higher.sum(), found.lower.sum())
    assert entry["error_is_a_bound"] == 0
    for some in (files[:1], [*files, files[0]]):
        assert main(["info", "--compare", *some]) == 2
        assert f"takes two surfaces, {len(some)} files were given" in capsys.readouterr().err
