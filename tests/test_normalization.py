"""Scaling a direction against the weights, by every rule."""

import pytest
import torch
from hypothesis import given
from strategies import pairs_of_trees

from landscape.errors import DirectionError
from landscape.normalization import NORMALIZATIONS, normalize_direction, orthogonalize
from landscape.params import Filters, length

# Lengths are taken and applied in float64: a few roundings of 1e-16 each.
EXACT = {"rtol": 1e-12, "atol": 1e-300}


@given(pairs_of_trees())
def test_normalized_filters_are_as_long_as_the_weights(pair):
    direction, weights, filters = pair
    for name, scaled in normalize_direction(direction, weights, filters, norm="filter", ignore="none").items():
        rows = filters[name].rows
        torch.testing.assert_close(rows(scaled).norm(dim=1), rows(weights[name]).norm(dim=1), **EXACT)


@given(pairs_of_trees())
def test_normalized_filters_keep_their_direction(pair):
    direction, weights, filters = pair
    for name, scaled in normalize_direction(direction, weights, filters, norm="filter").items():
        if scaled.ndim < 2:
            assert not scaled.any()
            continue
        new, old = filters[name].rows(scaled), filters[name].rows(direction[name])
        torch.testing.assert_close((new * old).sum(1), new.norm(dim=1) * old.norm(dim=1), **EXACT)


@given(pairs_of_trees())
def test_layers_and_the_whole_model_come_out_as_long_as_theirs(pair):
    direction, weights, filters = pair
    by_layer = normalize_direction(direction, weights, filters, norm="layer", ignore="none")
    for name, scaled in by_layer.items():
        torch.testing.assert_close(scaled.norm(), weights[name].norm(), **EXACT)
    whole = normalize_direction(direction, weights, filters, norm="model", ignore="none")
    assert length(whole) == pytest.approx(length(weights), rel=1e-12)


@given(pairs_of_trees())
def test_unit_rules_give_length_one_and_weight_multiplies(pair):
    direction, weights, filters = pair
    for name, scaled in normalize_direction(direction, weights, filters, norm="dfilter", ignore="none").items():
        ones = torch.ones(filters[name].rows(scaled).shape[0], dtype=torch.float64)
        torch.testing.assert_close(filters[name].rows(scaled).norm(dim=1), ones, **EXACT)
    for scaled in normalize_direction(direction, weights, filters, norm="dlayer", ignore="none").values():
        assert float(scaled.norm()) == pytest.approx(1, rel=1e-12)
    for name, scaled in normalize_direction(direction, weights, filters, norm="weight").items():
        if scaled.ndim >= 2:
            torch.testing.assert_close(scaled, direction[name] * weights[name])
    for name, scaled in normalize_direction(direction, weights, filters, norm="none", ignore="none").items():
        assert torch.equal(scaled, direction[name])


@pytest.mark.parametrize("norm", NORMALIZATIONS)
def test_biases_and_batch_norm_scales_stay_when_they_are_ignored(norm):
    tree = {"bias": torch.tensor([1.0, -2.0]), "scale": torch.tensor(3.0), "weight": torch.ones(2, 2)}
    scaled = normalize_direction(tree, tree, dict.fromkeys(tree, Filters()), norm=norm)
    assert not scaled["bias"].any()
    assert not scaled["scale"].any()
    assert scaled["weight"].any()


@pytest.mark.parametrize("norm", ["filter", "layer", "weight"])
def test_vectors_that_move_have_the_weights_sizes_and_random_signs(norm):
    theta = {"bias": torch.tensor([1.0, -2.0, 0.0, -4.0])}
    drawn = {"bias": torch.tensor([0.3, -0.1, 5.0, 2.0])}
    scaled = normalize_direction(drawn, theta, {"bias": Filters()}, norm=norm, ignore="none")
    # The 2018 tool would give theta itself, whatever was drawn: both axes moved together.
    assert scaled["bias"].tolist() == [1.0, -2.0, 0.0, 4.0]


def test_a_zero_filter_gets_a_zero_direction():
    theta = {"w": torch.tensor([[0.0, 0.0], [3.0, 4.0]])}
    scaled = normalize_direction({"w": torch.ones(2, 2)}, theta, {"w": Filters()})["w"]
    assert scaled[0].tolist() == [0.0, 0.0]
    assert float(scaled[1].norm()) == pytest.approx(5.0)


def test_half_precision_weights_get_float32_directions():
    theta = {"w": torch.ones(2, 2, dtype=torch.bfloat16)}
    assert normalize_direction({"w": torch.ones(2, 2)}, theta, {"w": Filters()})["w"].dtype == torch.float32


def test_another_shape_is_refused():
    with pytest.raises(DirectionError, match="w is"):
        normalize_direction({"w": torch.ones(2, 3)}, {"w": torch.ones(2, 2)}, {"w": Filters()})


@given(pairs_of_trees())
def test_orthogonal_directions_are_orthogonal_filter_by_filter_and_as_long_as_before(pair):
    first, second, filters = pair
    result = orthogonalize(second, [first], filters)
    for name, tensor in result.items():
        rows, other, before = (filters[name].rows(t) for t in (tensor, first[name], second[name]))
        sizes = rows.norm(dim=1) * other.norm(dim=1)
        assert bool(((rows * other).sum(1).abs() <= 1e-6 * sizes + 1e-300).all())
        for after, was in zip(rows.norm(dim=1), before.norm(dim=1), strict=True):
            # Nothing is left of a filter of one number, or of one that lay along the first.
            assert float(after) == pytest.approx(float(was), rel=1e-9) or float(after) == 0.0
        if rows.shape[1] == 1:
            assert not rows.any()


def test_a_third_direction_is_orthogonal_to_both():
    generator = torch.Generator().manual_seed(0)
    filters = {"w": Filters()}
    trees = [{"w": torch.randn(3, 8, generator=generator, dtype=torch.float64)} for _ in range(3)]
    for number in range(1, 3):
        trees[number] = orthogonalize(trees[number], trees[:number], filters)
    for i in range(3):
        for j in range(i):
            assert float((trees[i]["w"] * trees[j]["w"]).sum(1).abs().max()) < 1e-12
