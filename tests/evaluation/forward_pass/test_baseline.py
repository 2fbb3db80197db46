"""When two measurements at theta* are taken for the same: rounding, and how many samples it may push over an edge."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from landscape.errors import EvaluationError
from landscape.evaluation.forward_pass import baseline
from landscape.evaluation.forward_pass.baseline import SAME_EVERYWHERE, Baseline, require_same_start
from landscape.evaluation.forward_pass.sample_values import SampleValues

KEY, OTHER = ("train", "loss"), ("test", "loss")


def agree(off: float, number: int, dtype: torch.dtype = torch.float32, **more: float) -> bool:
    """Return whether values of which some of 1,000 are off, relative to values of 100, count as the same."""
    objective = SimpleNamespace(model=nn.Linear(2, 2).to(dtype))
    values = np.full(1000, 100.0)
    moved = values.copy()
    moved[:number] *= 1 + off
    first, second = (SampleValues({OTHER: values, KEY: each}, {OTHER: True, KEY: True}) for each in (values, moved))
    return baseline._agree(first, second, objective, **more)


@pytest.mark.parametrize(
    ("dtype", "relative"), [(torch.float64, 2.2e-14), (torch.float32, 1.2e-5), (torch.bfloat16, 0.05)]
)
def test_rounding_is_a_hundred_times_what_a_type_resolves_and_never_more_than_a_twentieth(dtype, relative):
    assert agree(0.9 * relative, 1000, dtype)
    assert not agree(1.2 * relative, 1000, dtype)


def test_one_sample_in_a_hundred_may_fall_to_the_other_side_of_an_edge():
    assert agree(1.0, 10)
    assert not agree(1.0, 11)
    assert not agree(1.0, 1, share=0.0)
    assert not agree(np.nan, 11)
    # Of what is not finite both times the same samples are alike: a network may have diverged.
    lost = SampleValues({KEY: np.full(9, np.nan), OTHER: np.array([np.inf, np.nan, 1.0])}, {})
    moved = SampleValues({KEY: np.full(9, np.nan), OTHER: np.array([np.inf, np.nan, 2.0])}, {})
    objective = SimpleNamespace(model=nn.Linear(2, 2))
    assert baseline._agree(lost, lost, objective)
    assert not baseline._agree(lost, moved, objective)
    assert "test/loss was" in baseline._how_different(lost, moved)
    # On another processor two in a hundred of a value are no difference.
    assert agree(0.019, 1000, least=SAME_EVERYWHERE)
    assert not agree(0.022, 1000, least=SAME_EVERYWHERE)


def test_means_at_the_checkpoint_are_of_the_samples_that_a_file_says_or_of_all():
    values = {KEY: np.arange(10.0), ("train", "accuracy"): np.arange(10.0) > 2, OTHER: np.arange(4.0)}
    found = Baseline(SampleValues(values, dict.fromkeys(values, True)), (("train", 0, 10), ("test", 0, 4)), 0.0)
    assert found.means() == {"train/loss": 4.5, "train/accuracy": 0.7, "test/loss": 1.5}
    said = {"train": {"samples": 5}, "test": {}, "other": {"samples": 3}}
    assert found.means(said) == {"train/loss": 2.0, "train/accuracy": 0.4, "test/loss": 1.5}
    assert found.means({"train": {"samples": 99}, "test": {"samples": 2}}) == found.means() | {"test/loss": 0.5}


def test_samples_are_known_where_they_are_in_every_part():
    parts = [SampleValues({KEY: np.ones(2)}, {KEY: each}) for each in (True, False)]
    for first in parts:
        for second in parts:
            both = first.joined(second)
            assert both.per_sample[KEY] is (first.per_sample[KEY] and second.per_sample[KEY])
            assert len(both.values[KEY]) == 4
    other = SampleValues({OTHER: np.zeros(3)}, {OTHER: False})
    assert parts[0].joined(other).per_sample == {KEY: True, OTHER: False}


def test_a_process_with_other_values_at_the_checkpoint_is_refused(monkeypatch):
    there = SampleValues({KEY: np.full(200, 2.0)}, {KEY: True})
    objective = SimpleNamespace(
        model=nn.Linear(2, 2), sizes={"train": 200}, batch_size=100, forget=lambda: None, load=lambda group: group
    )
    for wrong, refused in ((1, False), (2, True)):  # of the hundred samples of a batch
        here = np.full(100, 2.0)
        here[:wrong] = 9.0
        monkeypatch.setattr(baseline, "_measure", lambda *given, here=here: SampleValues({KEY: here}, {KEY: True}))
        if not refused:
            require_same_start(objective, Baseline(there, (), 0.0))
            continue
        with pytest.raises(EvaluationError, match="does not measure here as on rank 0"):
            require_same_start(objective, Baseline(there, (), 0.0))
