"""Activations and sums are fused into the layers before them, and overwrite what nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from landscape.engine.agreement import difference
from landscape.engine.kernels import Convolution
from landscape.engine.lowering import Program
from landscape.engine.tracing import module_of
from tests.helpers.engine_calls import Written, both, conv, images, lowered, needs_onednn
from tests.helpers.engine_networks import moved

ACTIVATIONS = [
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.ReLU6(inplace=True),
    nn.Hardtanh(-0.3, 0.7),
    nn.LeakyReLU(0.2, inplace=True),
    nn.SiLU(),
    nn.SiLU(inplace=True),
    nn.GELU(),
    nn.GELU(approximate="tanh"),
    nn.Hardswish(inplace=True),
    nn.Hardsigmoid(),
    nn.Sigmoid(),
    nn.Tanh(),
]


FUNCTIONS: list[Callable[[Tensor], Tensor]] = [
    F.relu,
    torch.relu,
    torch.relu_,
    lambda x: F.relu(x, True),
    lambda x: F.relu(x, False),
    lambda x: F.leaky_relu(x, 0.3, True),
    lambda x: F.leaky_relu(x, negative_slope=0.3),
    lambda x: F.hardtanh(x, -0.5, 0.5),
    lambda x: F.hardtanh_(x, max_val=0.4),
    lambda x: F.relu6(x, inplace=True),
    lambda x: F.gelu(x, approximate="tanh"),
    lambda x: F.silu(x, inplace=True),
    F.hardswish,
    F.hardsigmoid,
    F.sigmoid,
    torch.tanh_,
    lambda x: x.relu_(),
    lambda x: x.sigmoid(),
    lambda x: x.tanh_(),
]


@needs_onednn
@pytest.mark.parametrize("activation", [*ACTIVATIONS, *FUNCTIONS], ids=lambda a: str(getattr(a, "__name__", a)))
def test_activations_are_fused_in_every_spelling(activation):
    model = Written(lambda self, x: self.act(self.conv(x)) + 0.5, conv=conv(), act=activation)
    program = lowered(model, images(3))
    assert list(program.layers.values()) == [1]
    assert next(iter(program.layers)).startswith("convolution + ")
    moved(model, 0.5)
    # 1e-6: oneDNN computes exponentials by polynomials of its own.
    assert difference(*both(model, program, images(3))) < 1e-6


@needs_onednn
@pytest.mark.parametrize(
    ("activation", "found"),
    [
        (nn.GELU(), {"linear + gelu": 1}),
        (F.silu, {"linear + swish": 1}),
        (lambda x: F.leaky_relu(x, 0.2, True), {"linear + leaky_relu": 1}),
        (nn.ReLU(inplace=True), {}),  # nothing is gained, and NaN would have to be watched for
        (F.hardtanh, {}),
    ],
)
def test_linear_layers_are_fused_with_what_costs_something(activation, found):
    model = Written(lambda self, x: self.act(self.fc(x)) + 0.5, fc=nn.Linear(16, 16), act=activation)
    program = lowered(model, images(3))
    assert program.layers == found
    assert not program.hides_nan
    moved(model, 0.5)
    assert difference(*both(model, program, images(3))) < 1e-6


@pytest.mark.parametrize("activation", [nn.Mish(), nn.Mish(inplace=True), nn.ELU(inplace=True), F.mish, F.elu_])
def test_an_activation_that_onednn_lacks_runs_as_it_is(activation):
    layers = {"conv": conv(), "bn": nn.BatchNorm2d(3), "act": activation}
    model = Written(lambda self, x: self.act(self.bn(self.conv(x))), **layers)
    program = lowered(model, images(3))
    assert list(program.layers) == ["convolution + norm"]
    assert difference(*both(model, program, images(3))) < 1e-6


def overwriting_kernels(program: Program) -> list[bool]:
    kernels = [(module_of(node), len(node.args)) for node in program.run.graph.nodes]
    return [kernel.in_place for kernel, inputs in kernels if isinstance(kernel, Convolution) and inputs == 2]


@needs_onednn
@pytest.mark.parametrize(
    ("forward", "overwrites"),
    [
        (lambda self, x: F.relu(self.a(x) + self.b(x)), [True]),
        (lambda self, x: self.a(x) + x, [False]),  # the caller's
        (lambda self, x: self.b(y := self.a(x)) + y, [False]),  # what it reads itself
        (lambda self, x: self.b(self.b(y := self.a(x))) + y, [True]),
        (lambda self, x: (self.b(self.b(y := self.a(x))) + y) * y.sum(), [False]),  # read later
        (lambda self, x: self.b(self.b(y := self.a(x)).view(-1, 3, 16, 16)) + y, [True]),
        (lambda self, x: self.b((y := self.a(x)).transpose(2, 3).abs() * 1) + y, [False]),  # seen by a view
        (lambda self, x: self.b((z := self.a(x)) * 2) + z.flatten(1).view_as(z), [False]),  # is a view
        (lambda self, x: torch.cat([y := self.a(x), self.b(y * 2) + y]), [False]),
    ],
)
def test_a_sum_overwrites_only_what_nobody_needs_any_more(forward, overwrites):
    model = Written(forward, a=conv(), b=conv())
    program = lowered(model, images(3))
    assert overwriting_kernels(program) == overwrites
    for _ in range(2):
        assert difference(*both(model, program, images(3))) < 1e-5


@needs_onednn
def test_only_tensors_of_one_shape_that_come_from_the_input_are_added_on_the_way():
    model = Written(lambda self, x: self.conv(x) + self.bias, conv=conv())
    for shape in ((3, 1, 1), (1, 3, 16, 16)):
        model.bias = nn.Parameter(torch.randn(shape))
        program = lowered(model, images(1))
        assert list(program.layers) == ["convolution"]
        assert difference(*both(model, program, images(5))) < 1e-5
    narrow = Written(lambda self, x: self.conv(x) + x.mean((2, 3), keepdim=True), conv=conv())
    assert list(lowered(narrow, images(3)).layers) == ["convolution"]
    twice = Written(lambda self, x: (y := self.conv(x)) + y, conv=conv())
    assert list(lowered(twice, images(3)).layers) == ["convolution"]
    scaled = Written(lambda self, x: torch.add(self.conv(x), x, alpha=2), conv=conv())
    assert list(lowered(scaled, images(3)).layers) == ["convolution"]
    assert difference(*both(scaled, lowered(scaled, images(3)), images(3))) < 1e-5


IN_PLACE: list[Callable[[Any, Tensor], Any]] = [
    lambda self, x: F.relu_(y := self.conv(x)) + y,  # y is activated here
    lambda self, x: (y := self.conv(x)) * 1 + F.relu_(y),  # y was read before
    lambda self, x: (y := self.conv(x)).transpose(1, 2).relu_().sum() + y,  # by way of a view
    lambda self, x: self.bn(y := self.conv(x)) + y.add_(1),
    lambda self, x: (y := self.conv(x)).add_(self.bn(y)).relu_() + y,
    lambda self, x: [y := self.conv(x), y.mul_(2), self.bn(y)][2],
    lambda self, x: [y := self.conv(x), y.__setitem__((slice(None), 0), 0.0), F.relu(y)][2],
    lambda self, x: [y := self.conv(x), z := y[:, :1], z.add_(5), F.relu(y + x)][3],
    lambda self, x: torch.relu(torch.add(self.conv(x), x, out=self.bn(x))),
]


@pytest.mark.parametrize("forward", IN_PLACE)
def test_what_is_overwritten_is_seen_by_those_who_read_it_afterwards(forward):
    model = Written(forward, conv=conv(), bn=nn.BatchNorm2d(3))
    program = lowered(model, images(3))
    for _ in range(2):
        assert difference(*both(model, program, images(3))) < 1e-5
