"""What one error that is asked for sets, and what is stated of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import landscape
from landscape.errors import UsageError
from landscape.evaluation.settings import Settings
from landscape.surface.derived.stated_error import share_out, shifted, stated_error, stated_words
from tests.helpers.anchored_lines import LINE


def test_an_error_of_precision_is_kept_where_all_is_measured_again(linear, data, tmp_path):
    settings = {**LINE, "anchors": 3, "path": tmp_path / "s.h5", "precision": "bfloat16"}
    first = landscape.evaluate(linear.float(), [each.float() for each in data], samples=64, **settings)
    more = landscape.evaluate(linear, [each.float() for each in data], samples=100, **settings)
    assert more.quality["precision"] == "bfloat16"
    assert more.quality["precision_error"] == first.quality["precision_error"] > 0
    assert (more.counts["train"] == 100).any()


@pytest.mark.parametrize(
    ("given", "precision"),
    [({}, "float32"), ({"error": 0.05}, "auto"), ({"error": 0.05, "precision": "float32"}, "float32")],
)
def test_an_error_chooses_the_precision_unless_one_is_named(given, precision):
    chosen = Settings(**given)
    assert chosen.precision == precision
    assert dataclasses.replace(chosen).precision == precision  # settings made of settings
    shared = share_out(0.05).precision_tolerance
    assert chosen.precision_tolerance == (shared if precision == "auto" else 0.01)


def test_a_precision_that_takes_more_than_its_share_is_told(linear, data, caplog):
    settings = {**LINE, "precision": "bfloat16"}
    single = [each.float() for each in data]
    landscape.evaluate(linear.float(), single, error=1e-4, **settings)
    assert "bfloat16 alone is off by" in caplog.text
    assert "the whole error will be above 0.01 %" in caplog.text
    caplog.clear()
    found = landscape.evaluate(linear, single, error=10.0, **settings)
    assert not caplog.text
    assert found.quality["standard_error"]["target"] == share_out(10.0, found.quality["precision_error"]).standard_error


def test_one_error_sets_all_parts_and_what_is_stated_holds(linear, tmp_path):
    chance = torch.Generator().manual_seed(4)
    x = torch.randn(6000, 5, generator=chance, dtype=torch.float64) ** 3
    data = x, x.sum(dim=1, keepdim=True) + torch.randn(6000, 1, generator=chance, dtype=torch.float64)
    grid = {"x": "-1:1:33", "y": "-1:1:33", "loss": "mse"}
    found = landscape.evaluate(linear, data, error=0.05, path=tmp_path / "e.h5", **grid)
    truth = landscape.evaluate(linear, data, batch_size=6000, **grid)
    name = "train/loss"
    stated = stated_error(landscape.read_surface(tmp_path / "e.h5"), name)
    assert stated.asked == 0.05
    assert 0 < stated.total <= 0.05
    assert stated.interpolation > 0
    assert stated.total == shifted(np.hypot(stated.samples, stated.interpolation), stated.precision)
    eps = found.quality["standard_error"]["eps"]["train"]
    off = np.abs(found[name] - truth[name]) / (truth[name] + eps)
    assert (off <= 0.05).mean() >= 0.95
    points = found.counts["train"][found.state == 1].sum()
    assert points < 0.1 * truth.counts["train"].sum()
    # What precision leaves of its share is for the others: 0.75 of the whole for samples, the rest of its square.
    shares = share_out(0.05, found.quality["precision_error"])
    assert found.quality["standard_error"]["target"] == shares.standard_error
    assert found.quality["interpolation"]["tolerance"] == shares.tolerance
    assert found.quality["interpolation_error"] == found.quality["interpolation"]["errors"][name]["bound"]

    with pytest.raises(UsageError, match="error sets tolerance itself"):
        landscape.evaluate(linear, data, error=0.05, tolerance=0.1, **grid)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_losses_that_are_too_large_for_a_number_are_results_and_warn_of_nothing():
    class Explodes(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(5, 1, dtype=torch.float64))

        def forward(self, x):
            return torch.exp(200 * (x @ self.w).abs().clamp(max=8))

    x = torch.randn(1200, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    data = x, torch.ones(1200, 1, dtype=torch.float64)
    found = landscape.evaluate(Explodes(), data, x="-1:1:7", loss="mse", error=0.02, precision="float32")
    assert np.isinf(found["train/loss"]).any()


def test_a_stated_error_of_samples_is_that_of_the_intervals_and_grows_with_the_other_parts(linear, data):
    surface = landscape.evaluate(linear, data, samples=100, anchors="none", **LINE)
    alone = stated_error(surface, "train/loss")
    assert alone.total == alone.samples > 0
    errors = {"train/loss": {"largest": 0.3}}
    more = dataclasses.replace(surface, quality={"precision_error": 0.01, "interpolation": {"errors": errors}})
    assert stated_error(more, "train/loss").total == shifted(np.hypot(alone.samples, 0.3), 0.01)
    assert "interpolation 30 %, precision 1 %" in stated_words(stated_error(more, "train/loss"))
    whole = stated_error(landscape.evaluate(linear, data, **LINE), "train/loss")
    assert whole.total == 0
