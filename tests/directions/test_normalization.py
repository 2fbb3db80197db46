"""Scaling a direction against the weights, by every rule."""

import pytest
import torch
from hypothesis import given

from landscape.directions.filters import Filters
from landscape.directions.normalization import normalize_direction, orthogonalize
from landscape.errors import DirectionError
from landscape.problem.params import length
from landscape.surface.recipes import NORMALIZATIONS
from tests.helpers.strategies import pairs_of_trees

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
        assert scaled.dtype == direction[name].dtype
        new, old = filters[name].rows(scaled), filters[name].rows(direction[name])
        torch.testing.assert_close((new * old).sum(1), new.norm(dim=1) * old.norm(dim=1), **EXACT)


@given(pairs_of_trees())
def test_layers_and_the_whole_model_come_out_as_long_as_theirs(pair):
    direction, weights, filters = pair
    by_layer = normalize_direction(direction, weights, filters, norm="layer", ignore="none")
    for name, scaled in by_layer.items():
        torch.testing.assert_close(scaled.norm(), weights[name].norm(), **EXACT)
    for ignore in ("none", "biasbn"):
        whole = normalize_direction(direction, weights, filters, norm="model", ignore=ignore)
        moving = {name: w for name, w in weights.items() if w.ndim >= 2 or ignore == "none"}
        assert length(whole) == pytest.approx(length(moving), rel=1e-12)


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


@pytest.mark.parametrize("norm", ["filter", "layer", "model", "weight", "dfilter", "dlayer"])
def test_what_a_direction_leaves_at_zero_stays_there(norm):
    # As the difference of two networks of which one trained some filters, or nothing, further.
    for drawn in (torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.zeros(2, 2)):
        theta = {"w": torch.tensor([[1.0, 2.0], [3.0, 4.0]])}
        scaled = normalize_direction({"w": drawn}, theta, {"w": Filters()}, norm=norm)["w"]
        assert scaled[0].tolist() == [0.0, 0.0]
        assert bool(torch.isfinite(scaled).all())
        assert bool((scaled[1] > 0).all()) == bool((drawn[1] > 0).all())


def test_half_precision_weights_get_float32_directions():
    theta = {"w": torch.ones(2, 2, dtype=torch.bfloat16)}
    assert normalize_direction({"w": torch.ones(2, 2)}, theta, {"w": Filters()})["w"].dtype == torch.float32


@pytest.mark.parametrize("norm", ["filter", "layer", "model"])
def test_lengths_of_half_precision_weights_are_taken_in_float64(norm):
    # bfloat16 has 8 bits: a length rounded to it is off by up to 0.4 %.
    theta = {"w": torch.linspace(0.1, 2.3, 60, dtype=torch.bfloat16).reshape(3, 20)}
    scaled = normalize_direction({"w": torch.randn(3, 20)}, theta, {"w": Filters()}, norm=norm)["w"].double()
    wide = theta["w"].double()
    got, wanted = (t.norm(dim=1) if norm == "filter" else t.norm() for t in (scaled, wide))
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=0)


def test_complex_vectors_that_move_have_the_weights_sizes_and_random_phases():
    theta = {"b": torch.tensor([3 + 4j, -2j, 0j])}
    scaled = normalize_direction({"b": torch.tensor([2j, 1 + 0j, 1j])}, theta, {"b": Filters()}, ignore="none")["b"]
    torch.testing.assert_close(scaled, torch.tensor([5j, 2 + 0j, 0j]))


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
        if rows.shape[1] == 1:
            assert not rows.any()  # nothing is left of a filter of one number
            continue
        # Drawn at random, no filter of two numbers or more lies along that of the first.
        torch.testing.assert_close(rows.norm(dim=1), before.norm(dim=1), rtol=1e-9, atol=0)


def test_a_filter_keeps_its_length_however_little_of_it_is_left():
    first = {"w": torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)}
    second = {"w": torch.tensor([[1.0, 1e-6], [2.0, 0.0]], dtype=torch.float64)}
    result = orthogonalize(second, [first], {"w": Filters()})["w"]
    torch.testing.assert_close(result, torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64), rtol=1e-9, atol=0)


def test_a_third_direction_is_orthogonal_to_both():
    generator = torch.Generator().manual_seed(0)
    filters = {"w": Filters()}
    trees = [{"w": torch.randn(3, 8, generator=generator, dtype=torch.float64)} for _ in range(3)]
    for number in range(1, 3):
        trees[number] = orthogonalize(trees[number], trees[:number], filters)
    for i in range(3):
        assert float(trees[i]["w"].norm(dim=1).min()) > 0.5
        for j in range(i):
            assert float((trees[i]["w"] * trees[j]["w"]).sum(1).abs().max()) < 1e-12
