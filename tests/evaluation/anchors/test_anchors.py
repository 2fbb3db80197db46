"""Surfaces whose values are estimated for all data from a subset and anchors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.commands.dry_run import describe_cost
from landscape.commands.surfaces.summary import describe_anchors
from landscape.errors import SurfaceMismatch, UsageError
from landscape.evaluation import planner
from landscape.evaluation.anchors import book as book_of_anchors
from landscape.evaluation.anchors.book import AnchorBook
from landscape.evaluation.evaluate import estimate_cost
from landscape.evaluation.forward_pass import objective
from landscape.problem.data.datasets import as_data, choose
from landscape.surface.heights import suitable_eps
from landscape.surface.surface import INTERPOLATED, Trajectory, sampling_factor
from tests.helpers.anchored_lines import LINE, SIZE
from tests.helpers.cut_runs import interrupting, measured_samples


def test_losses_that_are_quadratic_in_the_weights_are_known_exactly_from_three_anchors_of_a_line(linear, data):
    # Each sample's loss is a + b t + c t^2 along the line: those at three points say it everywhere.
    truth = landscape.evaluate(linear, data, **LINE)
    plain = landscape.evaluate(linear, data, samples=50, anchors="none", **LINE)
    found = landscape.evaluate(linear, data, samples=50, anchors=3, **LINE)
    name = "train/loss"
    assert (np.abs(plain[name] / truth[name] - 1) > 1e-3).all()
    np.testing.assert_allclose(found[name], truth[name], rtol=1e-9)
    # Anchors leave nothing of the 50 samples; what others may be unlike is taken from how these scatter.
    left = found.stderr[name] * sampling_factor(found, name)
    assert (left < 0.1 * plain.stderr[name] * np.sqrt(50)).all()
    assert ((left > 0) == ((found.counts["train"] == 50) & (np.arange(9) != 4))).all()
    assert sorted(found.counts["train"]) == [50] * 7 + [SIZE] * 2  # theta* itself is the third
    np.testing.assert_array_equal(found.anchored["train"], np.where(found.counts["train"] == SIZE, 0, 3))
    anchors = found.anchors["train"]
    said = "train: all 600 samples measured at theta* and 2 others, 50 of them elsewhere"
    assert describe_anchors(found) == f"anchors, from which values are estimated for all data; {said}"
    assert anchors.points[0] == -1
    assert found.origin["values"][name] == pytest.approx(anchors.means["loss"][0])
    for number, mean in zip(anchors.points[1:], anchors.means["loss"][1:], strict=True):
        assert mean == pytest.approx(truth[name][number], rel=1e-12)
        assert anchors.samples["loss"].shape == (3, 50)


def test_a_plane_with_two_data_sets_and_repetitions_is_estimated_set_by_set(classifier, images):
    chance = torch.Generator().manual_seed(2)
    many = torch.randn(900, *images[0].shape[1:], generator=chance, dtype=torch.float64)
    sets = {"train": (many, torch.randint(0, 3, (900,), generator=chance)), "test": images}
    grid = {"x": "-0.5:0.5:5", "y": "-0.5:0.5:5", "repeats": 2}
    truth = landscape.evaluate(classifier, sets, **grid)
    found = landscape.evaluate(classifier, sets, samples=200, anchors=9, weight_decay=0.1, **grid)
    plain = landscape.evaluate(classifier, sets, samples=200, anchors="none", **grid)
    np.testing.assert_allclose(found["test/loss"], truth["test/loss"], rtol=1e-12)  # all of 23 are measured
    assert set(found.anchored) == {"train"}
    for name in ("train/loss", "train/accuracy"):
        errors = [np.sqrt(((each[name] - truth[name]) ** 2).mean()) for each in (found, plain)]
        assert errors[0] < 0.6 * errors[1]
    assert ((found["train/accuracy"] >= 0) & (found["train/accuracy"] <= 1)).all()
    assert (found.repeat(1).anchored["train"] >= 0).all()


def test_what_stands_between_the_nodes_of_the_coarse_grid_gets_an_anchor_in_the_second_round(monkeypatch):
    chance = torch.Generator().manual_seed(6)
    size = torch.rand(6, SIZE, generator=chance, dtype=torch.float64) ** 4
    model = nn.Linear(3, 1, bias=False).double()
    plane = landscape.random_plane(model, dimensions=1)
    along, start = plane.directions[0].tensors["weight"], model.weight.detach().clone()
    places = (0.6, -1.0, -0.5, 0.5, 1.0)  # the first is no node of the coarse grid, and none sees it

    def loss(model, batch):
        t = float(((model.weight - start) * along).sum() / (along * along).sum())
        near = [(3 if place == 0.6 else 1) * max(0.0, 1 - abs(t - place) / 0.08) for place in places]
        return batch[0] * (1 + t**2) + sum(each * part for each, part in zip(near, batch[1:], strict=True))

    def anchors_at(spread, number):
        monkeypatch.setattr(planner, "SPREAD", spread)
        found = landscape.evaluate(model, tuple(size), plane, x="-1:1:33", loss=loss, samples=60, anchors=number)
        return found, [float(found.axes[0].values[point]) for point in found.quality["anchors"]["points"]]

    truth = landscape.evaluate(model, tuple(size), plane, x="-1:1:33", loss=loss)["train/loss"]
    found, at = anchors_at((9, 33), 7)
    np.testing.assert_allclose(found["train/loss"], truth, rtol=1e-9)
    assert (found.quality["anchors"]["rounds"], found.quality["anchors"]["settled"]) == (2, True)
    assert len(at) == 5  # further ones would say nothing
    _, few = anchors_at((9, 33), 4)  # half of them are left to the second round
    assert sum(abs(each - 0.6) < 0.08 for each in few) == 1
    _, once = anchors_at((9, 9), 7)
    assert sorted(once) == [-1.0, -0.5, 0.5, 1.0]


@pytest.mark.parametrize("spread", [(128, 1024), (9, 45)])
def test_a_run_cut_short_anywhere_ends_as_one_that_was_not(linear, data, tmp_path, monkeypatch, spread):
    monkeypatch.setattr(planner, "SPREAD", spread)  # one round in which anchors are chosen, or two
    settings = {**LINE, "y": "-1:1:5", "samples": 64, "anchors": 4, "batch_size": 32}
    whole = landscape.evaluate(linear, data, **settings)
    assert whole.quality["anchors"]["rounds"] == (1 if spread[0] > 45 else 2)
    for stop in (3, 30, 44):
        path = tmp_path / f"{stop}.h5"
        with pytest.raises(KeyboardInterrupt):
            landscape.evaluate(linear, data, path=path, progress=interrupting(stop), **settings)
        cut = landscape.read_surface(path)
        assert not cut.complete or cut.quality["unfinished"]
        resumed = landscape.evaluate(linear, data, path=path, **settings)
        stored = landscape.read_surface(path)
        assert "unfinished" not in stored.quality
        for surface in (resumed, stored):
            np.testing.assert_allclose(surface["train/loss"], whole["train/loss"], rtol=1e-10)
            np.testing.assert_array_equal(surface.counts["train"], whole.counts["train"])
            np.testing.assert_array_equal(surface.anchored["train"], whole.anchored["train"])
            np.testing.assert_allclose(surface.anchors["train"].means["loss"], whole.anchors["train"].means["loss"])


@pytest.mark.parametrize(
    ("less", "stop"), [({}, 4), ({}, 15), ({}, 33), ({"standard_error": 0.02}, 4), ({"standard_error": 0.02}, 25)]
)
def test_a_run_cut_while_anchors_are_chosen_measures_nothing_twice(linear, data, tmp_path, monkeypatch, stop, less):
    monkeypatch.setattr(planner, "SPREAD", (9, 45))
    sets = {"train": data, "test": tuple(each[:300] for each in data)}
    settings = {**LINE, "y": "-1:1:5", "anchors": 4, "weight_decay": 0.1, **(less or {"samples": 64})}
    measured = measured_samples(monkeypatch)
    whole = landscape.evaluate(linear, sets, **settings)
    assert whole.quality["anchors"]["rounds"] == 2
    alone, path = sum(measured), tmp_path / "s.h5"
    measured.clear()
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(linear, sets, path=path, progress=interrupting(stop), **settings)
    assert len(landscape.read_surface(path).anchors["train"].kept_points)
    found = landscape.evaluate(linear, sets, path=path, **settings)
    assert sum(measured) == alone
    stored = landscape.read_surface(path)
    assert not stored.anchors["train"].kept  # nobody needs them any more
    for surface in (found, stored):
        for group in ("values", "stderr", "paired_stderr", "counts", "anchored"):
            for name, values in getattr(whole, group).items():
                there = getattr(surface, group)[name]
                np.testing.assert_allclose(there, values, rtol=1e-9, atol=1e-12, err_msg=f"{group} {name}")


def test_a_run_cut_short_between_both_rounds_may_go_on_with_interpolation(linear, data, tmp_path, monkeypatch):
    monkeypatch.setattr(planner, "SPREAD", (9, 45))
    settings = {**LINE, "y": "-1:1:5", "samples": 64, "anchors": 4, "batch_size": 32, "path": tmp_path / "s.h5"}
    choose = AnchorBook.choose

    def interrupt(book, *given, **named):
        choose(book, *given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AnchorBook, "choose", interrupt)
        with pytest.raises(KeyboardInterrupt):
            landscape.evaluate(linear, data, **settings)
    assert landscape.read_surface(settings["path"]).quality["anchors"]["settled"] is False
    resumed = landscape.evaluate(linear, data, tolerance=0.5, **settings)
    assert resumed.complete
    assert resumed.quality["anchors"]["settled"] is True
    assert len(resumed.anchors["train"].points) == 4


def test_a_run_cut_where_no_points_samples_fit_into_the_file_leaves_a_file_without_them(
    linear, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(book_of_anchors, "IN_FILE", 8 * 64 - 1)
    settings, path = {**LINE, "y": "-1:1:5", "samples": 64, "anchors": 4}, tmp_path / "s.h5"
    whole = landscape.evaluate(linear, data, **settings)
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(linear, data, path=path, progress=interrupting(6), **settings)
    cut = landscape.read_surface(path)
    assert (cut.counts["train"] > 0).any()
    assert not len(cut.anchors["train"].kept_points)
    resumed = landscape.evaluate(linear, data, path=path, **settings)
    np.testing.assert_allclose(resumed["train/loss"], whole["train/loss"], rtol=1e-10)


def test_estimators_are_not_mixed_in_one_file(linear, data, tmp_path):
    path = tmp_path / "s.h5"
    run = Trajectory(np.ones((2, 1)), residual=np.ones(2), loss=np.ones(2), step=np.arange(2))
    landscape.evaluate(linear, data, samples=64, anchors=3, path=path, trajectories={"sgd": run}, **LINE)
    for other in ("none", 4):
        with pytest.raises(SurfaceMismatch, match=r"anchors is 3"):
            landscape.evaluate(linear, data, samples=64, anchors=other, path=path, **LINE)
    before = path.read_bytes()
    again = landscape.evaluate(linear, data, samples=64, path=path, **LINE)  # auto: as the file was begun
    assert (again.anchored["train"] > 0).any()
    more = landscape.evaluate(linear, data, samples=100, anchors=3, path=path, **LINE)
    assert path.read_bytes() != before
    at_once = landscape.evaluate(linear, data, samples=100, anchors=3, **LINE)
    np.testing.assert_allclose(more["train/loss"], at_once["train/loss"], rtol=1e-12)
    assert list(more.trajectories) == ["sgd"]  # a run on it is none of what is measured again
    whole = landscape.evaluate(linear, data, path=path, **LINE)  # all of them at every point: nothing to estimate
    assert not whole.anchored
    np.testing.assert_allclose(whole["train/loss"], landscape.evaluate(linear, data, **LINE)["train/loss"], rtol=1e-12)
    landscape.evaluate(linear, data, samples=64, anchors=3, path=path, overwrite=True, **LINE)
    with pytest.raises(SurfaceMismatch, match="weight decay"):  # not measured again for another reason
        landscape.evaluate(linear, data, samples=100, anchors=3, weight_decay=0.5, path=path, **LINE)
    plain = tmp_path / "p.h5"
    landscape.evaluate(linear, data, samples=64, path=plain, anchors="none", **LINE)
    with pytest.raises(SurfaceMismatch, match="anchors is none, 3 was asked for"):
        landscape.evaluate(linear, data, samples=64, anchors=3, path=plain, **LINE)


def test_of_itself_it_only_takes_anchors_where_they_pay(linear, data):
    small = landscape.evaluate(linear, data, samples=50, **LINE)
    assert not small.anchored
    assert (small.counts["train"] == 50).all()
    large = landscape.evaluate(linear, data, samples=100, x="-1:1:21", y="-1:1:21", loss="mse")
    assert (large.anchored["train"] > 0).any()
    assert len(large.anchors["train"].points) <= 100 // 8
    none = landscape.evaluate(linear, data, x="-1:1:21", y="-1:1:21", loss="mse")
    assert not none.anchored
    # Five of them, 500 samples each, are half of what 50 points of 100 samples take.
    for points, pays in ((49, False), (50, True)):
        assert bool(landscape.evaluate(linear, data, samples=100, x=f"-1:1:{points}", loss="mse").anchored) == pays


def test_where_there_can_be_no_anchors_it_says_why(linear, data):
    weighing = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]).double())
    labelled = data[0], torch.arange(SIZE) % 3
    with pytest.raises(UsageError, match="weighs samples by their class"):
        landscape.evaluate(nn.Linear(5, 3).double(), labelled, samples=50, anchors=3, x="-1:1:9", loss=weighing)
    with pytest.raises(UsageError, match="stream"):
        landscape.evaluate(linear, iter([data]), samples=50, anchors=3, **LINE)
    mean = {**LINE, "loss": lambda model, batch: ((model(batch[0]) - batch[1]) ** 2).mean()}
    with pytest.raises(UsageError, match="one value a sample"):
        landscape.evaluate(linear, data, samples=50, anchors=3, **mean)
    with pytest.raises(UsageError, match="auto, none or a number"):
        landscape.evaluate(linear, data, samples=50, anchors="some", **LINE)


def test_an_anchor_where_the_loss_is_not_finite_is_used_nowhere(data):
    class Bounded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(1, 5, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sqrt(self.w.min() + 0.6) * (x @ self.w.T)  # no number beyond some distance

    truth = landscape.evaluate(Bounded(), data, x="-3:3:9", loss="mse")
    found = landscape.evaluate(Bounded(), data, x="-3:3:9", loss="mse", samples=64, anchors=4)
    np.testing.assert_array_equal(np.isnan(found["train/loss"]), np.isnan(truth["train/loss"]))
    assert np.isnan(truth["train/loss"]).any()
    finite = np.isfinite(truth["train/loss"])
    assert np.isfinite(found.stderr["train/loss"][finite]).all()


def test_an_anchor_of_which_one_sample_is_not_finite_does_not_leave_the_others_samples_in_the_file(
    linear, data, tmp_path, monkeypatch
):
    measured = measured_samples(monkeypatch)
    subset = set(np.asarray(choose(as_data(data, "train"), 64, 0)).tolist())
    strange = data[0][min(set(range(SIZE)) - subset), 0]
    start = linear.weight.detach().clone()

    def loss(model, batch):
        far = (model.weight - start).norm() > 1e-3
        return torch.where((batch[0][:, 0] == strange) & far, torch.inf, ((model(batch[0]) - batch[1]) ** 2)[:, 0])

    path = tmp_path / "s.h5"
    found = landscape.evaluate(linear, data, x="-1:1:9", loss=loss, samples=64, anchors=4, path=path)
    assert found.complete
    assert (found.counts["train"] == SIZE).sum() == 2  # chosen, and measured in full
    assert (np.isinf(found["train/loss"]) == (found.counts["train"] == SIZE)).all()  # seen by no other point's samples
    assert sum(measured) == 9 * 64 + 3 * (SIZE - 64), "the star and both in full, once"
    stored = landscape.read_surface(path).anchors["train"]
    assert list(stored.points) == [-1]
    assert not len(stored.kept_points)


def test_with_a_standard_error_asked_for_anchors_save_samples_and_the_error_holds(linear):
    chance = torch.Generator().manual_seed(3)
    x = torch.randn(4000, 5, generator=chance, dtype=torch.float64) ** 3
    data = x, x.sum(dim=1, keepdim=True) + torch.randn(4000, 1, generator=chance, dtype=torch.float64)
    grid = {"x": "-1:1:17", "y": "-1:1:17", "loss": "mse", "standard_error": 0.05}
    plain = landscape.evaluate(linear, data, anchors="none", **grid)
    found = landscape.evaluate(linear, data, samples=2000, anchors="auto", **grid)
    truth = landscape.evaluate(linear, data, x="-1:1:17", y="-1:1:17", loss="mse")
    name = "train/loss"
    assert found.counts["train"].sum() + 4000 < 0.5 * plain.counts["train"].sum()
    eps = found.quality["standard_error"]["eps"]["train"]
    stated = found.stderr[name] * sampling_factor(found, name) / (found[name] + eps)
    assert (stated[found.counts["train"] < 2000] <= 0.05).all()
    assert np.abs(found[name] / truth[name] - 1).max() < 0.2
    assert found.counts["train"].min() == 256


@pytest.mark.parametrize(
    ("asked", "points"),
    [({"tolerance": 0.03}, 0.15 * 33), ({}, 33)],  # where others are interpolated: about a seventh
)
def test_an_anchor_has_to_save_more_samples_than_its_own_share_of_all_points(linear, monkeypatch, asked, points):
    chance = torch.Generator().manual_seed(1)
    x = torch.randn(3000, 5, generator=chance, dtype=torch.float64) ** 3
    data = x, x.sum(dim=1, keepdim=True) + torch.randn(3000, 1, generator=chance, dtype=torch.float64)
    seen = []

    def chosen(residuals, **given):
        seen.append((len(residuals[0]), given))
        return []

    monkeypatch.setattr(book_of_anchors, "choose_anchors", chosen)
    settings = {"x": "-1:1:33", "loss": "mse", "standard_error": 0.02, "samples": 2000, **asked}
    landscape.evaluate(linear, data, anchors="auto", **settings)
    assert seen
    for number, given in seen:
        assert given["price"] == pytest.approx(number / points * 3000)
        assert given["worth"] == pytest.approx(1000 / (33 * 2000 + 1000))
        assert given["most"] == 33 - 1  # half as many samples again as all points take: 33 passes, theta*'s among them
        (wanted,) = given["wanted"]
        np.testing.assert_allclose(wanted(np.array([0.4, 1e-9])), [1000 / (1 + 1 / 3), 256])


def test_a_dry_run_says_how_many_full_passes_there_may_be(linear, data):
    cost = estimate_cost(linear, data, samples=70, anchors=4, **LINE)
    assert (cost.anchors, cost.full_samples) == (4, SIZE - 70)
    assert cost.seconds == pytest.approx(cost.seconds_per_point * (cost.points + 4 * (SIZE - 70) / 70))
    plain = estimate_cost(linear, data, samples=50, anchors="none", **LINE)
    assert (plain.anchors, plain.full_samples) == (0, 0)
    assert plain.seconds == pytest.approx(plain.seconds_per_point * plain.points)


def test_a_dry_run_says_what_error_to_expect_and_measures_no_more_than_a_few_points():
    chance = torch.Generator().manual_seed(7)
    x = torch.randn(4000, 5, generator=chance)
    data = x, (x**2).sum(dim=1, keepdim=True) + torch.randn(4000, 1, generator=chance)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    settings = {"x": "-1:1:13", "y": "-1:1:13", "loss": "mse", "samples": 200}
    cost = estimate_cost(model, data, anchors=8, **settings)
    for anchors, expected in ((8, cost.expected["train"].anchored), ("none", cost.expected["train"].plain)):
        found = landscape.evaluate(model, data, anchors=anchors, **settings)
        losses, name = found["train/loss"], "train/loss"
        stated = found.stderr[name] * sampling_factor(found, name) / (losses + suitable_eps(losses, "log"))
        assert 0.6 < expected / np.median(stated[found.counts["train"] == 200]) < 1.6, anchors
    assert cost.expected["train"].anchored < 0.7 * cost.expected["train"].plain
    assert "standard error of about" in describe_cost(cost)
    asked = estimate_cost(model, data, anchors=8, standard_error=0.01, **settings)
    assert not asked.expected


def test_on_a_grid_that_is_looked_at_whole_the_expected_error_is_the_median_of_all_points(monkeypatch):
    chance = torch.Generator().manual_seed(3)
    x = torch.randn(4000, 3, generator=chance)
    data = {"train": (x, torch.zeros(4000)), "test": (x[:3000] / 2, torch.zeros(3000))}
    torch.manual_seed(0)
    # Losses of both signs: near 0 an error is one of eps.
    settings = {"x": "-1:1:5", "loss": lambda model, batch: model(batch[0])[:, 0].sin(), "samples": 200}
    model = nn.Linear(3, 1)
    monkeypatch.setattr(objective, "resident_budget", lambda *_: 4000)  # of 200 samples, 16 bytes each: one set's
    expected = estimate_cost(model, data, anchors=4, **settings).expected
    found = landscape.evaluate(model, data, anchors="none", **settings)
    assert list(expected) == list(data)
    for name in data:
        losses = found[f"{name}/loss"]
        stated = found.stderr[f"{name}/loss"] * sampling_factor(found, f"{name}/loss")
        shares = stated / (np.abs(losses) + suitable_eps(losses, "asinh"))
        assert expected[name].plain == pytest.approx(np.median(shares[[0, 1, 3, 4]]), rel=1e-6)


def test_estimates_do_not_depend_on_how_much_fits_into_memory(linear, data, monkeypatch):
    data = {"train": data, "test": tuple(each[:400] for each in data)}
    settings = {**LINE, "samples": 50, "anchors": 3, "batch_size": 100}
    whole = landscape.evaluate(linear, data, **settings)
    monkeypatch.setattr(objective, "resident_budget", lambda *_: 200 * sum(each[0].nbytes for each in data["train"]))
    parts = landscape.evaluate(linear, data, **settings)  # theta* and the anchors get all data in several steps
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-9)
        np.testing.assert_allclose(parts.stderr[name], whole.stderr[name], rtol=1e-6)
    assert parts.origin["values"] == pytest.approx(whole.origin["values"])


def test_the_error_stated_where_half_of_all_data_are_measured_is_what_estimates_are_off_by():
    chance = torch.Generator().manual_seed(5)
    x = torch.randn(SIZE, 5, generator=chance)
    data = x, (x**2).sum(dim=1, keepdim=True) + torch.randn(SIZE, 1, generator=chance)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1))
    truth = landscape.evaluate(model, data, x="-1:1:9", loss="mse")["train/loss"]
    off, stated = [], []
    for seed in range(30):
        found = landscape.evaluate(
            model, data, x="-1:1:9", loss="mse", samples=SIZE // 2, anchors=3, sample_seed=seed
        )  # fmt: skip
        estimated = found.counts["train"] < SIZE
        off += list((found["train/loss"] - truth)[estimated])
        stated += list((found.stderr["train/loss"] * sampling_factor(found, "train/loss"))[estimated])
    # Without the factor of a finite population it is 1.4 times as large.
    assert 0.85 < np.sqrt(np.mean(np.square(stated)) / np.mean(np.square(off))) < 1.2


def test_data_that_do_not_fit_into_memory_and_volumes_give_the_same(linear, data, monkeypatch):
    grid = {"x": "-1:1:5", "y": "-1:1:3", "z": "-1:1:3", "loss": "mse", "batch_size": 32}
    whole = landscape.evaluate(linear, data, samples=160, anchors=5, **grid)
    monkeypatch.setattr(objective, "resident_budget", lambda *_: 5000)  # about a hundred samples
    parts = landscape.evaluate(linear, data, samples=160, anchors=5, **grid)
    assert len(parts.anchors["train"].points) == 5
    np.testing.assert_allclose(parts["train/loss"], whole["train/loss"], rtol=1e-10)
    np.testing.assert_array_equal(parts.counts["train"], whole.counts["train"])


@pytest.mark.parametrize("stop", [10, 60])
def test_a_run_with_a_standard_error_and_a_tolerance_that_is_cut_short_ends_as_one_that_was_not(linear, tmp_path, stop):
    chance = torch.Generator().manual_seed(1)
    x = torch.randn(3000, 5, generator=chance, dtype=torch.float64) ** 3
    data = x, x.sum(dim=1, keepdim=True) + torch.randn(3000, 1, generator=chance, dtype=torch.float64)
    grid = {"x": "-1:1:21", "y": "-1:1:21", "loss": "mse"}
    settings = {**grid, "standard_error": 0.02, "tolerance": 0.06, "samples": 1500}
    whole = landscape.evaluate(linear, data, **settings)
    assert len(whole.anchors["train"].points) > 1
    assert (whole.state == INTERPOLATED).any()
    path = tmp_path / "cut.h5"
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(linear, data, path=path, progress=interrupting(stop), **settings)
    resumed = landscape.evaluate(linear, data, path=path, **settings)
    np.testing.assert_array_equal(resumed.state, whole.state)
    np.testing.assert_array_equal(resumed.counts["train"], whole.counts["train"])
    np.testing.assert_allclose(resumed["train/loss"], whole["train/loss"], rtol=1e-9)


def test_a_file_whose_precision_was_chosen_to_be_the_networks_own_is_gone_on_with(linear, data, tmp_path):
    settings = {**LINE, "path": tmp_path / "s.h5", "precision": "auto", "precision_tolerance": 1e-9}
    first = landscape.evaluate(linear, data, **settings)
    assert first.quality["precision"] == "float64"
    again = landscape.evaluate(linear, data, **{**settings, "precision_tolerance": 0.5})  # another would do now
    np.testing.assert_array_equal(again["train/loss"], first["train/loss"])
