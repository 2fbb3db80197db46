"""Networks whose forward pass goes on writing into them: no point depends on those measured before it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import EvaluationError
from landscape.evaluation.forward_pass.objective import Objective
from landscape.problem.losses.losses import resolve_loss
from landscape.problem.named_data import named_data

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
DATA = X, torch.arange(60) % 3


class Rounded(nn.Module):
    """Rounds to a part of the greatest number seen so far, in eval mode too, as an observer of quantisation does."""

    def __init__(self, kept: str) -> None:
        super().__init__()
        self.kept, self.highest = kept, 0.0
        self.register_buffer("greatest", torch.zeros(()))

    def forward(self, x):
        now = x.detach().abs().max()
        if self.kept == "buffer":
            self.greatest.copy_(torch.maximum(self.greatest, now))
        elif self.kept == "buffer, now and then" and now > self.greatest:
            self.greatest.copy_(now)
        elif self.kept == "attribute" and now > self.highest:
            self.highest = float(now)
        most = self.greatest if self.kept.startswith("buffer") else self.highest
        return torch.round(x / most * 15) * most / 15


def network(kept: str, *, seen: bool) -> nn.Module:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), Rounded(kept), nn.Linear(16, 3)).eval()
    if seen:
        model(X)
    return model


@pytest.mark.parametrize("kept", ["buffer", "buffer, now and then", "attribute"])
@pytest.mark.parametrize("seen", [True, False])
def test_a_point_has_the_same_value_whatever_was_measured_before(kept, seen, caplog):
    places = [-3.0, -1.0, 0.0, 1.0, 3.0]
    whole = landscape.evaluate(network(kept, seen=seen), DATA, x=places)["train/loss"]
    alone = [
        landscape.evaluate(network(kept, seen=seen), DATA, x=sorted({place, 9.0}))["train/loss"][0] for place in places
    ]
    np.testing.assert_array_equal(whole, alone)
    assert ("the forward pass changes the buffer 2.greatest (Rounded) in eval mode" in caplog.text) == (
        kept == "buffer" or (kept != "attribute" and not seen)
    )


def test_every_batch_begins_with_what_the_checkpoint_holds():
    model = network("buffer", seen=True)
    objective = Objective(model, named_data(DATA), resolve_loss("cross_entropy"), batch_size=20)
    with torch.no_grad():
        model[0].weight *= 2
    spans = [("train", 0, 20), ("train", 20, 40), ("train", 40, 60)]
    whole, *parts = (
        objective.measure(objective.load(each)).values["train", "loss"]
        for each in ([("train", 0, 60)], *([span] for span in reversed(spans)))
    )
    np.testing.assert_array_equal(whole, np.concatenate(parts[::-1]))
    assert torch.equal(model[2].greatest, network("buffer", seen=True)[2].greatest)


@pytest.mark.parametrize("kept", ["buffer, now and then", "attribute"])
@pytest.mark.parametrize(
    "how", [{"batch_norm": "recompute"}, {"noise": "common"}, {"quantities": {"curvature": {"products": 10}}}]
)
def test_nor_where_statistics_noise_or_curvature_take_passes_of_their_own(kept, how):
    def value(places):
        model = network(kept, seen=True)
        model.insert(1, nn.BatchNorm1d(16))
        return landscape.evaluate(model.eval(), DATA, x=places, **how).values

    whole, alone = value([-3.0, 1.0, 3.0]), value([1.0, 9.0])
    for name, values in whole.items():
        if not name.endswith("residual"):  # eigenvectors are looked for from those of the point before
            np.testing.assert_allclose(
                values[1], alone[name][0], rtol=1e-6, atol=1e-3 * ("eigen" in name), err_msg=name
            )


@pytest.mark.parametrize("kept", ["buffer, now and then", "attribute"])
def test_nor_on_what_other_data_left(kept):
    smaller = (0.3 * X, DATA[1])
    both = landscape.evaluate(network(kept, seen=True), {"train": DATA, "test": smaller}, x="1:2:2")["test/loss"]
    alone = landscape.evaluate(network(kept, seen=True), {"test": smaller}, x="1:2:2")["test/loss"]
    np.testing.assert_array_equal(both, alone)


def test_where_states_move_each_batch_begins_with_the_moved_buffer(tmp_path):
    star, other = network("buffer, now and then", seen=True), network("buffer, now and then", seen=True)
    with torch.no_grad():
        other[0].weight *= 0.8
        other[2].greatest *= 0.01  # exceeded there, and what it is at the star is not
    torch.save(other.state_dict(), tmp_path / "other.pt")
    plane = landscape.checkpoint_plane(star, [tmp_path / "other.pt"])
    assert plane.move == "states"
    alike = X[:1].repeat(60, 1), DATA[1][:1].repeat(60)
    one, three = (landscape.evaluate(star, alike, plane, x="0:1:3", batch_size=size)["train/loss"] for size in (60, 20))
    np.testing.assert_allclose(three, one, rtol=1e-6)


class Counts(nn.Module):
    """Drops numbers while it trains, and counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout, self.passes = nn.Linear(4, 3), nn.Dropout(0.5), 0

    def forward(self, x):
        self.passes += 1
        return self.dropout(self.linear(x)) * (3.0 if self.training else 1.0)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_no_attribute_that_is_put_back_between_batches(training):
    torch.manual_seed(1)
    model = Counts()
    model.train(training)
    plane = landscape.random_plane(model, dimensions=1, seed=0)
    found = landscape.evaluate(model, DATA, plane, x="0:1:2", batch_size=20)["train/loss"]
    with torch.no_grad():
        wanted = nn.functional.cross_entropy(model.linear(X), DATA[1])
    assert found[0] == pytest.approx(float(wanted), rel=1e-5)
    assert model.training is training
    assert model.passes == 0


def test_where_the_next_pass_gives_something_else_the_buffer_is_named():
    told = (
        r"gives something else each time .*; its forward pass changes the buffer 2\.greatest \(Rounded\), so that each"
    )
    with pytest.raises(EvaluationError, match=told):
        landscape.evaluate(network("buffer", seen=False), DATA, x="-1:1:3", batch_size=10)
