"""Data sets that do not fit into memory together: what is estimated from anchors is what it is where they do."""

from __future__ import annotations

import numpy as np
import pytest

import landscape
from landscape.evaluation.forward_pass import objective


# 17 of 33 points say where anchors are, then all of them; the eps of a picture is known from 5 before.
@pytest.mark.parametrize(
    "rule", [{"standard_error": 0.1}, {"error": 0.1, "precision": "float32"}], ids=["standard error", "error"]
)
def test_anchors_are_chosen_when_all_data_sets_have_had_a_first_look(linear, data, monkeypatch, rule):
    sets = {"train": data, "test": tuple(each[:400] for each in data)}
    settings = {"x": "-1:1:33", "loss": "mse", "batch_size": 100, "anchors": 3, **rule}
    whole = landscape.evaluate(linear, sets, **settings)
    budget = 300 * sum(each[0].nbytes for each in data)  # the first look at one of the sets, which is 256 samples
    monkeypatch.setattr(objective, "resident_budget", lambda *_: budget)
    parts = landscape.evaluate(linear, sets, **settings)
    assert parts.quality["standard_error"] == whole.quality["standard_error"]
    for name in sets:
        np.testing.assert_array_equal(parts.anchors[name].points, whole.anchors[name].points)
        assert len(whole.anchors[name].points) > 1
        for part in ("counts", "anchored"):
            np.testing.assert_array_equal(getattr(parts, part)[name], getattr(whole, part)[name])
    for name, values in whole.values.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-9)
        np.testing.assert_allclose(parts.stderr[name], whole.stderr[name], rtol=1e-6)
