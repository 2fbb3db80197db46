"""After how many samples a point stops, asked of the rule itself: no network, errors that are given."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import UsageError
from landscape.evaluation.looks import looks, steps_between
from landscape.evaluation.planner import Planner, StoppingRule
from landscape.surface.derived.intervals import interval_factor

SAMPLES = 1500


def test_an_error_is_looked_at_after_256_512_and_all_samples():
    assert looks(1500) == [256, 512, 1024, 1500]
    assert looks(256) == [256]
    assert looks(100) == [100]
    assert steps_between({"train": looks(600), "test": looks(300)}) == [
        (("train", 0, 256), ("test", 0, 256)),
        (("train", 256, 512), ("test", 256, 300)),
        (("train", 512, 600),),
    ]


@pytest.mark.parametrize(
    ("count", "loss", "error", "met"),
    [
        (256, 1.0, 0.021, True),  # 0.02 of 1 + 0.1
        (256, 1.0, 0.023, False),
        (255, 1.0, 0.0, False),  # not a number at which it is asked
        (512, 0.0, 0.0019, True),
        (512, np.inf, np.nan, True),  # more samples do not make it finite
        (512, 1.0, np.nan, False),  # not known
    ],
)
def test_a_point_has_enough_samples_when_its_error_is_small_against_loss_and_eps(count, loss, error, met):
    rule = StoppingRule(0.02, {"train": 0.1}, {"train": looks(SAMPLES)})
    assert rule.met("train", count, loss, error) is met


def test_what_is_off_at_the_checkpoint_has_to_be_below_the_same_share():
    for off, met in ((0.0219, True), (0.0221, False), (np.nan, True)):
        rule = StoppingRule(0.02, {"train": 0.1}, {"train": looks(SAMPLES)}, {"train": {256: off, 512: 9.0}})
        assert rule.met("train", 256, 1.0, 0.001) is met, off
        assert not rule.met("train", 512, 1.0, 0.001)


@pytest.mark.parametrize(("effective", "skewness"), [(200.0, 3.0), (12.0, 3.0), (4.0, 9.6), (np.nan, np.nan)])
@pytest.mark.parametrize("by_intervals", [True, False])
def test_an_interval_has_to_be_as_narrow_as_a_normal_distributions(effective, skewness, by_intervals):
    # Of a mean of 256 the skewness is a sixteenth of its samples'.
    factor = float(interval_factor(effective, skewness / 16)) / 1.959964 if by_intervals else 1.0
    quantity = SimpleNamespace(name="losses")
    for share, met in ((0.999, True), (1.001, False)):
        error = np.array([[0.5, share * 0.02 * (2.0 + 0.1) / factor]])
        table = SimpleNamespace(
            values={"train/loss": np.array([[1.0, 2.0]])},
            stderr={"train/loss": error},
            tails=lambda name, point: (skewness, effective) if (name, point) == ("train/loss", 1) else None,
        )
        planner = SimpleNamespace(
            _book=None, _quantities=[quantity], _wanted={"losses": {"train": SAMPLES}}, _table=table,
            _rule=StoppingRule(0.02, {"train": 0.1}, {"train": looks(SAMPLES)}, by_intervals=by_intervals),
            _says_nothing=lambda *given: False,
        )  # fmt: skip
        assert Planner._enough(planner, 1, quantity, "train", 256) is met


def test_of_estimates_the_error_is_that_of_a_finite_population_and_only_losses_stop_by_it():
    losses, other = SimpleNamespace(name="losses"), SimpleNamespace(name="curvature")
    wanted = {each.name: {"train": SAMPLES} for each in (losses, other)}
    book = SimpleNamespace(wants=lambda point, data: None, stale=lambda point: False, sizes={"train": 1024})
    for share, met in ((0.01, True), (0.999, True), (1.001, False)):
        # Three quarters of 1,024 samples are not measured.
        table = SimpleNamespace(
            values={"train/loss": np.array([2.0])},
            stderr={"train/loss": np.array([share * 0.02 * (2.0 + 0.1) / np.sqrt(0.75)])},
        )
        planner = SimpleNamespace(
            _book=book, _quantities=[losses, other], _wanted=wanted, _table=table,
            _rule=StoppingRule(0.02, {"train": 0.1}, {"train": looks(SAMPLES)}), _says_nothing=lambda *given: False,
        )  # fmt: skip
        assert Planner._enough(planner, 0, losses, "train", 256) is met
        assert not Planner._enough(planner, 0, other, "train", 256)
        assert Planner._enough(planner, 0, other, "train", SAMPLES)


def test_a_standard_error_needs_values_of_each_sample_in_all_data_sets():
    model = nn.Linear(4, 3)
    x, y = torch.randn(300, 4), torch.randint(0, 3, (300,))

    def loss(output, target):
        values = nn.functional.cross_entropy(output, target.abs() % 3, reduction="none")
        return values if int(target[0]) >= 0 else values.mean()

    data = {"train": (x, y + 3), "test": (x, -y - 3)}
    with pytest.raises(UsageError, match=r"standard_error=.* needs a loss that gives one value a sample, no mean"):
        landscape.evaluate(model, data, x="0:1:3", loss=loss, standard_error=0.1)
