"""Functions with a backward pass of their own: right ones are differentiated twice, wrong ones refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.curvature.own_functions import own_functions, require_true_second
from landscape.errors import EvaluationError

X = torch.randn(30, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
DATA = X, torch.arange(30) % 3


class FromInput(torch.autograd.Function):
    """x sigmoid(x), whose backward pass computes from x."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, slope):
        (x,) = ctx.saved_tensors
        gate = torch.sigmoid(x)
        return slope * gate * (1 + x * (1 - gate))


class FromKept(FromInput):
    """The same value and the same slope, which is kept: the second derivative misses that of the slope."""

    @staticmethod
    def forward(ctx, x):
        gate = torch.sigmoid(x)
        ctx.slope = gate * (1 + x * (1 - gate))
        return x * gate

    @staticmethod
    def backward(ctx, slope):
        return slope * ctx.slope


class Applied(nn.Module):
    """Applies a function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def network(function, dtype=torch.float64, other=nn.Tanh) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), Applied(function), nn.Linear(8, 8), other(), nn.Linear(8, 3)).to(dtype)


def eigenvalues(model, data=DATA):
    return landscape.curvature(model, data, eigenvalues=2, most=60, probes=2, steps=1, batch_size=4096).raw.eigenvalues


def map_of_curvature(model, data=DATA):
    return landscape.evaluate(model, data, x="-1:1:3", quantities={"curvature": {"products": 20}})


def test_a_backward_pass_from_inputs_gives_the_curvature_that_autograd_gives():
    own, plain = (eigenvalues(network(function)) for function in (FromInput.apply, nn.functional.silu))
    np.testing.assert_allclose(own, plain, rtol=1e-6)


@pytest.mark.parametrize(("other", "samples"), [(nn.Tanh, 30), (nn.ReLU, 30), (nn.ReLU, 4096)])
def test_in_single_precision_it_is_not_refused_and_beside_many_kinks_in_none(other, samples):
    x = torch.randn(samples, 5, generator=torch.Generator().manual_seed(3))
    data = x, torch.arange(samples) % 3
    own, plain = (eigenvalues(network(f, torch.float32, other), data) for f in (FromInput.apply, nn.functional.silu))
    np.testing.assert_allclose(own, plain, rtol=1e-3)
    if samples == 4096:
        double = eigenvalues(network(FromInput.apply, torch.float64, other), (x.double(), data[1]))
        np.testing.assert_allclose(own, double, rtol=1e-3)


@pytest.mark.parametrize("other", [nn.Tanh, nn.ReLU])
@pytest.mark.parametrize("way", [eigenvalues, map_of_curvature])
def test_a_backward_pass_from_what_was_kept_is_refused(way, other):
    told = r"through FromKept are not true: a product with the Hessian is \d+% off from the difference of gradients"
    model = network(FromKept.apply, other=other)
    before = [each.clone() for each in model.parameters()]
    with pytest.raises(EvaluationError, match=told):
        way(model)
    assert all(map(torch.equal, before, model.parameters()))


def test_in_single_precision_it_is_a_warning(caplog):
    eigenvalues(network(FromKept.apply, torch.float32), (X.float(), DATA[1]))
    assert "second derivatives through FromKept may not be true: a product with the Hessian is" in caplog.text


class Skewed(FromInput):
    """A product of two, of which the backward pass takes the first for a constant."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.first = x.detach()
        ctx.save_for_backward(y)
        return x * y

    @staticmethod
    def backward(ctx, slope):
        (y,) = ctx.saved_tensors
        return slope * y, slope * ctx.first


class Gated(nn.Module):
    """Multiplies by what another layer makes of the input."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(5, 8), nn.Linear(5, 8)

    def forward(self, x):
        return Skewed.apply(self.one(x), torch.tanh(self.other(x)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_not_symmetric_is_no_hessian_in_any_precision(dtype):
    torch.manual_seed(1)
    model = nn.Sequential(Gated(), nn.ReLU(), nn.Linear(8, 3)).to(dtype)
    with pytest.raises(EvaluationError, match=r"through Skewed are not true: what should be symmetric differs"):
        eigenvalues(model, (X.to(dtype), DATA[1]))


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_whatever_unit_a_loss_is_in_wrong_ones_are_refused_and_right_ones_are_not(unit, caplog):
    def loss_of(model):
        return lambda: unit * nn.functional.cross_entropy(model(X.float()), DATA[1])

    torch.manual_seed(1)
    right, wrong = network(FromInput.apply, torch.float32), nn.Sequential(Gated(), nn.Linear(8, 3))
    require_true_second(loss_of(right), list(right.parameters()))
    with pytest.raises(EvaluationError, match="what should be symmetric differs"):
        require_true_second(loss_of(wrong), list(wrong.parameters()))
    assert not caplog.records


def test_weights_of_two_precisions_are_tried_by_steps_that_the_coarser_one_can_take(caplog):
    generator = torch.Generator().manual_seed(2)
    wide = torch.randn(5, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    narrow = torch.randn(8, 3, generator=generator, requires_grad=True)
    require_true_second(lambda: (FromInput.apply(X @ wide).float() @ narrow).square().mean(), [wide, narrow])
    assert not caplog.records


def test_weights_are_put_back_where_the_loss_fails_beside_them():
    weight = torch.randn(5, generator=torch.Generator().manual_seed(2), dtype=torch.float64, requires_grad=True)
    before = weight.detach().clone()

    def loss():
        if not torch.equal(weight, before):
            raise EvaluationError("not finite here")
        return FromInput.apply(X @ weight).square().mean()

    with pytest.raises(EvaluationError, match="not finite here"):
        require_true_second(loss, [weight])
    assert torch.equal(weight, before)


class Straight(torch.autograd.Function):
    """The sign, with a slope of one."""

    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, slope):
        return slope


def test_a_slope_that_is_none_is_no_reason_to_divide_by_nothing():
    class Binary(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 5).double())

        def forward(self, x):
            return x @ Straight.apply(self.weight).T

    with pytest.raises(EvaluationError, match=r"is 100% off .* or is not its derivative"):
        eigenvalues(Binary())


def test_functions_are_found_wherever_they_lead_to_the_value():
    x = torch.ones(3, requires_grad=True)
    assert own_functions((FromKept.apply(x) + FromInput.apply(x.exp())).sum()) == ["FromInput", "FromKept"]
    assert own_functions(x.exp().sum()) == []
    assert own_functions(x.detach().sum()) == []
