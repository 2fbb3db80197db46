"""Fewer samples, fewer points, data in parts: the same values, or an error that is stated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

import landscape
from landscape.errors import UsageError
from landscape.evaluation.looks import looks
from landscape.problem.data.datasets import as_data, choose
from landscape.surface.surface import COMPUTED, INTERPOLATED

SAMPLES = 1500


@pytest.fixture
def points():
    """Samples of a linear classifier whose losses scatter: a point needs hundreds for a few percent."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(SAMPLES, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (SAMPLES,), generator=generator)


@pytest.fixture
def linear():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    with torch.no_grad():
        model[0].weight.mul_(2)
        model[2].weight.mul_(4)
    return model


def loss_of_each(model, points, plane, at):
    """The textbook: the losses of all samples at one point of the plane."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for name, p in model.named_parameters():
            for c, d in zip(at, plane.directions, strict=True):
                p += c * d.tensors[name]
        values = nn.functional.cross_entropy(model(points[0]), points[1], reduction="none").numpy()
        for name, p in model.named_parameters():
            p.copy_(before[name])
    return values


# -- samples -------------------------------------------------------------------------------------------------------


def test_points_stop_at_the_first_look_whose_error_is_small_enough(linear, points):
    plane = landscape.random_plane(linear, dimensions=2)
    got = landscape.evaluate(linear, points, plane, x="-1:1:7", y="-1:1:6", standard_error=0.04, batch_size=100)
    eps = got.quality["standard_error"]["eps"]["train"]
    losses_there = loss_of_each(linear, points, plane, (0, 0))
    assert len(set(got.counts["train"].ravel())) > 1, "a problem where all points stop alike shows nothing"
    for j, b in enumerate(np.linspace(-1, 1, 6)):
        for i, a in enumerate(np.linspace(-1, 1, 7)):
            count = int(got.counts["train"][j, i])
            exact = landscape.evaluate(linear, points, plane, x=[a], y=[b], samples=count)
            loss, error = float(exact["train/loss"][0, 0]), float(exact.stderr["train/loss"][0, 0])
            np.testing.assert_allclose(got["train/loss"][j, i], loss, rtol=1e-12)
            np.testing.assert_allclose(got.stderr["train/loss"][j, i], error, rtol=1e-9)
            assert count == SAMPLES or error <= 0.04 * (loss + eps)
            if count > 256:
                less = looks(SAMPLES)[looks(SAMPLES).index(count) - 1]
                before = landscape.evaluate(linear, points, plane, x=[a], y=[b], samples=less)
                needed = 0.04 * (float(before["train/loss"][0, 0]) + eps)
                off_at_start = abs(losses_there[:less].mean() - losses_there.mean())
                assert max(float(before.stderr["train/loss"][0, 0]), off_at_start) > needed


def test_samples_that_miss_what_carries_the_loss_at_the_checkpoint_are_not_enough():
    # As of a trained network: nearly every sample costs next to nothing, a little more or less, and none of the first
    # 512 is one of the others.
    cost = 1e-3 + 1e-5 * torch.rand(1024, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    cost[choose(as_data((cost,), "train"), 1024)[600:620]] = 20.0
    model = nn.Linear(1, 1).double()

    def own(model, batch):
        return batch[0][:, 0] * (1 + model.weight.sum() ** 2)

    whole = landscape.evaluate(model, (cost,), loss=own, x="-1:1:9")
    got = landscape.evaluate(model, (cost,), loss=own, x="-1:1:9", standard_error=0.02)
    np.testing.assert_allclose(got["train/loss"], whole["train/loss"], rtol=1e-12)


def test_data_without_anchors_are_asked_what_they_are_off_by_at_the_checkpoint_beside_data_that_have_them():
    chance = torch.Generator().manual_seed(1)
    cost = 1e-3 + 1e-5 * torch.rand(900, 1, generator=chance, dtype=torch.float64)
    cost[choose(as_data((cost,), "test"), 900)[300:320]] = 20.0  # none of the first 256
    many = torch.rand(4000, 1, generator=chance, dtype=torch.float64)
    data = {"train": (many + 0.1,), "test": (cost,)}
    model = nn.Linear(1, 1).double()

    def own(model, batch):
        return batch[0][:, 0] * (1 + model.weight.sum() ** 2)

    whole = landscape.evaluate(model, data, loss=own, x="-1:1:5")
    got = landscape.evaluate(model, data, loss=own, x="-1:1:5", error=0.05, precision="float32")
    assert list(got.anchored) == ["train"]
    np.testing.assert_allclose(got["test/loss"], whole["test/loss"], rtol=1e-9)
    assert (got.counts["train"] < 4000).any()


def test_the_stated_error_covers_the_loss_over_all_samples(linear, points):
    plane = landscape.random_plane(linear, dimensions=2)
    settings = {"x": "-2:2:13", "y": "-2:2:13"}
    got = landscape.evaluate(linear, points, plane, standard_error=0.05, **settings)
    whole = landscape.evaluate(linear, points, plane, **settings)
    early = got.counts["train"] < SAMPLES
    assert early.mean() > 0.5
    off = np.abs(got["train/loss"] - whole["train/loss"])[early] / got.stderr["train/loss"][early]
    assert (off < 2).mean() > 0.9


def cut_short(model: Any, data: Any, path: Path, after: int, **settings: Any) -> Path:
    """Interrupt a run after so many points; return its file."""

    def interrupt(done: int, total: int) -> None:
        if done == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(model, data, path=path, progress=interrupt, **settings)
    return path


def test_a_run_cut_short_while_points_lack_samples_ends_like_one_that_was_not(linear, points, tmp_path):
    settings = {"x": "-1:1:7", "y": "-1:1:6", "standard_error": 0.03}
    whole = landscape.evaluate(linear, points, **settings)
    for after in (5, 20, 35):
        path = cut_short(linear, points, tmp_path / f"{after}.h5", after, **settings)
        resumed = landscape.evaluate(linear, points, path=path, **settings)
        np.testing.assert_array_equal(resumed.counts["train"], whole.counts["train"])
        np.testing.assert_allclose(resumed["train/loss"], whole["train/loss"], rtol=1e-13)
        assert resumed.quality["standard_error"] == whole.quality["standard_error"]


def test_a_smaller_error_extends_what_is_there_and_none_at_all_uses_every_sample(linear, points, tmp_path):
    settings = {"x": "-1:1:7", "path": tmp_path / "s.h5"}
    first = landscape.evaluate(linear, points, standard_error=0.1, **settings)
    second = landscape.evaluate(linear, points, standard_error=0.03, **settings)
    assert (second.counts["train"] >= first.counts["train"]).all()
    assert second.counts["train"].sum() > first.counts["train"].sum()
    assert second.quality["standard_error"]["target"] == 0.03
    third = landscape.evaluate(linear, points, **settings)
    assert (third.counts["train"] == SAMPLES).all()
    assert "standard_error" not in third.quality
    at_once = landscape.evaluate(linear, points, x="-1:1:7")
    np.testing.assert_allclose(third["train/loss"], at_once["train/loss"], rtol=1e-12)


def test_each_data_set_has_the_samples_it_needs(linear, points):
    few = tuple(each[:300] for each in points)
    got = landscape.evaluate(linear, {"train": points, "test": few}, x="-1:1:5", standard_error=0.04)
    assert (got.counts["test"] <= 300).all()
    assert not np.array_equal(got.counts["train"], got.counts["test"])


def test_a_loss_that_gives_a_mean_has_no_standard_error_to_stop_at(linear, points):
    def mean(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    with pytest.raises(UsageError, match="one value a sample"):
        landscape.evaluate(linear, points, x="-1:1:5", loss=mean, standard_error=0.02)


# -- points --------------------------------------------------------------------------------------------------------


def test_interpolated_points_are_marked_and_within_the_tolerance(linear, points, tmp_path):
    settings = {"x": "-1:1:33", "y": "-1:1:29", "samples": 200}
    path = tmp_path / "s.h5"
    got = landscape.evaluate(linear, points, tolerance=0.02, path=path, **settings)
    whole = landscape.evaluate(linear, points, **settings)
    filled = got.state == INTERPOLATED
    assert filled.mean() > 0.5
    assert got.complete
    # Not to the last digit: estimates from anchors are made of as many points at a time as are there.
    np.testing.assert_allclose(got["train/loss"][~filled], whole["train/loss"][~filled], rtol=1e-13)
    eps = got.quality["interpolation"]["errors"]["train/loss"]["eps"]
    off = np.abs(np.log((got["train/loss"] + eps) / (whole["train/loss"] + eps)))[filled]
    assert np.quantile(off, 0.95) <= 0.02
    assert (off <= got.quality["interpolation_error"]).mean() >= 0.95
    assert (got.counts["train"][filled] == 0).all()
    assert np.isnan(got.stderr["train/loss"][filled]).all()
    stored = landscape.read_surface(path)
    np.testing.assert_array_equal(stored.state, got.state)
    assert stored.quality["interpolation"] == got.quality["interpolation"]


def test_a_file_whose_points_were_interpolated_says_of_none_that_it_lacks_samples(linear, points, tmp_path):
    path = tmp_path / "s.h5"
    got = landscape.evaluate(linear, points, x="-1:1:17", y="-1:1:15", samples=100, tolerance=0.02, path=path)
    assert (got.state == INTERPOLATED).any()
    assert "unfinished" not in got.quality
    assert "unfinished" not in landscape.read_surface(path).quality


def test_a_run_cut_short_between_points_ends_like_one_that_was_not(linear, points, tmp_path):
    settings = {"x": "-1:1:17", "y": "-1:1:15", "samples": 100, "tolerance": 0.01}
    whole = landscape.evaluate(linear, points, **settings)
    number = int((whole.state == COMPUTED).sum())
    for after in (10, number // 2, number - 1, number):
        path = cut_short(linear, points, tmp_path / f"{after}.h5", after, **settings)
        cut = landscape.read_surface(path)
        assert (cut.state == COMPUTED).sum() == after
        resumed = landscape.evaluate(linear, points, path=path, **settings)
        np.testing.assert_array_equal(resumed.state, whole.state)
        np.testing.assert_array_equal(resumed["train/loss"], whole["train/loss"])
        assert resumed.quality["interpolation"] == whole.quality["interpolation"]


def test_a_smaller_tolerance_goes_on_and_none_at_all_measures_every_point(linear, points, tmp_path):
    settings = {"x": "-1:1:17", "y": "-1:1:15", "samples": 100, "path": tmp_path / "s.h5"}
    coarse = landscape.evaluate(linear, points, tolerance=0.05, **settings)
    calls = []
    same = landscape.evaluate(linear, points, tolerance=0.06, progress=lambda *at: calls.append(at), **settings)
    np.testing.assert_array_equal(same.state, coarse.state)
    assert calls == [(17 * 15, 17 * 15)], "nothing was left to measure"
    fine = landscape.evaluate(linear, points, tolerance=0.01, **settings)
    assert (fine.state == COMPUTED).sum() > (coarse.state == COMPUTED).sum()
    assert (fine.state[coarse.state == COMPUTED] == COMPUTED).all()
    every = landscape.evaluate(linear, points, **settings)
    assert (every.state == COMPUTED).all()
    assert "interpolation" not in every.quality
    assert "interpolation_error" not in every.quality
    at_once = landscape.evaluate(linear, points, x="-1:1:17", y="-1:1:15", samples=100)
    np.testing.assert_allclose(every["train/loss"], at_once["train/loss"], rtol=1e-13)


def test_interpolated_points_keep_nothing_of_samples_they_had(linear, points, tmp_path):
    grid = {"x": "-1:1:17", "y": "-1:1:15", "path": tmp_path / "s.h5"}
    plane = landscape.random_plane(linear, dimensions=2)
    landscape.evaluate(linear, points, plane, standard_error=0.2, **grid)  # few samples everywhere
    got = landscape.evaluate(linear, points, plane, tolerance=0.02, **grid)
    filled = got.state == INTERPOLATED
    assert filled.mean() > 0.4
    assert (got.counts["train"][filled] == 0).all()
    assert np.isnan(got.stderr["train/loss"][filled]).all()
    assert np.isnan(got.paired_stderr["train/loss"][filled]).all()
    every = landscape.evaluate(linear, points, plane, **grid)
    at_once = landscape.evaluate(linear, points, plane, x="-1:1:17", y="-1:1:15")
    assert (every.counts["train"] == SAMPLES).all()
    np.testing.assert_allclose(every["train/loss"], at_once["train/loss"], rtol=1e-12)


def test_points_and_samples_are_saved_together(linear, points):
    got = landscape.evaluate(linear, points, x="-1:1:17", y="-1:1:15", tolerance=0.05, standard_error=0.05)
    filled = got.state == INTERPOLATED
    assert filled.mean() > 0.3
    counted = got.counts["train"][~filled]
    assert 256 in counted
    assert counted.max() > 256


def test_with_more_samples_at_the_measured_points_the_others_are_interpolated_anew(linear, points, tmp_path):
    grid = {"x": "-1:1:17", "y": "-1:1:15", "tolerance": 0.05}
    path = tmp_path / "s.h5"
    before = landscape.evaluate(linear, points, path=path, standard_error=0.05, **grid)
    after = landscape.evaluate(linear, points, path=path, standard_error=0.03, **grid)
    anew = landscape.evaluate(linear, points, standard_error=0.03, **grid)
    assert after.counts["train"].sum() > before.counts["train"].sum()
    filled = (after.state == INTERPOLATED) & (anew.state == INTERPOLATED)
    assert filled.mean() > 0.3
    np.testing.assert_allclose(after["train/loss"][filled], anew["train/loss"][filled], rtol=1e-9)
    assert (before["train/loss"] != anew["train/loss"])[filled].all()


def test_a_rough_surface_ends_fully_measured(linear, points):
    def rough(model, batch):
        noise = torch.sin(1e6 * model[0].weight.double().sum())
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none") * (1.5 + noise)

    settings = {"x": "-1:1:15", "y": "-1:1:15", "samples": 20, "loss": rough}
    got = landscape.evaluate(linear, points, tolerance=0.02, **settings)
    assert (got.state == COMPUTED).all()
    np.testing.assert_array_equal(got["train/loss"], landscape.evaluate(linear, points, **settings)["train/loss"])


# -- data in parts -------------------------------------------------------------------------------------------------


class Counted(Dataset):
    """Says how often each sample was read."""

    def __init__(self, points):
        self.points = points
        self.reads = np.zeros(len(points[0]), dtype=int)

    def __len__(self):
        return len(self.reads)

    def __getitem__(self, number):
        self.reads[number] += 1
        return self.points[0][number], self.points[1][number]


@pytest.fixture
def small_memory(monkeypatch):
    """Room for about 400 of the samples."""
    monkeypatch.setattr(
        "landscape.evaluation.forward_pass.objective.resident_budget", lambda device, users: 400 * 7 * 8
    )


def test_data_that_do_not_fit_are_read_once_for_all_points(linear, points, small_memory):
    def reads(number):
        data = Counted(points)
        landscape.evaluate(linear, data, x=f"-1:1:{number}", y="-1:1:10", batch_size=100)
        return data.reads

    # What it takes to start does not depend on the points; each sample is read once more than that.
    np.testing.assert_array_equal(reads(2), reads(30))


def test_data_in_parts_give_what_they_give_at_once(linear, points, monkeypatch, request):
    settings = {"x": "-1:1:9", "y": "-1:1:8", "batch_size": 100}
    whole = landscape.evaluate(linear, points, **settings)
    request.getfixturevalue("small_memory")
    parts = landscape.evaluate(linear, points, **settings)
    for name in whole.values:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-12)
        np.testing.assert_allclose(parts.stderr[name], whole.stderr[name], rtol=1e-9)
        np.testing.assert_allclose(parts.paired_stderr[name], whole.paired_stderr[name], rtol=1e-7, atol=1e-15)


def test_where_points_stop_does_not_depend_on_how_much_fits_into_memory(linear, points, monkeypatch):
    data = {"train": tuple(each[:900] for each in points), "test": tuple(each[:600] for each in points)}
    settings = {"x": "-1:1:5", "standard_error": 0.04, "batch_size": 100}
    whole = landscape.evaluate(linear, data, **settings)
    monkeypatch.setattr(  # the first look at one data set, which is 256 samples, and none of the other's
        "landscape.evaluation.forward_pass.objective.resident_budget", lambda device, users: 300 * 7 * 8
    )
    parts = landscape.evaluate(linear, data, **settings)
    assert parts.quality["standard_error"] == whole.quality["standard_error"]
    for name in data:
        np.testing.assert_array_equal(parts.counts[name], whole.counts[name])


def test_a_run_of_data_in_parts_that_is_cut_short_keeps_the_parts_it_has(linear, points, tmp_path, small_memory):
    settings = {"x": "-1:1:9", "y": "-1:1:8", "batch_size": 100, "path": tmp_path / "s.h5"}
    whole = landscape.evaluate(linear, points, x="-1:1:9", y="-1:1:8", batch_size=100)

    class CutShort(Exception):
        pass

    calls = 0

    def failing(model, batch):
        nonlocal calls
        calls += 1
        # A start takes up to 60 calls; four steps of 72 points, of three or four batches each.
        if calls == 700:
            raise CutShort
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

    def working(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")

    failing.__name__ = working.__name__ = "own"
    failing.__qualname__ = working.__qualname__ = "own"
    with pytest.raises(landscape.errors.EvaluationError):
        landscape.evaluate(linear, points, loss=failing, **settings)
    cut = landscape.read_surface(tmp_path / "s.h5")
    assert (cut.state == COMPUTED).all()
    assert 0 < cut.counts["train"].min() < cut.counts["train"].max() < SAMPLES
    resumed = landscape.evaluate(linear, points, loss=working, **settings)
    np.testing.assert_allclose(resumed["train/loss"], whole["train/loss"], rtol=1e-12)
    assert (resumed.counts["train"] == SAMPLES).all()


def test_a_file_says_how_many_points_still_lack_samples(linear, points, tmp_path):
    settings = {"x": "-1:1:7", "y": "-1:1:6", "standard_error": 0.03, "path": tmp_path / "s.h5"}

    def interrupt(done, total):
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(linear, points, progress=interrupt, **settings)
    cut = landscape.read_surface(tmp_path / "s.h5")
    assert cut.quality["unfinished"] == int((cut.state == COMPUTED).sum()) - 30 > 0
    # As early as the coarse grid, when it is not yet known which points have enough.
    early = {**settings, "path": tmp_path / "early.h5"}

    def interrupt_early(done, total):
        if done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(linear, points, progress=interrupt_early, **early)
    cut = landscape.read_surface(tmp_path / "early.h5")
    assert cut.quality["unfinished"] == int((cut.state == COMPUTED).sum()) >= 3
    assert "unfinished" not in landscape.evaluate(linear, points, **settings).quality
    assert "unfinished" not in landscape.read_surface(tmp_path / "s.h5").quality
