"""Runs with a standard error that are cut while points have some of their samples."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.evaluation.anchors.book import AnchorBook
from landscape.surface.anchors import Anchors
from tests.helpers import tiny_problem
from tests.helpers.cut_runs import interrupting, measured_samples


@pytest.mark.parametrize("stop", [75, 90])
def test_a_run_cut_between_two_looks_at_errors_measures_nothing_twice(tmp_path, monkeypatch, stop):
    chance = torch.Generator().manual_seed(2)
    x = torch.randn(4000, 5, generator=chance, dtype=torch.float64) ** 3
    data = x, torch.randint(0, 3, (4000,), generator=chance)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    settings = {"x": "-1:1:7", "y": "-1:1:7", "anchors": 2, "standard_error": 0.012}
    measured = measured_samples(monkeypatch)
    whole = landscape.evaluate(model, data, **settings)
    assert len(set(whole.counts["train"].ravel())) > 2  # points that stop at several looks
    alone, path = sum(measured), tmp_path / "s.h5"
    measured.clear()
    with pytest.raises(KeyboardInterrupt):
        landscape.evaluate(model, data, path=path, progress=interrupting(stop), **settings)
    cut = landscape.read_surface(path)
    assert len(set(cut.counts["train"].ravel())) > 2
    assert len(cut.anchors["train"].kept_points)
    found = landscape.evaluate(model, data, path=path, **settings)
    assert sum(measured) == alone
    np.testing.assert_array_equal(found.counts["train"], whole.counts["train"])
    np.testing.assert_allclose(found["train/loss"], whole["train/loss"], rtol=1e-9)
    assert not landscape.read_surface(path).anchors["train"].kept


def test_more_samples_of_one_data_set_have_all_measured_again(tmp_path):
    x, y = tiny_problem.data()
    data = {"test": (x[:30], y[:30]), "train": (x, y)}  # of the first there are no more
    torch.manual_seed(0)
    settings = {"x": "-1:1:5", "anchors": 3}
    model = tiny_problem.net().eval()
    for samples in (60, 100):
        found = landscape.evaluate(model, data, samples=samples, path=tmp_path / "s.h5", **settings)
    fresh = landscape.evaluate(model, data, samples=100, **settings)
    for part in ("values", "stderr", "paired_stderr", "counts", "anchored"):
        np.testing.assert_equal(getattr(found, part), getattr(fresh, part))


def test_samples_in_a_file_that_are_fewer_than_a_point_has_are_not_taken_for_all_of_it():
    """Three points were kept with 60 samples each, of which one has 80 by now, and another 40."""
    kept = np.arange(180.0).reshape(3, 60)
    held = Anchors(
        np.array([-1]), {"loss": np.zeros((1, 50))}, {"loss": np.zeros(1)}, 600, kept_points=np.array([2, 4, 5]),
        kept={"loss": kept},
    )  # fmt: skip
    book = AnchorBook.__new__(AnchorBook)
    book.name, book.sizes, book._keys = "losses", {"train": 600}, [("train", "loss")]
    book._samples, book._others, book._kept = {}, {}, 0
    book._estimates = SimpleNamespace(anchors_of=lambda name: held)
    book._counts_of = lambda name: np.array([0, 0, 60, 0, 80, 40])
    book._all_known = lambda name: True
    book._table = SimpleNamespace(counts=lambda *of: {}, moments=lambda *of: {})
    baseline = SimpleNamespace(prefix_means=lambda counts: {})
    book._take_kept(SimpleNamespace(stores={"train": ["loss"]}, baseline=baseline))
    assert list(book._samples) == [2, 5]
    np.testing.assert_array_equal(book._samples[2]["train", "loss"], kept[0])
    np.testing.assert_array_equal(book._samples[5]["train", "loss"], kept[2, :40])
