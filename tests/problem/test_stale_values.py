"""Networks that keep what they computed from their weights: forgotten before each pass, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.errors import EvaluationError, UsageError
from landscape.problem.stale_values import StaleValueError, forget_computed, require_fresh
from landscape.trajectory.runs import find_run
from landscape.trajectory.walk_steps import measure_run_walk

X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
DATA = X, torch.arange(40) % 3


class Squashed(nn.Module):
    """Keeps the matrix it computed first, in an attribute, a list in a dict, an unsaved buffer, or not at all."""

    def __init__(self, keeps: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 4, generator=torch.Generator().manual_seed(1)))
        self.keeps, self.matrix, self.deep = keeps, None, {"of": [None]}
        self.register_buffer("unsaved", None, persistent=False)

    def forward(self, x):
        kept = {"attribute": self.matrix, "deep": self.deep["of"][0], "buffer": self.unsaved}.get(self.keeps)
        matrix = torch.tanh(self.weight) if kept is None else kept
        if self.keeps == "attribute":
            self.matrix = matrix
        elif self.keeps == "deep":
            self.deep["of"][0] = matrix
        elif self.keeps == "buffer":
            self.unsaved = matrix.detach()
        return x @ matrix.T


def network(keeps: str = "", *, called: bool = False) -> nn.Module:
    torch.manual_seed(2)
    model = nn.Sequential(Squashed(keeps), nn.Linear(6, 3)).double().eval()
    if called:
        model(X)
    return model


def surface(model):
    return landscape.evaluate(model, DATA, x="-1:1:5")["train/loss"]


def eigenvalues(model):
    return landscape.curvature(model, DATA, eigenvalues=1, most=40, probes=2, steps=1).raw.eigenvalues


def map_of_curvature(model):
    found = landscape.evaluate(model, DATA, x="-1:1:3", batch_size=16, quantities={"curvature": {"products": 20}})
    return np.stack([found[f"train/eigenvalue_{end}"] for end in ("max", "min")])


@pytest.fixture
def run(tmp_path):
    model = network()
    for step in range(3):
        with torch.no_grad():
            model[0].weight += 0.3 * step
        torch.save(model.state_dict(), tmp_path / f"step{step}.pt")
    return find_run(tmp_path)


WAYS = [surface, eigenvalues, map_of_curvature]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keeps", ["attribute", "deep"])
def test_what_a_pass_kept_is_forgotten_before_the_next_one(way, keeps):
    np.testing.assert_allclose(way(network(keeps)), way(network()), rtol=1e-6)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("keeps", "name"), [("attribute", "matrix"), ("deep", "deep"), ("buffer", "unsaved")])
def test_what_was_kept_before_is_refused_with_both_ways_to_read_it(way, keeps, name):
    model = network(keeps, called=True)
    told = (
        rf"0\.weight changes no loss, and 0 \(Squashed\) keeps {name}, which does\. Either .* from .*; or .* no effect"
    )
    with pytest.raises(EvaluationError, match=told):
        way(model)
    kept = {"attribute": model[0].matrix, "deep": model[0].deep["of"][0], "buffer": model[0].unsaved}[keeps]
    assert torch.equal(kept, torch.tanh(model[0].weight)), "left as it was"
    assert torch.equal(model[0].weight, network()[0].weight)


def test_a_walk_along_the_gradient_forgets_and_refuses_too(run):
    wanted, found = (measure_run_walk(network(keeps), DATA, run, rate=0.1) for keeps in ("", "attribute"))
    for name in ("losses", "gradients", "changes"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-6)
    old = network("attribute", called=True)
    for model, mode in ((old, "eval"), (nn.Sequential(*old, nn.Dropout(0.2)), "train")):
        with pytest.raises(EvaluationError, match="keeps matrix"):
            measure_run_walk(model, DATA, run, rate=0.1, mode=mode)


class Beside(nn.Module):
    """Keeps numbers beside its weights that have nothing to do with them."""

    def __init__(self, *, unused: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.factor = nn.Parameter(torch.zeros(3))  # a step by a share of it would change nothing
        self.constant = torch.linspace(0.5, 1, 3).double()
        self.hidden = [torch.zeros(3).double()]
        if unused:
            self.token = nn.Parameter(torch.ones(3))

    def forward(self, x):
        self.hidden = [(self.linear(x) * self.constant * (1 + self.factor) + self.hidden[0])[0].detach()]
        return self.linear(x) * self.constant * (1 + self.factor)


def test_what_was_kept_is_refused_also_where_losses_are_not_finite():
    model = network("attribute", called=True)
    lost = X[:4].clone()
    lost[1] = torch.nan
    with torch.no_grad(), pytest.raises(StaleValueError, match=r"a change of 0\.weight changes no loss"):
        require_fresh(model, ["0.weight"], lambda: [model(lost)])


def test_numbers_beside_weights_that_have_an_effect_are_no_matter():
    model = Beside().double().eval()
    model(X)
    assert np.ptp(surface(model)) > 0.01
    assert np.isfinite(eigenvalues(model)).all()


def test_a_weight_without_effect_beside_numbers_can_be_left_out():
    model = Beside(unused=True).double().eval()
    with pytest.raises(EvaluationError, match=r"a change of token changes no loss, and it \(Beside\) keeps constant"):
        surface(model)
    plane = landscape.random_plane(model, dimensions=1, exclude="token")
    assert np.ptp(landscape.evaluate(model, DATA, plane, x="-1:1:3")["train/loss"]) > 0.01


def test_a_weight_without_effect_where_nothing_is_kept_is_no_matter():
    model = nn.Sequential(nn.Linear(4, 3)).double().eval()
    model.register_parameter("token", nn.Parameter(torch.ones(3).double()))
    assert np.ptp(surface(model)) > 0.01


class Scaled(nn.Module):
    """Divides by the greatest number seen, in a buffer that it writes into."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("greatest", torch.full((), 100.0))

    def forward(self, x):
        self.greatest.copy_(torch.maximum(self.greatest, x.detach().abs().max()))
        return torch.tanh(x / self.greatest)


def test_derivatives_through_a_buffer_that_is_written_into_are_refused_in_words():
    model = nn.Sequential(nn.Linear(4, 6), Scaled(), nn.Linear(6, 3)).double().eval()
    with pytest.raises(EvaluationError, match=r"writes into what an earlier pass's derivatives need, a buffer"):
        landscape.curvature(model, DATA, eigenvalues=1, most=20, probes=2, steps=1, batch_size=10)


class Seen(nn.Module):
    """Scales by a constant beside its weight and by the greatest number seen."""

    def __init__(self, *, constant: bool) -> None:
        super().__init__()
        self.weight, self.factor = nn.Parameter(torch.eye(4).double()), 1.0
        if constant:
            self.factor = torch.ones(()).double()
        self.register_buffer("greatest", torch.zeros(()))

    def forward(self, x):
        x = x @ self.weight * self.factor
        if x.detach().abs().max() > self.greatest:
            self.greatest.copy_(x.detach().abs().max())
        return torch.tanh(x / self.greatest)


def test_trying_weights_leaves_no_trace_in_buffers():
    x = X / X.abs().amax(1, keepdim=True)  # any few samples have the greatest number

    def found(constant):
        torch.manual_seed(1)
        model = nn.Sequential(Seen(constant=constant), nn.Linear(4, 3)).double().eval()
        with torch.no_grad():
            model(x)
        return landscape.curvature(model, (x, DATA[1]), eigenvalues=1, most=40, probes=2, steps=1).raw.eigenvalues

    np.testing.assert_allclose(found(True), found(False), rtol=1e-9)


def test_numbers_without_an_effect_and_weights_of_an_adapter_at_zero_are_no_matter():
    class Adapted(nn.Linear):
        def __init__(self):
            super().__init__(4, 3)
            self.scaling = torch.tensor(0.5).double()
            self.a, self.b = nn.Parameter(torch.randn(2, 4).double()), nn.Parameter(torch.zeros(3, 2).double())

        def forward(self, x):
            return super().forward(x) + self.scaling * (x @ self.a.T @ self.b.T)

    assert np.ptp(surface(nn.Sequential(Adapted()).double().eval())) > 0.01


@pytest.mark.parametrize("training", [True, False])
def test_to_let_a_network_forget_leaves_every_modules_mode(training):
    class Empties(nn.Linear):
        kept = 1

        def train(self, mode=True):
            self.kept = None
            return super().train(mode)

    model = nn.Sequential(nn.Dropout(), Empties(4, 3), nn.BatchNorm1d(3)).train(training)
    model[2].training = not training
    forget_computed(model)
    assert model[1].kept is None
    assert [module.training for module in model.modules()] == [training, training, training, not training]


def test_weights_that_a_change_of_mode_merges_are_refused():
    class Merges(nn.Linear):
        merged = False

        def train(self, mode=True):
            with torch.no_grad():
                if self.merged == mode:
                    self.weight += -0.1 if mode else 0.1
                self.merged = not mode
            return super().train(mode)

    model = nn.Sequential(Merges(4, 3)).double()
    before = model[0].weight.clone()
    with pytest.raises(UsageError, match=r"training and eval mode changes 0\.weight: weights that are merged"):
        surface(model)
    torch.testing.assert_close(model[0].weight, before)
