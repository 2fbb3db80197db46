"""What is moved, what a filter is, lengths and digests."""

import pytest
import torch
from torch import nn

from landscape.errors import DirectionError, UsageError
from landscape.params import (
    Filters,
    digest,
    filters_of,
    inner_product,
    length,
    moved_tensors,
    require_same_shapes,
    running_variances,
)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("cache", torch.zeros(2), persistent=False)


def test_weights_are_the_parameters_with_tied_ones_once():
    assert list(moved_tensors(Tied())) == ["embed.weight"]


def test_states_are_also_floating_buffers_that_are_saved(classifier):
    weights, states = moved_tensors(classifier), moved_tensors(classifier, move="states")
    assert set(states) - set(weights) == {"1.running_mean", "1.running_var"}
    assert "1.num_batches_tracked" not in states
    assert "cache" not in moved_tensors(Tied(), move="states")


def test_regular_expressions_choose_a_subspace(classifier):
    assert set(moved_tensors(classifier, include=r"^0\.", exclude="bias")) == {"0.weight"}
    with pytest.raises(UsageError, match="nothing to move"):
        moved_tensors(classifier, include="absent")
    with pytest.raises(UsageError, match="regular expression"):
        moved_tensors(classifier, include="(")
    with pytest.raises(UsageError, match="weights, states"):
        moved_tensors(classifier, move="all")


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

    assert filters_of(Conv1D())["weight"].rows(torch.zeros(3, 5)).shape == (3, 5)
    Conv1D.__module__ = "transformers.pytorch_utils"
    assert filters_of(Conv1D())["weight"].rows(torch.zeros(3, 5)).shape == (5, 3)


def test_lengths_and_products_are_summed_in_float64():
    tree = {"a": torch.full((3, 1000), 1e-4), "b": torch.tensor(2.0)}
    exact = 3000 * float(torch.tensor(1e-4)) ** 2 + 4
    assert length(tree) == pytest.approx(exact**0.5, rel=1e-14)
    assert inner_product(tree, {k: -v for k, v in tree.items()}) == pytest.approx(-exact, rel=1e-14)


def test_a_difference_is_named():
    like = {"a": torch.zeros(2), "b": torch.zeros(3)}
    for tree, text in [({"a": torch.zeros(2)}, "nothing for b"), ({"a": torch.zeros(4)}, r"a is \(4,\) there"),
                       ({**like, "c": torch.zeros(1)}, "no tensor c")]:  # fmt: skip
        with pytest.raises(DirectionError, match=text):
            require_same_shapes(tree, like, "the direction")


def test_a_digest_is_of_names_types_shapes_and_bytes():
    tree = {"a": torch.arange(6.0), "b": torch.zeros(2, 2, dtype=torch.bfloat16)}
    assert digest(tree) == digest(dict(reversed(tree.items())))
    others = [
        {**tree, "a": torch.arange(6.0).reshape(2, 3)},
        {**tree, "a": torch.arange(6.0).double()},
        {**tree, "a": torch.tensor([0.0, 1, 2, 3, 5, 4])},
        {"a": tree["a"], "c": tree["b"]},
    ]
    assert len({digest(tree), *map(digest, others)}) == 5
    assert digest({"a": torch.arange(12.0).reshape(3, 4).t()}) == digest(
        {"a": torch.arange(12.0).reshape(3, 4).t().contiguous()}
    )


def test_running_variances_are_known_by_their_layer(classifier):
    assert running_variances(classifier) == {"1.running_var"}


def test_a_vector_is_one_filter():
    assert Filters().rows(torch.arange(3.0)).shape == (1, 3)
    assert Filters().rows(torch.tensor(1.0)).shape == (1, 1)
