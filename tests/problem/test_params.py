"""What is moved, what a filter is, lengths and digests."""

import warnings

import pytest
import torch
from torch import nn

from landscape.errors import DirectionError, UsageError
from landscape.problem.params import (
    digest,
    inner_product,
    length,
    moved_tensors,
    require_movable,
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
    layers = (
        nn.InstanceNorm2d(3, track_running_stats=True),
        nn.SyncBatchNorm(3),
        nn.LazyBatchNorm1d(),
        nn.LayerNorm(3),
    )
    assert running_variances(nn.Sequential(*layers)) == {f"{number}.running_var" for number in range(3)}
    assert running_variances(nn.InstanceNorm1d(3)) == set()
    assert running_variances(nn.InstanceNorm1d(3, track_running_stats=True)) == {"running_var"}


class Shared(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Parameter(part(self.embed.weight.data))


def test_a_head_that_is_an_embedding_transposed_moves_once():
    assert list(moved_tensors(Shared(lambda w: w.t()))) == ["head"]
    assert list(moved_tensors(Shared(lambda w: w.view(-1)))) == ["head"]
    assert list(moved_tensors(Shared(torch.clone))) == ["head", "embed.weight"]
    lstm = nn.LSTM(3, 4, num_layers=2)
    assert list(moved_tensors(lstm)) == [name for name, _ in lstm.named_parameters()]


@pytest.mark.parametrize("part", [lambda w: w[:2], lambda w: w[:, :2], lambda w: w[1:]])
def test_tensors_that_share_a_part_of_their_memory_are_refused(part):
    with pytest.raises(UsageError, match="share a part of their memory"):
        moved_tensors(Shared(part))


def test_tensors_side_by_side_in_one_memory_move_each_and_interleaved_ones_are_refused():
    flat = torch.zeros(7)
    model = nn.ParameterDict({"a": nn.Parameter(flat[:3]), "b": nn.Parameter(flat[3:6])})
    assert list(moved_tensors(model)) == ["a", "b"]
    model = nn.ParameterDict({"a": nn.Parameter(flat[::2]), "b": nn.Parameter(flat[::3])})  # both from first to last
    with pytest.raises(UsageError, match="a and b share a part of their memory"):
        moved_tensors(model)


def test_weights_that_cannot_be_moved_may_be_left_out():
    model = nn.ParameterDict({"w": nn.Parameter(torch.zeros(2))})
    model["codes"] = nn.Parameter(torch.zeros(2, dtype=torch.int8), requires_grad=False)
    with pytest.raises(UsageError, match=r"codes holds weights of torch\.int8.*exclude"):
        moved_tensors(model)
    assert list(moved_tensors(model, exclude="codes")) == ["w"]


def test_complex_numbers_move_and_count_with_both_parts():
    model = nn.Module()
    model.w = nn.Parameter(torch.tensor([3 + 4j, 0j]))
    model.register_buffer("mean", torch.tensor([1j]))
    model.register_buffer("mask", torch.tensor([True]))
    assert list(moved_tensors(model)) == ["w"]
    assert list(moved_tensors(model, move="states")) == ["w", "mean"]
    assert length(moved_tensors(model)) == pytest.approx(5)
    other = {"w": torch.tensor([1j, 5j])}
    assert inner_product({"w": model.w}, other) == pytest.approx(4)  # the real part of <w, other>
    seen = {digest({"w": torch.tensor([each])}) for each in (1 + 1j, 1 - 1j, 1 + 0j, 2 + 1j)}
    assert len(seen) == 4


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(5, 3)), {nn.Linear})


UNMOVABLE = {
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3)), r"is lazy: 0 \(LazyLinear\).*give it a batch"),
    "lazy buffers": (lambda: nn.Sequential(nn.LazyBatchNorm1d(affine=False)), "is lazy: 0"),
    "quantised": (quantised, r"is quantised: 0 \(Linear\).*in floating point"),
    "exported": (
        lambda: torch.export.export(nn.Sequential(nn.Linear(5, 3)), (torch.zeros(2, 5),)).module(),
        r"torch\.export.*exported from",
    ),
}


@pytest.mark.parametrize("kind", UNMOVABLE)
def test_a_network_whose_weights_cannot_be_moved_is_refused_in_words(kind):
    make, text = UNMOVABLE[kind]
    model = make()
    for call in (require_movable, moved_tensors):
        with pytest.raises(UsageError, match=text):
            call(model)


def test_a_digest_leaves_out_what_is_no_tensor():
    assert digest({"a": torch.ones(2), "extra": {"step": 3}}) == digest({"a": torch.ones(2)})
