"""Functions with a backward pass of their own: right ones are differentiated twice, wrong ones refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import landscape
from landscape.curvature.own_functions import own_functions
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
    return landscape.curvature(model, data, eigenvalues=2, most=60, probes=2, steps=1).raw.eigenvalues


def map_of_curvature(model, data=DATA):
    return landscape.evaluate(model, data, x="-1:1:3", quantities={"curvature": {"products": 20}})


def test_a_backward_pass_from_inputs_gives_the_curvature_that_autograd_gives():
    own, plain = (eigenvalues(network(function)) for function in (FromInput.apply, nn.functional.silu))
    np.testing.assert_allclose(own, plain, rtol=1e-6)


@pytest.mark.parametrize("other", [nn.Tanh, nn.ReLU])
def test_in_single_precision_and_beside_kinks_it_is_not_refused(other, caplog):
    data = X.float(), DATA[1]
    own, plain = (eigenvalues(network(f, torch.float32, other), data) for f in (FromInput.apply, nn.functional.silu))
    np.testing.assert_allclose(own, plain, rtol=1e-3)
    assert "differences of gradients" not in caplog.text


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("way", [eigenvalues, map_of_curvature])
def test_a_backward_pass_from_what_was_kept_is_refused(way, dtype):
    told = r"through FromKept are not true: a product with the Hessian is \d+% off from differences of gradients"
    model = network(FromKept.apply, dtype)
    before = [each.clone() for each in model.parameters()]
    with pytest.raises(EvaluationError, match=told):
        way(model, (X.to(dtype), DATA[1]))
    assert all(map(torch.equal, before, model.parameters()))


def test_functions_are_found_wherever_they_lead_to_the_value():
    x = torch.ones(3, requires_grad=True)
    assert own_functions((FromKept.apply(x) + FromInput.apply(x.exp())).sum()) == ["FromInput", "FromKept"]
    assert own_functions(x.exp().sum()) == []
    assert own_functions(x.detach().sum()) == []


def test_where_differences_say_nothing_the_second_derivatives_stand_with_a_warning(caplog):
    class Jagged(nn.Module):
        def forward(self, x):
            return FromInput.apply(x) + 1e-4 * torch.sign(torch.sin(1e6 * x)) * torch.sin(1e6 * x)

    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(5, 8), Jagged(), nn.Linear(8, 3)).double()
    assert np.isfinite(eigenvalues(model)).all()
    assert "could not be held against differences of gradients" in caplog.text
