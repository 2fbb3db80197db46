"""What a filter is, in layers of every kind: scaling one scales one output, and nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune

from landscape.directions.filters import Filters, filters_of
from tests.helpers.strategies import layouts


@pytest.mark.parametrize("groups", [1, 2])
def test_a_filter_of_a_transposed_convolution_is_what_produces_one_output(groups):
    layer = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
    filters = filters_of(nn.Sequential(layer))["0.weight"]
    rows = filters.rows(layer.weight)
    assert rows.shape == (6, 4 // groups * 9)
    # Scaling filter k, and nothing else, scales output channel k.
    factors = torch.ones(6)
    factors[4] = 3.0
    x = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(filters.spread(factors, layer.weight.shape))
    after = layer(x)
    torch.testing.assert_close(after[:, 4], 3 * before[:, 4])
    others = [0, 1, 2, 3, 5]
    torch.testing.assert_close(after[:, others], before[:, others])


@pytest.mark.parametrize(
    ("layer", "number"),
    [(nn.Conv2d(3, 7, 2), 7), (nn.Linear(3, 4), 4), (nn.Embedding(9, 2), 9), (nn.Conv1d(4, 8, 3, groups=2), 8)],
)
def test_filters_of_other_layers_are_along_dimension_0(layer, number):
    assert filters_of(layer)["weight"].rows(layer.weight).shape[0] == number


def test_gpt2s_linear_layers_have_their_outputs_along_dimension_1():
    class Conv1D(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(3, 5))  # (inputs, outputs)

    assert filters_of(Conv1D())["weight"].rows(torch.zeros(3, 5)).shape == (5, 3)


@pytest.mark.filterwarnings("ignore:.*torch.nn.utils.weight_norm")
@pytest.mark.parametrize("change", [nn.utils.weight_norm, nn.utils.spectral_norm, prune.identity])
def test_what_a_weight_is_computed_from_falls_into_filters_as_the_weight_does(change):
    layer = change(name="weight", module=nn.ConvTranspose2d(4, 6, 3, bias=False))
    found = {name: filters_of(layer)[name] for name, tensor in layer.named_parameters() if tensor.ndim > 1}
    assert found.keys() & {"weight_v", "weight_orig"}
    assert set(found.values()) == {Filters((1,))}


def experts(shape, kind="Experts", **others):
    module = type(kind, (nn.Module,), {})()
    module.w = nn.Parameter(torch.randn(shape))
    for name, other in others.items():
        setattr(module, name, nn.Parameter(torch.zeros(other)) if isinstance(other, tuple) else other)
    return module


@pytest.mark.parametrize(
    ("module", "outputs"),
    [
        (experts((4, 3, 5)), (0, 1)),
        (experts((4, 3, 5), w_bias=(4, 3)), (0, 1)),
        (experts((4, 3, 5), w_bias=(4, 5)), (0, 2)),  # x @ w + b: (experts, inputs, outputs)
        (experts((4, 3, 5), b=(5,)), (0, 2)),
        (experts((4, 3, 5), kind="Llama4TextExperts"), (0, 2)),
        (experts((3, 5), b=(5,)), (1,)),
        (experts((3, 5), b=(3,)), (0,)),
        (experts((3, 5)), (0,)),
        (experts((5, 5), b=(5,)), (0,)),  # nothing tells
        (experts((6, 2, 3), kernel_size=3), (0,)),  # a convolution of one's own
        (experts((4, 6, 2, 3, 3), kernel_size=3, num_experts=4, bias=(4, 6)), (0,)),
        (experts((4, 6, 2, 3, 3), kernel_size=3, b=(4, 6)), (0, 1)),
        (experts((6, 2, 3), kernel_size=3, b=(6, 2)), (0, 1)),
        (experts((4, 6, 2, 3), num_experts=4), (0, 1)),
        (experts((6, 2, 3, 3)), (0,)),
        (experts((1, 7, 5)), (0, 1)),  # embeddings of positions
    ],
)
def test_tensors_of_ones_own_layers_fall_into_filters_by_their_shape_and_bias(module, outputs):
    assert filters_of(module)["w"] == Filters(outputs)


def test_a_row_of_an_expert_is_as_long_as_before_and_no_other_is():
    w = torch.arange(24.0).reshape(2, 3, 4)
    rows = Filters((0, 1)).rows(w)
    assert torch.equal(rows, w.reshape(6, 4))
    assert torch.equal(Filters((0, 2)).rows(w)[5], w[1, :, 1])


class Turned(nn.Linear):
    fan_in_fan_out = True

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.weight.data = self.weight.data.t().contiguous()


@pytest.mark.parametrize(
    ("layer", "name", "filters"),
    [
        (Turned(3, 5), "weight", Filters((1,))),
        (Turned(4, 4), "weight", Filters((1,))),
        (nn.MultiheadAttention(4, 2), "in_proj_weight", Filters()),
        (nn.MultiheadAttention(4, 2), "out_proj.weight", Filters()),
        (nn.Bilinear(3, 5, 4), "weight", Filters()),
        (nn.LSTM(3, 4), "weight_ih_l0", Filters()),
        (nn.LayerNorm((4, 6)), "weight", Filters()),
        (parametrizations.weight_norm(nn.Linear(3, 4)), "parametrizations.weight.original0", Filters()),
        (parametrizations.weight_norm(nn.ConvTranspose1d(4, 6, 3)), "parametrizations.weight.original1", Filters((1,))),
        (parametrizations.spectral_norm(nn.ConvTranspose1d(4, 6, 3, groups=2)), "parametrizations.weight.original",
         Filters((1,), 2)),
        (nn.Sequential(parametrizations.orthogonal(nn.Linear(4, 4))), "0.parametrizations.weight.original", Filters()),
    ],
)  # fmt: skip
def test_filters_of_known_layers_are_by_their_outputs(layer, name, filters):
    assert filters_of(layer)[name] == filters


@given(st.integers(2, 4).flatmap(lambda n: st.tuples(layouts(n), st.tuples(*[st.integers(1, 3)] * n))), st.booleans())
def test_rows_go_back_to_where_they_came_from(drawn, is_complex):
    filters, shape = drawn
    shape = (shape[0] * filters.groups, *shape[1:])
    tensor = torch.randn(shape, dtype=torch.complex64 if is_complex else torch.float32)
    rows = filters.rows(tensor)
    assert torch.equal(filters.whole(rows, tensor), tensor)
    # Spread factors scale the rows they are for.
    factors = torch.arange(1.0, len(rows) + 1)
    torch.testing.assert_close(filters.rows(tensor * filters.spread(factors, shape)), rows * factors[:, None])


def test_a_vector_is_one_filter():
    assert Filters().rows(torch.arange(3.0)).shape == (1, 3)
    assert Filters().rows(torch.tensor(1.0)).shape == (1, 1)


@pytest.mark.parametrize(
    ("filters", "rule"),
    [
        (Filters(), "slices along dimension 0"),
        (Filters((1,), 2), "slices along dimension 1, in each of 2 groups"),
        (Filters((0, 1)), "slices along dimensions 0 and 1"),
    ],
)
def test_a_rule_is_said_in_words(filters, rule):
    assert filters.rule == rule
