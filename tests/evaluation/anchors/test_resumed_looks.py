"""Runs with a standard error that are cut while points have some of their samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
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
